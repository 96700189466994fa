//! `--json`: what is printed is what docs/schema says, and docs/json.md describes every field of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use banger_installer::plan::{Danger, Drift, Finding};
use banger_release::{CheckOptions, Checked, PublishOptions, check, publish};
use banger_tests::support::releases::Releases;
use banger_tests::support::stage::Stage;
use jiff::Timestamp;
use serde_json::{Value, json};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn schema(name: &str) -> Value {
    let path = docs().join(format!("schema/{name}.json"));
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

/// Whether a value is of a type, by JSON Schema's names.
fn is_of(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("docs/schema has a type that this test does not know: {other}"),
    }
}

/// The part of a schema that `#/$defs/NAME` names.
fn part<'a>(root: &'a Value, reference: &str) -> &'a Value {
    let pointer = reference.trim_start_matches('#');
    let found = root.pointer(pointer);
    found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// What is wrong with a value, as docs/schema has it. A field that the schema lacks is wrong, too:
/// it is not documented.
fn faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return faults(root, part(root, reference), value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let mut tries = choices.iter().map(|one| faults(root, one, value, at));
        let first = tries.next().unwrap();
        let fits = first.is_empty() || tries.any(|wrong| wrong.is_empty());
        return if fits { Vec::new() } else { first };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        other => panic!("{at}: a schema without a type: {other}"),
    };
    if !types.iter().any(|wanted| is_of(value, wanted)) {
        return vec![format!("{at} is {value}, not {}", types.join(" or "))];
    }
    let mut wrong = Vec::new();
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        wrong.push(format!("{at} is {value}, none of {words:?}"));
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        wrong.extend(faults(
            root,
            &schema["items"],
            item,
            &format!("{at}[{number}]"),
        ));
    }
    if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        let required = schema["required"].as_array().into_iter().flatten();
        let missing = required.filter(|name| !fields.contains_key(name.as_str().unwrap()));
        wrong.extend(missing.map(|name| format!("{at} lacks {name}")));
        for (name, field) in fields {
            match known.get(name) {
                Some(schema) => {
                    wrong.extend(faults(root, schema, field, &format!("{at}.{name}")));
                }
                None if schema["additionalProperties"] == true => {}
                None => wrong.push(format!("{at}.{name} is in no schema")),
            }
        }
    }
    wrong
}

fn assert_fits(name: &str, value: &Value) {
    let schema = schema(name);
    let wrong = faults(&schema, &schema, value, name);
    assert!(wrong.is_empty(), "{}\n{value:#}", wrong.join("\n"));
}

