//! Schrödinger bridges between Gaussians in closed form, static and dynamic, for the reference √ε W.
//!
//! Static: with N = 4 S₁^½ S₀ S₁^½, the endpoints (X₀, X₁) are Gaussian with cross-covariance
//!
//! C = 2 S₀ S₁^½ [(N + ε²I)^½ + εI]⁻¹ S₁^½                                               [BHCK22, eq. 3; JMPC20]
//!
//! which is the literature's ½(S₀^½ D S₀^−½ − εI), D = (4 S₀^½ S₁ S₀^½ + ε²I)^½, moved to the other side and divided
//! out so that nothing cancels when ε is large.
//!
//! Dynamic, for *any* coupling C filled with Brownian bridges and projected onto Markov processes:
//!
//! mₜ = (1−t)m₀ + t m₁,   Σₜ = (1−t)²S₀ + t²S₁ + t(1−t)(C + Cᵀ + εI)
//! v₊ =  (m₁−m₀) + A₊(x−mₜ),   A₊ = [(1−t)(Cᵀ−S₀) + t(S₁−C−εI)] Σₜ⁻¹
//! v₋ = −(m₁−m₀) + A₋(x−mₜ),   A₋ = [t(C−S₁) + (1−t)(S₀−Cᵀ−εI)] Σₜ⁻¹,   A₊ + A₋ = −ε Σₜ⁻¹
//!
//! Tests: tabulated values; the cross-precision block of the joint law is −I/ε; dΣ/dt = A₊Σ + ΣA₊ᵀ + εI;
//! the energy of the drift integrates to the static divergence.

use faer::{Mat, MatRef};

use crate::error::{OtError, Result, require_positive, require_same_dim};
use crate::gaussian::Gaussian;
use crate::matrix::{Spectrum, log_det_pd, scaled_identity, symmetric_part, trace};

/// The field x ↦ matrix · x + offset.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// Linear part, `[dim, dim]`.
    pub matrix: Mat<f64>,
    /// Constant part, `[dim]`.
    pub offset: Vec<f64>,
}

impl Affine {
    /// Value at `x`, `[dim]`.
    ///
    /// # Panics
    /// If `x` is not `[dim]`.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        assert_eq!(x.len(), self.offset.len(), "x must have the dimension of the field");
        let row = |i: usize| x.iter().enumerate().map(|(j, xj)| self.matrix[(i, j)] * xj).sum::<f64>();
        self.offset.iter().enumerate().map(|(i, b)| b + row(i)).collect()
    }
}

/// A mixture of Brownian bridges over Gaussian endpoints, as a Markov process.
#[derive(Debug, Clone)]
pub struct GaussianBridge {
    source: Gaussian,
    target: Gaussian,
    cross: Mat<f64>,
    epsilon: f64,
}

impl GaussianBridge {
    /// The Schrödinger bridge from `source` (t = 0) to `target` (t = 1) for the reference √ε W.
    ///
    /// # Errors
    /// If the dimensions differ, a covariance is singular, or `epsilon` is not finite and positive.
    pub fn new(source: &Gaussian, target: &Gaussian, epsilon: f64) -> Result<Self> {
        check(source, target, epsilon)?;
        let cross = schroedinger_cross_covariance(source, target, epsilon)?;
        Ok(Self { source: source.clone(), target: target.clone(), cross, epsilon })
    }

    /// The process over the coupling with cross-covariance `cross` = Cov(X₀, X₁), `[dim, dim]`; zero couples independently.
    ///
    /// # Errors
    /// As [`GaussianBridge::new`]; also if `cross` has the wrong shape or no joint law has it.
    pub fn with_coupling(
        source: &Gaussian,
        target: &Gaussian,
        cross: Mat<f64>,
        epsilon: f64,
    ) -> Result<Self> {
        check(source, target, epsilon)?;
        let dim = source.dim();
        if cross.shape() != (dim, dim) {
            let (got_rows, got_columns) = cross.shape();
            return Err(OtError::Shape { what: "cross", rows: dim, columns: dim, got_rows, got_columns });
        }
        let bridge = Self { source: source.clone(), target: target.clone(), cross, epsilon };
        Spectrum::new("the joint covariance", bridge.joint_covariance().as_ref())?;
        Ok(bridge)
    }

