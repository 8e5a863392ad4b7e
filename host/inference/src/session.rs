//! Running a model.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::prelude::{IntoTValue as _, Tensor, TractError, TractResult, TypedSimpleState, tvec};

use crate::model::Model;
use crate::refused::shown;

/// Why a model gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunFailure {
    /// The numbers are not whole rows.
    #[error("{found} numbers are no rows of {row}")]
    Rows {
        /// How many numbers came.
        found: usize,
        /// How many a row has.
        row: usize,
    },
    /// A number that came is not finite.
    #[error("number {place} of row {row} is not finite")]
    Input {
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        place: usize,
    },
    /// A number that the model gives is not finite.
    #[error("its output {output:?} is not finite for row {row}")]
    Output {
        /// Which.
        output: String,
        /// Counted from 0.
        row: usize,
    },
    /// The runtime failed.
    #[error("the runtime failed: {0}")]
    Runtime(String),
}

/// A model at work, and the memory that it needs for that. Its answers depend on nothing but the row.
pub struct Session {
    model: Arc<Model>,
    state: TypedSimpleState,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("model", &self.model).finish_non_exhaustive()
    }
}

impl Session {
    /// # Errors
    ///
    /// [`RunFailure::Runtime`] when the runtime can't start.
    pub fn start(model: &Arc<Model>) -> Result<Self, RunFailure> {
        let state = model.plan().spawn().map_err(|error| failed(&error))?;
        Ok(Self { model: Arc::clone(model), state })
    }

    /// The model that is run.
    #[must_use]
    pub const fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Runs the model on rows that lie one after another; the rows of the answer do, too, each with all outputs in the
    /// model's order.
    ///
    /// # Errors
    ///
    /// [`RunFailure`]; the session can be used again.
    pub fn run(&mut self, rows: &[f32]) -> Result<Vec<f32>, RunFailure> {
        let row = self.model.row();
        if rows.is_empty() || !rows.len().is_multiple_of(row) {
            return Err(RunFailure::Rows { found: rows.len(), row });
        }
        if let Some(place) = rows.iter().position(|number| !number.is_finite()) {
            return Err(RunFailure::Input { row: place / row, place: place % row });
        }
        let width = self.model.width();
        let mut answer = Vec::with_capacity(rows.len() / row * width);
        for (index, numbers) in rows.chunks_exact(row).enumerate() {
            let before = answer.len();
            if let Err(failure) = run_row(&mut self.state, numbers, &mut answer) {
                // What was half done is not begun with.
                self.state = self.model.plan().spawn().map_err(|error| failed(&error))?;
                return Err(failure);
            }
            let given = answer.get(before..).unwrap_or_default();
            if given.len() != width {
                let why = format!("it gave {} numbers for a row, not {width}", given.len());
                return Err(RunFailure::Runtime(why));
            }
            if let Some(place) = given.iter().position(|number| !number.is_finite()) {
                return Err(RunFailure::Output { output: self.output_at(place), row: index });
            }
        }
        Ok(answer)
    }

    fn output_at(&self, place: usize) -> String {
        let mut end = 0;
        let output = self.model.outputs().iter().find(|output| {
            end += output.width;
            place < end
        });
        output.map_or_else(String::new, |output| shown(&output.name))
    }
}

fn failed(error: &TractError) -> RunFailure {
    RunFailure::Runtime(shown(&format!("{error:#}")))
}

/// Runs one row and adds what comes of it to `answer`.
pub(crate) fn run_row(
    state: &mut TypedSimpleState,
    row: &[f32],
    answer: &mut Vec<f32>,
) -> Result<(), RunFailure> {
    let run = || -> TractResult<()> {
        let input = Tensor::from_shape(&[1, row.len()], row)?;
        for output in state.run(tvec![input.into_tvalue()])? {
            answer.extend_from_slice(output.try_as_plain_ram()?.as_slice::<f32>()?);
        }
        Ok(())
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => done.map_err(|error| failed(&error)),
        Err(_) => Err(RunFailure::Runtime("it panicked".to_owned())),
    }
}
