//! The administrator's configuration, and the sources that stand in it.

use std::path::Path;

use banger_installer::fetch::{Source, config};

use crate::shown;

/// Takes the bytes for `config.toml`.
pub fn check(bytes: &[u8]) {
    // another file is refused as a whole: it is read as text
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let config = match config::parse(text, Path::new("/etc/banger/config.toml")) {
        Ok(config) => config,
        Err(error) => {
            assert!(error.hint().is_some(), "{error} has no hint");
            return shown(&error);
        }
    };
    let update = &config.update;
    assert!(update.source.is_none() || update.sources.is_empty());
    let all = config.update.all_sources();
    assert_eq!(
        all.len(),
        usize::from(update.source.is_some()) + update.sources.len()
    );
    for source in all {
        match Source::parse(source, "stable") {
            Ok(taken) => safe(&taken),
            Err(error) => shown(&error),
        }
    }
}

/// A URL that is taken is of https, or of http with a literal loopback address, and holds no
/// password; it names the manifest itself.
fn safe(source: &Source) {
    let Source::Url { manifest } = source else {
        return;
    };
    let (scheme, rest) = manifest.split_once("://").unwrap();
    let host = rest.split('/').next().unwrap();
    let scheme = scheme.to_ascii_lowercase();
    let loopback = host.starts_with("127.") || host.starts_with('[');
    assert!(
        scheme == "https" || scheme == "http" && loopback,
        "{manifest} was taken"
    );
    assert!(
        !host.is_empty() && !host.contains('@'),
        "{manifest} was taken"
    );
    assert!(!manifest.contains(['?', '#']), "{manifest} was taken");
    assert!(manifest.ends_with("/manifest.json"), "{manifest} was taken");
}
