//! Entropic transport problems in any dimension whose plan is known exactly, to judge solvers by.     \[GKMB23\]
//!
//! Choose a potential first: v(y) = Σ_k p_k N(y | μ_k, Σ_k). With source N(0, I) the plan that it makes,
//!
//! π*(y|x) = Σ_k w_k(x) N(y | M_k(x), P_k),   w_k ∝ p_k N(x | μ_k, Σ_k + εI),
//! P_k = (I/ε + Σ_k⁻¹)⁻¹,   M_k = P_k (x/ε + Σ_k⁻¹ μ_k),
//!
//! is the Schrödinger bridge's between N(0, I) and its own second marginal. Instances are drawn from formulas with
//! fixed seeds, so that anyone can build them again.
//!
//! Tests: the generator's published values; the plan's moments by quadrature; draws have them.

use faer::{Mat, MatRef};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::bures::bures_wasserstein2;
use crate::error::{OtError, Result, require_positive};
use crate::gaussian::Gaussian;
use crate::points::Points;

/// Gaussians of the potential.
const COMPONENTS: usize = 5;

/// Distance of their means from the origin.
const RADIUS: f64 = 5.0;

/// A problem with a known plan.
#[derive(Debug, Clone)]
pub struct EntropicBenchmark {
    epsilon: f64,
    components: Vec<Component>,
}

/// One Gaussian of the potential, in its eigenbasis.
#[derive(Debug, Clone)]
struct Component {
    ln_weight: f64,
    /// Q, columns are axes.
    axes: Mat<f64>,
    /// Eigenvalues of Σ.
    values: Vec<f64>,
    /// Qᵀμ.
    mean: Vec<f64>,
}

impl EntropicBenchmark {
    /// The instance of this dimension and ε: five Gaussians around the origin, seeded by the dimension.
    ///
    /// # Errors
    /// If `dim` is below 2, or `epsilon` is not finite and positive.
    pub fn new(dim: usize, epsilon: f64) -> Result<Self> {
        require_positive("epsilon", epsilon, " (0.1, 1 and 10 are the usual ones)")?;
        if dim < 2 {
            return Err(OtError::Setting {
                name: "dim",
                requirement: "at least 2",
                value: dim as f64,
                fix: " (2, 16, 64 and 128 are the usual ones)",
            });
        }
        let mut normals = Normals::new(dim as u64);
        let mut components: Vec<Component> =
            (0..COMPONENTS).map(|_| Component::draw(dim, epsilon, &mut normals)).collect();
        let terms: Vec<f64> = components.iter().map(|c| c.ln_weight).collect();
        let total = log_sum_exp(&terms);
        components.iter_mut().for_each(|c| c.ln_weight -= total);
        Ok(Self { epsilon, components })
    }

    /// Number of coordinates.
    pub fn dim(&self) -> usize {
        self.components[0].values.len()
    }

    /// ε of the reference.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// `n` samples of the source, N(0, I).
    ///
    /// # Errors
    /// If `n` is 0.
    pub fn sample_source(&self, n: usize, rng: &mut impl Rng) -> Result<Points> {
        Points::new((0..n * self.dim()).map(|_| StandardNormal.sample(rng)).collect(), self.dim())
    }

    /// One draw of the plan for every point of `x`.
    ///
    /// # Errors
    /// If the dimensions differ.
    pub fn sample_target(&self, x: &Points, rng: &mut impl Rng) -> Result<Points> {
        let draw = |x: &[f64]| -> Vec<f64> {
            let uniform: f64 = rand::RngExt::random(rng);
            let component = &self.components[pick(&self.weights(x), uniform)];
            let turned = component.turned(x);
            let normal = || -> f64 { StandardNormal.sample(rng) };
            let noise: Vec<f64> = std::iter::repeat_with(normal).take(x.len()).collect();
            let along = |j: usize| {
                let (mean, var) = component.posterior(j, turned[j], self.epsilon);
                mean + var.sqrt() * noise[j]
            };
            component.back(&(0..x.len()).map(along).collect::<Vec<_>>())
        };
        let rows: Vec<f64> = x.rows().map(draw).collect::<Vec<_>>().concat();
        Points::new(rows, self.dim())
    }

