//! What a seed stands for: instruments, settings, strategies and a sequence of inputs.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_core::engine::{ChangeableSettings, EngineSettings, FaultPolicy};
use bulkhead_core::exits::ExitPolicy;
use bulkhead_core::identifier::{InstrumentId, OrderId, SignalId};
use bulkhead_core::input::{
    Actor, Command, Deployment, HaltAction, Input, InputKind, ManualAmount, ManualOrder, SettingsChange,
    StrategyMode,
};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::{Bar, MarketTrade, Quote, Signal};
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{Pricing, Side};
use bulkhead_core::risk::{
    BreakerSettings, ErrorRateSettings, LosingStreakSettings, ProbingSettings, RiskLimits, StaleDataSettings,
};
use bulkhead_core::sizing::{FractionSizing, Sizing};
use bulkhead_core::strategy::ParameterValue;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_core::venue::paper::{FillTiming, PaperSettings};
use rust_decimal::Decimal;

use crate::random::Random;
use crate::strategies::{Profile, plan, version};

/// How many versions the well-behaved slots choose from; those after them misbehave.
const GOOD_VERSIONS: usize = 3;
const BAD_VERSIONS: usize = 2;

/// The slot that misbehaves where one is compared with and without.
pub(crate) const HOSTILE_SLOT: &str = "hostile";

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) settings: EngineSettings,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) steps: Vec<Step>,
    /// Whether prices or amounts come near the range of the books, so that they may refuse.
    pub(crate) extreme: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) input: Input,
    /// Whether the engine must refuse the input and change nothing.
    pub(crate) unusable: bool,
}

