//! A download as people see it, and the errors of an update.

use banger_installer::fetch::Progress;
use banger_installer::toolkit::Planner;
use banger_installer::updater::{Candidate, Staged, UpdateError};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::{Failure, Screen};
use crate::product::hint_text;

/// Fetches, verifies and unpacks a release, with a progress bar.
pub(super) fn download<'a>(
    candidate: &Candidate<'_>,
    under: &Planner<'a>,
    screen: &Screen,
) -> Result<Staged<'a>, Failure> {
    let mut bar = Bar::new(screen);
    let staged = candidate.download(under, &mut bar)?;
    drop(bar);
    let size = megabytes(staged.size());
    screen.done(
        "downloaded and verified",
        &format!("{size} from {}", staged.place()),
    );
    Ok(staged)
}

/// A size as people read it.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / 1_000_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// A progress bar on a terminal, nothing in a pipe. It goes with its value, however that ends.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(screen: &Screen) -> Self {
        let style = ProgressStyle::with_template("  {bar:24} {bytes} of {total_bytes}");
        Self(screen.is_terminal().then(|| {
            ProgressBar::new(0)
                .with_finish(ProgressFinish::AndClear)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        }))
    }
}

impl Progress for Bar {
    fn advanced(&mut self, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
        }
    }
}

impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Self {
        Self::new(
            &error,
            error.hint().map(|hint| hint_text(&hint)),
            error.kind(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::megabytes;

    #[test]
    fn sizes_are_read_in_megabytes() {
        assert_eq!(megabytes(8_140_000), "8.1 MB");
        assert_eq!(megabytes(99_999), "0.0 MB");
    }
}
