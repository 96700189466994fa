//! A new program before anything points at it: it is asked for its version, and can do nothing else.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use banger_installer::effect::{HostPrograms, Programs as _};

/// The words of a process that the program leaves behind; nobody else's.
const SLEEPER: &str = "98765.4321";

/// What an evil program tries before it says its version, and tells of.
const EVIL: &str = r#"#!/bin/bash
(echo evil >FILE) 2>/dev/null && said="$said wrote"
(exec 3<>/dev/tcp/127.0.0.1/PORT) 2>/dev/null && said="$said connected"
setsid sleep SLEEPER >/dev/null 2>&1 &
sleep SLEEPER &
exec 2>/dev/null
echo "evil 0.1.1 uid=$(id -u) groups=$(id -G) privileges=$(grep NoNewPrivs /proc/self/status | cut -f2)$said"
"#;

fn sleepers() -> Vec<String> {
    let processes = fs_err::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| {
            let path = entry.unwrap().path().join("cmdline");
            let words = std::fs::read(path).ok()?;
            let words = String::from_utf8_lossy(&words).into_owned();
            words.contains(SLEEPER).then_some(words)
        })
        .collect()
}

#[test]
fn a_new_program_has_no_privileges_and_no_network_and_leaves_no_process() {
    assert!(rustix::process::geteuid().is_root(), "it is root that asks");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots");
    fs_err::write(&file, "root's").unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let script = EVIL
        .replace("FILE", file.to_str().unwrap())
        .replace("PORT", &port)
        .replace("SLEEPER", SLEEPER);
    let program = folder.path().join("evil");
    fs_err::write(&program, script).unwrap();
    for path in [folder.path(), &program] {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let said = HostPrograms.version_line(&program).unwrap();
    assert_eq!(
        said.trim(),
        "evil 0.1.1 uid=65534 groups=65534 privileges=1"
    );
    assert_eq!(fs_err::read_to_string(&file).unwrap(), "root's");
    assert!(
        listener.accept().is_err(),
        "it reached this machine's network"
    );
    assert_eq!(sleepers(), Vec::<String>::new());

    // and by hand it can, so the test asks for the right things
    let told = folder.path().join("told");
    let by_hand = std::process::Command::new(&program)
        .stdout(std::fs::File::create(&told).unwrap())
        .status();
    assert!(by_hand.unwrap().success());
    let said = fs_err::read_to_string(told).unwrap();
    assert!(said.contains("wrote connected"), "{said}");
    let own = sleepers();
    assert_eq!(own.len(), 2, "{own:?}");
    end_sleepers();
}

fn end_sleepers() {
    for entry in fs_err::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let words = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let pid = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        if String::from_utf8_lossy(&words).contains(SLEEPER)
            && let Some(pid) = pid.and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    }
}