impl Scenario {
    /// Everything at once.
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random::of(seed, 1);
        let extreme = random.chance(0.1);
        let settings = settings(&mut random, extreme);
        let profiles = profiles(&mut random);
        let mut market = MarketMaker::new(&mut random, &settings, extreme);
        let mut steps = Vec::new();
        let slots = random.integer(1, 5);
        for slot in 0..slots {
            let weight = Decimal::ONE / Decimal::from(slots);
            let weight = if random.chance(0.1) { Decimal::ZERO } else { weight.round_dp(2).min(weight) };
            let command = deploy(&mut random, format!("s{slot}"), weight, GOOD_VERSIONS + BAD_VERSIONS);
            steps.push(Step { input: market.input(InputKind::command(actor(), command)), unusable: false });
        }
        let minutes = random.integer(30, 150);
        let mut aside = random.aside(3);
        let mut by_hand = random.aside(5);
        let mut current = settings.clone();
        for _ in 0..minutes {
            market.minute(&mut random, &mut steps);
            if aside.chance(0.04) {
                // The configuration may add instruments.
                let actor = Actor::Host("configuration".to_owned());
                let command = change_settings(&mut aside, &mut current, &mut market);
                steps.push(Step { input: market.input(InputKind::command(actor, command)), unusable: false });
            }
            // More halts and resumes than the commands below hold.
            if aside.chance(0.04) {
                let halt = if aside.chance(0.5) { halt(&aside) } else { Command::Resume {} };
                steps.push(Step { input: market.input(InputKind::command(actor(), halt)), unusable: false });
            }
            // What people trade by hand.
            if by_hand.chance(0.25) {
                let command = trade_by_hand(&mut by_hand, &settings);
                steps.push(Step {
                    input: market.input(InputKind::command(actor(), command)),
                    unusable: false,
                });
            }
            if random.chance(0.12) {
                let command = command(&mut random, &settings);
                steps.push(Step {
                    input: market.input(InputKind::command(actor(), command)),
                    unusable: false,
                });
            }
        }
        Self { settings, profiles, steps, extreme }
    }

    /// Everything at once, with checkpoints, and strategies that can be started again.
    pub(crate) fn with_checkpoints(seed: u64) -> Self {
        let mut scenario = Self::random(seed);
        let mut random = Random::of(seed, 4);
        for profile in &mut scenario.profiles {
            profile.reproducible = true;
        }
        let often = *random.pick(&[0.01, 0.05, 0.5]);
        let steps = std::mem::take(&mut scenario.steps);
        for step in steps {
            let time = step.input.time;
            let usable = !step.unusable;
            scenario.steps.push(step);
            if usable && random.chance(often) {
                let input = Input { time, kind: InputKind::Checkpoint };
                scenario.steps.push(Step { input, unusable: false });
            }
        }
        scenario
    }

    /// Shadows only, with one slot that misbehaves and trades; apart from it nothing is commanded. Shadows
    /// have money of their own, so nothing of that slot may reach the others.
    pub(crate) fn isolation(seed: u64) -> Self {
        let mut random = Random::of(seed, 2);
        let settings = settings(&mut random, false);
        let mut profiles = profiles(&mut random);
        for profile in &mut profiles[GOOD_VERSIONS..] {
            profile.hostility = profile.hostility.max(0.02);
            profile.activity = profile.activity.max(0.1);
        }
        let mut market = MarketMaker::new(&mut random, &settings, false);
        let mut steps = Vec::new();
        let mut start = |name: String, version: usize, market: &MarketMaker| {
            let deployment = Deployment { version: self::version(version), ..shadow(name) };
            let input = market.input(InputKind::command(actor(), Command::Deploy(deployment)));
            steps.push(Step { input, unusable: false });
        };
        for number in 0..GOOD_VERSIONS {
            start(format!("s{number}"), number, &market);
        }
        start(HOSTILE_SLOT.to_owned(), GOOD_VERSIONS, &market);
        for _ in 0..random.integer(30, 100) {
            market.minute(&mut random, &mut steps);
            if random.chance(0.1) {
                let slot = HOSTILE_SLOT.to_owned();
                let command = match random.below(4) {
                    0 => Command::Release { slot },
                    1 => Command::Remove { slot },
                    2 => Command::Deploy(Deployment { version: version(GOOD_VERSIONS + 1), ..shadow(slot) }),
                    _ => Command::SetMode {
                        slot,
                        mode: *random.pick(&[StrategyMode::Off, StrategyMode::Shadow]),
                    },
                };
                steps.push(Step {
                    input: market.input(InputKind::command(actor(), command)),
                    unusable: false,
                });
            }
        }
        Self { settings, profiles, steps, extreme: false }
    }

    /// Live strategies that share the account and its limits with one that never trades and only fails.
    pub(crate) fn shared_account(seed: u64) -> Self {
        let mut random = Random::of(seed, 3);
        let settings = settings(&mut random, false);
        let mut profiles = profiles(&mut random);
        profiles[GOOD_VERSIONS].hostility = 0.2;
        profiles[GOOD_VERSIONS].activity = 0.0;
        let mut market = MarketMaker::new(&mut random, &settings, false);
        let names = (0..GOOD_VERSIONS).map(|number| format!("s{number}")).chain([HOSTILE_SLOT.to_owned()]);
        let mut steps: Vec<Step> = names
            .enumerate()
            .map(|(number, slot)| {
                let deployment =
                    Deployment { version: version(number), mode: StrategyMode::Live, ..shadow(slot) };
                let input = market.input(InputKind::command(actor(), Command::Deploy(deployment)));
                Step { input, unusable: false }
            })
            .collect();
        for _ in 0..random.integer(30, 100) {
            market.minute(&mut random, &mut steps);
            if random.chance(0.1) {
                let release = Command::Release { slot: HOSTILE_SLOT.to_owned() };
                steps.push(Step {
                    input: market.input(InputKind::command(actor(), release)),
                    unusable: false,
                });
            }
        }
        Self { settings, profiles, steps, extreme: false }
    }

    /// The same with a strategy that never trades and never fails.
    pub(crate) fn with_calm_hostile(&self) -> Self {
        let mut calm = self.clone();
        calm.profiles[GOOD_VERSIONS].hostility = 0.0;
        calm
    }

    /// The same without the slot that misbehaves.
    pub(crate) fn without_hostile(&self) -> Self {
        let concerns = |step: &Step| match &step.input.kind {
            InputKind::Command(asked) => match &asked.command {
                Command::Deploy(deployment) => deployment.slot == HOSTILE_SLOT,
                Command::Release { slot } | Command::Remove { slot } | Command::SetMode { slot, .. } => {
                    slot == HOSTILE_SLOT
                }
                _ => false,
            },
            _ => false,
        };
        let steps = self
            .steps
            .iter()
            .map(|step| {
                if concerns(step) {
                    // Time passes all the same.
                    let input = Input { kind: InputKind::Timer, ..step.input.clone() };
                    Step { input, ..step.clone() }
                } else {
                    step.clone()
                }
            })
            .collect();
        Self { steps, ..self.clone() }
    }
}

