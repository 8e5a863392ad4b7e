//! Random strategies. What one does at an event follows from its profile, the number of the event and what
//! it was told, never from how the events were cut into calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderTag};
use bulkhead_core::strategy::{
    Action, Amount, Description, Event, ExitPlan, Fault, FaultKind, InstanceConfig, Intent, LogLevel,
    LogLine, Needs, OrderKind, Proposal, SavedState, Strategy, StrategySource, Submit, TakeProfit,
};
use bulkhead_core::time::Span;

use crate::random::Random;

/// What a version is like.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) seed: u64,
    /// Probability of acting on a market event.
    pub(crate) activity: f64,
    /// Probability that an amount is absurd, though valid.
    pub(crate) absurd: f64,
    /// Probability that an order brings an exit plan.
    pub(crate) plans: f64,
    pub(crate) needs: Needs,
    pub(crate) warm_up_bars: u32,
    /// Probability of each kind of misbehaviour, at each opportunity; 0 for the well-behaved.
    pub(crate) hostility: f64,
    /// Whether an instance that was started again from the same state does the same as the one before: it
    /// never fails to start, and how it behaves does not depend on how many were started.
    pub(crate) reproducible: bool,
}

impl Profile {
    pub(crate) fn random(random: &mut Random, hostile: bool) -> Self {
        let mut intervals = vec![Span::ZERO];
        for minutes in [1, 5, 15, 60] {
            if random.chance(0.2) {
                intervals.push(Span::from_seconds(minutes * 60));
            }
        }
        if random.chance(0.1) {
            intervals.remove(0);
        }
        Self {
            seed: random.next(),
            activity: *random.pick(&[0.0, 0.02, 0.1, 0.3, 0.8]),
            absurd: *random.pick(&[0.0, 0.02, 0.3]),
            plans: *random.pick(&[0.0, 0.3, 1.0]),
            needs: Needs {
                bar_intervals: intervals,
                quotes: random.chance(0.4),
                trades: random.chance(0.4),
                signals: random.maybe(0.3, |_| "mood".to_owned()).into_iter().collect(),
                timer: random.maybe(0.3, |random| Span::from_seconds(random.integer(1, 600))),
            },
            warm_up_bars: u32::try_from(random.below(40)).unwrap(),
            hostility: if hostile { *random.pick(&[0.002, 0.02, 0.2]) } else { 0.0 },
            reproducible: false,
        }
    }
}

/// The versions by hash, made anew for every run.
pub(crate) struct Source {
    versions: BTreeMap<ContentHash, (Profile, AtomicU64)>,
    one_at_a_time: bool,
}

pub(crate) fn version(number: usize) -> ContentHash {
    ContentHash::of(format!("version {number}").as_bytes())
}

impl Source {
    pub(crate) fn new(profiles: &[Profile], one_at_a_time: bool) -> Self {
        let versions = profiles
            .iter()
            .enumerate()
            .map(|(number, profile)| (version(number), (profile.clone(), AtomicU64::new(0))))
            .collect();
        Self { versions, one_at_a_time }
    }

    fn find(&self, version: &ContentHash) -> Result<&(Profile, AtomicU64), Fault> {
        self.versions.get(version).ok_or_else(|| FaultKind::Start(format!("no version {version}")).into())
    }
}

impl StrategySource for Source {
    fn describe(&self, version: &ContentHash) -> Result<Description, Fault> {
        let (profile, _) = self.find(version)?;
        Ok(Description {
            name: "random".to_owned(),
            version: "1.0.0".to_owned(),
            state_schema: 1,
            parameters: Vec::new(),
            needs: profile.needs.clone(),
            warm_up_bars: profile.warm_up_bars,
        })
    }

    fn instantiate(
        &self,
        version: &ContentHash,
        config: &InstanceConfig,
    ) -> Result<Box<dyn Strategy>, Fault> {
        let (profile, started) = self.find(version)?;
        let instance = started.fetch_add(1, Ordering::Relaxed);
        // The first start succeeds: a slot that never came to be has no share of the capital, which is no
        // fair comparison with one that did.
        let willing = instance == 0 || profile.reproducible;
        if !willing && Random::of(profile.seed, 1_000_000 + instance).chance(profile.hostility) {
            return Err(FaultKind::Start("does not feel like it".to_owned()).into());
        }
        for history in &config.history {
            let columns = [&history.open, &history.high, &history.low, &history.close, &history.volume];
            assert!(columns.iter().all(|column| column.len() == history.open_time.len()));
            assert!(history.open_time.is_sorted(), "a history goes back in time");
        }
        Ok(Box::new(RandomStrategy {
            profile: profile.clone(),
            instance,
            one_at_a_time: self.one_at_a_time,
            instruments: config.instruments.iter().map(|(id, _)| *id).collect(),
            count: 0,
            prices: BTreeMap::new(),
            held: BTreeMap::new(),
            log: Vec::new(),
        }))
    }
}

