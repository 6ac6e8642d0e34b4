//! Linear diffusions dX = −½ (D X − 2b) du + dW on the clock u of a schedule, and their exact kernels.  \[VSDM; SS19, §6\]
//!
//! X_u | X_0 ~ N(M X_0 + h, Σ), and for constant D and b
//!
//! M = e^{−uD/2},   h = ∫₀ᵘ e^{−sD/2} b ds,   Σ = ∫₀ᵘ e^{−sD/2} e^{−sDᵀ/2} ds.
//!
//! For symmetric D these are functions of its spectrum; for any other, blocks of one matrix exponential. Where D changes
//! with time it is constant between nodes, and kernels are chained: exact, and never a covariance that is none. One
//! exponential of ∫β D dt would be wrong for such D.

use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef, Side};
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::expm;

use crate::error::{Error, Result};
use crate::reference::Schedule;

/// The drift −½ (D x − 2b): D = I − 2A for the linear score A x + b.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearDrift {
    /// D, `[dim, dim]`.
    pub matrix: Mat<f64>,
    /// b, `[dim]`.
    pub offset: Vec<f64>,
}

/// The law of a later state given an earlier one: N(M x + h, Σ).
#[derive(Clone, Debug)]
pub struct Kernel {
    /// M, `[dim, dim]`.
    pub map: Mat<f64>,
    /// h, `[dim]`.
    pub shift: Vec<f64>,
    /// Σ, `[dim, dim]`.
    pub covariance: Mat<f64>,
}

impl LinearDrift {
    /// That of the score zero: D = I, b = 0.
    pub fn standard(dim: usize) -> Self {
        Self { matrix: Mat::identity(dim, dim), offset: vec![0.0; dim] }
    }

    /// The linear score's A = ½ (I − D).
    pub fn score_matrix(&self) -> Mat<f64> {
        let dim = self.offset.len();
        Mat::from_fn(dim, dim, |i, j| 0.5 * (f64::from(i == j) - self.matrix[(i, j)]))
    }

    /// The drift of the score `a` x + `offset`.
    pub fn of_score(a: MatRef<'_, f64>, offset: Vec<f64>) -> Self {
        let dim = offset.len();
        Self { matrix: Mat::from_fn(dim, dim, |i, j| f64::from(i == j) - 2.0 * a[(i, j)]), offset }
    }

    /// The kernel over a span `du` of the clock.
    ///
    /// # Errors
    /// [`Error::Transport`] for a matrix with a value that is not finite.
    pub fn kernel(&self, du: f64) -> Result<Kernel> {
        let dim = self.offset.len();
        let is_symmetric = (0..dim).all(|i| (0..i).all(|j| self.matrix[(i, j)] == self.matrix[(j, i)]));
        match is_symmetric.then(|| self.matrix.self_adjoint_eigen(Side::Lower)) {
            Some(Ok(eigen)) => {
                let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
                Ok(self.kernel_of_spectrum(&values, eigen.U(), du))
            }
            _ => self.kernel_of_any(du),
        }
    }

    /// M = E e^{−uΛ/2} Eᵀ, h = E φ(Λ/2, u) Eᵀ b, Σ = E φ(Λ, u) Eᵀ.
    fn kernel_of_spectrum(&self, values: &[f64], vectors: MatRef<'_, f64>, du: f64) -> Kernel {
        let dim = values.len();
        let of_spectrum = |f: &dyn Fn(f64) -> f64| {
            let scaled = Mat::from_fn(dim, dim, |i, j| vectors[(i, j)] * f(values[j]));
            scaled * vectors.transpose()
        };
        Kernel {
            map: of_spectrum(&|l| (-0.5 * l * du).exp()),
            shift: product(of_spectrum(&|l| decayed(0.5 * l, du)).as_ref(), &self.offset),
            covariance: of_spectrum(&|l| decayed(l, du)),
        }
    }

