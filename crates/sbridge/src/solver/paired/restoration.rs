//! From the degraded end to the clean one, step by step.
//!
//! X̂₀ = x − s ε̂,   x_p ~ N((δ X̂₀ + s_p² x_n)/s_n², δ s_p²/s_n² I) with δ = s_n² − s_p²                      \[I2SB; HJA20, Eq. 7\]
//!
//! Where what is known of Gaussian pairs stands for x in the first, the spread of x₀ about X̂₀ is known too: a step takes δ/s_n² of it
//! along, and is exact for Gaussian pairs however few there are.

use super::{Known, PairPredictor, Paths, Schedule};
use crate::error::Result;
use crate::net::{GaussianPair, Place};
use crate::simulate::Noise;
use crate::tensor::{Tensor, map_rows, per_row};

/// The way back, by a network.
pub struct Restoration<'a, N> {
    /// ε̂.
    pub net: &'a N,
    /// The variances it was trained with.
    pub schedule: &'a Schedule,
    /// Whether it was trained on random paths.
    pub paths: Paths,
    /// What known entries are on the way.
    pub known: Known,
    /// What is known of the clean end of Gaussian pairs, which the network adds to.
    pub gaussian: Option<&'a GaussianPair>,
    /// Bounds of clean states, if they have some: predictions are cut there.
    pub bounds: Option<(f64, f64)>,
}

impl<N: PairPredictor> Restoration<'_, N> {
    /// The clean state for every row of `degraded`, `[batch, dim]`, in `calls` calls of the network. Where `unknown`, of the same
    /// shape, is 0, it is what it is in `degraded`, to the bit.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for more calls than the schedule has steps.
    pub fn run(
        &self,
        degraded: &Tensor<2>,
        unknown: Option<&Tensor<2>>,
        calls: usize,
        noise: &mut dyn Noise,
    ) -> Result<Tensor<2>> {
        self.run_within(degraded, unknown, calls, noise, &|x| x)
    }

    /// The same, and after every step states are taken to where they may be by `allowed`, before what is known is put back.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_within(
        &self,
        degraded: &Tensor<2>,
        unknown: Option<&Tensor<2>>,
        calls: usize,
        noise: &mut dyn Noise,
        allowed: &dyn Fn(Tensor<2>) -> Tensor<2>,
    ) -> Result<Tensor<2>> {
        let (levels, end) = self.schedule.visits(calls)?;
        let mut x = degraded.clone();
        for (i, level) in levels.iter().enumerate() {
            let next = levels.get(i + 1).copied().or(end);
            let step = self.schedule.step(*level, next);
            let predicted = self.predicted(&x, *level, degraded);
            x = x * step.kept + predicted * step.taken;
            let is_last = i + 1 == levels.len();
            if self.paths == Paths::Stochastic && !is_last {
                x = x.clone() + noise.draw(&x) * step.std;
            }
            if let (Some(pair), Paths::Stochastic) = (self.gaussian, self.paths) {
                x = x + self.spread(pair, degraded, *level, noise) * step.taken;
            }
            x = allowed(x);
            if let Some(unknown) = unknown {
                let there = match next.filter(|_| !is_last) {
                    Some(next) => self.known.there(self.paths, degraded, self.schedule.bridge(next).2, noise),
                    None => degraded.clone(),
                };
                x = there.mask_where(unknown.clone().greater_scalar(0.5), x);
            }
        }
        Ok(x)
    }

    fn place(&self, level: usize, like: &Tensor<2>) -> Place {
        self.schedule.place(&[level], &(like.device(), like.dtype()))
    }

    /// Draws of what the network leaves of the spread of x₀ at a level, of the shape of `like`.
    fn spread(
        &self,
        pair: &GaussianPair,
        like: &Tensor<2>,
        level: usize,
        noise: &mut dyn Noise,
    ) -> Tensor<2> {
        let left = pair.left(level as f64 / (self.schedule.levels() - 1) as f64);
        let std = (pair.variance(&self.place(level, like)) * left).sqrt();
        pair.from_axes(noise.draw(like) * std)
    }

    /// X̂₀ from states at a level.
    fn predicted(&self, x: &Tensor<2>, level: usize, degraded: &Tensor<2>) -> Tensor<2> {
        let dim = x.dims()[1];
        // Blocks of rows run side by side.
        let noise = map_rows(&Tensor::cat(vec![x.clone(), degraded.clone()], 1), |rows| {
            let (x, degraded) = (rows.clone().narrow(1, 0, dim), rows.narrow(1, dim, dim));
            self.net.predict(per_row(self.schedule.time(level), &x), x, &degraded)
        });
        let base = match self.gaussian {
            Some(pair) => pair.clean(x, degraded, &self.place(level, x)),
            None => x.clone(),
        };
        let predicted = base - noise * self.schedule.std_from_clean(level);
        match self.bounds {
            Some((low, high)) => predicted.clamp(low, high),
            None => predicted,
        }
    }
}
