//! Whether settings make sense, as a whole. Every problem is named at once.

use std::fmt;

use rust_decimal::Decimal;

use super::{ChangeableSettings, EngineSettings};
use crate::exits::ExitPolicy;
use crate::instrument::Instrument;
use crate::money::Money;
use crate::risk::{BreakerSettings, RiskLimits};
use crate::sizing::Sizing;
use crate::time::Span;
use crate::venue::paper::PaperSettings;

/// One setting that can't be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// Its path, such as `risk.max_order`.
    pub setting: String,
    /// What was found.
    pub found: String,
    /// What is allowed.
    pub allowed: &'static str,
}

/// All that is wrong with settings. None of them was taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidSettings(pub Vec<SettingProblem>);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the settings were not changed: ")?;
        for (place, problem) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            let SettingProblem { setting, found, allowed } = problem;
            write!(formatter, "{separator}{setting} is {found}, {allowed} is allowed")?;
        }
        Ok(())
    }
}

/// Collects what is wrong.
#[derive(Default)]
struct Findings(Vec<SettingProblem>);

const FRACTION: &str = "a fraction above 0 and at most 1";
const NOT_NEGATIVE: &str = "0 or more";
const BASIS_POINTS: &str = "0 to 10000 basis points";

impl Findings {
    fn check(&mut self, right: bool, setting: &str, found: impl fmt::Display, allowed: &'static str) {
        if !right {
            self.0.push(SettingProblem { setting: setting.to_owned(), found: found.to_string(), allowed });
        }
    }

    fn fraction(&mut self, setting: &str, value: Option<Decimal>) {
        if let Some(value) = value {
            self.check(value > Decimal::ZERO && value <= Decimal::ONE, setting, value, FRACTION);
        }
    }

    /// A comparison with what is not a number fails.
    fn number(&mut self, setting: &str, value: Option<f64>, most: f64, allowed: &'static str) {
        if let Some(value) = value {
            self.check((0.0..=most).contains(&value), setting, value, allowed);
        }
    }

    fn span(&mut self, setting: &str, value: Option<Span>) {
        if let Some(value) = value {
            self.check(value >= Span::ZERO, setting, value, NOT_NEGATIVE);
        }
    }

    fn amount(&mut self, setting: &str, value: Option<Money>) {
        if let Some(value) = value {
            self.check(!value.is_negative(), setting, value, NOT_NEGATIVE);
        }
    }
}

impl ChangeableSettings {
    /// Whether an engine that works by `current` can go over to these.
    ///
    /// # Errors
    ///
    /// [`InvalidSettings`] with every problem.
    pub fn check(&self, current: &EngineSettings) -> Result<(), InvalidSettings> {
        let mut findings = Findings::default();
        instruments(&self.instruments, &current.instruments, &mut findings);
        limits(&self.risk, &mut findings);
        exits(&self.risk.exits, &mut findings);
        breakers(&self.risk.breakers, &mut findings);
        sizing(&self.sizing, &mut findings);
        venue(&self.venue, &current.venue, &mut findings);
        findings.span("faults.window", Some(self.faults.window));
        findings.span("faults.restart_after", Some(self.faults.restart_after));
        findings.span("rebalance_every", Some(self.rebalance_every));
        if findings.0.is_empty() { Ok(()) } else { Err(InvalidSettings(findings.0)) }
    }
}

fn instruments(new: &[Instrument], old: &[Instrument], findings: &mut Findings) {
    findings.check(new.len() >= old.len(), "instruments", new.len(), "as many as there are, or more");
    for (place, instrument) in new.iter().enumerate() {
        let of = |field: &str| format!("instruments.{place}.{field}");
        if let Some(old) = old.get(place) {
            findings.check(
                instrument.symbol == old.symbol,
                &of("symbol"),
                &instrument.symbol,
                "what has this place already",
            );
            let same = (instrument.tick, instrument.lot) == (old.tick, old.lot);
            let grid = format!("tick {} and lot {}", instrument.tick, instrument.lot);
            findings.check(same, &of("grid"), grid, "the one it has");
        } else {
            let listed = new.iter().take(place).any(|other| other.symbol == instrument.symbol);
            findings.check(!listed, &of("symbol"), &instrument.symbol, "one that is not listed yet");
            findings.check(instrument.tick.is_positive(), &of("tick"), instrument.tick, "a step above 0");
            findings.check(instrument.lot.is_positive(), &of("lot"), instrument.lot, "a step above 0");
        }
        findings.amount(&of("min_notional"), Some(instrument.min_notional));
    }
}

