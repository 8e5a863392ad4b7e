//! Lines for the operator's log, in the manner of the standard formatting macros:
//!
//! ```
//! use bulkhead_sdk::log;
//! log::info!("spread is {:.4}", 0.0025);
//! ```
//!
//! The host limits rate and length; what is over the limits is dropped and counted there.

pub use crate::{log_debug as debug, log_error as error, log_info as info, log_warn as warn};

use crate::LogLevel;

/// Writes one line.
#[cfg(target_arch = "wasm32")]
pub fn write(level: LogLevel, message: &str) {
    crate::bindings::bulkhead::strategy::logging::log(level, message);
}

#[cfg(not(target_arch = "wasm32"))]
thread_local! {
    static LINES: std::cell::RefCell<Vec<(LogLevel, String)>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Keeps one line for [`drain`].
#[cfg(not(target_arch = "wasm32"))]
pub fn write(level: LogLevel, message: &str) {
    LINES.with_borrow_mut(|lines| lines.push((level, message.to_owned())));
}

/// Takes the lines that this thread has written natively since the last call.
#[cfg(not(target_arch = "wasm32"))]
#[must_use]
pub fn drain() -> Vec<(LogLevel, String)> {
    LINES.with_borrow_mut(std::mem::take)
}

/// Writes a line for the strategy's author.
#[macro_export]
#[doc(hidden)]
macro_rules! log_debug {
    ($($part:tt)*) => { $crate::log::write($crate::LogLevel::Debug, &::std::format!($($part)*)) };
}

/// Writes a line for the operator.
#[macro_export]
#[doc(hidden)]
macro_rules! log_info {
    ($($part:tt)*) => { $crate::log::write($crate::LogLevel::Info, &::std::format!($($part)*)) };
}

/// Writes a line that something looks wrong.
#[macro_export]
#[doc(hidden)]
macro_rules! log_warn {
    ($($part:tt)*) => { $crate::log::write($crate::LogLevel::Warn, &::std::format!($($part)*)) };
}

/// Writes a line that something is wrong.
#[macro_export]
#[doc(hidden)]
macro_rules! log_error {
    ($($part:tt)*) => { $crate::log::write($crate::LogLevel::Error, &::std::format!($($part)*)) };
}
