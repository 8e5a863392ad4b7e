//! The simulated venue. A pure state machine: what it does follows from its orders, the market events and
//! a seed.
//!
//! How orders fill on a bar (the table in `docs/fills.md` says the same for people):
//! - a market order that arrived by the bar's open fills at the open; one that arrives inside the bar fills
//!   at the worse of open and close;
//! - a limit order fills at the open when the open is at or through its limit, else at its limit when the
//!   bar trades strictly through it; one that arrives inside a bar waits for the next;
//! - slippage moves every fill but a resting limit's against the order, never past a limit;
//! - the fill is rounded to the tick against the order.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

use crate::identifier::{InstrumentId, OrderId, StrategyId};
use crate::instrument::{Instrument, Rounding};
use crate::market::{Bar, Quote};
use crate::money::{Money, Overflow, Price, Quantity, from_basis_points};
use crate::order::{Order, OrderTerms, Pricing, Side};
use crate::time::{Span, Timestamp};
use crate::venue::inquiry::Standing;
use crate::venue::{Cancellation, Exit, Report, ReportedEvent, Venue};

/// When a market order fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FillTiming {
    /// At the first price after the order arrived.
    NextOpen,
    /// At the close of the bar that made the strategy act. This looks ahead: nobody can trade at a price
    /// that he must first have seen. Only for comparison with systems that do so.
    SameClose,
}

/// How the venue behaves. Perfect fills are [`PaperSettings::exact`]; the default is realistic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaperSettings {
    /// When a market order fills.
    pub timing: FillTiming,
    /// Proportional fee, in basis points of the value.
    pub fee_bps: Decimal,
    /// Slippage of every order, in basis points.
    pub slippage_bps: f64,
    /// Further slippage of an order as large as the bar's volume, in basis points. A smaller order pays in
    /// proportion to the square root of its part (the square-root law of market impact).
    pub impact_bps: f64,
    /// Largest part of a bar's volume that one order gets; the rest waits for the next bar. No limit when
    /// absent or the volume is unknown. Exits are exempt: they pay by impact.
    pub participation: Option<f64>,
    /// Time from the gate to the venue.
    pub latency: Span,
    /// Probability that a transaction fails, 0 to 1.
    pub failure_probability: f64,
    /// Cost of every transaction, failed or not, in the account's currency.
    pub gas: Money,
    /// A market order not filled this long after it was made expires.
    pub market_order_timeout: Option<Span>,
    /// Decides which transactions fail.
    pub seed: u64,
}

impl Default for PaperSettings {
    fn default() -> Self {
        Self {
            timing: FillTiming::NextOpen,
            fee_bps: Decimal::TEN,
            slippage_bps: 5.0,
            impact_bps: 100.0,
            participation: Some(0.1),
            latency: Span::from_millis(250),
            failure_probability: 0.01,
            gas: Money(Decimal::new(1, 2)),
            market_order_timeout: Some(Span::from_seconds(60)),
            seed: 1,
        }
    }
}

impl PaperSettings {
    /// Market orders fill whole at the next open, without slippage, latency, failures or gas.
    #[must_use]
    pub const fn exact(fee_bps: Decimal) -> Self {
        Self {
            timing: FillTiming::NextOpen,
            fee_bps,
            slippage_bps: 0.0,
            impact_bps: 0.0,
            participation: None,
            latency: Span::ZERO,
            failure_probability: 0.0,
            gas: Money::ZERO,
            market_order_timeout: None,
            seed: 0,
        }
    }

    /// Fee and gas of an execution of this value; the fee is rounded up to the unit of money.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the fee leaves the range of the books.
    pub fn fee(&self, value: Money) -> Result<Money, Overflow> {
        value.scaled(from_basis_points(self.fee_bps))?.rounded_up().plus(self.gas)
    }

    /// Expected slippage of a quantity against a traded volume, as a fraction. An unknown volume (0) counts
    /// as no impact.
    #[must_use]
    pub fn slippage(&self, quantity: f64, volume: f64) -> f64 {
        let impact = if volume > 0.0 { self.impact_bps * (quantity / volume).sqrt() } else { 0.0 };
        (self.slippage_bps + impact) / 10_000.0
    }
}

/// An order at the venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Resting {
    order: OrderId,
    side: Side,
    remaining: Quantity,
    pricing: Pricing,
    arrival: Timestamp,
    expiry: Option<Timestamp>,
    acknowledged: bool,
    /// The bar that has executed a part of it; one bar gives an order one part.
    served: Option<Timestamp>,
    /// The venue's behaviour when it was made; a later change is none of its affair.
    settings: PaperSettings,
}

