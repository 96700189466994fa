//! A client of releases and nothing else: fetches, verifies and unpacks what a source offers, as
//! `banger update` does, and tells how it ended and how much memory that took.
//!
//! `release-client SOURCE HOST SEQUENCE [SECONDS]`: `HOST` holds `keys.d` and gets `staging`; `SEQUENCE` is the
//! highest that was seen, and `SECONDS` how long a server may send next to nothing. One line of JSON: `error` (null when it was taken) and `peak_kib`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's program: it is read by a test, and its own failures are the test's"
)]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use banger_installer::fetch::{ExpectedEntries, Limits, Mirrors, Transport, host_target};
use banger_installer::verify::{Expectation, Keyring, verify_manifest};
use banger_installer_host::in_one_line;
use banger_release::{PRODUCT, PROGRAMS, UNITS};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [source, host, sequence, window @ ..] = words.as_slice() else {
        panic!("release-client SOURCE HOST SEQUENCE");
    };
    let mut transport = Transport::system();
    if let Some(seconds) = window.first() {
        let window = Duration::from_secs(seconds.parse().unwrap());
        transport = transport.with_limits(Limits {
            window,
            ..Limits::default()
        });
    }
    let error = take(
        source,
        Path::new(host),
        sequence.parse().unwrap(),
        &transport,
    )
    .err();
    let answer = serde_json::json!({
        "error": error.map(|error| in_one_line(error.as_ref())),
        "peak_kib": peak_kib(),
    });
    println!("{answer}");
}

fn take(
    source: &str,
    host: &Path,
    highest_sequence: u64,
    transport: &Transport,
) -> Result<(), Box<dyn Error>> {
    let mirrors = Mirrors::parse([source], "stable")?;
    let me = rustix::process::geteuid().as_raw();
    let keyring = Keyring::load("", &host.join("keys.d"), me)?;
    let expectation = Expectation {
        product: PRODUCT.into(),
        target: host_target().into(),
        channel: "stable".into(),
        version: None,
        highest_sequence,
        now: jiff::Timestamp::now(),
        clock_floor: None,
        allow_downgrade: false,
    };
    let source = mirrors.each().next().unwrap();
    let signed = source.manifest(transport)?;
    let manifest = verify_manifest(&signed.bytes, &signed.signature, &keyring, &expectation)?;
    let staging = host.join("staging");
    let archive = mirrors.archive(transport, &manifest, host_target(), &staging, &mut ())?;
    let expected = ExpectedEntries::of(PROGRAMS, UNITS).or_listed(PRODUCT, &manifest.version);
    archive.unpack(&expected, &staging.join("new"))?;
    Ok(())
}

/// The most memory that this process ever had (`VmHWM` of `proc_pid_status(5)`), in KiB.
fn peak_kib() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}
