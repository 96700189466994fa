//! The rule for words that come from outside and end up in paths, URLs and commands.

/// Whether a text is made of ASCII letters and digits and of the characters in `also`, and is not empty.
pub fn is_word(text: &str, also: &[u8]) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || also.contains(&byte);
    !text.is_empty() && text.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_letters_digits_and_what_is_allowed() {
        assert!(is_word("rc-1.2", b"-."));
        for (text, also) in [
            ("", &b"-"[..]),
            ("a/b", b"-"),
            ("a b", b"-"),
            ("\u{e4}", b"-"),
            ("a-", b""),
        ] {
            assert!(!is_word(text, also), "{text:?}");
        }
    }
}
