//! The position keeper: stops, profit tiers and time stops that belong to the host. They are checked on
//! every price and need no strategy to be alive.
//!
//! On a bar the path between open and close is unknown, so the worse is assumed:
//! - levels are those known before the bar: its high raises a trailing stop only for the next bar;
//! - a stop that the open is at or below fills at the open, one that the low reaches fills at its level;
//! - a stop is checked before any profit tier; tiers need a high strictly above their level, and a position
//!   that was opened inside the bar takes no profit in it.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use serde::{Deserialize, Serialize};

use crate::identifier::{InstrumentId, StrategyId};
use crate::instrument::{Instrument, Rounding};
use crate::market::Bar;
use crate::money::{Price, Quantity};
use crate::strategy::{ExitPlan, FillCause, TakeProfit};
use crate::time::{Span, Timestamp};

/// The operator's bounds for exit plans, and the plan of positions whose strategy gave none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExitPolicy {
    /// For positions without a plan of their own.
    pub default_plan: ExitPlan,
    /// A stop may not be farther below the entry than this; a plan without one gets this.
    pub widest_stop: Option<f64>,
    /// A position may not be held longer than this.
    pub longest_holding: Option<Span>,
}

impl Default for ExitPolicy {
    fn default() -> Self {
        Self {
            default_plan: ExitPlan {
                stop_loss: Some(0.15),
                breakeven: Some(0.10),
                trailing: Some(0.20),
                take_profits: vec![
                    TakeProfit { gain: 0.30, share: 0.33 },
                    TakeProfit { gain: 0.75, share: 0.33 },
                ],
                max_holding: None,
            },
            widest_stop: Some(0.30),
            longest_holding: None,
        }
    }
}

impl ExitPolicy {
    /// No exits at all.
    #[must_use]
    pub fn none() -> Self {
        Self { default_plan: ExitPlan::default(), widest_stop: None, longest_holding: None }
    }

    /// Checks that a plan keeps to the bounds as it is.
    ///
    /// # Errors
    ///
    /// Names the bound that it exceeds, or what it lacks.
    pub fn admits(&self, plan: &ExitPlan) -> Result<(), String> {
        match (self.widest_stop, plan.stop_loss) {
            (Some(widest), None) => {
                return Err(format!(
                    "it has no stop-loss; risk.exits.widest_stop demands one of at most {widest}"
                ));
            }
            (Some(widest), Some(stop)) if stop > widest => {
                return Err(format!("stop-loss is {stop}; risk.exits.widest_stop allows at most {widest}"));
            }
            _ => {}
        }
        match (self.longest_holding, plan.max_holding) {
            (Some(longest), None) => {
                let demanded = format!("risk.exits.longest_holding demands one of at most {longest}");
                Err(format!("it has no max-holding; {demanded}"))
            }
            (Some(longest), Some(holding)) if holding > longest => {
                Err(format!("max-holding is {holding}; risk.exits.longest_holding allows at most {longest}"))
            }
            _ => Ok(()),
        }
    }

    /// The plan that a position gets: the strategy's or the default, brought within the bounds.
    #[must_use]
    pub fn bounded(&self, proposed: Option<&ExitPlan>) -> ExitPlan {
        let mut plan = proposed.unwrap_or(&self.default_plan).clone();
        if let Some(widest) = self.widest_stop {
            plan.stop_loss = Some(plan.stop_loss.map_or(widest, |stop| stop.min(widest)));
        }
        if let Some(longest) = self.longest_holding {
            plan.max_holding = Some(plan.max_holding.map_or(longest, |holding| holding.min(longest)));
        }
        plan
    }
}

/// A level, on the grid for the books and as the feed's number for comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Level {
    price: Price,
    compare: f64,
}

impl Level {
    /// Rounded up: a stop against giving more back than the plan says, a gain against taking less. `None`
    /// when it is beyond the range of the books; no price can reach it there. A stop never is.
    fn at(base: Price, factor: f64, instrument: &Instrument) -> Option<Self> {
        let exact = base.scaled(Decimal::from_f64(factor)?).ok()?;
        let price = instrument.round_price(exact, Rounding::Up).unwrap_or(exact);
        Some(Self { price, compare: price.approximate() })
    }
}

/// The exits of one position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    strategy: StrategyId,
    plan: ExitPlan,
    opened: Timestamp,
    entry: Price,
    entered: Quantity,
    highest: f64,
    breakeven_reached: bool,
    tiers_done: usize,
    /// The highest of the stops, and which it is.
    stop: Option<(Level, FillCause)>,
    breakeven: Option<Level>,
    tier: Option<Level>,
    deadline: Option<Timestamp>,
}

