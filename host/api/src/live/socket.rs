//! Live updates over WebSocket.
#![allow(unused_qualifications, reason = "the macro that describes routes makes them")]

use std::pin::pin;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::SinkExt as _;
use serde::Deserialize;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};
use utoipa::IntoParams;

use super::{LiveMessage, Resume, Stream, Subscription, Topics};
use crate::api::{Api, At, Query};
use crate::authorisation::Caller;
use crate::connections::Permit;
use crate::problem::{Kind, Problem};

/// After so long a silence a heartbeat is sent.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a subscriber may take to accept what is sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// A subscriber has nothing to say, so nothing large.
const LARGEST_FRAME: usize = 4 * 1024;

/// Frames that a subscriber may send within [`HEARTBEAT`], such as pings.
const MOST_FRAMES: u32 = 100;

/// Read at a time from a subscriber, who has little to say.
const READ_BUFFER: usize = 4 * 1024;

/// What is put together before it is sent; a larger batch goes out in parts.
const WRITE_BUFFER: usize = 16 * 1024;

/// Messages that are sent in one go.
const IN_ONE_GO: usize = 64;

/// The token or the login has ended.
const CLOSED_EXPIRED: u16 = 4001;

/// The subscriber did not keep up.
const CLOSED_LAGGING: u16 = 4008;

/// The subscriber sent too much.
const CLOSED_FLOOD: u16 = 1008;

/// The host ends.
const CLOSED_AWAY: u16 = 1001;

/// What is subscribed to, and from where on.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LiveQuery {
    /// Topics with commas between them: account, orders, fills, trades, refusals, strategies, bars. All when left out.
    pub(crate) topics: Option<String>,
    /// To go on after a drop: the stream's name from the hello before.
    pub(crate) stream: Option<String>,
    /// To go on after a drop: the number of the last message that was received.
    pub(crate) after: Option<String>,
}

impl LiveQuery {
    pub(crate) fn resume(&self) -> Result<Option<Resume>, Problem> {
        match (&self.stream, &self.after) {
            (None, None) => Ok(None),
            (Some(stream), Some(after)) => {
                let after = after.parse().map_err(|_| {
                    let found = format!("after = \"{after}\": the number of a message is expected");
                    Problem::new(Kind::BadFilter, found)
                })?;
                Ok(Some(Resume { stream: stream.clone(), after }))
            }
            _ => Err(Problem::new(
                Kind::BadFilter,
                "stream and after belong together; leave both out to begin",
            )),
        }
    }
}

/// Live updates of an account, over WebSocket. Every message is a text with one `LiveMessage` in JSON. It is closed with
/// 4001 when the token or the login has ended, 4008 when its client does not keep up, and 1008 when it sends too much.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/live",
    tag = "live",
    params(("account" = String, Path, description = "The account's name"), LiveQuery),
    responses((status = 101, description = "From now on LiveMessage", body = LiveMessage<'static>)),
)]
pub(crate) async fn live(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<LiveQuery>,
    Extension(caller): Extension<Caller>,
    permit: Option<Extension<Permit>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let topics = Topics::read(query.topics.as_deref())?;
    let resume = query.resume()?;
    let stream = api.stream(&account)?;
    let upgrade = upgrade.map_err(|_| {
        Problem::new(
            Kind::UpgradeRequired,
            "this route speaks WebSocket; /api/v1/accounts/{account}/events tells the same as server-sent events",
        )
    })?;
    let upgrade = upgrade
        .max_frame_size(LARGEST_FRAME)
        .max_message_size(LARGEST_FRAME)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER);
    Ok(upgrade.on_upgrade(async move |socket| {
        // The connection counts as long as it is open.
        let _permit = permit;
        // These hold what requests wait for, so they are done here and not where a crowd is told.
        let Subscription { first, receiver } = stream.subscribe(topics, resume.as_ref(), HEARTBEAT);
        let first = first.into_iter().map(|(text, _)| text).collect();
        let ended = api.ended(&caller);
        let (end, is_over) = oneshot::channel::<()>();
        // On the heap once, not in each of the two futures that it goes through.
        let session = Box::pin(async move {
            let mut subscriber = Subscriber { socket };
            let code = tokio::select! {
                code = subscriber.serve(&stream, first, receiver) => code,
                _ = is_over => Some(CLOSED_EXPIRED),
            };
            if let Some(code) = code {
                subscriber.close(code).await;
            }
        });
        let mut session = pin!(api.updates.run(caller.role, session));
        tokio::select! {
            () = &mut session => return,
            () = ended => drop(end.send(())),
        }
        session.await;
    }))
}