    /// Mean and covariance of π*(·|x).
    ///
    /// # Errors
    /// If rounding makes the covariance indefinite.
    pub fn conditional(&self, x: &[f64]) -> Result<Gaussian> {
        let (dim, weights) = (self.dim(), self.weights(x));
        let mut mean = vec![0.0; dim];
        let mut second = Mat::<f64>::zeros(dim, dim);
        for (w, c) in weights.iter().zip(&self.components) {
            let turned = c.turned(x);
            let (centre, var): (Vec<f64>, Vec<f64>) =
                (0..dim).map(|j| c.posterior(j, turned[j], self.epsilon)).unzip();
            let centre = c.back(&centre);
            mean.iter_mut().zip(&centre).for_each(|(m, c)| *m += w * c);
            let scaled = Mat::from_fn(dim, dim, |i, j| c.axes[(i, j)] * var[j]);
            let outer = Mat::from_fn(dim, dim, |i, j| centre[i] * centre[j]);
            second += (&scaled * c.axes.transpose() + outer) * faer::Scale(*w);
        }
        Gaussian::new(mean.clone(), Mat::from_fn(dim, dim, |i, j| second[(i, j)] - mean[i] * mean[j]))
    }

    /// Drift of the bridge at time `t` < 1 in states that are the columns of `x`: v(t, x) = ε ∇ln Σ_k p_k N(x | μ_k,
    /// Σ_k + ε(1 − t) I).
    ///
    /// # Shapes
    /// `x: [dim, n]`, result the same.
    pub fn drift(&self, t: f64, x: MatRef<'_, f64>) -> Mat<f64> {
        let left = self.epsilon * (1.0 - t);
        let turned: Vec<Mat<f64>> = self.components.iter().map(|c| c.axes.transpose() * x).collect();
        let along = |z: &Mat<f64>, i: usize| -> Vec<f64> { z.col(i).iter().copied().collect() };
        let mut drift = Mat::<f64>::zeros(x.nrows(), x.ncols());
        let terms = |i: usize| -> Vec<f64> {
            let pairs = self.components.iter().zip(&turned);
            let terms: Vec<f64> = pairs.map(|(c, z)| c.log_evidence_along(&along(z, i), left)).collect();
            let total = log_sum_exp(&terms);
            terms.into_iter().map(|term| (term - total).exp()).collect()
        };
        let weights: Vec<Vec<f64>> = (0..x.ncols()).map(terms).collect();
        for (k, (c, z)) in self.components.iter().zip(&turned).enumerate() {
            let pull = |j: usize, i: usize| {
                self.epsilon * weights[i][k] * (c.mean[j] - z[(j, i)]) / (c.values[j] + left)
            };
            drift += &c.axes * Mat::from_fn(x.nrows(), x.ncols(), pull);
        }
        drift
    }

    /// w_k(x).
    fn weights(&self, x: &[f64]) -> Vec<f64> {
        let terms: Vec<f64> = self.components.iter().map(|c| c.log_evidence(x, self.epsilon)).collect();
        let total = log_sum_exp(&terms);
        terms.into_iter().map(|term| (term - total).exp()).collect()
    }

    /// cBW-UVP in percent: 100 times the mean, over points x, of the Bures–Wasserstein distance between the moments
    /// `model(x)` and those of the plan, over the total variance of the target.
    ///
    /// # Errors
    /// If the model fails, or its dimension differs.
    pub fn conditional_uvp<E: From<OtError>>(
        &self,
        x: &Points,
        target_variance: f64,
        mut model: impl FnMut(&[f64]) -> std::result::Result<Gaussian, E>,
    ) -> std::result::Result<f64, E> {
        let mut total = 0.0;
        for x in x.rows() {
            total += bures_wasserstein2(&model(x)?, &self.conditional(x)?)?;
        }
        Ok(100.0 * total / (x.len() as f64 * target_variance))
    }
}

impl Component {
    fn draw(dim: usize, epsilon: f64, normals: &mut Normals) -> Self {
        let direction: Vec<f64> = normals.by_ref().take(dim).collect();
        let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
        let mean: Vec<f64> = direction.iter().map(|x| RADIUS * x / length).collect();
        let axes = orthonormal(&normals.by_ref().take(dim * dim).collect::<Vec<_>>(), dim);
        let widest = epsilon.min(4.0 / dim as f64);
        let values: Vec<f64> =
            (0..dim).map(|j| widest * 4f64.powf(-1.0 + j as f64 / (dim as f64 - 1.0))).collect();
        let mut component = Self { ln_weight: 0.0, axes, values, mean: Vec::new() };
        component.mean = component.turned(&mean);
        // Weights that make every component matter at the origin.
        let pulls = component.mean.iter().zip(&component.values).map(|(m, value)| m * m / (value + epsilon));
        component.ln_weight = 0.5 * pulls.sum::<f64>();
        component
    }

