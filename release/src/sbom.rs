//! The software bill of materials: what is in the programs, in the form of `CycloneDX`
//! (<https://cyclonedx.org/docs/1.5/json/>).
//!
//! Guarantees: cargo-cyclonedx says what there is; what it names only because a feature might want
//! it is left out, by `cargo tree`; the release's own version stands in it, and no path of this
//! machine. The workspace is not written to. The same commit and `SOURCE_DATE_EPOCH` give the same
//! bytes.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use banger_installer::model::Version;
use serde_json::Value;

use crate::reproducible::{output_of, variable};
use crate::{CRATES, PRODUCT, ReleaseError};

/// The version of cargo-cyclonedx that is known to do it.
pub const SBOM_TOOL: &str = "cargo-cyclonedx@0.5.9";
/// What cargo-cyclonedx is told to call its file.
const FILE_NAME: &str = "banger.cdx";

/// The file's name in a release folder.
pub fn sbom_name(version: &Version) -> String {
    format!("{PRODUCT}-{version}.cdx.json")
}

/// Describes the programs of a workspace for a target.
///
/// # Errors
/// [`ReleaseError`], when cargo-cyclonedx is not there or gives up.
pub fn sbom(
    workspace: &Path,
    version: &Version,
    target: &str,
    source_date_epoch: u64,
) -> Result<Vec<u8>, ReleaseError> {
    let cargo = crate::compile::cargo();
    let mut probe = Command::new(&cargo);
    output_of(probe.args(["cyclonedx", "--version"])).map_err(|_| ReleaseError::NoSbomTool)?;
    // it writes beside each manifest: into a likeness of the workspace, not into the workspace
    let likeness = tempfile::tempdir().map_err(ReleaseError::write(&std::env::temp_dir()))?;
    let root = likeness
        .path()
        .canonicalize()
        .map_err(ReleaseError::read(likeness.path()))?;
    imitate(workspace, &root)?;
    let mut command = Command::new(&cargo);
    command
        .current_dir(&root)
        .args([
            "cyclonedx",
            "--quiet",
            "--format=json",
            "--spec-version=1.5",
        ])
        .arg(format!("--target={target}"))
        .arg(format!("--override-filename={FILE_NAME}"))
        .env("SOURCE_DATE_EPOCH", source_date_epoch.to_string());
    output_of(&mut command)?;
    let mut document = Value::Null;
    for (_, folder) in CRATES {
        let path = root.join(folder).join(format!("{FILE_NAME}.json"));
        let bytes = fs_err::read(&path).map_err(ReleaseError::read(&path))?;
        let next = serde_json::from_slice(&bytes).map_err(ReleaseError::sbom)?;
        merge(&mut document, next);
    }
    let mut command = Command::new(&cargo);
    command
        .current_dir(workspace)
        .args([
            "tree",
            "--quiet",
            "--locked",
            "--edges=normal,build",
            "--prefix=none",
        ])
        .args(["--format={p}", &format!("--target={target}")])
        .args(CRATES.map(|(name, _)| format!("--package={name}")));
    let tree = output_of(&mut command)?;
    let built = packages_of_tree(&String::from_utf8_lossy(&tree));
    keep_what_is_built(&mut document, &built);
    name_the_release(&mut document, version);
    name_the_compilers(&mut document)?;
    hide_paths(&mut document, &format!("file://{}", root.display()));
    let mut bytes = serde_json::to_vec_pretty(&document).map_err(ReleaseError::sbom)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Folders of their own for the workspace and each crate in it; all else is a link to what is there.
fn imitate(workspace: &Path, likeness: &Path) -> Result<(), ReleaseError> {
    let workspace = workspace
        .canonicalize()
        .map_err(ReleaseError::read(workspace))?;
    for entry in fs_err::read_dir(&workspace).map_err(ReleaseError::read(&workspace))? {
        let path = entry.map_err(ReleaseError::read(&workspace))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let copy = likeness.join(name);
        if path.join("Cargo.toml").is_file() {
            fs_err::create_dir(&copy).map_err(ReleaseError::write(&copy))?;
            imitate(&path, &copy)?;
        } else {
            symlink(&path, &copy).map_err(ReleaseError::write(&copy))?;
        }
    }
    Ok(())
}

/// Adds what another crate's programs are made of, and the programs; the crate itself becomes a
/// component beside those that it is made of.
fn merge(document: &mut Value, mut other: Value) {
    if document.is_null() {
        *document = other;
        return;
    }
    let mut take = |parent: &str, name: &str| {
        let parent = other.pointer_mut(parent).and_then(Value::as_object_mut);
        match parent.and_then(|parent| parent.remove(name)) {
            Some(Value::Array(items)) => items,
            Some(item) => vec![item],
            None => Vec::new(),
        }
    };
    let programs = take("/metadata/component", "components");
    let mut components = take("", "components");
    components.extend(take("/metadata", "component"));
    let edges = take("", "dependencies");
    for (pointer, more, key) in [
        ("/metadata/component/components", programs, "bom-ref"),
        ("/components", components, "bom-ref"),
        ("/dependencies", edges, "ref"),
    ] {
        let Some(Value::Array(items)) = document.pointer_mut(pointer) else {
            continue;
        };
        for item in more {
            if !items.iter().any(|known| known.get(key) == item.get(key)) {
                items.push(item);
            }
        }
    }
}

/// `name@version` of each line `name vVERSION ...`.
fn packages_of_tree(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(" v")?;
            Some(format!("{name}@{}", rest.split(' ').next()?))
        })
        .collect()
}

