//! The client in a process of its own: what it says, and how much memory it took.

use std::process::{Command, Stdio};

use banger_tests::support::{command, programs};

use crate::world::{SEQUENCE, World};

/// What the client said.
#[derive(serde::Deserialize)]
pub(crate) struct Answer {
    pub(crate) error: Option<String>,
    pub(crate) peak_kib: u64,
}

/// Seconds after which a client hangs: far more than any takes on a busy machine.
const HANGS: u64 = 60;

/// Has the client take what the publisher of this world offers.
pub(crate) fn ask(world: &World) -> Answer {
    let mut client = Command::new(programs::own("release-client").unwrap());
    let words = client.args([&world.dist, &world.host]);
    answer(words.arg(SEQUENCE.to_string()))
}

/// The same over a server, which may send next to nothing for a second.
pub(crate) fn ask_at(url: &str, world: &World) -> Answer {
    let mut client = Command::new(programs::own("release-client").unwrap());
    let words = client.arg(url).arg(&world.host);
    answer(words.args([&SEQUENCE.to_string(), "1"]))
}

fn answer(client: &mut Command) -> Answer {
    let mut child = client
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // what it says fits into a pipe
    let ended = command::wait_for("the client's end", HANGS, || match child.try_wait() {
        Ok(Some(_)) => Ok(()),
        running => Err(format!("{running:?}")),
    });
    if ended.is_err() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    ended.unwrap();
    assert!(output.status.success(), "the client fell over: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}
