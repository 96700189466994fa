//! How little each unit may do, by systemd's own measure, and what must stay possible.

use std::process::Command;

use banger_installer::unit::{self, UnitFile};
use banger_product::{Coverage, HELPER_SERVICE, OWNER_SERVICE};
use banger_product::{RESCUE_SERVICE, UPDATE_SERVICE};

use super::{owner, render, root_with_units};

/// The highest exposure that `systemd-analyze security` may see in each service, in tenths.
const EXPOSURES: [(&str, u32); 4] = [
    (HELPER_SERVICE, 45),
    (OWNER_SERVICE, 15),
    (RESCUE_SERVICE, 60),
    (UPDATE_SERVICE, 60),
];

fn unit_file(name: &str) -> UnitFile {
    let text = render(name, &owner("/home/alice"), &Coverage::default());
    unit::parse(&text).unwrap()
}

/// The one value of a setting of the section `Service`.
fn value(file: &UnitFile, key: &str) -> String {
    let values = file.values("Service", key);
    assert_eq!(values.len(), 1, "{key}: {values:?}");
    values[0].to_owned()
}

/// The exposure that systemd sees in a unit file, in tenths.
fn exposure(folder: &std::path::Path, name: &str) -> (u32, String) {
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(folder.join(name))
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let overall = text
        .lines()
        .find_map(|line| line.split_once("Overall exposure level for "))
        .unwrap_or_else(|| panic!("{name}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let level = overall.1.split(' ').nth(1).unwrap();
    (level.replace('.', "").parse().unwrap(), text)
}

#[test]
fn systemd_sees_little_exposure_in_each_service() {
    let root = root_with_units();
    let folder = root.path().join("etc/systemd/system");
    for (name, most) in EXPOSURES {
        let (found, table) = exposure(&folder, name);
        assert!(found <= most, "{name} is at {found} tenths:\n{table}");
    }
    // and it is this text that it measures: with nothing but its program, a service is unsafe
    let bare = "[Service]\nExecStart=/usr/local/bin/bangerd --root-helper\n";
    fs_err::write(folder.join("bare.service"), bare).unwrap();
    assert!(exposure(&folder, "bare.service").0 > 90);
}

#[test]
fn each_service_has_bounds_on_memory_descriptors_and_what_it_leaves() {
    for (name, memory) in [
        (HELPER_SERVICE, "512M"),
        (OWNER_SERVICE, "256M"),
        (RESCUE_SERVICE, "1G"),
        (UPDATE_SERVICE, "1G"),
    ] {
        let file = unit_file(name);
        assert_eq!(value(&file, "MemoryMax"), memory, "{name}");
        assert_eq!(value(&file, "LimitCORE"), "0", "{name}");
    }
    for (name, descriptors) in [(HELPER_SERVICE, "65536"), (OWNER_SERVICE, "16384")] {
        let file = unit_file(name);
        assert_eq!(value(&file, "LimitNOFILE"), descriptors, "{name}");
        assert_eq!(value(&file, "UMask"), "0077", "{name}");
        assert_eq!(value(&file, "IPAddressDeny"), "any", "{name}");
    }
}

/// What would harm a guest, or others than banger, though systemd counts it in favour of a unit.
#[test]
fn no_service_is_hardened_against_its_own_work() {
    let helper = unit_file(HELPER_SERVICE);
    for harmful in [
        // the end of a VM is written to its scope's cgroup.kill
        "ProtectControlGroups",
        // guests are other users' processes, and are told apart by what /proc says
        "ProtectProc",
        "ProcSubset",
        // no CAP_MKNOD and no /dev/kvm
        "PrivateDevices",
        "PrivateUsers",
    ] {
        assert!(
            helper.values("Service", harmful).is_empty(),
            "{harmful}= in the helper's unit"
        );
    }
    for name in [HELPER_SERVICE, RESCUE_SERVICE, UPDATE_SERVICE] {
        let file = unit_file(name);
        // the one may hide the boot id that guests are told apart by, the other takes openat2(2) away
        for harmful in ["ProtectKernelTunables", "RestrictSUIDSGID"] {
            let found = file.values("Service", harmful);
            assert!(found.is_empty(), "{harmful}= in {name}");
        }
    }
    for (name, _) in EXPOSURES {
        // a restart would remove the shared memory of all that its user runs
        let file = unit_file(name);
        assert!(file.values("Service", "RemoveIPC").is_empty(), "{name}");
        // a call that a filter leaves out must not end what inherits the filter
        assert_eq!(value(&file, "SystemCallErrorNumber"), "EPERM", "{name}");
    }
}