/// An exit that a price has triggered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TriggeredExit {
    /// Whose position.
    pub strategy: StrategyId,
    /// In what.
    pub instrument: InstrumentId,
    /// Which exit.
    pub cause: FillCause,
    /// How much to sell; `None` for all.
    pub quantity: Option<Quantity>,
    /// At what price, before slippage.
    pub price: f64,
    /// When.
    pub time: Timestamp,
}

impl Guard {
    fn refresh(&mut self, instrument: &Instrument) {
        let mut stop: Option<(Level, FillCause)> = None;
        let mut raise = |level: Option<Level>, cause: FillCause| {
            if let Some(level) = level
                && stop.is_none_or(|(highest, _)| level.price > highest.price)
            {
                stop = Some((level, cause));
            }
        };
        if let Some(loss) = self.plan.stop_loss {
            raise(Level::at(self.entry, 1.0 - loss, instrument), FillCause::StopLoss);
        }
        if self.breakeven_reached {
            raise(Level::at(self.entry, 1.0, instrument), FillCause::Breakeven);
        }
        if let Some(fall) = self.plan.trailing {
            let highest = instrument.price(self.highest, Rounding::Nearest).unwrap_or(self.entry);
            raise(Level::at(highest, 1.0 - fall, instrument), FillCause::TrailingStop);
        }
        self.stop = stop;
        let gain = |gain: f64| Level::at(self.entry, 1.0 + gain, instrument);
        self.breakeven = self.plan.breakeven.filter(|_| !self.breakeven_reached).and_then(gain);
        self.tier = self.plan.take_profits.get(self.tiers_done).and_then(|tier| gain(tier.gain));
        self.deadline = self.plan.max_holding.map(|span| self.opened.plus(span));
    }

    /// Moves the levels after a new high. Stops never move down.
    fn raise_to(&mut self, high: f64, instrument: &Instrument) {
        let armed = self.breakeven.is_some_and(|level| high >= level.compare);
        // What is no price for the books raises nothing.
        let risen = high > self.highest && instrument.price(high, Rounding::Nearest).is_some();
        if risen {
            self.highest = high;
        }
        if armed {
            self.breakeven_reached = true;
        }
        if armed || (risen && self.plan.trailing.is_some()) {
            self.refresh(instrument);
        }
    }

    /// The price at which the position is sold whole: the highest of its stops.
    #[must_use]
    pub fn stop(&self) -> Option<Price> {
        self.stop.map(|(level, _)| level.price)
    }

    /// Which of its stops that is.
    #[must_use]
    pub fn stop_kind(&self) -> Option<FillCause> {
        self.stop.map(|(_, cause)| cause)
    }

    /// How many of its plan's profit tiers were taken.
    #[must_use]
    pub const fn tiers_done(&self) -> usize {
        self.tiers_done
    }

    /// When its time stop closes it.
    #[must_use]
    pub const fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// The plan that it follows.
    #[must_use]
    pub const fn plan(&self) -> &ExitPlan {
        &self.plan
    }

    /// The average entry price that its levels are reckoned from.
    #[must_use]
    pub const fn entry(&self) -> Price {
        self.entry
    }

    /// How far the nearest stop is below a price, as a fraction; 1 without a stop.
    #[must_use]
    pub fn risk_fraction(&self, price: f64) -> f64 {
        match self.stop {
            Some((level, _)) if price > 0.0 => (1.0 - level.compare / price).clamp(0.0, 1.0),
            _ => 1.0,
        }
    }
}

/// All guards, by instrument.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PositionKeeper {
    /// For each instrument, sorted by strategy.
    guards: Vec<Vec<Guard>>,
}

/// A position as the keeper needs it.
#[derive(Debug, Clone, Copy)]
pub struct GuardedPosition {
    /// Whose.
    pub strategy: StrategyId,
    /// In what.
    pub instrument: InstrumentId,
    /// When it was opened.
    pub opened: Timestamp,
    /// Average entry price.
    pub entry: Price,
    /// All that was bought since it was opened.
    pub entered: Quantity,
}

impl PositionKeeper {
    /// A keeper without positions, for this many instruments.
    #[must_use]
    pub fn new(instruments: usize) -> Self {
        Self { guards: vec![Vec::new(); instruments] }
    }

    /// Makes room for this many instruments.
    pub fn extend(&mut self, instruments: usize) {
        self.guards.resize_with(instruments.max(self.guards.len()), Vec::new);
    }

