//! The units, as they are rendered for an owner.

use std::path::{Path, PathBuf};
use std::process::Command;

use banger_installer::model::Owner;
use banger_installer::unit::{self, UnitFile};
use banger_product::{Coverage, UNIT_TEMPLATES, unit_values};

mod apparmor;
mod hardening;
mod paths;

fn owner(home: &str) -> Owner {
    Owner {
        user: "alice".into(),
        uid: 1000,
        gid: 1001,
        home: home.into(),
    }
}

fn render(name: &str, owner: &Owner, coverage: &Coverage) -> String {
    let (_, template) = UNIT_TEMPLATES
        .iter()
        .find(|(found, _)| *found == name)
        .unwrap();
    unit::render(
        template,
        &unit_values(owner, Path::new("/usr/local/bin"), coverage),
    )
    .unwrap()
}

/// Asserts that every `Key=value` of `lines` is an assignment in force, on a line of its own.
fn assert_contains(file: &UnitFile, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (key, value) = line.split_once('=').unwrap();
        let in_force = ["Unit", "Service"]
            .iter()
            .any(|section| file.values(section, key).contains(&value));
        assert!(in_force, "{line} is not in force");
    }
}

#[test]
fn the_owner_daemons_unit_holds_every_directive() {
    let text = render(
        "bangerd.service",
        &owner("/home/alice"),
        &Coverage::default(),
    );
    assert_contains(
        &unit::parse(&text).unwrap(),
        r#"
        ExecStart=/usr/local/bin/bangerd --system
        User=alice
        Wants=network-online.target bangerd-root.service
        After=bangerd-root.service
        Requires=bangerd-root.service
        KillMode=process
        UMask=0077
        Environment=TMPDIR=/run/banger
        NoNewPrivileges=yes
        PrivateMounts=yes
        ProtectSystem=strict
        ProtectHome=read-only
        ProtectControlGroups=yes
        ProtectKernelLogs=yes
        ProtectKernelModules=yes
        ProtectClock=yes
        ProtectHostname=yes
        RestrictSUIDSGID=yes
        LockPersonality=yes
        SystemCallArchitectures=native
        RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_VSOCK
        StateDirectory=banger
        StateDirectoryMode=0700
        CacheDirectory=banger
        CacheDirectoryMode=0700
        RuntimeDirectory=banger
        RuntimeDirectoryMode=0700
        ReadOnlyPaths="/home/alice"
        "#,
    );
    for line in [
        "After=bangerd-root.service",
        "User=alice",
        "ReadOnlyPaths=\"/home/alice\"",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is no line of its own"
        );
    }
}

#[test]
fn the_root_helpers_unit_holds_every_directive() {
    let text = render(
        "bangerd-root.service",
        &owner("/home/alice"),
        &Coverage::default(),
    );
    assert_contains(
        &unit::parse(&text).unwrap(),
        "
        ExecStart=/usr/local/bin/bangerd --root-helper
        KillMode=process
        Environment=TMPDIR=/run/banger-root
        NoNewPrivileges=yes
        PrivateTmp=yes
        PrivateMounts=yes
        ProtectSystem=strict
        ProtectHome=yes
        RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_VSOCK
        CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_MKNOD CAP_NET_ADMIN CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SYS_ADMIN CAP_SYS_CHROOT
        ReadWritePaths=/var/lib/banger
        RuntimeDirectory=banger-root
        RuntimeDirectoryMode=0711
        ",
    );
}

#[test]
fn both_services_hold_what_the_guarantees_need() {
    for name in ["bangerd.service", "bangerd-root.service"] {
        let text = render(name, &owner("/home/alice"), &Coverage::default());
        assert_contains(
            &unit::parse(&text).unwrap(),
            "Type=notify
             RuntimeDirectoryPreserve=yes
             OOMPolicy=continue
             Restart=always",
        );
    }
}

/// One that is in force makes systemd close a socket to clients after a few quick restarts.
#[test]
fn no_service_and_no_socket_has_a_start_limit_or_a_trigger_limit() {
    for (name, _) in UNIT_TEMPLATES {
        if !name.starts_with("bangerd") {
            continue;
        }
        let text = render(name, &owner("/home/alice"), &Coverage::default());
        let file = unit::parse(&text).unwrap();
        assert_eq!(
            file.values("Unit", "StartLimitIntervalSec"),
            ["0"],
            "{name}"
        );
        if name.ends_with(".socket") {
            assert_eq!(
                file.values("Socket", "TriggerLimitIntervalSec"),
                ["0"],
                "{name}"
            );
        }
    }
}

