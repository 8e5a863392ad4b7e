use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// 429, with the time from which on it may be asked again: in so many seconds.
    TooManyRequests {
        /// In `x-ratelimit-reset`, as a time.
        reset_in: Option<u64>,
        /// In `retry-after`, as a duration.
        retry_after: Option<u64>,
    },
    /// 503.
    Unavailable,
    /// No answer, ever.
    Stall,
    /// The right answer, so much later.
    Delay(Duration),
    /// The connection is closed before anything was done.
    CloseBefore,
    /// It is done, and then the connection is closed.
    CloseAfter,
    /// 200 with something that is not JSON.
    Garbage,
    /// An error as nodes give it, and nothing is done.
    Error {
        /// JSON-RPC's code.
        code: i64,
        /// What it says.
        message: String,
    },
    /// This result, and nothing is done.
    Lie(Value),
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The method, or the path; of several calls in one request `batch`, and then each of them besides.
    pub method: String,
    /// Its parameters.
    pub parameters: Value,
    /// The header that holds a key.
    pub api_key: Option<String>,
}

#[derive(Debug)]
struct Rule {
    /// `None` means all.
    method: Option<String>,
    fault: Fault,
    /// `None` means for ever.
    times: Option<usize>,
}

#[derive(Debug, Default)]
struct Now {
    rules: Vec<Rule>,
    asked: Vec<Asked>,
}

/// The faults that a server has, and what it was asked.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Now>>);

impl Faults {
    /// From now on this method has this fault, so many times; `batch` is a request with several calls. A call in a batch can
    /// be answered with an error or a lie, and is left out for any other fault. The fault that was asked for first comes first.
    pub fn fail(&self, method: &str, fault: Fault, times: usize) {
        self.now().rules.push(Rule { method: Some(method.to_owned()), fault, times: Some(times) });
    }

    /// From now on this method has this fault.
    pub fn fail_always(&self, method: &str, fault: Fault) {
        self.now().rules.push(Rule { method: Some(method.to_owned()), fault, times: None });
    }

    /// From now on everything has this fault.
    pub fn fail_all(&self, fault: Fault) {
        self.now().rules.push(Rule { method: None, fault, times: None });
    }

    /// From now on all is well.
    pub fn recover(&self) {
        self.now().rules.clear();
    }

    /// Everything that was asked.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.now().asked.clone()
    }

    /// What was asked with this method.
    #[must_use]
    pub fn asked_of(&self, method: &str) -> Vec<Asked> {
        self.now().asked.iter().filter(|asked| asked.method == method).cloned().collect()
    }

    pub(crate) fn next(&self, asked: Asked) -> Option<Fault> {
        let mut now = self.now();
        let index = now.rules.iter().position(|rule| {
            rule.times != Some(0) && rule.method.as_deref().is_none_or(|method| method == asked.method)
        });
        now.asked.push(asked);
        let rule = now.rules.get_mut(index?)?;
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(rule.fault.clone())
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().expect("nothing panics while it holds this")
    }
}
