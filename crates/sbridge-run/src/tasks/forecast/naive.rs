//! Forecasts that anyone can make: what a model has to be better than.

use faer::Mat;
use faer::linalg::solvers::Solve;
use sbridge::rng::Rng;
use sbridge_ot::matrix::sqrt_psd;

/// Share of a direction that rounding makes.
const ROUNDING: f64 = 1e-10;

/// Draws of the next `horizon` vectors after a past: `[draws][horizon × dim]`.
pub(super) type Paths = Vec<Vec<f64>>;

/// The last values again.
pub(super) fn last_value(past: &[f64], dim: usize, horizon: usize) -> Paths {
    vec![past[past.len() - dim..].repeat(horizon)]
}

/// The values of a season ago again; the last ones where the past is shorter than a season.
pub(super) fn seasonal(past: &[f64], dim: usize, horizon: usize, season: usize) -> Paths {
    let season = season.min(past.len() / dim);
    let cycle = &past[past.len() - season * dim..];
    vec![cycle.iter().cycle().take(horizon * dim).copied().collect()]
}

/// Steps of a vector autoregression Δ' = c + B Δ + noise, fitted by least squares; a random walk if B and c are zero.
pub(super) struct Autoregression {
    dim: usize,
    constant: Vec<f64>,
    matrix: Mat<f64>,
    root: Mat<f64>,
}

impl Autoregression {
    /// Independent steps without a drift, of the covariance of those of `values`, `[times, dim]`; nothing if that has no
    /// root.
    pub(super) fn random_walk(values: &[f64], dim: usize) -> Option<Self> {
        let steps = steps(values, dim);
        let root = root_of_moments(&steps)?;
        Some(Self { dim, constant: vec![0.0; dim], matrix: Mat::zeros(dim, dim), root })
    }

    /// That of the steps of `values`, `[times, dim]`; nothing if there are too few for its coefficients, or a series follows
    /// from the others, so that there are many.
    pub(super) fn fit(values: &[f64], dim: usize) -> Option<Self> {
        let steps = steps(values, dim);
        let count = steps.nrows().checked_sub(1)?;
        if count < 5 * (dim + 1) {
            return None;
        }
        let inputs = Mat::from_fn(count, dim + 1, |i, j| if j == dim { 1.0 } else { steps[(i, j)] });
        let outputs = Mat::from_fn(count, dim, |i, j| steps[(i + 1, j)]);
        let normal = inputs.transpose() * &inputs;
        if is_singular(&normal) {
            return None;
        }
        let solved = normal.full_piv_lu().solve(inputs.transpose() * &outputs);
        let left = outputs - &inputs * &solved;
        Some(Self {
            dim,
            constant: (0..dim).map(|j| solved[(dim, j)]).collect(),
            matrix: Mat::from_fn(dim, dim, |i, j| solved[(j, i)]),
            root: root_of_moments(&left)?,
        })
    }

    /// `draws` paths of the next `horizon` vectors after `past`.
    pub(super) fn paths(&self, past: &[f64], horizon: usize, draws: usize, rng: &mut Rng) -> Paths {
        let dim = self.dim;
        let last = &past[past.len() - dim..];
        let before = &past[past.len() - 2 * dim..past.len() - dim];
        let path = |_| {
            let (mut at, mut step) =
                (last.to_vec(), last.iter().zip(before).map(|(a, b)| a - b).collect::<Vec<_>>());
            let mut path = Vec::with_capacity(horizon * dim);
            for _ in 0..horizon {
                let mut noise = vec![0f32; dim];
                rng.fill_normal(&mut noise);
                step = (0..dim)
                    .map(|i| {
                        let moved: f64 = (0..dim).map(|j| self.matrix[(i, j)] * step[j]).sum();
                        let shaken: f64 = (0..dim).map(|j| self.root[(i, j)] * f64::from(noise[j])).sum();
                        self.constant[i] + moved + shaken
                    })
                    .collect();
                at.iter_mut().zip(&step).for_each(|(x, dx)| *x += dx);
                path.extend(&at);
            }
            path
        };
        (0..draws).map(path).collect()
    }
}

/// Whether a matrix of second moments has, in units of its diagonal, no more of some direction than rounding makes.
fn is_singular(moments: &Mat<f64>) -> bool {
    let size = |i: usize| moments[(i, i)].sqrt();
    let scaled = Mat::from_fn(moments.nrows(), moments.ncols(), |i, j| moments[(i, j)] / (size(i) * size(j)));
    let values = scaled.self_adjoint_eigenvalues(faer::Side::Lower);
    values.is_ok_and(|values| values.into_iter().any(|value| !value.is_finite() || value < ROUNDING))
}

/// Differences of neighbours, `[times − 1, dim]`.
fn steps(values: &[f64], dim: usize) -> Mat<f64> {
    let count = (values.len() / dim).saturating_sub(1);
    Mat::from_fn(count, dim, |i, j| values[(i + 1) * dim + j] - values[i * dim + j])
}

/// The root of the second moments of rows.
fn root_of_moments(rows: &Mat<f64>) -> Option<Mat<f64>> {
    let moments = (rows.transpose() * rows) * faer::Scale(1.0 / rows.nrows().max(1) as f64);
    sqrt_psd(moments.as_ref()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_repeated_is_the_past() {
        let past = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
        assert_eq!(last_value(&past, 2, 2)[0], [3.0, 30.0, 3.0, 30.0]);
        assert_eq!(seasonal(&past, 2, 3, 2)[0], [2.0, 20.0, 3.0, 30.0, 2.0, 20.0]);
        assert_eq!(seasonal(&past, 2, 1, 9)[0], [1.0, 10.0]);
    }

    #[test]
    fn an_autoregression_is_found_again() {
        // Δ' = 0.1 + B Δ + noise, simulated by its own paths.
        let matrix = faer::mat![[0.5, 0.2], [0.0, -0.3]];
        let truth = Autoregression {
            dim: 2,
            constant: vec![0.1, 0.0],
            matrix,
            root: faer::mat![[1.0, 0.0], [0.0, 0.5]],
        };
        let path = truth.paths(&[0.0; 4], 40_000, 1, &mut Rng::new(1)).remove(0);
        let found = Autoregression::fit(&path, 2).unwrap();
        // Five standard errors of a coefficient: 1/√40,000 times a ratio of deviations below 2.5.
        for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!((found.matrix[(i, j)] - truth.matrix[(i, j)]).abs() < 0.0625);
            assert!((found.root[(i, j)] - truth.root[(i, j)]).abs() < 0.025);
        }
        assert!(Autoregression::fit(&path[..20], 2).is_none());
        let mirrored: Vec<f64> = path.chunks_exact(2).flat_map(|row| [row[0], -row[0]]).collect();
        assert!(Autoregression::fit(&mirrored, 2).is_none(), "one series follows from the other");
    }
}
