//! Unit files of others: what is read is what systemd reads, and no more is refused than has to be told.

use banger_installer::unit::{ParseError, UnitFile, parse, words};

use crate::{shown, way};

/// Takes the bytes for a unit file or drop-in, or for a value that is a list of words.
pub fn check(bytes: &[u8]) {
    let Some((way, rest)) = way(bytes, 2) else {
        return;
    };
    // another file is refused as a whole: it is read as text
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    match way {
        0 => file(text),
        _ => list(text),
    }
}

fn file(text: &str) {
    let read = match parse(text) {
        Ok(read) => read,
        Err(error) => {
            if let ParseError::Line { line, .. } | ParseError::NoSection { line, .. } = &error {
                assert!((1..=text.len()).contains(line), "line {line} of {text:?}");
            }
            return shown(&error);
        }
    };
    assert_eq!(plain(&read), systemds(text), "{text:?} is read otherwise");
    for directive in read.directives() {
        let (section, key) = (&directive.section, &directive.key);
        // those in force are the last of all, and none of them is empty
        let all: Vec<&str> = read
            .directives()
            .iter()
            .filter(|other| other.section == *section && other.key == *key)
            .map(|other| other.value.as_str())
            .collect();
        let values = read.values(section, key);
        assert!(all.ends_with(&values) && values.iter().all(|value| !value.is_empty()));
        let cleared = all.len() - values.len();
        assert!(cleared == 0 || all[cleared - 1].is_empty(), "{text:?}");
        if words(&directive.value).is_ok() {
            list(&directive.value);
        }
    }
}

/// Words that were read can be written in quotes, and are read as the same.
fn list(value: &str) {
    let read = match words(value) {
        Ok(read) => read,
        Err(error) => return shown(&error),
    };
    let quoted: Vec<String> = read
        .iter()
        .map(|word| {
            let escaped = word.replace('\\', r"\\").replace('"', r#"\""#);
            format!("\"{}\"", escaped.replace('%', "%%"))
        })
        .collect();
    assert_eq!(words(&quoted.join(" ")), Ok(read), "{value:?}");
}

type Plain = (String, String, String);

fn plain(file: &UnitFile) -> Vec<Plain> {
    let directives = file.directives().iter();
    directives
        .map(|one| (one.section.clone(), one.key.clone(), one.value.clone()))
        .collect()
}

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// What systemd takes from the text, byte by byte as its `read_line()`, `config_parse()` and
/// `parse_line()` go (`src/basic/fileio.c`, `src/shared/conf-parser.c`), where it takes every line.
fn systemds(text: &str) -> Vec<Plain> {
    let mut found = Vec::new();
    let mut section = String::new();
    let mut continued: Option<String> = None;
    let mut lines = read_lines(text);
    if let Some(first) = lines.first_mut()
        && let Some(rest) = first.strip_prefix('\u{feff}')
    {
        *first = rest.to_owned();
    }
    for line in lines {
        if line.trim_start_matches(BLANKS).starts_with(['#', ';']) {
            continue;
        }
        let mut whole = continued.take().unwrap_or_default() + &line;
        let escaped = whole
            .chars()
            .fold(false, |escaped, one| !escaped && one == '\\');
        if escaped {
            whole.pop();
            continued = Some(whole + " ");
            continue;
        }
        take_line(&whole, &mut section, &mut found);
    }
    if let Some(last) = continued {
        take_line(&last, &mut section, &mut found);
    }
    found
}

fn take_line(line: &str, section: &mut String, found: &mut Vec<Plain>) {
    let line = line.trim_matches(BLANKS);
    if line.starts_with('[') {
        line[1..line.len() - 1].clone_into(section);
    } else if let Some((key, value)) = line.split_once('=') {
        let (key, value) = (key.trim_matches(BLANKS), value.trim_matches(BLANKS));
        found.push((section.clone(), key.to_owned(), value.to_owned()));
    }
}

fn read_lines(text: &str) -> Vec<String> {
    let (mut lines, mut line, mut ends) = (Vec::new(), String::new(), Vec::new());
    for one in text.chars() {
        let is_end = matches!(one, '\n' | '\r' | '\0');
        let is_over = ends.contains(&'\0') || !is_end || ends.contains(&one);
        if !ends.is_empty() && is_over {
            lines.push(std::mem::take(&mut line));
            ends.clear();
        }
        if is_end {
            ends.push(one);
        } else {
            line.push(one);
        }
    }
    if !line.is_empty() || !ends.is_empty() {
        lines.push(line);
    }
    lines
}
