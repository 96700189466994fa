//! Keys: made, opened, and listed.

mod file;
mod list;
mod make;
mod password;
mod secret;
mod signature;

pub use file::{SecretFile, hide_from_own_user};
pub use list::{ListChange, ListError, SignedList, add_signature, change_list, new_list};
pub use make::{KeyPairPaths, KeygenOptions, keygen};
pub use password::Password;
pub use secret::SigningKey;
pub use signature::{sign, sign_all, split_signatures};
