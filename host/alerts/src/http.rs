//! HTTP as all channels use it: encrypted with the system's certificates, bounded in time, and going where it was
//! told to go, not where a server sends it.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// What an answer may be long, in bytes.
pub(crate) const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// A server is left alone for so long at most, whatever it asks for.
const LONGEST_REST: Duration = Duration::from_secs(3_600);

/// Why something was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may pass.
    Passing {
        /// What happened.
        why: String,
        /// The server wants to be left alone for so long, within bounds.
        after: Option<Duration>,
    },
    /// It may pass, and concerns some of the places that a channel tells; others are told meanwhile.
    InPart {
        /// What happened.
        why: String,
        /// Those places want to be left alone for so long, within bounds.
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
            Self::Passing { why, .. } | Self::InPart { why, .. } | Self::Final { why } => why,
        }
    }
}

/// The environment's proxy, unless the address is one of this machine: what is not encrypted does not leave it.
fn proxy(address: &str, of_environment: Option<Proxy>) -> Option<Proxy> {
    of_environment.filter(|_| !address.starts_with("http://"))
}

/// Makes what requests to an address are sent with.
pub(crate) fn agent(address: &str) -> Agent {
    let found = rustls_native_certs::load_native_certs();
    let certificates: Vec<_> =
        found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy(address, Proxy::try_from_env()))
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
    let text = response.headers().get("retry-after")?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than fit are as long as anything.
    is_number.then(|| rest(text.parse().unwrap_or(u64::MAX)))
}

/// So many seconds of rest, within bounds.
pub(crate) fn rest(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_wrong_is_not_repeated() {
        let error = ureq::Error::BadUri("https://hooks.example.org/planted-secret".to_owned());
        assert!(!failure(&error).why().contains("planted-secret"));
        let address = "http://127.0.0.1:1/planted-secret";
        let answer = agent(address).get(address).call();
        assert!(!failure(&answer.unwrap_err()).why().contains("planted-secret"));
    }

    #[test]
    fn a_server_is_left_alone_within_bounds() {
        let asked = |text: &str| {
            retry_after(&ureq::http::Response::builder().header("retry-after", text).body(()).unwrap())
        };
        assert_eq!(asked(" 7 "), Some(Duration::from_secs(7)));
        for huge in ["3601", "18446744073709551615", "99999999999999999999999"] {
            assert_eq!(asked(huge), Some(LONGEST_REST), "{huge}");
        }
        for other in ["", "-1", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(asked(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_encrypted_is_given_to_no_proxy() {
        let of_environment = Proxy::new("http://proxy.example.org:3128").unwrap();
        assert_eq!(proxy("http://127.0.0.1:8080/hook", Some(of_environment.clone())), None);
        assert!(proxy("https://hooks.example.org", Some(of_environment)).is_some());
    }
}