    /// From exp(u [[−D/2, I, b], [0, Dᵀ/2, 0], [0, 0, 0]]) = [[M, Σ M⁻ᵀ, h], [0, M⁻ᵀ, 0], [0, 0, 1]].   \[VL78\]
    fn kernel_of_any(&self, du: f64) -> Result<Kernel> {
        let dim = self.offset.len();
        let block = Mat::from_fn(2 * dim + 1, 2 * dim + 1, |i, j| {
            du * match (i / dim, j / dim) {
                (0, 0) => -0.5 * self.matrix[(i, j)],
                (0, 1) => f64::from(i == j - dim),
                (0, 2) => self.offset[i],
                (1, 1) => 0.5 * self.matrix[(j - dim, i - dim)],
                _ => 0.0,
            }
        });
        let exponential = expm(block.as_ref())?;
        let map = exponential.submatrix(0, 0, dim, dim).to_owned();
        let covariance = exponential.submatrix(0, dim, dim, dim) * map.transpose();
        let symmetric = Mat::from_fn(dim, dim, |i, j| 0.5 * (covariance[(i, j)] + covariance[(j, i)]));
        let shift = (0..dim).map(|i| exponential[(i, 2 * dim)]).collect();
        Ok(Kernel { map, shift, covariance: symmetric })
    }
}

/// φ(l, u) = ∫₀ᵘ e^{−ls} ds = (1 − e^{−lu})/l.
pub(crate) fn decayed(l: f64, u: f64) -> f64 {
    let x = l * u;
    if x.abs() < 1e-4 { u * (1.0 - 0.5 * x + x * x / 6.0) } else { -(-x).exp_m1() / l }
}

/// A x.
pub(crate) fn product(a: MatRef<'_, f64>, x: &[f64]) -> Vec<f64> {
    (0..a.nrows()).map(|i| (0..a.ncols()).map(|j| a[(i, j)] * x[j]).sum()).collect()
}

impl Kernel {
    /// This one, and then `next`.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let moved = product(next.map.as_ref(), &self.shift);
        Self {
            map: &next.map * &self.map,
            shift: moved.iter().zip(&next.shift).map(|(moved, shift)| moved + shift).collect(),
            covariance: &next.map * &self.covariance * next.map.transpose() + &next.covariance,
        }
    }

    /// The kernel back, in a diffusion with the law `before` at its start and `after` at its end.
    ///
    /// # Errors
    /// [`Error::Transport`] if the covariance of `after` is singular.
    pub fn reversed(&self, before: &Gaussian, after: &Gaussian) -> Result<Self> {
        let dim = self.shift.len();
        // J = P Mᵀ P₊⁻¹, from P₊ Jᵀ = M P.
        let moved = &self.map * before.cov();
        let back = after.cov().full_piv_lu().solve(&moved).transpose().to_owned();
        let returned = product(back.as_ref(), after.mean());
        let shift = before.mean().iter().zip(returned).map(|(m, returned)| m - returned).collect();
        let left = &back * &moved;
        let covariance =
            Mat::from_fn(dim, dim, |i, j| before.cov()[(i, j)] - 0.5 * (left[(i, j)] + left[(j, i)]));
        Ok(Self { map: back, shift, covariance })
    }

    /// The law of the later state if the earlier one has this.
    ///
    /// # Errors
    /// [`Error::Transport`] if rounding makes the covariance indefinite.
    pub fn push(&self, law: &Gaussian) -> Result<Gaussian> {
        let moved = product(self.map.as_ref(), law.mean());
        let mean = moved.iter().zip(&self.shift).map(|(moved, shift)| moved + shift).collect();
        Ok(Gaussian::new(mean, &self.map * law.cov() * self.map.transpose() + &self.covariance)?)
    }
}

