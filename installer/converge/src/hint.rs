//! What to type, where several errors say the same.

use std::path::Path;

use banger_installer_host::Hint;

/// The way out of a file of ours that cannot be read: an install makes any host whole.
fn away_and_again(path: &Path) -> String {
    let path = path.display();
    format!("move it away and install again: sudo mv {path} {path}.damaged")
}

/// The same for a file that is damaged.
pub(crate) fn of_damaged(path: &Path) -> Hint {
    Hint::Text(format!("nothing was changed; {}", away_and_again(path)))
}

/// The same for a file of a later version.
pub(crate) fn of_later(path: &Path) -> Hint {
    Hint::Text(format!(
        "nothing was changed; use the newer version that wrote it, or {}",
        away_and_again(path)
    ))
}