/// The venue's state: the orders that rest there, by instrument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaperVenue {
    settings: PaperSettings,
    resting: Vec<Vec<Resting>>,
    /// Transactions of each strategy so far. Which of them fail depends on nothing else, so that no strategy
    /// can bring failures on another.
    transactions: Vec<u64>,
}

impl Venue for PaperVenue {
    /// Takes an order. A transaction that is to fail does so at once.
    fn accept(&mut self, terms: &OrderTerms, now: Timestamp, reports: &mut Vec<Report>) {
        if self.fails(terms.strategy) {
            let time = now.plus(self.settings.latency);
            let reason = "the transaction failed".to_owned();
            let event = ReportedEvent::Rejected { reason, gas: self.settings.gas };
            reports.push(Report { order: terms.id, time, event });
            return;
        }
        let arrival = now.plus(self.settings.latency);
        let expiry = match terms.pricing {
            Pricing::Market => self.settings.market_order_timeout.map(|timeout| now.plus(timeout)),
            Pricing::Limit(_) => None,
        };
        let resting = Resting {
            order: terms.id,
            side: terms.side,
            remaining: terms.quantity,
            pricing: terms.pricing,
            arrival,
            expiry,
            acknowledged: false,
            served: None,
            settings: self.settings.clone(),
        };
        if let Some(book) = self.book_mut(terms.instrument) {
            book.push(resting);
        }
    }

    fn cancel(&mut self, terms: &OrderTerms) -> Cancellation {
        let Some(book) = self.book_mut(terms.instrument) else { return Cancellation::NotThere };
        let before = book.len();
        book.retain(|resting| resting.order != terms.id);
        if book.len() < before { Cancellation::Done } else { Cancellation::NotThere }
    }

    /// Executes an exit that the position keeper triggered, whole and at once, at this price before
    /// slippage; or fails it.
    fn execute_exit(&mut self, exit: &Exit<'_>, instrument: &Instrument, reports: &mut Vec<Report>) {
        let Exit { terms, price, volume, time } = *exit;
        let event = if self.fails(terms.strategy) {
            ReportedEvent::Rejected { reason: "the transaction failed".to_owned(), gas: self.settings.gas }
        } else {
            let quantity = terms.quantity.approximate();
            let price = match terms.pricing {
                Pricing::Market => slipped(&self.settings, instrument, price, terms.side, quantity, volume),
                Pricing::Limit(_) => price,
            };
            execution(&self.settings, instrument, terms.side, terms.quantity, price, None)
        };
        reports.push(Report { order: terms.id, time, event });
    }

    /// Nothing happens to an order here without a report that is booked in the same step.
    fn standing(&self, order: &Order) -> Standing {
        let terms = order.terms();
        let rests = |book: &[Resting]| book.iter().any(|resting| resting.order == terms.id);
        if self.book(terms.instrument).is_some_and(rests) {
            Standing::Known { unbooked: Vec::new() }
        } else {
            Standing::NotThere
        }
    }

    fn executes_by_itself(&self) -> bool {
        false
    }
}

/// Which part of a bar is being executed. Between the parts the engine books the fills and checks exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarPhase {
    /// Market orders, and limits that the open is at or through.
    Open,
    /// Limit buys inside the bar.
    Buys,
    /// Limit sales inside the bar; after the stops, as the path inside a bar is unknown and the worse is
    /// assumed.
    Sales,
}

impl PaperVenue {
    /// A venue without orders, for this many instruments.
    #[must_use]
    pub fn new(settings: PaperSettings, instruments: usize) -> Self {
        Self { settings, resting: vec![Vec::new(); instruments], transactions: Vec::new() }
    }

    /// How it behaves.
    #[must_use]
    pub const fn settings(&self) -> &PaperSettings {
        &self.settings
    }

    /// Changes how it behaves towards orders that are yet to come, and makes room for this many instruments.
    pub fn change(&mut self, settings: PaperSettings, instruments: usize) {
        self.settings = settings;
        self.resting.resize_with(instruments.max(self.resting.len()), Vec::new);
    }

    /// How many instruments can be traded.
    pub(crate) const fn instruments(&self) -> usize {
        self.resting.len()
    }

