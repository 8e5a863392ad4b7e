//! Models that the operator granted to the strategy. The host runs them: their weights are not in the plugin, and another model
//! takes over as another version of the strategy does.
//!
//! ```no_run
//! use bulkhead_sdk::models;
//! # fn check() -> Result<(), String> {
//! let model = models::describe("direction").ok_or("grant me a model named \"direction\"")?;
//! if model.row != 3 {
//!     return Err(format!("the model takes {} numbers, not 3", model.row));
//! }
//! # Ok(())
//! # }
//! let up = models::run("direction", &[0.1, -0.3, 1.0])[0];
//! ```
//!
//! Check what a model is in [`Strategy::check`](crate::Strategy::check), so that a wrong one refuses the deployment. A model that
//! is not there, rows of another length and numbers that are not finite end the call as a panic does.
//!
//! Natively there is no host: a test says with [`install`] what a model answers.

pub use crate::bindings::bulkhead::strategy::inference::{Model, ModelNote, ModelOutput};

/// What a model is; `None` when none of this name was granted.
#[cfg(target_arch = "wasm32")]
#[must_use]
pub fn describe(name: &str) -> Option<Model> {
    crate::bindings::bulkhead::strategy::inference::describe(name)
}

/// Has the host run a model on one or more rows that lie one after another; gives a row of all outputs for each.
/// Each row costs [`Model::work`] of the call's instruction budget.
#[cfg(target_arch = "wasm32")]
#[must_use]
pub fn run(name: &str, rows: &[f32]) -> Vec<f32> {
    crate::bindings::bulkhead::strategy::inference::run(name, rows)
}

#[cfg(not(target_arch = "wasm32"))]
pub use self::native::{describe, install, run};

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use super::Model;

    /// Answers to one row.
    type Answer = Rc<dyn Fn(&[f32]) -> Vec<f32>>;

    thread_local! {
        static MODELS: RefCell<BTreeMap<String, (Model, Answer)>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// Grants a model to the native strategies of this thread, in the place of one of the same name. `answer` is given
    /// one row and gives one.
    pub fn install(name: &str, model: Model, answer: impl Fn(&[f32]) -> Vec<f32> + 'static) {
        MODELS.with_borrow_mut(|models| models.insert(name.to_owned(), (model, Rc::new(answer))));
    }

    /// What a model is; `None` when none of this name was installed.
    #[must_use]
    pub fn describe(name: &str) -> Option<Model> {
        MODELS.with_borrow(|models| models.get(name).map(|(model, _)| model.clone()))
    }

    /// Runs a model that was installed, row by row.
    ///
    /// # Panics
    ///
    /// Where the host would stop the strategy: no such model, numbers that are no rows of it, numbers that are not
    /// finite.
    #[must_use]
    pub fn run(name: &str, rows: &[f32]) -> Vec<f32> {
        let found = MODELS.with_borrow(|models| models.get(name).cloned());
        let Some((model, answer)) = found else { unreachable!("no model {name:?} was installed") };
        let row = usize::try_from(model.row).unwrap_or(usize::MAX);
        assert!(
            row > 0 && !rows.is_empty() && rows.len().is_multiple_of(row),
            "{} numbers are no rows of {row}",
            rows.len()
        );
        assert!(rows.iter().all(|number| number.is_finite()), "a number for {name:?} is not finite");
        let answers: Vec<f32> = rows.chunks(row).flat_map(|row| answer(row)).collect();
        assert!(answers.iter().all(|number| number.is_finite()), "a number of {name:?} is not finite");
        answers
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    fn model(row: u32) -> Model {
        let outputs = vec![ModelOutput { name: "sum".to_owned(), width: 1 }];
        Model { hash: String::new(), row, outputs, notes: Vec::new(), work: 1.0 }
    }

    #[test]
    fn an_installed_model_answers_row_by_row() {
        install("sum", model(2), |row| vec![row.iter().sum()]);
        assert_eq!(describe("sum").unwrap().row, 2);
        assert_eq!(run("sum", &[1.0, 2.0, 3.0, 4.0]), [3.0, 7.0]);
        assert_eq!(describe("other"), None);
    }

    #[test]
    #[should_panic(expected = "3 numbers are no rows of 2")]
    fn half_a_row_is_as_wrong_as_on_the_host() {
        install("sum", model(2), |row| vec![row.iter().sum()]);
        let _ = run("sum", &[1.0, 2.0, 3.0]);
    }
}
