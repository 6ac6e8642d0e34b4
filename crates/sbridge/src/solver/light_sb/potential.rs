//! The mixture potential: its plan, its drift, its samples.

use std::sync::OnceLock;

use faer::{Mat, MatRef};
use rayon::prelude::*;
use sbridge_ot::matrix::{symmetric_eigen, times};

use crate::error::{Error, Result};
use crate::reference::{Brownian, GaussianReference as _};
use crate::rng::Rng;

/// One Gaussian of the potential.
#[derive(Clone, Debug)]
pub(super) struct Component {
    /// ln a.
    pub(super) ln_weight: f64,
    /// r, `[dim]`.
    pub(super) centre: Vec<f64>,
    /// Lower triangular L with S = L Lᵀ, `[dim, dim]`.
    pub(super) factor: Mat<f64>,
}

impl Component {
    /// Whether all values are finite and the diagonal of L is positive.
    fn is_sound(&self) -> bool {
        let (dim, factor) = (self.centre.len(), &self.factor);
        let values = self.centre.iter().chain(std::iter::once(&self.ln_weight));
        let is_finite = values.chain(factor.col_iter().flat_map(|c| c.iter())).all(|x| x.is_finite());
        is_finite && factor.shape() == (dim, dim) && (0..dim).all(|j| factor[(j, j)] > 0.0)
    }
}

/// v(y) = Σ_k a_k N(y | r_k, ε S_k), the adjusted potential of a Schrödinger bridge over √ε W.
#[derive(Clone, Debug)]
pub struct LightPotential {
    reference: Brownian,
    pub(super) components: Vec<Component>,
    /// The components in their eigenbases, once a drift was asked for; a fit asks for none.
    bases: OnceLock<Vec<Basis>>,
}

/// States whose drift is computed at once.
const BLOCK: usize = 256;

impl LightPotential {
    pub(super) fn new(reference: Brownian, components: Vec<Component>) -> Self {
        Self { reference, components, bases: OnceLock::new() }
    }

    /// The potential with these weights, centres and Cholesky factors.
    ///
    /// # Shapes
    /// `ln_weights: [K]`, `centres: [K][dim]`, `factors: [K][dim, dim]`, the L_k, lower triangular.
    ///
    /// # Errors
    /// [`Error::Setting`] for ε or a diagonal that is not positive, or values that are not finite.
    pub fn from_factors(
        epsilon: f64,
        ln_weights: Vec<f64>,
        centres: Vec<Vec<f64>>,
        factors: Vec<Mat<f64>>,
    ) -> Result<Self> {
        let reference = Brownian::with_epsilon(epsilon)?;
        let parts = ln_weights.into_iter().zip(centres).zip(factors);
        let components: Vec<Component> =
            parts.map(|((ln_weight, centre), factor)| Component { ln_weight, centre, factor }).collect();
        if components.is_empty() || !components.iter().all(Component::is_sound) {
            let requirement = "some, finite, with positive diagonals";
            return Err(Error::setting("components", requirement, "others", "fit the potential again"));
        }
        Ok(Self::new(reference, components))
    }

    /// The reference, in units of the potential.
    pub fn reference(&self) -> Brownian {
        self.reference
    }

    /// ε of the reference.
    pub fn epsilon(&self) -> f64 {
        self.reference.epsilon()
    }

    /// Dimension of a state.
    pub fn dim(&self) -> usize {
        self.components[0].centre.len()
    }

    /// Number K of Gaussians.
    pub fn len(&self) -> usize {
        self.components.len()
    }

    /// Whether there is no Gaussian; never so for a potential that was fitted.
    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    /// ln a_k, `[K]`.
    pub fn ln_weights(&self) -> Vec<f64> {
        self.components.iter().map(|c| c.ln_weight).collect()
    }

    /// The r_k, `[K][dim]`.
    pub fn centres(&self) -> Vec<Vec<f64>> {
        self.components.iter().map(|c| c.centre.clone()).collect()
    }

    /// The Cholesky factors L_k, S_k = L_k L_kᵀ, `[K][dim, dim]`.
    pub fn factors(&self) -> Vec<Mat<f64>> {
        self.components.iter().map(|c| c.factor.clone()).collect()
    }

