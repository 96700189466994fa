//! The signed manifest of a release.
//!
//! The format is a superset of the static manifest that `self_update` reads (`schema`, `releases`,
//! `assets` with `name`, `url` and `digest`), so that its source and our checks read one file and
//! one signature covers both. A manifest names exactly one release. Unknown fields, and artefacts of
//! an unknown kind, are left aside but do not hurt: the signature, not the shape, says whom to
//! believe. `RELEASES.md` describes the format.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, Version};

/// The schema that this code writes and reads.
pub const MANIFEST_SCHEMA: u32 = 1;

/// No notes are longer, in bytes.
pub const NOTES_LIMIT: usize = 64 * 1024;

/// A manifest that has been parsed and checked for form. Whether to believe it is for
/// [`crate`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The product's name.
    pub product: String,
    /// The version of the release.
    pub version: Version,
    /// The channel, say `stable`.
    pub channel: String,
    /// Grows with every manifest that is signed, over all versions of a channel.
    pub sequence: u64,
    /// When it was signed.
    pub released: Timestamp,
    /// When it stops to be the newest word.
    pub expires: Timestamp,
    /// How soon people should take it.
    pub urgency: Urgency,
    /// What changed, for people: Markdown, at most [`NOTES_LIMIT`] bytes, maybe empty.
    pub notes: String,
    /// What the release consists of; at least one, names unique.
    pub artefacts: Vec<Artefact>,
}

/// How soon a release should be taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Urgency {
    /// Whenever.
    Low,
    /// With the next round of updates; what a word of a later version is read as.
    #[default]
    Medium,
    /// Soon: something is broken without it.
    High,
    /// Now: it closes a hole.
    Critical,
}

impl Urgency {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
    fn is_medium(&self) -> bool {
        *self == Self::Medium
    }

    /// The word in a manifest.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl From<String> for Urgency {
    fn from(word: String) -> Self {
        [Self::Low, Self::High, Self::Critical]
            .into_iter()
            .find(|urgency| urgency.word() == word)
            .unwrap_or_default()
    }
}

impl From<Urgency> for String {
    fn from(urgency: Urgency) -> Self {
        urgency.word().into()
    }
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// File name: no slash, no leading dot.
    pub name: String,
    /// Where it lies, relative to the manifest, or an absolute https URL.
    pub url: String,
    /// What it is.
    pub kind: ArtefactKind,
    /// The target triple that it runs on; `any` where it does not matter.
    pub target: String,
    /// Exact size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// The lowest version that may be updated to this one.
    pub upgrades_from: Version,
}

/// Kinds of artefact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ArtefactKind {
    /// `NAME-VERSION-TARGET.tar.gz`: programs and unit templates.
    Release,
    /// `NAME-VERSION-TARGET.bundle.tar.gz`: the same with the list of what belongs, `release.json`,
    /// and with whatever files that list names. Taken before a [`Self::Release`], which is for
    /// programs that do not know it.
    Bundle,
    /// A kernel for guests.
    GuestKernel,
    /// A root file system for guests.
    GuestImage,
    /// Firecracker and its jailer.
    Firecracker,
    /// A distribution's package.
    Package,
    /// Of a later version of the format; never stands in a [`Manifest`].
    #[serde(other, skip_serializing)]
    Unknown,
}

/// Bytes that are no manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON of the manifest's shape.
    #[error("the manifest is not the JSON that a manifest must be")]
    Shape(#[source] serde_json::Error),
    /// Written by a later version of the format.
    #[error("the manifest has schema {found}; this program reads schema {MANIFEST_SCHEMA}")]
    Schema {
        /// The schema that it names.
        found: u32,
    },
    /// A field whose value cannot stand.
    #[error("the manifest's {field} {why}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Wire {
    schema: u32,
    product: String,
    channel: String,
    sequence: u64,
    released: Timestamp,
    expires: Timestamp,
    #[serde(default, skip_serializing_if = "Urgency::is_medium")]
    urgency: Urgency,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    notes: String,
    releases: Vec<WireRelease>,
}

#[derive(Serialize, Deserialize)]
struct WireRelease {
    version: Version,
    date: Timestamp,
    assets: Vec<Artefact>,
}

impl Manifest {
    /// Parses the bytes of `manifest.json`.
    ///
    /// # Errors
    /// [`ManifestError`], when the bytes are not a manifest of our schema or a field cannot stand.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        let wire: Wire = super::read_document(
            bytes,
            MANIFEST_SCHEMA..=MANIFEST_SCHEMA,
            ManifestError::Shape,
            |found| ManifestError::Schema { found },
        )?;
        let [release] = <[WireRelease; 1]>::try_from(wire.releases).map_err(|releases| {
            field(
                "releases",
                format!("hold {} entries; there must be one", releases.len()),
            )
        })?;
        let manifest = Self {
            product: wire.product,
            version: release.version,
            channel: wire.channel,
            sequence: wire.sequence,
            released: wire.released,
            expires: wire.expires,
            urgency: wire.urgency,
            notes: wire.notes,
            artefacts: release.assets,
        };
        manifest.check()?;
        let manifest = manifest.without_unknown_kinds();
        if manifest.artefacts.is_empty() {
            return Err(field("assets", "are all of kinds that are unknown".into()));
        }
        Ok(manifest)
    }

    /// The bytes of `manifest.json`: pretty JSON with a final newline.
    ///
    /// # Errors
    /// [`ManifestError`], when a field cannot stand.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let wire = Wire {
            schema: MANIFEST_SCHEMA,
            product: self.product.clone(),
            channel: self.channel.clone(),
            sequence: self.sequence,
            released: self.released,
            expires: self.expires,
            urgency: self.urgency,
            notes: self.notes.clone(),
            releases: vec![WireRelease {
                version: self.version.clone(),
                date: self.released,
                assets: self.artefacts.clone(),
            }],
        };
        super::write_document(&wire).map_err(ManifestError::Shape)
    }

    /// The release archive for a target, when there is one: the one with a list, else the one without.
    pub fn release_for(&self, target: &str) -> Option<&Artefact> {
        let of_kind = |kind| {
            let mut artefacts = self.artefacts.iter();
            artefacts.find(|artefact| artefact.kind == kind && artefact.target == target)
        };
        of_kind(ArtefactKind::Bundle).or_else(|| of_kind(ArtefactKind::Release))
    }

    fn without_unknown_kinds(mut self) -> Self {
        self.artefacts
            .retain(|artefact| artefact.kind != ArtefactKind::Unknown);
        self
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.notes.len() > NOTES_LIMIT {
            return Err(field(
                "notes",
                format!("are longer than {NOTES_LIMIT} bytes"),
            ));
        }
        if self.expires <= self.released {
            return Err(field("expires", "is not after its released".into()));
        }
        if !is_plain_word(&self.channel) {
            return Err(field(
                "channel",
                format!("{:?} is not a plain word", self.channel),
            ));
        }
        if self.artefacts.is_empty() {
            return Err(field("assets", "are empty".into()));
        }
        for (index, artefact) in self.artefacts.iter().enumerate() {
            let name = &artefact.name;
            if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0', '\n']) {
                return Err(field(
                    "asset name",
                    format!("{name:?} is not a plain file name"),
                ));
            }
            if self.artefacts[..index]
                .iter()
                .any(|other| other.name == *name)
            {
                return Err(field("asset name", format!("{name:?} stands twice")));
            }
        }
        Ok(())
    }
}

fn field(field: &'static str, why: String) -> ManifestError {
    ManifestError::Field { field, why }
}

fn is_plain_word(text: &str) -> bool {
    text.len() <= 64 && super::is_word(text, b"-_.")
}
