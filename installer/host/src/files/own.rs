//! Files of the toolkit's own, read by root: believed only where nobody else can have written them.

use std::path::{Path, PathBuf};

use crate::FileImage;
use crate::{ErrorKind, Hint};

/// A file that decides what root does, and that somebody else may have written.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// It belongs to another.
    #[error("{} belongs to uid {uid}, not to root", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Its group, or everybody, may write it.
    #[error("{} can be written by others than root (mode {mode:04o})", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl Untrusted {
    /// What the user can type.
    pub fn hint(&self) -> Hint {
        let (Self::Owner { path, .. } | Self::Writable { path, .. }) = self;
        let path = path.display();
        Hint::Text(format!(
            "nothing was changed; see who wrote it: ls -l {path}; if it is in order: \
             sudo chown root:root {path} && sudo chmod go-w {path}"
        ))
    }

    /// Which kind of failure it is.
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Damaged
    }
}

/// Whether a file that was read is root's, or the caller's where that is not root, and nobody else's
/// to write.
///
/// # Errors
/// [`Untrusted`].
pub fn trust(path: &Path, image: &FileImage) -> Result<(), Untrusted> {
    let own = rustix::process::geteuid().as_raw();
    if image.uid != 0 && image.uid != own {
        return Err(Untrusted::Owner {
            path: path.into(),
            uid: image.uid,
        });
    }
    if image.mode & 0o022 != 0 {
        return Err(Untrusted::Writable {
            path: path.into(),
            mode: image.mode,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_have_written_is_not_believed() {
        let path = Path::new("/var/lib/acme-install/seen.json");
        let image = FileImage::private("x");
        trust(path, &image).expect("root's alone");
        for mode in [0o620, 0o602, 0o666] {
            let image = FileImage {
                mode,
                ..image.clone()
            };
            let error = trust(path, &image).expect_err("others may write it");
            assert!(error.hint().to_string().contains("chmod go-w"), "{error}");
        }
        let image = FileImage { uid: 4242, ..image };
        let error = trust(path, &image).expect_err("it is another's");
        assert_eq!(error.kind(), ErrorKind::Damaged);
    }
}
