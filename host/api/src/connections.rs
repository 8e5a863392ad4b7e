//! How many connections there may be at a time. Further ones are closed at once, so that those who are here are
//! served.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_layer::Layer as _;

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
    A::Stream: Send + 'static,
    A::Service: Send + 'static,
{
    type Stream = A::Stream;
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
            Ok((stream, Extension(Permit(Arc::new(place))).layer(service)))
        })
    }
}