/// How much a subscriber sends, whether or not anything is sent to it meanwhile.
struct Frames {
    since: Instant,
    count: u32,
}

impl Frames {
    const fn since(now: Instant) -> Self {
        Self { since: now, count: 0 }
    }

    /// Counts one; whether it may still be sent.
    fn one_more(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= HEARTBEAT {
            *self = Self::since(now);
        }
        self.count += 1;
        self.count <= MOST_FRAMES
    }
}

struct Subscriber {
    socket: WebSocket,
}

impl Subscriber {
    /// Serves until something ends it; the code to close with, unless there is nobody left.
    async fn serve(
        &mut self,
        stream: &Stream,
        first: Vec<Utf8Bytes>,
        mut receiver: tokio::sync::broadcast::Receiver<std::sync::Arc<super::stream::Message>>,
    ) -> Option<u16> {
        self.send(first).await?;
        let mut frames = Frames::since(Instant::now());
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            tokio::select! {
                received = receiver.recv() => {
                    let mut batch = Vec::new();
                    let mut lagged = None;
                    match received {
                        Ok(message) => batch.push(message.text.clone()),
                        Err(RecvError::Lagged(missed)) => lagged = Some(missed),
                        Err(RecvError::Closed) => return Some(CLOSED_AWAY),
                    }
                    while lagged.is_none() && batch.len() < IN_ONE_GO {
                        match receiver.try_recv() {
                            Ok(message) => batch.push(message.text.clone()),
                            Err(TryRecvError::Lagged(missed)) => lagged = Some(missed),
                            Err(_) => break,
                        }
                    }
                    if let Some(missed) = lagged {
                        batch.push(Stream::lagging(missed));
                    }
                    self.send(batch).await?;
                    heartbeat = Instant::now() + HEARTBEAT;
                    if lagged.is_some() {
                        return Some(CLOSED_LAGGING);
                    }
                }
                frame = self.socket.recv() => {
                    match frame {
                        Some(Ok(Frame::Close(_))) | None => return None,
                        // Such as one that is too large.
                        Some(Err(_)) => return Some(CLOSED_FLOOD),
                        Some(Ok(_)) => {}
                    }
                    if !frames.one_more(Instant::now()) {
                        return Some(CLOSED_FLOOD);
                    }
                }
                () = sleep_until(heartbeat) => {
                    self.send(vec![stream.heartbeat()]).await?;
                    heartbeat = Instant::now() + HEARTBEAT;
                }
            }
        }
    }

    /// Sends texts in one go; `None` when the subscriber does not take them.
    async fn send(&mut self, texts: Vec<Utf8Bytes>) -> Option<()> {
        let all = async {
            for text in texts {
                self.socket.feed(Frame::Text(text)).await.ok()?;
            }
            self.socket.flush().await.ok()
        };
        timeout(PATIENCE, all).await.ok().flatten()
    }

    /// Says why, if somebody is left to hear it.
    async fn close(&mut self, code: u16) {
        let frame = Frame::Close(Some(CloseFrame { code, reason: Utf8Bytes::default() }));
        drop(timeout(PATIENCE, self.socket.send(frame)).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_from_one_who_stays_long() {
        let start = Instant::now();
        let mut frames = Frames::since(start);
        for second in 0..3_600 {
            assert!(frames.one_more(start + Duration::from_secs(second)), "a ping a second, the {second}th");
        }
        let now = start + 2 * Duration::from_secs(3_600);
        let taken = (0..200).filter(|_| frames.one_more(now)).count();
        assert_eq!(taken, 100);
    }
}