    /// Transactions of each strategy so far.
    pub(crate) fn transactions(&self) -> &[u64] {
        &self.transactions
    }

    /// Whether any order rests in an instrument.
    #[must_use]
    pub fn is_idle(&self, instrument: InstrumentId) -> bool {
        self.book(instrument).is_none_or(<[Resting]>::is_empty)
    }

    fn book(&self, instrument: InstrumentId) -> Option<&[Resting]> {
        self.resting.get(usize::try_from(instrument.0).ok()?).map(Vec::as_slice)
    }

    fn book_mut(&mut self, instrument: InstrumentId) -> Option<&mut Vec<Resting>> {
        self.resting.get_mut(usize::try_from(instrument.0).ok()?)
    }

    /// Executes one part of a bar.
    pub fn on_bar(&mut self, bar: &Bar, phase: BarPhase, instrument: &Instrument, reports: &mut Vec<Report>) {
        self.execute(
            bar.instrument,
            instrument,
            bar.volume,
            Some(bar.open_time),
            reports,
            |resting, quantity| {
                if phase != BarPhase::Open && resting.served == Some(bar.open_time) {
                    return Outcome::Wait;
                }
                let in_time = resting.arrival <= bar.open_time;
                match (phase, resting.pricing) {
                    (BarPhase::Open, _) if resting.expiry.is_some_and(|expiry| bar.open_time > expiry) => {
                        Outcome::Expire(bar.open_time)
                    }
                    (BarPhase::Open, _) if resting.arrival > bar.close_time() => Outcome::Underway,
                    (BarPhase::Open, Pricing::Market) => {
                        let (price, time) = if in_time {
                            (bar.open, bar.open_time)
                        } else {
                            (worse(resting.side, bar.open, bar.close), resting.arrival)
                        };
                        Outcome::Execute(
                            slipped(&resting.settings, instrument, price, resting.side, quantity, bar.volume),
                            time,
                            None,
                        )
                    }
                    (BarPhase::Open, Pricing::Limit(limit)) if in_time => {
                        let limit_price = limit.approximate();
                        let through = match resting.side {
                            Side::Buy => bar.open <= limit_price,
                            Side::Sell => bar.open >= limit_price,
                        };
                        if through {
                            let price = slipped(
                                &resting.settings,
                                instrument,
                                bar.open,
                                resting.side,
                                quantity,
                                bar.volume,
                            );
                            Outcome::Execute(price, bar.open_time, Some(limit))
                        } else {
                            Outcome::Wait
                        }
                    }
                    (BarPhase::Buys, Pricing::Limit(limit))
                        if in_time && resting.side == Side::Buy && bar.low < limit.approximate() =>
                    {
                        Outcome::Execute(limit.approximate(), bar.close_time(), Some(limit))
                    }
                    (BarPhase::Sales, Pricing::Limit(limit))
                        if in_time && resting.side == Side::Sell && bar.high > limit.approximate() =>
                    {
                        Outcome::Execute(limit.approximate(), bar.close_time(), Some(limit))
                    }
                    _ => Outcome::Wait,
                }
            },
        );
    }

    /// Executes what has arrived by the time of a quote at its prices; a limit that rested gets its limit.
    pub fn on_quote(&mut self, quote: &Quote, instrument: &Instrument, reports: &mut Vec<Report>) {
        self.execute(quote.instrument, instrument, 0.0, None, reports, |resting, quantity| {
            if resting.expiry.is_some_and(|expiry| quote.time > expiry) {
                return Outcome::Expire(quote.time);
            }
            if resting.arrival > quote.time {
                return Outcome::Underway;
            }
            let price = match resting.side {
                Side::Buy => quote.ask,
                Side::Sell => quote.bid,
            };
            let depth = quote.liquidity / price;
            match resting.pricing {
                Pricing::Market => Outcome::Execute(
                    slipped(&resting.settings, instrument, price, resting.side, quantity, depth),
                    quote.time,
                    None,
                ),
                Pricing::Limit(limit) => {
                    let limit_price = limit.approximate();
                    let through = match resting.side {
                        Side::Buy => price <= limit_price,
                        Side::Sell => price >= limit_price,
                    };
                    if !through {
                        Outcome::Wait
                    } else if resting.acknowledged {
                        Outcome::Execute(limit_price, quote.time, Some(limit))
                    } else {
                        let price =
                            slipped(&resting.settings, instrument, price, resting.side, quantity, depth);
                        Outcome::Execute(price, quote.time, Some(limit))
                    }
                }
            }
        });
    }

