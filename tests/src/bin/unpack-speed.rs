//! How long a release takes from its folder to unpacked and synced files, beside `sha256sum`, `tar`
//! and `sync` on the same file in the same run, and how much memory. Run by hand, optimised:
//!
//!     cargo run --release --locked -p banger-tests --bin unpack-speed
//!
//! It asserts nothing: figures of one machine say nothing of another. Ratios do.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for a person, and what fails here fails for them"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use banger_installer::fetch::{ExpectedEntries, host_target};
use banger_installer::model::{Artefact, ArtefactKind, Manifest, Urgency, Version};
use banger_release::archive::{self, File};
use banger_release::{KeygenOptions, PROGRAMS, Password, SigningKey, UNITS, digest, keygen, sign};
use banger_tests::support::programs;
use jiff::{SignedDuration, Timestamp};

/// Runs of each.
const RUNS: usize = 9;
/// Bytes of the programs in the large release: an archive of about 50 MB.
const LARGE: usize = 125_000_000;
/// And of the small one, for the memory.
const SMALL: usize = 12_500_000;

fn main() {
    // the client that is measured is a program of its own
    programs::build_own().unwrap();
    println!("{RUNS} runs each, in turn; milliseconds");
    println!(
        "{:>8} {:>8} {:>8} {:>7}",
        "least", "median", "most", "ratio"
    );
    let large = Release::of(LARGE);
    let mut times = [Vec::new(), Vec::new()];
    let mut peak = 0;
    for _ in 0..RUNS {
        times[0].push(large.by_hand());
        let (time, kib) = large.by_client();
        times[1].push(time);
        peak = peak.max(kib);
    }
    let base = median(&mut times[0]);
    for (mut times, what) in times.into_iter().zip([
        "sha256sum, tar xzf, sync",
        "manifest, signature, spool, sha256, unpack, sync",
    ]) {
        let middle = median(&mut times);
        println!(
            "{:>8} {:>8} {:>8} {:>6.2}x  {what}",
            times[0].as_millis(),
            middle.as_millis(),
            times[RUNS - 1].as_millis(),
            middle.as_secs_f64() / base.as_secs_f64(),
        );
    }
    let small = Release::of(SMALL);
    let (_, kib) = small.by_client();
    println!(
        "peak memory: {peak} KiB for {} MB, {kib} KiB for {} MB",
        large.megabytes(),
        small.megabytes()
    );
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A signed release in a folder of its own, on the disk that this project lies on.
struct Release {
    temp: tempfile::TempDir,
    archive: PathBuf,
}

impl Release {
    fn of(bytes: usize) -> Self {
        let place = banger_tests::support::place::bench();
        fs_err::create_dir_all(&place).unwrap();
        let temp = tempfile::tempdir_in(place).unwrap();
        let inside = |name: &str| temp.path().join(name);
        for folder in ["dist", "host", "host/keys.d"] {
            fs_err::create_dir(inside(folder)).unwrap();
        }
        let keys = keygen(&KeygenOptions {
            out: inside("keys"),
            name: "banger".into(),
            password: Password::None,
        })
        .unwrap();
        fs_err::copy(&keys.public, inside("host/keys.d/banger.pub")).unwrap();
        let name = format!("banger-0.1.1-{}.tar.gz", host_target());
        let packed = archive::write(files(bytes), 0).unwrap();
        let manifest = describe(&name, &packed).to_json().unwrap();
        let key = SigningKey::load(&keys.secret, None).unwrap();
        let signature = sign(&key, &manifest, "a measurement").unwrap();
        let dist = inside("dist");
        fs_err::write(dist.join(&name), packed).unwrap();
        fs_err::write(dist.join("manifest.json"), manifest).unwrap();
        fs_err::write(dist.join("manifest.json.minisig"), signature).unwrap();
        Self {
            archive: dist.join(name),
            temp,
        }
    }

    fn megabytes(&self) -> u64 {
        fs_err::metadata(&self.archive).unwrap().len() / 1_000_000
    }

    fn by_hand(&self) -> Duration {
        let to = self.temp.path().join("by-hand");
        fs_err::create_dir(&to).unwrap();
        let begun = Instant::now();
        run(Command::new("sha256sum").arg(&self.archive));
        run(Command::new("tar")
            .arg("xzf")
            .arg(&self.archive)
            .arg("-C")
            .arg(&to));
        sync(&to);
        let time = begun.elapsed();
        fs_err::remove_dir_all(&to).unwrap();
        sync(self.temp.path());
        time
    }

    fn by_client(&self) -> (Duration, u64) {
        let host = self.temp.path().join("host");
        let begun = Instant::now();
        let mut client = Command::new(programs::own("release-client").unwrap());
        let output = client
            .arg(self.temp.path().join("dist"))
            .arg(&host)
            .arg("0")
            .output()
            .unwrap();
        sync(&host);
        let time = begun.elapsed();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer["error"].is_null(), "{answer}");
        fs_err::remove_dir_all(host.join("staging")).unwrap();
        sync(self.temp.path());
        (time, answer["peak_kib"].as_u64().unwrap())
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn sync(folder: &Path) {
    run(Command::new("sync").arg("-f").arg(folder));
}

/// Programs of this kind: what is in this one, again and again. gzip sees 32 KiB at a time, so that
/// repeating it compresses no better than the first time.
fn files(bytes: usize) -> Vec<File> {
    let own = fs_err::read(std::env::current_exe().unwrap()).unwrap();
    let expected = ExpectedEntries::of(PROGRAMS, UNITS);
    expected
        .entries()
        .iter()
        .map(|entry| {
            let size = if entry.mode == 0o755 { bytes / 2 } else { 500 };
            File {
                path: entry.path.clone(),
                mode: entry.mode,
                content: own.iter().copied().cycle().take(size).collect(),
            }
        })
        .collect()
}

fn describe(name: &str, archive: &[u8]) -> Manifest {
    let released = Timestamp::now();
    Manifest {
        product: "banger".into(),
        version: Version::new(0, 1, 1),
        channel: "stable".into(),
        sequence: 1,
        released,
        expires: released + SignedDuration::from_hours(24),
        urgency: Urgency::default(),
        notes: String::new(),
        artefacts: vec![Artefact {
            name: name.into(),
            url: name.into(),
            kind: ArtefactKind::Release,
            target: host_target().into(),
            size: archive.len() as u64,
            digest: digest(archive),
            upgrades_from: Version::new(0, 0, 0),
        }],
    }
}
