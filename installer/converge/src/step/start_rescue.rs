use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::effect::systemd::{JobKind, JobResult};
use crate::plan::StartRescue;
use crate::report::Report;

impl Act for StartRescue {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    /// Its conditions hold from here on: the journal of this operation lies on the disk.
    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        // one that had to give up may try again
        effects.systemd.reset_failed(&self.unit)?;
        let units = [self.unit.clone()];
        let results = effects.systemd.run_jobs(JobKind::Start, &units)?;
        match results.first() {
            Some(JobResult::Done) => Ok(Detail::new()),
            result => Err(StepError::Job {
                kind: JobKind::Start,
                unit: self.unit.clone(),
                result: result.copied().unwrap_or(JobResult::Unknown),
            }),
        }
    }
}
