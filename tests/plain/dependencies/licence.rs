//! SPDX licence expressions (SPDX specification, annex D), as far as crates use them.

/// Whether an expression can be met with licences that are `allowed`. `/` is an old way to write `OR`.
///
/// # Errors
/// What is no expression.
pub(super) fn is_allowed(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    let mut rest = words.as_slice();
    let met = any(&mut rest, allowed);
    match (met, rest) {
        (Some(met), []) => Ok(met),
        _ => Err(format!("{expression:?} is no licence expression")),
    }
}

fn next<'a>(rest: &mut &[&'a str]) -> Option<&'a str> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(first)
}

fn comes(word: &str, rest: &mut &[&str]) -> bool {
    let found = rest.first() == Some(&word);
    if found {
        next(rest);
    }
    found
}

fn any(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = all(rest, allowed)?;
    while comes("OR", rest) {
        met |= all(rest, allowed)?;
    }
    Some(met)
}

fn all(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = one(rest, allowed)?;
    while comes("AND", rest) {
        met &= one(rest, allowed)?;
    }
    Some(met)
}

fn one(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    if comes("(", rest) {
        let met = any(rest, allowed)?;
        return comes(")", rest).then_some(met);
    }
    let name = next(rest).filter(|name| !["AND", "OR", "WITH", ")"].contains(name))?;
    if comes("WITH", rest) {
        let exception = next(rest)?;
        return Some(allowed(&format!("{name} WITH {exception}")));
    }
    Some(allowed(name))
}

#[test]
fn an_expression_is_met_as_spdx_says() {
    let allowed = |name: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&name);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("MIT AND (GPL-3.0 OR ISC)", true),
        ("MIT OR GPL-3.0 AND GPL-2.0", true),
        ("(MIT OR GPL-3.0) AND GPL-2.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("Apache-2.0 OR GPL-3.0", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), Ok(met), "{expression}");
    }
    for nonsense in ["", "MIT ISC", "MIT OR", "(MIT", "MIT)", "AND", "MIT WITH"] {
        assert!(is_allowed(nonsense, &allowed).is_err(), "{nonsense:?}");
    }
}
