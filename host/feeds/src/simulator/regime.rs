use super::random::Random;

/// How an instrument moves for a while. The next regime is one of the other two, equally likely, so that the
/// share of time spent in each is in the proportion of its mean length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Regime {
    /// Pushed one way each step; the sign is drawn when the regime begins.
    Trend {
        /// Logarithmic push a step, in units of the instrument's volatility.
        push: f64,
    },
    /// Drawn back to where it began.
    Range {
        /// Logarithmic price at which the regime began.
        middle: f64,
    },
    /// Without direction, but twice as volatile.
    Turbulence,
}

impl Regime {
    /// The regime of the next step.
    pub(super) fn next(self, log_price: f64, random: &mut Random) -> Self {
        if !random.chance(1.0 / self.mean_steps()) {
            return self;
        }
        let first = random.chance(0.5);
        match self {
            Self::Trend { .. } | Self::Range { .. } if first => Self::Turbulence,
            Self::Trend { .. } => Self::Range { middle: log_price },
            Self::Turbulence if first => Self::Range { middle: log_price },
            Self::Range { .. } | Self::Turbulence => {
                Self::Trend { push: if random.chance(0.5) { 0.15 } else { -0.15 } }
            }
        }
    }

    const fn mean_steps(self) -> f64 {
        match self {
            Self::Trend { .. } => 180.0,
            Self::Range { .. } => 240.0,
            Self::Turbulence => 60.0,
        }
    }

    /// What multiplies the volatility. Weighted with the shares of time, the variance is 1.05 times as large
    /// as without regimes.
    pub(super) const fn volatility(self) -> f64 {
        match self {
            Self::Trend { .. } => 0.9,
            Self::Range { .. } => 0.7,
            Self::Turbulence => 2.0,
        }
    }

    /// What is added to the logarithmic return of the next step.
    pub(super) fn pull(self, log_price: f64, volatility: f64) -> f64 {
        match self {
            Self::Trend { push } => push * volatility,
            Self::Range { middle } => -0.05 * (log_price - middle),
            Self::Turbulence => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_time_are_as_documented() {
        let mut random = Random::new(3, 0);
        let mut regime = Regime::Range { middle: 0.0 };
        let (mut trend, mut range, mut turbulence, mut push) = (0.0, 0.0, 0.0, 0.0);
        let steps = 400_000;
        for _ in 0..steps {
            regime = regime.next(0.0, &mut random);
            match regime {
                Regime::Trend { push: one } => {
                    trend += 1.0;
                    push += one;
                }
                Regime::Range { .. } => range += 1.0,
                Regime::Turbulence => turbulence += 1.0,
            }
        }
        let share = |count: f64| count / f64::from(steps);
        assert!((share(trend) - 0.375).abs() < 0.03, "{}", share(trend));
        assert!((share(range) - 0.5).abs() < 0.03, "{}", share(range));
        assert!((share(turbulence) - 0.125).abs() < 0.02, "{}", share(turbulence));
        assert!(share(push).abs() < 0.01, "trends up and down cancel out: {}", share(push));
    }
}
