//! What was decided when the programs were built.
//!
//! Guarantees: only the two programs read the build environment; everything else is handed this, so
//! that a new version number rebuilds two small files and nothing more.

use banger_installer::model::{Version, VersionError};

/// Facts baked into a program.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// `BANGER_VERSION`, else the workspace's version.
    pub version: &'static str,
    /// `BANGER_RELEASE_URL`: where updates come from when the configuration names no source.
    pub release_url: Option<&'static str>,
    /// `BANGER_TRUSTED_KEYS`: minisign public keys, separated by white space or commas.
    pub trusted_keys: &'static str,
}

impl Build {
    /// The version as a value.
    ///
    /// # Errors
    /// [`VersionError`], when the program was built with a version that is none.
    pub fn version(&self) -> Result<Version, VersionError> {
        self.version.parse()
    }
}

/// The facts of the program that is being compiled.
#[macro_export]
macro_rules! build {
    () => {
        $crate::build::Build {
            version: match option_env!("BANGER_VERSION") {
                Some(version) => version,
                None => env!("CARGO_PKG_VERSION"),
            },
            release_url: option_env!("BANGER_RELEASE_URL"),
            trusted_keys: match option_env!("BANGER_TRUSTED_KEYS") {
                Some(keys) => keys,
                None => "",
            },
        }
    };
}
