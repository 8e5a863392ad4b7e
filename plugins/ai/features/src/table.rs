//! The features: names, definitions and neutral values, in the order of a row.
//!
//! "Usual" below is the realised volatility of the last 60 bars: the root of the mean of the squared logarithmic
//! returns, for one bar. A move over n bars is measured in usual · √n. "ATR" is Wilder's average true range over 14
//! bars. Both are taken as at least a millionth, of the price where it is a range. A ratio is a natural logarithm.

/// Raise it when a feature is computed differently though its definition reads as before.
const REVISION: u32 = 1;

/// What a model can see of a market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feature {
    /// Lower case with underscores, unique.
    pub name: &'static str,
    /// What it measures, with its unit or range, in one sentence.
    pub definition: &'static str,
    /// What it is when its input is missing or its window not full.
    pub neutral: f32,
}

macro_rules! features {
    ($($variant:ident, $name:literal, $neutral:literal, $definition:literal;)*) => {
        /// The place of a feature in a row.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Name {
            $(#[doc = $definition] $variant,)*
        }

        impl Name {
            /// All, in the order of a row.
            pub const ALL: [Self; COUNT] = [$(Self::$variant),*];
        }

        /// How many features there are.
        pub const COUNT: usize = [$($name),*].len();

        /// The features, in the order of a row.
        pub const FEATURES: [Feature; COUNT] =
            [$(Feature { name: $name, definition: $definition, neutral: $neutral }),*];
    };
}