fn shadow(slot: String) -> Deployment {
    Deployment {
        slot,
        version: version(0),
        mode: StrategyMode::Shadow,
        weight: Decimal::new(2, 1),
        instruments: Vec::new(),
        parameters: BTreeMap::new(),
    }
}

fn profiles(random: &mut Random) -> Vec<Profile> {
    (0..GOOD_VERSIONS + BAD_VERSIONS).map(|number| Profile::random(random, number >= GOOD_VERSIONS)).collect()
}

fn settings(random: &mut Random, extreme: bool) -> EngineSettings {
    let instruments = (0..random.integer(1, 4)).map(|number| instrument(random, number)).collect();
    let cash = if extreme {
        Decimal::from(*random.pick(&[1_i64, 1_000_000_000_000, 7_000_000_000_000]))
    } else {
        Decimal::new(random.integer(10_000, 100_000_000), 2)
    };
    let mut settings = EngineSettings::new(instruments, Money(cash));
    settings.signals = vec!["mood".to_owned(), "weather".to_owned()];
    settings.risk = risk(random, &settings);
    settings.venue = venue(random);
    settings.sizing = sizing(random);
    settings.faults = FaultPolicy {
        quarantine_after: usize::try_from(random.integer(0, 4)).unwrap(),
        window: Span::from_seconds(random.integer(0, 86_400)),
        restart_after: Span::from_seconds(random.integer(0, 600)),
    };
    settings.rebalance_every = Span::from_seconds(*random.pick(&[0, 600, 3_600, 86_400, 7 * 86_400]));
    settings.save_every_events = random.below(64);
    settings.history_bars = usize::try_from(random.below(64)).unwrap();
    settings
}

fn instrument(random: &mut Random, number: i64) -> Instrument {
    let price_scale = u32::try_from(random.integer(0, 12)).unwrap();
    let mut instrument =
        Instrument::new(&format!("I{number}-USD"), price_scale, u32::try_from(random.integer(0, 9)).unwrap());
    if random.chance(0.3) {
        let tick =
            *random.pick(&[Decimal::new(25, 2), Decimal::new(5, 2), Decimal::new(5, 7), Decimal::new(3, 1)]);
        instrument.tick = Price(tick);
    }
    if random.chance(0.3) {
        let lot = *random.pick(&[Decimal::new(5, 2), Decimal::from(25), Decimal::new(3, 4)]);
        instrument.lot = Quantity(lot);
    }
    if random.chance(0.3) {
        instrument.min_notional = Money(Decimal::new(random.integer(0, 5_000), 2));
    }
    if random.chance(0.5) {
        instrument.cluster = "all".to_owned();
    }
    instrument
}

fn risk(random: &mut Random, settings: &EngineSettings) -> RiskLimits {
    let mut risk = match random.below(4) {
        0 => RiskLimits::default(),
        1 => RiskLimits::none(),
        _ => limits(random, settings),
    };
    if random.chance(0.5) {
        risk.exits = ExitPolicy {
            default_plan: if random.chance(0.5) { plan(random) } else { ExitPolicy::default().default_plan },
            widest_stop: random.maybe(0.5, |random| random.between(0.01, 0.5)),
            longest_holding: random.maybe(0.2, |random| Span::from_seconds(random.integer(60, 7_200))),
        };
    }
    risk
}

