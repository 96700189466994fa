//! `SHA256SUMS`, as sha256sum writes and checks it.
//!
//! Guarantees: pure; a file stands once, in the order of the names.

use std::collections::BTreeMap;

use banger_installer_trust::model::Digest;
use sha2::{Digest as _, Sha256};

/// The file's name in a release folder.
pub const SUMS_NAME: &str = "SHA256SUMS";

/// Digests by file name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<String, Digest>);

impl Sums {
    /// Reads the lines `HEX  NAME` of text mode and `HEX *NAME` of binary mode; the first line that
    /// is neither is the error.
    ///
    /// # Errors
    /// The line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut sums = Self::default();
        for line in text.lines() {
            let (name, digest) = parse_line(line).ok_or_else(|| line.to_owned())?;
            sums.set(name, digest);
        }
        Ok(sums)
    }

    /// Names a file, in place of what was said of it before.
    pub fn set(&mut self, name: &str, digest: Digest) {
        self.0.insert(name.into(), digest);
    }

    /// What is said of a file.
    pub fn get(&self, name: &str) -> Option<Digest> {
        self.0.get(name).copied()
    }

    /// Forgets the files that are not to be kept.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| keep(name));
    }

    /// All files, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.0.iter().map(|(name, digest)| (name.as_str(), *digest))
    }
}

impl std::fmt::Display for Sums {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.iter()
            .try_for_each(|(name, digest)| writeln!(formatter, "{}  {name}", digest.hex()))
    }
}

fn parse_line(line: &str) -> Option<(&str, Digest)> {
    let (hex, rest) = line.split_at_checked(64)?;
    let name = rest.strip_prefix("  ").or(rest.strip_prefix(" *"))?;
    let plain = !name.is_empty() && !name.contains('/');
    plain.then_some((name, format!("sha256:{hex}").parse().ok()?))
}

/// The SHA-256 of bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_later_word_replaces_the_earlier() {
        let mut sums = Sums::default();
        sums.set("b", digest(b"old"));
        sums.set("a", digest(b"abc"));
        sums.set("b", digest(b""));
        let text = sums.to_string();
        // sha256sum of "abc" and of nothing
        assert_eq!(
            text,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"
        );
        assert_eq!(Sums::parse(&text), Ok(sums));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for line in [
            "x",
            "",
            &format!("{hex} a"),
            &format!("{hex}  ../a"),
            &format!("{hex}  "),
        ] {
            let text = format!("{hex}  good\n{line}\n");
            assert_eq!(Sums::parse(&text), Err(line.to_owned()), "{line:?}");
        }
        assert!(Sums::parse(&format!("{hex} *binary\n")).is_ok());
    }
}