    /// Executes market orders at a price that others traded at, or at a bar's close.
    pub fn on_price(
        &mut self,
        id: InstrumentId,
        price: f64,
        volume: f64,
        time: Timestamp,
        instrument: &Instrument,
        reports: &mut Vec<Report>,
    ) {
        self.execute(id, instrument, volume, None, reports, |resting, quantity| {
            if resting.expiry.is_some_and(|expiry| time > expiry) {
                return Outcome::Expire(time);
            }
            if resting.arrival > time {
                return Outcome::Underway;
            }
            match resting.pricing {
                Pricing::Market => Outcome::Execute(
                    slipped(&resting.settings, instrument, price, resting.side, quantity, volume),
                    time,
                    None,
                ),
                Pricing::Limit(limit) => {
                    let limit_price = limit.approximate();
                    let through = match resting.side {
                        Side::Buy => price < limit_price,
                        Side::Sell => price > limit_price,
                    };
                    if !through {
                        Outcome::Wait
                    } else if resting.acknowledged {
                        Outcome::Execute(limit_price, time, Some(limit))
                    } else {
                        // It comes in through the market and so never rests.
                        let price =
                            slipped(&resting.settings, instrument, price, resting.side, quantity, volume);
                        Outcome::Execute(price, time, Some(limit))
                    }
                }
            }
        });
    }

    /// Whether a strategy's next transaction fails.
    fn fails(&mut self, strategy: StrategyId) -> bool {
        let Ok(index) = usize::try_from(strategy.0) else { return false };
        if self.settings.failure_probability <= 0.0 {
            return false;
        }
        if self.transactions.len() <= index {
            self.transactions.resize(index + 1, 0);
        }
        self.transactions[index] += 1;
        let number = (u64::from(strategy.0) << 40).wrapping_add(self.transactions[index]);
        uniform(self.settings.seed, number) < self.settings.failure_probability
    }

    fn execute(
        &mut self,
        id: InstrumentId,
        instrument: &Instrument,
        volume: f64,
        bar: Option<Timestamp>,
        reports: &mut Vec<Report>,
        outcome: impl Fn(&Resting, f64) -> Outcome,
    ) {
        let Ok(index) = usize::try_from(id.0) else { return };
        let Some(book) = self.resting.get_mut(index) else { return };
        book.retain_mut(|resting| {
            let settings = &resting.settings;
            let quantity = available(settings, resting.remaining, volume, instrument);
            match outcome(resting, quantity.approximate()) {
                Outcome::Wait => {
                    if !resting.acknowledged {
                        resting.acknowledged = true;
                        let event = ReportedEvent::Acknowledged;
                        reports.push(Report { order: resting.order, time: resting.arrival, event });
                    }
                    true
                }
                Outcome::Underway => true,
                Outcome::Expire(time) => {
                    reports.push(Report { order: resting.order, time, event: ReportedEvent::Expired });
                    false
                }
                Outcome::Execute(..) if quantity.is_zero() => true,
                Outcome::Execute(price, time, limit) => {
                    let event = execution(settings, instrument, resting.side, quantity, price, limit);
                    let executed = matches!(event, ReportedEvent::Executed { .. });
                    reports.push(Report { order: resting.order, time, event });
                    match resting.remaining.minus(quantity) {
                        Ok(rest) if executed && rest.is_positive() => {
                            resting.remaining = rest;
                            resting.served = bar;
                            true
                        }
                        _ => false,
                    }
                }
            }
        });
    }
}

enum Outcome {
    /// It has not arrived.
    Underway,
    /// It rests.
    Wait,
    Expire(Timestamp),
    /// At this price and time, not past the limit.
    Execute(f64, Timestamp, Option<Price>),
}

fn worse(side: Side, first: f64, second: f64) -> f64 {
    match side {
        Side::Buy => first.max(second),
        Side::Sell => first.min(second),
    }
}

fn slipped(
    settings: &PaperSettings,
    instrument: &Instrument,
    price: f64,
    side: Side,
    quantity: f64,
    volume: f64,
) -> f64 {
    let slippage = settings.slippage(quantity, volume);
    match side {
        Side::Buy => price * (1.0 + slippage),
        // A sale that is huge beside the volume gets almost nothing, but something: an exit must get out.
        Side::Sell => {
            let least = price.min(instrument.tick.approximate());
            (price * (1.0 - slippage.min(LARGEST_DISCOUNT))).max(least)
        }
    }
}

