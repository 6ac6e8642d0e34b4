//! Schrödinger bridges from a Gaussian to a Gaussian for the reference dX = −½X du + dW, in closed form.     \[BHCK22\]
//!
//! With a = e^{−U/2}, v = 1 − a², ρ = a/v and the potential exp(−½ yᵀK y + wᵀy) at the end of the clock,
//!
//! Q = ½ S₁^−½ [I + (I + 4ρ² S₁^½ S₀ S₁^½)^½] S₁^−½,   K = Q − I/v,   w = Q m₁ − ρ m₀,
//!
//! the forward drift is that of the reference plus the score A x + b, where with a_u = e^{−(U−u)/2}, v_u = 1 − a_u²
//!
//! A = −a_u² K (I + v_u K)⁻¹,   b = a_u (I + v_u K)⁻¹ w.
//!
//! Tests: in `sbridge`, beside linear diffusions: they land on the target, at the tabulated cost.

use faer::Mat;
use faer::linalg::solvers::Solve;

use crate::bridge::Affine;
use crate::error::{Result, require_positive, require_same_dim};
use crate::gaussian::Gaussian;
use crate::matrix::{inv_sqrt_pd, scaled_identity, sqrt_psd};

/// The bridge to a prior over a span of the clock.
#[derive(Debug, Clone)]
pub struct PriorBridge {
    span: f64,
    /// K.
    curvature: Mat<f64>,
    /// w.
    tilt: Vec<f64>,
}

impl PriorBridge {
    /// From `data` at u = 0 to `prior` at u = `span`.
    ///
    /// # Errors
    /// If the dimensions differ, the prior's covariance is singular, or `span` is not finite and positive.
    pub fn new(data: &Gaussian, prior: &Gaussian, span: f64) -> Result<Self> {
        require_same_dim(data.dim(), prior.dim())?;
        require_positive("span", span, " (3.8 is a usual one)")?;
        let dim = data.dim();
        let kept = (-0.5 * span).exp();
        let var = -(-span).exp_m1();
        let rho = kept / var;
        let (root, inverse) = (sqrt_psd(prior.cov())?, inv_sqrt_pd(prior.cov())?);
        let inner = &root * data.cov() * &root * faer::Scale(4.0 * rho * rho) + scaled_identity(dim, 1.0);
        let inner = sqrt_psd(inner.as_ref())? + scaled_identity(dim, 1.0);
        let q = &inverse * inner * &inverse * faer::Scale(0.5);
        let tilt = (0..dim).map(|i| {
            let pulled: f64 = (0..dim).map(|j| q[(i, j)] * prior.mean()[j]).sum();
            pulled - rho * data.mean()[i]
        });
        Ok(Self { span, tilt: tilt.collect(), curvature: q - scaled_identity(dim, 1.0 / var) })
    }

    /// The score A x + b that is added to the reference, at `u` on the clock.
    pub fn score(&self, u: f64) -> Affine {
        let dim = self.tilt.len();
        let kept = (-0.5 * (self.span - u)).exp();
        let left = -(-(self.span - u)).exp_m1();
        let inner = &self.curvature * faer::Scale(left) + scaled_identity(dim, 1.0);
        // K and I + vK commute.
        let matrix = inner.full_piv_lu().solve(&self.curvature) * faer::Scale(-kept * kept);
        let tilt = Mat::from_fn(dim, 1, |i, _| kept * self.tilt[i]);
        let offset = inner.full_piv_lu().solve(tilt);
        Affine { matrix, offset: (0..dim).map(|i| offset[(i, 0)]).collect() }
    }
}
