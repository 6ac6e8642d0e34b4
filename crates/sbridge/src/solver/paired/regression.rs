//! The one regression of a bridge between pairs.
//!
//! q(x_t | x₀, x₁) = N((r² x₀ + s² x₁)/(r² + s²), s² r²/(r² + s²) I),   loss = mean |ε̂(t, x_t) − (x_t − x₀)/s_t|²   \[I2SB\]
//!
//! Where pairs are vectors the conditional mean of x₀ between Gaussians stands for x_t in the target: the network adds to it.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::{Known, Paths, Schedule};
use crate::net::{GaussianPair, KNOTS, PairedNet, Place};
use crate::objective::Objective;
use crate::rng::Rng;
use crate::tensor::{DType, Module, Tensor, column, to_vec_f64};

/// Pairs, row by row: `[count, dim]` each.
#[derive(Clone, Debug)]
pub struct PairBatch {
    /// At t = 0.
    pub clean: Tensor<2>,
    /// At t = 1.
    pub degraded: Tensor<2>,
    /// 1 where the clean state is not known from the degraded one, 0 where both are the same; everywhere 1 if it is not there.
    pub unknown: Option<Tensor<2>>,
}

/// Where pairs come from.
pub trait PairData: Sync {
    /// `count` pairs at random.
    fn draw(&self, count: usize, rng: &mut Rng) -> PairBatch;
}

/// A network ε̂(t, x), which may be told the degraded end x₁, too.
pub trait PairPredictor: Module + Sync {
    /// # Shapes
    /// `t: [batch]` on the clock of [`Schedule::time`], `x` and `degraded: [batch, dim]`, result `[batch, dim]`.
    fn predict(&self, t: Tensor<1>, x: Tensor<2>, degraded: &Tensor<2>) -> Tensor<2>;
}

/// The regression on pairs of `D`.
pub struct PairedRegression<'a, D, N> {
    /// What is learned from.
    pub train: &'a D,
    /// What is watched.
    pub held_out: Option<&'a D>,
    /// The variances.
    pub schedule: &'a Schedule,
    /// Whether examples lie on random paths or on their means.
    pub paths: Paths,
    /// What known entries are on the way.
    pub known: Known,
    /// The one level that is learned; all of them if not said. At the last alone it is the regression of the clean state on
    /// the degraded one.
    pub level: Option<usize>,
    /// What is known of the clean end of Gaussian pairs, which the network adds to.
    pub gaussian: Option<&'a GaussianPair>,
    network: PhantomData<N>,
}

impl<'a, D, N> PairedRegression<'a, D, N> {
    /// On the pairs of `train`, at all levels of `schedule`, watched on nothing.
    pub fn new(train: &'a D, schedule: &'a Schedule, paths: Paths, known: Known) -> Self {
        Self {
            train,
            held_out: None,
            schedule,
            paths,
            known,
            level: None,
            gaussian: None,
            network: PhantomData,
        }
    }
}

/// Pairs that are watched, in parts that run side by side.
const PARTS: usize = 8;
const PART: usize = 32;

/// Pairs at each level where it is measured what a network leaves.
const MEASURED: usize = 2000;

/// What is regressed.
struct Examples {
    time: Tensor<1>,
    place: Place,
    x: Tensor<2>,
    degraded: Tensor<2>,
    /// (what stands for the clean end without the network − the clean end)/s.
    target: Tensor<2>,
    unknown: Option<Tensor<2>>,
}

impl<D: PairData, N: PairPredictor> PairedRegression<'_, D, N> {
    /// `count` pairs of `data` at `level`, or at levels to learn.
    fn examples(&self, data: &D, count: usize, level: Option<usize>, rng: &mut Rng) -> Examples {
        let PairBatch { clean, degraded, unknown } = data.draw(count, rng);
        let levels = match level {
            Some(level) => &vec![level; count],
            None => &self.schedule.levels_to_learn(count, rng),
        };
        let like = (clean.device(), clean.dtype());
        let Place { clean: a, degraded: b, variance } = self.schedule.place(levels, &like);
        let of_levels = |value: &dyn Fn(usize) -> f64| self.schedule.of_levels(levels, &like, value);
        let std = column(of_levels(&|k| self.schedule.bridge(k).2));
        let mean = clean.clone() * a.clone() + degraded.clone() * b.clone();
        let x = match self.paths {
            Paths::Stochastic => mean + rng.normal_like(&clean) * std,
            Paths::Ode => mean,
        };
        let x = match (&unknown, self.known) {
            (Some(unknown), Known::Exact) => {
                degraded.clone().mask_where(unknown.clone().greater_scalar(0.5), x)
            }
            _ => x,
        };
        let place = Place { clean: a, degraded: b, variance };
        let base = self.gaussian.map_or_else(|| x.clone(), |pair| pair.clean(&x, &degraded, &place));
        let target = (base - clean) / column(of_levels(&|k| self.schedule.std_from_clean(k)));
        let time = of_levels(&|k| self.schedule.time(k));
        Examples { time, place, x, degraded, target, unknown }
    }

    /// The loss on `count` pairs of `data`.
    fn of(&self, data: &D, net: &N, count: usize, rng: &mut Rng) -> Tensor<1> {
        let Examples { time, x, degraded, target, unknown, .. } = self.examples(data, count, self.level, rng);
        let tracked = |rows: Tensor<2>| rows.autodiff();
        let error = net.predict(time.autodiff(), tracked(x), &tracked(degraded)) - tracked(target);
        match unknown {
            None => error.powi_scalar(2).mean(),
            Some(unknown) => {
                let counted = to_vec_f64(unknown.clone().sum().cast(DType::F64))[0].max(1.0);
                (error.powi_scalar(2) * tracked(unknown)).sum() / counted
            }
        }
    }

    /// What is known of Gaussian pairs, with the share that `net` leaves of the variance of their clean end, on the pairs that
    /// are watched, if some are.
    pub fn measured(&self, pair: &GaussianPair, net: &N, rng: &Rng) -> GaussianPair {
        let last = self.schedule.levels() - 1;
        let at = |knot: usize| {
            let level = Some(knot * last / (KNOTS - 1));
            let mut rng = rng.fork(&format!("left at {knot}"));
            let data = self.held_out.unwrap_or(self.train);
            let Examples { time, place, x, degraded, target, .. } =
                self.examples(data, MEASURED, level, &mut rng);
            let error = (net.predict(time, x, &degraded) - target) * place.variance.clone().sqrt();
            (pair.along_axes(error).powi_scalar(2) / pair.variance(&place)).mean_dim(0)
        };
        let left: Vec<Tensor<2>> = (0..KNOTS).into_par_iter().map(at).collect();
        pair.clone().with_left(Tensor::cat(left, 0))
    }
}

impl<D: PairData, N: PairPredictor> Objective for PairedRegression<'_, D, N> {
    type Model = N;

    fn loss(&self, net: &N, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        self.of(self.train, net, rows.len(), rng)
    }

    fn held_out_loss(&self, net: &N, rng: &mut Rng) -> Option<f64> {
        let data = self.held_out?;
        let part = |k: usize| {
            let mut rng = rng.fork(&format!("part {k}"));
            to_vec_f64(self.of(data, net, PART, &mut rng))[0]
        };
        let losses: Vec<f64> = (0..PARTS).into_par_iter().map(part).collect();
        Some(losses.iter().sum::<f64>() / PARTS as f64)
    }
}

impl PairPredictor for PairedNet {
    fn predict(&self, t: Tensor<1>, x: Tensor<2>, degraded: &Tensor<2>) -> Tensor<2> {
        self.forward(t, x, degraded)
    }
}