    /// Number of coordinates.
    pub fn dim(&self) -> usize {
        self.source.dim()
    }

    /// ε, the variance the reference gains from t = 0 to 1.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// C = Cov(X₀, X₁), `[dim, dim]`.
    pub fn cross_covariance(&self) -> MatRef<'_, f64> {
        self.cross.as_ref()
    }

    /// Covariance of (X₀, X₁), `[2·dim, 2·dim]`.
    pub fn joint_covariance(&self) -> Mat<f64> {
        let d = self.dim();
        Mat::from_fn(2 * d, 2 * d, |i, j| match (i < d, j < d) {
            (true, true) => self.source.cov()[(i, j)],
            (true, false) => self.cross[(i, j - d)],
            (false, true) => self.cross[(j, i - d)],
            (false, false) => self.target.cov()[(i - d, j - d)],
        })
    }

    /// E Xₜ, `[dim]`.
    ///
    /// # Panics
    /// If `t` is outside [0, 1].
    pub fn mean(&self, t: f64) -> Vec<f64> {
        require_time(t);
        self.source.mean().iter().zip(self.target.mean()).map(|(m0, m1)| (1.0 - t) * m0 + t * m1).collect()
    }

    /// Cov Xₜ, `[dim, dim]`.
    ///
    /// # Panics
    /// If `t` is outside [0, 1].
    pub fn covariance(&self, t: f64) -> Mat<f64> {
        require_time(t);
        let s = 1.0 - t;
        let bridge = &self.cross + self.cross.transpose() + self.epsilon_identity();
        self.source.cov() * faer::Scale(s * s)
            + self.target.cov() * faer::Scale(t * t)
            + bridge * faer::Scale(s * t)
    }

    /// v₊(t, ·): the drift in the direction of time.
    ///
    /// # Panics
    /// If `t` is outside [0, 1].
    pub fn forward_drift(&self, t: f64) -> Affine {
        let from_source = self.cross.transpose() - self.source.cov();
        let to_target = self.target.cov() - &self.cross - self.epsilon_identity();
        self.drift(t, 1.0, from_source * faer::Scale(1.0 - t) + to_target * faer::Scale(t))
    }

    /// v₋(t, ·): the drift of the reversed process, in its own clock.
    ///
    /// # Panics
    /// If `t` is outside [0, 1].
    pub fn backward_drift(&self, t: f64) -> Affine {
        let from_target = &self.cross - self.target.cov();
        let to_source = self.source.cov() - self.cross.transpose() - self.epsilon_identity();
        self.drift(t, -1.0, from_target * faer::Scale(t) + to_source * faer::Scale(1.0 - t))
    }

    /// u = ½(v₊ − v₋): the velocity of the probability-flow equation, which has the same marginals without noise.
    ///
    /// # Panics
    /// If `t` is outside [0, 1].
    pub fn probability_flow(&self, t: f64) -> Affine {
        let (forward, backward) = (self.forward_drift(t), self.backward_drift(t));
        let offset = forward.offset.iter().zip(&backward.offset).map(|(p, m)| 0.5 * (p - m)).collect();
        Affine { matrix: (forward.matrix - backward.matrix) * faer::Scale(0.5), offset }
    }

    /// E ½|X₀ − X₁|².
    pub fn transport_cost(&self) -> f64 {
        let shift: f64 =
            self.source.mean().iter().zip(self.target.mean()).map(|(x, y)| (x - y).powi(2)).sum();
        0.5 * (shift + trace(self.source.cov()) + trace(self.target.cov())) - trace(self.cross.as_ref())
    }

    /// KL(π ‖ π₀ ⊗ π₁): what X₀ says about X₁, in nats.
    ///
    /// # Errors
    /// If the joint law is singular; the information is then infinite.
    pub fn mutual_information(&self) -> Result<f64> {
        let joint = log_det_pd(self.joint_covariance().as_ref())?;
        Ok(0.5 * (self.source.spectrum().log_det() + self.target.spectrum().log_det() - joint))
    }

    /// E ½|X₀ − X₁|² + ε KL(π ‖ π₀ ⊗ π₁): the entropic transport value, least for the Schrödinger bridge.
    ///
    /// # Errors
    /// If the joint law is singular.
    pub fn value(&self) -> Result<f64> {
        Ok(self.transport_cost() + self.epsilon * self.mutual_information()?)
    }

    /// KL(P ‖ R) of the path laws, R the reference started from the source; for the Schrödinger bridge this is
    /// E∫|v₊|²dt / 2ε, for other couplings that of the bridge mixture before its Markov projection.
    ///
    /// # Errors
    /// If the joint law is singular.
    pub fn path_kl(&self) -> Result<f64> {
        let conditional = log_det_pd(self.joint_covariance().as_ref())? - self.source.spectrum().log_det();
        let dim = self.dim() as f64;
        Ok(self.transport_cost() / self.epsilon + 0.5 * (dim * self.epsilon.ln() - dim - conditional))
    }

    /// sign·(m₁−m₀) + A(x−mₜ) with A = numerator · Σₜ⁻¹.
    fn drift(&self, t: f64, sign: f64, numerator: Mat<f64>) -> Affine {
        let covariance = Spectrum::new("cov of Xₜ", self.covariance(t).as_ref());
        let precision = covariance.expect("endpoint covariances are definite and ε > 0").map(f64::recip);
        let linear = Affine { matrix: numerator * precision, offset: vec![0.0; self.dim()] };
        let centre = linear.apply(&self.mean(t));
        let shift = self.target.mean().iter().zip(self.source.mean()).map(|(m1, m0)| sign * (m1 - m0));
        Affine { offset: shift.zip(centre).map(|(shift, centre)| shift - centre).collect(), ..linear }
    }

    fn epsilon_identity(&self) -> Mat<f64> {
        scaled_identity(self.dim(), self.epsilon)
    }
}

