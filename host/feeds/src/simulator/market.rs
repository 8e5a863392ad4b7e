use std::collections::BTreeMap;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::time::{Span, Timestamp};

use super::correlation::Factor;
use super::price::PriceProcess;
use super::random::Random;
use super::settings::SimulatorSettings;
use crate::error::FeedError;
use crate::feed::{Feed, Progress};
use crate::quality::QualityCounters;

/// The simulated market as a feed. Its instruments are numbered from 0 in the order of the settings.
#[derive(Debug)]
pub struct Simulator {
    random: Random,
    factor: Factor,
    processes: Vec<PriceProcess>,
    independent: Vec<f64>,
    correlated: Vec<f64>,
    crash_probability: f64,
    step: Span,
    next_open: Timestamp,
    steps_done: u64,
    steps: Option<u64>,
    /// What is left of the last step, the next input last.
    waiting: Vec<Input>,
}

impl Simulator {
    /// A market at its start.
    ///
    /// # Errors
    /// When the settings are not valid; the error lists all problems.
    pub fn new(settings: &SimulatorSettings) -> Result<Self, FeedError> {
        let problems = settings.validate();
        if !problems.is_empty() {
            return Err(FeedError::Settings(problems));
        }
        let factor = settings.factor().map_err(|problem| FeedError::Settings(vec![problem]))?;
        let instruments = (0..).map(InstrumentId).zip(&settings.instruments);
        let count = settings.instruments.len();
        Ok(Self {
            random: Random::new(settings.seed, 0),
            factor,
            processes: instruments.map(|(id, one)| PriceProcess::new(settings, one, id)).collect(),
            independent: vec![0.0; count],
            correlated: vec![0.0; count],
            crash_probability: settings.flash_crash_probability,
            step: settings.step,
            next_open: settings.start,
            steps_done: 0,
            steps: settings.steps,
            waiting: Vec::with_capacity(2 * count),
        })
    }

    /// Simulates one step; false when the last one is done, or time itself has ended (in the year 2262).
    fn advance(&mut self) -> bool {
        let open_time = self.next_open;
        let close_time = open_time.plus(self.step);
        if self.steps.is_some_and(|steps| self.steps_done >= steps) || close_time.since(open_time) < self.step
        {
            return false;
        }
        if self.random.chance(self.crash_probability) {
            self.processes.iter_mut().for_each(PriceProcess::crash);
        }
        for (shock, process) in self.independent.iter_mut().zip(&mut self.processes) {
            *shock = process.shock();
        }
        self.factor.apply(&self.independent, &mut self.correlated);
        for (shock, process) in self.correlated.iter().zip(&mut self.processes) {
            let (bar, quote) = process.step(open_time, *shock);
            self.waiting.push(Input { time: close_time, kind: InputKind::Bar(bar) });
            self.waiting.push(Input { time: close_time, kind: InputKind::Quote(quote) });
        }
        self.waiting.reverse();
        self.next_open = close_time;
        self.steps_done += 1;
        true
    }
}

impl Feed for Simulator {
    fn next_batch(&mut self, out: &mut Vec<Input>, max: usize) -> Result<usize, FeedError> {
        let mut count = 0;
        while count < max && (!self.waiting.is_empty() || self.advance()) {
            let Some(input) = self.waiting.pop() else { break };
            out.push(input);
            count += 1;
        }
        Ok(count)
    }

    fn quality(&self) -> BTreeMap<InstrumentId, QualityCounters> {
        BTreeMap::new()
    }

