//! A host whose folders are file systems of their own: no rename crosses from one to another.

use banger_tests::support::Host;

use crate::toy::Toy;

/// Everything that the toolkit writes to lies on another file system than its neighbour.
const MOUNTED: [&str; 5] = [
    "/etc",
    "/var",
    "/usr/local",
    "/usr/local/lib",
    "/usr/local/bin",
];

#[test]
fn install_update_rollback_restart_and_uninstall_hold_across_file_systems() {
    let builder = Host::new().without_firecracker().mounted(&MOUNTED);
    let toy = Toy::on(builder.build().unwrap());
    let devices = toy.shell(&format!("stat -c %d / {} | sort -u", MOUNTED.join(" ")));
    assert_eq!(devices.lines().count(), MOUNTED.len() + 1, "{devices}");

    let before = toy.tree();
    toy.install().ok().unwrap();
    let child = toy.child();
    toy.update("0.1.1").ok().unwrap();
    assert_eq!(
        (toy.current(), toy.answer()),
        ("0.1.1".into(), "0.1.1".into())
    );
    let updated = toy.tree();
    let failed = toy.update("0.1.2");
    assert!(!failed.success(), "{}", failed.text());
    assert_eq!(toy.tree(), updated);
    assert_eq!(toy.answer(), "0.1.1");
    toy.run("rollback").ok().unwrap();
    assert_eq!(
        (toy.current(), toy.answer()),
        ("0.1.0".into(), "0.1.0".into())
    );
    toy.run("restart").ok().unwrap();
    // the same version from other bytes: what lies there is set aside, and the new comes beside it
    toy.shell("echo '# built anew' >> /root/0.1.0/bin/toyd");
    toy.install().ok().unwrap();
    toy.shell("tail -n 1 /usr/local/lib/toy/0.1.0/bin/toyd | grep -q anew");
    assert_eq!(toy.child(), child);
    toy.shell("kill $(cat /var/lib/toy/child)");
    toy.run("uninstall --purge").ok().unwrap();
    assert_eq!(toy.tree(), before);
}
