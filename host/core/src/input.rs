//! Everything that can change the engine's state.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::engine::ChangeableSettings;
use crate::identifier::{ContentHash, InstrumentId, OrderId, StrategyId};
use crate::market::{Bar, MarketTrade, Quote, Signal};
use crate::money::{Money, Quantity};
use crate::order::{Pricing, Side};
use crate::reconciliation::Adjustment;
use crate::strategy::{ExitPlan, ParameterValue};
use crate::time::Timestamp;
use crate::venue::VenueMessage;

/// One input, with the moment at which it became known. Moments never go back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// When it became known.
    pub time: Timestamp,
    /// What it is.
    pub kind: InputKind,
}

/// What an input can be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// A bar was completed.
    Bar(Bar),
    /// Best prices changed.
    Quote(Quote),
    /// Others traded.
    Trade(MarketTrade),
    /// A signal arrived.
    Signal(Signal),
    /// Time passed and nothing else happened.
    Timer,
    /// Every strategy's state is saved, and the strategy goes on as one that was started from that state: what
    /// follows is the same whether or not the process ends here. Comes before a snapshot.
    Checkpoint,
    /// Somebody wants something changed.
    Command(Box<AttributedCommand>),
    /// A venue outside says something.
    Venue(Box<VenueMessage>),
}

impl InputKind {
    /// A command of this actor's.
    #[must_use]
    pub fn command(actor: Actor, command: Command) -> Self {
        Self::Command(Box::new(AttributedCommand { actor, command }))
    }
}

/// A command and who asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributedCommand {
    /// Who asks.
    pub actor: Actor,
    /// For what.
    pub command: Command,
}

/// What operators and the plugin directory can change.
///
/// Written as JSON in the table of requests and by position in the journal: fields and variants are only ever
/// added, variants at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Runs a strategy version in the slot of this name: a new slot, or a replacement that takes over state
    /// and positions of the version before. A deployment is what the configuration asks for, whoever brought the
    /// file, and the slot remembers it: see [`Slot::configured`](crate::engine::Slot::configured).
    Deploy(Deployment),
    /// Stops the strategy in a slot. Its positions stay, guarded by their exits. When a part of the host asks, the
    /// slot forgets what the configuration asked for: it begins anew with the next deployment.
    Remove {
        /// The slot.
        slot: String,
    },
    /// Changes what slots get of the capital. Slots that are not named keep their weight.
    SetWeights(BTreeMap<String, Decimal>),
    /// Changes what becomes of a slot's proposals.
    SetMode {
        /// The slot.
        slot: String,
        /// From now on.
        mode: StrategyMode,
    },
    /// Ends a quarantine: the strategy restarts from its last saved state.
    Release {
        /// The slot.
        slot: String,
    },
    /// Stops new exposure everywhere until resumed: purchases are refused and working ones taken back. Exits
    /// and reductions go on. A halt on top of another can only add to it. Shadows are not concerned.
    Halt {
        /// For people.
        reason: String,
        /// What else to do.
        action: HaltAction,
    },
    /// Ends a halt, and closes the breakers that tripped. Losses count from here. What a halt was selling
    /// stays on its way.
    Resume {},
    /// Replaces what can be changed of the settings, as a whole, or refuses all of it and names every problem.
    /// What a part of the host asks for is what the configuration says, which the engine remembers: see
    /// [`Engine::configured_settings`](crate::engine::Engine::configured_settings). Instruments come from the
    /// configuration alone, as the market's data does.
    ///
    /// Everything decided after this command is decided by the new settings. What was decided before stays:
    /// - a working order keeps its terms, its reservation and the venue's costs that it was made under, also
    ///   if the new limits would refuse it; a halt takes it back;
    /// - a guarded position keeps its exit plan unless a new bound is tighter: then its stop rises to the
    ///   bound, or its longest holding shrinks to it. Nothing is loosened, and tiers taken stay taken. A
    ///   position without exits gets what the bounds demand and nothing else. A purchase that fills later
    ///   brings its plan within the bounds of that time;
    /// - breakers keep their state, and one that is switched off closes;
    /// - a strategy that runs hears of new instruments and may trade them from its next start.
    ChangeSettings(Box<SettingsChange>),
    /// Closes a slot's position at the market.
    Close {
        /// The slot.
        slot: String,
        /// The position.
        instrument: InstrumentId,
    },
    /// Orders by hand, whatever the slot's strategy does: it may be off, quarantined or removed. The gate looks at
    /// it as at a strategy's; when it says no, the command is refused with its code and numbers, and nothing has
    /// changed.
    PlaceOrder(Box<ManualOrder>),
    /// Takes a working order back, a strategy's own as well as another person's.
    CancelOrder {
        /// Which.
        order: OrderId,
    },
    /// Replaces the exits of an open position. A plan that is looser than the operator's bounds is refused; an
    /// empty one leaves the position unguarded where no bound demands an exit. Profit tiers that were taken stay
    /// taken as long as the tiers are the same.
    ChangeExits {
        /// The slot.
        slot: String,
        /// The position.
        instrument: InstrumentId,
        /// From now on.
        plan: ExitPlan,
    },
    /// Restarts a slot's version with other parameters; its state is carried over as with another version, and a
    /// quarantine ends. What is not named gets the version's default.
    SetParameters {
        /// The slot.
        slot: String,
        /// From now on.
        parameters: BTreeMap<String, ParameterValue>,
    },
    /// Runs another version in a slot that there is, which takes over state and positions. All else that was
    /// deployed stays: mode, weight, instruments and parameters, wherever they are from.
    Replace {
        /// The slot.
        slot: String,
        /// From now on.
        version: ContentHash,
    },
    /// Books a difference between the books and what is really there as something that the owner brought or took
    /// away: see [`reconciliation`](crate::reconciliation).
    Adopt(Box<Adjustment>),
    /// Books what is missing as lost.
    WriteOff(Box<Adjustment>),
    /// Says that a difference is fine as it is. It is not ignored any more when it becomes another one.
    Ignore {
        /// Which, by the host's name of it.
        subject: String,
        /// How large it is.
        difference: Decimal,
        /// Why it is fine.
        reason: String,
    },
    /// Ignores a difference no longer.
    StopIgnoring {
        /// Which, by the host's name of it.
        subject: String,
        /// Why.
        reason: String,
    },
}

