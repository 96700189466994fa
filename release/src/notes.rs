//! Cuts the notes of a release out of CHANGELOG.md.
//!
//! Guarantees: pure. The form is that of Keep a Changelog (<https://keepachangelog.com/en/1.1.0/>):
//! a release's section begins with `## [VERSION]` and ends with the next heading of that level.

use banger_installer_trust::model::Version;

/// The section of a version without its heading and without empty lines around it; none when there
/// is no such section, or nothing in it.
///
/// ```
/// use banger_installer_trust::model::Version;
/// use banger_release::notes::cut;
///
/// let changelog = "# Changelog\n\n## [0.1.1] - 2026-11-23\n- one\n\n## [0.1.0]\n- two\n";
/// assert_eq!(cut(changelog, &Version::new(0, 1, 1)), Some("- one"));
/// assert_eq!(cut(changelog, &Version::new(0, 2, 0)), None);
/// ```
pub fn cut<'a>(changelog: &'a str, version: &Version) -> Option<&'a str> {
    let wanted = format!("## [{version}]");
    let mut bounds: Option<(usize, usize)> = None;
    let mut at = 0;
    for line in changelog.split_inclusive('\n') {
        let next = at + line.len();
        match &mut bounds {
            None if is_heading_of(line, &wanted) => bounds = Some((next, next)),
            None => {}
            Some(_) if ends_a_section(line) => break,
            Some((_, end)) => *end = next,
        }
        at = next;
    }
    let (start, end) = bounds?;
    let section = changelog.get(start..end)?.trim_matches(['\n', '\r', ' ']);
    (!section.is_empty()).then_some(section)
}

/// After the brackets stands nothing, or the date.
fn is_heading_of(line: &str, wanted: &str) -> bool {
    line.strip_prefix(wanted)
        .is_some_and(|rest| rest.trim().is_empty() || rest.starts_with(" - "))
}

/// The next section, or the addresses of the headings at the end of the file: `[0.1.1]: https://...`.
fn ends_a_section(line: &str) -> bool {
    line.starts_with("## ") || (line.starts_with('[') && line.contains("]: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "\
# Changelog

## [Unreleased]

## [0.1.10] - 2026-12-01
### Added
- ten

## [0.1.1] - 2026-11-23

### Added
- one
  of two lines

### Fixed
- another

## [0.1.0]
first

[0.1.1]: https://example.org/0.1.1
";

    fn cut_of(version: &str) -> Option<&'static str> {
        cut(CHANGELOG, &version.parse().unwrap())
    }

    #[test]
    fn a_section_is_cut_without_its_heading_and_its_neighbours() {
        let notes = "### Added\n- one\n  of two lines\n\n### Fixed\n- another";
        assert_eq!(cut_of("0.1.1"), Some(notes));
        assert_eq!(cut_of("0.1.10"), Some("### Added\n- ten"));
    }

    #[test]
    fn the_addresses_at_the_end_are_no_notes() {
        assert_eq!(cut_of("0.1.0"), Some("first"));
    }

    #[test]
    fn a_missing_or_empty_section_is_none() {
        assert_eq!(cut_of("0.1.2"), None);
        let version = "0.1.1".parse().unwrap();
        assert_eq!(cut("## [0.1.1]\n\n## [0.1.0]\nx\n", &version), None);
        assert_eq!(cut("## [0.1.1]beta\nx\n", &version), None);
    }
}