    fn progress(&self) -> Progress {
        Progress { done: self.steps_done, total: self.steps }
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_core::market::{Bar, Quote};
    use sha2::{Digest as _, Sha256};

    use super::super::settings::{Correlation, SimulatedInstrument, VolatilityClustering};
    use super::super::{MAX_PRICE, MIN_PRICE};
    use super::*;

    /// Bars and quotes of each instrument.
    fn run(settings: &SimulatorSettings) -> Vec<(Vec<Bar>, Vec<Quote>)> {
        let mut simulator = Simulator::new(settings).unwrap();
        let mut inputs = Vec::new();
        while simulator.next_batch(&mut inputs, 1_000).unwrap() > 0 {}
        let mut markets = vec![(Vec::new(), Vec::new()); settings.instruments.len()];
        for input in inputs {
            match input.kind {
                InputKind::Bar(bar) => markets[bar.instrument.0 as usize].0.push(bar),
                InputKind::Quote(quote) => markets[quote.instrument.0 as usize].1.push(quote),
                other => panic!("{other:?}"),
            }
        }
        markets
    }

    fn steps(steps: u64) -> SimulatorSettings {
        SimulatorSettings { steps: Some(steps), ..SimulatorSettings::default() }
    }

    /// A geometric Brownian motion and nothing else.
    fn plain(steps: u64) -> SimulatorSettings {
        SimulatorSettings {
            steps: Some(steps),
            regimes: false,
            clustering: VolatilityClustering { reaction: 0.0, persistence: 0.0 },
            tail_degrees: 1e6,
            band: 1e3,
            liquidity_gap_probability: 0.0,
            flash_crash_probability: 0.0,
            instruments: vec![SimulatedInstrument::new("A", 100.0), SimulatedInstrument::new("B", 10.0)],
            ..SimulatorSettings::default()
        }
    }

    fn log_returns(bars: &[Bar]) -> Vec<f64> {
        bars.iter().zip(bars.iter().skip(1)).map(|(before, bar)| (bar.close / before.close).ln()).collect()
    }

    fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
        let (sum, count) =
            values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        sum / count
    }

    fn correlation(left: &[f64], right: &[f64]) -> f64 {
        let centred = |values: &[f64]| {
            let middle = mean(values.iter().copied());
            values.iter().map(|value| value - middle).collect::<Vec<_>>()
        };
        let (left, right) = (centred(left), centred(right));
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        product(&left, &right) / (product(&left, &left) * product(&right, &right)).sqrt()
    }

