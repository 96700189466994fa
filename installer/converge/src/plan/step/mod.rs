//! What a step is: data, and a sentence for people. Who carries it out is elsewhere.

mod files;
mod guests;
mod health;
mod state;
mod units;

use serde::{Deserialize, Serialize};

pub use files::{
    BackUp, BeginProbation, Link, RemoveFile, RestoreState, StageRelease, WriteReceipt, WriteSet,
    WriteUnit,
};
pub use guests::{
    CheckKillMode, CheckProtected, CheckVacant, KeepGuests, Move, RescopeGuests, StopGuests,
};
pub use health::{CheckHealth, CheckPrograms};
pub use state::{CheckState, Migration};
pub use units::{
    DisableUnits, EnableUnits, ReloadSystemd, RestartUnits, StartRescue, StartUnits, StopUnits,
};

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A step of a plan.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "step", rename_all = "kebab-case")]
        pub enum Step {
            $($(#[$doc])* $name($name),)+
        }

        $(impl From<$name> for Step {
            fn from(step: $name) -> Self {
                Self::$name(step)
            }
        })+

        impl Step {
            /// Its kind, in the words of the dry run's JSON: `check-protected`. On the disk some
            /// bear the name that they were first written with.
            pub fn name(&self) -> String {
                match self {
                    $(Self::$name(_) => kebab(stringify!($name)),)+
                }
            }
        }

        impl std::fmt::Display for Step {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$name(step) => step.fmt(formatter),)+
                }
            }
        }
    };
}

/// Every step, by its name: the one list of them. What is said of each step for itself is made of it.
macro_rules! every_step {
    ($each:ident) => {
        $each! {
            /// Publish a version's folder.
            StageRelease,
            /// Ask new programs for their version.
            CheckPrograms,
            /// Ask new programs what they will do to the state.
            CheckState,
            /// Switch a link (`current`, a program) elsewhere, in one rename.
            Link,
            /// Write a unit file.
            WriteUnit,
            /// Write the toolkit's own drop-in.
            KeepGuests,
            /// Remove a file or link.
            RemoveFile,
            /// Move a folder out of the way.
            #[serde(rename = "set-aside")]
            BackUp,
            /// Make systemd read its units anew.
            ReloadSystemd,
            /// Verify that a stop reaches the main process alone.
            CheckKillMode,
            /// Move protected processes out of the services' control groups.
            RescopeGuests,
            /// Enable units.
            EnableUnits,
            /// Disable units.
            DisableUnits,
            /// Start units.
            StartUnits,
            /// Stop units.
            StopUnits,
            /// Restart services.
            RestartUnits,
            /// Wait until services answer with the right version.
            CheckHealth,
            /// Compare protected processes with what they were.
            #[serde(rename = "check-survivors")]
            CheckProtected,
            /// Verify that no protected process runs.
            CheckVacant,
            /// End protected processes, as the user asked for.
            StopGuests,
            /// Start the unit that rolls the operation back if the updater dies.
            StartRescue,
            /// Put a version on probation.
            #[serde(rename = "begin-trial")]
            BeginProbation,
            /// Put back state of a later format.
            RestoreState,
            /// Write the receipt.
            WriteReceipt,
            /// Write down what a version put on the host.
            WriteSet,
        }
    };
}
pub(crate) use every_step;

every_step!(steps);

/// `CheckHealth` as `check-health`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// Units or people in a list, as a sentence takes them: `a, b and c`.
pub fn listed<T: std::fmt::Display>(things: &[T]) -> String {
    match things {
        [] => "none".into(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} and {last}", first.join(", "))
        }
    }
}
