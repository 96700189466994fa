//! The nouns that the toolkit and the daemons share: data without IO.
//!
//! Guarantees: every type here that comes from outside is checked when it is made, so a value that
//! exists is a value that may be used; nothing in this module touches a file, a clock or a socket.

mod answer;
mod digest;
mod document;
mod found;
mod hint;
mod host;
mod installed_set;
mod layout;
mod product;
mod product_builder;
mod product_error;
mod receipt;
mod release_list;
mod state_answer;
mod unit_name;
mod version;
mod word;

pub use answer::{Answer, ForeignListener};
pub use digest::{Digest, DigestError};
pub use document::{read_document, schema_of, write_document};
pub use found::{Contents, FileImage, Fingerprint, Found};
pub use hint::{Format, Hint, HintText, ids};
pub use host::{End, Owner, ProcessIdentity, ProtectedProcess};
pub use installed_set::{INSTALLED_SET_SCHEMA, InstalledSet, InstalledSetError, InstalledUnit};
pub use layout::Layout;
pub use product::{Delegate, Product, Program, Requirement, StateCheck, StateFiles, UnitSpec};
pub use product_builder::ProductBuilder;
pub use product_error::ProductError;
pub use receipt::{InstallMethod, LastUpdate, RECEIPT_SCHEMA, Receipt, ReceiptError, RolledBack};
pub use release_list::{
    ListedFile, RELEASE_LIST_LIMIT, RELEASE_LIST_NAME, RELEASE_LIST_SCHEMA, ReleaseList,
    ReleaseListError,
};
pub use state_answer::{StateAnswer, StateAnswerError};
pub use unit_name::{UnitKind, UnitName, UnitNameError};
pub use version::{Version, VersionError};
pub use word::is_word;