fn limits(random: &mut Random, settings: &EngineSettings) -> RiskLimits {
    let percent = |random: &mut Random| Decimal::new(random.integer(1, 100), 2);
    let mut symbols: BTreeSet<String> = BTreeSet::new();
    for instrument in &settings.instruments {
        if random.chance(0.8) {
            symbols.insert(instrument.symbol.clone());
        }
    }
    RiskLimits {
        allowed_symbols: random.maybe(0.2, |_| symbols),
        cooldown: random.maybe(0.3, |random| Span::from_seconds(random.integer(0, 1_200))),
        max_price_age: random.maybe(0.3, |random| Span::from_seconds(random.integer(0, 600))),
        price_collar: random.maybe(0.3, |random| random.between(0.0, 0.2)),
        slippage_cap_bps: random.maybe(0.3, |random| random.between(0.0, 500.0)),
        gas_cap: random.maybe(0.3, percent),
        min_order: random.maybe(0.3, |random| Money(Decimal::new(random.integer(0, 2_000), 2))),
        max_order: random.maybe(0.3, percent),
        max_position: random.maybe(0.5, percent),
        max_exposure: random.maybe(0.5, percent),
        max_cluster: random.maybe(0.3, percent),
        max_open_risk: random.maybe(0.3, percent),
        strategy_share: random.chance(0.5),
        daily_loss: random.maybe(0.3, percent),
        drawdown: random.maybe(0.3, percent),
        orders_per_minute: random.maybe(0.3, |random| u32::try_from(random.below(20)).unwrap()),
        refuse_duplicates: random.chance(0.5),
        min_liquidity: random.maybe(0.3, |random| random.magnitude(1, 5)),
        max_liquidity_share: random.maybe(0.3, |random| random.between(0.001, 0.5)),
        reserve_margin: Decimal::new(random.integer(0, 5), 2),
        exits: ExitPolicy::none(),
        breakers: breakers(&mut random.aside(2)),
    }
}

fn breakers(random: &mut Random) -> BreakerSettings {
    let pause = |random: &mut Random| Span::from_seconds(*random.pick(&[0, 60, 600, 86_400]));
    let few = |random: &mut Random| u32::try_from(random.integer(1, 5)).unwrap();
    BreakerSettings {
        error_rate: random.maybe(0.5, |random| {
            let failures = few(random);
            ErrorRateSettings { failures, among: failures + few(random), pause: pause(random) }
        }),
        losing_streak: random
            .maybe(0.5, |random| LosingStreakSettings { losses: few(random), pause: pause(random) }),
        daily_loss: random.maybe(0.5, |random| Decimal::new(random.integer(10, 30), 1)),
        drawdown: random.maybe(0.3, |random| Decimal::new(random.integer(1, 100), 3)),
        stale_data: random.maybe(0.5, |random| StaleDataSettings {
            after: Span::from_seconds(random.integer(0, 600)),
            pause: pause(random),
        }),
        probing: ProbingSettings {
            orders: few(random),
            largest: Decimal::new(random.integer(1, 200), 3),
            longest_pause: pause(random),
        },
    }
}

fn venue(random: &mut Random) -> PaperSettings {
    let mut venue = match random.below(4) {
        0 => PaperSettings::default(),
        1 => PaperSettings::exact(Decimal::TEN),
        _ => PaperSettings {
            timing: FillTiming::NextOpen,
            fee_bps: Decimal::new(random.integer(0, 5_000), 2),
            slippage_bps: random.between(0.0, 100.0),
            impact_bps: random.between(0.0, 500.0),
            participation: random.maybe(0.5, |random| random.between(0.0001, 1.0)),
            latency: Span::from_millis(*random.pick(&[0, 1, 250, 2_000, 90_000])),
            failure_probability: *random.pick(&[0.0, 0.01, 0.3, 1.0]),
            gas: Money(Decimal::new(random.integer(0, 300), 2)),
            market_order_timeout: random.maybe(0.5, |random| Span::from_seconds(random.integer(0, 600))),
            seed: random.next(),
        },
    };
    if random.chance(0.1) {
        venue.timing = FillTiming::SameClose;
    }
    venue
}

fn sizing(random: &mut Random) -> Sizing {
    match random.below(4) {
        0 => Sizing::Quantity(Quantity(Decimal::new(random.integer(1, 1_000_000), 4))),
        1 => Sizing::Notional(Money(Decimal::new(random.integer(1, 1_000_000), 2))),
        2 => Sizing::default(),
        _ => Sizing::Fraction(FractionSizing {
            fraction: Decimal::new(random.integer(1, 100), 2),
            by_confidence: random.chance(0.5),
            reference_volatility: random.maybe(0.5, |random| random.between(0.01, 1.0)),
            reference_drawdown: random.maybe(0.5, |random| random.between(0.01, 0.5)),
            kelly: random.maybe(0.5, |random| Decimal::new(random.integer(0, 100), 2)),
        }),
    }
}

fn weight(random: &mut Random) -> Decimal {
    match random.below(10) {
        0 => Decimal::new(-1, 1),
        1 => Decimal::from(2),
        2 => Decimal::ZERO,
        _ => Decimal::new(random.integer(0, 400), 3),
    }
}