/// The largest part of the price that slippage takes from a sale.
const LARGEST_DISCOUNT: f64 = 0.99;

/// How much of an order one event executes.
fn available(
    settings: &PaperSettings,
    remaining: Quantity,
    volume: f64,
    instrument: &Instrument,
) -> Quantity {
    match settings.participation {
        Some(part) if volume > 0.0 => {
            instrument.quantity(part * volume, Rounding::Down).map_or(remaining, |most| remaining.min(most))
        }
        _ => remaining,
    }
}

fn execution(
    settings: &PaperSettings,
    instrument: &Instrument,
    side: Side,
    quantity: Quantity,
    price: f64,
    limit: Option<Price>,
) -> ReportedEvent {
    let against = match side {
        Side::Buy => Rounding::Up,
        Side::Sell => Rounding::Down,
    };
    let executed = instrument.price(price, against).and_then(|price| {
        let price = match (side, limit) {
            (Side::Buy, Some(limit)) => price.min(limit),
            (Side::Sell, Some(limit)) => price.max(limit),
            (_, None) => price,
        };
        let fee = settings.fee(price.value_of(quantity).ok()?).ok()?;
        Some(ReportedEvent::Executed { quantity, price, fee })
    });
    executed.unwrap_or_else(|| ReportedEvent::Rejected {
        reason: format!("{price} is no price of {}, or its value is out of range", instrument.symbol),
        gas: Money::ZERO,
    })
}

