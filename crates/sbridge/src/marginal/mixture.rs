//! Gaussian mixtures with diagonal covariances, and their fit by expectation–maximisation.
//!
//! p = Σ_k w_k N(μ_k, diag(λ_k)); smoothed, s(z, v) = Σ_k γ_k(z) (μ_k − z)/(λ_k + v) with the
//! responsibilities γ of the smoothed components.
//! Tests: the two-component closed form 0.6 tanh(0.6 z/a); central differences of the log-density.

use crate::error::{Error, Result};
use crate::marginal::{Marginal, SmoothedScore};
use crate::rng::Rng;
use crate::tensor::{Tensor, activation, select_rows};

/// A mixture of Gaussians with diagonal covariances.
#[derive(Clone, Debug)]
pub struct Mixture {
    /// ln w, `[1, components]`.
    log_weights: Tensor<2>,
    /// μ, `[components, dim]`.
    means: Tensor<2>,
    /// λ, `[components, dim]`.
    variances: Tensor<2>,
}

/// Variances never fall below this fraction of the data's own, so that no component collapses on
/// one point.
const VARIANCE_FLOOR: f64 = 1e-3;

impl Mixture {
    /// A mixture from weights `[components]`, means and variances `[components, dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the numbers of components disagree.
    pub fn new(weights: Tensor<1>, means: Tensor<2>, variances: Tensor<2>) -> Result<Self> {
        let [components] = weights.dims();
        if means.dims()[0] != components || means.dims() != variances.dims() {
            return Err(Error::shape(
                "mixture",
                format!("{components} means and variances"),
                format!("{:?} means, {:?} variances", means.dims(), variances.dims()),
                "give one mean and one variance per weight",
            ));
        }
        let total = weights.clone().sum();
        let log_weights = (weights / total).log().unsqueeze_dim(0);
        Ok(Self { log_weights, means, variances })
    }

    /// Fits `components` components to `rows` by `iterations` of expectation–maximisation,
    /// starting from random rows as means.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are fewer rows than components, or no component.
    pub fn fit(rows: &Tensor<2>, components: usize, iterations: usize, rng: &mut Rng) -> Result<Self> {
        let [count, dim] = rows.dims();
        if components == 0 || components > count {
            return Err(Error::setting(
                "components",
                format!("between 1 and the number of samples, {count}"),
                components,
                "lower sampler.start.components",
            ));
        }
        let first: Vec<usize> = rng.permutation(count).into_iter().take(components).collect();
        let spread = rows.clone().var_bias(0);
        let uniform = Tensor::full([components], 1.0, (&rows.device(), rows.dtype()));
        let start = spread.clone().expand([components, dim]);
        let mut mixture = Self::new(uniform, select_rows(rows, &first), start)?;
        for _ in 0..iterations {
            mixture = mixture.maximise(rows, spread.clone() * VARIANCE_FLOOR);
        }
        Ok(mixture)
    }

    /// One step of expectation–maximisation.
    fn maximise(&self, rows: &Tensor<2>, floor: Tensor<2>) -> Self {
        let count = rows.dims()[0] as f64;
        let zero = Tensor::zeros([rows.dims()[0]], (&rows.device(), rows.dtype()));
        let responsibility = self.responsibilities(rows.clone(), zero);
        let mass = responsibility.clone().sum_dim(0) + 1e-8;
        let shares = responsibility.transpose() / mass.clone().transpose();
        let means = shares.clone().matmul(rows.clone());
        // About the mean of each component: E x² − (E x)² loses its digits where means are large.
        let squares = offsets(rows, &means).powi_scalar(2);
        let weights = shares.transpose().unsqueeze_dim::<3>(2);
        let variances =
            (squares * weights).sum_dim(0).squeeze_dim::<2>(0).max_pair(floor.expand(means.dims()));
        let log_weights = (mass / count).log();
        Self { log_weights, means, variances }
    }

    /// γ: probability of each component given `z` under the mixture smoothed by `v`, `[batch, components]`.
    fn responsibilities(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        let var = self.smoothed_variances(v);
        let offset = offsets(&z, &self.means);
        let exponent = (offset.powi_scalar(2) / var.clone() + var.log()) * -0.5;
        let log_joint = exponent.sum_dim(2).squeeze_dim::<2>(2) + self.log_weights.clone();
        activation::softmax(log_joint, 1)
    }

    /// λ + v, `[batch, components, dim]`.
    fn smoothed_variances(&self, v: Tensor<1>) -> Tensor<3> {
        let [batch] = v.dims();
        self.variances.clone().unsqueeze_dim::<3>(0) + v.reshape([batch, 1, 1])
    }
}

/// x − μ_k for every row and every component, `[batch, components, dim]`.
fn offsets(rows: &Tensor<2>, means: &Tensor<2>) -> Tensor<3> {
    rows.clone().unsqueeze_dim::<3>(1) - means.clone().unsqueeze_dim::<3>(0)
}

impl Marginal for Mixture {
    fn dim(&self) -> usize {
        self.means.dims()[1]
    }

    fn sample(&self, batch: usize, rng: &mut Rng) -> Tensor<2> {
        let weights = crate::tensor::to_vec_f64(self.log_weights.clone().exp());
        let chosen: Vec<usize> =
            rng.uniform(batch, 0.0, 1.0).into_iter().map(|u| component_at(&weights, u)).collect();
        let means = select_rows(&self.means, &chosen);
        let std = select_rows(&self.variances, &chosen).sqrt();
        let noise = rng.normal_like(&means);
        means + std * noise
    }
}

/// The component whose share of the cumulated weights holds `u`.
fn component_at(weights: &[f64], u: f64) -> usize {
    let mut cumulated = 0.0;
    let position = weights.iter().position(|w| {
        cumulated += w;
        u < cumulated
    });
    position.unwrap_or(weights.len() - 1)
}

impl SmoothedScore for Mixture {
    fn dim(&self) -> usize {
        self.means.dims()[1]
    }

    fn score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        let [batch, dim] = z.dims();
        let responsibility = self.responsibilities(z.clone(), v.clone());
        let components = responsibility.dims()[1];
        let pull =
            (self.means.clone().unsqueeze_dim::<3>(0) - z.unsqueeze_dim::<3>(1)) / self.smoothed_variances(v);
        let weighted = pull * responsibility.reshape([batch, components, 1]);
        weighted.sum_dim(1).reshape([batch, dim])
    }
}