impl Command {
    /// The version that the command puts to work.
    #[must_use]
    pub const fn version(&self) -> Option<&ContentHash> {
        match self {
            Self::Deploy(Deployment { version, .. }) | Self::Replace { version, .. } => Some(version),
            _ => None,
        }
    }

    /// The slot whose strategy the command starts.
    #[must_use]
    pub fn starts(&self) -> Option<&str> {
        match self {
            Self::Deploy(Deployment { slot, .. })
            | Self::Replace { slot, .. }
            | Self::SetParameters { slot, .. } => Some(slot),
            _ => None,
        }
    }
}

/// An order by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManualOrder {
    /// In whose books.
    pub slot: String,
    /// What to trade.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// How much.
    pub amount: ManualAmount,
    /// At what price. Limits are moved to the tick grid, a purchase's down and a sale's up.
    pub pricing: Pricing,
    /// What guards a purchase; the operator's default, or what guards the position already, when absent. Plans
    /// that are looser than the operator's bounds are refused.
    #[serde(default)]
    pub exits: Option<ExitPlan>,
}

/// How much a person orders. Quantities are moved down to the lot grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManualAmount {
    /// Units of the base asset. A sale of more than is held and free is refused.
    Quantity(Quantity),
    /// Money, at the limit or else the last price.
    Notional(Money),
    /// The whole position; only for sales. Its working sales are taken back.
    All,
}

/// New settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingsChange {
    /// What is to hold from now on.
    pub settings: ChangeableSettings,
    /// The version that they are a change of: when another one holds by then, somebody else was quicker, and
    /// nothing is changed. Whatever holds is replaced when absent.
    #[serde(default)]
    pub of: Option<u64>,
}

/// Who asks for something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// A person, by the name that they are known by to the host.
    Person(String),
    /// A part of the host, by its name.
    Host(String),
}

impl Actor {
    /// Whether the host itself asks.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        matches!(self, Self::Host(_))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => formatter.write_str(name),
            Self::Host(part) => write!(formatter, "the host ({part})"),
        }
    }
}

/// What a halt does besides stopping new exposure; each does what those before it do, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltAction {
    /// Nothing else.
    StopEntries,
    /// Takes back the strategies' working sales. What a person ordered stays.
    CancelOrders,
    /// Closes all positions at the market. One that has no price, or whose sale fails, is tried again at each
    /// further price of its instrument while the halt lasts.
    Flatten,
}

impl HaltAction {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StopEntries => "stop-entries",
            Self::CancelOrders => "cancel-orders",
            Self::Flatten => "flatten",
        }
    }
}

/// A strategy version put into a slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The slot's name, unique in the account.
    pub slot: String,
    /// Which version.
    pub version: ContentHash,
    /// What becomes of its proposals.
    pub mode: StrategyMode,
    /// Its share of the account's capital, 0 to 1; for a shadow its share of the make-believe capital.
    pub weight: Decimal,
    /// What it may trade; all instruments when empty.
    pub instruments: Vec<InstrumentId>,
    /// What the operator set; the version's defaults for the rest.
    pub parameters: BTreeMap<String, ParameterValue>,
}

/// What becomes of a strategy's proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyMode {
    /// They trade the account's capital.
    Live,
    /// They trade make-believe capital of the slot's own, on the paper venue.
    Shadow,
    /// The strategy isn't called. Its positions stay guarded.
    Off,
}

impl StrategyMode {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// A slot by number, and its name: what reports need to speak of strategies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotName {
    /// The number in orders and fills.
    pub id: StrategyId,
    /// What people call it.
    pub name: String,
}
