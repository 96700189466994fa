//! What is taken from `cargo metadata`.

use serde::Deserialize;

/// The crates of one platform.
#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    pub(super) packages: Vec<Package>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) license: Option<String>,
    /// `registry+URL`, `git+URL`; none for a folder of this workspace.
    pub(super) source: Option<String>,
    pub(super) dependencies: Vec<Dependency>,
}

/// What a crate asks for.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// Which versions.
    pub(super) req: String,
    /// Another registry than cargo's own.
    pub(super) registry: Option<String>,
    /// A folder.
    pub(super) path: Option<String>,
}

impl Package {
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}
