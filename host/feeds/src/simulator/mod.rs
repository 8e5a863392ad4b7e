//! A make-believe market with the nastiness of a real one.
//!
//! Prices follow a geometric Brownian motion, made as unpleasant as markets are: regimes of trend, range and
//! turbulence, volatility that comes in clusters, fat tails, moments without liquidity, and flash crashes.
//! Several instruments move together as a correlation matrix says. Each step gives, per instrument, a bar and
//! then a quote of the same moment.
//!
//! The same settings give the same bits on every platform: random numbers come from `ChaCha12`, and all functions
//! beyond arithmetic and square root from `libm`.
//!
//! # Long runs
//! The default drift of 0.1 % a step would multiply prices by thousands in a week of minutes. So the motion is
//! free only within a band around the start price (a factor of [`SimulatorSettings::band`] up and down). Outside
//! it, each step takes back 2 % of the logarithmic distance to the band, which outweighs the drift soon after. In
//! any case prices stay within [`MIN_PRICE`] and [`MAX_PRICE`].

mod correlation;
mod market;
mod price;
mod random;
mod regime;
mod settings;
mod upheaval;

pub use market::Simulator;
pub use settings::{Correlation, SimulatedInstrument, SimulatorSettings, VolatilityClustering};

/// Lowest price that the simulator gives, in the quote currency.
pub const MIN_PRICE: f64 = 1e-6;

/// Highest price that the simulator gives, in the quote currency.
pub const MAX_PRICE: f64 = 1e9;
