//! What [`export!`](crate::export!) needs: the one running instance of a plugin, and its panic hook.

use std::cell::RefCell;
use std::sync::Once;

use crate::runner::{Identity, Runner};
use crate::{Config, Description, Event, LogLevel, Parameters, Reaction, SavedState, Strategy, log};

/// The plugin's one instance. The host starts a plugin once, and calls it from one thread.
pub struct Instance<S: Strategy>(RefCell<Option<Runner<S>>>);

impl<S: Strategy> Instance<S> {
    /// Nothing is running.
    #[must_use]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// The contract's `describe`. After the start, needs follow the parameters in force.
    pub fn describe(&self, identity: Identity) -> Description {
        report_panics();
        match self.0.borrow().as_ref() {
            Some(runner) => identity.describe::<S>(runner.parameters()),
            None => match S::Parameters::from_settings(&[]) {
                Ok(defaults) => identity.describe::<S>(&defaults),
                // Defaults are in range, as the derive sees to; a hand-written implementation may fail.
                Err(error) => unreachable!("the default parameters are refused: {error}"),
            },
        }
    }

    /// The contract's `init`.
    ///
    /// # Errors
    ///
    /// See [`Runner::start`].
    pub fn init(&self, config: Config) -> Result<(), String> {
        report_panics();
        *self.0.borrow_mut() = Some(Runner::start(config)?);
        Ok(())
    }

    /// The contract's `on-events`.
    ///
    /// # Errors
    ///
    /// See [`Runner::on_events`].
    #[inline]
    pub fn on_events(&self, events: &[Event]) -> Result<Reaction, String> {
        self.0.borrow_mut().as_mut().ok_or_else(not_started)?.on_events(events)
    }

    /// The contract's `save`.
    ///
    /// # Errors
    ///
    /// See [`Runner::save`].
    pub fn save(&self) -> Result<SavedState, String> {
        self.0.borrow().as_ref().ok_or_else(not_started)?.save()
    }

    /// The contract's `restore`.
    ///
    /// # Errors
    ///
    /// See [`Runner::restore`].
    pub fn restore(&self, state: &SavedState) -> Result<(), String> {
        self.0.borrow_mut().as_mut().ok_or_else(not_started)?.restore(state)
    }
}

impl<S: Strategy> Default for Instance<S> {
    fn default() -> Self {
        Self::new()
    }
}

#[cold]
fn not_started() -> String {
    "the host has not called init".to_owned()
}

/// Has a panic's message written to the operator's log before the trap that follows it.
fn report_panics() {
    static ONCE: Once = Once::new();
    if cfg!(target_arch = "wasm32") {
        ONCE.call_once(|| {
            std::panic::set_hook(Box::new(|panic| log::write(LogLevel::Error, &panic.to_string())));
        });
    }
}

/// Makes a crate a plugin: exports the strategy under the package's name and version.
///
/// ```
/// # use bulkhead_sdk::prelude::*;
/// # #[state]
/// # struct Idle;
/// # impl Strategy for Idle {
/// #     type Parameters = ();
/// #     fn needs(_: &()) -> Needs { Needs::bars(60) }
/// #     fn new(_: &()) -> Self { Self }
/// # }
/// bulkhead_sdk::export!(Idle);
/// ```
///
/// Its file has `crate-type = ["cdylib", "rlib"]`: the first is the plugin, the second lets tests and other
/// crates use the strategy natively. For other targets than wasm32 nothing is exported, so that one program
/// can hold several strategies.
#[macro_export]
macro_rules! export {
    ($strategy:ty) => {
        /// The package's name and version.
        pub const IDENTITY: $crate::runner::Identity = $crate::runner::Identity {
            name: ::core::env!("CARGO_PKG_NAME"),
            version: ::core::env!("CARGO_PKG_VERSION"),
        };

        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn is_a_strategy<S: $crate::Strategy>() {}
            is_a_strategy::<$strategy>();
        };

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static INSTANCE: $crate::export::Instance<$strategy> = const { $crate::export::Instance::new() };
            }

            struct Plugin;

            impl $crate::bindings::exports::bulkhead::strategy::strategy::Guest for Plugin {
                fn describe() -> $crate::Description {
                    INSTANCE.with(|instance| instance.describe(IDENTITY))
                }

                fn init(config: $crate::Config) -> ::core::result::Result<(), ::std::string::String> {
                    INSTANCE.with(|instance| instance.init(config))
                }

                fn on_events(
                    events: ::std::vec::Vec<$crate::Event>,
                ) -> ::core::result::Result<$crate::Reaction, ::std::string::String> {
                    INSTANCE.with(|instance| instance.on_events(&events))
                }

                fn save() -> ::core::result::Result<$crate::SavedState, ::std::string::String> {
                    INSTANCE.with($crate::export::Instance::save)
                }

                fn restore(state: $crate::SavedState) -> ::core::result::Result<(), ::std::string::String> {
                    INSTANCE.with(|instance| instance.restore(&state))
                }
            }

            $crate::bindings::export_plugin!(Plugin with_types_in $crate::bindings);
        };
    };
}
