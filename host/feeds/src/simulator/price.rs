use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::market::{Bar, Quote};
use bulkhead_core::time::{Span, Timestamp};

use super::random::Random;
use super::regime::Regime;
use super::settings::{SimulatedInstrument, SimulatorSettings, VolatilityClustering};
use super::upheaval::{FlashCrash, LiquidityGap};
use super::{MAX_PRICE, MIN_PRICE};

/// Share of the logarithmic distance to the band that each step outside it takes back.
const RETURN_TO_BAND: f64 = 0.02;

/// No step moves further than this, whatever the shocks: e^0.7 is about a doubling.
const MAX_LOG_RETURN: f64 = 0.7;

/// Steps of 10^-scale.
#[derive(Debug, Clone, Copy)]
struct Grid {
    steps_a_unit: f64,
}

impl Grid {
    fn new(scale: u32) -> Self {
        Self { steps_a_unit: (0..scale).fold(1.0, |power, _| power * 10.0) }
    }

    const fn nearest(self, value: f64) -> f64 {
        (value * self.steps_a_unit).round_ties_even() / self.steps_a_unit
    }

    const fn below(self, value: f64) -> f64 {
        (value * self.steps_a_unit).floor() / self.steps_a_unit
    }

    const fn above(self, value: f64) -> f64 {
        (value * self.steps_a_unit).ceil() / self.steps_a_unit
    }

    const fn step(self) -> f64 {
        1.0 / self.steps_a_unit
    }
}

/// One instrument's price and liquidity over time.
#[derive(Debug, Clone)]
pub(super) struct PriceProcess {
    id: InstrumentId,
    settings: SimulatedInstrument,
    prices: Grid,
    quantities: Grid,
    random: Random,
    interval: Span,
    tail_degrees: f64,
    clustering: VolatilityClustering,
    gap_probability: f64,
    log_band: f64,
    /// Logarithm of the price over the start price.
    log_price: f64,
    /// Variance in units of the instrument's own.
    variance: f64,
    regime: Option<Regime>,
    crash: FlashCrash,
    gap: LiquidityGap,
    /// Logarithm of the pool's depth over its typical depth, apart from the price's share in it.
    log_depth: f64,
    /// Random walk within a step, kept for its memory.
    walk: Vec<f64>,
}

impl PriceProcess {
    /// The settings must be valid.
    pub(super) fn new(all: &SimulatorSettings, settings: &SimulatedInstrument, id: InstrumentId) -> Self {
        Self {
            id,
            settings: settings.clone(),
            prices: Grid::new(settings.price_scale()),
            quantities: Grid::new(settings.quantity_scale()),
            // Stream 0 is the market's own.
            random: Random::new(all.seed, u64::from(id.0) + 1),
            interval: all.step,
            tail_degrees: all.tail_degrees,
            clustering: all.clustering,
            gap_probability: all.liquidity_gap_probability,
            log_band: libm::log(all.band),
            log_price: 0.0,
            variance: 1.0,
            regime: all.regimes.then_some(Regime::Range { middle: 0.0 }),
            crash: FlashCrash::default(),
            gap: LiquidityGap::default(),
            log_depth: 0.0,
            walk: vec![0.0; usize::try_from(all.ticks_per_step).unwrap_or(1)],
        }
    }

    /// A fat-tailed shock of variance 1, independent of all others.
    pub(super) fn shock(&mut self) -> f64 {
        self.random.student(self.tail_degrees)
    }

    /// Lets a flash crash begin unless one is going on.
    pub(super) fn crash(&mut self) {
        if self.crash.is_over() {
            self.crash = FlashCrash::begin(&mut self.random);
        }
    }

