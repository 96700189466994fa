//! The commands on a real host (docs/contract.md, "Commands"): who may call what, what a host must
//! have, and which command a user whose daemon cannot be reached is told to type. Every refusal
//! leaves the host as it was.

use banger_installer::model::Version;
use banger_tests::support::command::Output;
use banger_tests::support::host::Host;
use banger_tests::support::tree::{Tree, difference};
use banger_tests::support::{guest, programs};

/// Where an unpacked release lies in the hosts of this module.
const RELEASE: &str = "/root/release";

/// A host with an unpacked release on it and nothing installed.
pub(crate) fn with_release(host: Host) -> Host {
    let built = programs::banger("0.1.0").unwrap();
    for program in ["banger", "bangerd"] {
        let to = format!("{RELEASE}/bin/{program}");
        host.copy(&built.join(program), to).unwrap();
    }
    // the owner must be able to call it, too
    host.copy(&built.join("banger"), "/usr/bin/banger").unwrap();
    host
}

fn banger(host: &Host, words: &[&str]) -> Output {
    let program = format!("{RELEASE}/bin/banger");
    host.run([&[program.as_str()], words].concat()).unwrap()
}

fn banger_as(host: &Host, user: &str, words: &[&str]) -> Output {
    host.run_as(user, [&["/usr/bin/banger"], words].concat())
        .unwrap()
}

/// Every path that banger could touch, with what identifies its content.
pub(crate) fn tree(host: &Host) -> Tree {
    let tops = ["etc", "usr/local", "var/lib", "var/cache", "opt"];
    let mut found = banger_tests::support::tree::tree(&host.path("/"), &tops).unwrap();
    // what the host's own services, and guests, write while we look
    let busy = [
        "var/lib/systemd",
        "var/lib/dbus",
        "etc/resolv.conf",
        "var/lib/private",
        "console.log",
    ];
    found.retain(|path, _| {
        let text = path.to_string_lossy();
        !busy.iter().any(|own| text.contains(own))
    });
    found
}

/// The same without the memory of releases that were seen, which a run that is refused may write.
pub(crate) fn tree_but_memory(host: &Host) -> Tree {
    let mut tree = tree(host);
    tree.retain(|path, _| !path.ends_with("var/lib/banger-install/seen.json"));
    tree
}

/// Asserts a refusal: its exit code, an `error:` that holds `what`, and a hint that holds `hint`.
pub(crate) fn assert_refused(output: &Output, code: i32, what: &str, hint: &str) {
    let said = output.text();
    assert_eq!(output.code, Some(code), "{said}");
    assert!(output.stderr.contains("error: "), "{said}");
    assert!(output.stderr.contains(what), "{said}");
    assert!(output.stderr.contains(hint), "{said}");
    assert!(!output.stderr.contains("panicked"), "{said}");
}

#[test]
fn only_root_changes_a_host_and_only_for_a_real_owner() {
    let host = with_release(Host::new().user("alice").build().unwrap());
    let before = tree(&host);

    let not_root = banger_as(&host, "alice", &["system", "install", "--owner", "alice"]);
    not_root.exited(3).unwrap();
    assert_eq!(not_root.stderr.lines().count(), 1, "{}", not_root.text());
    assert!(
        not_root
            .stderr
            .contains("sudo banger system install --owner alice")
    );
    for words in [
        ["update", "--check"],
        ["system", "status"],
        ["system", "restart"],
    ] {
        let output = banger_as(&host, "alice", &words);
        let typed = format!("sudo banger {}", words.join(" "));
        assert_refused(&output, 3, &typed, "");
    }

    let install = |owner: &[&str]| banger(&host, &[&["system", "install"], owner].concat());
    let command = "sudo banger system install --owner USER";
    assert_refused(&install(&[]), 2, "no owner", command);
    assert_refused(
        &install(&["--owner", "mallory"]),
        11,
        "no user \"mallory\"",
        "getent passwd",
    );
    assert_refused(
        &install(&["--owner", ""]),
        11,
        "no user \"\"",
        "getent passwd",
    );
    assert_refused(&install(&["--owner", "root"]), 2, "root is root", command);

    // options belong to one command each
    for words in [
        &["system", "restart", "--owner", "alice"][..],
        &["system", "uninstall", "--owner", "alice"],
        &["update", "--owner", "alice"],
        &["system", "install", "--purge"],
        &["system", "restart", "--purge"],
        &["update", "--purge"],
    ] {
        let output = banger(&host, words);
        output.exited(2).unwrap();
    }
    for words in [
        &["update"][..],
        &["system", "restart"],
        &["system", "uninstall"],
    ] {
        assert_refused(
            &banger(&host, words),
            4,
            "not installed",
            "sudo banger system install",
        );
    }
    assert_same(&before, &tree(&host));
}

