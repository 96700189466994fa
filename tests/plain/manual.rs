//! The manual: it renders without a warning, refers to pages that exist, and says what the programs
//! do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use banger_installer::fetch::config;
use banger_tests::support::programs;

/// The pages that are written by hand.
fn written() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man");
    let mut pages: Vec<PathBuf> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.sort();
    assert!(!pages.is_empty(), "no pages");
    pages
}

/// The pages of the commands, as the program writes them into a folder.
fn generated(folder: &Path) -> Vec<PathBuf> {
    let program = programs::banger("0.1.0").unwrap().join("banger");
    let output = Command::new(program).arg("man").arg(folder).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let pages = fs_err::read_dir(folder).unwrap();
    pages.map(|entry| entry.unwrap().path()).collect()
}

fn text_of(name: &str) -> String {
    let pages = written();
    let page = pages.iter().find(|page| page.ends_with(name)).unwrap();
    fs_err::read_to_string(page).unwrap()
}

/// What a program finds wrong with a page, however it says so.
fn warnings(words: &[&str], page: &Path) -> String {
    let mut command = Command::new(words[0]);
    let output = command.args(&words[1..]).arg(page).output().unwrap();
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    // mandoc's index of the pages of this machine is no matter of ours, and a program that is no
    // release's does not say when it was built
    let others = ["outdated mandoc.db", "missing date"];
    let lines = said.iter().flat_map(|text| text.lines());
    let own = lines.filter(|line| !others.iter().any(|other| line.contains(other)));
    own.collect::<Vec<_>>().join("\n")
}

const MANDOC: [&str; 5] = ["mandoc", "-T", "lint", "-W", "warning"];

#[test]
fn every_page_renders_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    for page in [written(), generated(folder.path())].concat() {
        assert_eq!(warnings(&MANDOC, &page), "");
    }
    // and it does look
    let broken = folder.path().join("broken.7");
    fs_err::write(&broken, ".Dd November 24, 2026\n.Dt X 7\n.Os\n.Bl -tag\n").unwrap();
    assert!(warnings(&MANDOC, &broken).contains("WARNING"));
}

/// Each page's name and section is that of its file.
#[test]
fn every_page_bears_its_own_name() {
    for page in written() {
        let text = fs_err::read_to_string(&page).unwrap();
        let name = page.file_stem().unwrap().to_string_lossy().to_uppercase();
        let section = page.extension().unwrap().to_string_lossy();
        let title = format!(".Dt {name} {section}");
        assert!(text.lines().any(|line| line == title), "no {title:?}");
    }
}

/// The pages that a page refers to, as file names: `.Xr NAME SECTION` of mdoc(7), and
/// `NAME(SECTION)` with the fonts of man(7).
fn references_of(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        if let Some(words) = line.split("Xr ").nth(1) {
            let mut words = words.split(' ');
            return Some(format!("{}.{}", words.next()?, words.next()?));
        }
        let (name, section) = line.strip_prefix("\\fB")?.split_once("\\fR(")?;
        let section = section.split(')').next()?;
        Some(format!("{}.{section}", name.replace('\\', "")))
    })
}

#[test]
fn every_page_of_ours_that_another_refers_to_exists() {
    let folder = tempfile::tempdir().unwrap();
    let pages = [written(), generated(folder.path())].concat();
    let names: BTreeSet<_> = pages.iter().filter_map(|page| page.file_name()).collect();
    let mut references = 0;
    for page in &pages {
        let text = fs_err::read_to_string(page).unwrap();
        for other in references_of(&text).filter(|name| name.starts_with("banger")) {
            let there = names.contains(std::ffi::OsStr::new(&other));
            assert!(there, "{} refers to {other}", page.display());
            references += 1;
        }
    }
    assert!(references > 0, "no page refers to another");
}

/// Numbers that begin an entry of `banger --help`: two words or more stand between two of them.
fn codes_of_help() -> BTreeSet<u8> {
    let program = programs::banger("0.1.0").unwrap().join("banger");
    let output = Command::new(program).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let codes = help.split("Exit codes:").nth(1).unwrap();
    let entries = codes.lines().flat_map(|line| line.split("  "));
    let first = entries.filter_map(|entry| entry.trim().split(' ').next());
    first.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn the_manual_lists_the_exit_codes_of_the_help() {
    let text = text_of("banger.7");
    let section = text.split(".Sh EXIT STATUS").nth(1).unwrap();
    let items = section.lines().filter_map(|line| line.strip_prefix(".It "));
    let listed: BTreeSet<u8> = items.filter_map(|code| code.parse().ok()).collect();
    assert_eq!(listed, codes_of_help());
    assert!(listed.contains(&130) && listed.len() > 10, "{listed:?}");
}

#[test]
fn the_manual_names_every_place_of_the_product() {
    let text = text_of("banger.7");
    let files = text.split(".Sh FILES").nth(1).unwrap();
    let layout = banger_product::layout();
    let places = [
        &layout.versions,
        &layout.programs,
        &layout.units,
        &layout.install_state,
        &layout.lock,
    ];
    for place in places.into_iter().chain(&layout.product_state) {
        let named = files
            .lines()
            .filter(|line| line.starts_with(".It Pa "))
            .any(|line| line.split(' ').any(|word| Path::new(word) == place));
        assert!(named, "banger(7) does not name {}", place.display());
    }
    let config = layout.config.join("config.toml");
    assert!(files.contains(&config.display().to_string()));
}

#[test]
fn the_examples_of_the_configuration_are_read() {
    let text = text_of("banger.toml.5");
    let examples = text.split(".Bd -literal").skip(1);
    let mut sources = Vec::new();
    for example in examples {
        let example = example.split(".Ed").next().unwrap();
        let (_, toml) = example.split_once('\n').unwrap();
        let read = config::parse(toml, Path::new("example")).unwrap();
        sources.push(read.update.all_sources().len());
    }
    assert_eq!(sources, [2, 1]);
}