struct RandomStrategy {
    profile: Profile,
    instance: u64,
    one_at_a_time: bool,
    instruments: Vec<InstrumentId>,
    count: u64,
    prices: BTreeMap<InstrumentId, f64>,
    held: BTreeMap<InstrumentId, f64>,
    log: Vec<LogLine>,
}

impl Strategy for RandomStrategy {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let events = if self.one_at_a_time { &events[..1] } else { events };
        for (index, event) in events.iter().enumerate() {
            let who = if self.profile.reproducible { moment(event) } else { self.instance.rotate_left(32) };
            let mut random = Random::of(self.profile.seed ^ who, self.count);
            if random.chance(self.profile.hostility) {
                // Misbehaves on the first event of a call, so that the cut into calls makes no difference.
                if index > 0 {
                    return Ok(index);
                }
                return match random.below(5) {
                    0 => Err(FaultKind::Trap("unreachable".to_owned()).into()),
                    1 => Err(FaultKind::OutOfFuel(1_000).into()),
                    2 => Ok(0),
                    3 => Ok(usize::MAX),
                    _ => {
                        self.act(&mut random, actions);
                        actions.push(self.invalid(&mut random));
                        Ok(1)
                    }
                };
            }
            self.count += 1;
            if self.count % 97 == 96 {
                let message = format!("event {}", self.count);
                self.log.push(LogLine { level: LogLevel::Info, message });
            }
            let own = self.learn(event);
            // Reactions to one's own orders are rarer, so that they die out.
            if random.chance(self.profile.activity * if own { 0.2 } else { 1.0 }) {
                self.act(&mut random, actions);
                if !actions.is_empty() {
                    return Ok(index + 1);
                }
            }
        }
        Ok(events.len())
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        let mut random = Random::of(self.profile.seed, 2_000_000 + self.count);
        if random.chance(self.profile.hostility) {
            let kind = if random.chance(0.5) {
                FaultKind::Trap("save".to_owned())
            } else {
                FaultKind::Reported("no".to_owned())
            };
            return Err(kind.into());
        }
        Ok(SavedState { schema: 1, bytes: self.count.to_le_bytes().to_vec() })
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        let mut random = Random::of(self.profile.seed, 3_000_000 + self.instance);
        if !self.profile.reproducible && random.chance(self.profile.hostility) {
            return Err(FaultKind::Trap("restore".to_owned()).into());
        }
        self.count = u64::from_le_bytes(state.bytes.as_slice().try_into().unwrap());
        Ok(())
    }

    fn drain_log(&mut self, lines: &mut Vec<LogLine>) {
        lines.append(&mut self.log);
    }
}

impl RandomStrategy {
    /// Whether the event is about the strategy's own doing.
    fn learn(&mut self, event: &Event) -> bool {
        match event {
            Event::Bar(bar) => {
                self.prices.insert(bar.instrument, bar.close);
            }
            Event::Quote(quote) => {
                self.prices.insert(quote.instrument, quote.middle());
            }
            Event::Trade(trade) => {
                self.prices.insert(trade.instrument, trade.price);
            }
            Event::Position(position) => {
                self.held.insert(position.instrument, position.quantity);
                return true;
            }
            Event::Fill(_) | Event::Order(_) | Event::Capital(_) => return true,
            Event::Signal(_) | Event::Timer(_) => {}
        }
        false
    }

    fn act(&self, random: &mut Random, actions: &mut Vec<Action>) {
        if self.instruments.is_empty() {
            return;
        }
        for _ in 0..random.integer(1, 3) {
            let instrument = *random.pick(&self.instruments);
            let proposal = match random.below(10) {
                0 => Proposal::Cancel(OrderTag(u32::try_from(random.below(8)).unwrap())),
                1 => Proposal::ChangeExits { instrument, plan: plan(random) },
                _ => Proposal::Submit(self.submit(random, instrument)),
            };
            actions.push(Action { proposal, confidence: random.unit(), reason: "random".to_owned() });
        }
    }

