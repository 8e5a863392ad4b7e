//! The gate itself. Checks run from the cheap and general to the particular; the first that fails refuses.
//! A fact that a limit needs and that is missing refuses too.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;

use crate::input::{Actor, StrategyMode};
use crate::instrument::Instrument;
use crate::ledger::{Ledger, LedgerError};
use crate::money::{Money, Overflow, Price, Quantity};
use crate::order::{Order, OrderTerms, Pricing, Side};
use crate::risk::{Breakers, Halt, Refusal, RefusalCode, RiskLimits};
use crate::time::{Span, Timestamp};

/// What is set aside for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reservation {
    Money(Money),
    Quantity(Quantity),
}

/// An order that passed the gate. Only the gate makes one, and only one can become an [`Order`].
#[derive(Debug)]
pub struct ApprovedOrder {
    terms: OrderTerms,
    reservation: Reservation,
}

impl ApprovedOrder {
    /// Sets aside what the order needs.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it is not there; the books are then unchanged.
    pub fn reserve(self, ledger: &mut Ledger) -> Result<Order, LedgerError> {
        let Self { terms, reservation } = self;
        Ok(match reservation {
            Reservation::Money(amount) => {
                ledger.reserve(terms.strategy, amount)?;
                Order::new(terms, amount, Quantity::ZERO)
            }
            Reservation::Quantity(quantity) => {
                ledger.reserve_quantity(terms.strategy, terms.instrument, quantity)?;
                Order::new(terms, Money::ZERO, quantity)
            }
        })
    }
}

/// The account's exposure as an order would find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// Value of the instrument's positions over all strategies, held and in flight.
    pub instrument: Money,
    /// Value of the cluster's positions, held and in flight.
    pub cluster: Money,
    /// Value of all positions, held and in flight.
    pub total: Money,
    /// Value of the strategy's positions, held and in flight.
    pub strategy: Money,
    /// The strategy's share of the account's equity.
    pub strategy_budget: Money,
    /// Loss should every stop be hit.
    pub open_risk: Money,
    /// The part of the new position that its stop puts at risk, 0 to 1.
    pub new_risk: Decimal,
}

/// What the gate knows when it looks at an order.
#[derive(Debug)]
pub struct Situation<'a> {
    /// Event time.
    pub now: Timestamp,
    /// What becomes of the slot's proposals.
    pub mode: StrategyMode,
    /// The halt in force, if it concerns the slot.
    pub halt: Option<&'a Halt>,
    /// The account's breakers, if they concern the slot.
    pub breakers: Option<&'a Breakers>,
    /// The instrument's terms.
    pub instrument: &'a Instrument,
    /// How old the last price is.
    pub price_age: Option<Span>,
    /// The account's equity; a shadow's own.
    pub equity: Money,
    /// Equity at the start of the UTC day, where it is kept.
    pub day_start_equity: Option<Money>,
    /// Highest equity so far, where it is kept.
    pub peak_equity: Option<Money>,
    /// Needed when [`RiskLimits::look_at_exposure`].
    pub exposure: Option<Exposure>,
    /// When the strategy last closed a position in the instrument.
    pub last_closed: Option<Timestamp>,
    /// Orders of the account in the last minute.
    pub recent_orders: u32,
    /// Whether the same order is working.
    pub duplicate: bool,
    /// Expected slippage, as a fraction.
    pub expected_slippage: f64,
    /// Expected gas.
    pub gas: Money,
    /// Expected fee with gas.
    pub fee: Money,
    /// Depth of the pool, when known.
    pub liquidity: Option<f64>,
    /// The strategy's free cash.
    pub free_cash: Money,
}

