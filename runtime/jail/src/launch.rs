//! How Firecracker is started: pure.

use serde_json::json;

use super::Programs;
use crate::protocol::limits;
use crate::storage::{Places, VmRecord};

/// Arguments for the guest's kernel: end at once on reboot or panic, and leave out the probing of
/// hardware that Firecracker has not.
const BOOT_ARGUMENTS: &str = "reboot=k panic=1 nomodule i8042.noaux i8042.nomux i8042.dumbkbd \
                              swiotlb=noforce console=ttyS0";

/// Firecracker's `--config-file` (Firecracker docs, `getting-started.md`). Paths are those inside
/// the jail.
pub fn configuration(record: &VmRecord, rootfs: bool) -> serde_json::Value {
    let drives = if rootfs {
        json!([{
            "drive_id": "rootfs",
            "path_on_host": "/rootfs",
            "is_root_device": true,
            "is_read_only": false,
        }])
    } else {
        json!([])
    };
    json!({
        "boot-source": { "kernel_image_path": "/kernel", "boot_args": BOOT_ARGUMENTS },
        "drives": drives,
        "machine-config": {
            "vcpu_count": record.cpus.get(),
            "mem_size_mib": record.memory_mib.get(),
        },
    })
}

/// The jailer's command line.
///
/// Neither `--daemonize` nor `--new-pid-ns`: the jailer then turns into Firecracker by exec, so the
/// process that was spawned is the VM, its number and start time are known before it runs, and
/// there is no window to wait out. Nor any `--cgroup`: the scope is made through systemd, which
/// owns the tree. `disk` is the size of its root disk in bytes, 0 without one: no file that it
/// writes may come to be larger, bar the least that [`limits::VM_FILE`] grants.
pub fn jailer_command(
    places: &Places,
    record: &VmRecord,
    programs: &Programs,
    disk: u64,
) -> Vec<String> {
    let uid = record.uid.to_string();
    let largest_file = format!("fsize={}", disk.max(limits::VM_FILE));
    let descriptors = format!("no-file={}", limits::VM_DESCRIPTORS);
    let firecracker = programs.firecracker.to_string_lossy();
    let jails = places.jails();
    let base = jails.to_string_lossy();
    let words = [
        "--id",
        record.id.as_str(),
        "--exec-file",
        &firecracker,
        "--uid",
        &uid,
        "--gid",
        &uid,
        "--chroot-base-dir",
        &base,
        "--cgroup-version",
        "2",
        "--resource-limit",
        &largest_file,
        "--resource-limit",
        &descriptors,
        "--",
        "--api-sock",
        "/firecracker.socket",
        "--config-file",
        "/config.json",
        // its own log apart from the guest's console; in the jail, so the guest's uid may write it
        "--log-path",
        "/firecracker.log",
        "--level",
        "Info",
    ];
    words.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_larger_than_the_least_bound_can_be_written_to_its_end() {
        let record: VmRecord = serde_json::from_value(json!({
            "schema": 1, "id": "00112233445566aa", "name": "web", "cpus": 2, "memory_mib": 512,
            "uid": 600_000, "state": "starting", "reason": null, "boot_id": "b",
            "started": null, "process": null, "scope": null,
        }))
        .unwrap();
        let programs = Programs {
            firecracker: "/usr/bin/firecracker".into(),
            jailer: "/usr/bin/jailer".into(),
        };
        let places = Places::new("/state", "/run");
        for (disk, expected) in [
            (0, limits::VM_FILE),
            (1, limits::VM_FILE),
            (limits::VM_FILE + 1, limits::VM_FILE + 1),
        ] {
            let words = jailer_command(&places, &record, &programs, disk);
            let limit = format!("fsize={expected}");
            assert!(words.contains(&limit), "{words:?}");
            // what follows is Firecracker's
            let end = words.iter().position(|word| word == "--").unwrap();
            assert!(words[end..].iter().all(|word| !word.contains("fsize")));
        }
    }
}
