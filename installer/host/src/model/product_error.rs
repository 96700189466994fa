//! What is wrong with a description.

use std::path::PathBuf;

use super::UnitName;

/// The longest name of a product, in bytes: it stands in names of units and files.
pub(super) const NAME_LIMIT: usize = 32;

/// A description that is no product's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProductError {
    /// The name cannot stand in file names, unit names and manifests.
    #[error(
        "{name:?} cannot name a product: a lower-case letter, then lower-case letters, digits and \
         single hyphens, {NAME_LIMIT} bytes at most"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The target is no triple's: a manifest could not name it.
    #[error("{target:?} is no target: letters, digits, hyphens, dots and underscores")]
    Target {
        /// The target.
        target: String,
    },
    /// The layout is another product's: names on the disk are derived from the product's.
    #[error("the layout is {layout}'s, not {name}'s")]
    OtherLayout {
        /// Whose layout it is.
        layout: String,
        /// The product.
        name: String,
    },
    /// A release without programs.
    #[error("a product has one program at least")]
    NoProgram,
    /// A release without units.
    #[error("a product has one unit at least")]
    NoUnit,
    /// A program's name is no file name.
    #[error("{name:?} cannot name a program: letters, digits and -_.+ after a letter or digit")]
    Program {
        /// The name.
        name: String,
    },
    /// Two programs of one name.
    #[error("the program {name} is named twice")]
    ProgramTwice {
        /// The name.
        name: String,
    },
    /// Two units of one name.
    #[error("{unit} is named twice")]
    UnitTwice {
        /// The unit.
        unit: UnitName,
    },
    /// Only services have protected children.
    #[error("{unit} is no service, so it cannot be stateful")]
    StatefulUnit {
        /// The unit.
        unit: UnitName,
    },
    /// A part that must be one of the product's own units or programs is not.
    #[error("{what} is {name}, which is not among the product's {among}")]
    NotOwn {
        /// Which part.
        what: &'static str,
        /// What it names.
        name: String,
        /// Where it was looked for.
        among: &'static str,
    },
    /// A unit of another kind than the part asks for.
    #[error("{what} is {unit}, which is no {wanted}")]
    Kind {
        /// Which part.
        what: &'static str,
        /// The unit.
        unit: UnitName,
        /// The kind.
        wanted: &'static str,
    },
    /// What is to begin the names of scopes cannot.
    #[error("{prefix:?} cannot begin the name of a scope unit")]
    ScopePrefix {
        /// The prefix.
        prefix: String,
    },
    /// A path that depends on where a program was started, or that leads upwards.
    #[error("{what} is {path:?}: a path must begin at the root and hold no \"..\"")]
    Path {
        /// Which part.
        what: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// Two parts of the layout at one place: what removes the one would remove the other.
    #[error("{} stands for two parts of the layout", path.display())]
    SharedPlace {
        /// The place.
        path: PathBuf,
    },
}