fn mode(random: &mut Random) -> StrategyMode {
    *random.pick(&[StrategyMode::Live, StrategyMode::Live, StrategyMode::Shadow, StrategyMode::Off])
}

fn deploy(random: &mut Random, slot: String, weight: Decimal, versions: usize) -> Command {
    let number = usize::try_from(random.below(versions as u64)).unwrap();
    Command::Deploy(Deployment {
        slot,
        version: version(number),
        mode: mode(random),
        weight,
        instruments: if random.chance(0.7) { Vec::new() } else { vec![InstrumentId(0)] },
        parameters: BTreeMap::new(),
    })
}

fn command(random: &mut Random, settings: &EngineSettings) -> Command {
    let slot = format!("s{}", random.below(6));
    match random.below(12) {
        0..=2 => {
            let weight = weight(random);
            // One version more than there are: a deployment that fails.
            deploy(random, slot, weight, GOOD_VERSIONS + BAD_VERSIONS + 1)
        }
        3 => Command::Remove { slot },
        4 => {
            let weights =
                (0..random.integer(1, 3)).map(|_| (format!("s{}", random.below(5)), weight(random)));
            Command::SetWeights(weights.collect())
        }
        5 | 6 => Command::SetMode { slot, mode: mode(random) },
        7 => Command::Release { slot },
        8 => halt(random),
        9 => Command::Resume {},
        _ => {
            let most = settings.instruments.len() as u64 + 1;
            Command::Close { slot, instrument: InstrumentId(u32::try_from(random.below(most)).unwrap()) }
        }
    }
}

/// Orders of every kind in any slot, orders taken back, exits and parameters changed; some make no sense.
fn trade_by_hand(random: &mut Random, settings: &EngineSettings) -> Command {
    let slot = format!("s{}", random.below(6));
    let instrument =
        InstrumentId(u32::try_from(random.below(settings.instruments.len() as u64 + 1)).unwrap());
    match random.below(11) {
        10 => {
            let number = usize::try_from(random.below((GOOD_VERSIONS + BAD_VERSIONS + 1) as u64)).unwrap();
            Command::Replace { slot, version: version(number) }
        }
        0 | 1 => Command::CancelOrder { order: OrderId(random.below(60)) },
        2 => Command::ChangeExits { slot, instrument, plan: plan(random) },
        3 => {
            let unknown = random.chance(0.3).then(|| ("colour".to_owned(), ParameterValue::Flag(true)));
            Command::SetParameters { slot, parameters: unknown.into_iter().collect() }
        }
        _ => {
            let side = if random.chance(0.6) { Side::Buy } else { Side::Sell };
            let amount = match random.below(4) {
                0 => ManualAmount::All,
                1 => ManualAmount::Quantity(Quantity(Decimal::new(random.integer(-10, 5_000), 3))),
                _ => ManualAmount::Notional(Money(Decimal::new(random.integer(-100, 200_000), 2))),
            };
            let pricing = if random.chance(0.5) {
                Pricing::Market
            } else {
                Pricing::Limit(Price(Decimal::new(random.integer(-10, 30_000), 2)))
            };
            let exits = random.chance(0.3).then(|| plan(random));
            Command::PlaceOrder(Box::new(ManualOrder { slot, instrument, side, amount, pricing, exits }))
        }
    }
}

/// Other settings of every kind, sometimes with an instrument more, sometimes with something that can't be.
fn change_settings(random: &mut Random, current: &mut EngineSettings, market: &mut MarketMaker) -> Command {
    let other = settings(random, false);
    let mut changed = ChangeableSettings { instruments: current.instruments.clone(), ..other.changeable() };
    (changed.venue.timing, changed.venue.seed) = (current.venue.timing, current.venue.seed);
    if random.chance(0.3) {
        let number = i64::try_from(changed.instruments.len()).unwrap();
        changed.instruments.push(instrument(random, number));
    }
    match random.below(8) {
        0 => changed.instruments.truncate(current.instruments.len() - 1),
        1 => changed.instruments[0].tick = Price(Decimal::new(7, 3)),
        2 => changed.risk.daily_loss = Some(Decimal::NEGATIVE_ONE),
        3 => changed.venue.failure_probability = f64::NAN,
        _ => {
            let fresh = changed.instruments.len() > current.instruments.len();
            (current.instruments, current.risk) = (changed.instruments.clone(), changed.risk.clone());
            if let Some(added) = changed.instruments.last().filter(|_| fresh) {
                market.instruments.push(Trading::random(random, added, false));
            }
        }
    }
    Command::ChangeSettings(Box::new(SettingsChange { settings: changed, of: None }))
}

