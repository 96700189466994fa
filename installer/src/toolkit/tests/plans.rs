//! Staleness and plans, as tables.

use std::path::PathBuf;

use crate::model::{
    Contents, FileImage, Found, Layout, ServiceFacts, UnitFacts, UnitName, UnitSpec,
};
use crate::observe::{DropIn, UnitState};
use crate::plan::{Staleness, findings};

const TEXT: &str = "[Service]\nExecStart=/bin/true\nKillMode=process\n";

fn layout() -> Layout {
    Layout {
        versions: "/v".into(),
        programs: "/b".into(),
        units: "/etc/systemd/system".into(),
        config: "/c".into(),
        install_state: "/s".into(),
        lock: "/l".into(),
        product_state: Vec::new(),
    }
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
        active_since: 1,
        service: Some(ServiceFacts {
            kill_mode: "process".into(),
            main_pid: 7,
            control_group: "/system.slice/toyd.service".into(),
            exec_start: None,
            restarts: 0,
        }),
    };
    UnitState {
        spec: UnitSpec {
            name,
            enable: true,
            keeps_children: true,
        },
        file: Found::File(FileImage {
            contents: Contents::Text(TEXT.into()),
            mode: 0o644,
            uid: 0,
            gid: 0,
        }),
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
    state.drop_ins.push(DropIn {
        path: path.into(),
        text: Some(text.into()),
    });
    state
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn contract_7_every_way_of_being_stale_is_found() {
    let drop_in = "/etc/systemd/system/toyd.service.d/memory.conf";
    let own = "/etc/systemd/system/toyd.service.d/zzz-banger-keep-guests.conf";
    let missing = || UnitState {
        file: Found::Missing,
        ..healthy()
    };
    let gone = || {
        let mut state = with_kill_mode(missing(), "control-group");
        state.facts.fragment = None;
        state.facts.load_state = "not-found".into();
        state.before = state.facts.clone();
        state
    };
    let shadowed = || {
        let mut state = healthy();
        state.facts.fragment = Some("/run/systemd/system.control/toyd.service".into());
        state.before = state.facts.clone();
        state
    };
    let not_loaded = || {
        let mut state = healthy();
        state.before.service.as_mut().expect("a service").kill_mode = "control-group".into();
        state
    };
    let kill_mode = |drop_ins: &[&str]| Staleness::KillMode {
        found: "mixed".into(),
        drop_ins: drop_ins.iter().map(PathBuf::from).collect(),
    };
    let table = [
        ("healthy", healthy(), vec![]),
        ("missing", missing(), vec![(Staleness::Missing, true)]),
        (
            "gone",
            gone(),
            vec![
                (Staleness::GoneWhileLoaded, false),
                (
                    Staleness::KillMode {
                        found: "control-group".into(),
                        drop_ins: vec![],
                    },
                    false,
                ),
            ],
        ),
        (
            "masked",
            UnitState {
                file: Found::Link("/dev/null".into()),
                ..healthy()
            },
            vec![(Staleness::Masked, true)],
        ),
        (
            "edited",
            UnitState {
                file: Found::File(FileImage::public("[Service]\nKillMode=process\n")),
                ..healthy()
            },
            vec![(Staleness::Edited, true)],
        ),
        (
            "shadowed",
            shadowed(),
            vec![(
                Staleness::Shadowed {
                    by: "/run/systemd/system.control/toyd.service".into(),
                },
                true,
            )],
        ),
        (
            "not loaded",
            not_loaded(),
            vec![(Staleness::NotLoaded, true)],
        ),
        (
            "no KillMode",
            with_kill_mode(healthy(), "mixed"),
            vec![(kill_mode(&[]), false)],
        ),
        (
            "overridden",
            with_drop_in(
                with_kill_mode(healthy(), "mixed"),
                drop_in,
                "[Service]\nKillMode=mixed\n",
            ),
            vec![(kill_mode(&[drop_in]), false)],
        ),
        (
            "harmless drop-in",
            with_drop_in(healthy(), drop_in, "[Service]\nMemoryMax=2G\n"),
            vec![(
                Staleness::DropIn {
                    path: drop_in.into(),
                    settings: vec!["MemoryMax=2G".into()],
                },
                true,
            )],
        ),
        (
            "own drop-in",
            with_drop_in(healthy(), own, "[Service]\nKillMode=process\n"),
            vec![(Staleness::KeptByDropIn { path: own.into() }, true)],
        ),
    ];
    for (case, state, expected) in table {
        let found: Vec<_> = findings(&layout(), &state, Some(TEXT))
            .into_iter()
            .map(|finding| (finding.what, finding.harmless))
            .collect();
        assert_eq!(found, expected, "{case}");
    }
}
