//! A publication or a withdrawal that is killed at any of its changes: a client finds the old release
//! or the new one, and the next publication succeeds.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, TOOL};

/// Every system call that changes what lies on a disk; a kill at one comes before its effect.
const CHANGES: &str = "/^(rename|link|symlink|unlink|rmdir|mkdir|f?chmod|ftruncate|write$|fsync)";

/// What is killed, and what a client finds before and after it.
struct Change<'a> {
    words: &'a str,
    old: Option<&'a str>,
    new: &'a str,
}

/// Runs the tool under strace with more words for that.
fn traced(bench: &Bench, change: &Change<'_>, words: &[&str]) -> std::process::Output {
    Command::new("strace")
        .args(["-qq", "-o", "trace"])
        .args(words)
        .arg(TOOL)
        .args(change.words.split_whitespace())
        .current_dir(bench.path(""))
        .output()
        .expect("strace is needed: apt-get install strace")
}

fn reset(bench: &Bench, template: &Path) {
    let public = bench.path("public");
    if public.exists() {
        fs_err::remove_dir_all(&public).unwrap();
    }
    if template.exists() {
        let copied = Command::new("cp")
            .arg("-a")
            .args([template, &public])
            .status();
        assert!(copied.unwrap().success());
    }
}

/// What it changes on the disk, whole, seen from this start: each system call with how often it was
/// made before, which is how strace counts.
fn changes(bench: &Bench, change: &Change<'_>, template: &Path) -> Vec<(String, usize)> {
    reset(bench, template);
    let output = traced(bench, change, &["-e", &format!("trace={CHANGES}")]);
    assert!(output.status.success(), "{output:?}");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let trace = bench.read("trace");
    let calls = trace.lines().filter_map(|line| line.split_once('('));
    calls
        .map(|(call, _)| {
            let count = counts.entry(call.to_owned()).or_default();
            *count += 1;
            (call.to_owned(), *count)
        })
        .collect()
}

/// Kills it at each change; how often the old and how often the new release was found.
fn kill_everywhere(bench: &Bench, change: &Change<'_>, template: &Path) -> (usize, usize) {
    let (mut olds, mut news) = (0, 0);
    for (call, count) in changes(bench, change, template) {
        let at = format!("{call} {count}");
        reset(bench, template);
        let inject = format!("inject={call}:signal=SIGKILL:when={count}");
        let words = ["-e", &format!("trace={call}"), "-e", &inject];
        let output = traced(bench, change, &words);
        assert_eq!(output.status.signal(), Some(9), "{at}: {output:?}");
        let folder = bench.path("public/stable");
        let found = folder.exists().then(|| {
            bench
                .client_sees(&["ann"])
                .unwrap_or_else(|error| panic!("{at}: {error:?}"))
        });
        match found.as_deref() {
            Some(found) if found == change.new => news += 1,
            found => {
                assert_eq!(found, change.old, "{at}");
                olds += 1;
            }
        }
        if folder.exists() {
            bench.sha256sum("public/stable");
        }
        bench.publish("0.1.2");
        assert_eq!(bench.client_sees(&["ann"]).unwrap(), "0.1.2", "after {at}");
        let left = fs_err::read_dir(bench.path("public")).unwrap().count();
        assert_eq!(left, 1, "something is left beside the channel after {at}");
    }
    (olds, news)
}

#[test]
fn a_publication_killed_at_any_change_leaves_the_old_or_the_new_release() {
    let bench = Bench::new(&["ann"]);
    bench.build("0.1.1", 1, &["ann"]);
    bench.build("0.1.2", 2, &["ann"]);
    let nothing = bench.path("template");
    let publication = |old| Change {
        words: "publish --release out-0.1.2 --to public",
        old,
        new: "0.1.2",
    };
    let (none, first) = kill_everywhere(&bench, &publication(None), &nothing);
    reset(&bench, &nothing);
    bench.publish("0.1.1");
    fs_err::rename(bench.path("public"), bench.path("template")).unwrap();
    let second = publication(Some("0.1.1"));
    let (olds, news) = kill_everywhere(&bench, &second, &bench.path("template"));
    println!(
        "first publication: killed {} times, nothing {none}, whole {first}; \
         second: killed {} times, old {olds}, new {news}",
        none + first,
        olds + news
    );
    assert!(none > 0 && first > 0 && olds > 0 && news > 0);
}

#[test]
fn a_withdrawal_killed_at_any_change_leaves_the_old_or_the_new_release() {
    let bench = Bench::new(&["ann"]);
    for (version, sequence) in [("0.1.1", 1), ("0.1.2", 2)] {
        bench.build(version, sequence, &["ann"]);
        bench.publish(version);
    }
    fs_err::rename(bench.path("public"), bench.path("template")).unwrap();
    // what follows each time is higher than both
    bench.build("0.1.2", 9, &["ann"]);
    let withdrawal = Change {
        words: "withdraw --from public --channel stable --key keys/ann.key --sequence 3",
        old: Some("0.1.2"),
        new: "0.1.1",
    };
    let (olds, news) = kill_everywhere(&bench, &withdrawal, &bench.path("template"));
    println!(
        "withdrawal: killed {} times, old {olds}, new {news}",
        olds + news
    );
    assert!(olds > 0 && news > 0);
}
