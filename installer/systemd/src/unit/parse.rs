//! Reading unit files, by the grammar of systemd.syntax(7).

/// White space to systemd (`WHITESPACE`): no other of Unicode's.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];
const LINE_ENDS: [char; 3] = ['\n', '\r', '\0'];
/// What a comment begins with.
const COMMENTS: [char; 2] = ['#', ';'];

/// A unit file as systemd reads it: directives in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFile {
    directives: Vec<Directive>,
}

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The section without its brackets, say `Service`.
    pub section: String,
    /// The setting, say `KillMode`.
    pub key: String,
    /// The text behind `=`, white space around it removed, continued lines joined by a space;
    /// quotes and escapes as they stand.
    pub value: String,
}

/// A text that is no unit file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A line that is neither section, assignment nor comment.
    #[error("line {line} is neither a section, an assignment nor a comment: {text:?}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// An assignment before the first section.
    #[error("line {line} assigns {key} outside any section")]
    NoSection {
        /// Counted from 1.
        line: usize,
        /// The setting.
        key: String,
    },
    /// A value whose quotes do not match or whose escape is unknown.
    #[error("the value {value:?} has an unmatched quote or an unknown escape")]
    Quoting {
        /// The value.
        value: String,
    },
}

impl UnitFile {
    /// All directives, in the order of the file.
    pub fn directives(&self) -> &[Directive] {
        &self.directives
    }

    /// The values of a setting that are in force: an empty assignment clears what came before it
    /// (systemd.syntax(7)).
    pub fn values(&self, section: &str, key: &str) -> Vec<&str> {
        self.directives
            .iter()
            .filter(|found| found.section == section && found.key == key)
            .fold(Vec::new(), |mut values, directive| {
                if directive.value.is_empty() {
                    values.clear();
                } else {
                    values.push(directive.value.as_str());
                }
                values
            })
    }
}

/// Parses the text of a unit file or drop-in.
///
/// # Errors
/// [`ParseError`] with the line.
pub fn parse(text: &str) -> Result<UnitFile, ParseError> {
    let mut section: Option<String> = None;
    let mut directives = Vec::new();
    for (number, line) in logical_lines(text) {
        let trimmed = line.trim_matches(BLANKS);
        if trimmed.is_empty() || trimmed.starts_with(COMMENTS) {
            continue;
        }
        let refused = || ParseError::Line {
            line: number,
            text: trimmed.into(),
        };
        if let Some(header) = trimmed.strip_prefix('[') {
            let name = header.strip_suffix(']').ok_or_else(refused)?;
            section = Some(name.into());
            continue;
        }
        let (key, value) = trimmed.split_once('=').ok_or_else(refused)?;
        let (key, value) = (key.trim_matches(BLANKS), value.trim_matches(BLANKS));
        if key.is_empty() {
            return Err(refused());
        }
        let (key, value) = (key.to_owned(), value.to_owned());
        match &section {
            Some(section) => directives.push(Directive {
                section: section.clone(),
                key,
                value,
            }),
            None => return Err(ParseError::NoSection { line: number, key }),
        }
    }
    Ok(UnitFile { directives })
}

/// Lines with their numbers; one that ends in a backslash that no other one escapes goes on in the
/// next, and comments in between are passed over.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in physical_lines(text).into_iter().enumerate() {
        if line.trim_start_matches(BLANKS).starts_with(COMMENTS) {
            continue;
        }
        let (number, mut joined) = open.take().unwrap_or((index + 1, String::new()));
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        match line.strip_suffix('\\') {
            Some(part) if backslashes % 2 == 1 => {
                joined.push_str(part);
                joined.push(' ');
                open = Some((number, joined));
            }
            _ => {
                joined.push_str(line);
                lines.push((number, joined));
            }
        }
    }
    lines.extend(open);
    lines
}

/// Lines as systemd cuts them (`read_line()`): one ends at a line feed, a carriage return or a NUL, and
/// at several different ones in a row, up to the first NUL.
fn physical_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((line, after)) = rest.split_once(LINE_ENDS) {
        lines.push(line);
        let ends = rest.get(line.len()..).unwrap_or_default();
        let mut seen = String::new();
        for end in ends.chars() {
            if !LINE_ENDS.contains(&end) || seen.contains(end) || seen.contains('\0') {
                break;
            }
            seen.push(end);
        }
        rest = ends.get(seen.len()..).unwrap_or(after);
    }
    lines.extend(Some(rest).filter(|rest| !rest.is_empty()));
    lines
}

