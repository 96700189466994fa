//! What stands at a path.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Digest;

/// The bytes of a file; text stays readable in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contents {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Contents {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The text, when it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(_) => None,
        }
    }
}

impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

/// A regular file: what is in it and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileImage {
    /// Its bytes.
    pub contents: Contents,
    /// Permission bits, chmod(2).
    pub mode: u32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
}

impl FileImage {
    /// A file of root that all may read.
    pub fn public(contents: impl Into<Vec<u8>>) -> Self {
        Self {
            contents: contents.into().into(),
            mode: 0o644,
            uid: 0,
            gid: 0,
        }
    }

    /// A file of root that only root may read.
    pub fn private(contents: impl Into<Vec<u8>>) -> Self {
        Self {
            mode: 0o600,
            ..Self::public(contents)
        }
    }
}

/// What tells one file from another: what is in it and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of its bytes.
    pub digest: Digest,
    /// Permission bits, chmod(2).
    pub mode: u32,
    /// Owning user.
    pub uid: u32,
}

/// What stands at a path; a link is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Nothing.
    Missing,
    /// A regular file.
    File(FileImage),
    /// A symbolic link and what it names.
    Link(PathBuf),
    /// A folder.
    Folder,
    /// A device, a socket, a FIFO.
    Other,
}