/// Takes out components, and what is said of their dependencies, that are not among the built.
fn keep_what_is_built(document: &mut Value, built: &BTreeSet<String>) {
    // a reference ends with #NAME@VERSION
    let is_built = |reference: &Value| {
        let name = reference.as_str().and_then(|text| text.rsplit_once('#'));
        name.is_some_and(|(_, name)| built.contains(name))
    };
    let list = |value: Option<&mut Value>, keep: &dyn Fn(&Value) -> bool| {
        if let Some(Value::Array(items)) = value {
            items.retain(keep);
        }
    };
    list(document.get_mut("components"), &|item| {
        item.get("bom-ref").is_some_and(is_built)
    });
    list(document.get_mut("dependencies"), &|item| {
        item.get("ref").is_some_and(is_built)
    });
    if let Some(Value::Array(items)) = document.get_mut("dependencies") {
        for item in items {
            list(item.get_mut("dependsOn"), &is_built);
        }
    }
}

/// The workspace's version is not the release's, which is given to its build.
fn name_the_release(document: &mut Value, version: &Version) {
    if let Some(component) = document.pointer_mut("/metadata/component") {
        component["version"] = version.to_string().into();
        component["purl"] = format!("pkg:generic/{PRODUCT}@{version}").into();
        if let Some(Value::Array(programs)) = component.get_mut("components") {
            for program in programs {
                program["version"] = version.to_string().into();
            }
        }
    }
}

/// Whoever builds the same commit with the same compilers gets the same bytes.
fn name_the_compilers(document: &mut Value) -> Result<(), ReleaseError> {
    let (rustc, cc) = (variable("RUSTC", "rustc"), variable("CC", "cc"));
    for (name, program) in [("banger:rustc", rustc), ("banger:cc", cc)] {
        let said = output_of(Command::new(program).arg("--version"))?;
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().next().unwrap_or_default();
        if let Some(Value::Array(properties)) = document.pointer_mut("/metadata/properties") {
            properties.push(serde_json::json!({ "name": name, "value": line }));
        }
    }
    Ok(())
}

fn hide_paths(value: &mut Value, root: &str) {
    match value {
        Value::String(text) => {
            if let Some((package, rest)) = text.split_once("?download_url=file:") {
                let file = rest.split_once('#').map(|(_, file)| format!("#{file}"));
                *text = format!("{package}{}", file.unwrap_or_default());
            }
            *text = text.replace(root, "file:///banger");
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_paths(item, root)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| hide_paths(field, root)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bill_of_two_crates_names_what_both_are_made_of_once() {
        let bill = |name: &str, parts: &[&str]| {
            json!({
                "metadata": {"component": {"bom-ref": name,
                    "components": [{"bom-ref": format!("{name} bin-target-0")}]}},
                "components": parts.iter().map(|part| json!({"bom-ref": part})).collect::<Vec<_>>(),
                "dependencies": [{"ref": name, "dependsOn": parts}],
            })
        };
        let mut both = Value::Null;
        merge(&mut both, bill("cli", &["a", "b"]));
        merge(&mut both, bill("daemons", &["b", "c"]));
        assert_eq!(
            both,
            json!({
                "metadata": {"component": {"bom-ref": "cli", "components": [
                    {"bom-ref": "cli bin-target-0"}, {"bom-ref": "daemons bin-target-0"}]}},
                "components": [{"bom-ref": "a"}, {"bom-ref": "b"}, {"bom-ref": "c"},
                    {"bom-ref": "daemons"}],
                "dependencies": [{"ref": "cli", "dependsOn": ["a", "b"]},
                    {"ref": "daemons", "dependsOn": ["b", "c"]}],
            })
        );
    }

    #[test]
    fn what_is_not_built_is_left_out_and_no_path_stays() {
        let root = "path+file:///tmp/x/runtime#banger-runtime@0.1.0";
        let (used, unused) = (
            "registry+https://r.example#a@1.0.0",
            "registry+https://r.example#b@1.0.0",
        );
        let mut document = json!({
            "metadata": {"component": {"bom-ref": root, "version": "0.1.0",
                "purl": "pkg:cargo/banger-runtime@0.1.0?download_url=file://.",
                "components": [{"bom-ref": format!("{root} bin-target-1"), "version": "0.1.0",
                    "purl": "pkg:cargo/banger-runtime@0.1.0?download_url=file://.#src/bin/banger.rs"}]}},
            "components": [{"bom-ref": used}, {"bom-ref": unused}],
            "dependencies": [{"ref": root, "dependsOn": [used, unused]}, {"ref": used}, {"ref": unused}],
        });
        let built =
            packages_of_tree("banger-runtime v0.1.0 (/home/a/w/runtime)\na v1.0.0\na v1.0.0 (*)\n");
        keep_what_is_built(&mut document, &built);
        name_the_release(&mut document, &Version::new(0, 1, 1));
        hide_paths(&mut document, "file:///tmp/x");
        let root = "path+file:///banger/runtime#banger-runtime@0.1.0";
        assert_eq!(
            document,
            json!({
                "metadata": {"component": {"bom-ref": root, "version": "0.1.1",
                    "purl": "pkg:generic/banger@0.1.1",
                    "components": [{"bom-ref": format!("{root} bin-target-1"), "version": "0.1.1",
                        "purl": "pkg:cargo/banger-runtime@0.1.0#src/bin/banger.rs"}]}},
                "components": [{"bom-ref": used}],
                "dependencies": [{"ref": root, "dependsOn": [used]}, {"ref": used}],
            })
        );
    }
}
