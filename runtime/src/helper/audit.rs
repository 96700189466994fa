//! One line in the journal for each privileged action: what, on which VM, for whom, and how it ended.
//!
//! Guarantees: whoever the kernel says called is named by uid and pid; nothing in a line comes from
//! the caller but a VM's name, which is letters, digits and hyphens; questions leave no line.

use crate::protocol::HelperRequest;
use crate::protocol::server::{Answer, Caller};

/// A request that does something, as the log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action {
    verb: &'static str,
    vm: String,
}

impl Action {
    /// The action of a request; none for a question about the helper or the list.
    pub(super) fn of(request: &HelperRequest) -> Option<Self> {
        let (verb, vm) = match request {
            HelperRequest::Health {} | HelperRequest::List(_) => return None,
            HelperRequest::Start(new) => ("start", &new.name),
            HelperRequest::Log(which) => ("read-log", &which.name),
            HelperRequest::Stop(which) => ("stop", &which.name),
            HelperRequest::Delete(which) => ("delete", &which.name),
        };
        Some(Self {
            verb,
            vm: vm.to_string(),
        })
    }

    /// Writes the line.
    pub(super) fn log(self, caller: Caller, answer: &Answer) {
        let Self { verb, vm } = self;
        let (uid, pid) = (caller.uid, caller.pid);
        match answer {
            Ok(_) => tracing::info!(
                action = verb,
                vm,
                caller_uid = uid,
                caller_pid = pid,
                outcome = "done",
                "audit"
            ),
            Err(fault) => tracing::info!(
                action = verb,
                vm,
                caller_uid = uid,
                caller_pid = pid,
                outcome = "failed",
                reason = fault.to_string(),
                "audit"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::protocol::{ByName, Fault, ListVms, Reply};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What the log gets, written as the daemons write it.
    fn logged(request: &HelperRequest, answer: &Answer) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .without_time()
            .with_target(false)
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            if let Some(action) = Action::of(request) {
                let caller = Caller { uid: 1000, pid: 77 };
                action.log(caller, answer);
            }
        });
        String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
    }

    fn delete() -> HelperRequest {
        HelperRequest::Delete(ByName {
            name: "web".parse().unwrap(),
        })
    }

    #[test]
    fn an_action_is_one_line_with_caller_and_outcome() {
        let done = logged(&delete(), &Ok((Reply::Log {}, Vec::new())));
        assert_eq!(
            done,
            " INFO audit action=\"delete\" vm=\"web\" caller_uid=1000 caller_pid=77 \
             outcome=\"done\"\n"
        );
        let failed = logged(
            &delete(),
            &Err(Fault::NoSuchVm {
                name: "web\nx".into(),
            }),
        );
        assert_eq!(failed.lines().count(), 1, "{failed}");
        assert!(failed.contains("outcome=\"failed\""), "{failed}");
    }

    #[test]
    fn a_question_leaves_no_line() {
        let answer = Ok((Reply::Log {}, Vec::new()));
        for request in [
            HelperRequest::Health {},
            HelperRequest::List(ListVms::default()),
        ] {
            assert_eq!(logged(&request, &answer), "");
        }
    }
}