fn limits(risk: &RiskLimits, findings: &mut Findings) {
    for (setting, value) in [
        ("risk.gas_cap", risk.gas_cap),
        ("risk.max_order", risk.max_order),
        ("risk.max_position", risk.max_position),
        ("risk.max_exposure", risk.max_exposure),
        ("risk.max_cluster", risk.max_cluster),
        ("risk.max_open_risk", risk.max_open_risk),
        ("risk.daily_loss", risk.daily_loss),
        ("risk.drawdown", risk.drawdown),
    ] {
        findings.fraction(setting, value);
    }
    findings.number("risk.price_collar", risk.price_collar, 1.0, "a fraction from 0 to 1");
    findings.number("risk.slippage_cap_bps", risk.slippage_cap_bps, 10_000.0, BASIS_POINTS);
    findings.number("risk.min_liquidity", risk.min_liquidity, f64::MAX, NOT_NEGATIVE);
    findings.number("risk.max_liquidity_share", risk.max_liquidity_share, 1.0, "a fraction from 0 to 1");
    findings.span("risk.cooldown", risk.cooldown);
    findings.span("risk.max_price_age", risk.max_price_age);
    findings.amount("risk.min_order", risk.min_order);
    let margin = risk.reserve_margin;
    let right = (Decimal::ZERO..=Decimal::ONE).contains(&margin);
    findings.check(right, "risk.reserve_margin", margin, "a fraction from 0 to 1");
}

fn exits(policy: &ExitPolicy, findings: &mut Findings) {
    if let Err(reason) = policy.default_plan.validate() {
        findings.check(false, "risk.exits.default_plan", reason, "a sound plan");
    }
    if let Some(widest) = policy.widest_stop {
        let right = widest > 0.0 && widest < 1.0;
        findings.check(right, "risk.exits.widest_stop", widest, "a fraction above 0 and below 1");
    }
    if let Some(longest) = policy.longest_holding {
        findings.check(longest > Span::ZERO, "risk.exits.longest_holding", longest, "more than 0");
    }
}

fn breakers(breakers: &BreakerSettings, findings: &mut Findings) {
    if let Some(error_rate) = breakers.error_rate {
        let right = (1..=error_rate.among).contains(&error_rate.failures);
        findings.check(right, "risk.breakers.error_rate.failures", error_rate.failures, "1 to `among`");
        findings.span("risk.breakers.error_rate.pause", Some(error_rate.pause));
    }
    if let Some(streak) = breakers.losing_streak {
        let right = streak.losses >= 1;
        findings.check(right, "risk.breakers.losing_streak.losses", streak.losses, "1 or more");
        findings.span("risk.breakers.losing_streak.pause", Some(streak.pause));
    }
    if let Some(times) = breakers.daily_loss {
        findings.check(times >= Decimal::ONE, "risk.breakers.daily_loss", times, "1 or more times the limit");
    }
    findings.fraction("risk.breakers.drawdown", breakers.drawdown);
    if let Some(stale) = breakers.stale_data {
        findings.span("risk.breakers.stale_data.after", Some(stale.after));
        findings.span("risk.breakers.stale_data.pause", Some(stale.pause));
    }
    let probing = breakers.probing;
    findings.check(probing.orders >= 1, "risk.breakers.probing.orders", probing.orders, "1 or more");
    findings.fraction("risk.breakers.probing.largest", Some(probing.largest));
    findings.span("risk.breakers.probing.longest_pause", Some(probing.longest_pause));
}

fn sizing(sizing: &Sizing, findings: &mut Findings) {
    match sizing {
        Sizing::Quantity(quantity) => {
            findings.check(quantity.is_positive(), "sizing.quantity", quantity, "more than 0");
        }
        Sizing::Notional(notional) => {
            findings.check(notional.is_positive(), "sizing.notional", notional, "more than 0");
        }
        Sizing::Fraction(policy) => {
            findings.fraction("sizing.fraction", Some(policy.fraction));
            for (setting, value) in [
                ("sizing.reference_volatility", policy.reference_volatility),
                ("sizing.reference_drawdown", policy.reference_drawdown),
            ] {
                if let Some(value) = value {
                    let right = value > 0.0 && value < f64::INFINITY;
                    findings.check(right, setting, value, "more than 0");
                }
            }
            if let Some(kelly) = policy.kelly {
                let right = (Decimal::ZERO..=Decimal::ONE).contains(&kelly);
                findings.check(right, "sizing.kelly", kelly, "a fraction from 0 to 1");
            }
        }
    }
}

