//! Several mirrors: one that lies, stalls or is down is left for the next, and none of them wins by
//! being first.

use std::path::PathBuf;
use std::time::Duration;

use banger_installer::error_kind::ErrorKind;
use banger_installer::fetch::{
    FetchError, Limits, MirrorError, Mirrors, NoMirror, Source, Transport, Unfit, host_target,
};
use banger_installer::model::Manifest;
use banger_installer::verify::{Keyring, SignatureError, Verified, VerifyError, verify_manifest};
use banger_tests::release_server::{Mischief, Ranges, ReleaseServer, ServerOptions};

use crate::world::{SEQUENCE, World, archive_name, expected, good_archive, good_manifest, tree};

/// Short, so that a silent mirror is soon left; not so short that a busy machine is taken for one.
pub(crate) const LIMITS: Limits = Limits {
    redirects: 4,
    connect: Duration::from_secs(20),
    short: Duration::from_secs(60),
    long: Duration::from_secs(60),
    least_speed: 1024,
    window: Duration::from_secs(3),
    resumes: 3,
    pause: Duration::from_millis(10),
};

/// A plain-http server on loopback, so that each may have its own authority: none.
pub(crate) fn serve(world: &World, mischief: Option<Mischief>, ranges: Ranges) -> ReleaseServer {
    serve_for(world, ".tar.gz", mischief, ranges)
}

pub(crate) fn serve_for(
    world: &World,
    suffix: &str,
    mischief: Option<Mischief>,
    ranges: Ranges,
) -> ReleaseServer {
    let options = ServerOptions {
        tls: false,
        mischief: mischief.map(|mischief| (suffix.into(), mischief)),
        ranges,
        ..ServerOptions::default()
    };
    ReleaseServer::start_with(&world.dist, options).unwrap()
}

pub(crate) fn mirrors(servers: &[&ReleaseServer]) -> Mirrors {
    Mirrors::parse(servers.iter().map(|server| server.url.as_str()), "stable").unwrap()
}

pub(crate) fn transport() -> Transport {
    Transport::system().with_limits(LIMITS)
}

/// The manifest of the first mirror whose manifest holds.
pub(crate) fn manifest(
    world: &World,
    mirrors: &Mirrors,
) -> Result<Verified<Manifest>, NoMirror<Unfit>> {
    manifest_for(&world.keyring(), mirrors)
}

/// See [`manifest`].
pub(crate) fn manifest_for(
    keyring: &Keyring,
    mirrors: &Mirrors,
) -> Result<Verified<Manifest>, NoMirror<Unfit>> {
    let (transport, expectation) = (transport(), World::expectation());
    mirrors.first_accepted(|source| {
        let signed = source.manifest(&transport)?;
        let verified = verify_manifest(&signed.bytes, &signed.signature, keyring, &expectation);
        Ok(verified?)
    })
}

/// Fetches and unpacks the good archive; gives where its last byte came from.
pub(crate) fn archive(world: &World, mirrors: &Mirrors) -> Result<String, NoMirror<FetchError>> {
    let local = Mirrors::parse([world.dist.to_str().unwrap()], "stable").unwrap();
    let manifest = manifest(world, &local).unwrap();
    let staging = world.staging();
    let spooled = mirrors.archive(&transport(), &manifest, host_target(), &staging, &mut ())?;
    let place = spooled.place().to_owned();
    let unpacked = staging.join("new");
    spooled.unpack(&expected(), &unpacked).unwrap();
    assert!(unpacked.join("bin/bangerd").is_file());
    Ok(place)
}

/// Fails, with nothing but an empty staging folder left.
pub(crate) fn refused(world: &World, mirrors: &Mirrors) -> NoMirror<FetchError> {
    let error = archive(world, mirrors).expect_err("a hostile archive was taken");
    let left: Vec<PathBuf> = tree(&world.host);
    let untouched = ["keys.d", "keys.d/banger.pub", "staging"].map(PathBuf::from);
    assert_eq!(left, untouched, "{error}");
    assert!(error.hint().is_some(), "{error} has no hint");
    error
}

/// The error with all its causes.
pub(crate) fn shown(error: &NoMirror<impl MirrorError>) -> String {
    banger_installer::in_one_line(error)
}

#[test]
fn whatever_the_first_mirror_does_the_next_one_serves() {
    for mischief in [
        Mischief::Status("500 Internal Server Error"),
        Mischief::Status("403 Forbidden"),
        Mischief::Truncated,
        Mischief::ShortByOne,
        Mischief::Endless,
        Mischief::OtherBytes,
        Mischief::BreakAfter(0),
        Mischief::EndAfter(10),
        Mischief::OtherBytesBreakAfter(10),
        Mischief::RedirectTo("http://127.0.0.1:1".into()),
    ] {
        let world = World::new();
        let first = serve(&world, Some(mischief.clone()), Ranges::Honoured);
        let second = serve(&world, None, Ranges::Honoured);
        let place = archive(&world, &mirrors(&[&first, &second])).unwrap();
        assert!(place.starts_with(&second.url), "{mischief:?}: {place}");
        assert!(first.requests() > 0);
    }
}