fn actor() -> Actor {
    Actor::Person("random".to_owned())
}

fn halt(random: &Random) -> Command {
    let action =
        *random.aside(1).pick(&[HaltAction::StopEntries, HaltAction::CancelOrders, HaltAction::Flatten]);
    Command::Halt { reason: "random".to_owned(), action }
}

/// Makes the market's inputs, minute by minute.
struct MarketMaker {
    /// The minute that comes next.
    minute: i64,
    now: Timestamp,
    instruments: Vec<Trading>,
}

/// One instrument's market.
struct Trading {
    price: f64,
    volatility: f64,
    volume: f64,
    bars: f64,
    quotes: f64,
    trades: f64,
    last: Option<Bar>,
}

impl MarketMaker {
    fn new(random: &mut Random, settings: &EngineSettings, extreme: bool) -> Self {
        let minute = 28_000_000 + random.integer(0, 1_500);
        let instruments = settings
            .instruments
            .iter()
            .map(|instrument| Trading::random(random, instrument, extreme))
            .collect();
        Self { minute, now: Timestamp::from_seconds(minute * 60), instruments }
    }

    fn input(&self, kind: InputKind) -> Input {
        Input { time: self.now, kind }
    }

    fn push(&self, steps: &mut Vec<Step>, kind: InputKind) {
        steps.push(Step { input: self.input(kind), unusable: false });
    }

    /// What happens in one minute, and at its end the bars.
    fn minute(&mut self, random: &mut Random, steps: &mut Vec<Step>) {
        if random.chance(0.02) {
            self.minute += *random.pick(&[3, 60, 1_440, 10_000]);
        }
        let start = Timestamp::from_seconds(self.minute * 60);
        self.minute += 1;
        let end = Timestamp::from_seconds(self.minute * 60);
        for index in 0..self.instruments.len() {
            let id = InstrumentId(u32::try_from(index).unwrap());
            let open = self.instruments[index].price;
            let mut path = vec![open];
            for _ in 0..3 {
                path.push(self.instruments[index].move_on(random));
            }
            self.between_bars(random, index, id, start, steps);
            let trading = &mut self.instruments[index];
            if !random.chance(trading.bars) {
                continue;
            }
            let gap = if random.chance(0.1) { 1.0 + trading.volatility * random.bell() } else { 1.0 };
            let open = (open * gap).max(open * 0.2);
            let close = trading.price;
            let (low, high) =
                path.iter().fold((open, open), |(low, high), price| (low.min(*price), high.max(*price)));
            let volume = if random.chance(0.1) { 0.0 } else { trading.volume * random.between(0.0, 2.0) };
            let bar = Bar {
                instrument: id,
                interval: Span::MINUTE,
                open_time: start,
                open,
                high,
                low,
                close,
                volume,
            };
            trading.last = Some(bar);
            self.now = end;
            self.push(steps, InputKind::Bar(bar));
            if random.chance(0.04) {
                self.junk(random, bar, steps);
            }
        }
        self.now = end;
    }

    fn between_bars(
        &mut self,
        random: &mut Random,
        index: usize,
        id: InstrumentId,
        start: Timestamp,
        steps: &mut Vec<Step>,
    ) {
        // Once another instrument's bar has closed the minute, nothing inside it can follow.
        let time =
            if self.now > start { self.now } else { start.plus(Span::from_seconds(random.integer(0, 59))) };
        let trading = &self.instruments[index];
        let (price, volume) = (trading.price, trading.volume);
        let (quotes, trades) = (random.chance(trading.quotes), random.chance(trading.trades));
        self.now = self.now.max(time);
        if quotes {
            let spread = price * random.between(0.0, 0.02);
            let quote = Quote {
                instrument: id,
                time,
                bid: price - spread,
                ask: price + spread,
                bid_size: volume,
                ask_size: volume,
                liquidity: if random.chance(0.5) { 0.0 } else { random.magnitude(3, 7) },
            };
            self.push(steps, InputKind::Quote(quote));
        }
        if trades {
            let quantity = volume.max(1e-6) * random.between(0.01, 1.0);
            let taker = *random.pick(&[Side::Buy, Side::Sell]);
            self.push(steps, InputKind::Trade(MarketTrade { instrument: id, time, price, quantity, taker }));
        }
        if random.chance(0.1) {
            let signal = Signal { instrument: id, id: SignalId(0), time, value: random.bell() };
            self.push(steps, InputKind::Signal(signal));
        }
        if random.chance(0.1) {
            self.push(steps, InputKind::Timer);
        }
    }

