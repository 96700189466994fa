//! The host is changed behind the toolkit's back, on a real systemd: every change is found, and said
//! to be dangerous only when it is; a healthy host shows none.

use std::collections::BTreeSet;

use banger_tests::support::tree::difference;
use serde::Deserialize;

use crate::drift_scenes::{self, Scene};
use crate::toy::Toy;

/// A finding as programs read it.
#[derive(Debug, Deserialize)]
struct Found {
    kind: String,
    unit: Option<String>,
    path: String,
    harmless: bool,
    danger: String,
    text: String,
    meaning: String,
    remedy: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Status {
    findings: Vec<Found>,
}

impl Toy {
    fn findings(&self) -> Vec<Found> {
        let text = self.run("status").ok().unwrap();
        serde_json::from_str::<Status>(&text).unwrap().findings
    }
}

/// `kind`, and `kind!` where a stop would kill, `kind?` where one would after a Reload.
fn shown(findings: &[Found]) -> Vec<String> {
    let mut kinds: Vec<String> = findings
        .iter()
        .map(|found| {
            let mark = match found.danger.as_str() {
                "none" => "",
                "at-stop" => "!",
                "after-reload" => "?",
                other => panic!("{other} is no danger"),
            };
            format!("{}{mark}", found.kind)
        })
        .collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[test]
fn every_drift_of_a_unit_file_is_found() {
    play(&[drift_scenes::edits(), drift_scenes::competing_files()].concat());
}

#[test]
fn every_drift_by_a_drop_in_is_found() {
    play(&drift_scenes::drop_ins());
}

#[test]
fn every_drift_by_the_folder_of_a_drop_in_is_found() {
    play(&drift_scenes::drop_ins_by_folder());
}

#[test]
fn every_drift_of_programs_and_of_what_systemd_was_told_is_found() {
    play(&[drift_scenes::state(), drift_scenes::published()].concat());
}

#[test]
fn there_are_sixty_mutated_units_and_more() {
    let scenes = drift_scenes::all();
    let names: BTreeSet<&str> = scenes.iter().map(|scene| scene.name).collect();
    assert_eq!(names.len(), scenes.len(), "a name stands twice");
    let of_units = scenes.len() - drift_scenes::published().len();
    println!(
        "{of_units} mutated units, {} scenarios in all",
        scenes.len()
    );
    assert!(of_units >= 60, "only {of_units}");
}

/// Plays scenes one after the other on one host, which is healthy before the first, between any two
/// and after the last.
fn play(scenes: &[Scene]) {
    let toy = Toy::installed();
    let child = toy.child();
    assert_eq!(shown(&toy.findings()), Vec::<String>::new());
    let healthy = toy.tree();
    let (mut dangerous, mut kinds, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for scene in scenes {
        let name = scene.name;
        toy.shell(&scene.change);
        let findings = toy.findings();
        let found = shown(&findings);
        let mut expected: Vec<&str> = scene.expected.split_whitespace().collect();
        expected.sort_unstable();
        if found != expected {
            wrong.push(format!("{name}: {found:?}, not {expected:?}"));
        }
        for found in &findings {
            check_words(name, found);
            kinds.insert(found.kind.clone());
        }
        if findings.iter().any(|found| !found.harmless) {
            dangerous += 1;
            // whatever was found, our own restart does no harm: it mends first, or refuses
            let restarted = toy.run("restart");
            if restarted.success() == scene.refused {
                wrong.push(format!("{name}: {}", restarted.text()));
            }
            assert_eq!(toy.child(), child, "{name}: the restart killed the child");
        }
        put_right(&toy, scene, &mut wrong);
        assert_eq!(toy.child(), child, "{name}: the child is gone");
        let tree = toy.tree();
        if tree != healthy {
            let left = difference(&healthy, &tree).join("\n");
            wrong.push(format!("{name}: left {left}"));
        }
    }
    let played = scenes.len();
    println!("{played} scenarios, {dangerous} of them dangerous, with findings {kinds:?}");
    assert_eq!(wrong, Vec::<String>::new());
}

fn check_words(name: &str, found: &Found) {
    assert_eq!(found.harmless, found.danger == "none", "{name}: {found:?}");
    for words in [&found.text, &found.meaning, &found.path] {
        assert!(!words.is_empty(), "{name}: {found:?}");
    }
    let kept = matches!(
        found.kind.as_str(),
        "drop-in" | "overruled" | "kept-by-drop-in"
    );
    assert_eq!(found.remedy.is_none(), kept, "{name}: {found:?}");
    assert!(
        found.unit.is_some() || found.path.contains("toy"),
        "{name}: {found:?}"
    );
}

/// Rolls back what the install keeps, has it mend the rest, and sees that nothing is found any more.
fn put_right(toy: &Toy, scene: &Scene, wrong: &mut Vec<String>) {
    let name = scene.name;
    if !scene.undo.is_empty() {
        toy.shell(&format!("{}; systemctl daemon-reload", scene.undo));
    }
    let mended = toy.install();
    if !mended.success() {
        wrong.push(format!("{name}: not mended: {}", mended.text()));
    }
    let left = shown(&toy.findings());
    if !left.is_empty() {
        wrong.push(format!("{name}: {left:?} is left after an install"));
    }
    let again = toy.install().ok().unwrap();
    if !again.ends_with("unchanged") {
        wrong.push(format!("{name}: a second install did {again}"));
    }
}

#[test]
fn a_masked_unit_stops_every_run_and_nothing_is_changed() {
    let toy = Toy::installed();
    let child = toy.child();
    for (mask, hint) in [
        (
            "rm -f /etc/systemd/system/toyd.service; systemctl mask toyd.service",
            "systemctl unmask toyd.service",
        ),
        (
            ": > /etc/systemd/system/toyd.service",
            "systemctl unmask toyd.service",
        ),
        (
            "mkdir -p /run/systemd/system.control; \
             ln -s /dev/null /run/systemd/system.control/toyd.service",
            "rm /run/systemd/system.control/toyd.service",
        ),
    ] {
        toy.shell(mask);
        let before = toy.tree();
        for command in [
            "install /root/0.1.0 0.1.0",
            "update /root/0.1.1 0.1.1",
            "restart",
        ] {
            let refused = toy.run(command);
            assert!(!refused.success(), "{mask}: {command} held");
            assert!(
                refused.stderr.contains("is masked by"),
                "{}",
                refused.text()
            );
            assert!(refused.stderr.contains(hint), "{}", refused.text());
            assert_eq!(toy.tree(), before, "{mask}: {command}");
            assert_eq!(toy.child(), child, "{mask}: {command}");
        }
        toy.shell(hint);
        toy.install().ok().unwrap();
        assert_eq!(shown(&toy.findings()), Vec::<String>::new(), "{mask}");
        assert_eq!(toy.child(), child, "{mask}");
    }
}

#[test]
fn a_unit_of_somebody_elses_is_never_taken_over_and_a_stale_one_of_ours_is() {
    let toy = Toy::new();
    let unit = "[Service]\\nExecStart=";
    let theirs = [
        (
            "toyd.service",
            format!("{unit}/usr/bin/sleep infinity\\n"),
            "/usr/bin/sleep",
        ),
        (
            "toyd.service",
            format!("{unit}/opt/other/toyd\\n"),
            "/opt/other/toyd",
        ),
        ("toyd.service", "garbage".into(), "cannot be read"),
        (
            "toy.slice",
            "[Unit]\\nDescription=my toys\\n[Slice]\\nMemoryMax=1G\\n".into(),
            "my toys",
        ),
    ];
    for folder in [
        "/etc/systemd/system",
        "/usr/lib/systemd/system",
        "/usr/local/lib/systemd/system",
        "/run/systemd/system",
    ] {
        for (name, text, does) in &theirs {
            let path = format!("{folder}/{name}");
            toy.shell(&format!(
                "mkdir -p {folder}; printf '{text}' > {path}; systemctl daemon-reload"
            ));
            let before = toy.tree();
            let refused = toy.install();
            assert!(!refused.success(), "{path} was taken over");
            for words in ["is not ours", name, does, "systemctl disable --now"] {
                assert!(
                    refused.stderr.contains(words),
                    "{words}: {}",
                    refused.text()
                );
            }
            assert_eq!(toy.tree(), before, "{path}");
            toy.shell(&format!("rm {path}; systemctl daemon-reload"));
        }
    }
    // as releases before the receipt wrote it: theirs runs our program
    toy.shell(&format!(
        "printf '{unit}/usr/local/bin/toyd --system\\n' > /etc/systemd/system/toyd.service; \
         systemctl daemon-reload"
    ));
    toy.install().ok().unwrap();
    assert_eq!(shown(&toy.findings()), Vec::<String>::new());
}

#[test]
fn a_swapped_program_is_not_blessed_by_an_install_from_its_own_folder() {
    let toy = Toy::installed();
    let child = toy.child();
    toy.shell("echo '# swapped' >> /usr/local/lib/toy/0.1.0/bin/toyd");
    let installed = toy
        .run("install /usr/local/lib/toy/0.1.0 0.1.0")
        .ok()
        .unwrap();
    assert!(
        installed.contains("is not the file that was installed"),
        "{installed}"
    );
    assert_eq!(shown(&toy.findings()), ["swapped"]);
    let update = toy.update("0.1.1").ok().unwrap();
    assert!(
        update.contains("is not the file that was installed"),
        "{update}"
    );
    assert_eq!(shown(&toy.findings()), Vec::<String>::new());
    assert_eq!(toy.child(), child);
}
