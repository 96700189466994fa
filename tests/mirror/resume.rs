//! Downloads that break, what servers make of a question for the rest, and what a download costs.

use std::path::PathBuf;
use std::process::Command;

use banger_installer::error_kind::ErrorKind;
use banger_installer::fetch::{FetchError, Mirrors, host_target};
use banger_tests::release_server::{Mischief, Ranges, ReleaseServer};

use crate::mirrors::{LIMITS, archive, manifest_for, mirrors, refused, serve, shown, transport};
use crate::world::{World, good_archive, keyring_of};

/// Bytes after which connections break here: a good archive has four times as many.
fn piece() -> usize {
    good_archive().len() / 4
}

fn once(mischief: Mischief) -> Mischief {
    Mischief::Times(1, Box::new(mischief))
}

fn first_bytes(server: &ReleaseServer) -> Vec<Option<String>> {
    let asked = server.asked(".tar.gz");
    asked.into_iter().map(|request| request.range).collect()
}

#[test]
fn a_broken_download_goes_on_where_it_stood_at_the_same_mirror() {
    for mischief in [Mischief::BreakAfter(piece()), Mischief::EndAfter(piece())] {
        let world = World::new();
        let times = Mischief::Times(2, Box::new(mischief));
        let server = serve(&world, Some(times), Ranges::Honoured);
        archive(&world, &mirrors(&[&server])).unwrap();
        let asked: Vec<_> = first_bytes(&server);
        let from = |at: usize| Some(format!("bytes={at}-"));
        assert_eq!(asked, [None, from(piece()), from(2 * piece())]);
        // the rest of the same file, or all of another
        let tags: Vec<_> = server.asked(".tar.gz");
        assert_eq!(tags[0].if_range, None);
        assert!(tags[1].if_range.is_some());
        assert_eq!(tags[1].if_range, tags[2].if_range);
    }
}

#[test]
fn a_mirror_that_keeps_breaking_is_asked_a_bounded_number_of_times() {
    let world = World::new();
    let server = serve(&world, Some(Mischief::BreakAfter(1)), Ranges::Honoured);
    let error = refused(&world, &mirrors(&[&server]));
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert_eq!(server.requests(), 1 + LIMITS.resumes as usize);
}

#[test]
fn what_one_mirror_began_the_next_one_ends() {
    let world = World::new();
    let first = serve(
        &world,
        Some(Mischief::BreakAfter(piece() / 10)),
        Ranges::Honoured,
    );
    let second = serve(&world, None, Ranges::Honoured);
    let place = archive(&world, &mirrors(&[&first, &second])).unwrap();
    assert!(place.starts_with(&second.url), "{place}");
    let pieces = 1 + LIMITS.resumes as usize;
    let rest = format!("bytes={}-", pieces * (piece() / 10));
    assert_eq!(first_bytes(&second), [Some(rest)]);
    // a tag is a word of the server that gave it
    assert_eq!(second.asked(".tar.gz")[0].if_range, None);
}

