//! Costs of being far from a cloud of samples, so that paths stay where data lie; in any dimension.

use crate::crowd::tree::Tree;
use crate::crowd::{Costs, Crowd, StateCost, particle_by_particle, require_coordinates};
use crate::error::{Error, Result, require_count, require_positive};
use crate::rng::Rng;

/// The mean of |x − y|² over the nearest samples y.
#[derive(Clone, Debug)]
pub struct NearestData {
    tree: Tree,
    neighbours: usize,
}

impl NearestData {
    /// Over `neighbours` of the rows of `points`, `[count, dim]`.
    ///
    /// # Errors
    /// [`Error::Setting`] for none, or values that are not finite.
    pub fn new(points: &[f64], dim: usize, neighbours: usize) -> Result<Self> {
        require_cloud(points, dim)?;
        require_count("neighbours", neighbours, 1..=points.len() / dim, "10 is usual")?;
        Ok(Self { tree: Tree::new(points, dim), neighbours })
    }
}

impl StateCost for NearestData {
    fn evaluate(&self, crowd: &Crowd<'_>, _rng: &mut Rng, costs: &mut Costs<'_>) {
        let mut found = Vec::new();
        particle_by_particle(crowd, costs, |x, slope| {
            self.tree.nearest(x, self.neighbours, &mut found);
            let share = 1.0 / found.len() as f64;
            for (_, i) in &found {
                for ((slope, x), y) in slope.iter_mut().zip(x).zip(self.tree.point(*i)) {
                    *slope += 2.0 * share * (x - y);
                }
            }
            share * found.iter().map(|(squared, _)| squared).sum::<f64>()
        });
    }

    fn require_dim(&self, dim: usize) -> Result<()> {
        require_coordinates("samples beside a cloud", self.tree.dim(), dim, "give data of one shape")
    }
}

/// −ln of the share of kernels exp(−|x − y|²/(2h²)) that reach x: 0 in the densest place there can be.
#[derive(Clone, Debug)]
pub struct KernelDensity {
    /// Coordinate by coordinate.
    columns: Vec<Vec<f64>>,
    bandwidth: f64,
}

/// Kernels, at most: of more samples every so-manieth has one.
const MAX_KERNELS: usize = 4096;

impl KernelDensity {
    /// With h = `bandwidth` at the rows of `points`, `[count, dim]`.
    ///
    /// # Errors
    /// [`Error::Setting`] for none, values that are not finite, or a bandwidth that is not positive.
    pub fn new(points: &[f64], dim: usize, bandwidth: f64) -> Result<Self> {
        require_cloud(points, dim)?;
        require_positive("bandwidth", bandwidth, "set a length in data units")?;
        let stride = (points.len() / dim).div_ceil(MAX_KERNELS);
        let column = |k: usize| points.iter().skip(k).step_by(dim * stride).copied().collect();
        Ok(Self { columns: (0..dim).map(column).collect(), bandwidth })
    }
}

impl StateCost for KernelDensity {
    fn evaluate(&self, crowd: &Crowd<'_>, _rng: &mut Rng, costs: &mut Costs<'_>) {
        let precision = self.bandwidth.powi(-2);
        let count = self.columns[0].len();
        let mut shares = vec![0.0; count];
        particle_by_particle(crowd, costs, |x, slope| {
            shares.fill(0.0);
            for (x, column) in x.iter().zip(&self.columns) {
                shares
                    .iter_mut()
                    .zip(column)
                    .for_each(|(sum, y)| *sum -= 0.5 * precision * (x - y) * (x - y));
            }
            let most = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            shares.iter_mut().for_each(|share| *share -= most);
            sbridge_ot::exponentials(&mut shares);
            let sum: f64 = shares.iter().sum();
            for ((slope, x), column) in slope.iter_mut().zip(x).zip(&self.columns) {
                let pull: f64 = shares.iter().zip(column).map(|(share, y)| share * (x - y)).sum();
                *slope += precision * pull / sum;
            }
            (count as f64).ln() - most - sum.ln()
        });
    }

    fn require_dim(&self, dim: usize) -> Result<()> {
        require_coordinates("samples beside a cloud", self.columns.len(), dim, "give data of one shape")
    }
}

/// Refuses a cloud of nothing, or of what is not finite.
pub(super) fn require_cloud(points: &[f64], dim: usize) -> Result<()> {
    if points.is_empty() || !points.len().is_multiple_of(dim) {
        return Err(Error::setting("cloud", "of one sample at least", points.len(), "give samples"));
    }
    match points.iter().find(|x| !x.is_finite()) {
        Some(x) => Err(Error::setting("cloud", "finite", x, "remove samples without a place")),
        None => Ok(()),
    }
}
