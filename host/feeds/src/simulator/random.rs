use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Random numbers of one stream. Streams of one seed are independent of each other.
#[derive(Debug, Clone)]
pub(super) struct Random {
    generator: ChaCha12Rng,
    /// The second of two normal numbers that are drawn together.
    spare: Option<f64>,
}

impl Random {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha12Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self { generator, spare: None }
    }

    /// Evenly distributed from 0 to below 1.
    pub(super) fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.generator.next_u64() >> 11) as f64 * STEP
    }

    /// Evenly distributed from `low` to below `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Standard normal (G. Marsaglia's polar method, 1964).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (u, v, square) = self.point_in_unit_disc();
        let scale = (-2.0 * libm::log(square) / square).sqrt();
        self.spare = Some(v * scale);
        u * scale
    }

    /// Student's t with more than two degrees of freedom, scaled to variance 1 (R. W. Bailey, "Polar generation
    /// of random variates with the t-distribution", Mathematics of Computation 62, 1994).
    pub(super) fn student(&mut self, degrees: f64) -> f64 {
        let (u, _, square) = self.point_in_unit_disc();
        let t = u * (degrees * (libm::pow(square, -2.0 / degrees) - 1.0) / square).sqrt();
        t * ((degrees - 2.0) / degrees).sqrt()
    }

    /// A point within the unit circle and the square of its distance from the middle, which is not 0.
    fn point_in_unit_disc(&mut self) -> (f64, f64, f64) {
        loop {
            let (u, v) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                return (u, v, square);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean, variance and the share beyond four standard deviations.
    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64, f64) {
        let count = 200_000;
        let numbers: Vec<f64> = (0..count).map(|_| draw()).collect();
        let count = f64::from(count);
        let mean = numbers.iter().sum::<f64>() / count;
        let variance = numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        let beyond = numbers.iter().filter(|x| x.abs() > 4.0).map(|_| 1.0).sum::<f64>() / count;
        (mean, variance, beyond)
    }

    #[test]
    fn normal_and_student_have_mean_0_and_variance_1_and_their_tails() {
        let mut random = Random::new(1, 0);
        let (mean, variance, beyond) = moments(|| random.normal());
        assert!(
            mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02 && beyond < 0.000_3,
            "{mean} {variance} {beyond}"
        );
        let (mean, variance, beyond) = moments(|| random.student(5.0));
        // Scaled t with 5 degrees: P(|t| > 4 · √(5/3)) = 0.35 %.
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.1, "{mean} {variance}");
        assert!((0.003..0.004).contains(&beyond), "{beyond}");
        let (_, variance, beyond) = moments(|| random.student(1e6));
        assert!((variance - 1.0).abs() < 0.02 && beyond < 0.000_3, "{variance} {beyond}");
    }

    #[test]
    fn streams_differ_and_repeat() {
        let draw = |seed, stream| Random::new(seed, stream).uniform().to_bits();
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }
}
