//! The risk gate: every order passes here, and each refusal has a stable code and its numbers. Limits stop
//! new exposure; nothing here stands in the way of a sale.

mod breaker;
mod breaker_settings;
mod breakers;
mod gate;
mod halt;
mod limits;
mod refusal;

pub use breaker::{Breaker, BreakerKind, BreakerState};
pub use breaker_settings::{
    BreakerSettings, ErrorRateSettings, LosingStreakSettings, ProbingSettings, StaleDataSettings,
};
pub use breakers::{BreakerChange, Breakers};
pub(crate) use breakers::{EquityFacts, OrderEnd};
pub(crate) use gate::risk_decimal;
pub use gate::{ApprovedOrder, Exposure, Situation, check_entry, check_reduction};
pub use halt::Halt;
pub use limits::RiskLimits;
pub use refusal::{Refusal, RefusalCode};
