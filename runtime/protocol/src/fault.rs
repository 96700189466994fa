//! The errors that travel over the wire, with names that stay.

use zlink::ReplyError;

/// Why a request was not done. On the wire `org.banger.Fault.NAME`, the same on both interfaces,
/// since the owner daemon hands the helper's on.
// zlink's derive copies the attributes of variants, thiserror's among them, hence the plain impls
#[derive(Debug, Clone, PartialEq, Eq, ReplyError)]
#[zlink(interface = "org.banger.Fault")]
pub enum Fault {
    /// The caller may not ask for this.
    NotPermitted {
        /// Who is asked for and who asked.
        reason: String,
    },
    /// The request is not one: unknown method, a value outside its range, a missing descriptor.
    BadRequest {
        /// What is wrong with it.
        reason: String,
    },
    /// A VM of that name exists.
    NameTaken {
        /// The name.
        name: String,
    },
    /// No VM of that name exists.
    NoSuchVm {
        /// The name.
        name: String,
    },
    /// The VM is in a state in which this cannot be done.
    WrongState {
        /// The name.
        name: String,
        /// Its state, as `vm list` shows it.
        state: String,
    },
    /// The kernel or root disk file cannot be used.
    BadFile {
        /// What is wrong with it.
        reason: String,
    },
    /// The host lacks something that a VM needs.
    HostLacks {
        /// What, in words.
        what: String,
        /// What to type.
        hint: String,
    },
    /// The VM was started and did not come up.
    StartFailed {
        /// The name.
        name: String,
        /// Why, with the last line of its console when there is one.
        reason: String,
    },
    /// The daemon holds as many connections as it may.
    Busy {
        /// Which bound was reached.
        reason: String,
    },
    /// The daemon behind this one does not answer.
    HelperAway {
        /// Why.
        reason: String,
    },
    /// The operating system refused something.
    Failed {
        /// What and why.
        reason: String,
    },
}

impl Fault {
    /// A [`Fault::Failed`] that says what was tried and why it was refused.
    pub fn failed(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self::Failed {
            reason: format!("{what}: {why}"),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotPermitted { reason } | Self::BadFile { reason } | Self::Failed { reason } => {
                formatter.write_str(reason)
            }
            Self::BadRequest { reason } => write!(formatter, "the request was refused: {reason}"),
            Self::NameTaken { name } => write!(formatter, "a VM named {name} exists already"),
            Self::NoSuchVm { name } => write!(formatter, "there is no VM named {name}"),
            Self::WrongState { name, state } => write!(formatter, "VM {name} is {state}"),
            Self::HostLacks { what, .. } => formatter.write_str(what),
            Self::StartFailed { name, reason } => {
                write!(formatter, "VM {name} did not start: {reason}")
            }
            Self::Busy { reason } => write!(formatter, "the daemon is busy: {reason}"),
            Self::HelperAway { reason } => {
                write!(formatter, "the root helper does not answer: {reason}")
            }
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_its_name_and_its_words_over_the_wire() {
        let fault = Fault::NameTaken { name: "web".into() };
        let json = serde_json::to_string(&fault).unwrap();
        assert_eq!(
            json,
            r#"{"error":"org.banger.Fault.NameTaken","parameters":{"name":"web"}}"#
        );
        assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault);
    }
}
