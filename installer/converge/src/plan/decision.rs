//! Whether a release candidate is to be taken.

use crate::model::{Receipt, RolledBack, Version};

/// Which release is asked for: the newest, unless something else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// This version, and no other.
    pub version: Option<Version>,
    /// An older one than what is installed will do.
    pub allow_downgrade: bool,
}

/// What is to be done about a release candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is to be taken.
    Take,
    /// It is what is installed.
    Installed,
    /// It is older than what is installed, and nobody asked for that.
    Older,
    /// It was rolled back here; only when it is asked for by its version is it taken again.
    RolledBackHere(RolledBack),
}

/// Decides about the version of a candidate, the same for a person's command and for a timer's. `failed`
/// is the last version that was tried here and failed.
pub fn decide(
    receipt: &Receipt,
    failed: Option<&RolledBack>,
    offered: &Version,
    selection: &Selection,
) -> Decision {
    if *offered == receipt.version {
        return Decision::Installed;
    }
    if *offered < receipt.version {
        return if selection.allow_downgrade {
            Decision::Take
        } else {
            Decision::Older
        };
    }
    let mut left = receipt.rolled_back.iter().chain(failed);
    match left.find(|left| left.version == *offered) {
        Some(left) if selection.version.is_none() => Decision::RolledBackHere(left.clone()),
        _ => Decision::Take,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(version: &str, left: Option<&str>) -> Receipt {
        let text = format!(
            r#"{{"schema":1,"owner":{{"user":"alice","uid":1000,"gid":1000,"home":"/home/alice"}},
                "version":"{version}","channel":"stable","method":"self","highest_sequence":7,
                "installed":"2026-11-01T00:00:00Z"}}"#
        );
        let mut receipt = Receipt::from_json(text.as_bytes()).unwrap();
        receipt.rolled_back = left.map(|version| RolledBack {
            version: version.parse().unwrap(),
            at: "2026-11-02T00:00:00Z".parse().unwrap(),
            why: None,
        });
        receipt
    }

    fn decided(left: Option<&str>, offered: &str, version: Option<&str>, down: bool) -> Decision {
        let selection = Selection {
            version: version.map(|version| version.parse().unwrap()),
            allow_downgrade: down,
        };
        let offered = offered.parse().unwrap();
        let decision = decide(&receipt("0.1.5", left), None, &offered, &selection);
        // left by a rollback, or never taken because it failed: all the same
        let failed = receipt("0.1.5", left).rolled_back;
        let again = decide(
            &receipt("0.1.5", None),
            failed.as_ref(),
            &offered,
            &selection,
        );
        assert_eq!(decision, again);
        decision
    }

    #[test]
    fn newer_is_taken_and_older_only_when_that_is_asked_for() {
        assert_eq!(decided(None, "0.1.6", None, false), Decision::Take);
        assert_eq!(decided(None, "0.1.5", None, true), Decision::Installed);
        assert_eq!(decided(None, "0.1.4", None, false), Decision::Older);
        assert_eq!(
            decided(None, "0.1.4", Some("0.1.4"), false),
            Decision::Older
        );
        assert_eq!(decided(None, "0.1.4", Some("0.1.4"), true), Decision::Take);
    }

    #[test]
    fn what_was_left_is_taken_again_by_its_name_alone() {
        let left = Some("0.1.6");
        assert!(matches!(
            decided(left, "0.1.6", None, false),
            Decision::RolledBackHere(_)
        ));
        assert!(matches!(
            decided(left, "0.1.6", None, true),
            Decision::RolledBackHere(_)
        ));
        assert_eq!(decided(left, "0.1.6", Some("0.1.6"), false), Decision::Take);
        assert_eq!(decided(left, "0.1.7", None, false), Decision::Take);
    }
}
