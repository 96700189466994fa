//! deny.toml, held against the crates that are really linked: their licences, what is banned, and where
//! they come from.
//!
//! This is cargo-deny's work, on its file and in its words; to build that program takes longer than to
//! test banger. Its database of advisories is not looked at. A setting that is not understood here fails
//! the test: nothing in the file is passed over in silence.

mod graph;
mod licence;
mod policy;

use std::collections::BTreeSet;

use banger_tests::support::{command, programs};

use graph::{Graph, Package};
use policy::Policy;

/// What `cargo metadata` says of the crates that are built for one platform. By itself it tells of
/// those, too, that only features would bring which nobody asks for.
fn graph_of(target: &str) -> Graph {
    let ask = |words: &[&str]| {
        let mut cargo = programs::cargo();
        cargo.args(words).arg(target).arg("--locked");
        command::run(&mut cargo).unwrap().ok().unwrap()
    };
    let said = ask(&["metadata", "--format-version=1", "--filter-platform"]);
    let mut graph: Graph = serde_json::from_str(&said).unwrap();
    let tree = ask(&["tree", "--workspace", "--prefix=none", "--target"]);
    let is_built = |package: &Package| {
        let name = format!("{} v{}", package.name, package.version);
        let same = |line: &str| line == name || line.starts_with(&format!("{name} "));
        tree.lines().any(same)
    };
    graph.packages.retain(is_built);
    let lines = tree.lines().filter(|line| !line.is_empty());
    let built: BTreeSet<&str> = lines.map(|line| line.trim_end_matches(" (*)")).collect();
    assert_eq!(
        graph.packages.len(),
        built.len(),
        "of some crates nothing is known"
    );
    graph
}

fn policy() -> Policy {
    let path = banger_tests::support::place::workspace().join("deny.toml");
    toml::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn licences_bans_and_sources_of_all_dependencies_are_those_of_deny_toml() {
    let policy = policy();
    let (mut wrong, mut crates) = (BTreeSet::new(), BTreeSet::new());
    for target in &policy.graph.targets {
        let graph = graph_of(target);
        crates.extend(graph.packages.iter().map(Package::shown));
        wrong.extend(policy.violations(&graph));
    }
    println!(
        "{} crates on {} platforms; NOT SHOWN: advisories, whose database is not asked for",
        crates.len(),
        policy.graph.targets.len()
    );
    assert!(crates.len() > 100, "only {} crates", crates.len());
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn package(name: &str, license: Option<&str>) -> Package {
    Package {
        name: name.into(),
        version: "1.0.0".into(),
        license: license.map(Into::into),
        source: Some("registry+https://example.org/index".into()),
        dependencies: Vec::new(),
    }
}

/// What is wrong with a graph of one package.
fn wrong_with(package: Package) -> String {
    let graph = Graph {
        packages: vec![package],
    };
    policy().violations(&graph).join("\n")
}

#[test]
fn every_kind_of_unwanted_dependency_is_found() {
    let edge = |req: &str, registry: Option<&str>, path: Option<&str>| graph::Dependency {
        name: "other".into(),
        req: req.into(),
        registry: registry.map(Into::into),
        path: path.map(Into::into),
    };
    let good = package("good", Some("MIT OR Apache-2.0"));
    assert_eq!(wrong_with(good.clone()), "");
    for (what, bad) in [
        ("GPL-3.0", package("copyleft", Some("GPL-3.0-only"))),
        ("MIT AND GPL-2.0", package("both", Some("MIT AND GPL-2.0"))),
        ("no licence", package("unnamed", None)),
        ("a second TLS stack", package("openssl", Some("Apache-2.0"))),
        (
            "git+https",
            Package {
                source: Some("git+https://example.org/x#1".into()),
                ..good.clone()
            },
        ),
        (
            "another registry",
            Package {
                dependencies: vec![edge("^1", Some("https://example.org/mine"), None)],
                ..good.clone()
            },
        ),
        (
            "any version",
            Package {
                dependencies: vec![edge("*", None, None)],
                ..good.clone()
            },
        ),
    ] {
        let found = wrong_with(bad);
        assert!(found.contains(what), "{what}: {found:?}");
    }
    let ours = Package {
        source: None,
        dependencies: vec![edge("*", None, Some("/banger/installer"))],
        ..good
    };
    assert_eq!(
        wrong_with(ours),
        "",
        "paths of the workspace need no version"
    );
}

#[test]
fn a_setting_of_deny_toml_that_is_not_understood_is_refused() {
    let text = "[bans]\nmultiple-versions = \"deny\"\n";
    assert!(toml::from_str::<Policy>(text).is_err());
    let text = "[licenses]\nallow = [\"MIT\"]\nexceptions = []\n";
    assert!(toml::from_str::<Policy>(text).is_err());
}
