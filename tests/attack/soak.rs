//! A short round of the soak; ten minutes of it are run by hand, by the program `soak`.

use std::time::Duration;

#[test]
fn attackers_of_each_kind_at_once_change_nothing_that_they_must_not() {
    let figures = banger_tests::soak::run(Duration::from_secs(45)).unwrap();
    println!("{figures}");
    assert!(figures.passed(), "{figures}");
}
