//! Decides whether a release is to be believed.
//!
//! Guarantees: a [`Verified`] value exists only if a key of the [`Keyring`] signed the very bytes
//! it was parsed from and every rule of [`verify_manifest`] held; nothing outside this module can
//! make one. There is no switch that skips a check: no key, no signature or no match is an error.
//! Nothing here opens a socket or reads a clock; the only files read are the keys'.
//!
//! ```
//! use std::path::Path;
//!
//! use banger_installer_trust::model::PublicKeyText;
//! use banger_installer_trust::{Keyring, KeyringError};
//!
//! // without a key nothing is believed, and the error tells where keys are looked for
//! let folder = Path::new("/nonexistent/acme/keys.d");
//! let refused = Keyring::load("", folder, 0).unwrap_err();
//! assert!(matches!(refused, KeyringError::Empty { .. }));
//! // what is no key of minisign's is none
//! assert!("a word".parse::<PublicKeyText>().is_err());
//! ```

mod key_list;
mod key_set;
mod keyring;
mod manifest;
pub mod model;
mod seen;
mod signature;
mod trust;
pub mod trusted_file;

use std::ops::Deref;

use banger_installer_host::error_kind;

pub use banger_installer_host::{HashingWriter, Measured};
pub use key_list::{ListExpectation, ListRefusal};
pub use keyring::{BuiltInKeys, Keyring, KeyringError, Pinned};
pub use manifest::{Expectation, MAX_SEQUENCE_JUMP, VerifyError, check_upgrade, verify_manifest};
pub use seen::Memory;
pub use signature::{SIGNATURES_LIMIT, SignatureError};
pub use trust::Trust;
pub use trusted_file::TrustedFileError;

pub use crate::model::KeyId;

/// A value that a trusted key vouches for, with the bytes that were signed and the keys that did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    bytes: Vec<u8>,
    signature: String,
    signed_by: Vec<KeyId>,
}

impl<T> Verified<T> {
    /// The bytes under the signature, as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text of the signature file, as it came.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The keys that signed, at least one.
    pub fn signed_by(&self) -> &[KeyId] {
        &self.signed_by
    }

    /// Gives the value away; the proof ends here.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
