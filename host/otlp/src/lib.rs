//! Traces for an OpenTelemetry collector, by OTLP over HTTP with protobuf: the requests to the API, and the inputs that
//! led to orders, with their place in the journal.
//!
//! What was traced is put into a bounded queue; a thread of the library's own delivers it. What there is no room for, and
//! what can't be delivered, is dropped and counted: traces are a courtesy, the journal has everything.
//!
//! What this crate must never do: keep anybody waiting, show a header's value, or send anywhere but to the address
//! that it was given.
//!
//! Where to start reading: [`Traces`] for what can be traced, `queue` for how much may wait, `client` for how it is sent.

mod client;
mod queue;
mod traces;

pub use self::queue::{Count, Counted};
pub use self::traces::{Settings, StartError, TracedInput, TracedOrder, TracedRequest, Traces};