/// The type of a field, as docs/json.md writes it.
fn words(schema: &Value) -> String {
    let last = |reference: &Value| {
        reference
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    let one = |part: &Value| match part["type"].as_str() {
        Some(name) => name.to_owned(),
        None => last(&part["$ref"]),
    };
    match (&schema["type"], schema["anyOf"].as_array()) {
        (_, Some(choices)) => choices.iter().map(one).collect::<Vec<_>>().join(" or "),
        (Value::String(name), _) if name == "array" => {
            format!("array of {}", one(&schema["items"]))
        }
        (Value::String(name), _) => name.clone(),
        (Value::Array(names), _) => {
            let names = names.iter().map(|name| name.as_str().unwrap());
            names.collect::<Vec<_>>().join(" or ")
        }
        other => panic!("{other:?}"),
    }
}

fn schemas() -> Vec<String> {
    let folder = fs_err::read_dir(docs().join("schema")).unwrap();
    let names = folder.map(|entry| entry.unwrap().path());
    names
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_field_of_a_schema_is_described() {
    let text = fs_err::read_to_string(docs().join("json.md")).unwrap();
    let mut fields = 0;
    for name in schemas() {
        let root = schema(&name);
        let reference = format!("[schema/{name}.json](schema/{name}.json)");
        assert!(text.contains(&reference), "docs/json.md lacks {reference}");
        let parts = root["$defs"].as_object().into_iter().flatten();
        for object in parts.map(|(_, part)| part).chain([&root]) {
            for (field, schema) in object["properties"].as_object().into_iter().flatten() {
                let what = schema["description"].as_str().unwrap();
                let row = format!("| `{field}` | {} | {what} |", words(schema));
                assert!(text.contains(&row), "docs/json.md lacks\n{row}");
                fields += 1;
            }
        }
    }
    assert!(fields > 0, "no schemas");
    println!("{fields} fields");
}

/// One of each.
fn every_drift() -> Vec<Drift> {
    let path = || PathBuf::from("/x");
    let word = || "x".to_owned();
    vec![
        Drift::Missing,
        Drift::GoneWhileLoaded,
        Drift::Masked,
        Drift::Linked { target: path() },
        Drift::Edited,
        Drift::Permissions {
            mode: word(),
            uid: 1,
            gid: 1,
        },
        Drift::Shadowed,
        Drift::Overruled,
        Drift::NotLoaded {
            files: vec![path()],
        },
        Drift::KillMode {
            found: word(),
            drop_ins: vec![path()],
        },
        Drift::Command {
            found: word(),
            expected: word(),
        },
        Drift::NotEnabled { found: word() },
        Drift::NotRunning { found: word() },
        Drift::StartLimit {
            setting: word(),
            seconds: 1,
            burst: 1,
            drop_ins: vec![path()],
        },
        Drift::LooseFolder {
            mode: word(),
            uid: 1,
            gid: 1,
        },
        Drift::DropIn {
            settings: vec![word()],
            overruled_by: Some(path()),
        },
        Drift::DropIn {
            settings: vec![word()],
            overruled_by: None,
        },
        Drift::KeptByDropIn,
        Drift::Current {
            found: None,
            expected: word(),
        },
        Drift::ProgramLink {
            found: Some(path()),
        },
        Drift::VersionMissing,
        Drift::FileMissing,
        Drift::Swapped,
        Drift::ProgramPermissions {
            mode: word(),
            uid: 1,
        },
    ]
}

#[test]
fn every_finding_fits_its_schema() {
    for name in ["system-status", "plan"] {
        let root = schema(name);
        let finding = part(&root, "#/$defs/finding");
        let mut kinds = BTreeSet::new();
        for what in every_drift() {
            let value = serde_json::to_value(Finding {
                unit: None,
                path: "/x".into(),
                what,
                danger: Danger::None,
                remedy: None,
            })
            .unwrap();
            let wrong = faults(&root, finding, &value, "finding");
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            kinds.insert(value["kind"].as_str().unwrap().to_owned());
        }
        let listed = finding["properties"]["kind"]["enum"].as_array().unwrap();
        let listed: BTreeSet<String> = listed
            .iter()
            .map(|kind| kind.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(kinds, listed, "kinds of findings");
    }
}

#[test]
fn a_value_that_does_not_fit_is_seen() {
    let root = schema("vm-list");
    let vm = json!([{
        "name": "web", "id": null, "state": "asleep", "reason": null, "pid": "7",
        "start_time": null, "control_group": null, "cpus": null, "memory_mib": null,
        "started": null, "surprise": 1,
    }]);
    let wrong = faults(&root, &root, &vm, "list").join("\n");
    for what in [
        ".state is",
        ".pid is",
        "lacks \"ended\"",
        ".surprise is in no schema",
    ] {
        assert!(wrong.contains(what), "{what} is not in {wrong}");
    }
}

fn printed(stage: &Stage, words: &[&str], code: i32) -> Value {
    let output = stage.banger(words).unwrap();
    assert_eq!(output.code, Some(code), "{words:?}: {}", output.text());
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

#[test]
fn what_is_printed_fits_its_schema() {
    let releases = Releases::new().unwrap();
    let first = releases.sound("0.1.0").unwrap();
    let stage = Stage::new(releases).unwrap();
    let folder = stage.unpack(&first).unwrap();
    let early = format!("{folder}/bin/banger system status --json");
    let early = stage.host.shell(&early).unwrap().ok().unwrap();
    assert_fits("system-status", &serde_json::from_str(&early).unwrap());

    stage.install(&first).unwrap().ok().unwrap();
    let list = || {
        let list = stage.banger_as_owner(&["vm", "list", "--json"]).unwrap();
        let list: Value = serde_json::from_str(&list.ok().unwrap()).unwrap();
        assert_fits("vm-list", &list);
        list.as_array().unwrap().len()
    };
    assert_eq!(list(), 0);
    for name in ["web", "db"] {
        stage.run_guest(name).unwrap();
    }
    stage
        .banger_as_owner(&["vm", "stop", "db"])
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(list(), 2);

    let second = stage.releases.sound("0.1.1").unwrap();
    stage.releases.publish(&second).unwrap();
    let check = ["update", "--check", "--json"];
    assert_fits("update-check", &printed(&stage, &check, 10));
    let drop_in = "/etc/systemd/system/bangerd.service.d/theirs.conf";
    stage.host.write(drop_in, "[Service]\nNice=5\n").unwrap();
    let dry: [&[&str]; 4] = [
        &["system", "install"],
        &["system", "restart"],
        &["system", "uninstall", "--stop-guests"],
        &["update"],
    ];
    for words in dry {
        let plan = printed(&stage, &[words, &["--dry-run", "--json"]].concat(), 0);
        assert_eq!(plan["guests"].as_array().unwrap().len(), 1, "{plan:#}");
        assert_fits("plan", &plan);
    }
    let completed = |words: &[&str]| {
        let done = printed(&stage, &[words, &["--json"]].concat(), 0);
        assert_fits("outcome", &done);
        assert!(done["api"]["requests"].as_u64() > Some(0), "{done:#}");
        assert_eq!(done["api"]["failed"], 0, "{done:#}");
        let guest = &done["guests"][0];
        assert_eq!(
            guest["pid"],
            stage.vm("web").unwrap().pid.unwrap(),
            "{done:#}"
        );
        assert_eq!(guest["unchanged"], true, "{done:#}");
        done
    };
    assert_eq!(completed(&["system", "restart"])["operation"], "restart");
    let updated = completed(&["update", "--yes"]);
    assert_eq!(
        (&updated["from"], &updated["to"]),
        (&json!("0.1.0"), &json!("0.1.1"))
    );
    let nothing = printed(&stage, &["update", "--yes", "--json"], 0);
    assert_eq!(nothing["changed"], false, "{nothing:#}");
    assert_fits("outcome", &nothing);
    assert_fits("update-check", &printed(&stage, &check, 0));
    let status = printed(&stage, &["system", "status", "--json"], 0);
    assert!(
        status["findings"]
            .as_array()
            .is_some_and(|found| !found.is_empty())
    );
    assert_fits("system-status", &status);
    let back = ["update", "--rollback", "--dry-run", "--json"];
    assert_fits("plan", &printed(&stage, &back, 0));
    let back = completed(&["update", "--rollback", "--yes"]);
    assert_eq!(back["operation"], "rollback", "{back:#}");
    let status = printed(&stage, &["system", "status", "--json"], 0);
    assert_eq!(status["receipt"]["rolled_back"]["version"], "0.1.1");
    assert_fits("system-status", &status);
}

#[test]
fn what_a_verification_prints_fits_its_schema() {
    let releases = Releases::new().unwrap();
    let release = releases.sound("0.1.0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    publish(&PublishOptions {
        release: release.manifest_path.parent().unwrap().into(),
        to: folder.path().into(),
        keys: None,
    })
    .unwrap();
    let mut checked: Vec<Checked> = Vec::new();
    let options = CheckOptions {
        folder: folder.path().join("stable"),
        keys: vec![releases.public_key().to_path_buf()],
        roots: Vec::new(),
        root_threshold: None,
        now: Timestamp::now(),
    };
    check(&options, &mut |found| checked.push(found)).unwrap();
    assert_fits("release-verify", &json!({ "checked": checked }));
}
