//! Staleness and plans, as tables.

use std::path::PathBuf;

use crate::model::{
    FileImage, Found, Hint, Product, ProductBuilder, ServiceFacts, UnitFacts, UnitName, UnitSpec,
};
use crate::observe::{DropIn, Fragment, UnitState};
use crate::plan::{Danger, Drift, findings};

const TEXT: &str = "[Service]\nExecStart=/bin/true\nKillMode=process\n";

const OURS: &str = "/etc/systemd/system/toyd.service";

fn product() -> Product {
    ProductBuilder::new("toy", "any")
        .program("toyd")
        .unit(UnitSpec::new("toyd.service".parse().expect("a name")))
        .hint_text(|hint| match hint {
            Hint::Install => "sudo toy system install".into(),
            other => other.to_string(),
        })
        .build()
        .expect("a product")
}

fn fragment(path: &str, text: &str) -> Fragment {
    Fragment {
        path: path.into(),
        found: Found::File(FileImage::public(text)),
        text: Some(text.into()),
    }
}

/// Another text at the unit's path; systemd holds the old one.
fn with_file(mut state: UnitState, text: &str) -> UnitState {
    state.file = Found::File(FileImage::public(text));
    state.fragments = vec![fragment(OURS, text)];
    state
}

fn healthy() -> UnitState {
    let name: UnitName = "toyd.service".parse().expect("a name");
    let facts = UnitFacts {
        load_state: "loaded".into(),
        active_state: "active".into(),
        sub_state: "running".into(),
        fragment: Some("/etc/systemd/system/toyd.service".into()),
        drop_ins: Vec::new(),
        unit_file_state: "enabled".into(),
        needs_reload: false,
        has_job: false,
        active_since: 1,
        limits: Vec::new(),
        service: Some(ServiceFacts {
            kill_mode: "process".into(),
            main_pid: 7,
            control_group: "/system.slice/toyd.service".into(),
            exec_start: None,
            restarts: 0,
            command: vec!["/bin/true".into()],
            ..ServiceFacts::default()
        }),
    };
    UnitState {
        spec: UnitSpec {
            name,
            enable: true,
            stateful: true,
            optional: false,
        },
        file: Found::File(FileImage::public(TEXT)),
        changed: false,
        fragments: vec![fragment(OURS, TEXT)],
        before: facts.clone(),
        facts,
        drop_ins: Vec::new(),
    }
}

fn with_kill_mode(mut state: UnitState, mode: &str) -> UnitState {
    for facts in [&mut state.before, &mut state.facts] {
        facts.service.as_mut().expect("a service").kill_mode = mode.into();
    }
    state
}

fn with_drop_in(mut state: UnitState, path: &str, text: &str) -> UnitState {
    state.facts.drop_ins.push(path.into());
    state.before.drop_ins.push(path.into());
    let mut state = with_unread_drop_in(state, path, text);
    if let Some(drop_in) = state.drop_ins.last_mut() {
        drop_in.is_loaded = true;
    }
    state
}

