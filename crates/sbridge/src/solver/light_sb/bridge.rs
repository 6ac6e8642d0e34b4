//! The bridge between two samples: a potential each way, in the units of the data.

use std::ops::ControlFlow;

use faer::Mat;

use super::potential::LightPotential;
use super::training::{LightSbSettings, PointSource, fit};
use crate::bridge::{Bridge, Direction, PairBridge, StepNoise};
use crate::error::{Error, Result};
use crate::reference::{Brownian, GaussianReference, Reference as _};
use crate::rng::Rng;
use crate::solver::frame::Frame;
use crate::tensor::{Tensor, TensorData, to_vec_f64};

/// A Schrödinger bridge between two samples, by a mixture potential each way.
#[derive(Clone, Debug)]
pub struct LightSb {
    /// Units of the potentials.
    pub frame: Frame,
    /// From source to target.
    pub forward: LightPotential,
    /// From target to source.
    pub backward: LightPotential,
}

/// What is called after every step of a fit, with the direction, the step, counted from 1, and the loss of its batch; it
/// may stop the fit.
pub type OnStep<'a> = dyn FnMut(Direction, usize, f64) -> ControlFlow<()> + 'a;

impl LightSb {
    /// Fits both directions between the rows of `source` and `target`, `[count, dim]` in data units, for ε in their squares.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of different length; as [`fit`].
    pub fn fit(
        source: &Tensor<2>,
        target: &Tensor<2>,
        epsilon: f64,
        settings: &LightSbSettings,
        rng: &Rng,
        on_step: &mut OnStep<'_>,
    ) -> Result<Self> {
        let [_, dim] = source.dims();
        if target.dims()[1] != dim {
            let fix = "source and target must live in the same space";
            return Err(Error::shape("dimension of the target", dim, target.dims()[1], fix));
        }
        let (source, target) = (to_vec_f64(source.clone()), to_vec_f64(target.clone()));
        let frame = Frame::of(&source, &target, dim);
        let rows = [(0.0, source), (1.0, target)].map(|(t, rows)| Rows::new(&frame.apply(t, &rows), dim));
        let epsilon = epsilon / frame.scale.powi(2);
        let mut one_way = |direction, from: &Rows, to: &Rows| {
            let rng = rng.fork(&format!("{direction:?}").to_lowercase());
            fit(from, to, epsilon, settings, &rng, &mut |step, loss| on_step(direction, step, loss))
        };
        let forward = one_way(Direction::Forward, &rows[0], &rows[1])?;
        let backward = one_way(Direction::Backward, &rows[1], &rows[0])?;
        Ok(Self { frame, forward, backward })
    }

    /// The reference, in data units.
    fn brownian(&self) -> Brownian {
        self.forward.reference().scaled(self.frame.scale)
    }

    fn potential(&self, direction: Direction) -> &LightPotential {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Backward => &self.backward,
        }
    }

    /// Mean, `[dim]`, and covariance, `[dim, dim]`, of the other end given the one at `x`, `[dim]`, in data units, exactly
    /// from the plan.
    pub fn conditional_moments(&self, direction: Direction, x: &[f64]) -> (Vec<f64>, Mat<f64>) {
        let [from, to] = direction.ends();
        let (mean, covariance) = self.potential(direction).conditional_moments(&self.frame.apply(from, x));
        (self.frame.undo(to, &mean), covariance * faer::Scale(self.frame.scale.powi(2)))
    }
}

/// Row-major `values` with shape, type and device of `like`.
fn rows_like(like: &Tensor<2>, values: Vec<f64>) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, like.dims()), (&like.device(), like.dtype()))
}

impl Bridge for LightSb {
    fn dim(&self) -> usize {
        self.forward.dim()
    }

    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let (times, states) = (to_vec_f64(t), to_vec_f64(x.clone()));
        let mut rest = &states[..];
        let mut inside = Vec::with_capacity(states.len());
        for of_one_time in times.chunk_by(|a, b| a == b) {
            let (rows, later) = rest.split_at(of_one_time.len() * self.dim());
            inside.extend(self.frame.apply(of_one_time[0], rows));
            rest = later;
        }
        let elapsed: Vec<f64> = times.iter().map(|t| (t - direction.ends()[0]).abs()).collect();
        let drift = self.potential(direction).drift_at(&elapsed, &inside);
        let shift = self.frame.velocity(direction);
        let moved = drift.iter().zip(shift.iter().cycle()).map(|(v, shift)| v * self.frame.scale + shift);
        rows_like(&x, moved.collect())
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        self.brownian().diffusion(t)
    }
}

/// Steps in which paths are simulated.
const WALK_STEPS: usize = 100;

impl PairBridge for LightSb {
    fn reference(&self) -> Box<dyn GaussianReference> {
        Box::new(self.brownian())
    }

    /// Drawn exactly from the plan, without walking a path.
    fn transport(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        let [from, to] = direction.ends();
        let inside = self.frame.apply(from, &to_vec_f64(x.clone()));
        let drawn = self.potential(direction).sample(&inside, rng);
        rows_like(x, self.frame.undo(to, &drawn))
    }

    /// Both ends: the plan knows them without what lies between.
    fn skeleton(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Vec<Tensor<2>> {
        vec![x.clone(), self.transport(direction, x, rng)]
    }

    fn step_noise(&self, _direction: Direction) -> StepNoise {
        StepNoise::of_reference(&self.brownian(), WALK_STEPS)
    }
}

/// Rows drawn with replacement.
struct Rows {
    columns: Mat<f64>,
}

impl Rows {
    fn new(rows: &[f64], dim: usize) -> Self {
        Self { columns: Mat::from_fn(dim, rows.len() / dim, |j, i| rows[i * dim + j]) }
    }
}

impl PointSource for Rows {
    fn dim(&self) -> usize {
        self.columns.nrows()
    }

    fn draw(&self, count: usize, rng: &mut Rng) -> Mat<f64> {
        let picked = rng.indices(count, self.columns.ncols());
        Mat::from_fn(self.dim(), count, |j, i| self.columns[(j, picked[i])])
    }
}