    fn submit(&self, random: &mut Random, instrument: InstrumentId) -> Submit {
        let price = self.prices.get(&instrument).copied().unwrap_or(1.0);
        let held = self.held.get(&instrument).copied().unwrap_or(0.0);
        let intent = match random.below(10) {
            0..=4 => Intent::Buy(self.amount(random, price)),
            5 | 6 => Intent::Sell(self.amount(random, price)),
            7 => Intent::Close,
            _ if random.chance(self.profile.absurd) => Intent::Target(*random.pick(&[0.0, 1e300, 1e-300])),
            _ => Intent::Target(held * random.between(0.0, 2.5)),
        };
        let kind = if random.chance(0.6) {
            OrderKind::Market
        } else if random.chance(self.profile.absurd) {
            OrderKind::Limit(*random.pick(&[1e-12, 1e-300, 1e25, 1e300, f64::MIN_POSITIVE]))
        } else {
            OrderKind::Limit(price * random.between(0.93, 1.07))
        };
        Submit {
            tag: OrderTag(u32::try_from(random.integer(1, 8)).unwrap()),
            instrument,
            intent,
            kind,
            exits: random.maybe(self.profile.plans, plan),
        }
    }

    fn amount(&self, random: &mut Random, price: f64) -> Amount {
        if random.chance(self.profile.absurd) {
            return *random.pick(&[
                Amount::Quantity(1e300),
                Amount::Quantity(1e27),
                Amount::Quantity(f64::MIN_POSITIVE),
                Amount::Notional(1e28),
                Amount::Notional(1e-20),
                Amount::CapitalShare(1e-300),
                Amount::CapitalShare(1.0),
            ]);
        }
        match random.below(4) {
            0 => Amount::Standard,
            1 => Amount::Quantity(random.magnitude(0, 3) / price),
            2 => Amount::Notional(random.magnitude(0, 4)),
            _ => Amount::CapitalShare(random.between(0.001, 1.0)),
        }
    }

    fn invalid(&self, random: &mut Random) -> Action {
        let known = self.instruments.first().copied().unwrap_or_default();
        let submit = |tag, instrument, intent, kind, exits| {
            Proposal::Submit(Submit { tag: OrderTag(tag), instrument, intent, kind, exits })
        };
        let bad = *random.pick(&[f64::NAN, f64::INFINITY, -1.0]);
        let buy = |v| Intent::Buy(Amount::Quantity(v));
        let market = OrderKind::Market;
        let bad_plan = ExitPlan { trailing: Some(bad), ..ExitPlan::default() };
        let (proposal, confidence) = match random.below(8) {
            0 => (submit(0, known, buy(1.0), market, None), 0.5),
            1 => (submit(1, InstrumentId(99), buy(1.0), market, None), 0.5),
            2 => (submit(1, known, buy(bad), market, None), 0.5),
            3 => (submit(1, known, Intent::Target(bad), market, None), 0.5),
            4 => (submit(1, known, buy(1.0), OrderKind::Limit(bad), None), 0.5),
            5 => (submit(1, known, buy(1.0), market, Some(bad_plan)), 0.5),
            6 => (Proposal::ChangeExits { instrument: known, plan: bad_plan }, 0.5),
            _ => (submit(1, known, buy(1.0), market, None), bad.max(2.0)),
        };
        Action { proposal, confidence, reason: String::new() }
    }
}

/// What sets one event apart from the same event at another time.
fn moment(event: &Event) -> u64 {
    let time = match event {
        Event::Bar(bar) => bar.open_time,
        Event::Quote(quote) => quote.time,
        Event::Trade(trade) => trade.time,
        Event::Signal(signal) => signal.time,
        Event::Timer(time) => *time,
        Event::Fill(fill) => fill.time,
        Event::Order(update) => update.time,
        Event::Position(update) => update.time,
        Event::Capital(update) => update.time,
    };
    u64::from_ne_bytes(time.nanos().to_ne_bytes())
}

/// A valid exit plan, sometimes an empty one.
pub(crate) fn plan(random: &mut Random) -> ExitPlan {
    let mut gain = 0.0;
    let tiers = random.below(4);
    let mut take_profits = Vec::new();
    for _ in 0..tiers {
        gain += random.between(0.001, 0.1);
        take_profits.push(TakeProfit { gain, share: random.between(0.01, 1.0 / 3.0) });
    }
    if random.chance(0.03) {
        take_profits = vec![TakeProfit { gain: 1_000.0, share: 1.0 }];
    }
    ExitPlan {
        stop_loss: random.maybe(0.5, |random| random.between(0.001, 0.3)),
        breakeven: random.maybe(0.3, |random| random.between(0.001, 0.1)),
        trailing: random.maybe(0.4, |random| random.between(0.001, 0.3)),
        take_profits,
        max_holding: random.maybe(0.2, |random| Span::from_seconds(random.integer(1, 3_600))),
    }
}