/// Checks an order that opens or adds to a position.
///
/// # Errors
///
/// The [`Refusal`] with its numbers.
pub fn check_entry(
    terms: OrderTerms,
    limits: &RiskLimits,
    situation: &Situation<'_>,
) -> Result<ApprovedOrder, Refusal> {
    let s = situation;
    let refuse = |code, facts: String| Err(Refusal::new(code, facts));
    if s.mode == StrategyMode::Off {
        return refuse(RefusalCode::Mode, format!("mode={}", s.mode.name()));
    }
    if let Some(halt) = s.halt {
        let code = match halt.actor {
            Actor::Person(_) => RefusalCode::KillSwitch,
            Actor::Host(_) => RefusalCode::AccountHalted,
        };
        return refuse(code, format!("reason=\"{}\" actor=\"{}\"", halt.reason, halt.actor));
    }
    if let Some(breakers) = s.breakers.filter(|breakers| !breakers.are_closed()) {
        breakers.admit(s.now, value_of(&terms)?, s.equity, &limits.breakers)?;
    }
    if limits.allowed_symbols.as_ref().is_some_and(|allowed| !allowed.contains(&s.instrument.symbol)) {
        return refuse(RefusalCode::InstrumentNotAllowed, format!("symbol={}", s.instrument.symbol));
    }
    let Some(age) = s.price_age else {
        return refuse(RefusalCode::PriceUnknown, format!("symbol={}", s.instrument.symbol));
    };
    if let Some(oldest) = limits.max_price_age.filter(|oldest| age > *oldest) {
        return refuse(RefusalCode::PriceStale, format!("age={age} limit={oldest}"));
    }
    if let (Some(cooldown), Some(closed)) = (limits.cooldown, s.last_closed)
        && s.now < closed.plus(cooldown)
    {
        let left = closed.plus(cooldown).since(s.now);
        return refuse(RefusalCode::Cooldown, format!("left={left} cooldown={cooldown}"));
    }
    if let Some(most) = limits.orders_per_minute.filter(|most| s.recent_orders >= *most) {
        return refuse(RefusalCode::OrderRate, format!("orders={} limit={most} span=1m", s.recent_orders));
    }
    if limits.refuse_duplicates && s.duplicate {
        return refuse(
            RefusalCode::Duplicate,
            format!("quantity={} side={}", terms.quantity, terms.side.name()),
        );
    }
    check_price(&terms, limits, s)?;
    check_equity(limits, s)?;
    let value = value_of(&terms)?;
    check_size(value, limits, s)?;
    if limits.look_at_exposure() {
        check_exposure(value, limits, s)?;
    }
    let margin = match terms.pricing {
        Pricing::Market => value.scaled(limits.reserve_margin).map_err(out_of_range)?,
        Pricing::Limit(_) => Money::ZERO,
    };
    let needed = value.plus(margin).and_then(|sum| sum.plus(s.fee)).map_err(out_of_range)?.rounded_up();
    if needed > s.free_cash {
        return refuse(RefusalCode::InsufficientCash, format!("needed={needed} free={}", s.free_cash));
    }
    Ok(ApprovedOrder { terms, reservation: Reservation::Money(needed) })
}

/// Checks an order that reduces a position: a strategy's sale, or an exit of the host's. Nothing that
/// protects the account stands in its way.
///
/// # Errors
///
/// The [`Refusal`] when there is nothing to sell.
pub fn check_reduction(terms: OrderTerms, free: Quantity) -> Result<ApprovedOrder, Refusal> {
    if !terms.quantity.is_positive() {
        return Err(Refusal::new(RefusalCode::InvalidSize, format!("quantity={}", terms.quantity)));
    }
    if terms.side != Side::Sell || terms.quantity > free {
        return Err(Refusal::new(
            RefusalCode::NothingToSell,
            format!("quantity={} free={free}", terms.quantity),
        ));
    }
    let reservation = Reservation::Quantity(terms.quantity);
    Ok(ApprovedOrder { terms, reservation })
}

pub(super) fn out_of_range(overflow: Overflow) -> Refusal {
    Refusal::new(RefusalCode::InvalidSize, format!("error=\"{overflow}\""))
}

fn value_of(terms: &OrderTerms) -> Result<Money, Refusal> {
    if !terms.quantity.is_positive() {
        return Err(Refusal::new(RefusalCode::InvalidSize, format!("quantity={}", terms.quantity)));
    }
    let value = terms.expected_price().value_of(terms.quantity).map_err(out_of_range)?;
    if !value.is_positive() {
        return Err(Refusal::new(RefusalCode::InvalidSize, format!("quantity={} value=0", terms.quantity)));
    }
    Ok(value)
}

