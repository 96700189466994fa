//! What an owner may do to a daemon of her own: it rolls no update of root's helper back, and no
//! version is held to blame for it.

use std::process::{Child, Stdio};

use banger_tests::support::command;
use banger_tests::support::stage::{Guest, OWNER, Stage};
use serde_json::Value;

use crate::probation;

const OLD: &str = "0.1.0";
const NEW: &str = "0.1.1";
const HELPER: &str = "bangerd-root.service";
const RESCUE: &str = "banger-rescue.service";

/// What the owner does to each new main process of her daemon, for ever: told in [`DEEDS`].
const WATCH: &str = r#"
old=$(systemctl show --value --property MainPID bangerd.service)
echo watching >>deeds
while :; do
    pid=$(systemctl show --value --property MainPID bangerd.service)
    if [ "$pid" != "$old" ] && [ "$pid" != 0 ] && kill "-$0" "$pid" 2>/dev/null; then
        echo "$0 $pid" >>deeds
        old=$pid
    fi
done"#;

/// The owner's daemon of the old version, at a socket of her own in the place of systemd's.
const REPLACE: &str = r"
rm /run/banger/bangerd.sock
echo watching >>deeds
exec systemd-socket-activate --listen=/run/banger/bangerd.sock \
    /usr/local/lib/banger/0.1.0/bin/bangerd --system";

/// Where the owner's deeds are told.
const DEEDS: &str = "/home/alice/deeds";

struct Scene {
    stage: Stage,
    guest: Guest,
}

/// Something of the owner's that goes on; it is ended with the host.
struct Deed(Child);

impl Drop for Deed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Scene {
    fn new() -> Self {
        let (stage, guest) = Stage::with_guest(OLD).unwrap();
        stage.publish(NEW).unwrap();
        probation::shorten(&stage);
        Self { stage, guest }
    }

    /// The owner begins, and has an eye on her daemon when this returns.
    fn begin(&self, script: &str, word: &str) -> Deed {
        let line = format!("cd && {}", script.trim());
        let child = self
            .stage
            .host
            .command_as(OWNER, ["/bin/sh", "-c", &line, word])
            .env("HOME", "/home/alice")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deed = Deed(child);
        command::wait_for("the owner", 30, || self.deeds()).unwrap();
        deed
    }

    fn deeds(&self) -> Result<String, String> {
        fs_err::read_to_string(self.stage.host.path(DEEDS)).map_err(|error| error.to_string())
    }

    fn status(&self) -> Value {
        let status = self.stage.banger(&["system", "status", "--json"]);
        serde_json::from_str(&status.unwrap().ok().unwrap()).unwrap()
    }

    /// The update holds, and the version is off its probation in the end.
    fn check_holds(&self, why: &str) {
        let said = self
            .stage
            .banger(&["update", "--yes"])
            .unwrap()
            .ok()
            .unwrap();
        command::wait_for("the end of the probation", 150, || {
            match self.stage.host.property(RESCUE, "ActiveState").as_deref() {
                Ok("inactive") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .unwrap();
        probation::check_shortened(&self.stage);
        // the update, or the watch after it: whichever looked while it was so
        let journal = self.stage.host.journal(Some(RESCUE)).unwrap();
        let told = said.contains(why) || journal.contains(why);
        assert!(told, "nothing told of {why:?}: {said}\n{journal}");
        let status = self.status();
        assert_eq!(status["receipt"]["version"], NEW, "{status}");
        assert!(status["receipt"]["rolled_back"].is_null(), "{status}");
        assert!(status["probation"].is_null(), "{status}");
        let helper = status["units"].as_array().unwrap().iter();
        let helper = helper.clone().find(|unit| unit["unit"] == HELPER).unwrap();
        assert_eq!(helper["answers"], NEW, "{status}");
        let seen = self.stage.host.path("/var/lib/banger-install/seen.json");
        let seen = fs_err::read_to_string(seen).unwrap();
        assert!(!seen.contains("\"failed\""), "{seen}");
        let now = banger_tests::support::process::identify(self.guest.identity.pid).unwrap();
        assert_eq!(now, Some(self.guest.identity), "the guest was touched");
    }
}

#[test]
fn an_owner_who_stops_her_daemon_rolls_no_update_back() {
    let scene = Scene::new();
    let _deed = scene.begin(WATCH, "STOP");
    scene.check_holds("its process is stopped");
    assert!(scene.deeds().unwrap().contains("STOP "));
}

#[test]
fn an_owner_who_kills_her_daemon_again_and_again_rolls_no_update_back() {
    let scene = Scene::new();
    let _deed = scene.begin(WATCH, "KILL");
    scene.check_holds("bangerd.service does not answer: ");
    let deeds = scene.deeds().unwrap();
    assert!(deeds.matches("KILL ").count() > 3, "{deeds}");
}

#[test]
fn an_owner_who_listens_in_her_daemons_place_rolls_no_update_back() {
    let scene = Scene::new();
    let _deed = scene.begin(REPLACE, "");
    scene.check_holds("somebody else answers in its place");
}
