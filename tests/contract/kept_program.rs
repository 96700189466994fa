//! A journal that the program at hand cannot read is recovered by the one that was kept beside it.

use banger_tests::support::command;
use banger_tests::support::command::Output;
use banger_tests::support::stage::{Guest, OWNER, Stage};

const JOURNAL: &str = "/var/lib/banger-install/journal.json";
const KEPT: &str = "/usr/local/lib/banger/.keeper";
const AWAY: &str = "/etc/systemd/system/banger-rescue.service.d/away.conf";

struct Scene {
    stage: Stage,
    guest: Guest,
}

impl Scene {
    /// An update whose program died after the switch or before it, by the number of the rename at which
    /// it did. The rescue unit is kept away. The journal is as a later version would have written it.
    fn new(rename: usize) -> Self {
        let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
        let second = stage.releases.wide("0.1.1").unwrap();
        stage.releases.publish(&second).unwrap();
        let scene = Self { stage, guest };
        let host = &scene.stage.host;
        host.write(AWAY, "[Unit]\nConditionPathExists=/nonexistent\n")
            .unwrap();
        scene.root("systemctl daemon-reload");
        let killed = host.shell(&format!(
            "strace -f -o /dev/null -e trace=rename -e inject=rename:signal=KILL:when={rename} \
             banger update --yes"
        ));
        let killed = killed.unwrap();
        assert!(!killed.success(), "it was not killed: {}", killed.text());
        // the release's own program is kept, and nobody else's
        scene.root(&format!(
            "cmp {KEPT} /usr/local/lib/banger/0.1.1/bin/banger && stat -c %u:%a {KEPT} | grep -x 0:755"
        ));
        scene.root(&format!(
            "grep -q '\"schema\": 1' {JOURNAL} && \
             sed -i '0,/\"schema\": 1/s//\"schema\": 2/' {JOURNAL} && cp -p {KEPT} /root/kept"
        ));
        scene
    }

    fn root(&self, line: &str) -> String {
        self.stage.host.shell(line).unwrap().ok().unwrap()
    }

    /// Puts the program there of a version that reads the journal: it makes of it what this one reads.
    fn keep_one_that_reads_it(&self) {
        let text = format!(
            "#!/bin/sh\nsed -i '0,/\"schema\": 2/s//\"schema\": 1/' {JOURNAL}\n\
             exec /root/kept \"$@\"\n"
        );
        self.root(&format!("rm -rf {KEPT}"));
        self.stage.host.write(KEPT, text).unwrap();
        self.root(&format!("chmod 755 {KEPT}"));
    }

    fn let_rescue_work(&self) {
        self.root(&format!(
            "rm -r $(dirname {AWAY}) && systemctl daemon-reload && \
             systemctl restart --no-block banger-rescue.service"
        ));
    }

    /// The old version is back, wholly, and the guest did not notice.
    fn check_rolled_back(&self) {
        let host = &self.stage.host;
        command::wait_for("the rollback", 60, || {
            let gone = [JOURNAL, KEPT].iter().all(|path| !host.path(path).exists());
            gone.then_some(()).ok_or_else(|| "it is there".to_owned())
        })
        .unwrap();
        let status = self.stage.banger(&["system", "status", "--json"]).unwrap();
        let status: serde_json::Value = serde_json::from_str(&status.ok().unwrap()).unwrap();
        assert_eq!(status["receipt"]["version"], "0.1.0", "{status}");
        assert_eq!(status["findings"], serde_json::json!([]), "{status}");
        assert!(!host.path("/usr/local/bin/banger-extra").exists());
        self.stage.check_untouched(&self.guest).unwrap();
    }

    /// Refused: the journal stays, nothing is changed, and the error names the reason.
    fn check_refused(&self, why: &str) -> Output {
        let before = crate::commands::tree_but_memory(&self.stage.host);
        let refused = self.stage.banger(&["system", "restart"]).unwrap();
        let text = refused.text();
        assert_eq!(refused.code, Some(13), "{text}");
        assert!(text.contains("schema 2") && text.contains(why), "{text}");
        assert!(text.contains("hint:"), "{text}");
        let after = crate::commands::tree_but_memory(&self.stage.host);
        crate::commands::assert_same(&before, &after);
        refused
    }
}

#[test]
fn the_rescue_recovers_a_journal_of_a_later_version_by_the_program_that_was_kept() {
    let scene = Scene::new(30);
    // what is kept here is of the same version, and says itself that it cannot read it
    let refused = scene.check_refused("ended with exit status: 13");
    assert!(refused.text().contains("sudo mv"), "{}", refused.text());
    scene.keep_one_that_reads_it();
    scene.let_rescue_work();
    scene.check_rolled_back();
}

#[test]
fn a_command_recovers_a_journal_of_a_later_version_only_by_a_program_that_is_roots_alone() {
    let scene = Scene::new(12);
    scene.root(&format!("rm {KEPT}"));
    scene.check_refused("there is no /usr/local/lib/banger/.keeper");
    scene.root(&format!("ln -s /root/kept {KEPT}"));
    scene.check_refused("is not a file");
    scene.keep_one_that_reads_it();
    scene.root(&format!("chown {OWNER} {KEPT}"));
    scene.check_refused("not to root");
    scene.root(&format!("chown root {KEPT}; chmod 777 {KEPT}"));
    scene.check_refused("can be written by others");
    scene.root(&format!(
        "printf '#!/bin/sh\\nkill -SEGV $$\\n' >{KEPT}; chmod 755 {KEPT}"
    ));
    scene.check_refused("made no plan");
    scene.keep_one_that_reads_it();
    scene
        .stage
        .banger(&["system", "restart"])
        .unwrap()
        .ok()
        .unwrap();
    scene.root(&format!(
        "rm -r $(dirname {AWAY}) && systemctl daemon-reload"
    ));
    scene.check_rolled_back();
}