fn check(source: &Gaussian, target: &Gaussian, epsilon: f64) -> Result<()> {
    require_same_dim(source.dim(), target.dim())?;
    require_positive("epsilon", epsilon, " (for ε = 0 use bures_wasserstein2)")?;
    source.spectrum().require_definite()?;
    target.spectrum().require_definite()
}

fn require_time(t: f64) {
    assert!((0.0..=1.0).contains(&t), "t must lie in [0, 1], got {t}");
}

/// C = 2 S₀ S₁^½ [(N + ε²I)^½ + εI]⁻¹ S₁^½.
fn schroedinger_cross_covariance(source: &Gaussian, target: &Gaussian, epsilon: f64) -> Result<Mat<f64>> {
    let root = target.spectrum().map(f64::sqrt);
    let product = symmetric_part((&root * source.cov() * &root).as_ref()) * faer::Scale(4.0);
    let shrink = Spectrum::new("S₁^½ S₀ S₁^½", product.as_ref())?
        .map(|value| 2.0 / ((value + epsilon * epsilon).sqrt() + epsilon));
    Ok(source.cov() * &root * shrink * &root)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::matrix::{inv_sqrt_pd, sqrt_psd};
    use faer::linalg::solvers::DenseSolveCore;
    use faer::mat;

    /// Tables are printed to six digits.
    const TABLE: f64 = 6e-7;

    fn scalar(mean: f64, var: f64) -> Gaussian {
        Gaussian::isotropic(vec![mean], var).unwrap()
    }

    fn unit(mean: f64, epsilon: f64) -> GaussianBridge {
        GaussianBridge::new(&scalar(-mean, 1.0), &scalar(mean, 1.0), epsilon).unwrap()
    }

    fn planar(epsilon: f64) -> GaussianBridge {
        let source = Gaussian::new(vec![0.0, 1.0], mat![[1.0, 0.0], [0.0, 0.25]]).unwrap();
        let target = Gaussian::new(vec![2.0, -1.0], mat![[1.0, 0.5], [0.5, 1.0]]).unwrap();
        GaussianBridge::new(&source, &target, epsilon).unwrap()
    }

    /// ∫₀¹ by Simpson's rule: exact to 1e-9 for the smooth integrands here.
    fn integral(f: impl Fn(f64) -> f64) -> f64 {
        let n = 200;
        let weight = |k: usize| {
            if k == 0 || k == n { 1.0 } else { 2.0 + 2.0 * (k % 2) as f64 }
        };
        (0..=n).map(|k| weight(k) * f(k as f64 / n as f64)).sum::<f64>() / (3 * n) as f64
    }

    /// E|v(Xₜ)|² of an affine field under the law of Xₜ.
    fn mean_square(bridge: &GaussianBridge, field: &Affine, t: f64) -> f64 {
        let at_mean: f64 = field.apply(&bridge.mean(t)).iter().map(|v| v * v).sum();
        at_mean + trace((&field.matrix * bridge.covariance(t) * field.matrix.transpose()).as_ref())
    }

    #[test]
    fn scalar_cross_covariances_match_the_table() {
        let table = [
            (1.0, 1.0, 0.1, 0.951249),
            (1.0, 1.0, 1.0, 0.618034),
            (1.0, 1.0, 4.0, 0.236068),
            (1.0, 1.0, 10.0, 0.099020),
            (1.0, 4.0, 1.0, 1.561553),
            (1.0, 4.0, 0.1, 1.950625),
            (0.25, 4.0, 1.0, 0.618034),
        ];
        for (s0, s1, epsilon, expected) in table {
            let bridge = GaussianBridge::new(&scalar(0.0, s0), &scalar(0.0, s1), epsilon).unwrap();
            assert!((bridge.cross_covariance()[(0, 0)] - expected).abs() < TABLE);
        }
    }

    #[test]
    fn planar_cross_covariances_match_the_table() {
        let table = [
            (1.0, mat![[0.609400, 0.277350], [0.069338, 0.193375]]),
            (0.1, mat![[0.936475, 0.342737], [0.085684, 0.422369]]),
        ];
        for (epsilon, expected) in table {
            assert!((planar(epsilon).cross_covariance() - expected).norm_max() < TABLE);
        }
    }

    #[test]
    fn the_cross_covariance_agrees_with_the_form_in_the_literature() {
        for epsilon in [0.05, 1.0, 20.0] {
            let bridge = planar(epsilon);
            let (s0, s1) = (bridge.source.cov(), bridge.target.cov());
            let (root, inverse_root) = (sqrt_psd(s0).unwrap(), inv_sqrt_pd(s0).unwrap());
            let squared = (&root * s1 * &root) * faer::Scale(4.0) + scaled_identity(2, epsilon * epsilon);
            let d = sqrt_psd(symmetric_part(squared.as_ref()).as_ref()).unwrap();
            let expected = (root * d * inverse_root - scaled_identity(2, epsilon)) * faer::Scale(0.5);
            // The literature's form cancels ε against ε: 20 · 1e-16 and a few roundings.
            assert!((bridge.cross_covariance() - expected).norm_max() < 1e-13);
        }
    }

    #[test]
    fn the_cross_precision_is_minus_identity_over_epsilon() {
        for epsilon in [0.1, 1.0, 10.0] {
            let precision = planar(epsilon).joint_covariance().partial_piv_lu().inverse();
            let block = precision.submatrix(0, 2, 2, 2) + scaled_identity(2, 1.0 / epsilon);
            // Joint condition number below 1e3, entries up to 1/ε = 10.
            assert!(block.norm_max() < 1e-10);
        }
    }

    #[test]
    fn optimal_values_match_the_table() {
        assert!((unit(0.0, 1.0).value().unwrap() - 0.622572).abs() < TABLE);
        assert!((unit(0.0, 0.1).value().unwrap() - 0.166379).abs() < TABLE);
    }

    #[test]
    fn no_other_coupling_has_a_smaller_value() {
        let bridge = planar(0.5);
        let optimum = bridge.value().unwrap();
        for change in
            [mat![[0.01, 0.0], [0.0, 0.0]], mat![[0.0, 0.02], [-0.01, 0.0]], mat![[0.0, 0.0], [0.0, -0.02]]]
        {
            let cross = bridge.cross_covariance() + change;
            let other = GaussianBridge::with_coupling(&bridge.source, &bridge.target, cross, 0.5).unwrap();
            assert!(other.value().unwrap() > optimum);
        }
    }

    #[test]
    fn unit_drifts_match_the_table() {
        let bridge = unit(0.0, 1.0);
        assert!((bridge.covariance(0.5)[(0, 0)] - 1.059017).abs() < TABLE);
        for (t, expected) in [(0.0, -0.381966), (0.5, -0.472136), (1.0, -0.618034)] {
            assert!((bridge.forward_drift(t).matrix[(0, 0)] - expected).abs() < TABLE);
        }
    }

    #[test]
    fn energies_match_the_table() {
        let table = [
            (0.1, 0.040001, 0.042499, 0.212497),
            (1.0, 0.044538, 0.285144, 0.142572),
            (4.0, 0.455135, 3.342406, 0.417801),
        ];
        for (epsilon, flow, control, kl) in table {
            let bridge = unit(0.1, epsilon);
            let energy = |field: &dyn Fn(f64) -> Affine| integral(|t| mean_square(&bridge, &field(t), t));
            assert!((energy(&|t| bridge.probability_flow(t)) - flow).abs() < TABLE);
            assert!((energy(&|t| bridge.forward_drift(t)) - control).abs() < TABLE);
            assert!((bridge.path_kl().unwrap() - kl).abs() < TABLE);
        }
    }

    #[test]
    fn path_divergence_is_the_energy_of_the_drift() {
        let bridge = planar(0.7);
        let energy = integral(|t| mean_square(&bridge, &bridge.forward_drift(t), t));
        // Simpson's rule with 200 intervals.
        assert!((energy / 1.4 - bridge.path_kl().unwrap()).abs() < 1e-7);
    }

    #[test]
    fn covariance_solves_its_differential_equation_for_any_coupling() {
        let optimal = planar(0.7);
        let independent =
            GaussianBridge::with_coupling(&optimal.source, &optimal.target, Mat::zeros(2, 2), 0.7).unwrap();
        let h = 1e-5;
        for bridge in [optimal, independent] {
            for t in [0.1, 0.5, 0.8] {
                let derivative = (bridge.covariance(t + h) - bridge.covariance(t - h)) * faer::Scale(0.5 / h);
                let a = bridge.forward_drift(t).matrix;
                let sigma = bridge.covariance(t);
                let equation = &a * &sigma + &sigma * a.transpose() + bridge.epsilon_identity();
                // Σ is quadratic in t, so the central difference only rounds: 1e-16 / h.
                assert!((derivative - equation).norm_max() < 1e-10);
            }
        }
    }

    #[test]
    fn drifts_obey_nelson_and_point_at_the_means() {
        let bridge = planar(0.7);
        for t in [0.0, 0.3, 1.0] {
            let (forward, backward) = (bridge.forward_drift(t), bridge.backward_drift(t));
            let score = bridge.covariance(t).partial_piv_lu().inverse() * faer::Scale(-0.7);
            assert!((&forward.matrix + &backward.matrix - score).norm_max() < 1e-12); // condition below 10
            let velocity = forward.apply(&bridge.mean(t));
            assert!((velocity[0] - 2.0).abs() < 1e-13 && (velocity[1] + 2.0).abs() < 1e-13);
        }
    }

    #[test]
    fn impossible_inputs_are_refused() {
        let (a, b) = (scalar(0.0, 1.0), scalar(0.0, 1.0));
        let error = GaussianBridge::new(&a, &b, -0.1).unwrap_err().to_string();
        assert!(error.starts_with("epsilon must be finite and > 0, got -0.1"), "{error}");
        let too_correlated = GaussianBridge::with_coupling(&a, &b, mat![[1.1]], 1.0);
        assert!(matches!(too_correlated, Err(OtError::NotPositiveSemidefinite { .. })));
        assert!(matches!(
            GaussianBridge::new(&a, &scalar(0.0, 0.0), 1.0),
            Err(OtError::NotPositiveDefinite { .. })
        ));
    }
}
