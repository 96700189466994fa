//! Where the links of a release stand, and what they name.

use std::path::{Path, PathBuf};

use crate::model::Product;

/// The link of a file that is looked for beneath the host's `share` folder, and what it names.
pub(super) fn shared_link(product: &Product, path: &str) -> (PathBuf, PathBuf) {
    let named = product.layout.current().join(path);
    let link = product.layout.shared(path);
    let folder = link.parent().unwrap_or(&product.layout.share);
    let target = relative(folder, &named);
    (link, target)
}

/// A program's link, and what it names.
pub(super) fn program_link(product: &Product, program: &str) -> (PathBuf, PathBuf) {
    let named = product.layout.current().join("bin").join(program);
    let target = relative(&product.layout.programs, &named);
    (product.layout.program(program), target)
}

/// The way from a folder to a path, both absolute.
fn relative(folder: &Path, path: &Path) -> PathBuf {
    let common = folder
        .components()
        .zip(path.components())
        .take_while(|(left, right)| left == right)
        .count();
    let ups = folder.components().skip(common).map(|_| Path::new(".."));
    ups.chain(
        path.components()
            .skip(common)
            .map(|part| Path::new(part.as_os_str())),
    )
    .collect()
}
