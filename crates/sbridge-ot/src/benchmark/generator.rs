//! The numbers instances are made of: few lines in any language, so that anyone can build them again.

use faer::Mat;

/// Normal numbers by Box–Muller from SplitMix64.
pub(super) struct Normals {
    state: u64,
    spare: Option<f64>,
}

impl Normals {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed, spare: None }
    }

    /// The next 64 bits.                                                                          \[SLF14\]
    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) * 2f64.powi(-53)
    }
}

impl Iterator for Normals {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        if let Some(spare) = self.spare.take() {
            return Some(spare);
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sine);
        Some(radius * cosine)
    }
}

/// Columns of a row-major square matrix, made orthonormal one after the other.
pub(super) fn orthonormal(rows: &[f64], dim: usize) -> Mat<f64> {
    let mut columns: Vec<Vec<f64>> = Vec::with_capacity(dim);
    for j in 0..dim {
        let mut column: Vec<f64> = (0..dim).map(|i| rows[i * dim + j]).collect();
        // Twice is enough to make the rounding of the first pass vanish.
        for _ in 0..2 {
            for earlier in &columns {
                let along: f64 = column.iter().zip(earlier).map(|(a, b)| a * b).sum();
                column.iter_mut().zip(earlier).for_each(|(a, b)| *a -= along * b);
            }
        }
        let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        columns.push(column.into_iter().map(|x| x / length).collect());
    }
    Mat::from_fn(dim, dim, |i, j| columns[j][i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_its_published_numbers() {
        assert_eq!(Normals::new(2).bits(), 0x9758_35DE_1C97_56CE);
        let first: Vec<f64> = Normals::new(2).take(4).collect();
        for (got, known) in first.iter().zip([-0.005478, -1.025284, 0.098467, -1.013187]) {
            assert!((got - known).abs() < 6e-7, "{first:?}"); // six digits are published
        }
    }
}
