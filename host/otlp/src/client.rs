//! HTTP to the collector: encrypted with the system's certificates, bounded in time, and to the one address that was
//! configured, whatever an answer says; by the environment's proxy only where it is encrypted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::http::{HeaderMap, Uri, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::queue::Queue;

/// Time for one try.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What an answer may be long, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// The way to the collector.
pub(crate) struct Client {
    agent: Agent,
    address: Uri,
    headers: HeaderMap,
    queue: Arc<Queue>,
}

impl Client {
    pub(crate) fn new(address: Uri, headers: HeaderMap, queue: Arc<Queue>) -> Self {
        let found = rustls_native_certs::load_native_certs();
        let certificates: Vec<_> =
            found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(certificates)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        // What is not encrypted goes to this machine alone, and does not leave it by way of a proxy.
        let is_encrypted = address.scheme_str() == Some("https");
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(Proxy::try_from_env().filter(|_| is_encrypted))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("bulkhead/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Self { agent, address, headers, queue }
    }

    fn send(&self, body: &[u8]) -> Result<Response<Bytes>, ureq::Error> {
        let mut request =
            Request::post(self.address.clone()).header(header::CONTENT_TYPE, "application/x-protobuf");
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
        }
        let answer = self.agent.run(request.body(body)?)?;
        let (head, mut body) = answer.into_parts();
        let body = body.with_config().limit(LONGEST_ANSWER).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Client(…)")
    }
}

#[async_trait]
impl HttpClient for Client {
    /// Waits, as the thread that delivers has nothing else to do.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.send(request.body());
        self.queue.tried(match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("the collector answered with {}", answer.status().as_u16())),
            Err(error) => Some(why(error)),
        });
        answer.map_err(|error| why(&error).into())
    }
}

/// What went wrong. An address may hold a secret, so none is repeated.
fn why(error: &ureq::Error) -> String {
    use ureq::Error;
    match error {
        Error::BadUri(_) | Error::Http(_) => "its address is not valid".to_owned(),
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
