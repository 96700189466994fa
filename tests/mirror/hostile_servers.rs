//! Servers that are slow, silent or endless, against the client whose memory is watched.

use std::io::Write as _;
use std::time::Instant;

use banger_tests::release_server::{Mischief, Ranges, ReleaseServer, ServerOptions};

use crate::client::ask_at;
use crate::hostile::PEAK_KIB;
use crate::world::{World, tally_words, tree};

#[test]
fn slow_silent_and_endless_servers_are_left_by_a_small_client() {
    let lies = [
        Mischief::Trickle,
        Mischief::Silent,
        Mischief::SilentBody,
        Mischief::Endless,
    ];
    let mut most = (0, 0);
    for file in ["manifest.json", "minisig", "tar.gz"] {
        for lie in &lies {
            let world = World::new();
            let server = ReleaseServer::start_with(
                &world.dist,
                ServerOptions {
                    listen: "127.0.0.1:0".parse().unwrap(),
                    names: Vec::new(),
                    tls: false,
                    mischief: Some((file.into(), lie.clone())),
                    ranges: Ranges::Honoured,
                },
            )
            .unwrap();
            let before = tree(world.temp.path());
            let begun = Instant::now();
            let answer = ask_at(&server.url, &world);
            let time = begun.elapsed();
            let said = answer
                .error
                .unwrap_or_else(|| panic!("{file}: {lie:?} was taken"));
            assert!(said.contains(file), "{file}, {lie:?}: {said}");
            assert!(answer.peak_kib < PEAK_KIB, "{file}, {lie:?}");
            let mut after = tree(world.temp.path());
            after.retain(|path| path.as_os_str() != "host/staging");
            assert_eq!(after, before, "{file}, {lie:?} left something behind");
            tally_words(&said);
            most = (most.0.max(answer.peak_kib), most.1.max(time.as_millis()));
        }
    }
    let _ = writeln!(
        std::io::stdout(),
        "servers: 12 lies refused; at most {} KiB and {} ms",
        most.0,
        most.1
    );
}
