//! The admin API: what operators, their programs and their monitoring ask of a running host over HTTP.
//!
//! All that it tells comes from the read models of the database, through connections of its own, or from the hub of
//! live updates, which the threads that trade feed and never wait for; all that it is asked to change becomes a
//! request in that database, which the host carries out as an input. So it can be slow, flooded or stopped, and trading
//! does not notice.
//!
//! What this crate must never do: decide about money, write to the journal, change an engine, keep or show a
//! token's secret, or tell anything of an account without a token.
//!
//! Where to start reading: `routes` for all that can be asked and by whom, [`serve`] for how it is started, [`live`]
//! for what is told as it happens.

mod addressing;
mod alerts;
mod analytics;
mod api;
mod authorisation;
mod authority;
mod backtests;
mod call_meter;
mod changes;
mod client_address;
mod connections;
mod documents;
mod every_request;
mod first_version;
mod health;
mod host_figures;
mod limits;
pub mod live;
mod login;
mod metrics;
mod names;
mod observer;
mod openapi;
mod orders;
mod pages;
mod paging;
mod plugins;
mod priority;
mod problem;
mod readers;
mod reads;
mod reconciliation;
mod routes;
mod server;
mod sessions;
mod token_routes;
mod tokens;
mod wallets;

pub use self::alerts::{AlertDelivery, AlertDesk, AlertEntry, AlertTestProblem, ChannelTest};
pub use self::authority::Rights;
pub use self::backtests::BacktestProgram;
pub use self::call_meter::{CallCosts, CallMeter, Fuel, Latency};
pub use self::documents::time as written;
pub use self::host_figures::HostFigures;
pub use self::observer::{RequestObserver, ServedRequest};
pub use self::openapi::document;
pub use self::plugins::{InstalledPlugin, PluginDirectory, PluginProblem};
pub use self::reconciliation::{
    BookedPart, IgnoredDifference, ReconciliationRow, ReconciliationTable, Reconciliations,
};
pub use self::server::{Host, ServeError, Settings, serve};
pub use self::tokens::{NewToken, Role, TokenError, create};
pub use self::wallets::{NoAddress, WalletAddress, WalletHolder};
