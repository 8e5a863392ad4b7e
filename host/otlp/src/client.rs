//! HTTP to the collector, bounded in time and to the one address that was configured.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulkhead_outbound::why;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::Agent;
use ureq::http::{HeaderMap, Uri, header};

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
        let agent = bulkhead_outbound::configured(&address.to_string());
        let agent = agent.timeout_global(Some(PATIENCE)).build().into();
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