/// Splits a value into words as systemd does for lists: quotes removed, `\\`, `\"`, `\'`, `\n`,
/// `\t` and `\s` undone, `%%` to `%`.
///
/// # Errors
/// [`ParseError::Quoting`], when a quote stays open, an escape is unknown or a specifier is used.
pub fn words(value: &str) -> Result<Vec<String>, ParseError> {
    let refused = || ParseError::Quoting {
        value: value.into(),
    };
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', _) => {
                let meant = match characters.next().ok_or_else(refused)? {
                    same @ ('\\' | '"' | '\'') => same,
                    'n' => '\n',
                    't' => '\t',
                    's' => ' ',
                    _ => return Err(refused()),
                };
                word.get_or_insert_default().push(meant);
            }
            ('%', _) => match characters.next() {
                Some('%') => word.get_or_insert_default().push('%'),
                _ => return Err(refused()),
            },
            (mark @ ('"' | '\''), None) => {
                quote = Some(mark);
                word.get_or_insert_default();
            }
            (mark, Some(open)) if mark == open => quote = None,
            (blank, None) if BLANKS.contains(&blank) => words.extend(word.take()),
            (plain, _) => word.get_or_insert_default().push(plain),
        }
    }
    if quote.is_some() {
        return Err(refused());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_assignments_comments_and_continuations() {
        let text = "# c\n[Unit]\nA = 1\n; c\nB=x \\\n# inside\ny\n[Service]\nA=2\nA=\nA=3\n";
        let file = parse(text).unwrap();
        assert_eq!(file.values("Unit", "A"), ["1"]);
        assert_eq!(file.values("Unit", "B"), ["x  y"]);
        assert_eq!(file.values("Service", "A"), ["3"]);
    }

    #[test]
    fn a_comment_that_ends_in_a_backslash_swallows_nothing() {
        let file = parse("[Service]\n# c \\\nKillMode=process\n").unwrap();
        assert_eq!(file.values("Service", "KillMode"), ["process"]);
    }

    #[test]
    fn lines_end_and_go_on_where_they_do_for_systemd() {
        for (text, values) in [
            // an escaped backslash does not continue the line
            ("[S]\nA=x\\\\\nA=y\n", &["x\\\\", "y"][..]),
            ("[S]\nA=x\\\\\\\nA=y\n", &["x\\\\ A=y"]),
            ("[S]\r\nA=x\\\r\ny\r\n", &["x y"]),
            ("[S]\rA=x\rA=y\0A=z", &["x", "y", "z"]),
            ("[S]\nA=x\\\n\nA=y\n", &["x", "y"]),
            ("\u{feff}[S]\nA=\u{a0}x\u{a0}\n", &["\u{a0}x\u{a0}"]),
        ] {
            let file = parse(text).unwrap();
            assert_eq!(file.values("S", "A"), values, "{text:?}");
        }
        let file = parse("[S]\nA=x\\").unwrap();
        assert_eq!(file.values("S", "A"), ["x"]);
    }

    #[test]
    fn headers_without_an_end_and_assignments_to_nothing_are_refused() {
        for text in ["[S\nA=1\n", "[S]\n[A]=1\n", "[S]\n=1\n", "[S]\n = 1\n"] {
            let refused = parse(text);
            assert!(matches!(refused, Err(ParseError::Line { .. })), "{text:?}");
        }
    }

    #[test]
    fn broken_files_are_refused_with_the_line() {
        assert_eq!(
            parse("[Unit]\nnonsense\n"),
            Err(ParseError::Line {
                line: 2,
                text: "nonsense".into()
            })
        );
        assert_eq!(
            parse("A=1\n"),
            Err(ParseError::NoSection {
                line: 1,
                key: "A".into()
            })
        );
    }

    #[test]
    fn words_undo_quotes_escapes_and_specifiers() {
        assert_eq!(
            words(r#"a "b c" 'd"e' f\sg h%%i"#).unwrap(),
            ["a", "b c", "d\"e", "f g", "h%i"]
        );
        assert_eq!(words(r#""""#).unwrap(), [""]);
        for value in ["\"open", "%h", "a%", "a\\", "\\q"] {
            assert!(words(value).is_err(), "{value:?} was taken");
        }
    }
}