    /// ln a_k + (xᵀ S_k x + 2 r_k·x)/2ε, whose exponentials sum to c(x).
    fn source_terms(&self, x: &[f64]) -> Vec<f64> {
        let term = |c: &Component| {
            let stretched: f64 = transposed_product(&c.factor, x).iter().map(|u| u * u).sum();
            c.ln_weight + (0.5 * stretched + dot(&c.centre, x)) / self.epsilon()
        };
        self.components.iter().map(term).collect()
    }

    /// The weights ω_k(x) of the plan's components at `x`, `[dim]`; `[K]`.
    pub fn responsibilities(&self, x: &[f64]) -> Vec<f64> {
        softmax(&self.source_terms(x))
    }

    /// Mean r_k + S_k x of component `k` of the plan at `x`.
    fn conditional_mean(&self, k: usize, x: &[f64]) -> Vec<f64> {
        let Component { centre, factor, .. } = &self.components[k];
        let moved = product(factor, &transposed_product(factor, x));
        centre.iter().zip(moved).map(|(r, sx)| r + sx).collect()
    }

    /// One draw of π(·|x) for every row of `x`, `[batch, dim]`, row-major.
    pub fn sample(&self, x: &[f64], rng: &mut Rng) -> Vec<f64> {
        let dim = self.dim();
        let choices = rng.uniform(x.len() / dim, 0.0, 1.0);
        let mut noise = vec![0f32; x.len()];
        rng.fill_normal(&mut noise);
        let draw = |((x, u), z): ((&[f64], &f64), &[f32])| {
            let k = pick(&self.responsibilities(x), *u);
            let z: Vec<f64> = z.iter().map(|z| f64::from(*z) * self.epsilon().sqrt()).collect();
            let spread = product(&self.components[k].factor, &z);
            self.conditional_mean(k, x).into_iter().zip(spread).map(|(m, s)| m + s).collect::<Vec<f64>>()
        };
        let rows = x.par_chunks(dim).zip(&choices).zip(noise.par_chunks(dim)).map(draw);
        rows.collect::<Vec<_>>().concat()
    }

    /// Mean, `[dim]`, and covariance, `[dim, dim]`, of π(·|x) at `x`, `[dim]`.
    pub fn conditional_moments(&self, x: &[f64]) -> (Vec<f64>, Mat<f64>) {
        let (dim, weights) = (self.dim(), self.responsibilities(x));
        let means: Vec<Vec<f64>> = (0..self.len()).map(|k| self.conditional_mean(k, x)).collect();
        let mean: Vec<f64> =
            (0..dim).map(|j| weights.iter().zip(&means).map(|(w, m)| w * m[j]).sum()).collect();
        let mut covariance = Mat::<f64>::zeros(dim, dim);
        for ((w, m), c) in weights.iter().zip(&means).zip(&self.components) {
            let off = Mat::from_fn(dim, 1, |j, _| m[j] - mean[j]);
            let inner = times(c.factor.as_ref(), c.factor.transpose()) * faer::Scale(self.epsilon());
            covariance += (inner + times(off.as_ref(), off.transpose())) * faer::Scale(*w);
        }
        (mean, covariance)
    }

    /// v₊(t, x) = ε∇ ln φ_t(x) at every row of `x`, with one time for all.
    ///
    /// φ_t is the mixture diffused to t; in the eigenbasis of S_k, eigenvalue s, component k has the drift
    /// ((s − 1)x + r_k)/b with b = 1 − t + ts: that of the paper without its division by 1 − t.
    ///
    /// # Shapes
    /// `t` in [0, 1]; `x: [batch, dim]`, row-major, as the result.
    pub fn drift(&self, t: f64, x: &[f64]) -> Vec<f64> {
        self.drift_at(&vec![t; x.len() / self.dim()], x)
    }

    /// The same with a time for every row, `t: [batch]`.
    pub fn drift_at(&self, t: &[f64], x: &[f64]) -> Vec<f64> {
        let bases = self.bases.get_or_init(|| self.components.iter().map(Basis::of).collect());
        let blocks = t.par_chunks(BLOCK).zip(x.par_chunks(BLOCK * self.dim()));
        blocks.map(|(t, x)| self.block_drift(bases, t, x)).collect::<Vec<_>>().concat()
    }