fn check_price(terms: &OrderTerms, limits: &RiskLimits, s: &Situation<'_>) -> Result<(), Refusal> {
    if let (Some(collar), Pricing::Limit(limit)) = (limits.price_collar, terms.pricing) {
        let distance = distance(limit, terms.reference_price);
        if distance.is_none_or(|distance| distance > collar) {
            let facts = format!("limit={limit} last={} collar={collar}", terms.reference_price);
            return Err(Refusal::new(RefusalCode::PriceCollar, facts));
        }
    }
    let slippage_bps = s.expected_slippage * 10_000.0;
    if let Some(cap) = limits.slippage_cap_bps
        && (slippage_bps.is_nan() || slippage_bps > cap)
    {
        return Err(Refusal::new(
            RefusalCode::SlippageCap,
            format!("expected_bps={slippage_bps:.1} cap_bps={cap}"),
        ));
    }
    Ok(())
}

fn distance(price: Price, reference: Price) -> Option<f64> {
    let reference = reference.approximate();
    (reference > 0.0).then(|| (price.approximate() / reference - 1.0).abs())
}

fn check_equity(limits: &RiskLimits, s: &Situation<'_>) -> Result<(), Refusal> {
    let fallen = |from: Money| from.minus(s.equity).map_err(out_of_range);
    if let (Some(limit), Some(start)) = (limits.daily_loss, s.day_start_equity) {
        let (loss, most) = (fallen(start)?, start.scaled(limit).map_err(out_of_range)?);
        if loss >= most && loss.is_positive() {
            return Err(Refusal::new(RefusalCode::DailyLoss, format!("loss={loss} limit={most}")));
        }
    }
    if let (Some(limit), Some(peak)) = (limits.drawdown, s.peak_equity) {
        let (fall, most) = (fallen(peak)?, peak.scaled(limit).map_err(out_of_range)?);
        if fall >= most && fall.is_positive() {
            return Err(Refusal::new(RefusalCode::Drawdown, format!("fall={fall} limit={most} peak={peak}")));
        }
    }
    Ok(())
}

fn check_size(value: Money, limits: &RiskLimits, s: &Situation<'_>) -> Result<(), Refusal> {
    let smallest =
        limits.min_order.map_or(s.instrument.min_notional, |min| min.max(s.instrument.min_notional));
    if value < smallest {
        return Err(Refusal::new(RefusalCode::OrderTooSmall, format!("value={value} min={smallest}")));
    }
    if let Some(cap) = limits.gas_cap {
        let most = value.scaled(cap).map_err(out_of_range)?;
        if s.gas > most {
            return Err(Refusal::new(RefusalCode::GasCap, format!("gas={} cap={most}", s.gas)));
        }
    }
    if let Some(liquidity) = s.liquidity {
        if let Some(least) = limits.min_liquidity.filter(|least| liquidity < *least) {
            return Err(Refusal::new(
                RefusalCode::Liquidity,
                format!("liquidity={liquidity:.0} min={least:.0}"),
            ));
        }
        let part = value.approximate() / liquidity;
        if let Some(most) = limits.max_liquidity_share
            && (part.is_nan() || part > most)
        {
            return Err(Refusal::new(RefusalCode::Liquidity, format!("part={part:.4} limit={most}")));
        }
    }
    Ok(())
}

fn check_exposure(value: Money, limits: &RiskLimits, s: &Situation<'_>) -> Result<(), Refusal> {
    let Some(exposure) = s.exposure else {
        return Err(Refusal::new(RefusalCode::ExposureLimit, "exposure=unknown"));
    };
    let within = |code, held: Money, added: Money, most: Money| {
        let after = held.plus(added).map_err(out_of_range)?;
        if after > most {
            return Err(Refusal::new(code, format!("held={held} added={added} limit={most}")));
        }
        Ok(())
    };
    let of_equity = |fraction: Decimal| s.equity.scaled(fraction).map_err(out_of_range);
    if let Some(fraction) = limits.max_order {
        within(RefusalCode::OrderTooLarge, Money::ZERO, value, of_equity(fraction)?)?;
    }
    if let Some(fraction) = limits.max_position {
        within(RefusalCode::PositionLimit, exposure.instrument, value, of_equity(fraction)?)?;
    }
    if let Some(fraction) = limits.max_cluster.filter(|_| !s.instrument.cluster.is_empty()) {
        within(RefusalCode::ClusterLimit, exposure.cluster, value, of_equity(fraction)?)?;
    }
    if let Some(fraction) = limits.max_exposure {
        within(RefusalCode::ExposureLimit, exposure.total, value, of_equity(fraction)?)?;
    }
    if limits.strategy_share {
        within(RefusalCode::StrategyShare, exposure.strategy, value, exposure.strategy_budget)?;
    }
    if let Some(fraction) = limits.max_open_risk {
        let risk = value.scaled(exposure.new_risk).map_err(out_of_range)?;
        within(RefusalCode::OpenRiskLimit, exposure.open_risk, risk, of_equity(fraction)?)?;
    }
    Ok(())
}

