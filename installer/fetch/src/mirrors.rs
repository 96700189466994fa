//! Several sources of the same releases, in their order.
//!
//! Guarantees: a mirror counts only when what it gave is accepted by whoever asked, so one that
//! lies, stalls or is down costs time and nothing else; one that publishes at the very moment is asked
//! once more; when none is left, the error tells what
//! each of them did, and its kind is that of the worst: a refusal is never passed off as a network
//! that is down.

use super::{Config, FetchError, MirrorError, NoMirror, Source};

/// One source or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrors {
    first: Source,
    others: Vec<Source>,
}

impl Mirrors {
    /// What was typed, else what is configured, else what was built in (separated by white space).
    /// `{channel}` in a source stands for the channel.
    ///
    /// # Errors
    /// [`FetchError::NoSource`] when there is none of the three, [`FetchError::BadSource`] when one
    /// of those that count cannot be used: a bad word is never skipped for the next.
    pub fn choose(
        typed: &[String],
        config: &Config,
        built_in: Option<&str>,
        channel: &str,
    ) -> Result<Self, FetchError> {
        let configured = config.update.all_sources();
        if !typed.is_empty() {
            return Self::parse(typed.iter().map(String::as_str), channel);
        }
        if !configured.is_empty() {
            return Self::parse(configured, channel);
        }
        Self::parse(built_in.unwrap_or_default().split_whitespace(), channel)
    }

    /// Reads sources; see [`Source::parse`].
    ///
    /// # Errors
    /// [`FetchError::NoSource`] for none, [`FetchError::BadSource`].
    pub fn parse<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        channel: &str,
    ) -> Result<Self, FetchError> {
        let mut sources = texts.into_iter().map(|text| Source::parse(text, channel));
        let first = sources.next().ok_or(FetchError::NoSource)??;
        Ok(Self {
            first,
            others: sources.collect::<Result<_, _>>()?,
        })
    }

    /// In their order.
    pub fn each(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The same mirrors, with one of them first: the one that has just proved itself.
    #[must_use]
    pub fn beginning_with(&self, source: &Source) -> Self {
        let others = self.each().filter(|other| *other != source).cloned();
        Self {
            first: source.clone(),
            others: others.collect(),
        }
    }

    /// Asks one after the other, until `take` is content with one. One whose answers do not belong
    /// together is asked once more ([`MirrorError::may_be_torn`]) before it is left.
    ///
    /// # Errors
    /// [`NoMirror`], with the error of each.
    pub fn first_accepted<T, E: MirrorError>(
        &self,
        mut take: impl FnMut(&Source) -> Result<T, E>,
    ) -> Result<T, NoMirror<E>> {
        let mut take = |source: &Source| match take(source) {
            Err(error) if error.may_be_torn() => take(source),
            taken => taken,
        };
        let first = match take(&self.first) {
            Ok(taken) => return Ok(taken),
            Err(error) => (self.first.place(), error),
        };
        let mut others = Vec::new();
        for source in &self.others {
            match take(source) {
                Ok(taken) => return Ok(taken),
                Err(error) => others.push((source.place(), error)),
            }
        }
        Err(NoMirror::new(first, others))
    }
}

impl From<Source> for Mirrors {
    fn from(first: Source) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::path::Path;

    use banger_installer_host::Hint;

    use super::*;
    use crate::error_kind::ErrorKind;

    const A: &str = "https://a.example";
    const B: &str = "https://b.example";
    const C: &str = "https://c.example";

    fn mirrors(texts: &[&str]) -> Mirrors {
        Mirrors::parse(texts.iter().copied(), "stable").unwrap()
    }

    fn unreachable(source: &Source) -> FetchError {
        FetchError::Unreachable {
            url: format!("{}manifest.json", source.place()),
            source: "the cable is cut".into(),
        }
    }

    fn chain(error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(link) = cause {
            text = format!("{text} | {link}");
            cause = link.source();
        }
        text
    }

    fn pick(typed: &[&str], config: &str, built_in: Option<&str>) -> Result<String, FetchError> {
        let typed: Vec<String> = typed.iter().map(|text| (*text).into()).collect();
        let config = super::super::config::parse(config, Path::new("config.toml")).unwrap();
        let mirrors = Mirrors::choose(&typed, &config, built_in, "beta")?;
        let places: Vec<String> = mirrors.each().map(Source::place).collect();
        Ok(places.join(" "))
    }

