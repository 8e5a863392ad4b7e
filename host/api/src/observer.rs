//! Who wants to know of every request that was answered.

use std::time::{Duration, SystemTime};

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub struct ServedRequest<'a> {
    /// Its number.
    pub id: &'a str,
    /// Its method; `other` for one that HTTP does not know.
    pub method: &'a str,
    /// The pattern of its route, if there is such a route.
    pub route: Option<&'a str>,
    /// What it was answered with.
    pub status: u16,
    /// When it came, by the machine's clock.
    pub began: SystemTime,
    /// Until the answer began.
    pub took: Duration,
    /// What the caller says of the trace that it is part of.
    pub traceparent: Option<&'a str>,
}

/// Is told of every request that was answered, and may not take its time.
pub trait RequestObserver: Send + Sync {
    /// One was answered.
    fn served(&self, request: &ServedRequest<'_>);
}
