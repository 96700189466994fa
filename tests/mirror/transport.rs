//! Servers that must not be believed.

use std::path::PathBuf;
use std::process::Command;

use banger_installer::error_kind::ErrorKind;
use banger_installer::fetch::{FetchError, MANIFEST_LIMIT, Transport};
use banger_tests::release_server::{Mischief, ReleaseServer, ServerOptions};

use crate::world::{Stopped, World, archive_name, good_archive, good_manifest, source_of};

fn update(world: &World, server: &ReleaseServer) -> Result<PathBuf, Stopped> {
    let source = source_of(&server.url);
    let transport = Transport::trusting(server.ca_pem.as_bytes()).unwrap();
    world.update_from(&source, &transport, &World::expectation())
}

fn serve(world: &World, suffix: &str, mischief: Mischief) -> ReleaseServer {
    let options = ServerOptions {
        mischief: Some((suffix.into(), mischief)),
        ..ServerOptions::default()
    };
    ReleaseServer::start_with(&world.dist, options).unwrap()
}

fn fetch_error(stopped: Stopped) -> FetchError {
    match stopped {
        Stopped::Fetch(error) => {
            assert!(error.hint().is_some(), "{error} has no hint");
            error
        }
        other => panic!("stopped too late: {}", other.shown()),
    }
}

#[test]
fn a_good_release_over_tls_is_taken() {
    let world = World::new();
    let server = ReleaseServer::start(&world.dist).unwrap();
    let unpacked = update(&world, &server).unwrap();
    assert!(unpacked.join("bin/bangerd").is_file());
    assert_eq!(server.requests(), 3);
}

#[test]
fn a_server_sees_the_name_of_the_product_or_else_of_the_toolkit() {
    let world = World::new();
    let server = ReleaseServer::start(&world.dist).unwrap();
    let source = source_of(&server.url);
    let plain = Transport::trusting(server.ca_pem.as_bytes()).unwrap();
    source.manifest(&plain).unwrap();
    source
        .manifest(&plain.clone().with_user_agent("acme/1.2.3"))
        .unwrap();
    let asked = server.asked("manifest.json");
    let names: Vec<&str> = asked
        .iter()
        .map(|request| request.user_agent.as_deref().unwrap())
        .collect();
    let own = concat!("banger-installer-fetch/", env!("CARGO_PKG_VERSION"));
    assert_eq!(names, [own, "acme/1.2.3"]);
}

#[test]
fn an_authority_that_is_not_trusted() {
    let world = World::new();
    let (server, other) = (
        ReleaseServer::start(&world.dist).unwrap(),
        ReleaseServer::start(&world.dist).unwrap(),
    );
    let source = source_of(&server.url);
    let transport = Transport::trusting(other.ca_pem.as_bytes()).unwrap();
    let stopped = world.refused(world.update_from(&source, &transport, &World::expectation()));
    assert_eq!(stopped.kind(), ErrorKind::Refused);
    let shown = stopped.shown();
    assert!(
        matches!(fetch_error(stopped), FetchError::Tls { .. }),
        "{shown}"
    );
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_certificate_for_another_name() {
    let world = World::new();
    let server = ReleaseServer::start(&world.dist).unwrap();
    // good for 127.0.0.1 and releases.test; localhost is neither
    let url = format!("https://localhost:{}", server.address.port());
    let source = source_of(&url);
    let transport = Transport::trusting(server.ca_pem.as_bytes()).unwrap();
    let stopped = world.refused(world.update_from(&source, &transport, &World::expectation()));
    let shown = stopped.shown();
    assert!(
        matches!(fetch_error(stopped), FetchError::Tls { .. }),
        "{shown}"
    );
    assert_eq!(server.requests(), 0);
}

#[test]
fn the_machines_own_store_is_used_and_ssl_cert_file_names_another() {
    const URL: &str = "BANGER_ATTACK_URL";
    if let Ok(url) = std::env::var(URL) {
        let world = World::new();
        let source = source_of(&url);
        let outcome = source.manifest(&Transport::system());
        assert!(outcome.is_ok(), "{outcome:?}");
        drop(world);
        return;
    }
    let world = World::new();
    let server = ReleaseServer::start(&world.dist).unwrap();
    let authority = world.temp.path().join("ca.pem");
    fs_err::write(&authority, &server.ca_pem).unwrap();
    let child = |with_authority: bool| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "transport::the_machines_own_store_is_used_and_ssl_cert_file_names_another",
            ])
            .env(URL, &server.url)
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR");
        if with_authority {
            child.env("SSL_CERT_FILE", &authority);
        }
        child.output().unwrap()
    };
    let trusted = child(true);
    assert!(trusted.status.success(), "{trusted:?}");
    assert_eq!(server.requests(), 2);
    let untrusted = child(false);
    assert!(!untrusted.status.success(), "{untrusted:?}");
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_redirect_away_from_tls() {
    let world = World::new();
    let plain_options = ServerOptions {
        tls: false,
        ..ServerOptions::default()
    };
    let plain = ReleaseServer::start_with(&world.dist, plain_options).unwrap();
    for suffix in ["manifest.json", ".minisig", ".tar.gz"] {
        let server = serve(&world, suffix, Mischief::RedirectTo(plain.url.clone()));
        let stopped = world.refused(update(&world, &server));
        assert_eq!(stopped.kind(), ErrorKind::Refused);
        let error = fetch_error(stopped);
        assert!(matches!(&error, FetchError::LeavesTls { .. }), "{error:?}");
        assert!(error.to_string().contains(&plain.url), "{error}");
    }
    assert_eq!(plain.requests(), 0);
}