    /// One step on, driven by a shock that is correlated with those of other instruments.
    pub(super) fn step(&mut self, open_time: Timestamp, shock: f64) -> (Bar, Quote) {
        let SimulatedInstrument { price: start, drift, volatility, .. } = self.settings;
        self.regime = self.regime.map(|regime| regime.next(self.log_price, &mut self.random));
        if self.random.chance(self.gap_probability) {
            self.gap = LiquidityGap::begin(&mut self.random);
        }
        let in_gap = self.gap.next();
        let (crash_move, falling) = self.crash.next();

        // How turbulent this step is, 1 being usual.
        let stress = self.regime.map_or(1.0, Regime::volatility) * self.variance.sqrt();
        let deviation = volatility * stress;
        let outside = (self.log_price.abs() - self.log_band).max(0.0);
        // Itô: a log-normal step of this variance needs the second term to have the drift as its mean.
        let log_return = drift - 0.5 * volatility * volatility
            + self.regime.map_or(0.0, |regime| regime.pull(self.log_price, volatility))
            - RETURN_TO_BAND * outside.copysign(self.log_price)
            + deviation * shock
            + crash_move;
        let log_return = log_return.clamp(-MAX_LOG_RETURN, MAX_LOG_RETURN);
        let VolatilityClustering { reaction, persistence } = self.clustering;
        let next_variance =
            1.0 - reaction - persistence + (reaction * shock * shock + persistence) * self.variance;
        self.variance = next_variance.clamp(0.05, 25.0);

        let [open, high, low, close] = self.walk_to(log_return, deviation);
        let move_size = log_return.abs() / volatility;
        let mut turnover = self.settings.turnover * (0.4 + 0.8 * move_size) * self.log_normal(0.5);
        let quietness = if in_gap { 0.15 } else { 1.0 };
        turnover *= quietness;
        let volume = self.quantities.nearest(turnover / close);
        let bar =
            Bar { instrument: self.id, interval: self.interval, open_time, open, high, low, close, volume };

        self.log_depth = 0.98 * self.log_depth + 0.05 * self.random.normal();
        // The quote side of a constant-product pool grows with the square root of the price.
        let pool = libm::exp(self.log_depth) * (close / start).sqrt();
        let liquidity = self.settings.liquidity * pool * if in_gap || falling { 0.1 } else { 1.0 };
        let widening = if in_gap { 8.0 } else { 1.0 } * if falling { 4.0 } else { 1.0 };
        let half = (0.5 * self.settings.spread * (0.6 + 0.4 * stress) * widening).min(0.1);
        let bid = self.prices.below(close * (1.0 - half)).max(self.lowest());
        let ask = self.prices.above(close * (1.0 + half)).max(self.prices.nearest(bid + self.prices.step()));
        let [bid_size, ask_size] =
            [bid, ask].map(|price| self.quantities.nearest(0.005 * liquidity / price * self.log_normal(0.5)));
        let quote = Quote {
            instrument: self.id,
            time: bar.close_time(),
            bid,
            ask,
            bid_size,
            ask_size,
            liquidity: (liquidity * 100.0).round_ties_even() / 100.0,
        };
        (bar, quote)
    }

    /// Open, high, low and close of a random walk that ends at the return: a Brownian bridge, so that high and
    /// low are as far away as the volatility suggests.
    fn walk_to(&mut self, log_return: f64, deviation: f64) -> [f64; 4] {
        let ticks = self.walk.len() as f64;
        let mut sum = 0.0;
        for place in &mut self.walk {
            sum += self.random.normal();
            *place = sum;
        }
        let scale = deviation / ticks.sqrt();
        let (mut high, mut low, mut open, mut last) = (f64::MIN, f64::MAX, None, 0.0);
        let mut done = 0.0;
        for place in &self.walk {
            done += 1.0;
            let share = done / ticks;
            last = self.log_price + log_return * share + scale * (place - share * sum);
            high = last.max(high);
            low = last.min(low);
            open.get_or_insert(last);
        }
        self.log_price = last;
        [open.unwrap_or(last), high, low, last].map(|log_price| self.price(log_price))
    }

    /// The price on its grid.
    fn price(&self, log_price: f64) -> f64 {
        self.prices.nearest(self.settings.price * libm::exp(log_price)).clamp(self.lowest(), MAX_PRICE)
    }

    /// The lowest price on the grid that may be given.
    const fn lowest(&self) -> f64 {
        self.prices.above(MIN_PRICE)
    }

    /// Log-normal with mean 1.
    fn log_normal(&mut self, deviation: f64) -> f64 {
        libm::exp(deviation * self.random.normal() - 0.5 * deviation * deviation)
    }
}
