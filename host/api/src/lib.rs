//! The admin API: what operators, their programs and their monitoring ask of a running host over HTTP.
//!
//! All that it tells comes from the read models of the database, through connections of its own; all that it is
//! asked to change becomes a request in that database, which the host carries out as an input. So it can be slow,
//! flooded or stopped, and trading does not notice.
//!
//! What this crate must never do: decide about money, write to the journal, speak to an engine, keep or show a
//! token's secret, or answer without a token but to say that it is alive.
//!
//! Where to start reading: `routes` for all that can be asked and by whom, [`serve`] for how it is started.

mod api;
mod authorisation;
mod changes;
mod documents;
mod limits;
mod metrics;
mod names;
mod openapi;
mod paging;
mod problem;
mod readers;
mod reads;
mod routes;
mod server;
mod tokens;

pub use self::openapi::document;
pub use self::server::{ServeError, Settings, serve};
pub use self::tokens::{NewToken, Role, TokenError, create};
