//! What was decided when the programs were built.
//!
//! Guarantees: only the two programs read the build environment; everything else is handed this, so
//! that a new version number rebuilds two small files and nothing more.

use banger_installer_host::{Version, VersionError};

/// Facts baked into a program.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// `BANGER_VERSION`, else the workspace's version.
    pub version: &'static str,
    /// `BANGER_RELEASE_URL`: where updates come from when the configuration names no source.
    pub release_url: Option<&'static str>,
    /// `BANGER_TRUSTED_KEYS`: minisign public keys that sign releases, separated by white space or
    /// commas; for a program without root keys.
    pub trusted_keys: &'static str,
    /// `BANGER_ROOT_KEYS`: minisign public keys that sign the list of signing keys.
    pub root_keys: &'static str,
    /// `BANGER_ROOT_THRESHOLD`: how many of them must; empty for one.
    pub root_threshold: &'static str,
    /// `BANGER_BUILT`: when it was built, in seconds since 1970; empty when nobody says.
    pub built: &'static str,
}

impl Build {
    /// When the program was built, when it says so.
    pub fn built(&self) -> Option<jiff::Timestamp> {
        let seconds = self.built.parse().ok()?;
        jiff::Timestamp::from_second(seconds).ok()
    }

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
            root_keys: match option_env!("BANGER_ROOT_KEYS") {
                Some(keys) => keys,
                None => "",
            },
            root_threshold: match option_env!("BANGER_ROOT_THRESHOLD") {
                Some(number) => number,
                None => "",
            },
            built: match option_env!("BANGER_BUILT") {
                Some(seconds) => seconds,
                None => "",
            },
        }
    };
}
