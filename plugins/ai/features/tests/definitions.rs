//! Every feature against its definition, computed afresh from the whole past of every bar.
//!
//! Nothing here is shared with the crate but the names: no window slides, no sum is kept, no indicator is used.

#![expect(clippy::cast_possible_truncation, reason = "what is expected is rounded as a feature is")]

mod history;

use bulkhead_ai_features::{FEATURES, Name, SignalKind};
use bulkhead_sdk::{Bar, Quote};

use history::{Event, bar, market, rows};

/// All that came up to the bar that is looked at, which is the last of `bars`.
struct Past<'a> {
    events: &'a [Event],
    bars: Vec<Bar>,
    instrument: u32,
}

impl<'a> Past<'a> {
    fn new(events: &'a [Event], instrument: u32) -> Self {
        Self { events, bars: bars_of(events, instrument), instrument }
    }

    fn bar(&self) -> &Bar {
        self.bars.last().expect("the bar that is looked at")
    }

    fn closes(&self) -> Vec<f64> {
        self.bars.iter().map(|bar| bar.close).collect()
    }

    fn close(&self) -> f64 {
        self.bar().close
    }

    /// All returns, oldest first.
    fn returns(&self) -> Vec<f64> {
        self.closes().windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect()
    }

    /// The last returns, when there are so many.
    fn last_returns(&self, count: usize) -> Option<Vec<f64>> {
        last(&self.returns(), count)
    }

    fn last_bars(&self, count: usize) -> Option<Vec<Bar>> {
        last(&self.bars, count)
    }

    fn volumes(&self, count: usize) -> Option<f64> {
        self.last_bars(count).map(|bars| mean(bars.iter().map(|bar| bar.volume)))
    }

    fn volatility(&self, count: usize) -> Option<f64> {
        let returns = self.last_returns(count)?;
        Some(mean(returns.iter().map(|change| change * change)).sqrt().max(1e-6))
    }

    fn usual(&self, bars: usize) -> Option<f64> {
        Some(self.volatility(60)? * (bars as f64).sqrt())
    }

    fn change(&self, bars: usize) -> Option<f64> {
        let closes = last(&self.closes(), bars + 1)?;
        Some((closes[bars] / closes[0]).ln())
    }

    fn highest(&self, count: usize) -> Option<f64> {
        self.last_bars(count).map(|bars| bars.iter().map(|bar| bar.high).fold(f64::MIN, f64::max))
    }

    fn lowest(&self, count: usize) -> Option<f64> {
        self.last_bars(count).map(|bars| bars.iter().map(|bar| bar.low).fold(f64::MAX, f64::min))
    }

    fn before(&self) -> Self {
        let bars = self.bars[..self.bars.len() - 1].to_vec();
        Self { events: self.events, bars, instrument: self.instrument }
    }

    fn atr(&self) -> Option<f64> {
        let ranges = self.bars.windows(2).map(|pair| {
            let (before, now) = (pair[0].close, pair[1]);
            [now.high - now.low, (now.high - before).abs(), (now.low - before).abs()]
                .into_iter()
                .fold(0.0, f64::max)
        });
        wilder(&ranges.collect::<Vec<_>>(), 14).map(|atr| atr.max(1e-6 * self.close()))
    }

    fn in_atr(&self, difference: Option<f64>) -> Option<f64> {
        Some(difference? / self.atr()?)
    }

    fn rsi(&self, period: usize) -> Option<f64> {
        let changes: Vec<f64> = self.closes().windows(2).map(|pair| pair[1] - pair[0]).collect();
        let rise = wilder(&changes.iter().map(|change| change.max(0.0)).collect::<Vec<_>>(), period)?;
        let fall = wilder(&changes.iter().map(|change| (-change).max(0.0)).collect::<Vec<_>>(), period)?;
        let both = rise + fall;
        Some(if both < 1e-300 { 0.0 } else { 2.0 * rise / both - 1.0 })
    }

    fn macd(&self) -> Option<(f64, f64)> {
        let closes = self.closes();
        let line = |end: usize| Some(ema(&closes[14..end], 12)? - ema(&closes[..end], 26)?);
        let lines: Vec<f64> = (26..=closes.len()).filter_map(line).collect();
        let signal = ema(&lines, 9)?;
        Some((*lines.last()?, lines.last()? - signal))
    }

