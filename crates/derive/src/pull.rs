//! How a stage answers when it has no item.

use crate::step::{CriticalReason, PipelineError, Request, ResetReason};

/// Why a stage has no item now.
// spec: opstack 3.1
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// The L1 block gives nothing more.
    OutOfData,
    /// Something was consumed without giving an item: ask again.
    Again,
    /// Something must be supplied first. Nothing was consumed.
    Need(Request),
    /// The pipeline cannot go on.
    Failed(PipelineError),
}

impl From<ResetReason> for Stop {
    fn from(reason: ResetReason) -> Self {
        Self::Failed(reason.into())
    }
}

impl From<CriticalReason> for Stop {
    fn from(reason: CriticalReason) -> Self {
        Self::Failed(reason.into())
    }
}

/// An item of a stage, or why there is none.
pub(crate) type Pull<T> = Result<T, Stop>;

/// A condition that this program's own rules exclude.
pub(crate) const fn bug(what: &'static str) -> Stop {
    Stop::Failed(PipelineError::Critical(CriticalReason::Bug(what)))
}
