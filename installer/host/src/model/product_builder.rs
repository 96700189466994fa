//! How a product is described: piece by piece, and checked as a whole.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{
    Delegate, Hint, HintText, Layout, Product, Program, Requirement, StateFiles, UnitKind,
    UnitName, UnitSpec,
};

/// The longest name of a product, in bytes: it stands in names of units and files.
const NAME_LIMIT: usize = 32;

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
    /// Only services have children that must live.
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

/// Describes a [`Product`]. What is not said is as most products want it: a conventional [`Layout`], the
/// slice `system.slice`, scopes named after the product, no rescue, general hints.
///
/// ```
/// use banger_installer_host::{ProductBuilder, ProductError, UnitSpec};
///
/// let acme = ProductBuilder::new("acme", "x86_64-unknown-linux-gnu")
///     .program("acmed")
///     .unit(UnitSpec::new("acmed.service".parse()?).enabled().stateful())
///     .build()?;
/// assert_eq!(acme.layout.config.to_str(), Some("/etc/acme"));
/// assert_eq!(acme.keepers().count(), 1);
///
/// let refused = ProductBuilder::new("acme", "any").program("acmed").build();
/// assert_eq!(refused.unwrap_err(), ProductError::NoUnit);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a description becomes a product by `build`"]
pub struct ProductBuilder {
    product: Product,
}

impl ProductBuilder {
    /// A product of this name, in releases for this target (a target triple as manifests name it).
    pub fn new(name: impl Into<String>, target: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            product: Product {
                target: target.into(),
                programs: Vec::new(),
                units: Vec::new(),
                shared: Vec::new(),
                layout: Layout::new(&name),
                slice: UnitName::system_slice(),
                scope_prefix: format!("{name}-"),
                required: Vec::new(),
                rescue: None,
                delegate: None,
                state_files: Vec::new(),
                hint_text: HintText::default(),
                name,
            },
        }
    }

    /// A program of a release, in `bin/` of its archive.
    pub fn program(mut self, name: impl Into<String>) -> Self {
        self.product.programs.push(Program { name: name.into() });
        self
    }

    /// A unit of a release, in `units/` of its archive. Units start in the order in which they are
    /// named.
    pub fn unit(mut self, unit: UnitSpec) -> Self {
        self.product.units.push(unit);
        self
    }

    /// Several units.
    pub fn units(mut self, units: impl IntoIterator<Item = UnitSpec>) -> Self {
        self.product.units.extend(units);
        self
    }

    /// Where everything lies, if not at the conventional places.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.product.layout = layout;
        self
    }

    /// The slice that holds the scopes of protected processes.
    pub fn slice(mut self, slice: UnitName) -> Self {
        self.product.slice = slice;
        self
    }

    /// What the name of a protected process's scope starts with: `acme-job-` for `acme-job-ID.scope`.
    pub fn scope_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.product.scope_prefix = prefix.into();
        self
    }

    /// Something that the host must have.
    pub fn requires(mut self, requirement: Requirement) -> Self {
        self.product.required.push(requirement);
        self
    }

    /// The unit, one of the product's services, that runs the toolkit's rescue: without one, an update
    /// whose updater dies is rolled back by the next command only.
    pub fn rescue(mut self, unit: UnitName) -> Self {
        self.product.rescue = Some(unit);
        self
    }

    /// The program of a release that makes the plan for it, and its first arguments.
    pub fn delegate(mut self, delegate: Delegate) -> Self {
        self.product.delegate = Some(delegate);
        self
    }

    /// Small files of the product's state whose format a version may change.
    pub fn state_files(mut self, files: StateFiles) -> Self {
        self.product.state_files.push(files);
        self
    }

    /// What is said for a [`Hint`](Hint), with the product's own commands.
    pub fn hint_text(mut self, text: fn(&Hint) -> String) -> Self {
        self.product.hint_text = HintText::new(text);
        self
    }

    /// The product.
    ///
    /// # Errors
    /// [`ProductError`], the first of what is wrong.
    pub fn build(self) -> Result<Product, ProductError> {
        let product = self.product;
        check_names(&product)?;
        check_programs(&product)?;
        check_units(&product)?;
        check_parts(&product)?;
        check_places(&product)?;
        Ok(product)
    }
}

