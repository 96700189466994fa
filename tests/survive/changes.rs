//! Changes that clients ask for while the software under them is restarted, updated and rolled back:
//! each is carried out, late if need be, and nothing of any is left.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use banger_tests::support::Result;
use banger_tests::support::command::{self, Output};
use banger_tests::support::stage::Stage;

/// How many changes there are in all; [`CHANGES`] when it is not set.
const VARIABLE: &str = "BANGER_CHANGES";
const CHANGES: usize = 1000;
const CLIENTS: usize = 4;
const RESTARTS: usize = 20;
const KERNEL: &str = "/home/alice/ticker.elf";

/// What root does meanwhile, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Restart,
    Update,
    Rollback,
}

fn deeds() -> Vec<Deed> {
    let mut deeds = vec![Deed::Restart; RESTARTS];
    deeds.insert(2 * RESTARTS / 3, Deed::Rollback);
    deeds.insert(RESTARTS / 3, Deed::Update);
    deeds
}

/// One client: runs, stops and deletes a VM of its own, again and again.
fn change(
    stage: &Stage,
    client: usize,
    rounds: usize,
    done: &AtomicUsize,
    wrong: &Mutex<Vec<String>>,
) {
    for round in 0..rounds {
        let name = format!("vm-{client}-{round}");
        let (run, stop, delete) = (
            ["vm", "run", &name, "--kernel", KERNEL],
            ["vm", "stop", &name, "--grace", "0"],
            ["vm", "delete", &name],
        );
        for words in [&run[..], &stop, &delete] {
            let output = stage.banger_as_owner(words);
            if let Err(said) = succeeded(output) {
                wrong.lock().unwrap().push(format!("{words:?}: {said}"));
            }
            done.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn succeeded(output: Result<Output>) -> Result<(), String> {
    match output {
        Ok(output) if output.success() => Ok(()),
        Ok(output) => Err(output.text()),
        Err(error) => Err(error.to_string()),
    }
}

/// Root's deeds, spread over the changes.
fn disturb(stage: &Stage, changes: usize, done: &AtomicUsize) -> Vec<String> {
    let deeds = deeds();
    let mut wrong = Vec::new();
    for (number, deed) in deeds.iter().enumerate() {
        while done.load(Ordering::SeqCst) < number * changes / deeds.len() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let words: &[&str] = match deed {
            Deed::Restart => &["system", "restart"],
            Deed::Update => &["update", "--yes"],
            Deed::Rollback => &["update", "--rollback", "--yes"],
        };
        if let Err(said) = succeeded(stage.banger(words)) {
            wrong.push(format!("{deed:?} number {number}: {said}"));
        }
    }
    wrong
}

/// What there is of VMs but those that are named: jails, records, links, scopes, processes.
fn left(stage: &Stage) -> String {
    let line = "ls /var/lib/banger-root/jail/firecracker /var/lib/banger-root/vms; \
                ls /run/banger-root | grep '[.]sock$' | grep -v bangerd; \
                systemctl list-units --all --plain --no-legend 'banger-vm-*' | cut -d ' ' -f 1; \
                ps -e -o uid=,args= | awk '$1 >= 600000'";
    let line = format!("({line}) | sort");
    stage.host.shell(&line).unwrap().ok().unwrap()
}

#[test]
fn every_change_during_restarts_an_update_and_a_rollback_is_carried_out() {
    let changes = std::env::var(VARIABLE).map_or(CHANGES, |text| text.parse().unwrap());
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    stage.publish("0.1.1").unwrap();
    let before = left(&stage);

    let rounds = changes.div_ceil(3 * CLIENTS);
    let (done, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let begun = std::time::Instant::now();
    let disturbed = std::thread::scope(|threads| {
        for client in 0..CLIENTS {
            let (stage, done, wrong) = (&stage, &done, &wrong);
            threads.spawn(move || change(stage, client, rounds, done, wrong));
        }
        disturb(&stage, 3 * CLIENTS * rounds, &done)
    });
    let (done, wrong) = (done.into_inner(), wrong.into_inner().unwrap());
    println!(
        "{done} changes by {CLIENTS} clients during {RESTARTS} restarts, an update and a rollback, \
         in {} s: {} failed",
        begun.elapsed().as_secs(),
        wrong.len()
    );
    assert!(disturbed.is_empty(), "{}", disturbed.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(left(&stage), before, "something is left");
    let names: Vec<String> = stage.vms().unwrap().into_iter().map(|vm| vm.name).collect();
    assert_eq!(names, ["web"]);
    stage.check_untouched(&guest).unwrap();
    // the rollback that was asked for, and no other
    let version = stage.banger(&["--version"]).unwrap().ok().unwrap();
    assert_eq!(version, "banger 0.1.0");
}

/// What an update does to a process that it finds in the helper's control group: moves it into the
/// scope of its VM. The helper is stopped meanwhile, so that it comes second.
const MOVE_FIRST: &str = r#"
helper=$(systemctl show --value --property MainPID bangerd-root.service)
moved=
echo watching >/root/moved
while :; do
    while read -r pid; do
        case " $helper $moved " in *" $pid "*) continue ;; esac
        kill -STOP "$helper"
        words=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")
        case $words in *--jail-gate*) ;; *) kill -CONT "$helper"; continue ;; esac
        id=${words#*--id }
        busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
            org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' \
            "banger-vm-${id%% *}.scope" fail 2 PIDs au 1 "$pid" Slice s banger.slice 0 \
            >>/root/moved 2>&1
        kill -CONT "$helper"
        moved="$moved $pid"
    done </sys/fs/cgroup/system.slice/bangerd-root.service/cgroup.procs
done"#;

#[test]
fn a_vm_that_somebody_else_moves_into_its_scope_first_starts_with_its_limits() {
    let stage = Stage::installed("0.1.0").unwrap();
    let mut child = stage
        .host
        .command(["/bin/sh", "-c", MOVE_FIRST])
        .stdin(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let moved = || fs_err::read_to_string(stage.host.path("/root/moved")).unwrap_or_default();
    command::wait_for("the racer", 30, || {
        let seen = Some(()).filter(|()| !moved().is_empty());
        seen.ok_or_else(|| "nothing yet".to_owned())
    })
    .unwrap();
    for number in 0..5 {
        stage.run_guest(&format!("vm-{number}")).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let moved = moved();
    assert!(moved.contains("o \""), "none was moved first: {moved}");
    for vm in stage.vms().unwrap() {
        let scope = format!("banger-vm-{}.scope", vm.id);
        let tasks = stage.host.property(&scope, "TasksMax").unwrap();
        assert_eq!(tasks, "17", "{vm:?}: {moved}");
    }
}
