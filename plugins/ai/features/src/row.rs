use crate::table::{COUNT, FEATURES, Name};

/// No feature is larger in size.
pub const LIMIT: f32 = 10.0;

/// The features of an instrument at the end of a bar, in the order of [`FEATURES`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row([f32; COUNT]);

impl Row {
    /// The row of an instrument that nothing is known of.
    #[must_use]
    pub fn neutral() -> Self {
        Self(FEATURES.map(|feature| feature.neutral))
    }

    /// The values, in the order of [`FEATURES`].
    #[must_use]
    pub const fn values(&self) -> &[f32; COUNT] {
        &self.0
    }

    /// One value.
    #[must_use]
    pub const fn get(&self, name: Name) -> f32 {
        self.0[name as usize]
    }

    /// Sets a value within the limits. What is no number stays neutral.
    #[expect(clippy::cast_possible_truncation, reason = "a value within the limits is rounded, not cut")]
    pub(crate) const fn set(&mut self, name: Name, value: f64) {
        if !value.is_nan() {
            // Without the sum a rounded negative number would be a negative zero.
            self.0[name as usize] = value.clamp(-(LIMIT as f64), LIMIT as f64) as f32 + 0.0;
        }
    }

    /// Sets a value where it is known.
    pub(crate) const fn set_known(&mut self, name: Name, value: Option<f64>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Sets a flag.
    pub(crate) const fn set_flag(&mut self, name: Name, is_set: bool) {
        self.set(name, if is_set { 1.0 } else { 0.0 });
    }
}

/// The natural logarithm of a ratio of two numbers that are 0 or more; within the limits also where one is 0. `None`
/// where both are.
pub(crate) fn log_ratio(value: f64, to: f64) -> Option<f64> {
    if value <= 0.0 && to <= 0.0 {
        return None;
    }
    let limit = f64::from(LIMIT);
    Some((libm::log(value) - libm::log(to)).clamp(-limit, limit))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers have no rounding")]
mod tests {
    use super::*;

    #[test]
    fn bounds_what_it_is_given() {
        let mut row = Row::neutral();
        for (value, kept) in [(3.5, 3.5), (1e300, 10.0), (f64::NEG_INFINITY, -10.0), (-1e-300, 0.0)] {
            row.set(Name::Gap, value);
            assert_eq!(row.get(Name::Gap), kept);
            assert!(row.get(Name::Gap) != 0.0 || row.get(Name::Gap).is_sign_positive());
        }
        row.set(Name::Gap, 2.0);
        row.set(Name::Gap, f64::NAN);
        row.set_known(Name::Gap, None);
        assert_eq!(row.get(Name::Gap), 2.0);
    }

    #[test]
    fn a_ratio_to_nothing_is_the_limit() {
        assert_eq!(log_ratio(1.0, 0.0), Some(10.0));
        assert_eq!(log_ratio(0.0, 1.0), Some(-10.0));
        assert_eq!(log_ratio(0.0, 0.0), None);
        assert_eq!(log_ratio(2.0, 2.0), Some(0.0));
    }
}
