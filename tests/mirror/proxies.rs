//! The proxy of the environment, with a real one on loopback.

use std::process::{Command, Output};

use banger_installer::fetch::{FetchError, Transport};
use banger_tests::connect_proxy::ConnectProxy;
use banger_tests::release_server::{ReleaseServer, ServerOptions};

use crate::world::{World, source_of};

const URL: &str = "BANGER_ATTACK_PROXIED_URL";

/// In a process of its own, since the environment is a process's: fetches a manifest, or tells why
/// not.
fn fetch_here(url: &str) {
    let source = source_of(url);
    let Err(error) = source.manifest(&Transport::system()) else {
        return;
    };
    let kind = match error {
        FetchError::Proxy { .. } => "proxy",
        FetchError::BadProxy { .. } => "bad proxy",
        _ => "other",
    };
    let told = banger_installer::in_one_line(&error);
    panic!("[{kind}] ({:?}) {error:?} {told}", error.hint());
}

fn fetch(world: &World, server: &ReleaseServer, url: &str, environment: &[(&str, &str)]) -> Output {
    let authority = world.temp.path().join("ca.pem");
    fs_err::write(&authority, &server.ca_pem).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "proxies::releases_come_through_the_proxy_of_the_environment",
        "--nocapture",
    ]);
    for name in ["https_proxy", "all_proxy", "no_proxy", "http_proxy"] {
        child.env_remove(name).env_remove(name.to_uppercase());
    }
    child
        .env(URL, url)
        .env("SSL_CERT_FILE", authority)
        .envs(environment.iter().copied());
    child.output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// The name that the server's certificate is good for; nobody else knows it.
fn named_url(server: &ReleaseServer) -> String {
    format!("https://releases.test:{}", server.address.port())
}

#[test]
fn releases_come_through_the_proxy_of_the_environment() {
    if let Ok(url) = std::env::var(URL) {
        return fetch_here(&url);
    }
    let world = World::new();
    let server = ReleaseServer::start(&world.dist).unwrap();
    let proxy = ConnectProxy::start(server.address).unwrap();
    let place = format!("http://{}", proxy.address);
    let port = server.address.port();
    let mut seen = 0;
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let output = fetch(&world, &server, &named_url(&server), &[(name, &place)]);
        assert!(output.status.success(), "{}", said(&output));
        seen += 2;
        assert_eq!(proxy.asked(), vec![format!("releases.test:{port}"); seen]);
        assert_eq!(server.requests(), seen);
    }
}

#[test]
fn this_machine_and_what_no_proxy_names_are_asked_directly() {
    let world = World::new();
    let options = ServerOptions {
        // leads to this machine, too, but is no loopback address by its text
        names: vec!["0.0.0.0".into()],
        ..ServerOptions::default()
    };
    let server = ReleaseServer::start_with(&world.dist, options).unwrap();
    let proxy = ConnectProxy::start(server.address).unwrap();
    let place = format!("http://{}", proxy.address);
    let elsewhere = format!("https://0.0.0.0:{}", server.address.port());
    for (url, exceptions, proxied) in [
        (&server.url, "", 0),
        (&elsewhere, "other.example, 0.0.0.0", 0),
        (&elsewhere, "other.example, 0.0.0.0/8", 0),
        (&elsewhere, "other.example", 2),
    ] {
        let environment = [("HTTPS_PROXY", &*place), ("NO_PROXY", exceptions)];
        let output = fetch(&world, &server, url, &environment);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(proxy.asked().len(), proxied, "{url} {exceptions}");
    }
    assert_eq!(server.requests(), 8);
}

#[test]
fn user_and_password_reach_the_proxy_and_no_message() {
    let world = World::new();
    let server = ReleaseServer::start(&world.dist).unwrap();
    // alice:open-sesame
    let authorization = "Basic YWxpY2U6b3Blbi1zZXNhbWU=";
    let proxy = ConnectProxy::start_with(server.address, Some(authorization)).unwrap();
    let with = |word: &str| format!("http://alice:{word}@{}", proxy.address);
    let output = fetch(
        &world,
        &server,
        &named_url(&server),
        &[("HTTPS_PROXY", &with("open-sesame"))],
    );
    assert!(output.status.success(), "{}", said(&output));
    let output = fetch(
        &world,
        &server,
        &named_url(&server),
        &[("HTTPS_PROXY", &with("hunter2"))],
    );
    let said = said(&output);
    assert!(!output.status.success());
    assert!(said.contains("[proxy]") && said.contains("407"), "{said}");
    assert!(said.contains(&proxy.address.to_string()), "{said}");
    for secret in ["hunter2", "alice", "YWxpY2U6"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn a_proxy_that_is_none_or_not_there_is_an_error() {
    let world = World::new();
    let server = ReleaseServer::start(&world.dist).unwrap();
    let url = named_url(&server);
    let output = fetch(
        &world,
        &server,
        &url,
        &[("HTTPS_PROXY", "socks5://alice:hunter2@127.0.0.1:9")],
    );
    assert!(!output.status.success());
    let said_of_socks = said(&output);
    assert!(said_of_socks.contains("[bad proxy]"), "{said_of_socks}");
    assert!(!said_of_socks.contains("hunter2"), "{said_of_socks}");
    let gone = ConnectProxy::start(server.address).unwrap();
    let place = format!("http://alice:hunter2@{}", gone.address);
    drop(gone);
    let output = fetch(&world, &server, &url, &[("HTTPS_PROXY", &place)]);
    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.contains("[proxy]"), "{said}");
    assert!(
        !said.contains("hunter2") && !said.contains("alice"),
        "{said}"
    );
    assert_eq!(server.requests(), 0);
}