    /// Brings every plan within bounds that may have become tighter. Nothing is loosened, and tiers that were
    /// taken stay taken.
    pub fn tighten(&mut self, policy: &ExitPolicy, instruments: &[Instrument]) {
        for (guards, instrument) in self.guards.iter_mut().zip(instruments) {
            for guard in guards {
                let plan = policy.bounded(Some(&guard.plan));
                if plan != guard.plan {
                    guard.plan = plan;
                    guard.refresh(instrument);
                }
            }
        }
    }

    /// For how many instruments it keeps positions.
    pub(crate) const fn instruments(&self) -> usize {
        self.guards.len()
    }

    /// Whose positions are guarded, once for each.
    pub(crate) fn guarded(&self) -> impl Iterator<Item = StrategyId> {
        self.guards.iter().flatten().map(|guard| guard.strategy)
    }

    fn of(&self, instrument: InstrumentId) -> &[Guard] {
        usize::try_from(instrument.0).ok().and_then(|index| self.guards.get(index)).map_or(&[], Vec::as_slice)
    }

    fn of_mut(&mut self, instrument: InstrumentId) -> Option<&mut Vec<Guard>> {
        self.guards.get_mut(usize::try_from(instrument.0).ok()?)
    }

    /// Whether no position in the instrument is guarded.
    #[must_use]
    pub fn is_idle(&self, instrument: InstrumentId) -> bool {
        self.of(instrument).is_empty()
    }

    /// Whether any position of the strategy is guarded.
    #[must_use]
    pub fn guards_any(&self, strategy: StrategyId) -> bool {
        self.guards.iter().flatten().any(|guard| guard.strategy == strategy)
    }

    /// The exits of a position, when it has any.
    #[must_use]
    pub fn guard(&self, strategy: StrategyId, instrument: InstrumentId) -> Option<&Guard> {
        let guards = self.of(instrument);
        guards.binary_search_by_key(&strategy, |guard| guard.strategy).ok().map(|index| &guards[index])
    }

    /// Starts guarding a position, or takes over its new size and entry price. A plan replaces the one
    /// before; without one the plan stays. A position with an empty plan is not guarded.
    pub fn guard_position(
        &mut self,
        position: &GuardedPosition,
        plan: Option<ExitPlan>,
        instrument: &Instrument,
    ) {
        let Some(guards) = self.of_mut(position.instrument) else { return };
        let index = guards.binary_search_by_key(&position.strategy, |guard| guard.strategy);
        let mut guard = match (index, plan) {
            (Ok(index), plan) => {
                let mut guard = guards[index].clone();
                if let Some(plan) = plan.filter(|plan| *plan != guard.plan) {
                    // Tiers that were taken would be taken again.
                    if plan.take_profits != guard.plan.take_profits {
                        guard.tiers_done = 0;
                    }
                    guard.breakeven_reached &= plan.breakeven.is_some();
                    guard.plan = plan;
                }
                guard
            }
            (Err(_), Some(plan)) if !plan.is_empty() => Guard {
                strategy: position.strategy,
                plan,
                opened: position.opened,
                entry: position.entry,
                entered: position.entered,
                highest: position.entry.approximate(),
                breakeven_reached: false,
                tiers_done: 0,
                stop: None,
                breakeven: None,
                tier: None,
                deadline: None,
            },
            (Err(_), _) => return,
        };
        guard.entry = position.entry;
        guard.entered = position.entered;
        guard.refresh(instrument);
        match index {
            Ok(index) if guard.plan.is_empty() => {
                guards.remove(index);
            }
            Ok(index) => guards[index] = guard,
            Err(index) => guards.insert(index, guard),
        }
    }

    /// Stops guarding a position that is closed.
    pub fn forget(&mut self, strategy: StrategyId, instrument: InstrumentId) {
        if let Some(guards) = self.of_mut(instrument) {
            guards.retain(|guard| guard.strategy != strategy);
        }
    }

    /// Marks the next profit tier as taken.
    pub fn tier_taken(&mut self, strategy: StrategyId, id: InstrumentId, instrument: &Instrument) {
        let guard =
            self.of_mut(id).and_then(|guards| guards.iter_mut().find(|guard| guard.strategy == strategy));
        if let Some(guard) = guard {
            guard.tiers_done += 1;
            guard.refresh(instrument);
        }
    }

