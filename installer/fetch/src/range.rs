//! The header `Content-Range` (RFC 9110, section 14.4): which part of a file an answer holds.
//!
//! Guarantees: any text at all is read without a panic; what is not exactly `bytes FIRST-LAST/SIZE`
//! with numbers that fit each other is none.

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    first: u64,
    size: Option<u64>,
}

/// How much of a file an answer says that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// A part.
    Part(ContentRange),
    /// A part that nobody can tell.
    Unreadable,
}

impl Extent {
    /// From the header, when there is one.
    pub(super) fn of(header: Option<&str>) -> Self {
        match header.map(ContentRange::parse) {
            None => Self::Whole,
            Some(Some(range)) => Self::Part(range),
            Some(None) => Self::Unreadable,
        }
    }
}

impl ContentRange {
    /// Reads `bytes 5-9/10`, or `bytes 5-9/*` where the server does not know the whole size.
    fn parse(text: &str) -> Option<Self> {
        let (span, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = span.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let size = match size {
            "*" => None,
            size => Some(number(size)?),
        };
        let fits = first <= last && size.is_none_or(|size| last < size);
        fits.then_some(Self { first, size })
    }

    /// Whether it begins where it was asked to, in a file of the size that was signed.
    pub(super) fn continues(self, at: u64, size: u64) -> bool {
        self.first == at && self.size.is_none_or(|found| found == size)
    }
}

/// Digits alone: `str::parse` would take a plus sign.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_that_fit_are_read() {
        let range = ContentRange::parse("bytes 5-9/10").unwrap();
        assert!(range.continues(5, 10));
        assert!(!range.continues(4, 10));
        assert!(!range.continues(5, 11));
        assert!(
            ContentRange::parse("bytes 5-9/*")
                .unwrap()
                .continues(5, 4711)
        );
    }

    #[test]
    fn ranges_that_do_not_are_none() {
        for text in [
            "",
            "bytes",
            "bytes */10",
            "bytes 5-4/10",
            "bytes 5-10/10",
            "bytes +5-9/10",
            "bytes 5-9",
            "bytes -9/10",
            "items 5-9/10",
            "bytes 5-99999999999999999999/100000000000000000000",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(bytes )?[-0-9*/+ ]{0,40}|.{0,40}") {
            let _ = ContentRange::parse(&text);
        }

        #[test]
        fn what_a_server_writes_is_read(first in 0..u64::MAX / 2, more in 0..1000_u64, rest in 1..1000_u64) {
            let (last, size) = (first + more, first + more + rest);
            let range = ContentRange::parse(&format!("bytes {first}-{last}/{size}"));
            prop_assert!(range.is_some_and(|range| range.continues(first, size)));
        }
    }
}
