//! Samples carried along a finished run, checked before and after, a block of them at a time.

use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor, from_rows, select_rows, to_vec};
use sbridge_data::Dataset;

use crate::context::Context;
use crate::data;
use crate::error::{Result, RunError};
use crate::task::{Carried, Carrier, Course, Route, Sink};

/// Values carried and held at once, at most: 4 GB of them, several times.
const MOST_VALUES: usize = 1 << 30;

/// Values of a block, whose simulation takes some hundred bytes each.
const BLOCK_VALUES: usize = 1 << 20;

/// Samples on their way.
pub(crate) struct Carrying<'a> {
    run: &'a dyn Carrier,
    route: &'a Route,
    rows: Tensor<2>,
    context: &'a Context,
}

impl<'a> Carrying<'a> {
    /// The samples of `input` along `route` of `run`, computed on `device`.
    ///
    /// # Errors
    /// [`RunError`] for an input of another shape, or no draws.
    pub(crate) fn new(
        run: &'a dyn Carrier,
        input: &Dataset,
        route: &'a Route,
        (device, context): (&Device, &'a Context),
    ) -> Result<Self> {
        route.check()?;
        if !input.shape().agrees_with(&run.shape()) {
            return Err(RunError::Input(format!(
                "{} holds samples of {}, the bridge joins samples of {} (give data of one shape)",
                input.source(),
                input.shape(),
                run.shape()
            )));
        }
        Ok(Self { run, route, rows: data::rows(input, device), context })
    }

    /// Samples that come out.
    pub(crate) fn count(&self) -> usize {
        let [count, _] = self.rows.dims();
        match self.route.course {
            Course::MeanOfPaths => count,
            _ => count.saturating_mul(self.route.draws),
        }
    }

    /// Carries all of them at once, and keeps their states on the way if asked.
    ///
    /// # Errors
    /// [`RunError`] for too many to be held, a route that leads nowhere, or samples that are carried to no finite place.
    pub(crate) fn at_once(&self) -> Result<Carried> {
        let [count, size] = self.rows.dims();
        let states = self.run.states(self.route);
        let values = [size, self.count(), states].into_iter().fold(1, usize::saturating_mul);
        if values > MOST_VALUES {
            return Err(RunError::Input(format!(
                "{} draws of {count} samples in {states} states are {:.1} GB, more than the {:.1} GB that are held in \
                 memory (lower --draws, leave --paths out, or carry parts of the input)",
                self.route.draws,
                gigabytes(values),
                gigabytes(MOST_VALUES)
            )));
        }
        if self.route.keeps_paths {
            let rows = Tensor::cat(vec![self.rows.clone(); self.route.draws], 0);
            let carried = self.run.carry_rows(&rows, self.route, &mut self.noise())?;
            carried.paths.iter().flatten().chain([&carried.ends]).try_for_each(require_finite)?;
            return Ok(carried);
        }
        let mut ends = Vec::new();
        self.in_blocks(&mut |block| {
            ends.push(block.clone());
            Ok(())
        })?;
        Ok(Carried { ends: Tensor::cat(ends, 0), paths: None })
    }

    /// Carries all of them, and hands every block to `sink`.
    ///
    /// # Errors
    /// [`RunError`] for a route that leads nowhere, samples that are carried to no finite place, a stop, or what `sink`
    /// refuses.
    pub(crate) fn in_blocks(&self, sink: &mut Sink<'_>) -> Result<()> {
        let (total, mut noise) = (self.count(), self.noise());
        let size = self.rows.dims()[1].saturating_mul(self.run.states(self.route)).max(1);
        let at_once = (BLOCK_VALUES / size).clamp(1, total.max(1));
        // Few are carried in a moment, which nobody wants to see.
        let progress = (at_once < total).then(|| self.context.progress("carried", 0, total));
        let _heeding = progress.is_some().then(|| self.context.cancel.heed());
        for first in (0..total).step_by(at_once) {
            let last = total.min(first + at_once);
            let ends = self.block(first..last, at_once, &mut noise)?;
            require_finite(&ends)?;
            sink(&ends)?;
            progress.iter().for_each(|progress| progress.at(last, ""));
            if self.context.cancel.is_requested() {
                return Err(sbridge::Error::Interrupted.into());
            }
        }
        Ok(())
    }

    /// Ends of some of the samples that come out: all of the input once, then again.
    fn block(&self, which: std::ops::Range<usize>, at_once: usize, noise: &mut Rng) -> Result<Tensor<2>> {
        let [count, _] = self.rows.dims();
        let rows = match which.len() == count {
            true => self.rows.clone(),
            false => select_rows(&self.rows, &which.map(|i| i % count).collect::<Vec<usize>>()),
        };
        match self.route.course {
            Course::MeanOfPaths => self.mean_of_paths(&rows, at_once, noise),
            _ => Ok(self.run.carry_rows(&rows, self.route, noise)?.ends),
        }
    }

    /// Means of the ends of as many paths from each row as there are draws.
    fn mean_of_paths(&self, rows: &Tensor<2>, at_once: usize, noise: &mut Rng) -> Result<Tensor<2>> {
        let ([count, size], draws) = (rows.dims(), self.route.draws);
        let mut sums = vec![0.0_f64; count * size];
        let together = (at_once / count).clamp(1, draws);
        for first in (0..draws).step_by(together) {
            let repeated = Tensor::cat(vec![rows.clone(); together.min(draws - first)], 0);
            let ends = to_vec(self.run.carry_rows(&repeated, self.route, noise)?.ends);
            for once in ends.chunks_exact(count * size) {
                sums.iter_mut().zip(once).for_each(|(sum, x)| *sum += f64::from(*x));
            }
        }
        let means: Vec<f32> = sums.into_iter().map(|sum| (sum / draws as f64) as f32).collect();
        Ok(from_rows(&means, size, &rows.device()))
    }

    fn noise(&self) -> Rng {
        Rng::new(self.route.seed).fork("transport")
    }
}

impl Route {
    /// # Errors
    /// [`RunError::Input`] for no draws, or for the states on the way of a mean.
    pub fn check(&self) -> Result<()> {
        let problem = match (self.draws, self.course) {
            (0, _) => "--draws must be at least 1, got 0",
            (_, Course::Mean | Course::MeanOfPaths) if self.keeps_paths => {
                "a mean is one state, without paths (leave one of the two out)"
            }
            _ => return Ok(()),
        };
        Err(RunError::Input(problem.into()))
    }
}

/// Size of f32 values.
fn gigabytes(values: usize) -> f64 {
    4e-9 * values as f64
}

fn require_finite(rows: &Tensor<2>) -> Result<()> {
    let [count, size] = rows.dims();
    let is_lost = |row: &&[f32]| row.iter().any(|x| !x.is_finite());
    match to_vec(rows.clone()).chunks_exact(size).filter(is_lost).count() {
        0 => Ok(()),
        diverged => Err(RunError::CarriedNowhere { diverged, count }),
    }
}