fn check_names(product: &Product) -> Result<(), ProductError> {
    let name = &product.name;
    let words_are_plain = name.split('-').all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !words_are_plain || !begins_well || name.len() > NAME_LIMIT {
        return Err(ProductError::Name { name: name.clone() });
    }
    let target = &product.target;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if target.is_empty() || !target.bytes().all(plain) {
        return Err(ProductError::Target {
            target: target.clone(),
        });
    }
    if product.layout.product() != name {
        return Err(ProductError::OtherLayout {
            layout: product.layout.product().into(),
            name: name.clone(),
        });
    }
    Ok(())
}

fn check_programs(product: &Product) -> Result<(), ProductError> {
    if product.programs.is_empty() {
        return Err(ProductError::NoProgram);
    }
    let mut seen = BTreeSet::new();
    for Program { name } in &product.programs {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
        let begins_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !begins_well || !name.bytes().all(plain) {
            return Err(ProductError::Program { name: name.clone() });
        }
        if !seen.insert(name) {
            return Err(ProductError::ProgramTwice { name: name.clone() });
        }
    }
    Ok(())
}

fn check_units(product: &Product) -> Result<(), ProductError> {
    if product.units.is_empty() {
        return Err(ProductError::NoUnit);
    }
    let mut seen = BTreeSet::new();
    for unit in &product.units {
        let name = &unit.name;
        if !seen.insert(name) {
            return Err(ProductError::UnitTwice { unit: name.clone() });
        }
        if unit.keeps_children && name.kind() != UnitKind::Service {
            return Err(ProductError::StatefulUnit { unit: name.clone() });
        }
    }
    Ok(())
}

/// What names a unit or a program of the product.
fn check_parts(product: &Product) -> Result<(), ProductError> {
    let of_kind = |what, unit: &UnitName, kind, wanted| {
        let unit = unit.clone();
        (unit.kind() == kind)
            .then_some(())
            .ok_or(ProductError::Kind { what, unit, wanted })
    };
    of_kind("the slice", &product.slice, UnitKind::Slice, "slice")?;
    if let Some(rescue) = &product.rescue {
        of_kind("the rescue", rescue, UnitKind::Service, "service")?;
        if product.units.iter().all(|unit| unit.name != *rescue) {
            return Err(ProductError::NotOwn {
                what: "the rescue",
                name: rescue.to_string(),
                among: "units",
            });
        }
    }
    if let Some(delegate) = &product.delegate
        && product
            .programs
            .iter()
            .all(|one| one.name != delegate.program)
    {
        return Err(ProductError::NotOwn {
            what: "the delegate",
            name: delegate.program.clone(),
            among: "programs",
        });
    }
    let prefix = &product.scope_prefix;
    let scope = format!("{prefix}x.scope").parse::<UnitName>();
    if prefix.is_empty() || scope.is_err() {
        return Err(ProductError::ScopePrefix {
            prefix: prefix.clone(),
        });
    }
    Ok(())
}

fn check_places(product: &Product) -> Result<(), ProductError> {
    let layout = &product.layout;
    let own = [
        ("the folder of versions", &layout.versions),
        ("the folder of the configuration", &layout.config),
        ("the folder of the toolkit's state", &layout.install_state),
        ("the lock", &layout.lock),
    ];
    let shared = [
        ("the folder of programs", &layout.programs),
        ("the folder of shared files", &layout.share),
        ("the folder of units", &layout.units),
    ];
    let state = layout.product_state.iter();
    let state = state.map(|path| ("a folder of the product's state", path));
    let files = product.state_files.iter();
    let files = files.map(|files| ("a folder of state files", &files.folder));
    let required = product.required.iter();
    let required = required.map(|one| ("a requirement", &one.path));
    let mut places = BTreeSet::new();
    for (what, path) in own.into_iter().chain(shared).chain(state) {
        check_path(what, path)?;
        if !places.insert(path) {
            return Err(ProductError::SharedPlace { path: path.clone() });
        }
    }
    files
        .chain(required)
        .try_for_each(|(what, path)| check_path(what, path))
}

fn check_path(what: &'static str, path: &Path) -> Result<(), ProductError> {
    let mut parts = path.components();
    let plain = parts.next() == Some(Component::RootDir)
        && parts.clone().next().is_some()
        && parts.all(|part| matches!(part, Component::Normal(_)));
    if plain {
        return Ok(());
    }
    Err(ProductError::Path {
        what,
        path: path.into(),
    })
}