    /// The stops and time stops that a bar triggers.
    pub fn stops_on_bar(&self, bar: &Bar, triggered: &mut Vec<TriggeredExit>) {
        for guard in self.of(bar.instrument) {
            let exit = |cause, price, time| TriggeredExit {
                strategy: guard.strategy,
                instrument: bar.instrument,
                cause,
                quantity: None,
                price,
                time,
            };
            // A position opened inside the bar has not seen its open.
            let from_open = guard.opened <= bar.open_time;
            match guard.stop {
                Some((level, cause)) if from_open && bar.open <= level.compare => {
                    triggered.push(exit(cause, bar.open, bar.open_time));
                }
                _ if from_open && guard.deadline.is_some_and(|deadline| bar.open_time >= deadline) => {
                    triggered.push(exit(FillCause::TimeStop, bar.open, bar.open_time));
                }
                Some((level, cause)) if bar.low <= level.compare => {
                    triggered.push(exit(cause, level.compare.min(bar.open), bar.close_time()));
                }
                _ => {}
            }
        }
    }

    /// The next profit tier of each position, where a bar reaches it.
    pub fn tiers_on_bar(&self, bar: &Bar, triggered: &mut Vec<TriggeredExit>) {
        triggered.extend(self.of(bar.instrument).iter().filter_map(|guard| guard.tier_on_bar(bar)));
    }

    /// The next profit tier of one position, if a bar reaches it. Ask again once a tier was taken.
    #[must_use]
    pub fn tier_on_bar(&self, strategy: StrategyId, bar: &Bar) -> Option<TriggeredExit> {
        self.guard(strategy, bar.instrument)?.tier_on_bar(bar)
    }

    /// Moves the levels of the positions that a bar leaves open.
    pub fn after_bar(&mut self, bar: &Bar, instrument: &Instrument) {
        for guard in self.of_mut(bar.instrument).into_iter().flatten() {
            // The high may have come before the entry.
            let high = if guard.opened <= bar.open_time { bar.high } else { bar.close };
            guard.raise_to(high, instrument);
        }
    }

    /// What one price triggers: for each position its stop, time stop or next tier. The levels then move.
    pub fn on_price(
        &mut self,
        id: InstrumentId,
        price: f64,
        time: Timestamp,
        instrument: &Instrument,
        triggered: &mut Vec<TriggeredExit>,
    ) {
        for guard in self.of_mut(id).into_iter().flatten() {
            let exit = |cause| TriggeredExit {
                strategy: guard.strategy,
                instrument: id,
                cause,
                quantity: None,
                price,
                time,
            };
            match guard.stop {
                Some((level, cause)) if price <= level.compare => triggered.push(exit(cause)),
                _ if guard.deadline.is_some_and(|deadline| time >= deadline) => {
                    triggered.push(exit(FillCause::TimeStop));
                }
                _ if guard.tier.is_some_and(|level| price >= level.compare) => {
                    triggered.extend(guard.tier_exit(id, price, time));
                }
                _ => {}
            }
            guard.raise_to(price, instrument);
        }
    }
}

impl Guard {
    fn tier_on_bar(&self, bar: &Bar) -> Option<TriggeredExit> {
        let level = self.tier.filter(|_| self.opened <= bar.open_time)?;
        if bar.open >= level.compare {
            self.tier_exit(bar.instrument, bar.open, bar.open_time)
        } else if bar.high > level.compare {
            self.tier_exit(bar.instrument, level.compare, bar.close_time())
        } else {
            None
        }
    }

