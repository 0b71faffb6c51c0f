//! Which members a bag fits, where finished ones are kept, and who hears how far the others are.

use std::fmt;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use spec::{MemberKind, Train};

use super::member::{FittedMember, Progress};
use super::{Error, Recipe};

/// Most rows that are fitted a second time: of more, both fits together could outlast the default budget.
const MAX_REFIT_ROWS: usize = 20_000;

/// One member to fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// Its number among all that a bag may fit: what is random in it is drawn for this number.
    pub index: usize,
    /// Its kind.
    pub kind: MemberKind,
    /// Its number among those of its kind.
    pub member: usize,
    /// The part of the rows that it holds out; none where it learns from all.
    pub held_out: Option<usize>,
    /// How it is fitted.
    pub recipe: Recipe,
}

/// As people are told: `fine member 3`, or `fine member 3 from all rows`.
impl fmt::Display for Lesson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = if self.held_out.is_none() { " from all rows" } else { "" };
        write!(f, "{} member {}{rows}", self.kind, self.member + 1)
    }
}

/// Whether the members that serve learn from all of so many rows, after others have held some out.
pub(super) fn may_learn_again(train: &Train, n_rows: usize) -> bool {
    train.refit && n_rows <= MAX_REFIT_ROWS
}

/// Keeps finished members, and hears how far the others are.
pub trait Keeper: Sync {
    /// Hears how many members are fitted in all: before the first as if all kinds came to serve, and again when it is known
    /// which do.
    fn plan(&self, _n_lessons: usize) {}

    /// The member of this very lesson, if it was finished before.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the place cannot be read.
    fn find(&self, lesson: &Lesson) -> Result<Option<FittedMember>, Error>;

    /// Keeps a finished member.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the place cannot be written.
    fn keep(&self, lesson: &Lesson, fitted: &FittedMember) -> Result<(), Error>;

    /// Hears of an epoch of a member, and may end the fit.
    fn hear(&self, lesson: &Lesson, progress: Progress) -> ControlFlow<()>;
}

/// Keeps nothing; a fit goes on for as long as the function says so.
#[derive(Clone, Copy, Debug)]
pub struct KeepNothing<F>(pub F);

/// Keeps nothing and never ends a fit.
pub const KEEP_NOTHING: KeepNothing<fn() -> ControlFlow<()>> = KeepNothing(|| ControlFlow::Continue(()));

impl<F: Fn() -> ControlFlow<()> + Sync> Keeper for KeepNothing<F> {
    fn find(&self, _: &Lesson) -> Result<Option<FittedMember>, Error> {
        Ok(None)
    }

    fn keep(&self, _: &Lesson, _: &FittedMember) -> Result<(), Error> {
        Ok(())
    }

    fn hear(&self, _: &Lesson, _: Progress) -> ControlFlow<()> {
        (self.0)()
    }
}