    #[test]
    fn typed_wins_over_configured_wins_over_built_in() {
        let config = format!("[update]\nsource = \"{B}\"\n");
        assert_eq!(pick(&[A], &config, Some(C)).unwrap(), format!("{A}/"));
        assert_eq!(pick(&[], &config, Some(C)).unwrap(), format!("{B}/"));
        assert_eq!(pick(&[], "", Some(C)).unwrap(), format!("{C}/"));
        // an empty build variable is as good as none
        for built_in in [None, Some(""), Some(" \n")] {
            let error = pick(&[], "", built_in).unwrap_err();
            assert!(matches!(error, FetchError::NoSource));
            assert_eq!(error.hint(), Some(Hint::NameSource));
        }
        // a bad word is an error, not a reason to go on to the next
        assert!(pick(&["ftp://a.example"], &config, None).is_err());
        assert!(pick(&[A, "ftp://a.example"], &config, None).is_err());
    }

    #[test]
    fn each_place_may_name_several_in_their_order() {
        let all = format!("{A}/ {B}/ {C}/");
        assert_eq!(pick(&[A, B, C], "", None).unwrap(), all);
        let config = format!("[update]\nsources = [\"{A}\", \"{B}\", \"{C}\"]\n");
        assert_eq!(pick(&[], &config, None).unwrap(), all);
        let built_in = format!("{A} {B}\n{C} ");
        assert_eq!(pick(&[], "", Some(&built_in)).unwrap(), all);
    }

    #[test]
    fn the_channel_stands_where_the_source_wants_it() {
        let config = format!("[update]\nsources = [\"{A}/{{channel}}\", \"{B}/x\"]\n");
        assert_eq!(
            pick(&[], &config, None).unwrap(),
            format!("{A}/beta/ {B}/x/")
        );
    }

    #[test]
    fn the_first_that_is_accepted_wins() {
        let mut asked = Vec::new();
        let taken = mirrors(&[A, B, C]).first_accepted(|source| {
            asked.push(source.place());
            match asked.len() {
                1 => Err(unreachable(source)),
                _ => Ok(source.place()),
            }
        });
        assert_eq!(taken.unwrap(), format!("{B}/"));
        assert_eq!(asked.len(), 2);
    }

    #[test]
    fn a_refusal_outranks_what_is_unreachable_and_each_reason_is_told_once() {
        let mut count = 0;
        let failed = mirrors(&[A, B, C]).first_accepted(|source| -> Result<(), _> {
            count += 1;
            Err(match count {
                2 => FetchError::NoSignature {
                    place: format!("{}manifest.json.minisig", source.place()),
                },
                _ => unreachable(source),
            })
        });
        let error = failed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(
            matches!(error.most_telling(), FetchError::NoSignature { .. }),
            "{error:?}"
        );
        assert_eq!(error.hint(), error.most_telling().hint());
        let chain = chain(&error);
        for text in [A, B, C, "is not signed"] {
            assert_eq!(chain.matches(text).count(), 1, "{text}: {chain}");
        }
        assert_eq!(chain.matches("the cable is cut").count(), 2, "{chain}");
    }

    #[test]
    fn the_error_of_a_single_source_is_shown_as_it_is() {
        let failed =
            mirrors(&[A]).first_accepted(|source| -> Result<(), _> { Err(unreachable(source)) });
        let error = failed.unwrap_err();
        assert_eq!(
            chain(&error),
            "cannot fetch https://a.example/manifest.json | the cable is cut"
        );
        assert_eq!(error.kind(), ErrorKind::Unreachable);
    }

    #[test]
    fn the_mirror_that_proved_itself_goes_first() {
        let all = mirrors(&[A, B, C]);
        let second = all.each().nth(1).unwrap().clone();
        let places: Vec<String> = all
            .beginning_with(&second)
            .each()
            .map(Source::place)
            .collect();
        assert_eq!(places, [B, A, C].map(|place| format!("{place}/")));
    }
}
