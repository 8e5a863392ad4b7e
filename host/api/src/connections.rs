//! How many connections there may be at a time. Further ones are closed at once, so that those who are here are
//! served. Who does not take what is sent loses the place.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tower_layer::Layer as _;

/// How long a client may take no byte of what is sent. Without it one that never reads would stay for ever, and with
/// server-sent events even after its token was taken back.
const LONGEST_STALL: Duration = Duration::from_secs(10);

/// A connection's place among all, which is free again when the last copy is gone.
#[derive(Debug, Clone)]
pub(crate) struct Permit(#[expect(dead_code, reason = "it is held, not read")] Arc<OwnedSemaphorePermit>);

/// Accepts as another acceptor does, as long as there is room.
#[derive(Debug, Clone)]
pub(crate) struct Limited<A> {
    inner: A,
    room: Arc<Semaphore>,
}

impl<A> Limited<A> {
    /// With room for so many.
    pub(crate) fn new(inner: A, connections: usize) -> Self {
        Self { inner, room: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))) }
    }
}

impl<A, I, S> Accept<I, S> for Limited<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
    A::Stream: AsyncRead + AsyncWrite + Send + 'static,
    A::Service: Send + 'static,
{
    type Stream = Pin<Box<TimeoutStream<A::Stream>>>;
    type Service = AddExtension<A::Service, Permit>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            return Box::pin(async {
                tracing::debug!("a connection to the API was closed: there are api.connections already");
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, "too many connections"))
            });
        };
        let accepting = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(LONGEST_STALL));
            Ok((Box::pin(stream), Extension(Permit(Arc::new(place))).layer(service)))
        })
    }
}
