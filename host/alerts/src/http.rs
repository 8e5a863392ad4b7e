//! HTTP as all channels use it: encrypted with the system's certificates, bounded in time, and going where it was
//! told to go, not where a server sends it.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// What an answer may be long, in bytes.
pub(crate) const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// Why something was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may pass.
    Passing {
        /// What happened.
        why: String,
        /// The server wants to be left alone for so long.
        after: Option<Duration>,
    },
    /// Trying again would not help.
    Final {
        /// What happened.
        why: String,
    },
}

impl Failure {
    pub(crate) const fn passing(why: String) -> Self {
        Self::Passing { why, after: None }
    }

    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Passing { why, .. } | Self::Final { why } => why,
        }
    }
}

/// Makes what requests are sent with.
pub(crate) fn agent() -> Agent {
    let found = rustls_native_certs::load_native_certs();
    let certificates: Vec<_> =
        found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .user_agent(concat!("bulkhead/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// What went wrong with a request. Addresses may hold secrets, so none is repeated.
pub(crate) fn failure(error: &ureq::Error) -> Failure {
    use ureq::Error;
    match error {
        Error::BadUri(_) | Error::Http(_) => Failure::Final { why: "its address is not valid".to_owned() },
        Error::HostNotFound => Failure::passing("the name of its host is not known".to_owned()),
        Error::Timeout(_) => Failure::passing("it did not answer in time".to_owned()),
        Error::Io(error) => Failure::passing(error.to_string()),
        Error::Rustls(error) => Failure::passing(format!("the connection could not be encrypted: {error}")),
        Error::Tls(why) => Failure::passing(format!("the connection could not be encrypted: {why}")),
        Error::Protocol(_) => Failure::passing("its answer is no HTTP".to_owned()),
        Error::ConnectionFailed => Failure::passing("it can't be reached".to_owned()),
        _ => Failure::passing("the request failed".to_owned()),
    }
}

/// What the server says about when to come back. Only seconds are understood; a date is treated as nothing said.
pub(crate) fn retry_after<T>(response: &ureq::http::Response<T>) -> Option<Duration> {
    let text = response.headers().get("retry-after")?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_wrong_is_not_repeated() {
        let error = ureq::Error::BadUri("https://hooks.example.org/planted-secret".to_owned());
        assert!(!failure(&error).why().contains("planted-secret"));
        let answer = agent().get("http://127.0.0.1:1/planted-secret").call();
        assert!(!failure(&answer.unwrap_err()).why().contains("planted-secret"));
    }
}
