//! Filling templates.

use std::collections::BTreeMap;

use super::escape::{Place, escape};
use super::parse::{ParseError, parse, words};

/// The values for the placeholders of a template, by name. A name that is present but without a
/// value takes the lines that use it out of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, Option<String>>);

/// A template that cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A placeholder that nobody has a value for.
    #[error("line {line} of the unit template uses @{name}@, for which there is no value")]
    UnknownPlaceholder {
        /// Counted from 1.
        line: usize,
        /// The placeholder.
        name: String,
    },
    /// A value that systemd's syntax cannot carry where the template puts it.
    #[error("{name} is {value:?}: a unit file cannot hold {character:?} there")]
    Unrepresentable {
        /// The placeholder.
        name: String,
        /// Its value.
        value: String,
        /// The character that cannot be written.
        character: char,
    },
    /// The finished file does not parse.
    #[error("the rendered unit is not a unit file")]
    NotAUnit(#[from] ParseError),
    /// The finished file says something else than was meant.
    #[error("the rendered unit's {key} reads back as {found:?} instead of {expected:?}")]
    Misread {
        /// The setting.
        key: String,
        /// What was meant.
        expected: Vec<String>,
        /// What systemd would read.
        found: Vec<String>,
    },
}

impl Values {
    /// No values yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), Some(value.into()));
        self
    }

    /// Adds a value that may be absent: without it, the lines that use it are left out.
    #[must_use]
    pub fn with_optional(mut self, name: &str, value: Option<String>) -> Self {
        self.0.insert(name.into(), value);
        self
    }
}

/// A line of the template, filled, with the words that systemd must read from it.
struct Filled {
    text: String,
    expected: Option<Vec<String>>,
}

/// Fills a template: `@name@` is replaced by the value of that name, escaped for its place. The
/// result is parsed again and compared with what was meant.
///
/// # Errors
/// [`RenderError`], when a placeholder has no value, a value cannot be written in its place, or the
/// result does not read back as it was meant.
pub fn render(template: &str, values: &Values) -> Result<String, RenderError> {
    let mut text = String::with_capacity(template.len() + 256);
    let mut expectations = Vec::new();
    for (index, line) in template.lines().enumerate() {
        let Some(filled) = fill_line(line, index + 1, values)? else {
            continue;
        };
        expectations.extend(filled.expected);
        text.push_str(&filled.text);
        text.push('\n');
    }
    check(&text, expectations)?;
    Ok(text)
}

/// Compares the settings that hold a value with what systemd would read.
fn check(text: &str, expectations: Vec<Vec<String>>) -> Result<(), RenderError> {
    let file = parse(text)?;
    let mut directives = file.directives().iter();
    for expected in expectations {
        // expectations come in the order of the file, so the search goes on where it stopped
        let key = expected
            .first()
            .and_then(|word| word.split('=').next())
            .unwrap_or_default();
        let mut nearest = Vec::new();
        let found = directives
            .by_ref()
            .filter(|directive| directive.key == key)
            .any(|directive| {
                nearest =
                    words(&format!("{}={}", directive.key, directive.value)).unwrap_or_default();
                nearest == expected
            });
        if !found {
            return Err(RenderError::Misread {
                key: key.into(),
                expected,
                found: nearest,
            });
        }
    }
    Ok(())
}

/// One line filled; `None` when one of its values is absent.
fn fill_line(line: &str, number: usize, values: &Values) -> Result<Option<Filled>, RenderError> {
    if line.trim_start().starts_with(['#', ';']) {
        return Ok(Some(Filled {
            text: line.into(),
            expected: None,
        }));
    }
    let mut text = String::with_capacity(line.len());
    let mut meant = Meaning::default();
    let mut rest = line;
    let mut filled = false;
    while let Some((before, name, after)) = next_placeholder(rest) {
        let Some(entry) = values.0.get(name) else {
            return Err(RenderError::UnknownPlaceholder {
                line: number,
                name: name.into(),
            });
        };
        let Some(value) = entry else { return Ok(None) };
        text.push_str(before);
        meant.literal(before);
        let place = place_in(&text);
        let escaped = escape(value, place).map_err(|character| RenderError::Unrepresentable {
            name: name.into(),
            value: value.clone(),
            character,
        })?;
        text.push_str(&escaped);
        meant.value(value);
        filled = true;
        rest = after;
    }
    text.push_str(rest);
    meant.literal(rest);
    let expected = filled.then(|| meant.into_words());
    Ok(Some(Filled { text, expected }))
}

