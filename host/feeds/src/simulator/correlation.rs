/// The lower triangular factor of a correlation matrix: rows of growing length.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Factor(Vec<Vec<f64>>);

impl Factor {
    /// The Cholesky–Banachiewicz decomposition of a symmetric matrix, of which only the lower triangle is read.
    /// `None` when the matrix is not positive definite: no shocks have such correlations, or one of them is
    /// nothing but a sum of others.
    pub(super) fn of(matrix: &[Vec<f64>]) -> Option<Self> {
        let mut factor: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
        for row in matrix {
            let mut next: Vec<f64> = Vec::with_capacity(factor.len() + 1);
            for (value, above) in row.iter().zip(&factor) {
                let explained: f64 = next.iter().zip(above).map(|(left, right)| left * right).sum();
                next.push((value - explained) / above.last()?);
            }
            let left = row.get(factor.len())? - next.iter().map(|value| value * value).sum::<f64>();
            if left.is_nan() || left <= 1e-12 {
                return None;
            }
            next.push(left.sqrt());
            factor.push(next);
        }
        Some(Self(factor))
    }

    /// Turns independent shocks into correlated ones of the same variance.
    pub(super) fn apply(&self, independent: &[f64], correlated: &mut [f64]) {
        for (shock, weights) in correlated.iter_mut().zip(&self.0) {
            *shock = weights.iter().zip(independent).map(|(weight, shock)| weight * shock).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_times_itself_is_the_matrix() {
        let matrix = vec![vec![1.0, 0.8, 0.3], vec![0.8, 1.0, 0.5], vec![0.3, 0.5, 1.0]];
        let Factor(rows) = Factor::of(&matrix).unwrap();
        for (i, left) in rows.iter().enumerate() {
            for (j, right) in rows.iter().enumerate() {
                let product: f64 = left.iter().zip(right).map(|(a, b)| a * b).sum();
                assert!((product - matrix[i][j]).abs() < 1e-12, "{i} {j}");
            }
        }
    }

    #[test]
    fn impossible_correlations_have_no_factor() {
        let impossible = vec![vec![1.0, 0.9, -0.9], vec![0.9, 1.0, 0.9], vec![-0.9, 0.9, 1.0]];
        assert_eq!(Factor::of(&impossible), None);
        assert_eq!(Factor::of(&[vec![1.0, 1.0], vec![1.0, 1.0]]), None);
        assert_eq!(Factor::of(&[vec![f64::NAN]]), None);
        assert_eq!(Factor::of(&[vec![1.0], vec![1.0]]), None, "too short");
    }
}
