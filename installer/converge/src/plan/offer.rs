//! Whether a release that is offered is one to take.

use crate::model::{Receipt, RolledBack, Version};

/// What somebody asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// This version, and no other.
    pub version: Option<Version>,
    /// An older one than what is installed will do.
    pub allow_downgrade: bool,
}

/// What is to be done about an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is to be taken.
    Take,
    /// It is what is installed.
    Installed,
    /// It is older than what is installed, and nobody asked for that.
    Older,
    /// It was here and was left; only by its name is it taken again.
    LeftBefore(RolledBack),
}

/// Judges an offered version, the same for a person's command and for a timer's. `failed` is the last
/// version that was tried here and failed.
pub fn judge(
    receipt: &Receipt,
    failed: Option<&RolledBack>,
    offered: &Version,
    wish: &Wish,
) -> Judgement {
    if *offered == receipt.version {
        return Judgement::Installed;
    }
    if *offered < receipt.version {
        return if wish.allow_downgrade {
            Judgement::Take
        } else {
            Judgement::Older
        };
    }
    let mut left = receipt.rolled_back.iter().chain(failed);
    match left.find(|left| left.version == *offered) {
        Some(left) if wish.version.is_none() => Judgement::LeftBefore(left.clone()),
        _ => Judgement::Take,
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

    fn judged(left: Option<&str>, offered: &str, version: Option<&str>, down: bool) -> Judgement {
        let wish = Wish {
            version: version.map(|version| version.parse().unwrap()),
            allow_downgrade: down,
        };
        let offered = offered.parse().unwrap();
        let judgement = judge(&receipt("0.1.5", left), None, &offered, &wish);
        // left by a rollback, or never taken because it failed: all the same
        let failed = receipt("0.1.5", left).rolled_back;
        let again = judge(&receipt("0.1.5", None), failed.as_ref(), &offered, &wish);
        assert_eq!(judgement, again);
        judgement
    }

    #[test]
    fn newer_is_taken_and_older_only_when_that_is_asked_for() {
        assert_eq!(judged(None, "0.1.6", None, false), Judgement::Take);
        assert_eq!(judged(None, "0.1.5", None, true), Judgement::Installed);
        assert_eq!(judged(None, "0.1.4", None, false), Judgement::Older);
        assert_eq!(
            judged(None, "0.1.4", Some("0.1.4"), false),
            Judgement::Older
        );
        assert_eq!(judged(None, "0.1.4", Some("0.1.4"), true), Judgement::Take);
    }

    #[test]
    fn what_was_left_is_taken_again_by_its_name_alone() {
        let left = Some("0.1.6");
        assert!(matches!(
            judged(left, "0.1.6", None, false),
            Judgement::LeftBefore(_)
        ));
        assert!(matches!(
            judged(left, "0.1.6", None, true),
            Judgement::LeftBefore(_)
        ));
        assert_eq!(judged(left, "0.1.6", Some("0.1.6"), false), Judgement::Take);
        assert_eq!(judged(left, "0.1.7", None, false), Judgement::Take);
    }
}