/// A guard's risk as a decimal fraction, for the open-risk limit.
pub(crate) fn risk_decimal(fraction: f64) -> Decimal {
    Decimal::from_f64(fraction).map_or(Decimal::ONE, |risk| risk.round_dp(6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::{InstrumentId, OrderId, OrderTag, StrategyId};
    use crate::order::Origin;

    fn money(value: i64) -> Money {
        Money(Decimal::from(value))
    }

    /// An order of 5 units at 100 on an account of 10,000 that passes every default limit.
    fn terms() -> OrderTerms {
        OrderTerms {
            id: OrderId(1),
            strategy: StrategyId(0),
            tag: OrderTag(1),
            instrument: InstrumentId(0),
            side: Side::Buy,
            quantity: Quantity(Decimal::from(5)),
            pricing: Pricing::Market,
            origin: Origin::Strategy,
            created: Timestamp::EPOCH,
            reference_price: Price(Decimal::ONE_HUNDRED),
            confidence: 1.0,
            reason: String::new(),
            exits: None,
        }
    }

    fn situation(instrument: &Instrument) -> Situation<'_> {
        Situation {
            now: Timestamp::from_seconds(10_000),
            mode: StrategyMode::Live,
            halt: None,
            breakers: None,
            instrument,
            price_age: Some(Span::ZERO),
            equity: money(10_000),
            day_start_equity: Some(money(10_000)),
            peak_equity: Some(money(10_000)),
            exposure: Some(Exposure {
                instrument: Money::ZERO,
                cluster: Money::ZERO,
                total: Money::ZERO,
                strategy: Money::ZERO,
                strategy_budget: money(5_000),
                open_risk: Money::ZERO,
                new_risk: Decimal::new(15, 2),
            }),
            last_closed: None,
            recent_orders: 0,
            duplicate: false,
            expected_slippage: 0.0005,
            gas: Money::ZERO,
            fee: Money(Decimal::new(5, 1)),
            liquidity: Some(1_000_000.0),
            free_cash: money(5_000),
        }
    }

    fn limits() -> RiskLimits {
        RiskLimits { allowed_symbols: Some(["X-USD".to_owned()].into()), ..RiskLimits::default() }
    }

    fn instrument() -> Instrument {
        Instrument { cluster: "majors".to_owned(), ..Instrument::new("X-USD", 2, 3) }
    }

    fn refusal(terms: OrderTerms, limits: &RiskLimits, situation: &Situation<'_>) -> RefusalCode {
        check_entry(terms, limits, situation).unwrap_err().code
    }

    #[test]
    fn an_ordinary_order_passes_and_reserves_cost_margin_and_fee() {
        let instrument = instrument();
        let approved = check_entry(terms(), &limits(), &situation(&instrument)).unwrap();
        assert_eq!(approved.reservation, Reservation::Money(Money(Decimal::new(5_055, 1))));
    }

    #[test]
    fn each_limit_refuses_with_its_code() {
        use RefusalCode as C;
        type Change = fn(&mut Situation<'_>);
        let cases: [(C, Change); 19] = [
            (C::Mode, |s| s.mode = StrategyMode::Off),
            (C::PriceUnknown, |s| s.price_age = None),
            (C::PriceStale, |s| s.price_age = Some(Span::from_seconds(301))),
            (C::Cooldown, |s| s.last_closed = Some(Timestamp::from_seconds(6_401))),
            (C::OrderRate, |s| s.recent_orders = 60),
            (C::Duplicate, |s| s.duplicate = true),
            (C::SlippageCap, |s| s.expected_slippage = 0.0101),
            (C::SlippageCap, |s| s.expected_slippage = f64::NAN),
            (C::GasCap, |s| s.gas = money(6)),
            (C::DailyLoss, |s| s.equity = money(9_500)),
            (C::Drawdown, |s| s.peak_equity = Some(money(12_500))),
            (C::OrderTooLarge, |s| s.equity = money(4_999)),
            (C::PositionLimit, |s| s.exposure.as_mut().unwrap().instrument = money(1_501)),
            (C::ClusterLimit, |s| s.exposure.as_mut().unwrap().cluster = money(4_501)),
            (C::ExposureLimit, |s| s.exposure.as_mut().unwrap().total = money(7_501)),
            (C::StrategyShare, |s| s.exposure.as_mut().unwrap().strategy = money(4_501)),
            (C::OpenRiskLimit, |s| s.exposure.as_mut().unwrap().open_risk = money(926)),
            (C::Liquidity, |s| s.liquidity = Some(9_999.0)),
            (C::InsufficientCash, |s| s.free_cash = money(505)),
        ];
        let instrument = instrument();
        for (code, change) in cases {
            let mut situation = situation(&instrument);
            situation.day_start_equity = Some(if code == C::DailyLoss { money(10_000) } else { Money::ZERO });
            change(&mut situation);
            if code == C::OrderTooLarge {
                situation.peak_equity = None;
            }
            assert_eq!(refusal(terms(), &limits(), &situation), code);
        }
    }

    #[test]
    fn a_halt_refuses_with_a_code_that_tells_whose_it_is() {
        let instrument = instrument();
        let halt = |actor| Halt {
            reason: "test".to_owned(),
            actor,
            action: crate::input::HaltAction::StopEntries,
            since: Timestamp::EPOCH,
        };
        let person = halt(Actor::Person("anna".to_owned()));
        let host = halt(Actor::Host("reconciliation".to_owned()));
        let halted = Situation { halt: Some(&person), ..situation(&instrument) };
        let refused = check_entry(terms(), &RiskLimits::none(), &halted).unwrap_err();
        assert_eq!(refused.to_string(), "KILL_SWITCH_ON: reason=\"test\" actor=\"anna\"");
        let halted = Situation { halt: Some(&host), ..situation(&instrument) };
        assert_eq!(refusal(terms(), &limits(), &halted), RefusalCode::AccountHalted);
    }

    #[test]
    fn size_price_and_symbol_are_checked() {
        let instrument = instrument();
        let situation = situation(&instrument);
        let small = OrderTerms { quantity: Quantity(Decimal::new(99, 3)), ..terms() };
        assert_eq!(refusal(small, &limits(), &situation), RefusalCode::OrderTooSmall);
        let nothing = OrderTerms { quantity: Quantity::ZERO, ..terms() };
        assert_eq!(refusal(nothing, &limits(), &situation), RefusalCode::InvalidSize);
        let far = OrderTerms { pricing: Pricing::Limit(Price(Decimal::from(94))), ..terms() };
        assert_eq!(refusal(far, &limits(), &situation), RefusalCode::PriceCollar);
        let other =
            RiskLimits { allowed_symbols: Some(["Y-USD".to_owned()].into()), ..RiskLimits::default() };
        assert_eq!(refusal(terms(), &other, &situation), RefusalCode::InstrumentNotAllowed);
    }

    #[test]
    fn a_missing_fact_refuses() {
        let instrument = instrument();
        let blind = Situation { exposure: None, ..situation(&instrument) };
        assert_eq!(refusal(terms(), &limits(), &blind), RefusalCode::ExposureLimit);
    }

    #[test]
    fn without_limits_only_the_money_counts() {
        let instrument = instrument();
        let bare = Situation {
            exposure: None,
            price_age: Some(Span::DAY),
            recent_orders: 1_000,
            duplicate: true,
            liquidity: Some(1.0),
            ..situation(&instrument)
        };
        assert!(check_entry(terms(), &RiskLimits::none(), &bare).is_ok());
        let poor = Situation { free_cash: money(500), ..bare };
        assert_eq!(refusal(terms(), &RiskLimits::none(), &poor), RefusalCode::InsufficientCash);
    }

    #[test]
    fn a_reduction_needs_only_a_position() {
        let sale = OrderTerms { side: Side::Sell, ..terms() };
        assert!(check_reduction(sale.clone(), Quantity(Decimal::from(5))).is_ok());
        let refused = check_reduction(sale, Quantity(Decimal::from(4))).unwrap_err();
        assert_eq!(refused.to_string(), "SOLVENCY_NOTHING_TO_SELL: quantity=5 free=4");
    }
}
