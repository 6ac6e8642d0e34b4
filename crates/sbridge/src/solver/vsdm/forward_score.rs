//! The linear forward score A x + b: which way it moves, and where it rests.                                  \[VSDM\]
//!
//! Over states x of simulated backward paths with backward scores s, as a function of a change dA, db,
//!
//! J = E[½ |dA x + db|² + (dA x + db)·s] + ζ tr dA,   averaged over the clock:
//!
//! an exact quadratic. With S = Cov x, G = Cov(s, x) and R = G + ζI its minimisers are
//!
//! full: dA = −R S⁻¹;   symmetric: dA S + S dA = −(R + Rᵀ);   diagonal: dA_ii = −R_ii/S_ii;   db = −s̄ − dA x̄.
//!
//! The divergence needs no autodiff: that of a linear field is a trace.
//!
//! With ζ on the cross term instead, J is E[½ |Z|² + ζ Z·(s − Z_c)] + tr A for Z = A x + b, where Z_c is held as it is: the
//! same with the score ζ s + (1 − ζ) Z_c, and ζ = 1 on the divergence.

use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef};
use sbridge_ot::matrix::{lyapunov, symmetric_part, trace};
use sbridge_ot::{Affine, Gaussian};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::reference::{LinearDrift, product};

/// Means and raw second moments of states and scores: they add up over samples, and over the clock.
#[derive(Clone, Debug)]
pub struct StepMoments {
    /// E x.
    pub state: Vec<f64>,
    /// E s.
    pub score: Vec<f64>,
    /// E x xᵀ.
    pub state_state: Mat<f64>,
    /// E s xᵀ.
    pub score_state: Mat<f64>,
}

impl StepMoments {
    /// None yet.
    pub fn zero(dim: usize) -> Self {
        let zero = || Mat::zeros(dim, dim);
        Self { state: vec![0.0; dim], score: vec![0.0; dim], state_state: zero(), score_state: zero() }
    }

    /// Of states of law `states` and the score of `law`.
    ///
    /// # Errors
    /// If the covariance of `law` is singular.
    pub fn of_gaussians(states: &Gaussian, law: &Gaussian) -> Result<Self> {
        let dim = states.dim();
        let mean = states.mean().to_vec();
        let state_state = Mat::from_fn(dim, dim, |i, j| states.cov()[(i, j)] + mean[i] * mean[j]);
        let precision = law.cov().full_piv_lu().solve(Mat::<f64>::identity(dim, dim));
        let away: Vec<f64> = mean.iter().zip(law.mean()).map(|(x, m)| m - x).collect();
        let score = product(precision.as_ref(), &away);
        let explained = &precision * states.cov();
        let score_state = Mat::from_fn(dim, dim, |i, j| score[i] * mean[j] - explained[(i, j)]);
        Ok(Self { state: mean, score, state_state, score_state })
    }

    /// Adds `weight` times `other`.
    pub fn add(&mut self, weight: f64, other: &Self) {
        self.state.iter_mut().zip(&other.state).for_each(|(total, x)| *total += weight * x);
        self.score.iter_mut().zip(&other.score).for_each(|(total, s)| *total += weight * s);
        self.state_state += &other.state_state * faer::Scale(weight);
        self.score_state += &other.score_state * faer::Scale(weight);
    }

    /// Multiplies all by `factor`.
    pub fn scale(&mut self, factor: f64) {
        self.state.iter_mut().chain(&mut self.score).for_each(|x| *x *= factor);
        self.state_state *= faer::Scale(factor);
        self.score_state *= faer::Scale(factor);
    }

    /// S, the covariance of the states, `[dim, dim]`.
    pub fn state_covariance(&self) -> Mat<f64> {
        self.without_means(&self.state_state, &self.state)
    }

    /// G, the covariance of scores and states.
    fn score_covariance(&self) -> Mat<f64> {
        self.without_means(&self.score_state, &self.score)
    }

    fn without_means(&self, second: &Mat<f64>, first: &[f64]) -> Mat<f64> {
        let dim = self.state.len();
        Mat::from_fn(dim, dim, |i, j| second[(i, j)] - first[i] * self.state[j])
    }

    /// With ζ as the weight of the cross term: the same of the scores ζ s + (1 − ζ)(A x + b), for the A and b of `drift`.
    #[must_use]
    pub fn with_cross_weight(mut self, zeta: f64, drift: &LinearDrift) -> Self {
        let a = drift.score_matrix();
        let pulled = product(a.as_ref(), &self.state);
        let dim = self.state.len();
        let linear = Mat::from_fn(dim, dim, |i, j| drift.offset[i] * self.state[j]) + &a * &self.state_state;
        self.score_state = self.score_state * faer::Scale(zeta) + linear * faer::Scale(1.0 - zeta);
        for (i, score) in self.score.iter_mut().enumerate() {
            *score = zeta * *score + (1.0 - zeta) * (pulled[i] + drift.offset[i]);
        }
        self
    }

    /// J for the change `change`.
    pub fn objective(&self, change: &Affine, zeta: f64) -> f64 {
        let (a, b) = (&change.matrix, &change.offset);
        let dim = b.len();
        let moved = product(a.as_ref(), &self.state);
        // E |A x + b|² = tr A E[xxᵀ] Aᵀ + 2 b·A x̄ + |b|², E (A x + b)·s = tr A E[x sᵀ] + b·s̄.
        let squares = (a * &self.state_state * a.transpose()).diagonal().column_vector().sum()
            + (0..dim).map(|i| b[i] * (2.0 * moved[i] + b[i])).sum::<f64>();
        let crossed: f64 = (0..dim)
            .map(|i| {
                b[i] * self.score[i] + (0..dim).map(|j| a[(i, j)] * self.score_state[(i, j)]).sum::<f64>()
            })
            .sum();
        0.5 * squares + crossed + zeta * trace(a.as_ref())
    }
}

/// What the matrix may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Anything.
    Full,
    /// Symmetric: what the score of a law is.
    Symmetric,
    /// Diagonal: for many dimensions.
    Diagonal,
}

impl Family {
    /// The change dA, db that minimises J.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) if the states have no variance along some direction.
    pub fn minimiser(self, moments: &StepMoments, zeta: f64) -> Result<Affine> {
        self.step(moments, moments.state_covariance().as_ref(), zeta)
    }

    /// The same as if the covariance of the states were `covariance`: the gradient of J, scaled by that.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) if `covariance` vanishes along some direction.
    pub fn step(self, moments: &StepMoments, covariance: MatRef<'_, f64>, zeta: f64) -> Result<Affine> {
        let dim = moments.state.len();
        let g = moments.score_covariance();
        let r = Mat::from_fn(dim, dim, |i, j| g[(i, j)] + if i == j { zeta } else { 0.0 });
        let matrix = match self {
            // dA S = −R.
            Self::Full => -covariance.transpose().full_piv_lu().solve(r.transpose()).transpose().to_owned(),
            Self::Symmetric => {
                lyapunov(symmetric_part(covariance).as_ref(), (-(&r + r.transpose())).as_ref())?
            }
            Self::Diagonal => {
                Mat::from_fn(dim, dim, |i, j| if i == j { -r[(i, i)] / covariance[(i, i)] } else { 0.0 })
            }
        };
        let moved = product(matrix.as_ref(), &moments.state);
        let offset = moments.score.iter().zip(moved).map(|(score, moved)| -score - moved).collect();
        Ok(Affine { matrix, offset })
    }
}

/// What ζ is the weight of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZetaOn {
    /// The divergence.
    Divergence,
    /// The product of forward and backward scores.
    Cross,
}
