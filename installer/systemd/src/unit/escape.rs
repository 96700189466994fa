//! Writing a value so that systemd reads it as it was.

/// Where in a unit file a value stands, which decides what can be written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Outside quotes, as part of a word: `User=VALUE`.
    Bare,
    /// Inside double quotes, in a setting whose words are unquoted without C escapes:
    /// `ReadOnlyPaths="VALUE"`. Only `\\` and `\"` are understood there.
    Quoted,
    /// Inside double quotes, in a setting that knows C escapes: `Environment="NAME=VALUE"`
    /// (systemd.exec(5)).
    QuotedWithEscapes,
}

/// The value as it must be written, or the first character that cannot be written in this place.
pub(super) fn escape(value: &str, place: Place) -> Result<String, char> {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match (character, place) {
            // everywhere: a lone % starts a specifier (systemd.unit(5))
            ('%', _) => text.push_str("%%"),
            ('\\', Place::Quoted | Place::QuotedWithEscapes) => text.push_str("\\\\"),
            ('"', Place::Quoted | Place::QuotedWithEscapes) => text.push_str("\\\""),
            ('\n', Place::QuotedWithEscapes) => text.push_str("\\n"),
            ('\t', Place::QuotedWithEscapes) => text.push_str("\\t"),
            (plain, Place::Bare) if is_bare(plain) => text.push(plain),
            (refused, Place::Bare) => return Err(refused),
            (control, _) if control.is_control() => return Err(control),
            (plain, _) => text.push(plain),
        }
    }
    Ok(text)
}

/// Characters that mean nothing to systemd outside quotes. `$` is left out: `ExecStart=` expands it.
fn is_bare(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_-./:@+,".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_backslashes_and_specifiers_are_doubled_or_escaped() {
        assert_eq!(
            escape(r#"/home/a b"c\d%h"#, Place::Quoted).as_deref(),
            Ok(r#"/home/a b\"c\\d%%h"#)
        );
    }

    #[test]
    fn a_newline_is_written_only_where_systemd_reads_it_back() {
        assert_eq!(
            escape("a\nb", Place::QuotedWithEscapes).as_deref(),
            Ok("a\\nb")
        );
        assert_eq!(escape("a\nb", Place::Quoted), Err('\n'));
        assert_eq!(escape("a\nb", Place::Bare), Err('\n'));
    }

    #[test]
    fn outside_quotes_only_plain_characters_pass() {
        assert_eq!(escape("alice-2.x", Place::Bare).as_deref(), Ok("alice-2.x"));
        for (value, refused) in [
            ("a b", ' '),
            ("a\"", '"'),
            ("a\\b", '\\'),
            ("a;b", ';'),
            ("$a", '$'),
        ] {
            assert_eq!(escape(value, Place::Bare), Err(refused));
        }
    }
}