features! {
    Return1, "return_1", 0.0, "Logarithmic return of the bar, in units of the usual.";
    Return3, "return_3", 0.0, "Logarithmic return over 3 bars, in units of the usual.";
    Return5, "return_5", 0.0, "Logarithmic return over 5 bars, in units of the usual.";
    Return10, "return_10", 0.0, "Logarithmic return over 10 bars, in units of the usual.";
    Return15, "return_15", 0.0, "Logarithmic return over 15 bars, in units of the usual.";
    Return30, "return_30", 0.0, "Logarithmic return over 30 bars, in units of the usual.";
    Return60, "return_60", 0.0, "Logarithmic return over 60 bars, in units of the usual.";
    Return120, "return_120", 0.0, "Logarithmic return over 120 bars, in units of the usual.";
    Return240, "return_240", 0.0, "Logarithmic return over 240 bars, in units of the usual.";
    BelowHigh60, "below_high_60", 0.0, "Close over the highest high of 60 bars, a ratio in units of the usual over 60 bars; 0 or less.";
    AboveLow60, "above_low_60", 0.0, "Close over the lowest low of 60 bars, a ratio in units of the usual over 60 bars; 0 or more.";
    BelowHigh240, "below_high_240", 0.0, "Close over the highest high of 240 bars, a ratio in units of the usual over 240 bars; 0 or less.";
    AboveLow240, "above_low_240", 0.0, "Close over the lowest low of 240 bars, a ratio in units of the usual over 240 bars; 0 or more.";

    Volatility15, "volatility_15", 0.0, "Realised volatility of 15 bars for one bar, as a ratio to 0.001.";
    Volatility60, "volatility_60", 0.0, "Realised volatility of 60 bars for one bar, as a ratio to 0.001.";
    Volatility240, "volatility_240", 0.0, "Realised volatility of 240 bars for one bar, as a ratio to 0.001.";
    VolatilityChange15, "volatility_change_15_60", 0.0, "Realised volatility of 15 bars as a ratio to that of 60.";
    VolatilityChange60, "volatility_change_60_240", 0.0, "Realised volatility of 60 bars as a ratio to that of 240.";
    RangeVolatility60, "range_volatility_60", 0.0, "Parkinson's volatility of 60 bars, from highs and lows, as a ratio to the usual.";
    DownsideShare60, "downside_share_60", 0.0, "Share of falls in the squared returns of 60 bars, from -1 for none to +1 for all.";
    Skewness60, "skewness_60", 0.0, "Mean cubed return of 60 bars, in units of the usual cubed.";
    LargestMove60, "largest_move_60", 0.0, "Largest return of 60 bars in size, in units of the usual.";

    VolumeKnown, "volume_known", 0.0, "1 when any of the last 60 bars has a volume, else 0.";
    VolumeRatio20, "volume_ratio_20", 0.0, "Volume as a ratio to the mean of the 20 bars before; no less than -10.";
    VolumeChange5, "volume_change_5_60", 0.0, "Mean volume of 5 bars as a ratio to that of 60.";
    VolumeChange60, "volume_change_60_240", 0.0, "Mean volume of 60 bars as a ratio to that of 240.";
    VolumeScore60, "volume_score_60", 0.0, "Volume above the mean of the last 60 bars, in their standard deviations.";
    SignedVolume20, "signed_volume_20", 0.0, "Volume of rising bars less that of falling ones, as a share of the volume of 20 bars; -1 to +1.";
    SignedVolume60, "signed_volume_60", 0.0, "Volume of rising bars less that of falling ones, as a share of the volume of 60 bars; -1 to +1.";
    MoneyFlow20, "money_flow_20", 0.0, "Chaikin's money flow of 20 bars: where in their ranges volume closed; -1 for the low to +1 for the high.";
    VwapDistance60, "vwap_distance_60", 0.0, "Close over the volume-weighted price of 60 bars, a ratio in units of the usual over 60 bars.";
    DayVwapDistance, "day_vwap_distance", 0.0, "Close over the volume-weighted price since midnight UTC, a ratio in units of the usual over 240 bars.";
    Illiquidity15, "illiquidity_15_240", 0.0, "Mean size of returns by mean volume in 15 bars, as a ratio to the same in 240.";

    Rsi7, "rsi_7", 0.0, "Wilder's relative strength index of 7 bars, from -1 to +1.";
    Rsi14, "rsi_14", 0.0, "Wilder's relative strength index of 14 bars, from -1 to +1.";
    Rsi60, "rsi_60", 0.0, "Wilder's relative strength index of 60 bars, from -1 to +1.";
    MacdLine, "macd_line", 0.0, "Appel's moving average convergence divergence, 12 and 26 bars, in ATR.";
    MacdHistogram, "macd_histogram", 0.0, "The same less its signal line of 9 bars, in ATR.";
    AtrRatio, "atr_14", 0.0, "ATR over the close, as a ratio to 0.001.";
    BollingerPosition20, "bollinger_position_20", 0.0, "Close between Bollinger's bands of 20 bars and 2 deviations, from -1 on the lower to +1 on the upper.";
    BollingerWidth20, "bollinger_width_20", 0.0, "Width of these bands over their middle, as a ratio to 0.004.";
    PriceScore60, "price_score_60", 0.0, "Close above its mean of 60 bars, in their standard deviations.";
    EmaDistance10, "ema_distance_10", 0.0, "Close above its exponential average of 10 bars, in ATR.";
    EmaDistance30, "ema_distance_30", 0.0, "Close above its exponential average of 30 bars, in ATR.";
    EmaDistance120, "ema_distance_120", 0.0, "Close above its exponential average of 120 bars, in ATR.";
    EmaCross10, "ema_cross_10_30", 0.0, "Exponential average of 10 bars above that of 30, in ATR.";
    EmaCross30, "ema_cross_30_120", 0.0, "Exponential average of 30 bars above that of 120, in ATR.";
    Stochastic14, "stochastic_14", 0.0, "Close in the range of 14 bars, from -1 on the low to +1 on the high.";
    Breakout20, "breakout_20", 0.0, "Close above the highest high of the 20 bars before, in ATR.";
    Breakdown20, "breakdown_20", 0.0, "Close above the lowest low of the 20 bars before, in ATR.";

    Body, "body", 0.0, "Close above open as a share of the bar's range; -1 to +1.";
    UpperWick, "upper_wick", 0.0, "High above the body as a share of the bar's range; 0 to 1.";
    LowerWick, "lower_wick", 0.0, "Body above the low as a share of the bar's range; 0 to 1.";
    BodyMean5, "body_mean_5", 0.0, "Mean of the last 5 bodies; -1 to +1.";
    RangeRatio, "range_ratio", 0.0, "The bar's range as a ratio to ATR; no less than -10.";
    Gap, "gap", 0.0, "Open over the close before, a ratio in units of the usual.";
    Streak, "streak", 0.0, "Bars in a row that closed higher, or lower as a negative number, by 5; at most 2 in size.";

    DaySine, "day_sine", 0.0, "Sine of the time of day, UTC, a day being the circle.";
    DayCosine, "day_cosine", 0.0, "Cosine of the time of day, UTC, a day being the circle.";
    WeekSine, "week_sine", 0.0, "Sine of the time since Monday, UTC, a week being the circle.";
    WeekCosine, "week_cosine", 0.0, "Cosine of the time since Monday, UTC, a week being the circle.";
    HourSine, "hour_sine", 0.0, "Sine of the time of the hour, an hour being the circle.";
    HourCosine, "hour_cosine", 0.0, "Cosine of the time of the hour, an hour being the circle.";
    Weekend, "weekend", 0.0, "1 on Saturday and Sunday, UTC, else 0.";
    UsSession, "us_session", 0.0, "1 from 13:30 to 20:00 UTC from Monday to Friday, else 0.";

    Efficiency20, "efficiency_20", 0.0, "Return over 20 bars as a share of the way that the close went; -1 to +1.";
    Efficiency60, "efficiency_60", 0.0, "Return over 60 bars as a share of the way that the close went; -1 to +1.";
    VarianceRatio5, "variance_ratio_5_60", 0.0, "Mean squared return over 5 bars by five times that over one, in 60 bars, a ratio: above 0 moves go on, below they turn.";
    Autocorrelation60, "autocorrelation_60", 0.0, "Sum of each return times the one before, in 60 bars, by the sum of their squares.";
    UpShare20, "up_share_20", 0.0, "Share of rising bars less share of falling ones in 20 bars; -1 to +1.";
    VolatilityScore240, "volatility_score_240", 0.0, "Logarithm of the realised volatility of 15 bars above its mean of 240 bars, in their standard deviations.";

    QuoteKnown, "quote_known", 0.0, "1 when the last quote is at most 120 seconds older than the bar's end, else 0.";
    Spread, "spread", 0.0, "Ask less bid over their middle, as a ratio to 0.001.";
    SpreadChange60, "spread_change_60", 0.0, "The spread as a ratio to its mean at the last 60 bars with a quote.";
    QuoteImbalance, "quote_imbalance", 0.0, "Quantity at the bid less that at the ask, as a share of both; -1 to +1.";
    QuoteDrift, "quote_drift", 0.0, "Middle of the quote over the close, a ratio in units of the usual.";
    LiquidityKnown, "liquidity_known", 0.0, "1 when that quote tells the depth of the pool, else 0.";
    Liquidity, "liquidity", 0.0, "Decimal logarithm of the depth of the pool over a million of the quote currency.";
    LiquidityChange60, "liquidity_change_60", 0.0, "Depth of the pool as a ratio to its mean at the last 60 bars that knew it.";
    Turnover, "turnover", 0.0, "Volume times close over the depth of the pool, as a ratio to 0.001; no less than -10.";

    SentimentKnown, "sentiment_known", 0.0, "1 when the last sentiment is at most an hour old, else 0.";
    Sentiment, "sentiment", 0.0, "The last sentiment, -1 to +1.";
    SentimentChange, "sentiment_change", 0.0, "The last sentiment less the mean of the 10 before; -2 to +2.";
    MentionsKnown, "mentions_known", 0.0, "1 when the last count of mentions is at most an hour old, else 0.";
    MentionsSurge, "mentions_surge", 0.0, "The last count of mentions as a ratio to the mean of the 10 before; no less than -10.";
    CommunityKnown, "community_known", 0.0, "1 when the last community score is at most a day old, else 0.";
    CommunityScore, "community_score", 0.0, "The last community score, 0 to 1, as -1 to +1.";
    HolderRiskKnown, "holder_risk_known", 0.0, "1 when the last holder risk is at most a day old, else 0.";
    HolderRisk, "holder_risk", 0.0, "The last holder risk, 0 for holdings widely spread to 1 for one holder; taken as 0 when unknown.";
    LiquidityRiskKnown, "liquidity_risk_known", 0.0, "1 when the last liquidity risk is at most a day old, else 0.";
    LiquidityRisk, "liquidity_risk", 0.0, "The last liquidity risk, 0 for a locked deep pool to 1 for one that can be taken away; taken as 0 when unknown.";

    MarketKnown, "market_known", 0.0, "1 when at least two instruments moved with the bar before this one, else 0.";
    MarketReturn5, "market_return_5", 0.0, "Sum of the mean logarithmic return of all instruments over 5 minutes up to the bar before, in units of the market's usual.";
    MarketReturn15, "market_return_15", 0.0, "The same over 15 minutes.";
    MarketReturn60, "market_return_60", 0.0, "The same over 60 minutes.";
    RelativeReturn15, "relative_return_15", 0.0, "Logarithmic return over 15 bars less the market's, up to the bar before, in units of the usual.";
    RelativeReturn60, "relative_return_60", 0.0, "Logarithmic return over 60 bars less the market's, up to the bar before, in units of the usual.";
    MarketVolatility60, "market_volatility_60", 0.0, "The market's usual, as a ratio to 0.001.";
    MarketCorrelation60, "market_correlation_60", 0.0, "Sum of returns times the market's by the root of the sums of their squares, in the last 60 bars that have both; -1 to +1.";
    MarketBeta60, "market_beta_60", 0.0, "Sum of returns times the market's by the sum of the market's squares, in the last 60 bars that have both.";
}

/// What a model must name so that it is asked about the rows that it has learnt from: 16 hexadecimal digits, which
/// differ when a name, a definition, a neutral value, the order or the way of computing does.
#[must_use]
pub fn schema() -> String {
    // FNV-1a: it tells apart what was changed, it guards against nobody.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    take(&REVISION.to_le_bytes());
    for feature in &FEATURES {
        take(feature.name.as_bytes());
        take(feature.definition.as_bytes());
        take(&feature.neutral.to_le_bytes());
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_definitions_are_sentences() {
        let names: BTreeSet<&str> = FEATURES.iter().map(|feature| feature.name).collect();
        assert_eq!(names.len(), COUNT);
        for Feature { name, definition, neutral } in FEATURES {
            assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{name}");
            assert!(definition.ends_with('.') && definition.is_ascii(), "{name}: {definition}");
            assert!(neutral.is_finite(), "{name}");
        }
    }

    #[test]
    fn there_are_enough() {
        assert_eq!(Name::ALL.len(), COUNT);
        const { assert!(COUNT >= 60) };
        for (place, name) in Name::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, place);
        }
    }
}