/// A number from 0 to 1 that depends on seed and number alone (the finaliser of Steele's `SplitMix64`).
fn uniform(seed: u64, number: u64) -> f64 {
    let mut bits = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11).to_f64().unwrap_or(0.0) / 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::OrderTag;
    use crate::order::Origin;

    const X: InstrumentId = InstrumentId(0);

    fn instrument() -> Instrument {
        Instrument::new("X-USD", 2, 3)
    }

    fn bar(minute: i64, open: f64, high: f64, low: f64, close: f64) -> Bar {
        let open_time = Timestamp::from_seconds(minute * 60);
        Bar { instrument: X, interval: Span::MINUTE, open_time, open, high, low, close, volume: 1_000.0 }
    }

    fn order(id: u64, side: Side, pricing: Pricing) -> OrderTerms {
        OrderTerms {
            id: OrderId(id),
            strategy: StrategyId(0),
            tag: OrderTag(1),
            instrument: X,
            side,
            quantity: Quantity(Decimal::from(10)),
            pricing,
            origin: Origin::Strategy,
            created: Timestamp::EPOCH,
            reference_price: Price(Decimal::from(100)),
            confidence: 1.0,
            reason: String::new(),
            exits: None,
        }
    }

    fn limit(price: i64) -> Pricing {
        Pricing::Limit(Price(Decimal::from(price)))
    }

    /// All phases of a bar; the price of each execution, as text.
    fn run(venue: &mut PaperVenue, bar: &Bar) -> Vec<String> {
        let mut reports = Vec::new();
        for phase in [BarPhase::Open, BarPhase::Buys, BarPhase::Sales] {
            venue.on_bar(bar, phase, &instrument(), &mut reports);
        }
        reports
            .iter()
            .filter_map(|report| match &report.event {
                ReportedEvent::Executed { price, .. } => Some(price.0.normalize().to_string()),
                ReportedEvent::Acknowledged
                | ReportedEvent::Settled { .. }
                | ReportedEvent::Cancelled { .. } => None,
                ReportedEvent::Rejected { reason, .. } => Some(reason.clone()),
                ReportedEvent::Expired => Some("expired".to_owned()),
            })
            .collect()
    }

    fn with(settings: PaperSettings, orders: &[OrderTerms]) -> PaperVenue {
        let mut venue = PaperVenue::new(settings, 1);
        for terms in orders {
            venue.accept(terms, Timestamp::EPOCH, &mut Vec::new());
        }
        venue
    }

    fn exact() -> PaperSettings {
        PaperSettings::exact(Decimal::TEN)
    }

    #[test]
    fn a_market_order_fills_at_the_next_open() {
        let mut venue = with(exact(), &[order(1, Side::Buy, Pricing::Market)]);
        assert_eq!(run(&mut venue, &bar(0, 101.0, 105.0, 99.0, 104.0)), ["101"]);
        assert!(venue.is_idle(X));
    }

    #[test]
    fn an_order_that_arrives_inside_a_bar_gets_the_worse_of_open_and_close() {
        let late = PaperSettings { latency: Span::from_seconds(2), ..exact() };
        let mut buy = with(late.clone(), &[order(1, Side::Buy, Pricing::Market)]);
        assert_eq!(run(&mut buy, &bar(0, 101.0, 105.0, 99.0, 104.0)), ["104"]);
        let mut sell = with(late, &[order(1, Side::Sell, Pricing::Market)]);
        assert_eq!(run(&mut sell, &bar(0, 101.0, 105.0, 99.0, 104.0)), ["101"]);
    }

    #[test]
    fn a_limit_needs_a_trade_through_and_gains_from_a_gap() {
        let mut touch = with(exact(), &[order(1, Side::Buy, limit(99))]);
        assert!(run(&mut touch, &bar(0, 101.0, 105.0, 99.0, 104.0)).is_empty());
        assert_eq!(run(&mut touch, &bar(1, 100.0, 105.0, 98.99, 104.0)), ["99"]);
        let mut gap = with(exact(), &[order(1, Side::Sell, limit(103))]);
        assert_eq!(run(&mut gap, &bar(0, 107.0, 108.0, 104.0, 105.0)), ["107"]);
    }

    #[test]
    fn slippage_never_goes_past_a_limit() {
        let rough = PaperSettings { slippage_bps: 200.0, ..exact() };
        let mut venue = with(rough, &[order(1, Side::Buy, limit(102)), order(2, Side::Buy, Pricing::Market)]);
        assert_eq!(run(&mut venue, &bar(0, 101.0, 105.0, 99.0, 104.0)), ["102", "103.02"]);
    }

    #[test]
    fn impact_grows_with_the_square_root_of_the_part_of_volume() {
        let settings = PaperSettings { impact_bps: 100.0, ..exact() };
        assert!((settings.slippage(10.0, 1_000.0) - 0.001).abs() < 1e-12);
        assert!((settings.slippage(40.0, 1_000.0) - 0.002).abs() < 1e-12);
        assert!(settings.slippage(40.0, 0.0).abs() < 1e-12);
    }

    #[test]
    fn a_large_order_fills_over_several_bars() {
        let thin = PaperSettings { participation: Some(0.004), ..exact() };
        let mut venue = with(thin, &[order(1, Side::Buy, Pricing::Market)]);
        let prices: Vec<_> =
            (0..4).map(|m| run(&mut venue, &bar(m, 100.0 + m as f64, 110.0, 90.0, 100.0))).collect();
        assert_eq!(prices, [vec!["100"], vec!["101"], vec!["102"], vec![]]);
    }

    #[test]
    fn a_market_order_expires_when_no_price_comes_in_time() {
        let impatient = PaperSettings { market_order_timeout: Some(Span::MINUTE), ..exact() };
        let mut venue = with(impatient, &[order(1, Side::Buy, Pricing::Market)]);
        assert_eq!(run(&mut venue, &bar(5, 100.0, 110.0, 90.0, 100.0)), ["expired"]);
    }

    #[test]
    fn a_quote_fills_at_the_far_side() {
        let quote = Quote {
            instrument: X,
            time: Timestamp::EPOCH,
            bid: 99.0,
            ask: 101.0,
            bid_size: 0.0,
            ask_size: 0.0,
            liquidity: 0.0,
        };
        for (side, expected) in [(Side::Buy, "101"), (Side::Sell, "99")] {
            let mut venue = with(exact(), &[order(1, side, Pricing::Market)]);
            let mut reports = Vec::new();
            venue.on_quote(&quote, &instrument(), &mut reports);
            assert!(
                matches!(&reports[0].event, ReportedEvent::Executed { price, .. } if price.to_string().starts_with(expected))
            );
        }
    }

    #[test]
    fn failures_follow_the_seed() {
        let failing = |seed| PaperSettings { failure_probability: 0.3, seed, ..exact() };
        let failed = |seed| -> Vec<u64> {
            let mut venue = PaperVenue::new(failing(seed), 1);
            (0..1_000).filter(|_| venue.fails(StrategyId(0))).collect()
        };
        assert_eq!(failed(7), failed(7));
        assert_ne!(failed(7), failed(8));
        assert!((250..350).contains(&failed(7).len()), "{}", failed(7).len());
    }
}
