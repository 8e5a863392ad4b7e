use bulkhead_sdk::{Bar, Quote, Timestamp, state};

use crate::against_market::AgainstMarket;
use crate::candle::Candle;
use crate::clock::set_clock;
use crate::indicators::Indicators;
use crate::market::Market;
use crate::quotes::Quotes;
use crate::regime::Regime;
use crate::returns::Returns;
use crate::row::Row;
use crate::scale::{Scale, is_usable};
use crate::signals::{SignalKind, Signals};
use crate::volatility::Volatility;
use crate::volume::Volume;
use crate::{BAR_SECONDS, WARM_UP_BARS};

/// All that is known of one instrument.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct InstrumentState {
    last_open: Option<u32>,
    /// Bars so far, counted up to the warm-up.
    bars: u32,
    scale: Scale,
    returns: Returns,
    volatility: Volatility,
    volume: Volume,
    indicators: Indicators,
    candle: Candle,
    regime: Regime,
    quotes: Quotes,
    signals: Signals,
    against_market: AgainstMarket,
}

impl InstrumentState {
    pub(crate) fn new() -> Self {
        Self {
            last_open: None,
            bars: 0,
            scale: Scale::new(),
            returns: Returns::new(),
            volatility: Volatility::new(),
            volume: Volume::new(),
            indicators: Indicators::new(),
            candle: Candle::new(),
            regime: Regime::new(),
            quotes: Quotes::new(),
            signals: Signals::new(),
            against_market: AgainstMarket::new(),
        }
    }

    /// Takes a bar; see [`crate::Extractor::on_bar`].
    pub(crate) fn on_bar(&mut self, bar: &Bar, market: &mut Market) -> Option<Row> {
        let is_later = self.last_open.is_none_or(|last| last < bar.open_time.seconds);
        if bar.interval != BAR_SECONDS || !is_later || !is_usable(bar) {
            return None;
        }
        self.last_open = Some(bar.open_time.seconds);
        self.bars = WARM_UP_BARS.min(self.bars + 1);
        let mut row = Row::neutral();
        let step = self.scale.step(bar);
        market.take(step.open_time, step.log_return);

        self.returns.update(&step, &mut row);
        let volatility = self.volatility.update(&step, &mut row);
        self.volume.update(&step, &mut row);
        self.indicators.update(&step, &mut row);
        self.candle.update(&step, &mut row);
        set_clock(step.close_time, &mut row);
        let returns = &self.returns;
        self.regime.update(&step, [5, 20, 60].map(|bars| returns.over(bars)), volatility, &mut row);
        self.quotes.update(&step, &mut row);
        self.signals.update(&step, &mut row);
        self.against_market.update(&step, [15, 60].map(|bars| returns.over(bars)), market, &mut row);
        Some(row)
    }

    pub(crate) fn on_quote(&mut self, quote: &Quote) {
        self.quotes.hear(quote);
    }

    pub(crate) fn on_signal(&mut self, kind: SignalKind, time: Timestamp, value: f64) {
        self.signals.hear(kind, time, value);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.bars >= WARM_UP_BARS
    }
}
