//! D-Bus goes away in the middle of an update, on a real host: whatever the moment, the next run
//! leaves it wholly old or wholly new, and the child lives.

use std::process::Stdio;

use banger_tests::support::command::{self, Output};

use crate::toy::{TRACE, Toy};

/// How the bus goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Its daemon is killed; systemd starts another for whoever knocks at the socket.
    Crash,
    /// The socket is closed, too.
    Gone,
}

impl Toy {
    /// An update that is stopped at its n-th rename, while the bus goes, and then let go on.
    fn update_that_loses_its_bus(&self, rename: usize, loss: Loss) -> Output {
        let what = format!("signal=STOP:when={rename}");
        let line = self.disturbed_update("rename,renameat,renameat2", &what);
        let child = self
            .host
            .command(["/bin/sh", "-c", &line])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let trace = self.host.path(TRACE);
        let pid = command::wait_for("the update to be stopped", 30, || {
            let said = fs_err::read_to_string(&trace).map_err(|error| error.to_string())?;
            let stopped = said
                .lines()
                .find(|line| line.contains("stopped by SIGSTOP"));
            let pid = stopped.and_then(|line| line.split(' ').next().map(str::to_owned));
            pid.ok_or(said)
        })
        .unwrap();
        self.lose_the_bus(loss);
        self.shell(&format!("kill -CONT {pid}"));
        let output = child.wait_with_output().unwrap();
        Output {
            command: line,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn lose_the_bus(&self, loss: Loss) {
        let daemon = self.host.property("dbus.service", "MainPID").unwrap();
        let line = match loss {
            Loss::Crash => format!("kill -KILL {daemon}"),
            Loss::Gone => "systemctl stop dbus.socket dbus.service".to_owned(),
        };
        self.shell(&line);
        command::wait_for("the end of the bus", 10, || {
            match self.host.property("dbus.service", "MainPID") {
                Ok(pid) if pid == daemon => Err(pid),
                _ => Ok(()),
            }
        })
        .unwrap();
    }

    fn bring_back_the_bus(&self) {
        self.shell("systemctl reset-failed dbus.service dbus.socket; systemctl start dbus.socket");
    }
}

#[test]
fn an_update_that_loses_d_bus_is_wholly_old_or_wholly_new_after_the_next_run() {
    let toy = Toy::installed();
    let child = toy.child();
    let (mut held, mut rolled_back, mut stuck) = (0, 0, 0);
    // from before the first unit is written to the last write of the run
    for rename in [2, 5, 9, 13, 17, 21, 25] {
        for loss in [Loss::Crash, Loss::Gone] {
            let at = format!("{loss:?} at rename {rename}");
            let before = toy.tree();
            let update = toy.update_that_loses_its_bus(rename, loss);
            assert_eq!(toy.child(), child, "{at}: {}", update.text());
            if update.success() {
                held += 1;
            } else if toy.tree() == before {
                rolled_back += 1;
            } else {
                stuck += 1;
                // with a bus that came back the operation rolls itself back at once
                assert_eq!(loss, Loss::Gone, "{at}: {}", update.text());
                assert!(
                    update.stderr.contains("could not be rolled back"),
                    "{}",
                    update.text()
                );
            }
            if loss == Loss::Gone {
                let refused = toy.run("restart");
                assert!(refused.stderr.contains("D-Bus"), "{at}: {}", refused.text());
                assert_eq!(toy.child(), child, "{at}");
            }
            toy.bring_back_the_bus();
            // any run takes it back, or finishes it, first; this one changes no file of its own
            toy.run("restart").ok().unwrap();
            let current = toy.current();
            assert_eq!(toy.answer(), current, "{at}");
            assert_eq!(toy.child(), child, "{at}");
            let whole = if update.success() { "0.1.1" } else { "0.1.0" };
            assert_eq!(current, whole, "{at}: {}", update.text());
            if current == "0.1.0" {
                assert_eq!(toy.tree(), before, "{at}");
            } else {
                toy.install().ok().unwrap();
                // the next update stages it anew, and has as many renames as this one
                toy.shell("rm -r /usr/local/lib/toy/0.1.1");
            }
        }
    }
    println!(
        "D-Bus lost: {held} updates held, {rolled_back} were rolled back, {stuck} by the next run"
    );
    assert!(
        held > 0 && rolled_back + stuck > 4,
        "{held}, {rolled_back}, {stuck}"
    );
}

#[test]
fn an_update_that_loses_d_bus_while_a_job_runs_is_rolled_back_at_once() {
    let toy = Toy::installed();
    let child = toy.child();
    let before = toy.tree();
    let race = toy.update_in_the_middle();
    toy.lose_the_bus(Loss::Crash);
    let ended = race.wait_for_ends(1, 60).unwrap();
    let said = &ended[0].said;
    assert_ne!(ended[0].end.unwrap().0, 0, "{said}");
    assert!(said.contains("the host is as it was before"), "{said}");
    assert!(said.contains("bus"), "{said}");
    assert_eq!(toy.tree(), before);
    assert_eq!(toy.answer(), "0.1.0");
    assert_eq!(toy.child(), child);
}
