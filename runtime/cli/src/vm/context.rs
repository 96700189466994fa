//! Who asks, and for whom banger is installed here.

use std::path::PathBuf;

use banger_installer::model::Receipt;

use super::VmError;

/// What a command on VMs must know of the host.
#[derive(Debug, Clone)]
pub struct Context {
    /// The install metadata.
    pub receipt: PathBuf,
    /// The owner daemon's socket.
    pub socket: PathBuf,
    /// Who runs the command.
    pub caller_uid: u32,
}

impl Context {
    /// This host and this process.
    pub fn of_host() -> Self {
        Self {
            receipt: crate::product::layout().receipt(),
            socket: crate::product::OWNER_SOCKET.into(),
            caller_uid: rustix::process::geteuid().as_raw(),
        }
    }

    /// That banger is installed, and for this caller. The socket is not touched.
    pub(super) fn check_caller(&self) -> Result<(), VmError> {
        let bytes = std::fs::read(&self.receipt).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => VmError::NotInstalled,
            _ => VmError::ReceiptUnreadable {
                path: self.receipt.clone(),
                source,
            },
        })?;
        let receipt = Receipt::from_json(&bytes)?;
        if receipt.owner.uid == self.caller_uid {
            Ok(())
        } else {
            Err(VmError::OtherOwner {
                owner: receipt.owner.user,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::super::{VmCommand, run};
    use super::*;

    const RECEIPT: &str = r#"{"schema":1,"owner":{"user":"alice","uid":4242,"gid":4242,
        "home":"/home/alice"},"version":"0.1.0","channel":"stable","method":"self",
        "highest_sequence":1,"installed":"2026-11-20T10:00:00Z"}"#;

    /// An installation for uid 4242 whose socket counts its callers.
    struct Installed {
        folder: tempfile::TempDir,
        listener: UnixListener,
    }

    impl Installed {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("install.json"), RECEIPT).unwrap();
            let listener = UnixListener::bind(folder.path().join("sock")).unwrap();
            listener.set_nonblocking(true).unwrap();
            Self { folder, listener }
        }

        fn context(&self, caller_uid: u32) -> Context {
            Context {
                receipt: self.folder.path().join("install.json"),
                socket: self.folder.path().join("sock"),
                caller_uid,
            }
        }

        fn callers(&self) -> usize {
            std::iter::from_fn(|| self.listener.accept().ok()).count()
        }
    }

    fn list() -> VmCommand {
        VmCommand::List { json: false }
    }

    #[test]
    fn without_an_install_the_error_names_system_install() {
        let installed = Installed::new();
        std::fs::remove_file(installed.folder.path().join("install.json")).unwrap();
        let error = run(list(), &installed.context(4242)).unwrap_err();
        assert!(matches!(error, VmError::NotInstalled));
        assert!(error.hint().unwrap().contains("sudo banger system install"));
        assert_eq!(installed.callers(), 0);
    }

    #[test]
    fn a_socket_that_does_not_answer_names_system_restart() {
        let Installed { folder, listener } = Installed::new();
        drop(listener);
        let context = Context {
            receipt: folder.path().join("install.json"),
            socket: folder.path().join("sock"),
            caller_uid: 4242,
        };
        let refused = run(list(), &context).unwrap_err();
        std::fs::remove_file(&context.socket).unwrap();
        let missing = run(list(), &context).unwrap_err();
        for error in [refused, missing] {
            assert!(
                error.hint().unwrap().contains("sudo banger system restart"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_socket_that_closes_without_an_answer_names_system_restart() {
        let installed = Installed::new();
        installed.listener.set_nonblocking(false).unwrap();
        let context = installed.context(4242);
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                drop(installed.listener.accept().unwrap());
            }
        });
        let error = run(list(), &context).unwrap_err();
        assert!(
            error.hint().unwrap().contains("sudo banger system restart"),
            "{error}"
        );
        server.join().unwrap();
    }

    #[test]
    fn another_user_is_told_the_owner_and_the_socket_is_never_dialled() {
        let installed = Installed::new();
        for uid in [0, 4243] {
            let error = run(list(), &installed.context(uid)).unwrap_err();
            assert!(error.to_string().contains("installed for alice"), "{error}");
        }
        assert_eq!(installed.callers(), 0);
    }

    #[test]
    fn the_counting_socket_counts() {
        let installed = Installed::new();
        let _caller = std::os::unix::net::UnixStream::connect(installed.folder.path().join("sock"));
        assert_eq!(installed.callers(), 1);
    }
}
