//! Signatures in minisign's format, prehashed.
//!
//! A signature file holds one to [`SIGNATURES_LIMIT`] signatures, one after another, each the four
//! lines that minisign writes.

use std::io::Cursor;

use banger_installer_trust::SIGNATURES_LIMIT;
use banger_installer_trust::model::KeyId;

use super::SigningKey;
use crate::ReleaseError;

/// Lines of a signature.
const LINES: usize = 4;

/// A signature file's text over `bytes`, with a trusted comment.
///
/// # Errors
/// [`ReleaseError::Minisign`].
pub fn sign(key: &SigningKey, bytes: &[u8], trusted_comment: &str) -> Result<String, ReleaseError> {
    minisign::sign(
        None,
        &key.secret,
        Cursor::new(bytes),
        Some(trusted_comment),
        Some("signature by banger-release"),
    )
    .map(|signature| signature.to_string())
    .map_err(ReleaseError::Minisign)
}

/// The text of a signature file with one signature of each key.
///
/// # Errors
/// [`ReleaseError`], when there is no key, or there are too many.
pub fn sign_all(
    keys: &[SigningKey],
    bytes: &[u8],
    trusted_comment: &str,
) -> Result<String, ReleaseError> {
    if keys.is_empty() || keys.len() > SIGNATURES_LIMIT {
        return Err(ReleaseError::HowManyKeys { count: keys.len() });
    }
    keys.iter()
        .map(|key| sign(key, bytes, trusted_comment).map(|text| ended(&text)))
        .collect()
}

/// The signatures of a file, each as a text that minisign takes, with the key that it names.
pub fn split_signatures(text: &str) -> Vec<(KeyId, String)> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines
        .chunks_exact(LINES)
        .filter_map(|lines| {
            let id = KeyId::of_line(lines.get(1)?)?;
            Some((id, lines.join("\n") + "\n"))
        })
        .collect()
}

/// With a newline at its end, so that another signature can follow.
fn ended(text: &str) -> String {
    format!("{}\n", text.trim_end_matches('\n'))
}
