//! `install.sh` of a release: the template in `packaging/` with what it pins filled in.
//!
//! Guarantees: what is filled in cannot end the quotes that it stands in; a release of another
//! channel than the script's is refused; every placeholder that this release has a value for is
//! filled, and the others still stand as placeholders, which the script refuses.

use std::path::{Path, PathBuf};

use banger_installer_fetch::MANIFEST_NAME;
use banger_installer_trust::model::Manifest;

use crate::whole_file::{IfThere, write};
use crate::{ReleaseError, public_key};

/// The template in a workspace.
const TEMPLATE: &str = "packaging/install.sh";
/// The channel whose newest release the script installs.
const CHANNEL: &str = "stable";

/// Options of [`script`].
#[derive(Debug, Clone)]
pub struct ScriptOptions {
    /// The folder that [`crate::pack`] wrote.
    pub release: PathBuf,
    /// The public key whose signature the script takes.
    pub public_key: PathBuf,
    /// The address of the channel's folder.
    pub release_url: String,
    /// The workspace with the template.
    pub workspace: PathBuf,
    /// Where the script is written; replaced when it is there.
    pub out: PathBuf,
}

/// Writes the script of a release.
///
/// # Errors
/// [`ReleaseError`]; nothing is written then.
pub fn script(options: &ScriptOptions) -> Result<(), ReleaseError> {
    let path = options.release.join(MANIFEST_NAME);
    let bytes = fs_err::read(&path).map_err(ReleaseError::read(&path))?;
    let manifest = Manifest::from_json(&bytes).map_err(ReleaseError::Manifest)?;
    let key = public_key(&options.public_key)?;
    let template = read(&options.workspace.join(TEMPLATE))?;
    let text = fill(&template, &manifest, key.as_str(), &options.release_url)?;
    write(&options.out, text.as_bytes(), 0o755, IfThere::Replace)
}

fn read(path: &Path) -> Result<String, ReleaseError> {
    fs_err::read_to_string(path).map_err(ReleaseError::read(path))
}

fn fill(template: &str, manifest: &Manifest, key: &str, url: &str) -> Result<String, ReleaseError> {
    if manifest.channel != CHANNEL {
        return Err(ReleaseError::ScriptChannel {
            found: manifest.channel.clone(),
        });
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"'\\$`\"@".contains(&byte);
    if !url.starts_with("https://") || !url.bytes().all(plain) || url.contains('{') {
        return Err(ReleaseError::ScriptAddress { text: url.into() });
    }
    let sum = |architecture: &str| {
        let target = format!("{architecture}-unknown-linux-gnu");
        let found = manifest.release_for(&target);
        found.map(|artefact| artefact.digest.hex())
    };
    let pins = [
        ("release_url", Some(url.trim_end_matches('/').to_owned())),
        ("public_key", Some(key.to_owned())),
        ("version", Some(manifest.version.to_string())),
        ("sha256_x86_64", sum("x86_64")),
        ("sha256_aarch64", sum("aarch64")),
    ];
    let mut text = template.to_owned();
    for (name, value) in pins {
        let line = format!("{name}='@{name}@'\n");
        if text.matches(&line).count() != 1 {
            return Err(ReleaseError::ScriptTemplate { name });
        }
        if let Some(value) = value {
            text = text.replace(&line, &format!("{name}='{value}'\n"));
        }
    }
    Ok(text)
}
