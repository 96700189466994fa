//! What a second product has to write.

use std::path::Path;

/// All that the example is: product, health, protected processes, install, update and rescue.
const EXAMPLE: &str = "installer/examples/toy.rs";

fn example() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs_err::read_to_string(root.join(EXAMPLE)).unwrap()
}

#[test]
fn a_second_product_is_less_than_a_hundred_lines() {
    let lines = example().lines().count();
    assert!(lines < 100, "{EXAMPLE} has {lines} lines");
}

#[test]
fn a_second_product_needs_the_public_entry_alone() {
    let text = example();
    for line in text.lines().filter(|line| line.starts_with("use ")) {
        let known = ["use std::", "use banger_installer::"];
        assert!(known.iter().any(|start| line.starts_with(start)), "{line}");
    }
    for step in [
        "Updater::new",
        ".check(",
        ".download(",
        ".plan(",
        ".execute(",
    ] {
        assert!(text.contains(step), "the example does without {step}");
    }
    assert!(!text.contains("unverified"), "it takes what nobody signed");
}
