//! `banger-release key list make`, `rotate`, `revoke`, `sign` and `show`.

use serde_json::Value;

use crate::bench::Bench;

fn made() -> Bench {
    let bench = Bench::new(&["root", "second", "ann", "bob", "cy"]);
    bench.ok(
        "key list make --to keys.json --add keys/ann.pub --add keys/bob.pub \
              --root-key keys/root.key",
    );
    bench
}

fn shown(bench: &Bench) -> Value {
    serde_json::from_str(&bench.ok("key show keys.json --json")).unwrap()
}

fn sequence(bench: &Bench) -> u64 {
    shown(bench)["list"]["sequence"].as_u64().unwrap()
}

#[test]
fn a_list_is_made_once_and_minisign_takes_it() {
    let bench = made();
    bench.minisign_takes_each("keys.json", &["root"]);
    let list = shown(&bench);
    assert_eq!(
        list["key_ids"],
        serde_json::json!([bench.id("ann"), bench.id("bob")])
    );
    assert_eq!(list["signed_by"], serde_json::json!([bench.id("root")]));
    assert_eq!(list["list"]["threshold"], 1);
    assert_eq!(list["list"]["product"], "banger");
    let before = bench.read("keys.json");
    let again = "key list make --to keys.json --add keys/cy.pub --root-key keys/root.key";
    assert!(bench.fails(again, 14).contains("keys.json exists"));
    assert_eq!(bench.read("keys.json"), before);
}

#[test]
fn each_change_has_a_higher_number_and_new_signatures() {
    let bench = made();
    let first = sequence(&bench);
    let (ann, bob) = (bench.id("ann"), bench.id("bob"));
    bench.ok(&format!(
        "key rotate keys.json --add keys/cy.pub --retire {ann} --threshold 2 \
         --root-key keys/root.key --root-key keys/second.key"
    ));
    let second = sequence(&bench);
    assert!(second > first, "{second} after {first}");
    bench.minisign_takes_each("keys.json", &["root", "second"]);
    let list = shown(&bench);
    assert_eq!(list["key_ids"], serde_json::json!([bob, bench.id("cy")]));
    assert_eq!(list["list"]["threshold"], 2);
    bench.ok(&format!(
        "key revoke keys.json {bob} --add keys/ann.pub --root-key keys/root.key"
    ));
    assert!(sequence(&bench) > second);
    bench.minisign_takes_each("keys.json", &["root"]);
    let list = shown(&bench);
    assert_eq!(list["list"]["revoked"], serde_json::json!([bob]));
    assert_eq!(list["key_ids"], serde_json::json!([bench.id("cy"), ann]));
    let text = bench.ok("key show keys.json");
    assert!(text.contains(&format!("revoked     {bob}")), "{text}");
}

#[test]
fn changes_that_a_list_does_not_bear_are_refused_and_nothing_is_written() {
    let bench = made();
    let (bob, cy) = (bench.id("bob"), bench.id("cy"));
    bench.ok(&format!(
        "key revoke keys.json {bob} --root-key keys/root.key"
    ));
    let before = (bench.read("keys.json"), bench.read("keys.json.minisig"));
    let cases = [
        (
            format!("rotate keys.json --retire {cy}"),
            "is not in the list",
        ),
        (
            "rotate keys.json --add keys/ann.pub".into(),
            "is in the list",
        ),
        ("rotate keys.json --add keys/bob.pub".into(), "for ever"),
        (format!("revoke keys.json {bob}"), "for ever"),
        (
            "rotate keys.json --threshold 2".into(),
            "the list of keys cannot be used",
        ),
        (
            "rotate keys.json --add keys/root.pub".into(),
            "cannot sign releases, too",
        ),
        (
            "rotate keys.json --add keys/root.key".into(),
            "not a minisign public key",
        ),
    ];
    for (words, complaint) in cases {
        let said = bench.fails(&format!("key {words} --root-key keys/root.key"), 11);
        assert!(said.contains(complaint), "{words}: {said}");
        assert_eq!(
            (bench.read("keys.json"), bench.read("keys.json.minisig")),
            before
        );
    }
    // a root key that is revoked signs no further list
    let root = bench.id("root");
    bench.ok(&format!(
        "key revoke keys.json {root} --root-key keys/second.key"
    ));
    let said = bench.fails("key rotate keys.json --root-key keys/root.key", 11);
    assert!(said.contains("is revoked"), "{said}");
}

#[test]
fn two_holders_sign_one_after_the_other_and_see_a_change_between_them() {
    let bench = made();
    bench.ok("key sign keys.json --root-key keys/second.key");
    bench.minisign_takes_each("keys.json", &["root", "second"]);
    let said = bench.fails("key sign keys.json --root-key keys/second.key", 11);
    assert!(said.contains("has signed this list"), "{said}");

    let changed = bench
        .read("keys.json")
        .replace("\"threshold\": 1", "\"threshold\": 2");
    fs_err::write(bench.path("keys.json"), changed).unwrap();
    let signatures = bench.read("keys.json.minisig");
    let said = bench.fails("key sign keys.json --root-key keys/second.key", 11);
    assert!(said.contains("over another list"), "{said}");
    assert_eq!(bench.read("keys.json.minisig"), signatures);
}

#[test]
fn what_is_no_list_is_named() {
    let bench = Bench::new(&["root"]);
    fs_err::write(bench.path("keys.json"), "{\"schema\": 2}").unwrap();
    for words in ["show keys.json", "sign keys.json --root-key keys/root.key"] {
        let said = bench.fails(&format!("key {words}"), 11);
        assert!(said.contains("schema 2"), "{said}");
    }
    assert!(bench.fails("key show none.json", 11).contains("none.json"));
}
