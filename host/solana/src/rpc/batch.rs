//! Several calls in one request, as JSON-RPC has it. A server may answer some of them and refuse others, or refuse all of
//! them at once; what one did not answer the next is asked for.

use serde_json::{Value, json};

use super::transport::{Failure, is_about_health, is_about_pace, without_secrets};
use super::{Endpoint, Endpoints};
use crate::cluster::ClusterError;

/// A question to a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) parameters: Value,
}

/// What was asked, and how it went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Calls, each as often as it was made.
    pub requests: u64,
    /// Requests on the wire, each of which holds several calls.
    pub batches: u64,
    /// Calls that were not answered although their batch was, or with what makes no sense.
    pub failed_requests: u64,
    /// Batches that were not answered at all.
    pub failed_batches: u64,
}

impl Traffic {
    /// Adds what was asked besides.
    pub(crate) const fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.batches = self.batches.saturating_add(other.batches);
        self.failed_requests = self.failed_requests.saturating_add(other.failed_requests);
        self.failed_batches = self.failed_batches.saturating_add(other.failed_batches);
    }
}

impl Endpoint {
    /// Asks all of these at once. An error is one of the whole batch; those of single calls are in their places.
    async fn ask_batch(&self, calls: &[&Call]) -> Result<Vec<Result<Value, ClusterError>>, ClusterError> {
        let written = calls.iter().enumerate().map(|(number, call)| {
            json!({"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.parameters})
        });
        let mut written: Vec<Value> = written.collect();
        // Some servers know no batches, and one call needs none.
        let body = if written.len() == 1 { written.remove(0) } else { Value::Array(written) };
        let request = self.line().client().post(self.line().url().clone()).json(&body);
        let answer = self.line().ask_several(request, calls.len()).await.map_err(|why| self.failed(&why))?;
        let told = match serde_json::from_slice(&answer.body) {
            Ok(Value::Array(told)) => told,
            Ok(one @ Value::Object(_)) if calls.len() == 1 => vec![one],
            Ok(Value::Object(refusal)) => {
                let error = refusal.get("error").cloned().unwrap_or_default();
                let (code, message) = error_of(&error);
                let why = if is_about_pace(code, &message) {
                    self.line().note_limited()
                } else {
                    self.line().note_broken(format!("it refuses a batch: {message} ({code})"))
                };
                return Err(self.failed(&why));
            }
            _ => {
                let why = format!("HTTP {} without JSON", answer.status.as_u16());
                return Err(self.failed(&self.line().note_broken(why)));
            }
        };
        Ok(self.parted(told, calls.len()))
    }

    /// The answers in the order of their questions, whatever order the server gave them in.
    fn parted(&self, told: Vec<Value>, calls: usize) -> Vec<Result<Value, ClusterError>> {
        let mut parts: Vec<Option<Result<Value, ClusterError>>> = (0..calls).map(|_| None).collect();
        let (mut is_limited, mut unwell) = (false, None);
        for mut answer in told {
            let place = answer["id"].as_u64().and_then(|number| usize::try_from(number).ok());
            let Some(part) = place.and_then(|place| parts.get_mut(place)).filter(|part| part.is_none())
            else {
                continue;
            };
            let error = answer["error"].take();
            if error.is_null() {
                *part = Some(Ok(answer["result"].take()));
                continue;
            }
            let (code, message) = error_of(&error);
            is_limited |= is_about_pace(code, &message);
            let said = format!("{}: {message} ({code})", self.name());
            if is_about_pace(code, &message) || is_about_health(code) {
                unwell = Some(message);
                *part = Some(Err(ClusterError::Unavailable(said)));
            } else {
                *part = Some(Err(ClusterError::Refused(said)));
            }
        }
        let missing = || Err(self.malformed("an answer is missing in a batch"));
        let is_whole = parts.iter().all(Option::is_some);
        let parts = parts.into_iter().map(|part| part.unwrap_or_else(missing)).collect();
        match unwell {
            _ if is_limited => drop(self.line().note_limited()),
            Some(why) => drop(self.line().note_broken(why)),
            None if is_whole => self.line().note_success(),
            None => drop(self.line().note_broken("an answer is missing in a batch")),
        }
        parts
    }

    fn failed(&self, failure: &Failure) -> ClusterError {
        ClusterError::Unavailable(match failure {
            Failure::Limited(pause) => {
                format!("{}: it is asked too often, and left alone for {pause:.1?}", self.name())
            }
            Failure::Broken(why) => format!("{}: {why}", self.name()),
        })
    }
}

impl Endpoints {
    /// Asks at most `at_once` of these in one request, and one request after the other. What a server does not answer, or
    /// with what `read` says why it is no answer, the next one is asked for; the last word on each call is in its place.
    pub(super) async fn ask_all<T>(
        &self,
        calls: &[Call],
        at_once: usize,
        traffic: &mut Traffic,
        read: impl Fn(usize, Value) -> Result<T, &'static str>,
    ) -> Vec<Result<T, ClusterError>> {
        let mut answers = Vec::with_capacity(calls.len());
        for (part, some) in calls.chunks(at_once.max(1)).enumerate() {
            let first = part * at_once.max(1);
            let read = |place, value| read(first + place, value);
            answers.extend(self.ask_batch(some, traffic, read).await);
        }
        answers
    }

    async fn ask_batch<T>(
        &self,
        calls: &[Call],
        traffic: &mut Traffic,
        read: impl Fn(usize, Value) -> Result<T, &'static str>,
    ) -> Vec<Result<T, ClusterError>> {
        let nobody = self.nobody();
        let mut answers: Vec<Result<T, ClusterError>> = calls.iter().map(|_| Err(nobody.clone())).collect();
        let mut open: Vec<usize> = (0..calls.len()).collect();
        for endpoint in self.candidates() {
            if open.is_empty() {
                break;
            }
            let asked: Vec<&Call> = open.iter().filter_map(|place| calls.get(*place)).collect();
            let parts = match self.is_right(endpoint).await {
                Ok(()) => {
                    traffic.batches = traffic.batches.saturating_add(1);
                    traffic.requests = traffic.requests.saturating_add(asked.len() as u64);
                    let parts = endpoint.ask_batch(&asked).await;
                    traffic.failed_batches += u64::from(parts.is_err());
                    parts
                }
                Err(error) => Err(error),
            };
            let parts = parts.unwrap_or_else(|error| {
                tracing::debug!(endpoint = endpoint.name(), %error, "asking the next for all of it");
                asked.iter().map(|_| Err(error.clone())).collect()
            });
            let is_partly = parts.iter().any(Result::is_ok);
            for (place, part) in open.iter().zip(parts) {
                let part = part.and_then(|value| read(*place, value).map_err(|why| endpoint.malformed(why)));
                traffic.failed_requests += u64::from(is_partly && part.is_err());
                if let Some(answer) = answers.get_mut(*place) {
                    *answer = part;
                }
            }
            open.retain(|place| answers.get(*place).is_some_and(Result::is_err));
        }
        answers
    }
}

fn error_of(error: &Value) -> (i64, String) {
    let code = error["code"].as_i64().unwrap_or_default();
    (code, without_secrets(error["message"].as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::EndpointSettings;
    use super::*;

    fn endpoint() -> Endpoint {
        let url = "http://127.0.0.1:1".to_owned();
        let settings = EndpointSettings { url, requests_per_second: None, timeout: Duration::from_secs(1) };
        Endpoint::new(&settings).unwrap()
    }

    #[test]
    fn answers_find_their_questions_in_any_order() {
        let endpoint = endpoint();
        let told = vec![json!({"id": 1, "result": "b"}), json!({"id": 0, "result": "a"})];
        assert_eq!(endpoint.parted(told, 2), [Ok("a".into()), Ok("b".into())]);
        assert!(endpoint.line().is_awake());
    }

    #[test]
    fn what_is_missing_told_twice_or_of_nobody_is_no_answer() {
        let endpoint = endpoint();
        let told = vec![
            json!({"id": 0, "result": "a"}),
            json!({"id": 0, "result": "other"}),
            json!({"id": 7, "result": "x"}),
            json!(null),
        ];
        let parts = endpoint.parted(told, 2);
        assert_eq!(parts[0], Ok("a".into()));
        assert!(matches!(&parts[1], Err(ClusterError::Malformed(_))), "{parts:?}");
        assert!(!endpoint.line().is_awake());
    }

    #[test]
    fn a_part_that_is_refused_leaves_the_server_well_and_one_about_pace_does_not() {
        let endpoint = endpoint();
        let refused = |code: i64| vec![json!({"id": 0, "error": {"code": code, "message": "no"}})];
        assert!(matches!(&endpoint.parted(refused(-32_015), 1)[0], Err(ClusterError::Refused(_))));
        assert!(endpoint.line().is_awake());
        assert!(matches!(&endpoint.parted(refused(429), 1)[0], Err(ClusterError::Unavailable(_))));
        assert!(!endpoint.line().is_awake());
    }
}
