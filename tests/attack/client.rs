//! The client in a process of its own: what it says, and how much memory it took.

use std::process::Command;

use banger_tests::support::programs;

use crate::world::{SEQUENCE, World};

/// What the client said.
#[derive(serde::Deserialize)]
pub(crate) struct Answer {
    pub(crate) error: Option<String>,
    pub(crate) peak_kib: u64,
}

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
    let output = client.output().unwrap();
    assert!(output.status.success(), "the client fell over: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}
