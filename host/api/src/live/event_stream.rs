//! Live updates as server-sent events, for simple clients.
#![allow(unused_qualifications, reason = "the macro that describes routes makes them")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{self, Stream as Sequence};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

use super::socket::{HEARTBEAT, LiveQuery};
use super::stream::Message;
use super::{LiveMessage, Resume, Stream, Subscription, Topics};
use crate::api::{Api, At, Query};
use crate::authorisation::Caller;
use crate::connections::Permit;
use crate::problem::Problem;

/// Live updates of an account, as server-sent events. The data of each event is one `LiveMessage` in JSON; after a drop a
/// browser goes on by itself, with the header `last-event-id`.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/events",
    tag = "live",
    params(("account" = String, Path, description = "The account's name"), LiveQuery),
    responses((
        status = 200,
        description = "Events without end",
        body = LiveMessage<'static>,
        content_type = "text/event-stream"
    )),
)]
pub(crate) async fn events(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<LiveQuery>,
    Extension(caller): Extension<Caller>,
    permit: Option<Extension<Permit>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let topics = Topics::read(query.topics.as_deref())?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(resume);
    let resume = match last {
        Some(resume) => Some(resume),
        None => query.resume()?,
    };
    let stream = Arc::clone(&api.stream(&account)?);
    let Subscription { first, receiver } = stream.subscribe(topics, resume.as_ref(), HEARTBEAT);
    let ended = async move { api.ended(&caller).await };
    let reading = Reading {
        stream,
        waiting: first.into(),
        receiver: Some(receiver),
        ended: Box::pin(ended),
        _permit: permit,
    };
    Ok(Sse::new(reading.events()))
}

/// An identifier as `id` makes it.
fn resume(id: &str) -> Option<Resume> {
    let (stream, after) = id.split_once('.')?;
    Some(Resume { stream: stream.to_owned(), after: after.parse().ok()? })
}

struct Reading {
    stream: Arc<Stream>,
    /// Not sent yet, with the number to go on from.
    waiting: VecDeque<(axum::extract::ws::Utf8Bytes, Option<u64>)>,
    /// `None` once it has ended.
    receiver: Option<Receiver<Arc<Message>>>,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The connection counts as long as it is open.
    _permit: Option<Extension<Permit>>,
}

impl Reading {
    fn events(self) -> impl Sequence<Item = Result<Event, Infallible>> {
        stream::unfold(self, async |mut reading| reading.next().await.map(|event| (Ok(event), reading)))
    }

    async fn next(&mut self) -> Option<Event> {
        let heartbeat = Instant::now() + HEARTBEAT;
        while self.waiting.is_empty() {
            let receiver = self.receiver.as_mut()?;
            tokio::select! {
                received = receiver.recv() => match received {
                    Ok(message) => {
                        self.waiting.push_back((message.text.clone(), Some(message.sequence)));
                    }
                    Err(RecvError::Lagged(missed)) => {
                        self.waiting.push_back((Stream::lagging(missed), None));
                        self.receiver = None;
                    }
                    Err(RecvError::Closed) => return None,
                },
                () = &mut self.ended => return None,
                () = sleep_until(heartbeat) => {
                    self.waiting.push_back((self.stream.heartbeat(), None));
                }
            }
        }
        let (text, sequence) = self.waiting.pop_front()?;
        let event = Event::default().data(text.as_str());
        Some(match sequence {
            Some(sequence) => event.id(self.stream.place(sequence)),
            None => event,
        })
    }
}