    /// Qᵀx.
    fn turned(&self, x: &[f64]) -> Vec<f64> {
        self.axes.col_iter().map(|axis| axis.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
    }

    /// Q z.
    fn back(&self, z: &[f64]) -> Vec<f64> {
        let out = &self.axes * MatRef::from_column_major_slice(z, z.len(), 1);
        out.col(0).iter().copied().collect()
    }

    /// ln p_k N(x | μ_k, Σ_k + εI), up to a constant that all components share.
    fn log_evidence(&self, x: &[f64], epsilon: f64) -> f64 {
        self.log_evidence_along(&self.turned(x), epsilon)
    }

    /// The same of a state in the eigenbasis.
    fn log_evidence_along(&self, z: &[f64], epsilon: f64) -> f64 {
        let along = |((z, m), value): ((&f64, &f64), &f64)| {
            let var = value + epsilon;
            -0.5 * ((z - m).powi(2) / var + var.ln())
        };
        self.ln_weight + z.iter().zip(&self.mean).zip(&self.values).map(along).sum::<f64>()
    }

    /// Mean and variance of y along axis `j`, given that x is `z` along it.
    fn posterior(&self, j: usize, z: f64, epsilon: f64) -> (f64, f64) {
        let value = self.values[j];
        let var = epsilon * value / (epsilon + value);
        (var * (z / epsilon + self.mean[j] / value), var)
    }
}

/// Columns of a row-major square matrix, made orthonormal one after the other.
fn orthonormal(rows: &[f64], dim: usize) -> Mat<f64> {
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

fn log_sum_exp(terms: &[f64]) -> f64 {
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + terms.iter().map(|x| (x - most).exp()).sum::<f64>().ln()
}

/// The index at which cumulated `weights` pass `u`.
fn pick(weights: &[f64], u: f64) -> usize {
    let mut passed = 0.0;
    let found = weights.iter().position(|w| {
        passed += w;
        u < passed
    });
    found.unwrap_or(weights.len() - 1)
}

/// Normal numbers by Box–Muller from SplitMix64: few lines in any language, so that instances can be rebuilt.
struct Normals {
    state: u64,
    spare: Option<f64>,
}

impl Normals {
    fn new(seed: u64) -> Self {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Published values have six digits, logarithms three.
    const SIX: f64 = 6e-7;

    #[test]
    fn the_generator_gives_its_published_numbers() {
        assert_eq!(Normals::new(2).bits(), 0x9758_35DE_1C97_56CE);
        let first: Vec<f64> = Normals::new(2).take(4).collect();
        for (got, known) in first.iter().zip([-0.005478, -1.025284, 0.098467, -1.013187]) {
            assert!((got - known).abs() < SIX, "{first:?}");
        }
    }

    #[test]
    fn instances_begin_with_their_published_means_and_weights() {
        let table = [
            (2, [-0.005343, -0.999986]),
            (16, [0.300901, 0.164191]),
            (64, [0.041755, 0.061477]),
            (128, [-0.048989, -0.067869]),
        ];
        for (dim, start) in table {
            let benchmark = EntropicBenchmark::new(dim, 0.1).unwrap();
            let first = &benchmark.components[0];
            let mean = first.back(&first.mean);
            assert!((0..2).all(|j| (mean[j] / RADIUS - start[j]).abs() < SIX), "{dim}: {mean:?}");
        }
        let benchmark = EntropicBenchmark::new(2, 0.1).unwrap();
        for (c, known) in benchmark.components.iter().zip([-0.763, -0.628, -15.302, -28.443, -14.421]) {
            assert!((c.ln_weight - known).abs() < 6e-4, "{}", c.ln_weight);
        }
    }

    #[test]
    fn targets_have_their_published_total_variance() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (dim, epsilon, known) in [(2, 0.1, 14.49), (2, 10.0, 21.88), (16, 1.0, 20.39), (16, 10.0, 23.07)]
        {
            let benchmark = EntropicBenchmark::new(dim, epsilon).unwrap();
            let x = benchmark.sample_source(20_000, &mut rng).unwrap();
            let y = benchmark.sample_target(&x, &mut rng).unwrap();
            let covariance = y.covariance().unwrap();
            let trace: f64 = (0..dim).map(|j| covariance[(j, j)]).sum();
            // Mode counts decide: 4.5 standard errors of the share of a mode at distance ten, ±2 %.
            assert!((trace / known - 1.0).abs() < 0.02, "{dim}, {epsilon}: {trace}");
        }
    }

    #[test]
    fn moments_of_the_plan_are_those_of_quadrature() {
        let benchmark = EntropicBenchmark::new(2, 1.0).unwrap();
        let x = [0.4, -0.9];
        // π*(y|x) ∝ e^{−|x−y|²/2ε} Σ p N(y | μ, Σ) on a grid; the trapezoidal rule is exact to rounding.
        let (mut total, mut first, mut second) = (0.0, [0.0; 2], [[0.0; 2]; 2]);
        for i in -200..=200 {
            for j in -200..=200 {
                let y = [0.05 * f64::from(i), 0.05 * f64::from(j)];
                let potential: f64 = benchmark
                    .components
                    .iter()
                    .map(|c| {
                        let along = c.turned(&y).into_iter().zip(&c.mean).zip(&c.values);
                        let terms =
                            along.map(|((z, m), value)| -0.5 * ((z - m).powi(2) / value + value.ln()));
                        (c.ln_weight + terms.sum::<f64>()).exp()
                    })
                    .sum();
                let distance = (y[0] - x[0]).powi(2) + (y[1] - x[1]).powi(2);
                let mass = potential * (-0.5 * distance / benchmark.epsilon()).exp();
                total += mass;
                for a in 0..2 {
                    first[a] += mass * y[a];
                    for b in 0..2 {
                        second[a][b] += mass * y[a] * y[b];
                    }
                }
            }
        }
        let exact = benchmark.conditional(&x).unwrap();
        for a in 0..2 {
            let mean = first[a] / total;
            assert!((exact.mean()[a] - mean).abs() < 1e-9, "{} {mean}", exact.mean()[a]);
            for b in 0..2 {
                let covariance = second[a][b] / total - mean * first[b] / total;
                assert!((exact.cov()[(a, b)] - covariance).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn the_drift_is_the_gradient_of_the_potential_carried_back() {
        let benchmark = EntropicBenchmark::new(2, 1.0).unwrap();
        let x = [[0.4, -0.9], [3.0, 1.0]];
        let columns = Mat::from_fn(2, 2, |j, i| x[i][j]);
        for t in [0.0, 0.5, 0.95] {
            let drift = benchmark.drift(t, columns.as_ref());
            let ln_h = |x: &[f64]| {
                let left = benchmark.epsilon * (1.0 - t);
                let terms: Vec<f64> = benchmark.components.iter().map(|c| c.log_evidence(x, left)).collect();
                log_sum_exp(&terms)
            };
            for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let step = 1e-5;
                let moved = |by: f64| {
                    let mut x = x[i];
                    x[j] += by;
                    ln_h(&x)
                };
                let slope = (moved(step) - moved(-step)) / (2.0 * step);
                // Central differences: h² times third derivatives below 10³, and rounding over h.
                assert!((drift[(j, i)] - benchmark.epsilon * slope).abs() < 1e-6, "t = {t}: {slope}");
            }
        }
    }

    #[test]
    fn exact_samples_score_their_floor() {
        let benchmark = EntropicBenchmark::new(2, 1.0).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let x = benchmark.sample_source(100, &mut rng).unwrap();
        let uvp = benchmark
            .conditional_uvp(&x, 14.92, |x| {
                let same = Points::new(x.repeat(1000), 2)?;
                Gaussian::fit(&benchmark.sample_target(&same, &mut rng)?)
            })
            .unwrap();
        // Published: 0.057 from 1000 points x; a tenth of them doubts it by a third.
        assert!((uvp - 0.057).abs() < 0.02, "{uvp}");
    }

    #[test]
    fn one_dimension_and_bad_epsilon_are_refused() {
        assert!(EntropicBenchmark::new(1, 1.0).unwrap_err().to_string().contains("at least 2"));
        assert!(EntropicBenchmark::new(2, 0.0).unwrap_err().to_string().contains("epsilon"));
    }
}
