//! The documents name tests that exist: a guarantee whose test was renamed or removed is found here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Documents that cite tests, as `FILE` or `FILE::FUNCTION` between backticks.
const CITING: [&str; 4] = [
    "docs/contract.md",
    "SECURITY.md",
    "README.md",
    "CONTRIBUTING.md",
];

/// What a citation begins with. Folders may be cited, too.
const FOLDERS: [&str; 6] = [
    "tests/",
    "installer/",
    "runtime/",
    "release/",
    "fuzz/",
    "packaging/",
];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .into()
}

/// The test functions of a source file: those whose attributes hold `#[test]` or a runtime's.
fn tests_of(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if is_test && !line.starts_with('#') && !line.starts_with("//") {
            let name = line
                .trim_start_matches("async ")
                .strip_prefix("fn ")
                .and_then(|rest| rest.split('(').next());
            found.extend(name.map(str::to_owned));
            is_test = false;
        }
    }
    found
}

/// Every Rust source of the project, by its path from the top, with its text.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Vec<PathBuf> = FOLDERS
        .iter()
        .map(|folder| project().join(folder))
        .collect();
    while let Some(next) = open.pop() {
        for entry in fs_err::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(project()).unwrap();
                let text = fs_err::read_to_string(&path).unwrap();
                found.insert(name.to_string_lossy().into_owned(), text);
            }
        }
    }
    found
}

/// What stands between backticks and begins like a path of ours.
fn citations(document: &str) -> Vec<&str> {
    document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|words| FOLDERS.iter().any(|folder| words.starts_with(folder)))
        .collect()
}

/// Why a citation is wrong, when it is.
fn fault(citation: &str, sources: &BTreeMap<String, String>) -> Option<String> {
    let Some((file, function)) = citation.split_once("::") else {
        let exists = project().join(citation).exists();
        return (!exists).then(|| format!("{citation} does not exist"));
    };
    let is_there = |text: &String| tests_of(text).contains(function);
    if sources.get(file).is_some_and(is_there) {
        return None;
    }
    let elsewhere = sources.iter().find(|(_, text)| is_there(text));
    Some(match elsewhere {
        Some((path, _)) => format!("{citation} lies in {path} now"),
        None => format!("{citation} does not exist"),
    })
}

/// The documents of the project, from the top and from `docs`.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/adr"] {
        for entry in fs_err::read_dir(project().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// Where a document's links lead within the project.
fn links(document: &str) -> Vec<&str> {
    document
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut dead = Vec::new();
    for document in documents() {
        let text = fs_err::read_to_string(&document).unwrap();
        let folder = document.parent().unwrap();
        let wrong = links(&text).into_iter().filter(|target| {
            // a page that one cannot reach from there on the web, though it may exist here
            target.starts_with('/') || !folder.join(target).exists()
        });
        dead.extend(wrong.map(|target| format!("{}: {target}", document.display())));
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn every_decision_is_listed_under_its_number() {
    let folder = project().join("docs/adr");
    let index = fs_err::read_to_string(folder.join("README.md")).unwrap();
    let mut pages: Vec<String> = fs_err::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "README.md")
        .collect();
    pages.sort();
    for (number, page) in (1..).zip(&pages) {
        let digits = format!("{number:04}");
        assert!(page.starts_with(&digits), "{page} is not number {digits}");
        let text = fs_err::read_to_string(folder.join(page)).unwrap();
        let title = text.lines().next().unwrap().trim_start_matches("# ");
        let title = title.strip_prefix(&format!("{digits}. ")).unwrap();
        let line = format!("| [{digits}]({page}) | {title} |");
        assert!(index.contains(&line), "the index lacks {line}");
    }
    assert!(!pages.is_empty(), "no decisions");
}

#[test]
fn every_test_that_a_document_cites_exists() {
    let sources = sources();
    let mut faults = Vec::new();
    for document in CITING {
        let text = fs_err::read_to_string(project().join(document)).unwrap();
        let cited = citations(&text);
        assert!(!cited.is_empty(), "{document} cites nothing");
        let wrong = cited.iter().filter_map(|one| fault(one, &sources));
        faults.extend(wrong.map(|what| format!("{document}: {what}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_guarantee_cites_a_test() {
    let text = fs_err::read_to_string(project().join(CITING[0])).unwrap();
    let (mut guarantees, mut numbers) = (0, BTreeSet::new());
    for part in text.split("\n**").skip(1) {
        let number = part.split("**").next().unwrap();
        let own = part.split("\n## ").next().unwrap();
        let is_cited = citations(own).iter().any(|one| one.contains("::"));
        assert!(is_cited, "{number} of {} cites no test", CITING[0]);
        assert!(numbers.insert(number), "{number} stands twice");
        guarantees += 1;
    }
    assert!(guarantees > 0, "{} guarantees nothing", CITING[0]);
    println!("{guarantees} guarantees");
}

#[test]
fn tests_are_named_for_what_they_show() {
    for (path, text) in sources() {
        for name in tests_of(&text) {
            let numbered = name
                .strip_prefix("contract_")
                .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
            assert!(!numbered, "{path}: {name} names a number");
        }
    }
}

#[test]
fn a_citation_that_leads_nowhere_is_seen() {
    let text =
        "#[test]\n// why\n#[ignore]\nfn one() {}\nfn two() {}\n#[tokio::test]\nasync fn three()";
    assert_eq!(
        tests_of(text),
        BTreeSet::from(["one".into(), "three".into()])
    );
    let sources = BTreeMap::from([("tests/a.rs".to_owned(), text.to_owned())]);
    assert_eq!(fault("tests/a.rs::one", &sources), None);
    let moved = fault("tests/b.rs::one", &sources).unwrap();
    assert!(moved.contains("tests/a.rs"), "{moved}");
    assert!(fault("tests/a.rs::two", &sources).is_some());
    assert!(fault("tests/no/such/folder/", &sources).is_some());
}
