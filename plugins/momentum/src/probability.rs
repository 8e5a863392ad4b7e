//! From evidence to the probability of a strong rise.

/// What speaks for a strong rise (up to +1) or against it (down to −1); 0 is neutral or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Evidence {
    /// The last change, measured in what is usual.
    pub(crate) rate_of_change: f64,
    /// A close above the recent high, or below the recent low.
    pub(crate) breakout: f64,
    /// Volume against what is usual.
    pub(crate) volume: f64,
    /// The trend of one-minute bars.
    pub(crate) trend: f64,
    /// The trend of five-minute bars.
    pub(crate) five_minutes: f64,
    /// The trend of one-hour bars.
    pub(crate) hour: f64,
    /// What people feel about it.
    pub(crate) sentiment: f64,
    /// How often it is spoken of, against what is usual.
    pub(crate) mentions: f64,
}

impl Evidence {
    /// The probability, by a logistic model: log-odds of −2 with no evidence, and each piece of evidence
    /// adds its weight times its strength.
    ///
    /// The weights are set by judgement, not fitted to any market. They are chosen so that with neutral
    /// longer trends and no signals a move must be confirmed by all of change, breakout and trend to reach
    /// 0.70 (log-odds 0.85), that a volume surge lifts it to 0.86, and that adverse longer trends undo that
    /// unless signals speak for it.
    pub(crate) fn probability(&self) -> f64 {
        let log_odds = -2.0
            + 1.2 * self.rate_of_change
            + 1.0 * self.breakout
            + 0.8 * self.volume
            + 0.8 * self.trend
            + 0.6 * self.five_minutes
            + 0.6 * self.hour
            + 0.8 * self.sentiment
            + 0.6 * self.mentions;
        1.0 / (1.0 + libm::exp(-log_odds))
    }
}

/// Evidence from how large something is compared to what counts as strong; nothing if that is undefined.
pub(crate) fn strength(size: f64, strong: f64) -> f64 {
    let ratio = size / strong;
    if ratio.is_nan() { 0.0 } else { ratio.clamp(-1.0, 1.0) }
}

/// Evidence from a ratio to what is usual: four times as much is strong, a quarter speaks against.
pub(crate) fn surge(ratio: Option<f64>) -> f64 {
    ratio.map_or(0.0, |ratio| strength(libm::log2(ratio), 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probability(change: impl FnOnce(&mut Evidence)) -> f64 {
        let mut evidence = Evidence { rate_of_change: 1.0, breakout: 1.0, trend: 1.0, ..Evidence::default() };
        change(&mut evidence);
        evidence.probability()
    }

    #[test]
    fn needs_several_confirmations() {
        assert!(Evidence::default().probability() < 0.15);
        assert!((0.70..0.80).contains(&probability(|_| ())));
        assert!(probability(|evidence| evidence.breakout = 0.0) < 0.70);
        assert!(probability(|evidence| evidence.trend = 0.0) < 0.70);
        assert!(probability(|evidence| evidence.rate_of_change = 0.0) < 0.70);
        assert!((0.85..0.87).contains(&probability(|evidence| evidence.volume = 1.0)));
    }

    #[test]
    fn longer_trends_and_signals_weigh_in() {
        let against = |evidence: &mut Evidence| {
            evidence.volume = 1.0;
            evidence.five_minutes = -1.0;
            evidence.hour = -1.0;
        };
        assert!(probability(against) < 0.70);
        let outvoted = |evidence: &mut Evidence| {
            against(evidence);
            evidence.sentiment = 1.0;
            evidence.mentions = 1.0;
        };
        assert!(probability(outvoted) > 0.85);
    }

    #[test]
    fn strength_is_bounded_and_never_undefined() {
        let ends = [strength(5.0, 2.0), strength(-5.0, 2.0), strength(1.0, 2.0), strength(0.0, 0.0)];
        assert_eq!(ends.map(f64::to_bits), [1.0, -1.0, 0.5, 0.0_f64].map(f64::to_bits));
        let surges = [surge(None), surge(Some(0.0)), surge(Some(1.0)), surge(Some(2.0)), surge(Some(64.0))];
        assert_eq!(surges.map(f64::to_bits), [0.0, -1.0, 0.0, 0.5, 1.0_f64].map(f64::to_bits));
    }
}