/// A linear diffusion with drifts that are constant between nodes.
#[derive(Clone, Debug)]
pub struct LinearDiffusion {
    /// β.
    pub schedule: Schedule,
    /// Times t₀ < t₁ < … < t_N = 1.
    nodes: Vec<f64>,
    /// One drift, or one for each interval; the first also holds before t₀.
    drifts: Vec<LinearDrift>,
}

impl LinearDiffusion {
    /// With `drifts` on the intervals between `nodes`: one for all, or one for each.
    ///
    /// # Errors
    /// [`Error::Setting`] for nodes that do not rise to 1, [`Error::Shape`] for another number of drifts.
    pub fn new(schedule: Schedule, nodes: Vec<f64>, drifts: Vec<LinearDrift>) -> Result<Self> {
        schedule.check()?;
        let rises = nodes.len() > 1 && nodes.windows(2).all(|pair| pair[0] < pair[1]);
        if !rises || nodes[0] < 0.0 || nodes[nodes.len() - 1] != 1.0 {
            let shown = format!("{:?} … {:?}", nodes.first(), nodes.last());
            return Err(Error::setting(
                "nodes",
                "times that rise from 0 or later to 1",
                shown,
                "two at least",
            ));
        }
        if drifts.len() != 1 && drifts.len() != nodes.len() - 1 {
            let expected = format!("1 or {}", nodes.len() - 1);
            return Err(Error::shape("number of drifts", expected, drifts.len(), "one for each interval"));
        }
        Ok(Self { schedule, nodes, drifts })
    }

    /// Number of coordinates.
    pub fn dim(&self) -> usize {
        self.drifts[0].offset.len()
    }

    /// Times of the nodes.
    pub fn nodes(&self) -> &[f64] {
        &self.nodes
    }

    /// The drift between nodes `k` and `k` + 1.
    pub fn drift(&self, k: usize) -> &LinearDrift {
        &self.drifts[k.min(self.drifts.len() - 1)]
    }

    /// What the clock shows between nodes `k` and `k` + 1.
    pub fn span(&self, k: usize) -> f64 {
        self.schedule.elapsed(self.nodes[k + 1]) - self.schedule.elapsed(self.nodes[k])
    }

    /// The kernel from node `k` to the next.
    ///
    /// # Errors
    /// As [`LinearDrift::kernel`].
    pub fn step(&self, k: usize) -> Result<Kernel> {
        self.drift(k).kernel(self.span(k))
    }

    /// The kernels from t = 0 to every node.
    ///
    /// # Errors
    /// As [`LinearDrift::kernel`].
    pub fn kernels(&self) -> Result<Vec<Kernel>> {
        if let [drift] = self.drifts.as_slice() {
            return self.nodes.iter().map(|t| drift.kernel(self.schedule.elapsed(*t))).collect();
        }
        let mut kernels = vec![self.drift(0).kernel(self.schedule.elapsed(self.nodes[0]))?];
        for k in 0..self.nodes.len() - 1 {
            kernels.push(kernels[k].then(&self.step(k)?));
        }
        Ok(kernels)
    }

    /// The laws at all nodes of the reversed diffusion, if it has `marginals` and is started from `end` at t = 1.
    ///
    /// # Errors
    /// As [`Kernel::reversed`].
    pub fn reversed_marginals(&self, marginals: &[Gaussian], end: Gaussian) -> Result<Vec<Gaussian>> {
        let mut laws = vec![end];
        for k in (0..marginals.len() - 1).rev() {
            let back = self.step(k)?.reversed(&marginals[k], &marginals[k + 1])?;
            laws.push(back.push(&laws[laws.len() - 1])?);
        }
        laws.reverse();
        Ok(laws)
    }

    /// The laws at all nodes of a diffusion that starts from `law` at t = 0.
    ///
    /// # Errors
    /// As [`LinearDrift::kernel`] and [`Kernel::push`].
    pub fn marginals(&self, law: &Gaussian) -> Result<Vec<Gaussian>> {
        self.kernels()?.iter().map(|kernel| kernel.push(law)).collect()
    }
}
