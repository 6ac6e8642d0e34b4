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

use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef};
use sbridge_ot::matrix::lyapunov;
use sbridge_ot::{Affine, Gaussian};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::reference::{LinearDrift, decayed, product};

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
        let spread = &precision * states.cov();
        let score_state = Mat::from_fn(dim, dim, |i, j| score[i] * mean[j] - spread[(i, j)]);
        Ok(Self { state: mean, score, state_state, score_state })
    }

    /// Adds `weight` times `other`.
    pub fn add(&mut self, weight: f64, other: &Self) {
        self.state.iter_mut().zip(&other.state).for_each(|(total, x)| *total += weight * x);
        self.score.iter_mut().zip(&other.score).for_each(|(total, s)| *total += weight * s);
        self.state_state += &other.state_state * faer::Scale(weight);
        self.score_state += &other.score_state * faer::Scale(weight);
    }

    /// S and G.
    fn centred(&self) -> (Mat<f64>, Mat<f64>) {
        let dim = self.state.len();
        let without = |second: &Mat<f64>, first: &[f64]| {
            Mat::from_fn(dim, dim, |i, j| second[(i, j)] - first[i] * self.state[j])
        };
        (without(&self.state_state, &self.state), without(&self.score_state, &self.score))
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
        let divergence: f64 = (0..dim).map(|i| a[(i, i)]).sum();
        0.5 * squares + crossed + zeta * divergence
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
    /// [`Error::Transport`](crate::Error::Transport) if the states have no spread along some direction.
    pub fn minimiser(self, moments: &StepMoments, zeta: f64) -> Result<Affine> {
        let dim = moments.state.len();
        let (s, g) = moments.centred();
        let r = Mat::from_fn(dim, dim, |i, j| g[(i, j)] + if i == j { zeta } else { 0.0 });
        let matrix = match self {
            // dA S = −R.
            Self::Full => -s.transpose().full_piv_lu().solve(r.transpose()).transpose().to_owned(),
            Self::Symmetric => lyapunov(symmetric(s.as_ref()).as_ref(), (-(&r + r.transpose())).as_ref())?,
            Self::Diagonal => {
                Mat::from_fn(dim, dim, |i, j| if i == j { -r[(i, i)] / s[(i, i)] } else { 0.0 })
            }
        };
        let moved = product(matrix.as_ref(), &moments.state);
        let offset = moments.score.iter().zip(moved).map(|(score, moved)| -score - moved).collect();
        Ok(Affine { matrix, offset })
    }
}

fn symmetric(a: MatRef<'_, f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| 0.5 * (a[(i, j)] + a[(j, i)]))
}

/// The drift, constant and symmetric, that carries a law with the moments of `data` to N(0, I) over `span` of the clock:
/// where the updates rest for ζ = 1, without a simulation.
///
/// In the eigenbasis of the covariance, with eigenvalues c: c e^{−lU} + φ(l, U) = 1 for each l of D.
///
/// # Errors
/// [`Error::Transport`](crate::Error::Transport) if the covariance has no eigenvalues to rounding.
pub fn moment_matched(data: &Gaussian, span: f64) -> Result<LinearDrift> {
    let dim = data.dim();
    let eigen = symmetric(data.cov()).self_adjoint_eigen(faer::Side::Lower);
    let eigen = eigen.map_err(|_| sbridge_ot::OtError::Eigenvalues { what: "the covariance of the data" })?;
    let vectors = eigen.U();
    let values: Vec<f64> = eigen.S().column_vector().iter().map(|c| matched(c.max(0.0), span)).collect();
    let means = product(vectors.transpose(), data.mean());
    let along = values.iter().zip(&means).map(|(l, m)| -(-0.5 * l * span).exp() * m / decayed(0.5 * l, span));
    let offset = product(vectors, &along.collect::<Vec<_>>());
    let scaled = Mat::from_fn(dim, dim, |i, j| vectors[(i, j)] * values[j]);
    Ok(LinearDrift { matrix: symmetric((scaled * vectors.transpose()).as_ref()), offset })
}

/// l with c e^{−lU} + φ(l, U) = 1: the left side falls in l.
fn matched(c: f64, span: f64) -> f64 {
    let excess = |l: f64| c * (-l * span).exp() + decayed(l, span) - 1.0;
    let (mut low, mut high) = (0.0, 1.0);
    while excess(high) > 0.0 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}