#[test]
fn a_mirror_that_is_down_is_passed_over() {
    let world = World::new();
    let (down, up) = (
        serve(&world, None, Ranges::Honoured),
        serve(&world, None, Ranges::Honoured),
    );
    let both = mirrors(&[&down, &up]);
    drop(down);
    assert!(manifest(&world, &both).is_ok());
    assert!(archive(&world, &both).unwrap().starts_with(&up.url));
}

#[test]
fn a_manifest_that_is_not_believed_is_looked_for_at_the_next_mirror() {
    let (world, stranger) = (World::new(), World::new());
    let liar = serve(&stranger, None, Ranges::Honoured);
    let honest = serve(&world, None, Ranges::Honoured);
    let both = mirrors(&[&liar, &honest]);
    assert!(manifest(&world, &both).is_ok());
    // twice: it might have been publishing
    assert_eq!(liar.requests(), 4);
}

/// Serves a world whose next release is published between two requests: `times` often what is asked
/// for as `name` is still that of the release before.
fn serve_torn(world: &World, name: &str, times: usize) -> ReleaseServer {
    let before = fs_err::read(world.dist.join(name)).unwrap();
    let mut next = good_manifest(&good_archive());
    next.sequence += 1;
    world.publish_manifest(&next);
    let old = Mischief::Times(times, Box::new(Mischief::Instead(before)));
    serve_for(world, name, Some(old), Ranges::Honoured)
}

#[test]
fn a_publication_between_manifest_and_signature_is_passed_over_by_asking_once_more() {
    for name in ["manifest.json", "manifest.json.minisig"] {
        let world = World::new();
        let server = serve_torn(&world, name, 1);
        let taken = manifest(&world, &mirrors(&[&server])).unwrap();
        assert_eq!(taken.sequence, SEQUENCE + 1, "{name}");
        assert_eq!(server.requests(), 4, "{name}");
    }
}

#[test]
fn a_source_whose_manifest_and_signature_never_fit_is_refused_after_the_second_time() {
    for name in ["manifest.json", "manifest.json.minisig"] {
        let world = World::new();
        let server = serve_torn(&world, name, usize::MAX);
        let error = manifest(&world, &mirrors(&[&server])).unwrap_err();
        assert_eq!(server.requests(), 4, "{name}");
        assert_eq!(error.kind(), ErrorKind::Refused, "{name}");
        assert!(
            matches!(
                error.most_telling(),
                Unfit::Verify(VerifyError::Signature(SignatureError::Mismatch { .. }))
            ),
            "{name}: {error:?}"
        );
        // each source has its own second time, and the next one serves
        let other = World::new();
        let second = serve_torn(&other, name, usize::MAX);
        let third = serve(&world, None, Ranges::Honoured);
        let all = mirrors(&[&server, &second, &third]);
        assert!(manifest(&world, &all).is_ok(), "{name}");
        let asked = [server.requests(), second.requests(), third.requests()];
        assert_eq!(asked, [8, 4, 2], "{name}");
    }
}

#[test]
fn a_source_that_is_refused_for_anything_else_is_not_asked_twice() {
    let world = World::new();
    let mut old = good_manifest(&good_archive());
    old.sequence -= 1;
    world.publish_manifest(&old);
    let server = serve(&world, None, Ranges::Honoured);
    let error = manifest(&world, &mirrors(&[&server])).unwrap_err();
    assert!(
        matches!(
            error.most_telling(),
            Unfit::Verify(VerifyError::Rollback { .. })
        ),
        "{error:?}"
    );
    assert_eq!(server.requests(), 2);
}

#[test]
fn the_worst_of_the_reasons_counts_and_each_is_told() {
    let (world, stranger) = (World::new(), World::new());
    let down = serve(&world, None, Ranges::Honoured);
    let liar = serve(&stranger, None, Ranges::Honoured);
    let bare = serve_for(
        &world,
        "minisig",
        Some(Mischief::Status("404 Not Found")),
        Ranges::Honoured,
    );
    let all = mirrors(&[&down, &liar, &bare]);
    let url_of_down = down.url.clone();
    drop(down);
    let error = manifest(&world, &all).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(
        matches!(
            error.most_telling(),
            Unfit::Verify(VerifyError::Signature(SignatureError::UnknownKey { .. }))
        ),
        "{error:?}"
    );
    let shown = shown(&error);
    for place in [&url_of_down, &liar.url, &bare.url] {
        assert_eq!(shown.matches(place.as_str()).count(), 1, "{shown}");
    }
    assert!(shown.contains("is not signed"), "{shown}");
}

