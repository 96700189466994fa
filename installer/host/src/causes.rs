//! Errors with their causes.

use std::error::Error;

/// The causes of an error, the nearest first: its source, the source of that, and so on.
pub fn causes(error: &dyn Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// An error and its causes in one line, for a log: `cannot start: cannot read x: no such file`.
pub fn in_one_line(error: &dyn Error) -> String {
    causes(error).fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{name}")]
    struct Link {
        name: &'static str,
        #[source]
        cause: Option<Box<Self>>,
    }

    #[test]
    fn an_error_is_told_with_all_its_causes_in_their_order() {
        let link = |name, cause: Option<Link>| Link {
            name,
            cause: cause.map(Box::new),
        };
        let error = link("a", Some(link("b", Some(link("c", None)))));
        assert_eq!(in_one_line(&error), "a: b: c");
        assert_eq!(causes(&error).count(), 2);
        assert_eq!(in_one_line(&link("a", None)), "a");
    }
}
