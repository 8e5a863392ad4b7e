use super::random::Random;

/// A flash crash of one instrument: a fall within a few steps, and a recovery of part of it over many.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct FlashCrash {
    fall: Stretch,
    recovery: Stretch,
}

/// A logarithmic move spread evenly over steps.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Stretch {
    steps: u32,
    a_step: f64,
}

impl Stretch {
    fn over(steps: u32, move_in_all: f64) -> Self {
        Self { steps, a_step: move_in_all / f64::from(steps.max(1)) }
    }

    fn next(&mut self) -> Option<f64> {
        self.steps = self.steps.checked_sub(1)?;
        Some(self.a_step)
    }
}

impl FlashCrash {
    /// 15 to 40 % down within 2 to 5 steps; 40 to 90 % of it is won back (in logarithms) in 10 to 40 steps.
    pub(super) fn begin(random: &mut Random) -> Self {
        let depth = libm::log(1.0 - random.between(0.15, 0.40));
        let fall = Stretch::over(steps(random, 2, 5), depth);
        let recovered = random.between(0.4, 0.9);
        let recovery = Stretch::over(steps(random, 10, 40), -depth * recovered);
        Self { fall, recovery }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.fall.steps == 0 && self.recovery.steps == 0
    }

    /// The logarithmic move of the next step, and whether the price is falling.
    pub(super) fn next(&mut self) -> (f64, bool) {
        match self.fall.next() {
            Some(down) => (down, true),
            None => (self.recovery.next().unwrap_or(0.0), false),
        }
    }
}

/// A liquidity gap: for some steps hardly anybody quotes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct LiquidityGap {
    steps: u32,
}

impl LiquidityGap {
    /// 5 to 25 steps.
    pub(super) fn begin(random: &mut Random) -> Self {
        Self { steps: steps(random, 5, 25) }
    }

    /// Whether the next step is in the gap.
    pub(super) const fn next(&mut self) -> bool {
        let inside = self.steps > 0;
        self.steps = self.steps.saturating_sub(1);
        inside
    }
}

/// Evenly distributed from `least` to `most`.
fn steps(random: &mut Random, least: u32, most: u32) -> u32 {
    let draw = random.between(f64::from(least), f64::from(most) + 1.0);
    (least..most).find(|whole| draw < f64::from(*whole) + 1.0).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_falls_fast_and_recovers_in_part() {
        for seed in 0..200 {
            let mut crash = FlashCrash::begin(&mut Random::new(seed, 0));
            let (mut sum, mut lowest, mut falling) = (0.0_f64, 0.0_f64, 0);
            while !crash.is_over() {
                let (step, falls) = crash.next();
                sum += step;
                lowest = lowest.min(sum);
                falling += u32::from(falls);
            }
            assert!((2..=5).contains(&falling));
            let depth = 1.0 - libm::exp(lowest);
            assert!((0.149..0.401).contains(&depth), "{depth}");
            let recovered = 1.0 - sum / lowest;
            assert!((0.399..0.901).contains(&recovered), "{recovered}");
            assert_eq!(crash.next(), (0.0, false));
        }
    }

    #[test]
    fn steps_cover_their_range() {
        let mut random = Random::new(5, 0);
        let mut seen = [0; 4];
        for _ in 0..400 {
            seen[steps(&mut random, 2, 5) as usize - 2] += 1;
        }
        assert!(seen.iter().all(|count| (60..140).contains(count)), "{seen:?}");
    }
}