fn venue(venue: &PaperSettings, current: &PaperSettings, findings: &mut Findings) {
    let timing = format!("{:?}", venue.timing);
    findings.check(venue.timing == current.timing, "venue.timing", timing, "the one that the engine has");
    findings.check(venue.seed == current.seed, "venue.seed", venue.seed, "the one that the engine has");
    let fee = (Decimal::ZERO..=Decimal::from(10_000)).contains(&venue.fee_bps);
    findings.check(fee, "venue.fee_bps", venue.fee_bps, BASIS_POINTS);
    findings.number("venue.slippage_bps", Some(venue.slippage_bps), 10_000.0, BASIS_POINTS);
    findings.number("venue.impact_bps", Some(venue.impact_bps), 10_000.0, BASIS_POINTS);
    if let Some(part) = venue.participation {
        findings.check(part > 0.0 && part <= 1.0, "venue.participation", part, FRACTION);
    }
    findings.number(
        "venue.failure_probability",
        Some(venue.failure_probability),
        1.0,
        "a probability from 0 to 1",
    );
    findings.span("venue.latency", Some(venue.latency));
    findings.span("venue.market_order_timeout", venue.market_order_timeout);
    findings.amount("venue.gas", Some(venue.gas));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Price, Quantity};

    fn current() -> EngineSettings {
        let instruments = vec![Instrument::new("X-USD", 2, 3), Instrument::new("Y-USD", 2, 3)];
        EngineSettings::new(instruments, Money(Decimal::from(1_000)))
    }

    fn problems(change: impl FnOnce(&mut ChangeableSettings)) -> Vec<String> {
        let mut settings = current().changeable();
        change(&mut settings);
        let problems = settings.check(&current()).err().map_or(Vec::new(), |invalid| invalid.0);
        problems.into_iter().map(|problem| problem.setting).collect()
    }

    #[test]
    fn the_defaults_and_none_are_sound() {
        assert!(problems(|_| {}).is_empty());
        assert!(problems(|settings| settings.risk = RiskLimits::none()).is_empty());
        assert!(problems(|settings| settings.venue.fee_bps = Decimal::ZERO).is_empty());
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let found = problems(|settings| {
            settings.risk.max_order = Some(Decimal::TWO);
            settings.risk.price_collar = Some(f64::NAN);
            settings.risk.exits.widest_stop = Some(1.0);
            settings.risk.breakers.probing.orders = 0;
            settings.sizing = Sizing::Quantity(Quantity::ZERO);
            settings.venue.seed += 1;
            settings.venue.latency = Span::from_nanos(-1);
            settings.rebalance_every = Span::from_nanos(-1);
        });
        let expected = [
            "risk.max_order",
            "risk.price_collar",
            "risk.exits.widest_stop",
            "risk.breakers.probing.orders",
            "sizing.quantity",
            "venue.seed",
            "venue.latency",
            "rebalance_every",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn instruments_can_be_appended_and_neither_renumbered_nor_given_another_grid() {
        assert!(problems(|s| s.instruments.push(Instrument::new("Z-USD", 4, 0))).is_empty());
        assert!(problems(|s| s.instruments[0].cluster = "majors".to_owned()).is_empty());
        assert_eq!(problems(|s| s.instruments.truncate(1)), ["instruments"]);
        let swapped = problems(|s| s.instruments.swap(0, 1));
        assert_eq!(swapped, ["instruments.0.symbol", "instruments.1.symbol"]);
        assert_eq!(problems(|s| s.instruments[1].tick = Price(Decimal::ONE)), ["instruments.1.grid"]);
        let twice = problems(|s| s.instruments.push(Instrument::new("X-USD", 2, 3)));
        assert_eq!(twice, ["instruments.2.symbol"]);
        let flat = Instrument { lot: Quantity::ZERO, ..Instrument::new("Z-USD", 2, 3) };
        assert_eq!(problems(|s| s.instruments.push(flat)), ["instruments.2.lot"]);
    }

    #[test]
    fn the_message_says_what_was_found_and_what_is_allowed() {
        let mut settings = current().changeable();
        settings.risk.daily_loss = Some(Decimal::TWO);
        let message = settings.check(&current()).unwrap_err().to_string();
        let expected = "the settings were not changed: risk.daily_loss is 2, a fraction above 0 and at most 1 \
                        is allowed";
        assert_eq!(message, expected);
    }
}