/// Asserts that nothing was added, removed or changed, and names what was.
pub(crate) fn assert_same(before: &Tree, after: &Tree) {
    let changed = difference(before, after);
    assert!(
        changed.is_empty(),
        "the host was changed:\n{}",
        changed.join("\n")
    );
}

#[test]
fn sudo_user_is_the_owner_and_a_second_install_changes_nothing() {
    let host = with_release(Host::new().user("alice").user("bob").build().unwrap());
    let install = || {
        let line = format!("SUDO_USER=alice {RELEASE}/bin/banger system install");
        host.shell(&line).unwrap()
    };
    let first = install();
    assert!(first.success(), "{}", first.text());
    let receipt = fs_err::read_to_string(host.path("/etc/banger/install.json")).unwrap();
    assert!(receipt.contains("\"user\": \"alice\""), "{receipt}");
    for unit in ["bangerd.service", "bangerd-root.service"] {
        assert_eq!(host.property(unit, "ActiveState").unwrap(), "active");
        assert_eq!(host.property(unit, "KillMode").unwrap(), "process");
        assert_eq!(host.property(unit, "UnitFileState").unwrap(), "enabled");
    }

    let before = tree(&host);
    let pid = host.property("bangerd.service", "MainPID").unwrap();
    let second = install();
    assert!(second.success(), "{}", second.text());
    assert!(
        second.stdout.contains("nothing was changed"),
        "{}",
        second.text()
    );
    assert_same(&before, &tree(&host));
    assert_eq!(host.property("bangerd.service", "MainPID").unwrap(), pid);

    users_are_told_which_command_to_type(&host);
    programs_print_one_version_line(&host);
}

/// On an installed host: the three cases of an owner daemon that cannot be reached.
fn users_are_told_which_command_to_type(host: &Host) {
    let list = |user| banger_as(host, user, &["vm", "list"]);
    assert!(list("alice").success(), "{}", list("alice").text());
    assert_refused(&list("bob"), 3, "installed for alice", "hint");
    assert_refused(&list("root"), 3, "installed for alice", "hint");

    let sockets = ["bangerd.socket", "bangerd.service"];
    let systemctl = |verb: &str| {
        host.run([&["systemctl", verb], &sockets[..]].concat())
            .unwrap()
            .ok()
            .unwrap();
    };
    systemctl("stop");
    assert_refused(&list("alice"), 4, "error", "sudo banger system restart");
    systemctl("start");
    assert!(list("alice").success());

    let receipt = host.path("/etc/banger/install.json");
    let aside = receipt.with_extension("aside");
    fs_err::rename(&receipt, &aside).unwrap();
    assert_refused(
        &list("alice"),
        4,
        "not installed",
        "sudo banger system install",
    );
    fs_err::rename(&aside, &receipt).unwrap();
}

fn programs_print_one_version_line(host: &Host) {
    for program in ["banger", "bangerd"] {
        let path = format!("/usr/local/bin/{program}");
        let output = host
            .run([path.as_str(), "--version"])
            .unwrap()
            .ok()
            .unwrap();
        let version = Version::from_version_line(program, &output);
        assert_eq!(
            version.map(|found| found.to_string()).as_deref(),
            Ok("0.1.0")
        );
    }
}

