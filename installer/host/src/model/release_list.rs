//! The list of what a release consists of: `release.json`, the first file of its archive.
//!
//! The archive's digest stands in the signed manifest, so the signature covers the list, too. It names
//! every other file of the archive with its mode and its digest, and says of each unit what the toolkit
//! must know; so a release may bring programs, units and files that the installed version never heard
//! of. `RELEASES.md` describes the format.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Digest, Product, Program, UnitSpec, Version};

/// The schema that this code writes and reads.
pub const RELEASE_LIST_SCHEMA: u32 = 1;
/// The list's name in the archive and in a version's folder.
pub const RELEASE_LIST_NAME: &str = "release.json";
/// No list is longer, in bytes.
pub const RELEASE_LIST_LIMIT: u64 = 256 * 1024;
/// No release holds more files.
const FILES_LIMIT: usize = 512;
/// ustar has no room for more, in bytes.
const PATH_LIMIT: usize = 100;
/// No file lies deeper.
const DEPTH_LIMIT: usize = 6;

/// What a release consists of. Whoever holds one has checked it for form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseList {
    /// [`RELEASE_LIST_SCHEMA`].
    pub schema: u32,
    /// The product's name.
    pub product: String,
    /// The version of the release.
    pub version: Version,
    /// The version of the handover that its programs understand: how an installed program lets the
    /// release's own make the plan.
    pub handover: u32,
    /// The programs, in `bin/`.
    pub programs: Vec<Program>,
    /// The units, in the order in which they start; their templates lie in `units/`.
    pub units: Vec<UnitSpec>,
    /// Every file of the archive but this one, by its path.
    pub files: BTreeMap<String, ListedFile>,
}

/// A file of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedFile {
    /// Permission bits: 0755 for a program, 0644 for anything else.
    pub mode: u32,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// Bytes that are no list of a release.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseListError {
    /// Not JSON of the list's shape.
    #[error("{RELEASE_LIST_NAME} is not the JSON that it must be")]
    Shape(#[source] serde_json::Error),
    /// Written by a later version of the format.
    #[error(
        "{RELEASE_LIST_NAME} has schema {found}; this program reads schema {RELEASE_LIST_SCHEMA}"
    )]
    Schema {
        /// The schema that it names.
        found: u32,
    },
    /// A path that no release has.
    #[error("{RELEASE_LIST_NAME} lists {path:?}, which does not belong in a release")]
    Path {
        /// The path.
        path: String,
    },
    /// A mode that its kind of file does not have.
    #[error("{RELEASE_LIST_NAME} gives {path} the mode {mode:o}")]
    Mode {
        /// The file.
        path: String,
        /// The mode.
        mode: u32,
    },
    /// A program or unit without its file, or a file in their folders that is neither's.
    #[error("{RELEASE_LIST_NAME} names {path} in one of its parts and not in the other")]
    Disagrees {
        /// The file.
        path: String,
    },
    /// More files than a release has.
    #[error("{RELEASE_LIST_NAME} lists {count} files; the limit is {FILES_LIMIT}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Of another product or version.
    #[error("{RELEASE_LIST_NAME} is of {found}; expected {expected}")]
    Other {
        /// Product and version that it names.
        found: String,
        /// Those that were asked for.
        expected: String,
    },
}

impl ReleaseList {
    /// Parses the bytes of a list.
    ///
    /// # Errors
    /// [`ReleaseListError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReleaseListError> {
        let list: Self = super::read_document(
            bytes,
            RELEASE_LIST_SCHEMA..=RELEASE_LIST_SCHEMA,
            ReleaseListError::Shape,
            |found| ReleaseListError::Schema { found },
        )?;
        list.check()?;
        Ok(list)
    }

    /// The bytes of a list: pretty JSON with a final newline.
    ///
    /// # Errors
    /// [`ReleaseListError`], when something in it cannot stand.
    pub fn to_json(&self) -> Result<Vec<u8>, ReleaseListError> {
        self.check()?;
        super::write_document(self).map_err(ReleaseListError::Shape)
    }

    /// That it is the list of that release.
    ///
    /// # Errors
    /// [`ReleaseListError::Other`].
    pub fn require(&self, product: &str, version: &Version) -> Result<(), ReleaseListError> {
        if self.product == product && self.version == *version {
            return Ok(());
        }
        Err(ReleaseListError::Other {
            found: format!("{} {}", self.product, self.version),
            expected: format!("{product} {version}"),
        })
    }

    /// The files that people and their tools look for elsewhere on the host: man pages, completions,
    /// documents. By their path, which begins with `share/`.
    pub fn shared(&self) -> impl Iterator<Item = &str> {
        let paths = self.files.keys().map(String::as_str);
        paths.filter(|path| path.starts_with("share/"))
    }

    fn check(&self) -> Result<(), ReleaseListError> {
        if self.files.len() > FILES_LIMIT {
            return Err(ReleaseListError::TooMany {
                count: self.files.len(),
            });
        }
        let programs = self.programs.iter();
        let programs = programs.map(|program| format!("bin/{}", program.name));
        let units = self
            .units
            .iter()
            .map(|unit| format!("units/{}.in", unit.name));
        let mut named = BTreeSet::new();
        for path in programs.chain(units) {
            if !self.files.contains_key(&path) || !named.insert(path.clone()) {
                return Err(ReleaseListError::Disagrees { path });
            }
        }
        for (path, file) in &self.files {
            check_path(path)?;
            if !path.starts_with("share/") && !named.contains(path) {
                return Err(ReleaseListError::Disagrees { path: path.clone() });
            }
            let mode = if path.starts_with("bin/") {
                0o755
            } else {
                0o644
            };
            if file.mode != mode {
                return Err(ReleaseListError::Mode {
                    path: path.clone(),
                    mode: file.mode,
                });
            }
        }
        Ok(())
    }
}

