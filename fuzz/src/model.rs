use bulkhead_inference::{Limits, Model, Session};

/// Small enough that whatever is within them is quick to load and run.
fn limits() -> Limits {
    Limits { file_bytes: 200_000, nodes: 100, numbers: 100_000, row_numbers: 256, work_per_row: 1_000_000 }
}

/// A file as a model: refused with a reason, or run with the same answer each time, in as many numbers as it said.
pub fn check(bytes: &[u8]) {
    let model = match Model::load(bytes, &limits()) {
        Ok(model) => model,
        Err(refused) => {
            assert!(!refused.to_string().is_empty(), "it is refused without a reason");
            return;
        }
    };
    assert!(model.work_per_row() <= limits().work_per_row, "{model:?}");
    let rows = vec![0.75; model.row() * 2];
    let run = || Session::start(&model).and_then(|mut session| session.run(&rows));
    let (answer, again) = (run(), run());
    assert_eq!(answer, again);
    if let Ok(answer) = answer {
        assert_eq!(answer.len(), model.width() * 2);
        assert!(answer.iter().all(|number| number.is_finite()));
    }
}