    /// Bollinger's bands of 20 closes: lower, middle, upper.
    fn bands(&self) -> Option<[f64; 3]> {
        let closes = last(&self.closes(), 20)?;
        let (middle, width) = (mean(closes.iter().copied()), 2.0 * deviation(&closes));
        Some([middle - width, middle, middle + width])
    }

    /// The feature `volatility_15` at the last bars.
    fn past_volatilities(&self, count: usize) -> Option<Vec<f64>> {
        let returns = last(&self.returns(), count + 14)?;
        let of = |returns: &[f64]| {
            let volatility = mean(returns.iter().map(|change| change * change)).sqrt().max(1e-6);
            (volatility / 0.001).ln().clamp(-10.0, 10.0)
        };
        Some(returns.windows(15).map(of).collect())
    }

    /// Shares of volume: the sum of what `weight` gives for a bar and the close before it, by the volume.
    fn share_of_volume(&self, count: usize, weight: impl Fn(&Bar, Option<f64>) -> f64) -> Option<f64> {
        let first = self.bars.len().checked_sub(count)?;
        let all: f64 = self.bars[first..].iter().map(|bar| bar.volume).sum();
        let part: f64 = (first..self.bars.len())
            .map(|at| {
                let before = at.checked_sub(1).map(|before| self.bars[before].close);
                weight(&self.bars[at], before) * self.bars[at].volume
            })
            .sum();
        Some(part / all).filter(|_| all > 0.0)
    }

    /// What a volume feature is, unless no volume is known.
    fn with_volume(&self, value: Option<f64>) -> Option<f64> {
        value.filter(|_| self.volumes(60).is_some_and(|volume| volume > 0.0))
    }

    /// The fresh quote at the end of each bar, with the bar.
    fn quotes(&self) -> Vec<(Bar, Option<Quote>)> {
        let mut last: Option<Quote> = None;
        let mut all = Vec::new();
        for event in self.events {
            match event {
                Event::Quote(quote) if quote.instrument == self.instrument => last = Some(*quote),
                Event::Bar(bar) if bar.instrument == self.instrument => {
                    let end = bar.open_time.seconds + 60;
                    all.push((*bar, last.filter(|quote| end <= quote.time.seconds + 120)));
                }
                _ => {}
            }
        }
        all
    }

    fn quote(&self) -> Option<Quote> {
        self.quotes().last()?.1
    }

    fn depth(&self) -> Option<f64> {
        Some(self.quote()?.liquidity).filter(|depth| *depth > 0.0)
    }

