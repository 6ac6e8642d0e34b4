//! Linear diffusions dX = −½ (D X − 2b) du + dW on the clock u of a schedule, and their exact kernels.  \[VSDM; SS19, §6\]
//!
//! X_u | X_0 ~ N(M X_0 + h, Σ), and for constant D and b
//!
//! M = e^{−uD/2},   h = ∫₀ᵘ e^{−sD/2} b ds,   Σ = ∫₀ᵘ e^{−sD/2} e^{−sDᵀ/2} ds.
//!
//! For symmetric D these are functions of its spectrum; for any other, blocks of one matrix exponential. Where D changes
//! with time it is constant between nodes, and kernels are chained: exact, and never a covariance that is none. One
//! exponential of ∫β D dt would be wrong for such D.

use faer::{Mat, MatRef, Side};
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::{expm, inv_sqrt_pd, symmetric_part, trace};

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

    /// The linear score's A = ½ (I − D), `[dim, dim]`.
    pub fn score_matrix(&self) -> Mat<f64> {
        let dim = self.offset.len();
        Mat::from_fn(dim, dim, |i, j| 0.5 * (f64::from(i == j) - self.matrix[(i, j)]))
    }

    /// The drift of the score `a` x + `offset`, `a: [dim, dim]` and `offset: [dim]`.
    pub fn of_score(a: MatRef<'_, f64>, offset: Vec<f64>) -> Self {
        let dim = offset.len();
        Self { matrix: Mat::from_fn(dim, dim, |i, j| f64::from(i == j) - 2.0 * a[(i, j)]), offset }
    }

    /// The same with entries rounded to single precision: as it is saved, so that what goes on from a file is the same.
    #[must_use]
    pub fn in_single_precision(self) -> Self {
        let rounded = |x: f64| f64::from(x as f32);
        let dim = self.offset.len();
        Self {
            matrix: Mat::from_fn(dim, dim, |i, j| rounded(self.matrix[(i, j)])),
            offset: self.offset.into_iter().map(rounded).collect(),
        }
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

    /// The kernel over a part of `du` in which D does little, chained with itself: over all of it the exponential would hold
    /// e^{uD/2} beside e^{−uD/2}, whose digits cancel in Σ where D is far from symmetric.
    fn kernel_of_any(&self, du: f64) -> Result<Kernel> {
        let squares = self.matrix.as_ref().row_iter().map(|row| row.iter().map(|x| x * x).sum::<f64>());
        let doublings = (du.abs() * squares.sum::<f64>().sqrt()).max(1.0).log2().ceil();
        if !doublings.is_finite() {
            return self.kernel_at_once(du);
        }
        let part = self.kernel_at_once(du / doublings.exp2())?;
        Ok((0..doublings as usize).fold(part, |kernel, _| kernel.then(&kernel)))
    }

    /// From exp(u [[−D/2, I, b], [0, Dᵀ/2, 0], [0, 0, 0]]) = [[M, Σ M⁻ᵀ, h], [0, M⁻ᵀ, 0], [0, 0, 1]].   \[VL78\]
    fn kernel_at_once(&self, du: f64) -> Result<Kernel> {
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
        let shift = (0..dim).map(|i| exponential[(i, 2 * dim)]).collect();
        Ok(Kernel { map, shift, covariance: symmetric_part(covariance.as_ref()) })
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

    /// The kernel back, in a diffusion with the law `before` at its start and `after` at its end; its covariance in the form of
    /// Joseph.                                                                                               \[BJ68\]
    ///
    /// # Errors
    /// [`Error::Transport`] if the covariance of `after` is singular.
    pub fn reversed(&self, before: &Gaussian, after: &Gaussian) -> Result<Self> {
        // J = P Mᵀ P₊⁻¹, with the inverse root of P₊ on either side of the product.
        let root = inv_sqrt_pd(after.cov())?;
        let back = before.cov() * self.map.transpose() * &root * &root;
        let returned = product(back.as_ref(), after.mean());
        let shift = before.mean().iter().zip(returned).map(|(m, returned)| m - returned).collect();
        // (I − JM) P (I − JM)ᵀ + J Σ Jᵀ: a sum of squares, where P − J M P would be a difference that rounds below zero.
        let left = Mat::<f64>::identity(before.dim(), before.dim()) - &back * &self.map;
        let covariance =
            &left * before.cov() * left.transpose() + &back * &self.covariance * back.transpose();
        Ok(Self { map: back, shift, covariance: symmetric_part(covariance.as_ref()) })
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

/// A linear diffusion whose drift is constant in intervals of the clock, and its nodes, the times at which its laws are
/// wanted.
#[derive(Clone, Debug)]
pub struct LinearDiffusion {
    /// β.
    pub schedule: Schedule,
    /// Times t₀ < t₁ < … < t_N = 1.
    nodes: Vec<f64>,
    drifts: Vec<LinearDrift>,
    /// What the clock shows at the end of each interval.
    ends: Vec<f64>,
}

impl LinearDiffusion {
    /// With `drifts` on the intervals between `nodes`: one for all, or one for each; the first also holds before t₀.
    ///
    /// # Errors
    /// [`Error::Setting`] for nodes that do not rise to 1, [`Error::Shape`] for another number of drifts.
    pub fn new(schedule: Schedule, nodes: Vec<f64>, drifts: Vec<LinearDrift>) -> Result<Self> {
        schedule.check()?;
        check_nodes(&nodes)?;
        let ends = match drifts.len() {
            1 => vec![schedule.total()],
            _ => nodes[1..].iter().map(|t| schedule.elapsed(*t)).collect(),
        };
        if drifts.len() != ends.len() {
            let expected = format!("1 or {}", nodes.len() - 1);
            return Err(Error::shape("number of drifts", expected, drifts.len(), "one for each interval"));
        }
        Ok(Self { schedule, nodes, drifts, ends })
    }

    /// With `drifts` on equal intervals of the clock, from t = 0 to 1.
    ///
    /// # Errors
    /// [`Error::Setting`] for a schedule that is none, or no drift.
    pub fn evenly(schedule: Schedule, drifts: Vec<LinearDrift>) -> Result<Self> {
        Self::new(schedule, schedule.nodes_in_clock(0.0, drifts.len()), drifts)
    }

    /// The same diffusion with nodes at other times, `[nodes]`.
    ///
    /// # Errors
    /// [`Error::Setting`] for nodes that do not rise to 1.
    pub fn with_nodes(&self, nodes: Vec<f64>) -> Result<Self> {
        check_nodes(&nodes)?;
        Ok(Self { nodes, ..self.clone() })
    }

    /// Number of coordinates.
    pub fn dim(&self) -> usize {
        self.drifts[0].offset.len()
    }

    /// Times of the nodes, `[nodes]`.
    pub fn nodes(&self) -> &[f64] {
        &self.nodes
    }

    /// What the clock shows at the nodes, `[nodes]`.
    pub fn clock(&self) -> Vec<f64> {
        self.nodes.iter().map(|t| self.schedule.elapsed(*t)).collect()
    }

    /// The drift in each interval.
    pub fn drifts(&self) -> &[LinearDrift] {
        &self.drifts
    }

    /// The drift in each interval, to change.
    pub fn drifts_mut(&mut self) -> &mut [LinearDrift] {
        &mut self.drifts
    }

    /// The interval in which the clock shows `u`.
    pub fn interval_at(&self, u: f64) -> usize {
        self.ends.partition_point(|end| *end <= u).min(self.drifts.len() - 1)
    }

    /// The drift when the clock shows `u`.
    pub fn drift_at(&self, u: f64) -> &LinearDrift {
        &self.drifts[self.interval_at(u)]
    }

    /// What the clock shows between nodes `k` and `k` + 1.
    pub fn span(&self, k: usize) -> f64 {
        self.schedule.elapsed(self.nodes[k + 1]) - self.schedule.elapsed(self.nodes[k])
    }

    /// The parts of the way from `from` to `to` on the clock in which the drift is constant, how long each is, and its drift.
    pub fn pieces(&self, from: f64, to: f64) -> impl Iterator<Item = (f64, &LinearDrift)> {
        let (first, last) = (self.interval_at(from), self.interval_at(to));
        (first..=last).map(move |k| {
            let start = if k == first { from } else { self.ends[k - 1] };
            let end = if k == last { to } else { self.ends[k] };
            (end - start, &self.drifts[k])
        })
    }

    /// The kernel from `from` to `to` on the clock, chained over intervals.
    ///
    /// # Errors
    /// As [`LinearDrift::kernel`].
    pub fn kernel(&self, from: f64, to: f64) -> Result<Kernel> {
        let mut kernels = self.pieces(from, to).map(|(du, drift)| drift.kernel(du));
        let first = kernels.next().expect("there is an interval at any time")?;
        kernels.try_fold(first, |kernel, next| Ok(kernel.then(&next?)))
    }

    /// The kernel from node `k` to the next.
    ///
    /// # Errors
    /// As [`LinearDrift::kernel`].
    pub fn step(&self, k: usize) -> Result<Kernel> {
        let [from, to] = [k, k + 1].map(|k| self.schedule.elapsed(self.nodes[k]));
        self.kernel(from, to)
    }

    /// The kernels from t = 0 to every node.
    ///
    /// # Errors
    /// As [`LinearDrift::kernel`].
    pub fn kernels(&self) -> Result<Vec<Kernel>> {
        if let [drift] = self.drifts.as_slice() {
            return self.clock().into_iter().map(|u| drift.kernel(u)).collect();
        }
        let mut kernels = vec![self.kernel(0.0, self.schedule.elapsed(self.nodes[0]))?];
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

    /// KL of the paths from `law` to those of the diffusion with A = 0 and b = 0, ½ ∫ E|A x + b|² du, in nats: the trapezoidal
    /// rule between nodes.
    ///
    /// # Errors
    /// As [`marginals`](Self::marginals).
    pub fn transport_cost(&self, law: &Gaussian) -> Result<f64> {
        let (marginals, clock) = (self.marginals(law)?, self.clock());
        let cost = |k: usize| {
            let drift = self.drift_at(0.5 * (clock[k] + clock[k + 1]));
            let a = drift.score_matrix();
            let rate = |law: &Gaussian| {
                let pulled = product(a.as_ref(), law.mean()).into_iter().zip(&drift.offset);
                trace((&a * law.cov() * a.transpose()).as_ref())
                    + pulled.map(|(p, b)| (p + b).powi(2)).sum::<f64>()
            };
            0.25 * (rate(&marginals[k]) + rate(&marginals[k + 1])) * (clock[k + 1] - clock[k])
        };
        Ok((0..clock.len() - 1).map(cost).sum())
    }

    /// The laws at all nodes of a diffusion that starts from `law` at t = 0.
    ///
    /// # Errors
    /// As [`LinearDrift::kernel`] and [`Kernel::push`].
    pub fn marginals(&self, law: &Gaussian) -> Result<Vec<Gaussian>> {
        self.kernels()?.iter().map(|kernel| kernel.push(law)).collect()
    }
}

fn check_nodes(nodes: &[f64]) -> Result<()> {
    let rises = nodes.len() > 1 && nodes.windows(2).all(|pair| pair[0] < pair[1]);
    if rises && nodes[0] >= 0.0 && nodes[nodes.len() - 1] == 1.0 {
        return Ok(());
    }
    let shown = format!("{:?} … {:?}", nodes.first(), nodes.last());
    Err(Error::setting("nodes", "times that rise from 0 or later to 1", shown, "two at least"))
}