/// The words that a line means: template text is split at white space outside quotes, values are
/// taken as they are.
#[derive(Default)]
struct Meaning {
    words: Vec<String>,
    open: Option<String>,
    quoted: bool,
}

impl Meaning {
    fn literal(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '"' => {
                    self.quoted = !self.quoted;
                    self.open.get_or_insert_default();
                }
                blank if blank.is_ascii_whitespace() && !self.quoted => {
                    self.words.extend(self.open.take());
                }
                plain => self.open.get_or_insert_default().push(plain),
            }
        }
    }

    fn value(&mut self, value: &str) {
        self.open.get_or_insert_default().push_str(value);
    }

    fn into_words(mut self) -> Vec<String> {
        self.words.extend(self.open.take());
        self.words
    }
}

fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('@')?;
    let (name, after) = rest.split_once('@')?;
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_name.then_some((before, name, after))
}

/// Where the next character of the line stands.
fn place_in(before: &str) -> Place {
    let mut quoted = false;
    let mut escaped = false;
    for character in before.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    match (quoted, before.trim_start().starts_with("Environment=")) {
        (false, _) => Place::Bare,
        (true, true) => Place::QuotedWithEscapes,
        (true, false) => Place::Quoted,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEMPLATE: &str = "[Service]\nUser=@user@\nReadOnlyPaths=\"@home@\" /usr\n\
                            Environment=\"LLVM_PROFILE_FILE=@coverage@\"\n";

    fn values(home: &str) -> Values {
        Values::new()
            .with("user", "alice")
            .with("home", home)
            .with_optional("coverage", None)
    }

    #[test]
    fn an_absent_value_takes_its_line_along() {
        let text = render(TEMPLATE, &values("/home/alice")).unwrap();
        assert_eq!(
            text,
            "[Service]\nUser=alice\nReadOnlyPaths=\"/home/alice\" /usr\n"
        );
    }

    #[test]
    fn a_difficult_home_reads_back_as_it_is() {
        let home = r#"/home/a b"c\d%h'e"#;
        let text = render(TEMPLATE, &values(home)).unwrap();
        let file = parse(&text).unwrap();
        let read = words(file.values("Service", "ReadOnlyPaths")[0]).unwrap();
        assert_eq!(read, [home, "/usr"]);
    }

    #[test]
    fn what_cannot_be_carried_is_refused_by_name() {
        let error = render(TEMPLATE, &values("/home/a\nb")).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"home is "/home/a\nb": a unit file cannot hold '\n' there"#
        );
    }

    #[test]
    fn a_placeholder_without_a_value_is_an_error_with_its_line() {
        let error = render("[Unit]\nA=@other@\n", &Values::new()).unwrap_err();
        assert_eq!(
            error,
            RenderError::UnknownPlaceholder {
                line: 2,
                name: "other".into()
            }
        );
    }

    #[test]
    fn a_value_cannot_bring_a_setting_of_its_own() {
        let template = "[Service]\nEnvironment=\"A=@value@\"\n";
        let text = render(
            template,
            &Values::new().with("value", "x\"\nKillMode=control-group"),
        )
        .unwrap();
        let file = parse(&text).unwrap();
        assert_eq!(file.directives().len(), 1);
        assert!(file.values("Service", "KillMode").is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_rendered_reads_back(home in "\\PC{0,40}") {
            let text = render(TEMPLATE, &values(&home)).unwrap();
            let file = parse(&text).unwrap();
            let read = words(file.values("Service", "ReadOnlyPaths")[0]).unwrap();
            prop_assert_eq!(&read[0], &home);
        }
    }
}