    /// What a broken feed would send.
    fn junk(&self, random: &mut Random, bar: Bar, steps: &mut Vec<Step>) {
        let older = |minutes: i64| bar.open_time.minus(Span::from_seconds(minutes * 60));
        let bad_number = *random.pick(&[f64::NAN, f64::INFINITY, 0.0, -1.0]);
        let (kind, unusable) = match random.below(12) {
            0 => (InputKind::Bar(bar), true),
            1 => (InputKind::Bar(Bar { open_time: older(random.integer(1, 30)), ..bar }), true),
            2 => (InputKind::Bar(Bar { low: bad_number, ..bar }), bad_number.is_nan() || bad_number <= 0.0),
            3 => (InputKind::Bar(Bar { high: bar.low * 0.5, ..bar }), true),
            4 => (InputKind::Bar(Bar { interval: Span::ZERO, ..bar }), true),
            5 => (InputKind::Bar(Bar { instrument: InstrumentId(77), ..bar }), true),
            6 => (InputKind::Bar(Bar { volume: -1.0, ..bar }), true),
            7 => {
                let signal =
                    Signal { instrument: bar.instrument, id: SignalId(9), time: self.now, value: 1.0 };
                (InputKind::Signal(signal), true)
            }
            8 => {
                let trade = MarketTrade {
                    instrument: bar.instrument,
                    time: self.now,
                    price: bad_number,
                    quantity: 1.0,
                    taker: Side::Buy,
                };
                (InputKind::Trade(trade), true)
            }
            9 => {
                let quote = Quote {
                    instrument: bar.instrument,
                    time: self.now,
                    bid: bar.close * 1.01,
                    ask: bar.close,
                    bid_size: 1.0,
                    ask_size: 1.0,
                    liquidity: 0.0,
                };
                (InputKind::Quote(quote), true)
            }
            10 => {
                let input = Input { time: self.now.minus(Span::from_nanos(1)), kind: InputKind::Timer };
                steps.push(Step { input, unusable: true });
                return;
            }
            _ => (InputKind::Bar(Bar { open_time: Timestamp::from_nanos(i64::MIN), ..bar }), true),
        };
        // An infinite low is above the high, so that bar is unsound in any case.
        let unusable = unusable || matches!(&kind, InputKind::Bar(bar) if !bar.is_sound());
        // Later than anything before, so that it shows if it moves time all the same.
        let time = if unusable { self.now.plus(Span::from_nanos(1)) } else { self.now };
        steps.push(Step { input: Input { time, kind }, unusable });
    }
}

impl Trading {
    fn random(random: &mut Random, instrument: &Instrument, extreme: bool) -> Self {
        let tick = instrument.tick.approximate();
        let price = if extreme {
            random.magnitude(-12, 25)
        } else {
            // Sometimes a few ticks only, so that the grid is felt.
            let most = *random.pick(&[1, 4, 7]);
            tick * random.magnitude(0, most)
        };
        Self {
            price,
            volatility: *random.pick(&[0.0, 0.0005, 0.005, 0.05, 0.3]),
            volume: *random.pick(&[0.0, 0.01, 1.0, 1e3, 1e6]) * random.between(0.5, 2.0),
            bars: *random.pick(&[1.0, 0.95, 0.5, 0.0]),
            quotes: *random.pick(&[0.0, 0.3, 0.9]),
            trades: *random.pick(&[0.0, 0.3]),
            last: None,
        }
    }

    fn move_on(&mut self, random: &mut Random) -> f64 {
        let mut change = self.volatility * random.bell();
        if random.chance(0.005) {
            change = *random.pick(&[-0.9, -0.5, 1.0, 4.0]);
        }
        self.price = (self.price * (1.0 + change).max(0.05)).clamp(1e-15, 1e26);
        self.price
    }
}
