//! deny.toml.

use serde::Deserialize;

use super::graph::{Graph, Package};
use super::licence;

/// The settings that are in use; others are refused when the file is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) graph: Platforms,
    /// Not looked at here.
    #[serde(rename = "advisories")]
    _advisories: toml::Table,
    licenses: Licences,
    bans: Bans,
    #[serde(rename = "sources")]
    _sources: Sources,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Platforms {
    pub(super) targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Licences {
    #[serde(rename = "version")]
    _version: u32,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bans {
    #[serde(rename = "multiple-versions")]
    _multiple_versions: Allow,
    #[serde(rename = "wildcards")]
    _wildcards: Deny,
    #[serde(rename = "allow-wildcard-paths")]
    _allow_wildcard_paths: True,
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    #[serde(rename = "unknown-registry")]
    _unknown_registry: Deny,
    #[serde(rename = "unknown-git")]
    _unknown_git: Deny,
}

/// The one value of a setting that is understood.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deny {
    Deny,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Allow {
    Allow,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "bool")]
struct True;

impl TryFrom<bool> for True {
    type Error = String;

    fn try_from(value: bool) -> Result<Self, String> {
        value
            .then_some(Self)
            .ok_or("only true is understood".into())
    }
}

impl Policy {
    /// What the graph holds that it must not, a line each.
    pub(super) fn violations(&self, graph: &Graph) -> Vec<String> {
        let of = |package| {
            let mut found = self.licence_of(package);
            found.extend(self.ban_of(package));
            found.extend(sources_of(package));
            let shown = Package::shown(package);
            found
                .into_iter()
                .map(move |what| format!("{shown}: {what}"))
        };
        graph.packages.iter().flat_map(of).collect()
    }

    fn licence_of(&self, package: &Package) -> Vec<String> {
        let Some(expression) = &package.license else {
            return vec!["it names no licence".into()];
        };
        let allowed = |name: &str| self.licenses.allow.iter().any(|one| one == name);
        match licence::is_allowed(expression, &allowed) {
            Ok(true) => Vec::new(),
            Ok(false) => vec![format!("{expression} is not allowed")],
            Err(error) => vec![error],
        }
    }

    fn ban_of(&self, package: &Package) -> Option<String> {
        let ban = self.bans.deny.iter().find(|ban| ban.name == package.name)?;
        Some(format!("it is banned: {}", ban.reason))
    }
}

fn sources_of(package: &Package) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(source) = &package.source
        && !source.starts_with("registry+")
    {
        found.push(format!("it comes from {source}"));
    }
    for dependency in &package.dependencies {
        let name = &dependency.name;
        if let Some(registry) = &dependency.registry {
            found.push(format!(
                "it asks for {name} in another registry, {registry}"
            ));
        }
        if dependency.req == "*" && dependency.path.is_none() {
            found.push(format!("it asks for any version of {name}"));
        }
    }
    found
}