#[test]
fn redirects_without_end() {
    let world = World::new();
    // a relative target leads to the same server again
    let server = serve(&world, "manifest.json", Mischief::RedirectTo(String::new()));
    let error = fetch_error(world.refused(update(&world, &server)));
    assert!(
        matches!(error, FetchError::TooManyRedirects { .. }),
        "{error:?}"
    );
    assert!(server.requests() <= 8, "{} requests", server.requests());
}

#[test]
fn four_redirects_are_followed_and_a_fifth_is_not() {
    let world = World::new();
    let here = Mischief::RedirectTo(String::new());
    for suffix in ["manifest.json", ".minisig", ".tar.gz"] {
        let redirects = |times| Mischief::Times(times, Box::new(here.clone()));
        let world = World::new();
        let server = serve(&world, suffix, redirects(4));
        let taken = update(&world, &server);
        assert!(taken.is_ok(), "{suffix}: {}", taken.unwrap_err().shown());
        assert_eq!(server.asked(suffix).len(), 5);
    }
    for suffix in ["manifest.json", ".minisig", ".tar.gz"] {
        let server = serve(&world, suffix, Mischief::Times(5, Box::new(here.clone())));
        let stopped = world.refused(update(&world, &server));
        assert_eq!(stopped.kind(), ErrorKind::Refused);
        let error = fetch_error(stopped);
        assert!(
            matches!(error, FetchError::TooManyRedirects { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn a_download_that_breaks_goes_on_over_tls_and_behind_a_redirect() {
    let world = World::new();
    let half = good_archive().len() / 2;
    let server = serve(
        &world,
        ".tar.gz",
        Mischief::Times(1, Box::new(Mischief::BreakAfter(half))),
    );
    assert!(update(&world, &server).is_ok());
    let ranges = |server: &ReleaseServer| -> Vec<_> {
        let asked = server.asked(".tar.gz");
        asked.into_iter().map(|request| request.range).collect()
    };
    let rest = Some(format!("bytes={half}-"));
    assert_eq!(ranges(&server), [None, rest.clone()]);
    // every question is led on once, and the one for the rest keeps what it asks for
    let world = World::new();
    let there = serve(
        &world,
        ".tar.gz",
        Mischief::Times(1, Box::new(Mischief::BreakAfter(half))),
    );
    let here = serve(&world, ".tar.gz", Mischief::RedirectTo(there.url.clone()));
    let pem = format!("{}{}", here.ca_pem, there.ca_pem);
    let transport = Transport::trusting(pem.as_bytes()).unwrap();
    let taken = world.update_from(&source_of(&here.url), &transport, &World::expectation());
    assert!(taken.is_ok(), "{}", taken.unwrap_err().shown());
    assert_eq!(ranges(&there), [None, rest]);
}

#[test]
fn plain_http_on_loopback_is_taken_but_follows_no_redirect() {
    let world = World::new();
    let options = |mischief| ServerOptions {
        tls: false,
        mischief,
        ..ServerOptions::default()
    };
    let transport = Transport::system();
    let good = ReleaseServer::start_with(&world.dist, options(None)).unwrap();
    let redirecting = ReleaseServer::start_with(
        &world.dist,
        options(Some((
            "manifest.json".into(),
            Mischief::RedirectTo(good.url.clone()),
        ))),
    )
    .unwrap();
    let source = source_of(&redirecting.url);
    world.refused(world.update_from(&source, &transport, &World::expectation()));
    assert_eq!(good.requests(), 0);
    let source = source_of(&good.url);
    assert!(
        world
            .update_from(&source, &transport, &World::expectation())
            .is_ok()
    );
}

#[test]
fn a_body_that_breaks_off() {
    let world = World::new();
    for suffix in ["manifest.json", ".minisig", ".tar.gz"] {
        let server = serve(&world, suffix, Mischief::Truncated);
        let stopped = world.refused(update(&world, &server));
        assert_eq!(
            stopped.kind(),
            ErrorKind::Unreachable,
            "{}",
            stopped.shown()
        );
    }
}

#[test]
fn a_body_that_is_short_under_a_length_that_fits() {
    let world = World::new();
    let server = serve(&world, ".tar.gz", Mischief::ShortByOne);
    let error = fetch_error(world.refused(update(&world, &server)));
    assert!(
        matches!(error, FetchError::Size { found, signed, .. } if found + 1 == signed),
        "{error:?}"
    );
}

#[test]
fn a_body_without_end() {
    let world = World::new();
    let server = serve(&world, ".tar.gz", Mischief::Endless);
    let error = fetch_error(world.refused(update(&world, &server)));
    assert!(
        matches!(error, FetchError::Size { found, signed, .. } if found == signed + 1),
        "{error:?}"
    );
    let server = serve(&world, "manifest.json", Mischief::Endless);
    let error = fetch_error(world.refused(update(&world, &server)));
    assert!(
        matches!(error, FetchError::TooLarge { limit, .. } if limit == MANIFEST_LIMIT),
        "{error:?}"
    );
    let server = serve(&world, ".minisig", Mischief::Endless);
    let error = fetch_error(world.refused(update(&world, &server)));
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
}

#[test]
fn a_file_that_is_not_there() {
    let world = World::new();
    fs_err::remove_file(world.dist.join(archive_name())).unwrap();
    let server = ReleaseServer::start(&world.dist).unwrap();
    let stopped = world.refused(update(&world, &server));
    assert_eq!(stopped.kind(), ErrorKind::Unreachable);
    assert!(
        stopped.shown().contains(&archive_name()),
        "{}",
        stopped.shown()
    );
}

#[test]
fn nobody_listens() {
    let world = World::new();
    let server = ReleaseServer::start(&world.dist).unwrap();
    let source = source_of(&server.url);
    drop(server);
    let stopped =
        world.refused(world.update_from(&source, &Transport::system(), &World::expectation()));
    assert_eq!(
        stopped.kind(),
        ErrorKind::Unreachable,
        "{}",
        stopped.shown()
    );
}

#[test]
fn a_server_without_a_signature() {
    let world = World::new();
    fs_err::remove_file(world.dist.join("manifest.json.minisig")).unwrap();
    let server = ReleaseServer::start(&world.dist).unwrap();
    let stopped = world.refused(update(&world, &server));
    assert_eq!(stopped.kind(), ErrorKind::Refused);
    let error = fetch_error(stopped);
    assert!(matches!(error, FetchError::NoSignature { .. }), "{error:?}");
}

#[test]
fn a_signed_manifest_that_leads_away_from_tls() {
    let world = World::new();
    let plain_options = ServerOptions {
        tls: false,
        ..ServerOptions::default()
    };
    let plain = ReleaseServer::start_with(&world.dist, plain_options).unwrap();
    let server = ReleaseServer::start(&world.dist).unwrap();
    for place in [
        "http://releases.example",
        &plain.url,
        "https://user@h.example",
    ] {
        let mut manifest = good_manifest(&good_archive());
        manifest.artefacts[0].url = format!("{place}/{}", archive_name());
        world.publish_manifest(&manifest);
        let stopped = world.refused(update(&world, &server));
        assert_eq!(stopped.kind(), ErrorKind::Refused);
        let error = fetch_error(stopped);
        assert!(matches!(error, FetchError::LeavesTls { .. }), "{error:?}");
    }
    assert_eq!(plain.requests(), 0);
}
