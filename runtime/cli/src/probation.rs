//! How long a new version is on probation: a minute, unless a drop-in of the rescue unit says
//! otherwise.
//!
//! It is a variable of the unit and no option of the command: a drop-in stays when the version before
//! comes back, and a program that does not know the variable must watch all the same.

use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::time::Duration;

use banger_installer::toolkit::RescueLimits;

/// `Environment=BANGER_PROBATION_SECONDS=600` in a drop-in of `banger-rescue.service`.
pub(super) const VARIABLE: &str = "BANGER_PROBATION_SECONDS";

/// In seconds. Below, a daemon that ends or falls silent would hardly be noticed; above, the version
/// before would be kept for longer than anybody remembers it.
const BOUNDS: RangeInclusive<u64> = 10..=86_400;

/// What the unit says, or the default where it says nothing.
///
/// # Errors
/// The default again, and what to tell, where it says something else than a number within the bounds:
/// the watch must take place in any case.
pub(super) fn length(told: Option<&OsStr>) -> Result<Duration, (Duration, String)> {
    let default = RescueLimits::default().probation;
    let Some(told) = told else {
        return Ok(default);
    };
    let number = told.to_str().and_then(|text| text.parse().ok());
    match number.filter(|seconds| BOUNDS.contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err((
            default,
            format!(
                "{VARIABLE}={} is ignored: it is no number of seconds from {} to {}; the \
                 probation lasts {} s",
                told.display(),
                BOUNDS.start(),
                BOUNDS.end(),
                default.as_secs()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<u64, u64> {
        length(Some(text.as_ref()))
            .map(|length| length.as_secs())
            .map_err(|(length, said)| {
                assert!(said.contains(VARIABLE) && said.contains(text), "{said}");
                length.as_secs()
            })
    }

    #[test]
    fn the_probation_lasts_a_minute_unless_the_unit_names_another_length() {
        assert_eq!(length(None), Ok(Duration::from_secs(60)));
        assert_eq!(told("10"), Ok(10));
        assert_eq!(told("86400"), Ok(86_400));
    }

    #[test]
    fn a_length_that_is_none_or_out_of_bounds_is_told_and_the_default_holds() {
        for text in [
            "",
            "0",
            "9",
            "86401",
            "-60",
            "1m",
            "ten",
            "99999999999999999999",
        ] {
            assert_eq!(told(text), Err(60), "{text:?}");
        }
    }
}
