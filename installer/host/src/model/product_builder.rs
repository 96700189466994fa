//! How a product is described: piece by piece, and checked as a whole.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use super::product_error::{NAME_LIMIT, ProductError};
use super::{
    Delegate, Hint, HintText, Layout, Product, Program, Requirement, StateCheck, StateFiles,
    UnitKind, UnitName, UnitSpec,
};

/// Describes a [`Product`]. What is not said is as most products want it: a conventional [`Layout`],
/// the slice `system.slice`, scopes named after the product, no rescue, general hints.
///
/// ```
/// use banger_installer_host::{ProductBuilder, ProductError, UnitSpec};
///
/// let acme = ProductBuilder::new("acme", "x86_64-unknown-linux-gnu")
///     .program("acmed")
///     .unit(UnitSpec::new("acmed.service".parse()?).enabled().stateful())
///     .build()?;
/// assert_eq!(acme.layout.config.to_str(), Some("/etc/acme"));
/// assert_eq!(acme.stateful_services().count(), 1);
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
                state_checks: Vec::new(),
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

    /// A service whose programs say, before a version is switched to, whether it can read the product's
    /// state.
    pub fn state_check(mut self, check: StateCheck) -> Self {
        self.product.state_checks.push(check);
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
        if unit.stateful && name.kind() != UnitKind::Service {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> UnitSpec {
        UnitSpec::new(name.parse().unwrap())
    }

    fn acme() -> ProductBuilder {
        ProductBuilder::new("acme", "any")
            .program("acmed")
            .unit(unit("acmed.service").enabled().stateful())
    }

    fn refused(builder: ProductBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    fn laid(change: impl FnOnce(&mut Layout)) -> ProductBuilder {
        let mut layout = Layout::new("acme");
        change(&mut layout);
        acme().layout(layout)
    }

    #[test]
    fn what_is_not_said_is_conventional() {
        let product = acme().build().unwrap();
        assert_eq!(product.slice.as_str(), "system.slice");
        assert_eq!(product.scope_prefix, "acme-");
        assert_eq!(product.layout, Layout::new("acme"));
        let hint = Hint::Install;
        assert_eq!(product.hint_text.of(&hint), hint.to_string());
    }

    #[test]
    fn names_that_files_and_units_cannot_bear_are_refused() {
        let long = "a".repeat(NAME_LIMIT + 1);
        for name in ["", "Acme", "1a", "a--b", "a-", "a b", "../a", "a/b", &long] {
            let text = refused(
                ProductBuilder::new(name, "any")
                    .program("p")
                    .unit(unit("a.service")),
            );
            assert!(
                text.contains(&format!("{name:?} cannot name a product")),
                "{text}"
            );
        }
        for program in ["", "-x", ".x", "a/b", "a b"] {
            assert!(refused(acme().program(program)).contains("cannot name a program"));
        }
        for target in ["", "a b", "x/y"] {
            let builder = ProductBuilder::new("acme", target).program("p");
            assert!(refused(builder.unit(unit("a.service"))).contains("is no target"));
        }
        for prefix in ["", "a/b", "a b"] {
            assert!(refused(acme().scope_prefix(prefix)).contains("name of a scope"));
        }
    }

    #[test]
    fn what_is_named_twice_or_not_at_all_is_refused() {
        assert!(refused(acme().program("acmed")).contains("acmed is named twice"));
        assert!(
            refused(acme().unit(unit("acmed.service"))).contains("acmed.service is named twice")
        );
        let bare = || ProductBuilder::new("acme", "any");
        assert!(refused(bare().unit(unit("a.service"))).contains("one program"));
        assert!(refused(bare().program("acmed")).contains("one unit"));
    }

    #[test]
    fn parts_are_the_products_own_and_of_their_kind() {
        let name = |text: &str| text.parse::<UnitName>().unwrap();
        let socket = unit("acmed.socket").stateful();
        assert!(refused(acme().unit(socket)).contains("is no service"));
        assert!(refused(acme().slice(name("a.service"))).contains("is no slice"));
        assert!(
            refused(acme().rescue(name("other.service"))).contains("not among the product's units")
        );
        assert!(refused(acme().rescue(name("acmed.socket"))).contains("is no service"));
        let delegate = Delegate {
            program: "other".into(),
            words: Vec::new(),
        };
        assert!(refused(acme().delegate(delegate)).contains("not among the product's programs"));
        assert!(refused(acme().layout(Layout::new("other"))).contains("other's, not acme's"));
    }

    #[test]
    fn paths_begin_at_the_root_and_stand_for_one_thing() {
        for path in ["", "relative", "/", "/a/../b", "./a"] {
            let text = refused(laid(|layout| layout.versions = path.into()));
            assert!(text.contains("the folder of versions is"), "{text}");
        }
        let text = refused(laid(|layout| layout.config = layout.versions.clone()));
        assert!(text.contains("stands for two parts"), "{text}");
        let text = refused(laid(|layout| layout.product_state.push("/etc/acme".into())));
        assert!(text.contains("stands for two parts"), "{text}");
        let files = StateFiles {
            folder: "things".into(),
            name: "record.json".into(),
        };
        assert!(refused(acme().state_files(files)).contains("a folder of state files"));
    }
}