#[test]
fn bad_input_for_a_vm_is_refused_and_leaves_nothing() {
    let host = with_release(Host::new().user("alice").build().unwrap());
    let installed = banger(&host, &["system", "install", "--owner", "alice"]);
    assert!(installed.success(), "{}", installed.text());
    host.copy(&guest::ticker().unwrap(), "/home/alice/ticker.elf")
        .unwrap();
    let run = |name: &str, kernel: &str| {
        banger_as(
            &host,
            "alice",
            &["vm", "run", "--kernel", kernel, "--", name],
        )
    };
    let before = tree(&host);
    let long = "a".repeat(65);
    for name in [
        "", "a/b", "..", ".", "../x", &long, "-a", "a b", "Web", "a\n",
    ] {
        assert_refused(&run(name, "/home/alice/ticker.elf"), 11, "name", "hint");
    }
    for kernel in ["/etc/passwd", "/nonexistent", "/home/alice", "/dev/null"] {
        assert_refused(&run("web", kernel), 11, "kernel", "hint");
    }
    assert_same(&before, &tree(&host));

    let first = run("web", "/home/alice/ticker.elf");
    assert!(first.success(), "{}", first.text());
    assert_refused(
        &run("web", "/home/alice/ticker.elf"),
        11,
        "exists",
        "vm delete web",
    );

    // a guest is named as the reason why nothing is removed
    let refused = banger(&host, &["system", "uninstall", "--purge"]);
    assert_refused(&refused, 12, "web", "hint");
    for words in [["vm", "stop", "web"], ["vm", "delete", "web"]] {
        let output = banger_as(&host, "alice", &words);
        assert!(output.success(), "{}", output.text());
    }
}

#[test]
fn what_a_host_lacks_is_named_and_nothing_is_changed() {
    let cases = [
        (Host::new().user("alice").without_dbus(), "D-Bus"),
        (Host::new().user("alice").without_kvm(), "/dev/kvm"),
        (
            Host::new().user("alice").without_firecracker(),
            "firecracker",
        ),
    ];
    for (builder, named) in cases {
        let host = with_release(builder.build().unwrap());
        let before = tree(&host);
        let output = banger(&host, &["system", "install", "--owner", "alice"]);
        assert_refused(&output, 5, named, "hint");
        assert_same(&before, &tree(&host));
    }
    let host = with_release(Host::new().user("alice").build().unwrap());
    let before = tree(&host);
    // the mark of a running systemd (sd_booted(3)) hidden from one command
    let line = format!(
        "unshare --mount sh -c 'mount -t tmpfs none /run && {RELEASE}/bin/banger system install \
         --owner alice'"
    );
    let output = host.shell(&line).unwrap();
    assert_refused(&output, 5, "systemd", "hint");
    assert_same(&before, &tree(&host));
}

#[test]
fn an_uninstall_with_purge_leaves_the_host_as_it_was_before_the_install() {
    let host = with_release(Host::new().user("alice").build().unwrap());
    let before = tree(&host);
    for _ in 0..2 {
        let installed = banger(&host, &["system", "install", "--owner", "alice"]);
        assert!(installed.success(), "{}", installed.text());
        let removed = banger(&host, &["system", "uninstall", "--purge"]);
        assert!(removed.success(), "{}", removed.text());
        assert!(
            removed.stdout.contains("/usr/local/lib/banger"),
            "{}",
            removed.text()
        );
        assert_same(&before, &tree(&host));
    }
    let left = host
        .shell("ls -d /run/banger* /run/systemd/system/banger* 2>/dev/null")
        .unwrap();
    assert_eq!(left.stdout.trim(), "", "left in /run");
}

#[test]
fn an_uninstall_without_purge_keeps_what_is_the_users() {
    let host = with_release(Host::new().user("alice").build().unwrap());
    let installed = banger(&host, &["system", "install", "--owner", "alice"]);
    assert!(installed.success(), "{}", installed.text());
    let kept = [
        "/etc/banger/config.toml",
        "/etc/banger/keys.d/mine.pub",
        "/var/lib/banger/mine",
        "/var/lib/banger-root/mine",
    ];
    for path in kept {
        host.write(path, "mine").unwrap();
    }
    let removed = banger(&host, &["system", "uninstall"]);
    assert!(removed.success(), "{}", removed.text());
    for path in kept {
        assert!(host.path(path).exists(), "{path} is gone");
    }
    let gone = [
        "/etc/banger/install.json",
        "/usr/local/lib/banger",
        "/usr/local/bin/banger",
    ];
    for path in gone {
        assert!(!host.path(path).exists(), "{path} is left");
    }
}
