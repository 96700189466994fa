//! State on disk that is lost or damaged: guests run on, and are found again.

use banger_tests::support::stage::{Guest, Stage};

const STATE: &str = "/var/lib/banger-root";

/// A host with 0.1.0 installed and two guests in it.
fn stage_with_guests() -> (Stage, [Guest; 2]) {
    let stage = Stage::installed("0.1.0").unwrap();
    let guests = ["web", "db"].map(|name| stage.run_guest(name).unwrap());
    (stage, guests)
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Removed,
    Flipped,
    Truncated,
}

/// Damages files under a helper that is stopped, and has it started by the next request.
fn damage(stage: &Stage, files: &[String], damage: Damage) {
    let units = "bangerd-root.socket bangerd.socket bangerd.service bangerd-root.service";
    let stop = format!("systemctl stop {units}");
    stage.host.shell(&stop).unwrap().ok().unwrap();
    for file in files {
        let path = stage.host.path(file);
        match damage {
            Damage::Removed => {
                let line = format!("rm {file}");
                stage.host.shell(&line).unwrap().ok().unwrap();
            }
            Damage::Flipped => {
                let mut bytes = fs_err::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs_err::write(&path, bytes).unwrap();
            }
            Damage::Truncated => {
                let bytes = fs_err::read(&path).unwrap();
                fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            }
        }
    }
    // nobody starts sockets that often but a test: systemd would refuse
    let start = "systemctl reset-failed bangerd-root.socket bangerd.socket && \
                 systemctl start bangerd-root.socket bangerd.socket || \
                 { journalctl --no-pager --lines=30; false; }";
    stage.host.shell(start).unwrap().ok().unwrap();
}

/// A record is as it should be again: it names the VM and is kept twice.
fn assert_written_anew(stage: &Stage, folder: &str, guest: &Guest) {
    for name in ["record.json", "record.json.last"] {
        let text = fs_err::read(stage.host.path(format!("{folder}/{name}"))).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(record["name"], guest.name.as_str(), "{record}");
        assert_eq!(record["process"]["pid"], guest.pid, "{record}");
        assert!(record["checksum"].is_string(), "{record}");
    }
}

#[test]
fn guests_are_found_again_whichever_state_file_is_lost_or_damaged() {
    let (stage, guests) = stage_with_guests();
    let [web, _] = &guests;
    let id = stage.vm("web").unwrap().id;
    let folder = format!("{STATE}/vms/{id}");
    let record = format!("{folder}/record.json");
    let copy = format!("{folder}/record.json.last");
    let pidfile = format!("{STATE}/jail/firecracker/{id}/root/firecracker.pid");
    let link = format!("/run/banger-root/{id}.sock");
    let both = [record.clone(), copy.clone()];
    let cases: [(&[String], &[Damage]); 7] = [
        (
            std::slice::from_ref(&record),
            &[Damage::Removed, Damage::Flipped, Damage::Truncated],
        ),
        (
            std::slice::from_ref(&copy),
            &[Damage::Removed, Damage::Flipped],
        ),
        // nothing names the process any more: its jail, uid, scope and its own answer do
        (&both, &[Damage::Removed, Damage::Flipped]),
        (
            &[format!("{STATE}/handles.json")],
            &[Damage::Removed, Damage::Flipped, Damage::Truncated],
        ),
        (
            &[format!("{STATE}/uids.json")],
            // it is written anew by the next start of a VM
            &[Damage::Flipped, Damage::Removed],
        ),
        (&[link, record.clone()], &[Damage::Removed]),
        (&[pidfile], &[Damage::Removed]),
    ];
    for (files, damages) in cases {
        for kind in damages {
            damage(&stage, files, *kind);
            for guest in &guests {
                let untouched = stage.check_untouched(guest);
                assert!(untouched.is_ok(), "{kind:?} {files:?}: {untouched:?}");
            }
            if files.contains(&record) || files.contains(&copy) {
                assert_written_anew(&stage, &folder, web);
            }
        }
    }
    let names: Vec<String> = stage.vms().unwrap().into_iter().map(|vm| vm.name).collect();
    assert_eq!(names, ["db", "web"]);

    // with its name lost everywhere, it goes by its id, and can be stopped and deleted by that
    damage(
        &stage,
        &[both.to_vec(), vec![format!("{STATE}/handles.json")]].concat(),
        Damage::Removed,
    );
    let found = stage.vm(&id).unwrap();
    assert_eq!(
        (found.state.as_str(), found.pid),
        ("running", Some(web.pid))
    );
    for words in [["vm", "stop", id.as_str()], ["vm", "delete", id.as_str()]] {
        stage.banger_as_owner(&words).unwrap().ok().unwrap();
    }
    assert_eq!(stage.vms().unwrap().len(), 1);
}
