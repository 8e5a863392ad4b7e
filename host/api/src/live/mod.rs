//! Live updates: what happens in an account, as it happens.
//!
//! The thread of an account hands what became durable to a [`Publisher`] and never waits for it. A thread of the
//! hub's own turns it into messages, keeps the newest for those who come back after a drop, and hands each to all
//! who subscribe. Whoever can't keep up is told so and dropped.

mod event;
mod hub;
mod message;
mod recent;
mod stream;
mod updates;
mod view;

pub(crate) mod event_stream;
pub(crate) mod reads;
pub(crate) mod socket;

pub use self::event::{LiveEvent, Topic};
pub use self::hub::{Hub, Publisher};
pub(crate) use self::message::{LiveBar, LiveMessage, Topics};
pub(crate) use self::recent::{FaultEntry, LogEntry, Recent, RefusalCount};
pub(crate) use self::stream::{Resume, Stream, Subscription};
pub(crate) use self::updates::Updates;
pub(crate) use self::view::StrategyDetail;
pub use self::view::{
    AskingView, BreakerView, FeedView, HaltView, JournalView, LiveView, PositionView, QualityView,
    SlotCounts, StrategyView, Surroundings, TierView,
};
