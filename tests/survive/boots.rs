//! Boots: what an interrupted operation left is rolled back or finished before a daemon starts.

use banger_tests::support::command;
use banger_tests::support::stage::Stage;
use serde_json::Value;

const OLD: &str = "0.1.0";
const NEW: &str = "0.1.1";
const RESCUE: &str = "banger-rescue.service";
const DAEMONS: [&str; 2] = ["bangerd-root.service", "bangerd.service"];
const JOURNAL: &str = "/var/lib/banger-install/journal.json";
const KEPT: &str = "/usr/local/lib/banger/.keeper";

struct Scene {
    stage: Stage,
}

impl Scene {
    fn new() -> Self {
        let stage = Stage::installed(OLD).unwrap();
        let release = stage.releases.sound(NEW).unwrap();
        stage.unpack(&release).unwrap();
        Self { stage }
    }

    fn shell(&self, line: &str) -> String {
        let output = self.stage.host.shell(line).unwrap();
        output.ok().unwrap().trim().to_owned()
    }

    /// An update that dies at the `number`th of its `calls`, on a host whose rescue unit does nothing
    /// until the next boot.
    fn kill_update(&self, calls: &str, number: usize) {
        self.shell(
            "mkdir -p /run/systemd/system/banger-rescue.service.d && \
             printf '[Unit]\\nConditionPathExists=/nonexistent\\n' \
                 > /run/systemd/system/banger-rescue.service.d/off.conf && systemctl daemon-reload",
        );
        let line = format!(
            "strace -f -o /dev/null -e trace={calls} -e inject={calls}:signal=KILL:when={number} \
             /root/banger-{NEW}/bin/banger system install --owner alice"
        );
        let killed = self.stage.host.shell(&line).unwrap();
        assert!(!killed.success(), "it was not killed: {}", killed.text());
        assert!(self.stage.host.path(JOURNAL).exists(), "{calls} {number}");
    }

    /// A property of systemd's that is a time, in microseconds since the boot.
    fn time(&self, unit: &str, property: &str) -> u64 {
        let property = format!("{property}TimestampMonotonic");
        let text = self.stage.host.property(unit, &property).unwrap();
        text.parse().unwrap()
    }

    fn wait_for_daemons(&self) -> String {
        command::wait_for("both daemons", 90, || {
            let status = self.stage.banger(&["system", "status", "--json"]);
            let text = status
                .and_then(command::Output::ok)
                .map_err(|error| error.to_string())?;
            let status: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let answers: Vec<&str> = status["units"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|unit| unit["answers"].as_str())
                .collect();
            let version = status["receipt"]["version"].as_str().unwrap_or_default();
            if answers == [version, version] && status["pending"].is_null() {
                return Ok(version.to_owned());
            }
            Err(text)
        })
        .unwrap()
    }

    /// That a daemon was started once, and that it was after the recovery's end.
    fn check_started_after_recovery(&self, at: &str) {
        // the watch begins when the recovery has ended
        let recovered = self.time(RESCUE, "ExecMainStart");
        assert!(recovered > 0, "{at}: there was no recovery");
        for unit in DAEMONS {
            let started = self.time(unit, "ExecMainStart");
            let told = self.stage.host.journal(Some(unit)).unwrap();
            assert!(
                started > recovered,
                "{at}: {unit} {started} {recovered}: {told}"
            );
            // once: it did not run on something else before
            let starts = told
                .lines()
                .filter(|line| line.starts_with("Starting "))
                .count();
            assert_eq!(starts, 1, "{at}: {told}");
            assert_eq!(
                self.stage.host.property(unit, "NRestarts").unwrap(),
                "0",
                "{at}"
            );
        }
    }
}

#[test]
fn an_interrupted_update_is_whole_before_the_daemons_start() {
    let mut scene = Scene::new();
    let (mut old, mut new) = (0, 0);
    // before and after the switch, at the restart, and after the commit
    for (calls, number, told) in MOMENTS {
        let at = format!("killed at {calls} {number}");
        scene.kill_update(calls, number);
        scene.stage.host.reboot().unwrap();
        let version = scene.wait_for_daemons();
        let journal = scene.stage.host.journal(Some(RESCUE)).unwrap();
        assert!(journal.contains(told), "{at}: {journal}");
        scene.check_started_after_recovery(&at);
        assert!(!scene.stage.host.path(JOURNAL).exists(), "{at}");
        match version.as_str() {
            OLD => old += 1,
            _ => new += 1,
        }
        if version == NEW {
            break;
        }
    }
    println!("{old} boots ended old, {new} new");
    assert!(old > 0 && new > 0, "{old} old, {new} new");
}

#[test]
fn a_journal_that_the_installed_program_cannot_read_is_recovered_at_boot_by_the_one_that_was_kept()
{
    let mut scene = Scene::new();
    scene.kill_update("rename", 10);
    // what a later version would have written, and the program of that version
    scene.shell(&format!(
        "grep -q '\"schema\": 1' {JOURNAL} && sed -i '0,/\"schema\": 1/s//\"schema\": 2/' {JOURNAL}"
    ));
    scene.shell(&format!("mv {KEPT} /root/kept"));
    let later = format!(
        "#!/bin/sh\nsed -i '0,/\"schema\": 2/s//\"schema\": 1/' {JOURNAL}\nexec /root/kept \"$@\"\n"
    );
    scene.stage.host.write(KEPT, later).unwrap();
    scene.shell(&format!("chmod 755 {KEPT}"));
    scene.stage.host.reboot().unwrap();
    assert_eq!(scene.wait_for_daemons(), OLD);
    scene.check_started_after_recovery("with a journal of a later version");
    assert!(!scene.stage.host.path(JOURNAL).exists());
    assert!(!scene.stage.host.path(KEPT).exists());
}

#[test]
fn a_boot_without_a_journal_waits_for_no_recovery() {
    let mut scene = Scene::new();
    scene.stage.host.reboot().unwrap();
    assert_eq!(scene.wait_for_daemons(), OLD);
    let host = &scene.stage.host;
    assert_eq!(host.property(RESCUE, "ConditionResult").unwrap(), "no");
    assert_eq!(scene.time(RESCUE, "ExecMainStart"), 0);

    // and with a version on probation the daemons start while it is watched
    let install = format!("/root/banger-{NEW}/bin/banger system install --owner alice");
    scene.shell(&install);
    scene.stage.host.reboot().unwrap();
    assert_eq!(scene.wait_for_daemons(), NEW);
    let host = &scene.stage.host;
    assert_eq!(host.property(RESCUE, "ActiveState").unwrap(), "active");
    let journal = host.journal(Some(RESCUE)).unwrap();
    assert!(!journal.contains("was found"), "{journal}");
}

/// System calls at which an update dies, and what the boot tells after it.
const MOMENTS: [(&str, usize, &str); 4] = [
    ("rename", 2, "rolled back"),
    ("symlink,symlinkat", 1, "rolled back"),
    ("rename", 20, "rolled back"),
    ("rmdir", 1, "finished"),
];
