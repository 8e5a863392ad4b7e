//! The section about traces: where they are sent, and where the secrets for it are kept. Never the secrets themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alerts::{ADDRESS, NOT_SHOWN, REFERENCE, is_reference, is_safe_address};

/// A collector of OpenTelemetry that traces are sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// Its address, before `/v1/traces`.
    pub endpoint: String,
    /// What is sent with every request: by the name of the header, `env:NAME` or `file:PATH` for where its value is kept.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What this host is called there.
    #[serde(default = "bulkhead")]
    pub service: String,
}

fn bulkhead() -> String {
    "bulkhead".to_owned()
}

impl Otlp {
    /// What is out of range: the key, what was found, and what is allowed. No secret is among it.
    pub(crate) fn problems(&self) -> Vec<(String, String, String)> {
        let mut problems = Vec::new();
        if !is_safe_address(&self.endpoint) {
            problems.push(("otlp.endpoint".to_owned(), NOT_SHOWN.to_owned(), ADDRESS.to_owned()));
        }
        for (name, value) in &self.headers {
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_token) {
                let expected = "the name of a header is expected: letters, digits, \"-\" and \"_\"";
                problems.push(("otlp.headers".to_owned(), NOT_SHOWN.to_owned(), expected.to_owned()));
            } else if !is_reference(value) {
                problems.push((format!("otlp.headers.{name}"), NOT_SHOWN.to_owned(), REFERENCE.to_owned()));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(endpoint: &str, name: &str, value: &str) -> Vec<String> {
        let headers = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let otlp = Otlp { endpoint: endpoint.to_owned(), headers, service: bulkhead() };
        let problems = otlp.problems();
        assert!(problems.iter().all(|(_, found, _)| !found.contains("planted")));
        problems.into_iter().map(|(key, ..)| key).collect()
    }

    #[test]
    fn what_is_sent_is_encrypted_or_stays_here_and_secrets_are_elsewhere() {
        let none: Vec<String> = Vec::new();
        assert_eq!(problems("https://otel.example.org", "authorization", "env:OTEL"), none);
        assert_eq!(problems("http://127.0.0.1:4318", "x-key", "file:/etc/key"), none);
        assert_eq!(problems("http://otel.example.org", "x-key", "env:OTEL"), ["otlp.endpoint"]);
        assert_eq!(
            problems("https://o", "authorization", "Bearer planted"),
            ["otlp.headers.authorization"],
            "the secret itself has no place here"
        );
        assert_eq!(problems("https://o", "x: planted\r\n", "env:OTEL"), ["otlp.headers"]);
    }
}
