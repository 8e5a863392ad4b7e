//! What venues on chains have in common, whichever chain it is.
//!
//! An account's orders are executed beside the thread that trades. A chain's own crate knows how one order comes to its
//! end there, which is a [`Pursuit`]. This crate runs pursuits side by side, see [`OrdersUnderWay`], gives them the
//! account's [`Journal`], and says what a host sees of all of it, which is a [`ChainExecutor`]. It also holds the books
//! against what a chain's crate reads there, which is a [`Wallet`](reconcile::Wallet), see [`reconcile`].

/// All orders of an account, each on its way.
pub mod executor;

/// The account's journal, as executors write to it.
pub mod journal;

pub mod order_age;

/// One order on its way.
pub mod pursuit;

pub mod reconcile;

/// Orders that are pursued side by side.
pub mod under_way;

pub use self::executor::ChainExecutor;
pub use self::journal::{Journal, JournalError};
pub use self::order_age::OrderAge;
pub use self::pursuit::{Left, Pursuit, Ticket};
pub use self::under_way::OrdersUnderWay;
