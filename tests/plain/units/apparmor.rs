//! The profiles of `AppArmor` for packagers and administrators: a parser takes them, and a kernel that
//! has it does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use banger_installer::unit;
use banger_product::{Coverage, HELPER_SERVICE};
use banger_tests::support::command::{self, Output};
use banger_tests::support::place;

use super::{owner, render};

const PROFILES: [&str; 2] = ["banger-helper", "banger-jailer"];

/// A namespace of policies for the test alone: what is loaded there confines nobody.
const NAMESPACE: &str = "banger-test";
const POLICIES: &str = "/sys/kernel/security/apparmor/policy/namespaces/banger-test";

fn profile(name: &str) -> PathBuf {
    place::workspace().join("packaging/apparmor").join(name)
}

fn parser(options: &[&str], file: &Path) -> Output {
    let mut command = Command::new("apparmor_parser");
    // a plain user's path may leave out its folder
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command::run(command.args(options).arg(file)).unwrap()
}

#[test]
fn the_parser_takes_each_profile_under_its_own_name() {
    let options = ["--skip-kernel-load", "--skip-cache"];
    for name in PROFILES {
        let parsed = parser(&options, &profile(name));
        assert!(parsed.success(), "{}", parsed.text());
        let names = parser(&["--names"], &profile(name)).ok().unwrap();
        assert_eq!(names, name);
    }
    // and it does read them: a rule that it does not know is refused
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken");
    let text = fs_err::read_to_string(profile("banger-helper")).unwrap();
    fs_err::write(&broken, text.replace("pivot_root,", "pivot,")).unwrap();
    assert!(!parser(&options, &broken).success());
}

#[test]
#[allow(
    clippy::print_stdout,
    reason = "what a machine cannot show is told loudly"
)]
fn a_kernel_with_apparmor_takes_each_profile() {
    let enabled = fs_err::read_to_string("/sys/module/apparmor/parameters/enabled");
    if !enabled.is_ok_and(|enabled| enabled.trim() == "Y") {
        println!("NOT SHOWN: this kernel has no AppArmor; the profiles were parsed, not loaded");
        return;
    }
    let options = |act| ["--skip-cache", "--namespace", NAMESPACE, act];
    for name in PROFILES {
        let loaded = parser(&options("--replace"), &profile(name));
        assert!(loaded.success(), "{}", loaded.text());
    }
    let loaded = fs_err::read_dir(Path::new(POLICIES).join("profiles")).unwrap();
    let loaded = loaded
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect::<Vec<_>>();
    for name in PROFILES {
        // the kernel adds a number to each
        let prefix = format!("{name}.");
        assert!(
            loaded.iter().any(|found| found.starts_with(&prefix)),
            "no {name} in {loaded:?}"
        );
    }
    for name in PROFILES {
        let removed = parser(&options("--remove"), &profile(name));
        assert!(removed.success(), "{}", removed.text());
    }
    fs_err::remove_dir(POLICIES).unwrap();
}

#[test]
fn the_helpers_unit_and_its_profile_say_the_same() {
    let text = render(HELPER_SERVICE, &owner("/home/alice"), &Coverage::default());
    let file = unit::parse(&text).unwrap();
    // in force where it is loaded, and nothing is missing where it is not
    assert_eq!(
        file.values("Service", "AppArmorProfile"),
        ["-banger-helper"]
    );
    let sorted = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    let capabilities = file.values("Service", "CapabilityBoundingSet");
    let unit = capabilities[0]
        .split(' ')
        .map(|name| name.trim_start_matches("CAP_").to_lowercase());
    let profile = fs_err::read_to_string(profile("banger-helper")).unwrap();
    let profile = profile.lines().filter_map(|line| {
        let rule = line.trim().strip_prefix("capability ")?;
        Some(rule.trim_end_matches(',').to_owned())
    });
    assert_eq!(sorted(profile.collect()), sorted(unit.collect()));
}