    /// Every value of a signal, oldest first; none when the last is older than so many seconds.
    fn signal(&self, wanted: SignalKind, seconds: u32) -> Option<Vec<f64>> {
        let heard: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Signal(instrument, kind, time, value)
                    if *instrument == self.instrument && *kind == wanted =>
                {
                    Some((time.seconds, *value))
                }
                _ => None,
            })
            .collect();
        let end = self.bar().open_time.seconds + 60;
        let is_recent = end - heard.last()?.0 <= seconds;
        is_recent.then(|| heard.into_iter().map(|(_, value)| value).collect())
    }

    /// The open time of each minute, the mean return of all instruments in it, and how many they are.
    fn minutes(&self) -> Vec<(u32, f64, usize)> {
        let mut returns: Vec<(u32, f64)> = Vec::new();
        for instrument in 0..3 {
            for pair in bars_of(self.events, instrument).windows(2) {
                returns.push((pair[1].open_time.seconds, (pair[1].close / pair[0].close).ln()));
            }
        }
        let mut times: Vec<u32> = returns.iter().map(|(time, _)| *time).collect();
        times.sort_unstable();
        times.dedup();
        let now = self.bar().open_time.seconds;
        let of = |time: u32| {
            let of_it: Vec<f64> =
                returns.iter().filter(|(other, _)| *other == time).map(|(_, change)| *change).collect();
            (time, mean(of_it.iter().copied()), of_it.len())
        };
        times.into_iter().filter(|time| *time < now).map(of).collect()
    }

    /// The minutes up to the bar before, if at least two instruments moved with it.
    fn market(&self) -> Option<Vec<f64>> {
        let before = self.bars.len().checked_sub(2)?;
        let minutes = self.minutes();
        let (time, _, count) = *minutes.last()?;
        let is_known = time == self.bars[before].open_time.seconds && count >= 2;
        is_known.then(|| minutes.into_iter().map(|(_, mean, _)| mean).collect())
    }

    fn market_usual(&self) -> Option<f64> {
        let minutes = last(&self.market()?, 60)?;
        Some(mean(minutes.iter().map(|change| change * change)).sqrt())
    }

    fn market_over(&self, minutes: usize) -> Option<f64> {
        let all = self.market()?;
        // The level before the first minute is not known.
        if all.len() <= minutes {
            return None;
        }
        Some(last(&all, minutes)?.iter().sum())
    }

    fn market_return(&self, minutes: usize) -> Option<f64> {
        Some(self.market_over(minutes)? / (self.market_usual()? * (minutes as f64).sqrt()))
    }

    fn relative_return(&self, bars: usize) -> Option<f64> {
        let before = self.before();
        Some((before.change(bars)? - self.market_over(bars)?) / before.usual(bars)?)
    }

    /// Pairs of a return and the market's, at every bar up to the one before that had both, when they were compared.
    fn pairs(&self) -> Option<Vec<(f64, f64)>> {
        self.market()?;
        let minutes = self.minutes();
        let mut pairs = Vec::new();
        for triple in self.bars.windows(3) {
            let (time, next) = (triple[1].open_time.seconds, triple[2].open_time.seconds);
            // By the bar after, the market must not have gone on without it.
            let latest = minutes.iter().rev().find(|(minute, _, _)| *minute < next)?;
            if latest.0 == time && latest.2 >= 2 {
                pairs.push(((triple[1].close / triple[0].close).ln(), latest.1));
            }
        }
        last(&pairs, 60)
    }

    fn expected(&self, name: Name) -> Option<f64> {
        let bar = self.bar();
        let range = Some(bar.high - bar.low).filter(|range| *range > 0.0);
        let share = |part: f64| Some(range.map_or(0.0, |range| part / range));
        let time = bar.open_time.seconds + 60;
        let flag = |is_set: bool| Some(if is_set { 1.0 } else { 0.0 });
        let scaled = |bars: usize| Some(self.change(bars)? / self.usual(bars)?);
        let mean_of = |count: usize| self.volumes(count);
        let known = |kind: SignalKind, seconds: u32| flag(self.signal(kind, seconds).is_some());
        let latest =
            |kind: SignalKind, seconds: u32| self.signal(kind, seconds).and_then(|all| all.last().copied());
        match name {
            Name::Return1 => scaled(1),
            Name::Return3 => scaled(3),
            Name::Return5 => scaled(5),
            Name::Return10 => scaled(10),
            Name::Return15 => scaled(15),
            Name::Return30 => scaled(30),
            Name::Return60 => scaled(60),
            Name::Return120 => scaled(120),
            Name::Return240 => scaled(240),
            Name::BelowHigh60 => Some((bar.close / self.highest(60)?).ln() / self.usual(60)?),
            Name::AboveLow60 => Some((bar.close / self.lowest(60)?).ln() / self.usual(60)?),
            Name::BelowHigh240 => Some((bar.close / self.highest(240)?).ln() / self.usual(240)?),
            Name::AboveLow240 => Some((bar.close / self.lowest(240)?).ln() / self.usual(240)?),

            Name::Volatility15 => Some((self.volatility(15)? / 0.001).ln()),
            Name::Volatility60 => Some((self.volatility(60)? / 0.001).ln()),
            Name::Volatility240 => Some((self.volatility(240)? / 0.001).ln()),
            Name::VolatilityChange15 => Some((self.volatility(15)? / self.volatility(60)?).ln()),
            Name::VolatilityChange60 => Some((self.volatility(60)? / self.volatility(240)?).ln()),
            Name::RangeVolatility60 => {
                let squares = self.last_bars(60)?.into_iter().map(|bar| (bar.high / bar.low).ln().powi(2));
                let parkinson = (mean(squares) / (4.0 * 2f64.ln())).sqrt().max(1e-6);
                Some((parkinson / self.usual(1)?).ln())
            }
            Name::DownsideShare60 => {
                let returns = self.last_returns(60)?;
                let all: f64 = returns.iter().map(|change| change * change).sum();
                let falls: f64 =
                    returns.iter().filter(|change| **change < 0.0).map(|change| change * change).sum();
                Some(2.0 * falls / all - 1.0)
            }
            Name::Skewness60 => {
                let returns = self.last_returns(60)?;
                Some(mean(returns.iter().map(|change| change.powi(3))) / self.usual(1)?.powi(3))
            }
            Name::LargestMove60 => {
                let returns = self.last_returns(60)?;
                Some(returns.into_iter().map(f64::abs).fold(0.0, f64::max) / self.usual(1)?)
            }

            Name::VolumeKnown => flag(mean_of(60).is_some_and(|volume| volume > 0.0)),
            Name::VolumeRatio20 => {
                let before = self.before().volumes(20).filter(|volume| *volume > 0.0)?;
                self.with_volume(Some((bar.volume / before).ln().max(-10.0)))
            }
            Name::VolumeChange5 => self.with_volume(Some((mean_of(5)? / mean_of(60)?).ln())),
            Name::VolumeChange60 => self.with_volume(Some((mean_of(60)? / mean_of(240)?).ln())),
            Name::VolumeScore60 => {
                let volumes: Vec<f64> = self.last_bars(60)?.iter().map(|bar| bar.volume).collect();
                let score = (bar.volume - mean(volumes.iter().copied())) / deviation(&volumes);
                self.with_volume(Some(score))
            }
            Name::SignedVolume20 => self.with_volume(self.share_of_volume(20, direction)),
            Name::SignedVolume60 => self.with_volume(self.share_of_volume(60, direction)),
            Name::MoneyFlow20 => {
                let place = |bar: &Bar, _| {
                    let (below, above) = (bar.close - bar.low, bar.high - bar.close);
                    if below + above > 0.0 { (below - above) / (below + above) } else { 0.0 }
                };
                self.with_volume(self.share_of_volume(20, place))
            }
            Name::VwapDistance60 => {
                let price = vwap(&self.last_bars(60)?)?;
                self.with_volume(Some((bar.close / price).ln() / self.usual(60)?))
            }
            Name::DayVwapDistance => {
                let day = bar.open_time.seconds / 86_400;
                let of_day: Vec<Bar> =
                    self.bars.iter().filter(|bar| bar.open_time.seconds / 86_400 == day).copied().collect();
                self.with_volume(Some((bar.close / vwap(&of_day)?).ln() / self.usual(240)?))
            }
            Name::Illiquidity15 => {
                let ratio = |count: usize| {
                    let moves = mean(self.last_returns(count)?.into_iter().map(f64::abs));
                    Some(moves / mean_of(count)?)
                };
                self.with_volume(Some((ratio(15)? / ratio(240)?).ln()))
            }

            Name::Rsi7 => self.rsi(7),
            Name::Rsi14 => self.rsi(14),
            Name::Rsi60 => self.rsi(60),
            Name::MacdLine => self.in_atr(self.macd().map(|(line, _)| line)),
            Name::MacdHistogram => self.in_atr(self.macd().map(|(_, histogram)| histogram)),
            Name::AtrRatio => Some((self.atr()? / bar.close / 0.001).ln()),
            Name::BollingerPosition20 => {
                let [lower, middle, upper] = self.bands()?;
                Some((bar.close - middle) / (upper - middle)).filter(|_| upper > lower)
            }
            Name::BollingerWidth20 => {
                let [lower, middle, upper] = self.bands()?;
                Some(((upper - lower) / middle / 0.004).ln())
            }
            Name::PriceScore60 => {
                let closes = last(&self.closes(), 60)?;
                Some((bar.close - mean(closes.iter().copied())) / deviation(&closes))
            }
            Name::EmaDistance10 => self.in_atr(Some(bar.close - ema(&self.closes(), 10)?)),
            Name::EmaDistance30 => self.in_atr(Some(bar.close - ema(&self.closes(), 30)?)),
            Name::EmaDistance120 => self.in_atr(Some(bar.close - ema(&self.closes(), 120)?)),
            Name::EmaCross10 => self.in_atr(Some(ema(&self.closes(), 10)? - ema(&self.closes(), 30)?)),
            Name::EmaCross30 => self.in_atr(Some(ema(&self.closes(), 30)? - ema(&self.closes(), 120)?)),
            Name::Stochastic14 => {
                let (high, low) = (self.highest(14)?, self.lowest(14)?);
                Some(((bar.close - low) - (high - bar.close)) / (high - low)).filter(|_| high > low)
            }
            Name::Breakout20 => self.in_atr(Some(bar.close - self.before().highest(20)?)),
            Name::Breakdown20 => self.in_atr(Some(bar.close - self.before().lowest(20)?)),

            Name::Body => share(bar.close - bar.open),
            Name::UpperWick => share(bar.high - bar.open.max(bar.close)),
            Name::LowerWick => share(bar.open.min(bar.close) - bar.low),
            Name::BodyMean5 => {
                let body = |bar: &Bar| {
                    let range = bar.high - bar.low;
                    if range > 0.0 { (bar.close - bar.open) / range } else { 0.0 }
                };
                Some(mean(self.last_bars(5)?.iter().map(body)))
            }
            Name::RangeRatio => Some(((bar.high - bar.low) / self.atr()?).ln()),
            Name::Gap => {
                Some((bar.open / self.bars[self.bars.len().checked_sub(2)?].close).ln() / self.usual(1)?)
            }
            Name::Streak => {
                let returns = self.returns();
                let run = |sign: f64| returns.iter().rev().take_while(|change| **change * sign > 0.0).count();
                let length = run(1.0) as f64 - run(-1.0) as f64;
                Some(length.clamp(-10.0, 10.0) / 5.0)
            }

            Name::DaySine => Some((std::f64::consts::TAU * f64::from(time % 86_400) / 86_400.0).sin()),
            Name::DayCosine => Some((std::f64::consts::TAU * f64::from(time % 86_400) / 86_400.0).cos()),
            // 5 January 1970 was a Monday.
            Name::WeekSine => {
                Some((std::f64::consts::TAU * f64::from((time - 4 * 86_400) % 604_800) / 604_800.0).sin())
            }
            Name::WeekCosine => {
                Some((std::f64::consts::TAU * f64::from((time - 4 * 86_400) % 604_800) / 604_800.0).cos())
            }
            Name::HourSine => Some((std::f64::consts::TAU * f64::from(time % 3_600) / 3_600.0).sin()),
            Name::HourCosine => Some((std::f64::consts::TAU * f64::from(time % 3_600) / 3_600.0).cos()),
            Name::Weekend => flag((time / 86_400 + 3) % 7 >= 5),
            Name::UsSession => {
                let minute = time % 86_400 / 60;
                flag((time / 86_400 + 3) % 7 < 5 && (13 * 60 + 30..20 * 60).contains(&minute))
            }

            Name::Efficiency20 => self.efficiency(20),
            Name::Efficiency60 => self.efficiency(60),
            Name::VarianceRatio5 => {
                let closes = last(&self.closes(), 65)?;
                let squares = mean(closes.windows(6).map(|six| (six[5] / six[0]).ln().powi(2)));
                let all = mean(self.last_returns(60)?.iter().map(|change| change * change));
                Some((squares / (5.0 * all)).ln())
            }
            Name::Autocorrelation60 => {
                let returns = self.last_returns(61)?;
                let products: f64 = returns.windows(2).map(|pair| pair[0] * pair[1]).sum();
                Some(products / returns[1..].iter().map(|change| change * change).sum::<f64>())
            }
            Name::UpShare20 => {
                let returns = self.last_returns(20)?;
                let count = |sign: f64| returns.iter().filter(|change| **change * sign > 0.0).count() as f64;
                Some((count(1.0) - count(-1.0)) / 20.0)
            }
            Name::VolatilityScore240 => {
                let past = self.past_volatilities(240)?;
                Some((past.last()? - mean(past.iter().copied())) / deviation(&past))
            }

            Name::QuoteKnown => flag(self.quote().is_some()),
            Name::Spread => Some((spread(&self.quote()?) / 0.001).ln()),
            Name::SpreadChange60 => {
                let spreads: Vec<f64> =
                    self.quotes().iter().filter_map(|(_, quote)| quote.as_ref()).map(spread).collect();
                let spreads = last(&spreads, 60)?;
                Some((spread(&self.quote()?) / mean(spreads.iter().copied())).ln())
            }
            Name::QuoteImbalance => {
                let quote = self.quote()?;
                let both = quote.bid_size + quote.ask_size;
                Some((quote.bid_size - quote.ask_size) / both).filter(|_| both > 0.0)
            }
            Name::QuoteDrift => {
                let quote = self.quote()?;
                Some(((quote.bid + quote.ask) / 2.0 / bar.close).ln() / self.usual(1)?)
            }
            Name::LiquidityKnown => flag(self.depth().is_some()),
            Name::Liquidity => Some((self.depth()? / 1e6).log10()),
            Name::LiquidityChange60 => {
                let depths: Vec<f64> = self
                    .quotes()
                    .iter()
                    .filter_map(|(_, quote)| Some((*quote)?.liquidity).filter(|depth| *depth > 0.0))
                    .collect();
                Some((self.depth()? / mean(last(&depths, 60)?.into_iter())).ln())
            }
            Name::Turnover => Some((bar.volume * bar.close / self.depth()? / 0.001).ln()),

            Name::SentimentKnown => known(SignalKind::Sentiment, 3_600),
            Name::Sentiment => latest(SignalKind::Sentiment, 3_600),
            Name::SentimentChange => {
                let all = last(&self.signal(SignalKind::Sentiment, 3_600)?, 11)?;
                Some(all[10] - mean(all[..10].iter().copied()))
            }
            Name::MentionsKnown => known(SignalKind::Mentions, 3_600),
            Name::MentionsSurge => {
                let all = last(&self.signal(SignalKind::Mentions, 3_600)?, 11)?;
                Some((all[10] / mean(all[..10].iter().copied())).ln().max(-10.0))
            }
            Name::CommunityKnown => known(SignalKind::CommunityScore, 86_400),
            Name::CommunityScore => Some(2.0 * latest(SignalKind::CommunityScore, 86_400)? - 1.0),
            Name::HolderRiskKnown => known(SignalKind::HolderRisk, 86_400),
            Name::HolderRisk => latest(SignalKind::HolderRisk, 86_400),
            Name::LiquidityRiskKnown => known(SignalKind::LiquidityRisk, 86_400),
            Name::LiquidityRisk => latest(SignalKind::LiquidityRisk, 86_400),

            Name::MarketKnown => flag(self.market().is_some()),
            Name::MarketReturn5 => self.market_return(5),
            Name::MarketReturn15 => self.market_return(15),
            Name::MarketReturn60 => self.market_return(60),
            Name::RelativeReturn15 => self.relative_return(15),
            Name::RelativeReturn60 => self.relative_return(60),
            Name::MarketVolatility60 => Some((self.market_usual()? / 0.001).ln()),
            Name::MarketCorrelation60 => {
                let pairs = self.pairs()?;
                let sum = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
                Some(
                    sum(|(own, all)| own * all)
                        / (sum(|(own, _)| own * own) * sum(|(_, all)| all * all)).sqrt(),
                )
            }
            Name::MarketBeta60 => {
                let pairs = self.pairs()?;
                let products: f64 = pairs.iter().map(|(own, all)| own * all).sum();
                Some(products / pairs.iter().map(|(_, all)| all * all).sum::<f64>())
            }
        }
    }

    fn efficiency(&self, bars: usize) -> Option<f64> {
        let way: f64 = self.last_returns(bars)?.into_iter().map(f64::abs).sum();
        Some(self.change(bars)? / way).filter(|_| way > 0.0)
    }
}