#[test]
fn an_archive_that_no_mirror_has_right_is_refused() {
    let world = World::new();
    let down = serve(&world, Some(Mischief::BreakAfter(0)), Ranges::Honoured);
    let liar = serve(&world, Some(Mischief::OtherBytes), Ranges::Honoured);
    let error = refused(&world, &mirrors(&[&down, &liar]));
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(
        matches!(error.most_telling(), FetchError::Digest { .. }),
        "{error:?}"
    );
    assert!(shown(&error).contains(&down.url), "{}", shown(&error));
}

#[test]
fn a_mirror_that_sends_next_to_nothing_is_left() {
    for mischief in [Mischief::Trickle, Mischief::Silent, Mischief::SilentBody] {
        let world = World::new();
        let slow = serve(&world, Some(mischief.clone()), Ranges::Honoured);
        let error = refused(&world, &mirrors(&[&slow]));
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(
            matches!(error.most_telling(), FetchError::TooSlow { .. }),
            "{mischief:?}: {error:?}"
        );
        // it is not asked again
        assert_eq!(slow.requests(), 1);
        let fast = serve(&world, None, Ranges::Honoured);
        let place = archive(&world, &mirrors(&[&slow, &fast])).unwrap();
        assert!(place.starts_with(&fast.url), "{place}");
    }
}

#[test]
fn a_manifest_that_trickles_is_left() {
    let world = World::new();
    for (suffix, mischief) in [
        ("manifest.json", Mischief::Trickle),
        ("minisig", Mischief::Silent),
    ] {
        let slow = serve_for(&world, suffix, Some(mischief), Ranges::Honoured);
        let error = manifest(&world, &mirrors(&[&slow])).unwrap_err();
        assert!(
            matches!(
                error.most_telling(),
                Unfit::Fetch(FetchError::TooSlow { .. })
            ),
            "{error:?}"
        );
    }
}

#[test]
fn the_time_for_one_mirror_ends_though_it_is_not_slow() {
    let world = World::new();
    let patient = Limits {
        short: Duration::from_secs(1),
        least_speed: 1,
        ..LIMITS
    };
    let slow = serve_for(
        &world,
        "manifest.json",
        Some(Mischief::Trickle),
        Ranges::Honoured,
    );
    let source = Source::parse(&slow.url, "stable").unwrap();
    let error = source
        .manifest(&Transport::system().with_limits(patient))
        .unwrap_err();
    assert!(matches!(error, FetchError::TooLong { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains(&slow.url), "{error}");
}

#[test]
fn a_file_that_a_source_does_not_have_is_no_error_but_a_missing_signature_is() {
    let world = World::new();
    let server = serve(&world, None, Ranges::Honoured);
    fs_err::write(world.dist.join("keys.json"), "{}").unwrap();
    for place in [server.url.as_str(), world.dist.to_str().unwrap()] {
        let source = Source::parse(place, "stable").unwrap();
        let fetch = |name| source.signed(&transport(), name, 1000);
        assert!(fetch("manifest-9.9.9.json").unwrap().is_none());
        let error = fetch("keys.json").unwrap_err();
        assert!(matches!(error, FetchError::NoSignature { .. }), "{error:?}");
    }
    fs_err::write(world.dist.join("keys.json.minisig"), "words").unwrap();
    for place in [server.url.as_str(), world.dist.to_str().unwrap()] {
        let source = Source::parse(place, "stable").unwrap();
        let signed = source
            .signed(&transport(), "keys.json", 1000)
            .unwrap()
            .unwrap();
        assert_eq!(
            (signed.bytes.as_slice(), &*signed.signature),
            (&b"{}"[..], "words")
        );
        let error = source.signed(&transport(), "keys.json", 1).unwrap_err();
        assert!(
            matches!(error, FetchError::TooLarge { limit: 1, .. }),
            "{error:?}"
        );
    }
}

#[test]
fn a_folder_serves_where_the_network_does_not() {
    let world = World::new();
    let down = serve(&world, None, Ranges::Honoured);
    let dist = world.dist.to_str().unwrap();
    let manifest_file = world.dist.join("manifest.json");
    let archive_file = world.dist.join(archive_name());
    let url = down.url.clone();
    drop(down);
    for place in [
        dist,
        manifest_file.to_str().unwrap(),
        archive_file.to_str().unwrap(),
    ] {
        let world = World::new();
        let there = Mirrors::parse([url.as_str(), place], "stable").unwrap();
        // the releases of two worlds differ in their keys and times alone
        let taken = archive(&world, &there).unwrap();
        assert_eq!(taken, archive_file.display().to_string());
    }
}
