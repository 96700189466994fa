//! A new version whose daemon is bad: it is found out, the version before it comes back, and the
//! guest does not notice.

use std::process::Stdio;
use std::time::{Duration, Instant};

use banger_tests::support::bad::{Bad, FALSE_VERSION};
use banger_tests::support::command;
use banger_tests::support::race::holder_of;
use banger_tests::support::releases::BROKEN_VERSION;
use banger_tests::support::stage::{Guest, Stage};
use serde_json::Value;

const OLD: &str = "0.1.0";
const RESCUE: &str = "banger-rescue.service";
/// By its name: what failed is not tried again by itself.
const UPDATE: [&str; 4] = ["update", "--yes", "--version", BROKEN_VERSION];

/// A host with [`OLD`] installed and one guest in it.
struct Scene {
    stage: Stage,
    guest: Guest,
}

impl Scene {
    fn new() -> Self {
        let (stage, guest) = Stage::with_guest(OLD).unwrap();
        Self { stage, guest }
    }

    fn offer(&self, bad: Bad) {
        let releases = &self.stage.releases;
        releases.publish(&releases.bad(bad).unwrap()).unwrap();
    }

    fn status(&self) -> Result<Value, String> {
        let status = self.stage.banger(&["system", "status", "--json"]);
        let text = status
            .and_then(command::Output::ok)
            .map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    /// Whether the old version is installed, both daemons say so, and no run is left over.
    fn see_old_version(&self) -> Result<Value, String> {
        let status = self.status()?;
        let answers: Vec<&str> = status["units"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|unit| unit["answers"].as_str())
            .collect();
        let idle = ["pending", "in_progress", "probation"];
        let over = idle.iter().all(|field| status[field].is_null());
        if status["receipt"]["version"] == OLD && answers == [OLD, OLD] && over {
            Ok(status)
        } else {
            Err(status.to_string())
        }
    }

    /// Waits until nobody has to do anything any more, and gives the status then.
    fn wait_for_old_version(&self) -> Value {
        command::wait_for("the old version", 90, || self.see_old_version()).unwrap()
    }

    fn wait_for_rescue_to_end(&self) {
        command::wait_for("the rescue unit to end", 90, || {
            match self.stage.host.property(RESCUE, "ActiveState").as_deref() {
                Ok("inactive") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .unwrap();
    }

    /// Everything is as it was before: versions, units, records, the guest.
    fn check_as_before(&self, bad: Bad) {
        let status = self.see_old_version().unwrap();
        assert_eq!(status["findings"], serde_json::json!([]), "{bad:?}");
        let version = self.stage.banger(&["--version"]).unwrap().ok().unwrap();
        assert_eq!(version, format!("banger {OLD}"), "{bad:?}");
        let record = self.stage.vm("web").unwrap();
        let record = format!("/var/lib/banger-root/vms/{}/record.json", record.id);
        let record = fs_err::read(self.stage.host.path(record)).unwrap();
        let record: Value = serde_json::from_slice(&record).unwrap();
        assert_eq!(record["schema"], 1, "{bad:?}");
        self.stage.check_untouched(&self.guest).unwrap();
    }

    /// Without this a test of a bad daemon may have seen a sound one.
    fn check_was_bad(&self, bad: Bad) {
        let journal = self.stage.host.journal(Some(bad.unit())).unwrap();
        assert!(journal.contains(&bad.confession()), "{bad:?}: {journal}");
    }

    /// An update to the bad version is refused, for a reason with one of `whys` in it.
    fn check_refused(&self, bad: Bad, whys: &[String]) {
        self.offer(bad);
        let update = self.stage.banger(&UPDATE).unwrap();
        let text = update.text();
        assert_eq!(update.code, Some(9), "{bad:?}: {text}");
        let named = whys.iter().any(|why| text.contains(why));
        assert!(named, "{bad:?}: none of {whys:?} in {text}");
        self.check_was_bad(bad);
        self.check_as_before(bad);
    }

    /// An update to the bad version holds, and is rolled back without a command, for the reason
    /// `why`. Gives the time from the update's end to the old version's answer.
    fn check_left_later(&self, bad: Bad, why: &str) -> Duration {
        self.offer(bad);
        self.stage.banger(&UPDATE).unwrap().ok().unwrap();
        let since = Instant::now();
        let status = self.wait_for_old_version();
        let took = since.elapsed();
        let left = &status["receipt"]["rolled_back"];
        assert_eq!(left["version"], BROKEN_VERSION, "{status}");
        let told = left["why"].as_str().unwrap_or_default();
        assert!(told.contains(bad.unit()) && told.contains(why), "{status}");
        assert_eq!(told.matches(why).count(), 1, "{told}");
        let shown = self.stage.banger(&["system", "status"]).unwrap();
        assert!(shown.text().contains(told), "{}", shown.text());
        self.wait_for_rescue_to_end();
        self.check_was_bad(bad);
        self.check_as_before(bad);
        took
    }

    /// The updater dies when `current` names the bad version and `ripe` says so; the rescue unit
    /// rolls back what it left. Gives the time from the death to the old version's answer.
    fn check_killed(&self, bad: Bad, ripe: impl Fn() -> bool) -> Duration {
        self.offer(bad);
        let host = &self.stage.host;
        let mut updater = host
            .command(["/usr/local/bin/banger", "update", "--yes"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ask = holder_of("/run/banger-install.lock");
        let pid = command::wait_for("the updater's pid", 60, || {
            let text = host.shell(&ask).map_err(|error| error.to_string())?.stdout;
            let pid = text.trim().parse().map_err(|_| text)?;
            host.outer_pid(pid).map_err(|error| error.to_string())
        })
        .unwrap();
        let current = host.path("/usr/local/lib/banger/current");
        command::wait_for("the moment to kill", 60, || {
            match fs_err::read_link(&current) {
                Ok(target) if target.ends_with(BROKEN_VERSION) && ripe() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .unwrap();
        // the release's own program, which works, and then the one that called it
        let children = format!("/proc/{pid}/task/{pid}/children");
        for child in fs_err::read_to_string(children).unwrap().split_whitespace() {
            kill(child.parse().unwrap());
        }
        kill(pid);
        let since = Instant::now();
        assert!(!updater.wait().unwrap().success(), "{bad:?}");
        self.wait_for_old_version();
        let took = since.elapsed();
        self.wait_for_rescue_to_end();
        self.check_as_before(bad);
        took
    }

    fn was_bad(&self, bad: Bad) -> bool {
        let journal = self.stage.host.journal(Some(bad.unit()));
        journal.is_ok_and(|journal| journal.contains(&bad.confession()))
    }
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn job(bad: Bad) -> String {
    format!("the restart job of {} ended as", bad.unit())
}

#[test]
fn a_bad_daemon_that_does_not_come_up_is_refused() {
    let scene = Scene::new();
    let cases = [Bad::Exits, Bad::HangsAtStart, Bad::CannotRead];
    for bad in cases {
        scene.check_refused(bad, &[job(bad)]);
    }
    println!("{} bad daemons", cases.len());
}

#[test]
fn a_bad_daemon_that_writes_state_of_a_later_schema_is_refused_and_the_state_put_back() {
    let scene = Scene::new();
    let bad = Bad::WritesLaterSchema;
    scene.check_refused(bad, &[job(bad)]);
    let journal = scene.stage.host.journal(Some(bad.unit())).unwrap();
    assert!(journal.contains("has schema 99 now"), "{journal}");
}

#[test]
fn a_bad_daemon_that_comes_up_and_is_not_well_is_refused() {
    let scene = Scene::new();
    let unit = Bad::WrongVersion.unit();
    let lie = format!("{unit} says {FALSE_VERSION}, expected {BROKEN_VERSION}");
    scene.check_refused(Bad::WrongVersion, &[lie]);
    // one that goes on dying is seen dying, or never seen
    let dying = [
        "answered, and then ended",
        "did not answer within",
        "failed: it exited with status 1",
    ];
    scene.check_refused(Bad::Loops, &dying.map(|why| format!("{unit} {why}")));
    let forgotten = "no longer known to the services: web".to_owned();
    scene.check_refused(Bad::Forgets, &[forgotten]);
}

#[test]
fn a_bad_daemon_that_dies_later_is_left_without_a_command() {
    let took = Scene::new().check_left_later(Bad::DiesLater, "exited");
    println!("the old version answers {took:?} after the update");
}

#[test]
fn a_bad_daemon_that_exits_with_0_by_itself_has_failed() {
    let took = Scene::new().check_left_later(Bad::LeavesLater, "exited");
    println!("the old version answers {took:?} after the update");
}

#[test]
fn a_bad_daemon_that_hangs_later_is_left_without_a_command() {
    let took = Scene::new().check_left_later(Bad::HangsLater, "does not answer");
    println!("the old version answers {took:?} after the update");
}

#[test]
fn a_bad_daemon_whose_updater_is_killed_is_left_without_a_command() {
    let scene = Scene::new();
    let took = [
        scene.check_killed(Bad::Exits, || true),
        scene.check_killed(Bad::HangsAtStart, || scene.was_bad(Bad::HangsAtStart)),
        scene.check_killed(Bad::WrongVersion, || scene.was_bad(Bad::WrongVersion)),
    ];
    println!("the old version answers {took:?} after the updater's death");
}

#[test]
fn a_way_back_that_a_mask_bars_is_told_in_the_journal_and_taken_once_it_is_free() {
    let scene = Scene::new();
    let bad = Bad::HangsLater;
    let unit = bad.unit();
    scene.offer(bad);
    let update = scene.stage.banger(&["update", "--yes"]).unwrap();
    update.ok().unwrap();
    let host = &scene.stage.host;
    let mask = format!("rm /etc/systemd/system/{unit} && systemctl mask {unit}");
    host.shell(&mask).unwrap().ok().unwrap();
    let journal = command::wait_for("the rescue to fail", 60, || {
        let said = host
            .journal(Some(RESCUE))
            .map_err(|error| error.to_string())?;
        // 14: something of an administrator's stands in the way
        if said.contains("status=14") {
            return Ok(said);
        }
        Err(said)
    })
    .unwrap();
    for words in [
        format!("error: {unit} is masked by /etc/systemd/system/{unit}; nothing was changed"),
        format!("hint:  sudo systemctl unmask {unit}"),
    ] {
        assert!(journal.contains(&words), "no {words:?} in {journal}");
    }
    let unmask = format!("systemctl unmask {unit}");
    host.shell(&unmask).unwrap().ok().unwrap();
    scene.wait_for_old_version();
    scene.wait_for_rescue_to_end();
    scene.check_as_before(bad);
}
