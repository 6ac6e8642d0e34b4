//! Paths and draws by learned controls.

use rayon::prelude::*;

use super::chain::{Chain, Paths};
use super::guided::{Controls, Guided, Method};
use crate::density::LogDensity;
use crate::error::Result;
use crate::rng::Rng;
use crate::tensor::{Device, Tensor, from_rows_f64, to_vec_f64};

/// A diffusion to be controlled, and the density that it is to lead to.
pub struct Sampler<'a> {
    /// Which diffusion.
    pub method: Method,
    /// Its steps.
    pub chain: Chain,
    /// What is sampled.
    pub density: &'a dyn LogDensity,
    /// Where the networks are.
    pub device: Device,
}

/// Ends of paths, and what they weigh.
#[derive(Clone, Debug, Default)]
pub struct Draws {
    /// `[count, dim]`, row by row.
    pub states: Vec<f64>,
    /// A of every path: −A is the logarithm of its weight, not normalised.
    pub action: Vec<f64>,
}

/// Paths that are simulated at once: as many as this many values hold, with all their states, and no more than so many.
const VALUES_AT_ONCE: usize = 1 << 24;
const PATHS_AT_ONCE: usize = 2048;

impl<'a> Sampler<'a> {
    /// Of `method` in so many `steps`.
    pub fn new(method: Method, steps: usize, density: &'a dyn LogDensity, device: Device) -> Self {
        Self { method, chain: method.chain(steps), density, device }
    }

    /// Paths under `nets`, without a graph.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    pub fn paths(&self, nets: &Controls, count: usize, rng: &mut Rng) -> Result<Paths> {
        let start = self.chain.start(&Tensor::zeros([count, self.density.dim()], &self.device), rng);
        let control = Guided::new(self.method, nets, &self.chain, &self.device);
        self.chain.simulate(&control, self.density, start, rng)
    }

    /// Ends of `count` paths under `nets`, in as little memory as a block of paths takes.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    pub fn draw(&self, nets: &Controls, count: usize, rng: &Rng) -> Result<Draws> {
        self.in_blocks(count, |_, paths, rng| self.paths(nets, paths, rng), rng)
    }

    /// Draws of π, `[count, dim]`, taken back by the noising that is held fixed, and weighed as paths of `nets`.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    pub fn noised(&self, nets: &Controls, draws: &[f64], rng: &Rng) -> Result<Draws> {
        let dim = self.density.dim();
        let of_block = |first: usize, paths: usize, rng: &mut Rng| {
            let rows = from_rows_f64(&draws[first * dim..(first + paths) * dim], dim, &self.device);
            let like = Tensor::<2>::zeros([1, 1], &self.device);
            let control = Guided::new(self.method, nets, &self.chain, &self.device);
            self.chain.noised(&control, self.density, rows.cast(like.dtype()), rng)
        };
        self.in_blocks(draws.len() / dim, of_block, rng)
    }

    /// Blocks of `count` paths, made of the first and the number of each, side by side: with streams of their own, so that the
    /// result is the same on any machine.
    fn in_blocks(
        &self,
        count: usize,
        make: impl Fn(usize, usize, &mut Rng) -> Result<Paths> + Sync,
        rng: &Rng,
    ) -> Result<Draws> {
        let values = 4 * self.chain.knots.len() * self.density.dim();
        let block = (VALUES_AT_ONCE / values).clamp(1, PATHS_AT_ONCE);
        let of_block = |first: usize| {
            let paths = make(first, block.min(count - first), &mut rng.fork(&format!("paths {first}")))?;
            Ok(Draws { states: to_vec_f64(paths.ends().clone()), action: paths.action })
        };
        let starts: Vec<usize> = (0..count).step_by(block).collect();
        let blocks: Vec<Draws> = starts.into_par_iter().map(of_block).collect::<Result<_>>()?;
        Ok(blocks.into_iter().fold(Draws::default(), |mut all, block| {
            all.states.extend(block.states);
            all.action.extend(block.action);
            all
        }))
    }
}