fn bars_of(events: &[Event], wanted: u32) -> Vec<Bar> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Bar(bar) if bar.instrument == wanted => Some(*bar),
            _ => None,
        })
        .collect()
}

fn last<T: Clone>(values: &[T], count: usize) -> Option<Vec<T>> {
    Some(values[values.len().checked_sub(count)?..].to_vec())
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// Of the population.
fn deviation(values: &[f64]) -> f64 {
    let mean_of_all = mean(values.iter().copied());
    mean(values.iter().map(|value| (value - mean_of_all).powi(2))).sqrt()
}

fn ema(values: &[f64], period: usize) -> Option<f64> {
    let (seed, rest) = values.split_at_checked(period)?;
    let factor = 2.0 / (period as f64 + 1.0);
    let start = mean(seed.iter().copied());
    Some(rest.iter().fold(start, |average, value| average * (1.0 - factor) + value * factor))
}

fn wilder(values: &[f64], period: usize) -> Option<f64> {
    let (seed, rest) = values.split_at_checked(period)?;
    let start = mean(seed.iter().copied());
    let length = period as f64;
    Some(rest.iter().fold(start, |average, value| average + (value - average) / length))
}

fn direction(bar: &Bar, before: Option<f64>) -> f64 {
    match before {
        Some(before) if bar.close > before => 1.0,
        Some(before) if bar.close < before => -1.0,
        _ => 0.0,
    }
}

fn vwap(bars: &[Bar]) -> Option<f64> {
    let volume: f64 = bars.iter().map(|bar| bar.volume).sum();
    let turnover: f64 = bars.iter().map(|bar| (bar.high + bar.low + bar.close) / 3.0 * bar.volume).sum();
    Some(turnover / volume).filter(|_| volume > 0.0)
}

fn spread(quote: &Quote) -> f64 {
    (quote.ask - quote.bid) / ((quote.ask + quote.bid) / 2.0)
}

#[test]
fn each_feature_is_what_its_definition_says() {
    let mut seen = vec![0; FEATURES.len()];
    for seed in [1, 2] {
        let events = market(seed, 420);
        for (place, row) in rows(&events).into_iter().enumerate() {
            let Event::Bar(bar) = events[place] else { continue };
            let minute = (bar.open_time.seconds - history::START) / 60;
            // Every bar of the first windows, then some.
            if minute > 30 && !minute.is_multiple_of(7) {
                continue;
            }
            let row = row.unwrap();
            let past = Past::new(&events[..=place], bar.instrument);
            for (name, feature) in Name::ALL.into_iter().zip(FEATURES) {
                let computed = past.expected(name);
                seen[name as usize] += usize::from(computed.is_some());
                let expected = computed
                    .filter(|value| !value.is_nan())
                    .map_or(feature.neutral, |value| value.clamp(-10.0, 10.0) as f32);
                let value = row.get(name);
                assert!(
                    (value - expected).abs() <= 2e-5 * expected.abs().max(1.0),
                    "{} of instrument {} in minute {minute}: {value}, by its definition {expected}",
                    feature.name,
                    bar.instrument,
                );
            }
        }
    }
    for (feature, seen) in FEATURES.into_iter().zip(seen) {
        assert!(seen > 20, "{} was known {seen} times only", feature.name);
    }
}

/// Closes by hand: 60 returns of +1 %, then one of −2 %.
#[test]
fn a_steady_rise_and_a_fall_by_hand() {
    let mut close = 100.0;
    let mut events = vec![Event::Bar(bar(0, 0, [close; 4], 10.0))];
    for minute in 1..=61 {
        let open = close;
        close *= if minute == 61 { (-0.02f64).exp() } else { 0.01f64.exp() };
        let (high, low) = (open.max(close), open.min(close));
        events.push(Event::Bar(bar(0, 60 * minute, [open, high, low, close], 10.0)));
    }
    let rows = rows(&events);
    let value = |minute: usize, name| f64::from(rows[minute].unwrap().get(name));
    let near =
        |value: f64, expected: f64| assert!((value - expected).abs() < 1e-5, "{value}, not {expected}");
    near(value(60, Name::Return1), 1.0);
    near(value(60, Name::Return10), 10f64.sqrt());
    near(value(60, Name::Volatility60), 10f64.ln());
    near(value(60, Name::DownsideShare60), -1.0);
    near(value(60, Name::Rsi14), 1.0);
    near(value(60, Name::Efficiency20), 1.0);
    near(value(60, Name::UpShare20), 1.0);
    near(value(60, Name::Body), 1.0);
    near(value(60, Name::Streak), 2.0);
    near(value(60, Name::VolumeRatio20), 0.0);
    near(value(60, Name::SignedVolume20), 1.0);
    // (59 · 0.01² + 0.02²) / 60 is 1.05 times 0.01².
    near(value(61, Name::Return1), -2.0 / 1.05f64.sqrt());
    near(value(61, Name::DownsideShare60), 2.0 * 4.0 / 63.0 - 1.0);
    near(value(61, Name::Efficiency20), 17.0 / 21.0);
    near(value(61, Name::UpShare20), 0.9);
    near(value(61, Name::SignedVolume20), 0.9);
    near(value(61, Name::Streak), -0.2);
    near(value(61, Name::Body), -1.0);
    near(value(61, Name::LargestMove60), 2.0 / 1.05f64.sqrt());
}