    fn block_drift(&self, bases: &[Basis], t: &[f64], x: &[f64]) -> Vec<f64> {
        let dim = self.dim();
        let rows = x.len() / dim;
        let states = MatRef::from_column_major_slice(x, dim, rows);
        let drifts: Vec<(Vec<f64>, Mat<f64>)> =
            bases.iter().map(|basis| basis.drifts(self.epsilon(), t, states)).collect();
        let mut drift = vec![0.0; x.len()];
        for (i, out) in drift.chunks_exact_mut(dim).enumerate() {
            let weights = softmax(&drifts.iter().map(|(ln_weights, _)| ln_weights[i]).collect::<Vec<_>>());
            for (w, (_, drifts)) in weights.iter().zip(&drifts) {
                out.iter_mut().zip(drifts.col(i).iter()).for_each(|(out, drift)| *out += w * drift);
            }
        }
        drift
    }
}

/// A component in the eigenbasis of its covariance.
#[derive(Clone, Debug)]
struct Basis {
    ln_weight: f64,
    vectors: Mat<f64>,
    values: Vec<f64>,
    /// Qᵀr.
    centre: Vec<f64>,
}

impl Basis {
    fn of(component: &Component) -> Self {
        let covariance = times(component.factor.as_ref(), component.factor.transpose());
        let (values, vectors) = symmetric_eigen("S", covariance.as_ref()).expect("a finite symmetric matrix");
        Self {
            ln_weight: component.ln_weight,
            values,
            centre: transposed_product(&vectors, &component.centre),
            vectors,
        }
    }

    /// For every state at its time: the logarithm of this component's weight, and its drift.
    fn drifts(&self, epsilon: f64, t: &[f64], states: MatRef<'_, f64>) -> (Vec<f64>, Mat<f64>) {
        let (dim, rows) = states.shape();
        let turned = times(self.vectors.transpose(), states);
        let at = |t: f64| -> (Vec<f64>, f64) {
            let b: Vec<f64> = self.values.iter().map(|s| 1.0 - t + t * s).collect();
            let constant = b.iter().map(|b| -0.5 * b.ln()).sum();
            (b, constant)
        };
        let (mut last, (mut b, mut constant)) = (t[0], at(t[0]));
        let mut ln_weights = vec![self.ln_weight; rows];
        let mut drifts = Mat::<f64>::zeros(dim, rows);
        for (i, (ln_weight, &t)) in ln_weights.iter_mut().zip(t).enumerate() {
            // Most often all times are one.
            if t != last {
                (last, (b, constant)) = (t, at(t));
            }
            *ln_weight += constant;
            for j in 0..dim {
                let (s, r, x) = (self.values[j], self.centre[j], turned[(j, i)]);
                let pull = (s - 1.0) * x + r;
                drifts[(j, i)] = pull / b[j];
                *ln_weight += (x * (pull + r) - t * r * r) / (2.0 * epsilon * b[j]);
            }
        }
        (ln_weights, times(self.vectors.as_ref(), drifts.as_ref()))
    }
}

/// F x.
fn product(matrix: &Mat<f64>, x: &[f64]) -> Vec<f64> {
    (0..matrix.nrows()).map(|i| (0..x.len()).map(|j| matrix[(i, j)] * x[j]).sum()).collect()
}

/// Fᵀ x.
fn transposed_product(matrix: &Mat<f64>, x: &[f64]) -> Vec<f64> {
    (0..matrix.ncols()).map(|j| matrix.col(j).iter().zip(x).map(|(f, x)| f * x).sum()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Weights proportional to the exponentials of `terms`.
pub(super) fn softmax(terms: &[f64]) -> Vec<f64> {
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = terms.iter().map(|x| (x - most).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / total).collect()
}

/// The index at which cumulated `weights` pass `u`.
fn pick(weights: &[f64], u: f64) -> usize {
    let mut passed = 0.0;
    let index = weights.iter().position(|w| {
        passed += w;
        u < passed
    });
    index.unwrap_or(weights.len() - 1)
}
