//! A staging disk that is full: said as such, with the place and what to do, and nothing stays.
//!
//! The disk is a tmpfs of a few pages in a mount namespace of its own, so that nothing is mounted
//! where anyone else can see it and nothing stays mounted when the test dies.

use std::path::Path;
use std::process::Command;

use banger_installer::error_kind::ErrorKind;
use banger_installer::fetch::{FetchError, UnpackError};
use banger_release::archive;

use crate::world::{Stopped, World, good_files, tree};

const STAGING: &str = "BANGER_ATTACK_STAGING";

/// Runs this very test again with a small tmpfs at `staging`; the child does the work.
fn again_on_a_small_disk(test: &str, staging: &Path) {
    fs_err::create_dir(staging).unwrap();
    let script = r#"mount -t tmpfs -o size=128k,mode=0700 none "$1" && exec "$2" --exact "$3""#;
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(staging)
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(STAGING, staging)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "needs root: {output:?}");
    assert!(said.contains("1 passed"), "{said}");
}

/// The child's side: a world whose staging folder is the small disk.
fn world_on(staging: &str) -> World {
    let mut world = World::new();
    world.host = Path::new(staging).parent().unwrap().into();
    fs_err::create_dir_all(world.host.join("keys.d")).unwrap();
    fs_err::copy(
        world.keys.join("banger.pub"),
        world.host.join("keys.d/banger.pub"),
    )
    .unwrap();
    world
}

/// Bytes that gzip cannot make smaller.
fn noise(count: u32) -> Vec<u8> {
    let mut state = 1_u32;
    (0..count)
        .map(|_| {
            // xorshift32
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .collect()
}

fn seen(stopped: &Stopped, staging: &str) {
    assert_eq!(stopped.kind(), ErrorKind::HostLacks, "{}", stopped.shown());
    let shown = stopped.shown();
    assert!(
        shown.contains(staging) && shown.contains("df -h"),
        "{shown}"
    );
    let left = tree(Path::new(staging));
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn the_disk_is_full_while_spooling() {
    let Ok(staging) = std::env::var(STAGING) else {
        let temp = tempfile::tempdir().unwrap();
        let staging = temp.path().join("staging");
        return again_on_a_small_disk("disk::the_disk_is_full_while_spooling", &staging);
    };
    let world = world_on(&staging);
    let mut files = good_files();
    for file in &mut files {
        file.content = noise(60_000);
    }
    world.publish(&archive::write(files, 0).unwrap());
    let stopped = world.update().unwrap_err();
    seen(&stopped, &staging);
    assert!(
        matches!(&stopped, Stopped::Fetch(FetchError::DiskFull { needed, .. }) if *needed > 300_000),
        "{stopped:?}"
    );
}

#[test]
fn the_disk_is_full_while_unpacking() {
    let Ok(staging) = std::env::var(STAGING) else {
        let temp = tempfile::tempdir().unwrap();
        let staging = temp.path().join("staging");
        return again_on_a_small_disk("disk::the_disk_is_full_while_unpacking", &staging);
    };
    let world = world_on(&staging);
    let mut files = good_files();
    for file in files.iter_mut().take(3) {
        file.content = vec![0; 60_000];
    }
    world.publish(&archive::write(files, 0).unwrap());
    let stopped = world.update().unwrap_err();
    seen(&stopped, &staging);
    assert!(
        matches!(&stopped, Stopped::Unpack(UnpackError::DiskFull { .. })),
        "{stopped:?}"
    );
}
