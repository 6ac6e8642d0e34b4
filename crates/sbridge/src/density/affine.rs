//! A density in other coordinates z, x = m + L z: that of a law whose centre and width are about those of N(0, I).

use faer::{Mat, MatRef, Side};

use super::LogDensity;
use super::baselines::Gaussian;
use crate::error::Result;

/// x = m + L z.
#[derive(Clone, Debug)]
pub enum Coordinates {
    /// L is diagonal.
    Axes {
        /// m, `[dim]`.
        centre: Vec<f64>,
        /// The diagonal of L, `[dim]`.
        spreads: Vec<f64>,
    },
    /// Those in which this law is N(0, I).
    Law(Gaussian),
}

/// Draws for every coordinate, at least, of which correlations are taken.
const DRAWS_OF_CORRELATION: usize = 10;

/// Kurtosis, 3 for a normal law, above which tails are heavy.
const HEAVY: f64 = 10.0;

/// The standard deviation of the normal law that has the quartiles of `values`.
fn quartile_spread(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let quartile = |share: f64| values[(share * values.len() as f64) as usize];
    (quartile(0.75) - quartile(0.25)) / QUARTILES_OF_NORMAL
}

/// The distance of the quartiles of N(0, 1).
const QUARTILES_OF_NORMAL: f64 = 1.348_979_5;

impl Coordinates {
    /// About the origin, `spread` along every axis.
    pub fn scaled(dim: usize, spread: f64) -> Self {
        Self::Axes { centre: vec![0.0; dim], spreads: vec![spread; dim] }
    }

    /// In which `draws`, `[count, dim]`, have mean 0 and covariance I; axis by axis where there are too few draws for
    /// correlations, or some axis has heavy tails, of which its standard deviation would say nothing: its quartiles do. Nothing
    /// where they do not vary along some axis.
    pub fn of_draws(draws: &[f64], dim: usize) -> Option<Self> {
        let count = draws.len() / dim;
        let rows = MatRef::from_row_major_slice(draws, count, dim);
        let mean = |j: usize| (0..count).map(|i| rows[(i, j)]).sum::<f64>() / count as f64;
        let centre: Vec<f64> = (0..dim).map(mean).collect();
        let centred = Mat::from_fn(count, dim, |i, j| rows[(i, j)] - centre[j]);
        let divisor = count as f64 - 1.0;
        let spread = |j: usize| (centred.col(j).squared_norm_l2() / divisor).sqrt();
        let mut spreads: Vec<f64> = (0..dim).map(spread).collect();
        let kurtosis =
            |j: usize| centred.col(j).iter().map(|x| (x / spreads[j]).powi(4)).sum::<f64>() / count as f64;
        let heavy: Vec<usize> = (0..dim).filter(|j| kurtosis(*j) > HEAVY).collect();
        for j in &heavy {
            spreads[*j] = quartile_spread(centred.col(*j).iter().copied().collect());
        }
        if !spreads.iter().all(|spread| spread.is_finite() && *spread > 0.0) {
            return None;
        }
        if count < DRAWS_OF_CORRELATION * dim || !heavy.is_empty() {
            return Some(Self::Axes { centre, spreads });
        }
        let covariance = sbridge_ot::matrix::times(centred.transpose(), centred.as_ref());
        let covariance = Mat::from_fn(dim, dim, |i, j| covariance[(i, j)] / divisor);
        let factor = covariance.llt(Side::Lower).ok()?.L().to_owned();
        Some(Self::Law(Gaussian { mean: centre, factor }))
    }

    /// Dimension of a state.
    pub fn dim(&self) -> usize {
        match self {
            Self::Axes { centre, .. } => centre.len(),
            Self::Law(law) => law.mean.len(),
        }
    }

    /// x of every z, `[count, dim]` both.
    pub fn outward(&self, z: &[f64]) -> Vec<f64> {
        match self {
            Self::Axes { centre, spreads } => {
                let axes = centre.iter().zip(spreads).cycle();
                z.iter().zip(axes).map(|(z, (m, s))| m + s * z).collect()
            }
            Self::Law(law) => law.at(z),
        }
    }

    /// z of every x, `[count, dim]` both.
    pub fn inward(&self, x: &[f64]) -> Vec<f64> {
        match self {
            Self::Axes { centre, spreads } => {
                let axes = centre.iter().zip(spreads).cycle();
                x.iter().zip(axes).map(|(x, (m, s))| (x - m) / s).collect()
            }
            Self::Law(law) => law.whitened(x),
        }
    }

    /// Lᵀ g of slopes g in x: slopes in z, `[count, dim]` both.
    fn pulled(&self, slopes: &[f64]) -> Vec<f64> {
        match self {
            Self::Axes { spreads, .. } => {
                slopes.iter().zip(spreads.iter().cycle()).map(|(g, s)| g * s).collect()
            }
            Self::Law(law) => law.pulled(slopes),
        }
    }

