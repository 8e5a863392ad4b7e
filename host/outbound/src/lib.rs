//! HTTP from the host to servers of others: webhooks, Telegram, collectors of traces. It is encrypted with the system's
//! certificates, goes where it was told to go and not where a server sends it, and by a proxy only where it is encrypted.
//!
//! What this crate must never do: repeat an address in an error, as addresses hold secrets; follow a redirect.
//!
//! Where to start reading: [`configured`], which all who send begin with.

use std::sync::Arc;

use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::{Agent, Proxy};

/// How requests to an address are sent; how long they may take is for who sends them to add.
#[must_use]
pub fn configured(address: &str) -> ConfigBuilder<AgentScope> {
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
        .user_agent(concat!("bulkhead/", env!("CARGO_PKG_VERSION")))
}

/// The environment's proxy, unless the address is one of this machine: what is not encrypted does not leave it.
fn proxy(address: &str, of_environment: Option<Proxy>) -> Option<Proxy> {
    of_environment.filter(|_| !address.starts_with("http://"))
}

/// Whether the address is what is wrong with a request, so that trying again would not help.
#[must_use]
pub const fn is_of_address(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::BadUri(_) | ureq::Error::Http(_))
}

/// What went wrong with a request. Addresses may hold secrets, so none is repeated.
#[must_use]
pub fn why(error: &ureq::Error) -> String {
    use ureq::Error;
    match error {
        error if is_of_address(error) => "its address is not valid".to_owned(),
        Error::HostNotFound => "the name of its host is not known".to_owned(),
        Error::Timeout(_) => "it did not answer in time".to_owned(),
        Error::Io(error) => error.to_string(),
        Error::Rustls(error) => format!("the connection could not be encrypted: {error}"),
        Error::Tls(why) => format!("the connection could not be encrypted: {why}"),
        Error::Protocol(_) => "its answer is no HTTP".to_owned(),
        Error::ConnectionFailed => "it can't be reached".to_owned(),
        _ => "the request failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_wrong_is_not_repeated() {
        let error = ureq::Error::BadUri("https://hooks.example.org/planted-secret".to_owned());
        assert!(is_of_address(&error) && !why(&error).contains("planted-secret"));
        let address = "http://127.0.0.1:1/planted-secret";
        let agent: Agent = configured(address).build().into();
        let error = agent.get(address).call().unwrap_err();
        assert!(!is_of_address(&error) && !why(&error).contains("planted-secret"));
    }

    #[test]
    fn what_is_not_encrypted_is_given_to_no_proxy() {
        let of_environment = Proxy::new("http://proxy.example.org:3128").unwrap();
        assert_eq!(proxy("http://127.0.0.1:8080/hook", Some(of_environment.clone())), None);
        assert!(proxy("https://hooks.example.org", Some(of_environment)).is_some());
    }
}