/// `bin/NAME`, `units/NAME` or `share/.../NAME`, each part plain.
fn check_path(path: &str) -> Result<(), ReleaseListError> {
    let plain = |part: &&str| !part.starts_with('.') && super::is_word(part, b"-_.+@:\\");
    let parts: Vec<&str> = path.split('/').collect();
    let depth = match parts.first() {
        Some(&("bin" | "units")) => Some(2..=2),
        // directly in share/ lie folders alone
        Some(&"share") => Some(3..=DEPTH_LIMIT),
        _ => None,
    };
    let fits = path.len() <= PATH_LIMIT && depth.is_some_and(|depth| depth.contains(&parts.len()));
    if fits && parts.iter().all(plain) {
        return Ok(());
    }
    Err(ReleaseListError::Path {
        path: path.chars().take(2 * PATH_LIMIT).collect(),
    })
}

impl Product {
    /// The same product with what a release says that it consists of.
    #[must_use]
    pub fn with_list(&self, list: &ReleaseList) -> Self {
        Self {
            programs: list.programs.clone(),
            units: list.units.clone(),
            shared: list.shared().map(str::to_owned).collect(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> ReleaseList {
        let file = |mode| ListedFile {
            mode,
            sha256: Digest::from_bytes([7; 32]),
        };
        let unit = UnitSpec {
            name: "toyd.service".parse().unwrap(),
            enable: true,
            stateful: true,
            optional: false,
        };
        ReleaseList {
            schema: RELEASE_LIST_SCHEMA,
            product: "toy".into(),
            version: Version::new(0, 1, 1),
            handover: 1,
            programs: vec![Program {
                name: "toyd".into(),
            }],
            units: vec![unit],
            files: [
                ("bin/toyd".to_owned(), file(0o755)),
                ("units/toyd.service.in".to_owned(), file(0o644)),
                ("share/man/man8/toyd.8".to_owned(), file(0o644)),
            ]
            .into(),
        }
    }

    #[test]
    fn a_list_survives_its_own_json() {
        let bytes = list().to_json().unwrap();
        assert_eq!(ReleaseList::from_json(&bytes).unwrap(), list());
        assert_eq!(
            list().shared().collect::<Vec<_>>(),
            ["share/man/man8/toyd.8"]
        );
    }

    #[test]
    fn only_plain_paths_in_three_folders_are_taken() {
        for path in [
            "release.json",
            "bin",
            "bin/",
            "bin/a/b",
            "/etc/passwd",
            "share/x",
            "share//x",
            "share/../../etc/passwd",
            "share/./x",
            "share/man/.hidden",
            "share/man/a b",
            "share/man/man1/a/b/c/d",
            "lib/x",
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
        let long = format!("share/doc/{}", "x".repeat(PATH_LIMIT));
        assert!(check_path(&long).is_err());
        for path in ["bin/a", "units/a@.service.in", "share/doc/toy/LICENSE-MIT"] {
            check_path(path).unwrap();
        }
    }

    #[test]
    fn what_is_named_and_what_lies_there_must_agree() {
        let mut without = list();
        without.files.remove("bin/toyd");
        assert!(matches!(
            without.to_json(),
            Err(ReleaseListError::Disagrees { .. })
        ));
        let mut more = list();
        let file = more.files["bin/toyd"];
        more.files.insert("bin/other".into(), file);
        assert!(matches!(
            more.to_json(),
            Err(ReleaseListError::Disagrees { .. })
        ));
        let mut open = list();
        open.files.get_mut("bin/toyd").unwrap().mode = 0o4755;
        assert!(matches!(open.to_json(), Err(ReleaseListError::Mode { .. })));
        let mut twice = list();
        twice.programs.push(Program {
            name: "toyd".into(),
        });
        assert!(twice.to_json().is_err());
    }

    #[test]
    fn it_says_whose_it_is() {
        list().require("toy", &Version::new(0, 1, 1)).unwrap();
        assert!(list().require("toy", &Version::new(0, 1, 2)).is_err());
        assert!(list().require("boy", &Version::new(0, 1, 1)).is_err());
    }
}