    /// ln |det L|.
    fn log_det(&self) -> f64 {
        match self {
            Self::Axes { spreads, .. } => spreads.iter().map(|s| s.ln()).sum(),
            Self::Law(law) => law.log_det(),
        }
    }
}

/// ln ρ(m + L z) + ln |det L|, of which Z is that of ρ.
pub struct Affine<'a> {
    density: &'a dyn LogDensity,
    coordinates: &'a Coordinates,
}

impl<'a> Affine<'a> {
    /// `density` in `coordinates`.
    pub fn new(density: &'a dyn LogDensity, coordinates: &'a Coordinates) -> Self {
        Self { density, coordinates }
    }

    fn with_volume(&self, values: Vec<f64>) -> Vec<f64> {
        let volume = self.coordinates.log_det();
        values.into_iter().map(|value| value + volume).collect()
    }
}

impl LogDensity for Affine<'_> {
    fn dim(&self) -> usize {
        self.density.dim()
    }

    fn values(&self, states: &[f64]) -> Result<Vec<f64>> {
        Ok(self.with_volume(self.density.values(&self.coordinates.outward(states))?))
    }

    fn values_and_gradients(&self, states: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let (values, slopes) = self.density.values_and_gradients(&self.coordinates.outward(states))?;
        Ok((self.with_volume(values), self.coordinates.pulled(&slopes)))
    }

    fn has_gradient(&self) -> bool {
        self.density.has_gradient()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::density::targets::Funnel;
    use crate::density::{central_differences, normals};
    use crate::rng::Rng;

    #[test]
    fn other_coordinates_keep_the_normaliser_and_the_slopes() {
        let funnel = Funnel::easy();
        let dim = funnel.dim();
        let below = |i: usize, j: usize| if i == j { 2.0 } else { 0.3 / (1.0 + (i - j) as f64) };
        let factor = Mat::from_fn(dim, dim, |i, j| if i < j { 0.0 } else { below(i, j) });
        let centre: Vec<f64> = (0..dim).map(|i| 0.1 * i as f64 - 0.5).collect();
        let z = normals(4 * dim, &mut Rng::new(1));
        for (coordinates, volume) in [
            (Coordinates::Law(Gaussian { mean: centre.clone(), factor }), dim as f64 * 2f64.ln()),
            (Coordinates::Axes { centre, spreads: vec![1.5; dim] }, dim as f64 * 1.5f64.ln()),
        ] {
            let (density, x) = (Affine::new(&funnel, &coordinates), coordinates.outward(&z));
            let (values, slopes) = density.values_and_gradients(&z).unwrap();
            for (found, known) in values.iter().zip(funnel.values(&x).unwrap()) {
                assert!((found - known - volume).abs() < 1e-12);
            }
            for (found, known) in slopes.iter().zip(central_differences(&density, &z).unwrap()) {
                assert!((found - known).abs() < 1e-6 * known.abs().max(1.0), "{found} {known}");
            }
            for (found, known) in coordinates.inward(&x).iter().zip(&z) {
                assert!((found - known).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn draws_have_mean_zero_and_covariance_one_in_their_own_coordinates() {
        let z = normals(400, &mut Rng::new(2));
        let draws: Vec<f64> = z.chunks_exact(2).flat_map(|z| [3.0 + 2.0 * z[0], z[0] - 0.1 * z[1]]).collect();
        let own = Coordinates::of_draws(&draws, 2).unwrap().inward(&draws);
        let mean = |f: &dyn Fn(&[f64]) -> f64| own.chunks_exact(2).map(f).sum::<f64>() / 199.0;
        for (found, known) in [
            (mean(&|z| z[0]), 0.0),
            (mean(&|z| z[1]), 0.0),
            (mean(&|z| z[0] * z[0]), 1.0),
            (mean(&|z| z[1] * z[1]), 1.0),
            (mean(&|z| z[0] * z[1]), 0.0),
        ] {
            assert!((found - known).abs() < 1e-10, "{found} {known}");
        }
        assert!(matches!(Coordinates::of_draws(&draws[..20], 2), Some(Coordinates::Axes { .. })));
        let fifths: Vec<f64> = z.iter().map(|z| z.powi(5)).collect();
        let Some(Coordinates::Axes { spreads, .. }) = Coordinates::of_draws(&fifths, 2) else {
            panic!("tails")
        };
        // Quartiles of N(0, 1) are 0.674 from 0: 0.674⁵ = 0.139, over 0.674; six errors of a quartile of 200.
        assert!(spreads.iter().all(|spread| (spread - 0.2069).abs() < 0.15), "{spreads:?}");
        assert!(Coordinates::of_draws(&[1.0, 2.0, 1.0, 3.0], 2).is_none());
    }
}
