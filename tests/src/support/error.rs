//! What goes wrong on the bench itself, as opposed to in what is tested on it.

use std::io;

/// An error of the bench.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, mount or process could not be had.
    #[error("cannot {doing}")]
    Io {
        /// What was being done, to follow "cannot".
        doing: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A program said no.
    #[error("`{command}` ended with {status}\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// What it printed.
        output: String,
    },
    /// The machine lacks something; the text says what, and what to type.
    #[error("{0}")]
    Lacking(String),
    /// Something did not come within its bound.
    #[error("{what} did not come within {seconds} s\n{seen}")]
    Late {
        /// What was waited for.
        what: String,
        /// The bound in seconds.
        seconds: u64,
        /// What was seen last.
        seen: String,
    },
    /// What was found is not what it should be.
    #[error("{0}")]
    Wrong(String),
}

impl Error {
    /// For `map_err`: an [`Error::Io`] that says what was being done.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

impl From<io::Error> for Error {
    /// For errors that name their path already, as those of `fs_err` do.
    fn from(source: io::Error) -> Self {
        Self::Io {
            doing: "use a file of the bench".to_owned(),
            source,
        }
    }
}

/// An error with its causes, for a person.
pub fn chain(error: &dyn std::error::Error) -> String {
    banger_installer_host::in_one_line(error)
}
