//! Guests are told from what others run, and are not given up where the helper cannot see.

use banger_tests::support::command;
use banger_tests::support::releases::Releases;
use banger_tests::support::stage::Stage;

/// A host with 0.1.0 installed.
#[test]
fn a_guest_that_proc_hides_is_not_called_gone() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    let shell = |line: &str| stage.host.shell(line).unwrap().ok().unwrap();
    for option in ["hidepid=ptraceable", "hidepid=invisible,gid=65534"] {
        shell(&format!("mount -o remount,{option} /proc"));
        shell("systemctl restart bangerd-root.service");
        let shown = stage.vm("web").unwrap();
        assert!(
            ["running", "unmanaged"].contains(&shown.state.as_str()),
            "{option}: {shown:?}"
        );
        for words in [["vm", "delete", "web"], ["vm", "stop", "web"]] {
            let refused = stage.banger_as_owner(&words).unwrap();
            assert_ne!(refused.code, Some(0), "{option}: {}", refused.text());
            let text = refused.text();
            assert!(text.contains("hidepid"), "{option}: {text}");
        }
        // it sees again, and needs no restart for it
        shell("mount -o remount,hidepid=0,gid=0 /proc");
        command::wait_for("the guest to be found again", 30, || {
            let vm = stage.vm("web").map_err(|error| error.to_string())?;
            if vm.state == "running" {
                Ok(())
            } else {
                Err(format!("{vm:?}"))
            }
        })
        .unwrap();
        stage.check_untouched(&guest).unwrap();
    }
    for words in [["vm", "stop", "web"], ["vm", "delete", "web"]] {
        stage.banger_as_owner(&words).unwrap().ok().unwrap();
    }
}

#[test]
fn what_runs_in_others_containers_under_the_uids_of_vms_is_nobodys_guest() {
    let stage = Stage::installed("0.1.0").unwrap();
    stage.run_guest("web").unwrap();
    let shell = |line: &str| stage.host.shell(line).unwrap().ok().unwrap();
    // one in the range of today, one in the range of before, as a container manager runs them
    for (unit, uid) in [("box-a", 2_100_000_009_u32), ("box-b", 600_001)] {
        shell(&format!(
            "systemd-run --quiet --unit={unit} --slice=machine.slice \
             setpriv --reuid {uid} --regid {uid} --clear-groups sleep infinity"
        ));
    }
    let pid_of = |unit| stage.host.property(unit, "MainPID").unwrap();
    let before = [pid_of("box-a.service"), pid_of("box-b.service")];
    stage.banger(&["system", "restart"]).unwrap().ok().unwrap();
    let names: Vec<String> = stage.vms().unwrap().into_iter().map(|vm| vm.name).collect();
    assert_eq!(names, ["web"]);

    stage
        .banger(&["system", "restart", "--stop-guests"])
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!([pid_of("box-a.service"), pid_of("box-b.service")], before);
    // and the ids that they use are not given to a VM
    let uid_of = |name: &str| {
        let pid = stage.vm(name).unwrap().pid.unwrap();
        shell(&format!("stat --format %u /proc/{pid}"))
    };
    let mut uids = Vec::new();
    for number in 0..9 {
        let name = format!("vm{number}");
        stage.run_guest(&name).unwrap();
        uids.push(uid_of(&name));
        for words in [["vm", "stop", &name], ["vm", "delete", &name]] {
            stage.banger_as_owner(&words).unwrap().ok().unwrap();
        }
    }
    let expected: Vec<String> = (1..=10)
        .filter(|number| *number != 9)
        .map(|number| (2_100_000_000_u32 + number).to_string())
        .collect();
    assert_eq!(uids, expected, "one after the other, and not one twice");
}

#[test]
fn an_install_is_refused_where_others_have_the_uids_of_vms() {
    let releases = Releases::new().unwrap();
    let first = releases.sound("0.1.0").unwrap();
    let stage = Stage::new(releases).unwrap();
    let path = stage.host.path("/etc/subuid");
    let before = fs_err::read_to_string(&path).unwrap_or_default();
    let line = "eve:2100000000:65536";
    stage
        .host
        .write("/etc/subuid", format!("{before}{line}\n"))
        .unwrap();
    let refused = stage.install(&first).unwrap();
    refused.exited(14).unwrap();
    for word in ["/etc/subuid", line, "hint:"] {
        assert!(refused.text().contains(word), "{}", refused.text());
    }
    assert!(!stage.host.path("/etc/banger/install.json").exists());
    stage.host.write("/etc/subuid", before).unwrap();
    stage.install(&first).unwrap().ok().unwrap();
}
