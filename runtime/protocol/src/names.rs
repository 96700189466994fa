//! The values a request may carry. Each is checked when it is made, from the command line as well
//! as from the wire, so one that exists may be used in a path, a unit name or an argument.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A value that a user gave and that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// No VM name.
    #[error(
        "{shown:?} is not a VM name: 1 to {longest} lower-case letters, digits and hyphens, \
         beginning with a letter or a digit",
        longest = VmName::LONGEST
    )]
    Name {
        /// What was given, cut to a length that can be shown.
        shown: String,
    },
    /// No VM id.
    #[error("{shown:?} is not a VM id: 16 hexadecimal digits")]
    Id {
        /// What was given, cut to a length that can be shown.
        shown: String,
    },
    /// A number outside its range.
    #[error("{found} is not a number of {what}: {lowest} to {highest}")]
    Range {
        /// Of what.
        what: &'static str,
        /// What was given.
        found: String,
        /// The least.
        lowest: u32,
        /// The most.
        highest: u32,
    },
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// What a person calls a VM: 1 to 64 of `a` to `z`, `0` to `9` and `-`, not beginning with `-`.
/// Upper case is left out so that two names never differ by case alone.
///
/// ```
/// use banger_protocol::VmName;
///
/// let name: VmName = "web-2".parse()?;
/// assert_eq!(name.as_str(), "web-2");
/// for refused in ["", "-web", "Web", "../web", "a\u{1b}[2J"] {
///     assert!(refused.parse::<VmName>().is_err());
/// }
/// # Ok::<(), banger_protocol::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VmName(String);

impl VmName {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 64;

    /// The name of a VM that has no other: the 16 digits of its id, which are a name, too.
    pub fn of_id(id: &VmId) -> Self {
        Self(id.0.clone())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VmName {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let good = text.len() <= Self::LONGEST
            && text.bytes().next().is_some_and(letter)
            && text.bytes().all(|byte| letter(byte) || byte == b'-');
        if good {
            Ok(Self(text.into()))
        } else {
            Err(InputError::Name { shown: shown(text) })
        }
    }
}

/// What the helper calls a VM: 16 lower-case hexadecimal digits, drawn at random at its start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VmId(String);

impl VmId {
    /// An id from 8 random bytes.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(format!("{:016x}", u64::from_be_bytes(bytes)))
    }

    /// The 16 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VmId {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 16 && text.bytes().all(digit) {
            Ok(Self(text.into()))
        } else {
            Err(InputError::Id { shown: shown(text) })
        }
    }
}

macro_rules! text_value {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InputError;

            fn try_from(text: String) -> Result<Self, InputError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

text_value!(VmName);
text_value!(VmId);

macro_rules! bounded_number {
    ($(#[$doc:meta])* $name:ident, $what:literal, $lowest:literal, $highest:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u32", into = "u32")]
        pub struct $name(u32);

        impl $name {
            /// The number.
            pub fn get(self) -> u32 {
                self.0
            }
        }

        impl TryFrom<u32> for $name {
            type Error = InputError;

            fn try_from(number: u32) -> Result<Self, InputError> {
                if ($lowest..=$highest).contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(Self::refused(&number.to_string()))
                }
            }
        }

        impl $name {
            fn refused(text: &str) -> InputError {
                InputError::Range {
                    what: $what,
                    found: shown(text),
                    lowest: $lowest,
                    highest: $highest,
                }
            }
        }

        impl FromStr for $name {
            type Err = InputError;

            fn from_str(text: &str) -> Result<Self, InputError> {
                let number: u32 = text.parse().map_err(|_| Self::refused(text))?;
                Self::try_from(number)
            }
        }

        impl From<$name> for u32 {
            fn from(value: $name) -> u32 {
                value.0
            }
        }
    };
}

bounded_number!(
    /// Virtual processors; Firecracker's `MAX_SUPPORTED_VCPUS` is 32.
    Cpus, "processors", 1, 32
);
bounded_number!(
    /// Memory of the guest in MiB.
    MemoryMib, "MiB of memory", 32, 262_144
);
bounded_number!(
    /// How long a guest has to shut down by itself before it is ended, in seconds.
    GraceSeconds, "seconds", 0, 10
);

impl Default for Cpus {
    fn default() -> Self {
        Self(1)
    }
}

impl Default for GraceSeconds {
    fn default() -> Self {
        Self(5)
    }
}

impl Default for MemoryMib {
    fn default() -> Self {
        Self(128)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good_names_are_taken() {
        for text in ["a", "web", "web-1", "0db", &"a".repeat(64)] {
            assert_eq!(
                text.parse::<VmName>().map(String::from).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn names_that_could_be_more_than_a_name_are_refused() {
        let long = "a".repeat(65);
        for text in [
            "", "/", "a/b", "..", ".", "a.b", "-a", "A", "a b", "a\0b", "\0", "a\nb", "ä", "a_b",
            "%n", &long,
        ] {
            assert!(text.parse::<VmName>().is_err(), "{text:?} was taken");
            let json = serde_json::to_string(text).unwrap();
            assert!(
                serde_json::from_str::<VmName>(&json).is_err(),
                "{text:?} came in by wire"
            );
        }
    }

    #[test]
    fn numbers_keep_to_their_range_on_the_wire_too() {
        assert_eq!("32".parse::<Cpus>().map(Cpus::get), Ok(32));
        assert_eq!("32".parse::<MemoryMib>().map(MemoryMib::get), Ok(32));
        for text in ["0", "33", "-1", "", "1.5", "99999999999"] {
            assert!(text.parse::<Cpus>().is_err(), "{text:?} was taken");
        }
        assert!(serde_json::from_str::<Cpus>("33").is_err());
        assert!(serde_json::from_str::<MemoryMib>("31").is_err());
        assert!(serde_json::from_str::<GraceSeconds>("11").is_err());
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_one_plain_path_component(text in ".*") {
            if let Ok(name) = text.parse::<VmName>() {
                let mut parts = std::path::Path::new(name.as_str()).components();
                prop_assert!(matches!(parts.next(), Some(std::path::Component::Normal(_))));
                prop_assert!(parts.next().is_none());
            }
        }

        #[test]
        fn every_random_id_is_one(bytes: [u8; 8]) {
            let id = VmId::from_random(bytes);
            prop_assert_eq!(id.as_str().parse::<VmId>(), Ok(id.clone()));
        }
    }
}
