//! What banger tells to type about the toolkit's errors: the toolkit names what helps as a [`Hint`], the
//! commands, paths and options of it are banger's.

use banger_installer_host::{Hint, ids};

/// Where releases are configured to come from.
const CONFIG: &str = "/etc/banger/config.toml";

/// The text of a hint, with banger's own commands.
pub fn hint_text(hint: &Hint) -> String {
    match hint {
        Hint::Install => "sudo banger system install".into(),
        Hint::InstallAgain => {
            "nothing was changed; to put one there: sudo banger system install".into()
        }
        Hint::InstallRelease { version } => {
            format!("unpack the release of {version} and type: sudo bin/banger system install")
        }
        Hint::InstallByHand => {
            "unpack the release and type: sudo bin/banger system install; the guests stay".into()
        }
        Hint::StopFirst => "stop them first, or let them go with --stop-guests".into(),
        Hint::StopByHand => "stop it by hand, or let it go with --stop-guests".into(),
        Hint::TakeOutKillMode { paths } => {
            format!("take KillMode= out of {paths}, or let the guests go with --stop-guests")
        }
        _ => of_release(hint),
    }
}

/// About a release, and where it comes from.
fn of_release(hint: &Hint) -> String {
    match hint {
        Hint::AskForNewest => {
            "ask without --version for the newest; who runs the source knows which it keeps".into()
        }
        Hint::AllowDowngrade { version } => format!(
            "the source offers an old release: ask who runs it; to take it knowingly: \
             sudo banger update --version {version} --allow-downgrade"
        ),
        Hint::NameSource => format!(
            "name one in {CONFIG}:\n    [update]\n    \
             source = \"https://example.org/banger/stable\"\n\
             or for this once: sudo banger update --from DIR-OR-FILE-OR-URL"
        ),
        Hint::CheckSource => format!("look at [update] source in {CONFIG}"),
        Hint::OtherSource => {
            "try again later, or name another source: sudo banger update --from DIR-OR-FILE-OR-URL"
                .into()
        }
        Hint::TryAddress { url } => format!(
            "try: curl -sSI {url}; without a network: sudo banger update --from DIR-OR-FILE"
        ),
        Hint::ProxyAddress { variable } => format!(
            "it is to be http://HOST:PORT or https://HOST:PORT; without it: \
             sudo env -u {variable} banger update"
        ),
        Hint::ProxyExcept => "a host that is to be asked directly stands in NO_PROXY: \
             sudo NO_PROXY=HOST banger update"
            .into(),
        Hint::NameArchive { named } => format!("name {named}, or the folder, after --from"),
        Hint::TooOldFor { format } => {
            format!(
                "this banger may be too old for the {}'s format",
                format.owner()
            )
        }
        _ => of_keys(hint),
    }
}

/// About keys and signatures; what is the same for every product stays as the toolkit says it.
fn of_keys(hint: &Hint) -> String {
    match hint {
        Hint::SignRelease => {
            "an unsigned release is never taken; sign it with: banger-release build --key FILE ..."
                .into()
        }
        Hint::SignAgain => {
            "the publisher signs with: banger-release (or minisign -S without -l)".into()
        }
        Hint::TrustKey { trusted } => format!(
            "trusted here: {}; to trust another key, put its .pub file into \
             /etc/banger/keys.d after checking it with its owner",
            ids(trusted)
        ),
        Hint::AddFirstKey { folder } => format!(
            "get the publisher's banger.pub by a way that you trust, then: \
             sudo install -D -m 0644 banger.pub {}/banger.pub",
            folder.display()
        ),
        Hint::BuildKeys => {
            "build again with BANGER_TRUSTED_KEYS or BANGER_ROOT_KEYS set to the second line \
             of a .pub file"
                .into()
        }
        Hint::BuildThreshold => {
            "build again with BANGER_ROOT_THRESHOLD set to such a number".into()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each text must hold: a command, an option, a path or a variable of banger's.
    const OWN: [&str; 7] = [
        "banger system install",
        "banger update",
        "--stop-guests",
        "--version",
        "--from",
        "banger-release",
        "banger",
    ];

    #[test]
    fn every_hint_of_the_toolkit_has_a_text_of_bangers_own() {
        for hint in Hint::one_of_each() {
            let text = hint_text(&hint);
            if let Hint::Text(said) = &hint {
                assert_eq!(&text, said);
                continue;
            }
            assert_ne!(text, hint.to_string(), "{hint:?} has no text of banger's");
            let named = text.to_lowercase();
            assert!(OWN.iter().any(|own| named.contains(own)), "{text}");
        }
    }

    #[test]
    fn what_a_hint_carries_stands_in_its_text() {
        for hint in Hint::one_of_each() {
            let text = hint_text(&hint);
            let carried = match &hint {
                Hint::InstallRelease { version } | Hint::AllowDowngrade { version } => version,
                Hint::TryAddress { url } => url,
                Hint::ProxyAddress { variable } => variable,
                Hint::NameArchive { named } => named,
                Hint::TrustKey { trusted } => &trusted[0],
                Hint::AddFirstKey { folder } => folder.to_str().unwrap(),
                Hint::TakeOutKillMode { paths } => paths,
                _ => continue,
            };
            assert!(text.contains(carried), "{text} lacks {carried}");
        }
    }

    #[test]
    fn a_configured_path_is_the_layouts() {
        assert_eq!(crate::layout().config_file().to_str(), Some(CONFIG));
        assert_eq!(crate::layout().keys().to_str(), Some("/etc/banger/keys.d"));
    }
}