fn with_unread_drop_in(mut state: UnitState, path: &str, text: &str) -> UnitState {
    state.drop_ins.push(DropIn {
        path: path.into(),
        text: Some(text.into()),
        is_loaded: false,
        lies: true,
        changed: false,
    });
    state
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_kind_of_stale_unit_is_found() {
    let drop_in = "/etc/systemd/system/toyd.service.d/memory.conf";
    let own = "/etc/systemd/system/toyd.service.d/zzz-toy-keep-guests.conf";
    let shadow = "/run/systemd/system.control/toyd.service";
    let missing = || UnitState {
        file: Found::Missing,
        fragments: Vec::new(),
        ..healthy()
    };
    let gone = || {
        let mut state = with_kill_mode(missing(), "control-group");
        state.facts.fragment = None;
        state.facts.load_state = "not-found".into();
        state.before = state.facts.clone();
        state
    };
    let masked = || {
        let mut state = healthy();
        state.file = Found::Link("/dev/null".into());
        state.fragments = vec![Fragment {
            path: OURS.into(),
            found: state.file.clone(),
            text: Some(String::new()),
        }];
        state
    };
    let shadowed = || {
        let mut state = healthy();
        state.facts.fragment = Some(shadow.into());
        state.fragments.insert(0, fragment(shadow, TEXT));
        state.before = state.facts.clone();
        state
    };
    let was_not_loaded = || {
        let mut state = healthy();
        state.before.service.as_mut().expect("a service").kill_mode = "control-group".into();
        state
    };
    let in_another_life = || {
        let mut state = healthy();
        let service = state.facts.service.as_mut().expect("a service");
        service.command = vec!["/v/0.0.9/toyd".into()];
        state.before = state.facts.clone();
        state
    };
    let idle = |enabled: &str, active: &str| {
        let mut state = healthy();
        state.facts.unit_file_state = enabled.into();
        state.facts.active_state = active.into();
        state.before = state.facts.clone();
        state
    };
    let owned = |mode, uid| {
        let mut state = healthy();
        if let Found::File(image) = &mut state.file {
            (image.mode, image.uid) = (mode, uid);
        }
        state
    };
    let kill_mode = |mode: &str, drop_ins: &[&str]| Drift::KillMode {
        found: mode.into(),
        drop_ins: drop_ins.iter().map(PathBuf::from).collect(),
    };
    let not_loaded = |files: &[&str]| Drift::NotLoaded {
        files: files.iter().map(PathBuf::from).collect(),
    };
    let sets = |settings: &[&str], by: Option<&str>| Drift::DropIn {
        settings: settings.iter().map(|&text| text.into()).collect(),
        overruled_by: by.map(PathBuf::from),
    };
    let permissions = |mode: &str, uid| Drift::Permissions {
        mode: mode.into(),
        uid,
        gid: 0,
    };
    let mixed = "[Service]\nKillMode=mixed\n";
    let process = "[Service]\nKillMode=process\n";
    let bare = "[Service]\nExecStart=/bin/true\n";
    let table = vec![
        ("healthy", healthy(), vec![]),
        (
            "gone from the disk, and still loaded",
            missing(),
            vec![
                (Drift::Missing, Danger::AfterReload),
                (not_loaded(&[OURS]), Danger::AfterReload),
            ],
        ),
        (
            "gone",
            gone(),
            vec![
                (Drift::GoneWhileLoaded, Danger::AtStop),
                (kill_mode("control-group", &[]), Danger::AtStop),
            ],
        ),
        (
            "masked, and not yet loaded",
            masked(),
            vec![
                (Drift::Masked, Danger::AfterReload),
                (not_loaded(&[OURS]), Danger::AfterReload),
            ],
        ),
        (
            "edited, to no harm",
            with_file(healthy(), process),
            vec![(Drift::Edited, Danger::None)],
        ),
        (
            "edited, to harm, and not loaded",
            with_file(healthy(), bare),
            vec![
                (Drift::Edited, Danger::AfterReload),
                (not_loaded(&[]), Danger::AfterReload),
            ],
        ),
        (
            "edited, to harm, and loaded",
            with_file(with_kill_mode(healthy(), "control-group"), bare),
            vec![
                (Drift::Edited, Danger::AtStop),
                (kill_mode("control-group", &[]), Danger::AtStop),
            ],
        ),
        (
            "of a user",
            owned(0o644, 1000),
            vec![(permissions("0644", 1000), Danger::None)],
        ),
        (
            "anybody's to write",
            owned(0o666, 0),
            vec![(permissions("0666", 0), Danger::None)],
        ),
        (
            "shadowed",
            shadowed(),
            vec![(Drift::Shadowed, Danger::None)],
        ),
        (
            "another behind it",
            {
                let mut state = healthy();
                let lower = fragment("/usr/lib/systemd/system/toyd.service", bare);
                state.fragments.push(lower);
                state
            },
            vec![(Drift::Overruled, Danger::None)],
        ),
        (
            "not loaded before the Reload",
            was_not_loaded(),
            vec![(not_loaded(&[]), Danger::None)],
        ),
        (
            "right on the disk, and another in force",
            with_kill_mode(healthy(), "mixed"),
            vec![
                (not_loaded(&[]), Danger::AtStop),
                (kill_mode("mixed", &[]), Danger::AtStop),
            ],
        ),
        (
            "none",
            with_file(
                with_kill_mode(healthy(), "none"),
                "[Service]\nKillMode=none\n",
            ),
            vec![
                (Drift::Edited, Danger::None),
                (kill_mode("none", &[]), Danger::None),
            ],
        ),
        (
            "another command",
            in_another_life(),
            vec![(
                Drift::Command {
                    found: "/v/0.0.9/toyd".into(),
                    expected: "/bin/true".into(),
                },
                Danger::None,
            )],
        ),
        (
            "not enabled",
            idle("disabled", "active"),
            vec![(
                Drift::NotEnabled {
                    found: "disabled".into(),
                },
                Danger::None,
            )],
        ),
        (
            "not running",
            idle("enabled", "failed"),
            vec![(
                Drift::NotRunning {
                    found: "failed".into(),
                },
                Danger::None,
            )],
        ),
        (
            "overridden",
            with_drop_in(with_kill_mode(healthy(), "mixed"), drop_in, mixed),
            vec![(kill_mode("mixed", &[drop_in]), Danger::AtStop)],
        ),
        (
            "overridden, and not loaded",
            with_unread_drop_in(healthy(), drop_in, mixed),
            vec![
                (not_loaded(&[drop_in]), Danger::AfterReload),
                (sets(&["KillMode=mixed"], None), Danger::AfterReload),
            ],
        ),
        (
            "overridden, and overruled",
            with_drop_in(with_drop_in(healthy(), drop_in, mixed), own, process),
            vec![
                (sets(&["KillMode=mixed"], Some(own)), Danger::None),
                (Drift::KeptByDropIn, Danger::None),
            ],
        ),
        (
            "a harmless drop-in",
            with_drop_in(healthy(), drop_in, "[Service]\nMemoryMax=2G\n"),
            vec![(sets(&["MemoryMax=2G"], None), Danger::None)],
        ),
        (
            "a harmless drop-in for all services, of the distribution",
            with_drop_in(
                healthy(),
                "/usr/lib/systemd/system/service.d/10-timeout-abort.conf",
                "[Service]\nTimeoutStopFailureMode=abort\n",
            ),
            vec![],
        ),
        (
            "own drop-in",
            with_drop_in(healthy(), own, process),
            vec![(Drift::KeptByDropIn, Danger::None)],
        ),
    ];
    for (case, state, expected) in table {
        let found: Vec<_> = findings(&product(), &state, Some(TEXT), false)
            .into_iter()
            .map(|finding| (finding.what, finding.danger))
            .collect();
        assert_eq!(found, expected, "{case}");
    }
}

fn with_limit(mut state: UnitState) -> UnitState {
    state.facts.limits.push(crate::model::RateLimit {
        setting: "StartLimitIntervalSec".into(),
        interval: 10_000_000,
        burst: 5,
    });
    state
}

#[test]
fn a_limit_on_starts_that_the_installed_unit_has_not_is_found() {
    let without = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nKillMode=process\n";
    let drop_in = "/etc/systemd/system/toyd.service.d/limit.conf";
    let limits = |state: &UnitState, installed: &str| {
        let found = findings(&product(), state, Some(installed), false);
        let mut found = found.into_iter();
        found.find(|one| matches!(one.what, Drift::StartLimit { .. }))
    };
    let by_drop_in = with_drop_in(
        with_limit(healthy()),
        drop_in,
        "[Unit]\nStartLimitIntervalSec=10\n",
    );
    let finding = limits(&by_drop_in, without).expect("a finding");
    assert_eq!(finding.danger, Danger::None);
    assert!(finding.text().contains("5 starts in 10 s"), "{finding}");
    let remedy = finding.remedy.expect("something to type");
    assert!(remedy.contains(drop_in), "{remedy}");
    let edited = limits(&with_limit(healthy()), without).expect("a finding");
    assert_eq!(edited.remedy.as_deref(), Some("sudo toy system install"));
    // a product that wants one has one
    assert!(limits(&with_limit(healthy()), TEXT).is_none());
    assert!(limits(&healthy(), without).is_none());
}