    fn tier_exit(&self, instrument: InstrumentId, price: f64, time: Timestamp) -> Option<TriggeredExit> {
        let tier = self.plan.take_profits.get(self.tiers_done)?;
        let quantity = self.entered.scaled(Decimal::from_f64(tier.share)?).ok()?;
        let strategy = self.strategy;
        let (cause, quantity) = (FillCause::TakeProfit, Some(quantity));
        Some(TriggeredExit { strategy, instrument, cause, quantity, price, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: InstrumentId = InstrumentId(0);
    const S: StrategyId = StrategyId(0);

    fn instrument() -> Instrument {
        Instrument::new("X-USD", 2, 3)
    }

    fn bar(minute: i64, open: f64, high: f64, low: f64, close: f64) -> Bar {
        let open_time = Timestamp::from_seconds(minute * 60);
        Bar { instrument: X, interval: Span::MINUTE, open_time, open, high, low, close, volume: 1_000.0 }
    }

    fn keeper(plan: ExitPlan) -> PositionKeeper {
        let mut keeper = PositionKeeper::new(1);
        let position = GuardedPosition {
            strategy: S,
            instrument: X,
            opened: Timestamp::EPOCH,
            entry: Price(Decimal::from(100)),
            entered: Quantity(Decimal::from(10)),
        };
        keeper.guard_position(&position, Some(plan), &instrument());
        keeper
    }

    /// Cause and price of the first stop of each bar; the bars' highs move the levels.
    fn stops(keeper: &mut PositionKeeper, bars: &[Bar]) -> Vec<(FillCause, f64)> {
        let mut out = Vec::new();
        for bar in bars {
            let mut triggered = Vec::new();
            keeper.stops_on_bar(bar, &mut triggered);
            out.extend(triggered.iter().map(|exit| (exit.cause, exit.price)));
            keeper.after_bar(bar, &instrument());
        }
        out
    }

    #[test]
    fn a_stop_fills_at_its_level_or_at_a_worse_open() {
        let plan = ExitPlan { stop_loss: Some(0.15), ..ExitPlan::default() };
        let calm = bar(1, 100.0, 101.0, 85.01, 99.0);
        assert!(stops(&mut keeper(plan.clone()), &[calm]).is_empty());
        let touched = bar(1, 100.0, 101.0, 85.0, 99.0);
        assert_eq!(stops(&mut keeper(plan.clone()), &[touched]), [(FillCause::StopLoss, 85.0)]);
        let gap = bar(1, 80.0, 90.0, 79.0, 82.0);
        assert_eq!(stops(&mut keeper(plan), &[gap]), [(FillCause::StopLoss, 80.0)]);
    }

    #[test]
    fn a_trailing_stop_follows_highs_of_earlier_bars_only() {
        let plan = ExitPlan { trailing: Some(0.2), ..ExitPlan::default() };
        // The bar's own high of 150 would put the stop at 120, above its low; it may have come after it.
        let spike = bar(1, 100.0, 150.0, 95.0, 145.0);
        let fall = bar(2, 145.0, 146.0, 110.0, 112.0);
        assert_eq!(stops(&mut keeper(plan), &[spike, fall]), [(FillCause::TrailingStop, 120.0)]);
    }

    #[test]
    fn breakeven_moves_the_stop_to_the_entry() {
        let plan = ExitPlan { stop_loss: Some(0.15), breakeven: Some(0.1), ..ExitPlan::default() };
        let bars = [bar(1, 100.0, 110.0, 99.0, 108.0), bar(2, 108.0, 109.0, 99.5, 101.0)];
        assert_eq!(stops(&mut keeper(plan), &bars), [(FillCause::Breakeven, 100.0)]);
    }

    #[test]
    fn stops_never_move_down() {
        let plan = ExitPlan { trailing: Some(0.2), ..ExitPlan::default() };
        let mut keeper = keeper(plan);
        let mut last = 0.0;
        for (minute, high) in [(1, 100.0), (2, 130.0), (3, 120.0), (4, 131.0), (5, 90.0)] {
            keeper.after_bar(&bar(minute, high, high, high, high), &instrument());
            let (level, _) = keeper.guard(S, X).unwrap().stop.unwrap();
            assert!(level.compare >= last);
            last = level.compare;
        }
        assert!((last - 104.8).abs() < 1e-9);
    }

    #[test]
    fn a_time_stop_sells_at_the_first_open_after_its_deadline() {
        let plan = ExitPlan { max_holding: Some(Span::from_seconds(90)), ..ExitPlan::default() };
        let bars = [bar(1, 100.0, 101.0, 99.0, 100.0), bar(2, 102.0, 103.0, 99.0, 100.0)];
        assert_eq!(stops(&mut keeper(plan), &bars), [(FillCause::TimeStop, 102.0)]);
    }

    #[test]
    fn tiers_sell_parts_of_what_was_bought_one_after_the_other() {
        let plan = ExitPolicy::default().default_plan;
        let mut keeper = keeper(plan);
        let rally = bar(1, 100.0, 180.0, 99.0, 170.0);
        let mut sold = Vec::new();
        loop {
            let mut triggered = Vec::new();
            keeper.tiers_on_bar(&rally, &mut triggered);
            let Some(exit) = triggered.first() else { break };
            sold.push((exit.price, exit.quantity.unwrap().0.normalize().to_string()));
            keeper.tier_taken(S, X, &instrument());
        }
        assert_eq!(sold, [(130.0, "3.3".to_owned()), (175.0, "3.3".to_owned())]);
    }

    #[test]
    fn the_operators_bounds_hold() {
        let policy = ExitPolicy::default();
        let wide = ExitPlan { stop_loss: Some(0.9), ..ExitPlan::default() };
        assert_eq!(policy.bounded(Some(&wide)).stop_loss, Some(0.3));
        assert_eq!(policy.bounded(Some(&ExitPlan::default())).stop_loss, Some(0.3));
        assert_eq!(policy.bounded(None), policy.default_plan);
        assert!(ExitPolicy::none().bounded(None).is_empty());
    }
}