#[test]
fn a_home_reaches_systemd_unchanged() {
    for home in [
        "/home/a b",
        "/home/a\"b",
        "/home/a\\b",
        "/home/100%",
        "/home/%h \"\\",
    ] {
        let text = render("bangerd.service", &owner(home), &Coverage::default());
        let file = unit::parse(&text).unwrap();
        let values = file.values("Service", "ReadOnlyPaths");
        assert!(
            values[0].starts_with('"') && values[0].ends_with('"'),
            "{values:?} is not quoted"
        );
        assert_eq!(unit::words(values[0]).unwrap(), [home]);
    }
}

#[test]
fn coverage_lines_are_present_exactly_when_asked_for() {
    let asked = Coverage {
        owner: Some("/cov/a b".into()),
        helper: Some("/cov/root".into()),
    };
    for (name, folder) in [
        ("bangerd.service", "/cov/a b"),
        ("bangerd-root.service", "/cov/root"),
    ] {
        let with = render(name, &owner("/home/alice"), &asked);
        let file = unit::parse(&with).unwrap();
        let environment = file.values("Service", "Environment");
        assert!(
            environment[1].starts_with('"'),
            "{environment:?} is not quoted"
        );
        let expected = format!("LLVM_PROFILE_FILE={folder}/%p-%m.profraw");
        assert_eq!(unit::words(environment[1]).unwrap(), [expected]);
        let without = render(name, &owner("/home/alice"), &Coverage::default());
        assert!(!without.contains("LLVM_PROFILE_FILE"), "{without}");
    }
    let one = Coverage {
        owner: asked.owner,
        helper: None,
    };
    let helper = render("bangerd-root.service", &owner("/home/alice"), &one);
    assert!(
        !helper.contains("LLVM_PROFILE_FILE"),
        "one variable reached the other unit"
    );
}

/// A root folder that holds the rendered units and what they name.
fn root_with_units() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |path: PathBuf, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, _) in UNIT_TEMPLATES {
        let text = render(name, &owner("/home/alice"), &Coverage::default());
        write(
            root.path().join("etc/systemd/system").join(name),
            &text,
            0o644,
        );
    }
    for program in [
        "usr/local/bin/banger",
        "usr/local/bin/bangerd",
        "usr/bin/install",
    ] {
        write(root.path().join(program), "#!/bin/sh\n", 0o755);
    }
    // the targets and the slice that every unit refers to
    for target in [
        "basic",
        "sysinit",
        "sockets",
        "shutdown",
        "network-online",
        "multi-user",
    ] {
        let path = root
            .path()
            .join(format!("etc/systemd/system/{target}.target"));
        write(path, "[Unit]\nDescription=stand-in\n", 0o644);
    }
    root
}

#[test]
fn systemd_analyze_verify_finds_nothing() {
    let root = root_with_units();
    let verify = |units: &[&str]| {
        let output = Command::new("systemd-analyze")
            .args([
                "verify",
                "--man=no",
                "--recursive-errors=one",
                "--generators=no",
            ])
            .arg(format!("--root={}", root.path().display()))
            .args(units)
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let names = UNIT_TEMPLATES.map(|(name, _)| name);
    let (good, said) = verify(&names);
    assert!(
        good && said.trim().is_empty(),
        "systemd-analyze verify: {said}"
    );

    // and it does look: a directive it does not know is named
    let path = root.path().join("etc/systemd/system/bangerd.service");
    let broken = fs_err::read_to_string(&path)
        .unwrap()
        .replace("KillMode=", "KilMode=");
    fs_err::write(&path, broken).unwrap();
    let (_, said) = verify(&names);
    assert!(
        said.contains("KilMode"),
        "systemd-analyze verify did not read the units: {said}"
    );
}

#[test]
fn what_is_released_is_what_is_installed() {
    let product = banger_cli::product::product().unwrap();
    let sorted = |names: Vec<&str>| {
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        names.sort();
        names
    };
    let units = product.units.iter().map(|unit| unit.name.as_str());
    assert_eq!(
        sorted(units.collect()),
        sorted(banger_release::UNITS.to_vec())
    );
    let programs = product.programs.iter().map(|program| program.name.as_str());
    assert_eq!(
        sorted(programs.collect()),
        sorted(banger_release::PROGRAMS.to_vec())
    );
    assert_eq!(product.name, banger_release::PRODUCT);
    assert_eq!(product.target, banger_installer::fetch::host_target());
}
