//! What the files of a source are called: whoever writes them and whoever reads them name them here.

use crate::model::Version;

/// The newest manifest.
pub const MANIFEST_NAME: &str = "manifest.json";
/// Its signature.
pub const SIGNATURE_NAME: &str = "manifest.json.minisig";
/// The list of signing keys.
pub const KEYS_NAME: &str = "keys.json";
/// What the name of a signature has beyond that of the file that it signs.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

const PREFIX: &str = "manifest-";
const SUFFIX: &str = ".json";

/// The name of the signature of a file.
pub fn signature_name(name: &str) -> String {
    format!("{name}{SIGNATURE_SUFFIX}")
}

/// The name under which the manifest of a version stays when a newer one has come.
pub fn manifest_name(version: &Version) -> String {
    format!("{PREFIX}{version}{SUFFIX}")
}

/// The version whose manifest has that name; none for any other file.
pub fn version_of_manifest(name: &str) -> Option<Version> {
    let version = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    version.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_versions_manifest_leads_back_to_the_version() {
        let version: Version = "0.2.0-rc.1".parse().unwrap();
        let name = manifest_name(&version);
        assert_eq!(name, "manifest-0.2.0-rc.1.json");
        assert_eq!(version_of_manifest(&name), Some(version));
        for other in [
            MANIFEST_NAME,
            KEYS_NAME,
            "manifest-.json",
            "manifest-x.json",
            "manifest-0.1.0.json.minisig",
        ] {
            assert_eq!(version_of_manifest(other), None, "{other}");
        }
        assert_eq!(signature_name(MANIFEST_NAME), SIGNATURE_NAME);
    }
}
