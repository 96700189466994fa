//! The words that `bangerd` takes: one option, which chooses the daemon. Read by hand, since a
//! privileged program links no more than it needs.

use std::ffi::OsString;

/// What `--help` says.
pub const HELP: &str = "\
banger's daemons. Started by systemd; see bangerd.service and bangerd-root.service.

Usage: bangerd [--check-state] <--system|--root-helper>

Options:
      --system       Run the owner daemon, as the owner
      --root-helper  Run the privileged helper, as root
      --check-state  Run nothing; say whether this version can read that daemon's state
  -h, --help         Print help
  -V, --version      Print version
";

/// What `bangerd` is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// Run the owner daemon.
    Owner,
    /// Run the root helper.
    Helper,
    /// Say whether this version can read the owner daemon's state.
    CheckOwner,
    /// Say whether this version can read the root helper's state.
    CheckHelper,
    /// Print the version.
    Version,
    /// Print [`HELP`].
    Help,
}

/// Words that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentsError {
    /// No option.
    #[error("one of --system and --root-helper is required")]
    Missing,
    /// Two options.
    #[error("{first} cannot be used with {second}")]
    Both {
        /// The one that came first.
        first: String,
        /// The one after it.
        second: String,
    },
    /// An unknown word.
    #[error("unexpected argument {0:?}")]
    Unknown(OsString),
}

impl Arguments {
    /// Reads the words after the program's name. One of `--help` and `--version` counts wherever it
    /// stands before a word that is unknown.
    ///
    /// # Errors
    /// [`ArgumentsError`].
    pub fn parse(words: &[OsString]) -> Result<Self, ArgumentsError> {
        let mut chosen: Option<(Self, &str)> = None;
        let mut check = false;
        for word in words {
            let found = match word.to_str() {
                Some("--system") => (Self::Owner, "--system"),
                Some("--root-helper") => (Self::Helper, "--root-helper"),
                Some("--check-state") if !check => {
                    check = true;
                    continue;
                }
                Some("--version" | "-V") => return Ok(Self::Version),
                Some("--help" | "-h") => return Ok(Self::Help),
                _ => return Err(ArgumentsError::Unknown(word.clone())),
            };
            if let Some((_, first)) = chosen {
                return Err(ArgumentsError::Both {
                    first: first.into(),
                    second: found.1.into(),
                });
            }
            chosen = Some(found);
        }
        match (chosen, check) {
            (None, _) => Err(ArgumentsError::Missing),
            (Some((Self::Owner, _)), true) => Ok(Self::CheckOwner),
            (Some((_, _)), true) => Ok(Self::CheckHelper),
            (Some((found, _)), false) => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, ArgumentsError> {
        let words: Vec<OsString> = words.iter().map(Into::into).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn each_option_chooses_its_daemon() {
        assert_eq!(parse(&["--system"]), Ok(Arguments::Owner));
        assert_eq!(parse(&["--root-helper"]), Ok(Arguments::Helper));
        for word in ["--version", "-V"] {
            assert_eq!(parse(&[word]), Ok(Arguments::Version));
        }
        for word in ["--help", "-h"] {
            assert_eq!(parse(&[word]), Ok(Arguments::Help));
        }
    }

    #[test]
    fn a_question_about_the_state_names_the_daemon() {
        let check = "--check-state";
        for words in [[check, "--system"], ["--system", check]] {
            assert_eq!(parse(&words), Ok(Arguments::CheckOwner));
        }
        assert_eq!(parse(&[check, "--root-helper"]), Ok(Arguments::CheckHelper));
        assert_eq!(parse(&[check]), Err(ArgumentsError::Missing));
        let twice = parse(&[check, check, "--system"]);
        assert_eq!(twice, Err(ArgumentsError::Unknown(check.into())));
    }

    #[test]
    fn no_daemon_runs_by_words_that_are_missing_doubled_or_unknown() {
        assert_eq!(parse(&[]), Err(ArgumentsError::Missing));
        for words in [
            ["--system", "--root-helper"],
            ["--root-helper", "--system"],
            ["--system", "--system"],
        ] {
            assert_eq!(
                parse(&words),
                Err(ArgumentsError::Both {
                    first: words[0].into(),
                    second: words[1].into(),
                })
            );
        }
        for word in ["", "system", "--sys", "--system=1", "-s"] {
            assert_eq!(
                parse(&["--system", word]),
                Err(ArgumentsError::Unknown(word.into()))
            );
        }
        let no_text = OsString::from_vec(vec![0xff]);
        assert_eq!(
            Arguments::parse(std::slice::from_ref(&no_text)),
            Err(ArgumentsError::Unknown(no_text))
        );
    }
}
