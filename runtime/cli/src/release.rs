//! The half of `banger update` that fetches: from an offer to an unpacked folder.
//!
//! Guarantees: nothing outside the staging folder is written here; what is unpacked was verified.

use std::path::PathBuf;

use banger_installer::fetch::{self, ExpectedEntries, MirrorError, NoMirror, Progress};
use banger_installer::model::{Product, Receipt, ReleaseList};
use banger_installer::verify;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::offer::Offer;
use super::{Failure, Screen};
use crate::product::hint_text;

/// A release that was verified and unpacked.
pub(super) struct Staged {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// What it says that it consists of.
    pub(super) list: Option<ReleaseList>,
}

impl Offer {
    /// Fetches the archive and unpacks it beneath the staging folder.
    pub(super) fn stage(
        &self,
        product: &Product,
        receipt: &Receipt,
        screen: &Screen,
    ) -> Result<Staged, Failure> {
        let manifest = &self.manifest;
        if let Some(artefact) = manifest.release_for(&product.target) {
            verify::check_upgrade(&receipt.version, &manifest.version, artefact)?;
        }
        let staging = product.layout.staging();
        let mut bar = Bar::new(screen);
        let archive = self.mirrors.archive(
            &self.transport,
            manifest,
            &product.target,
            &staging,
            &mut bar,
        )?;
        drop(bar);
        let size = megabytes(archive.artefact().size);
        screen.done(
            "downloaded and verified",
            &format!("{size} from {}", archive.place()),
        );
        let destination = staging.join(manifest.version.to_string());
        // what an operation that was killed here left behind
        if destination.exists() {
            fs_err::remove_dir_all(&destination).map_err(|error| cannot_stage(&error))?;
        }
        let expected = ExpectedEntries::of_product(product);
        let expected = expected.or_listed(&product.name, &manifest.version);
        let list = archive.unpack(&expected, &destination)?;
        Ok(Staged {
            path: destination,
            list,
        })
    }
}

fn cannot_stage(error: &std::io::Error) -> Failure {
    let kind = banger_installer::error_kind::ErrorKind::Other;
    Failure::plain(
        format!("cannot clear the staging folder: {error}"),
        None,
        kind,
    )
}

/// A size as people read it.
pub(super) fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / 1_000_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// A progress bar on a terminal, nothing in a pipe. It goes with its value, however that ends.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(screen: &Screen) -> Self {
        let style = ProgressStyle::with_template("  {bar:24} {bytes} of {total_bytes}");
        Self(screen.is_terminal().then(|| {
            ProgressBar::new(0)
                .with_finish(ProgressFinish::AndClear)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        }))
    }
}

impl Progress for Bar {
    fn advanced(&mut self, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
        }
    }
}

/// Errors of the toolkit carry their hint and kind with them.
macro_rules! shown_as_failures {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(&error, error.hint().map(|hint| hint_text(&hint)), error.kind())
            }
        })+
    };
}

shown_as_failures!(
    fetch::ConfigError,
    fetch::FetchError,
    fetch::UnpackError,
    verify::KeyringError,
    verify::VerifyError,
);

impl<E: MirrorError> From<NoMirror<E>> for Failure {
    fn from(error: NoMirror<E>) -> Self {
        Self::new(
            &error,
            error.hint().map(|hint| hint_text(&hint)),
            error.kind(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::megabytes;

    #[test]
    fn sizes_are_read_in_megabytes() {
        assert_eq!(megabytes(8_140_000), "8.1 MB");
        assert_eq!(megabytes(99_999), "0.0 MB");
    }
}