    fn digest(settings: &SimulatorSettings, batch: usize) -> String {
        let mut simulator = Simulator::new(settings).unwrap();
        let mut hash = Sha256::new();
        let mut inputs = Vec::new();
        while simulator.next_batch(&mut inputs, batch).unwrap() > 0 {
            for input in inputs.drain(..) {
                hash.update(input.time.nanos().to_le_bytes());
                let numbers = match input.kind {
                    InputKind::Bar(bar) => [bar.open, bar.high, bar.low, bar.close, bar.volume],
                    InputKind::Quote(quote) => {
                        [quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.liquidity]
                    }
                    other => panic!("{other:?}"),
                };
                for number in numbers {
                    hash.update(number.to_bits().to_le_bytes());
                }
            }
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_whatever_the_batches() {
        let settings = steps(5_000);
        // Changes only with the market model, never with the platform.
        assert_eq!(digest(&settings, 1_000), "98123980456fe3fa");
        assert_eq!(digest(&settings, 1_000), digest(&settings, 3));
        assert_ne!(
            digest(&settings, 1_000),
            digest(&SimulatorSettings { seed: 2, ..settings.clone() }, 1_000)
        );
    }

    #[test]
    fn each_step_gives_a_bar_and_a_quote_of_each_instrument_when_it_closes() {
        let settings = steps(2);
        let mut simulator = Simulator::new(&settings).unwrap();
        let mut inputs = Vec::new();
        assert_eq!(simulator.next_batch(&mut inputs, 5).unwrap(), 5);
        assert_eq!(simulator.next_batch(&mut inputs, 100).unwrap(), 11);
        assert_eq!(simulator.next_batch(&mut inputs, 100).unwrap(), 0);
        assert_eq!(simulator.progress(), Progress { done: 2, total: Some(2) });
        for (place, input) in (0..).zip(&inputs) {
            let close = settings.start.plus(Span::MINUTE.times(1 + place / 8));
            assert_eq!(input.time, close);
            let id = InstrumentId(u32::try_from(place % 8 / 2).unwrap());
            match &input.kind {
                InputKind::Bar(bar) => {
                    assert_eq!((bar.instrument, bar.close_time(), place % 2), (id, close, 0));
                }
                InputKind::Quote(quote) => {
                    assert_eq!((quote.instrument, quote.time, place % 2), (id, close, 1));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn months_of_minutes_stay_sound_in_range_and_on_the_grid() {
        let settings = steps(40_000);
        for ((bars, quotes), instrument) in run(&settings).iter().zip(settings.instruments()) {
            for (bar, quote) in bars.iter().zip(quotes) {
                assert!(bar.is_sound(), "{bar:?}");
                assert!(quote.is_sound() && quote.bid < quote.ask, "{quote:?}");
                assert!(
                    quote.liquidity > 0.0 && quote.bid_size > 0.0 && bar.volume > 0.0,
                    "{bar:?} {quote:?}"
                );
                for price in [bar.open, bar.high, bar.low, bar.close, quote.bid, quote.ask] {
                    assert!((MIN_PRICE..=MAX_PRICE).contains(&price), "{price}");
                    let scale = instrument.tick.0.scale() as usize;
                    let text = format!("{price}");
                    assert!(text.split_once('.').is_none_or(|(_, places)| places.len() <= scale), "{text}");
                }
            }
            let start = bars[0].open;
            let furthest = bars.iter().map(|bar| (bar.close / start).ln().abs()).fold(0.0, f64::max);
            assert!(furthest < (10.0_f64 * 10.0).ln(), "{} strayed by e^{furthest}", instrument.symbol);
        }
    }

    #[test]
    fn the_most_extreme_settings_stay_within_the_limits() {
        for (price, drift, seed) in [(1e3, 0.1, 1), (1e-3, -0.1, 2), (1.0, 0.0, 3)] {
            let one = SimulatedInstrument { drift, volatility: 0.5, ..SimulatedInstrument::new("X", price) };
            let settings = SimulatorSettings {
                seed,
                band: 1e3,
                tail_degrees: 2.01,
                flash_crash_probability: 0.1,
                liquidity_gap_probability: 0.1,
                instruments: vec![one],
                ..steps(20_000)
            };
            for (bars, quotes) in run(&settings) {
                assert!(bars.iter().all(Bar::is_sound) && quotes.iter().all(Quote::is_sound));
                assert!(bars.iter().all(|bar| bar.low >= MIN_PRICE && bar.high <= MAX_PRICE));
            }
        }
    }

    #[test]
    fn without_the_nastiness_returns_are_normal_with_the_set_drift_and_volatility() {
        // Short runs, so that the band is never reached.
        let returns: Vec<f64> = (0..50)
            .flat_map(|seed| log_returns(&run(&SimulatorSettings { seed, ..plain(1_000) })[0].0))
            .collect();
        let average = mean(returns.iter().copied());
        let deviation = mean(returns.iter().map(|value| (value - average) * (value - average))).sqrt();
        assert!((average - (0.001 - 0.0002)).abs() < 0.000_2, "{average}");
        assert!((deviation - 0.02).abs() < 0.000_2, "{deviation}");
        let kurtosis = mean(returns.iter().map(|value| ((value - average) / deviation).powi(4)));
        assert!((kurtosis - 3.0).abs() < 0.1, "{kurtosis}");
    }

    #[test]
    fn returns_are_correlated_as_set() {
        for value in [-0.5, 0.0, 0.8] {
            let correlation_set = Correlation::Matrix(vec![vec![1.0, value], vec![value, 1.0]]);
            let markets = run(&SimulatorSettings { correlation: correlation_set, ..plain(20_000) });
            let found = correlation(&log_returns(&markets[0].0), &log_returns(&markets[1].0));
            assert!((found - value).abs() < 0.03, "{found} instead of {value}");
        }
    }

    #[test]
    fn tails_are_fat_and_volatility_clusters() {
        let (bars, _) = run(&steps(50_000)).swap_remove(0);
        let returns = log_returns(&bars);
        let deviation = mean(returns.iter().map(|value| value * value)).sqrt();
        let kurtosis = mean(returns.iter().map(|value| (value / deviation).powi(4)));
        assert!(kurtosis > 6.0, "{kurtosis}");
        let sizes: Vec<f64> = returns.iter().map(|value| value.abs()).collect();
        let clustering = correlation(&sizes[..sizes.len() - 10], &sizes[10..]);
        assert!(clustering > 0.1, "{clustering}");
        let plain_sizes: Vec<f64> =
            log_returns(&run(&plain(50_000))[0].0).iter().map(|value| value.abs()).collect();
        assert!(correlation(&plain_sizes[..plain_sizes.len() - 10], &plain_sizes[10..]).abs() < 0.02);
    }

    #[test]
    fn volume_goes_with_the_size_of_moves() {
        let (bars, _) = run(&plain(20_000)).swap_remove(0);
        let sizes: Vec<f64> = log_returns(&bars).iter().map(|value| value.abs()).collect();
        let turnovers: Vec<f64> = bars.iter().skip(1).map(|bar| bar.volume * bar.close).collect();
        assert!(correlation(&sizes, &turnovers) > 0.4);
    }

    #[test]
    fn liquidity_gaps_widen_the_spread_and_drain_the_pool() {
        let settings =
            |liquidity_gap_probability| SimulatorSettings { liquidity_gap_probability, ..plain(2_000) };
        let spread = |quote: &Quote| (quote.ask - quote.bid) / quote.middle();
        let quiet = run(&settings(0.0)).swap_remove(0).1;
        let gaps = run(&settings(1.0)).swap_remove(0).1;
        let spreads = mean(gaps.iter().map(spread)) / mean(quiet.iter().map(spread));
        let depths =
            mean(gaps.iter().map(|quote| quote.liquidity)) / mean(quiet.iter().map(|quote| quote.liquidity));
        assert!((6.0..10.0).contains(&spreads), "{spreads}");
        assert!((0.05..0.2).contains(&depths), "{depths}");
    }

    #[test]
    fn a_flash_crash_hits_all_instruments_at_once_and_recovers_in_part() {
        let mut settings = plain(60);
        for one in &mut settings.instruments {
            (one.drift, one.volatility) = (0.0, 1e-5);
        }
        settings.flash_crash_probability = 1.0;
        for (bars, _) in run(&settings) {
            let lowest = bars.iter().take(6).map(|bar| bar.low).fold(f64::MAX, f64::min) / bars[0].open;
            assert!(lowest < 0.95, "{lowest}");
            let bottom = bars.iter().take(6).map(|bar| bar.close).fold(f64::MAX, f64::min);
            assert!(bars[14].close > bottom * 1.005, "no recovery from {bottom}");
        }
    }

    #[test]
    fn high_and_low_are_those_of_the_way_between() {
        let (bars, _) = run(&plain(5_000)).swap_remove(0);
        let wider =
            bars.iter().filter(|bar| bar.high > bar.open.max(bar.close) && bar.low < bar.open.min(bar.close));
        assert!(wider.count() > 1_500);
        let flat = run(&SimulatorSettings { ticks_per_step: 1, ..plain(10) }).swap_remove(0).0;
        assert!(flat.iter().all(|bar| bar.high.to_bits() == bar.low.to_bits()));
    }

    #[test]
    fn bad_settings_make_no_market() {
        let error =
            Simulator::new(&SimulatorSettings { ticks_per_step: 0, band: 0.0, ..steps(1) }).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("ticks_per_step: found 0; 1 to 1000\nband: found 0; "), "{text}");
    }

    #[test]
    fn the_market_ends_with_time() {
        let mut late = steps(10);
        late.start = Timestamp::from_nanos(i64::MAX).minus(Span::MINUTE.times(2));
        assert_eq!(run(&late)[0].0.len(), 2);
    }
}