#[test]
fn a_server_that_knows_no_ranges_sends_all_of_it_anew() {
    let world = World::new();
    let server = serve(
        &world,
        Some(once(Mischief::BreakAfter(piece()))),
        Ranges::Ignored,
    );
    archive(&world, &mirrors(&[&server])).unwrap();
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_part_that_is_another_drops_the_mirror() {
    for ranges in [Ranges::Shifted, Ranges::OtherSize, Ranges::Unreadable] {
        let world = World::new();
        let liar = serve(&world, Some(once(Mischief::BreakAfter(piece()))), ranges);
        let error = refused(&world, &mirrors(&[&liar]));
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(
            matches!(error.most_telling(), FetchError::WrongRange { at, .. } if *at == piece() as u64),
            "{ranges:?}: {error:?}"
        );
        assert_eq!(liar.requests(), 2);
        // nothing that it sent is built upon
        let world = World::new();
        let liar = serve(&world, Some(once(Mischief::BreakAfter(piece()))), ranges);
        let honest = serve(&world, None, Ranges::Honoured);
        archive(&world, &mirrors(&[&liar, &honest])).unwrap();
        assert_eq!(first_bytes(&honest), [None]);
    }
}

#[test]
fn bytes_of_a_liar_before_those_of_an_honest_mirror_cost_a_download_and_nothing_else() {
    let world = World::new();
    let liar = serve(
        &world,
        Some(Mischief::OtherBytesBreakAfter(piece() / 10)),
        Ranges::Honoured,
    );
    let honest = serve(&world, None, Ranges::Honoured);
    let place = archive(&world, &mirrors(&[&liar, &honest])).unwrap();
    assert!(place.starts_with(&honest.url), "{place}");
    // joined first, and anew from this one alone when the whole was wrong
    let asked = first_bytes(&honest);
    assert!(matches!(asked.as_slice(), [Some(_), None]), "{asked:?}");
}

#[test]
fn bytes_of_a_liar_after_those_of_an_honest_mirror_are_refused() {
    let world = World::new();
    let honest = serve(
        &world,
        Some(Mischief::BreakAfter(piece() / 10)),
        Ranges::Honoured,
    );
    let liar = serve(&world, Some(Mischief::OtherBytes), Ranges::Honoured);
    let error = refused(&world, &mirrors(&[&honest, &liar]));
    assert!(
        matches!(error.most_telling(), FetchError::Digest { .. }),
        "{error:?}"
    );
    let shown = shown(&error);
    assert!(
        shown.contains(&honest.url) && shown.contains(&liar.url),
        "{shown}"
    );
}

#[test]
fn a_file_that_was_exchanged_while_it_was_fetched_is_fetched_anew() {
    // the broken first piece is of other bytes, and so has another tag than what comes then
    let world = World::new();
    let server = serve(
        &world,
        Some(once(Mischief::OtherBytesBreakAfter(piece()))),
        Ranges::Honoured,
    );
    archive(&world, &mirrors(&[&server])).unwrap();
    assert_eq!(server.requests(), 2);
    assert!(server.asked(".tar.gz")[1].if_range.is_some());
}

#[test]
fn when_all_is_here_it_does_not_matter_how_the_connection_ends() {
    let world = World::new();
    let server = serve(&world, Some(Mischief::NoEnd), Ranges::Honoured);
    archive(&world, &mirrors(&[&server])).unwrap();
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_server_that_is_busy_is_asked_again_when_it_has_answered_before() {
    let world = World::new();
    let busy = Mischief::Status("503 Service Unavailable");
    let turns = vec![Mischief::BreakAfter(piece()), busy.clone(), busy.clone()];
    let server = serve(&world, Some(Mischief::InTurn(turns)), Ranges::Honoured);
    archive(&world, &mirrors(&[&server])).unwrap();
    assert_eq!(server.requests(), 4);
    // one that has never answered is down, and the next one is waiting
    let world = World::new();
    let server = serve(&world, Some(busy), Ranges::Honoured);
    let error = refused(&world, &mirrors(&[&server]));
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(shown(&error).contains("503"), "{}", shown(&error));
    assert_eq!(server.requests(), 1);
}

/// More than a fetch may take, in bytes.
const MEMORY: u64 = 32 * 1024 * 1024;

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

#[test]
fn an_archive_is_never_held_in_memory() {
    const URL: &str = "BANGER_ATTACK_LARGE_URL";
    const HOST: &str = "BANGER_ATTACK_LARGE_HOST";
    if let Ok(url) = std::env::var(URL) {
        // a process of its own: the server's would hold the file
        let host = PathBuf::from(std::env::var(HOST).unwrap());
        let there = Mirrors::parse([url.as_str()], "stable").unwrap();
        let keyring = keyring_of(&host);
        let manifest = manifest_for(&keyring, &there).unwrap();
        let staging = host.join("staging");
        let size = manifest.release_for(host_target()).unwrap().size;
        let spooled = there.archive(&transport(), &manifest, host_target(), &staging, &mut ());
        assert!(spooled.is_ok(), "{}", shown(&spooled.unwrap_err()));
        let peak = peak();
        assert!(
            size > 2 * MEMORY && peak < MEMORY,
            "{peak} bytes for {size}"
        );
        return;
    }
    let world = World::new();
    let large: Vec<u8> = (0..=250).cycle().take(70 * 1024 * 1024).collect();
    world.publish(&large);
    let breaks = Mischief::BreakAfter(large.len() / 2);
    drop(large);
    let server = serve(&world, Some(once(breaks)), Ranges::Honoured);
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "resume::an_archive_is_never_held_in_memory"])
        .env(URL, &server.url)
        .env(HOST, &world.host)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert_eq!(server.asked(".tar.gz").len(), 2);
}
