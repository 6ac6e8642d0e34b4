//! Drawing forecasts: from the past to the next values, and on from there.

use rayon::prelude::*;

use super::ForecastNet;
use super::pasts::Conditioning;
use crate::error::Result;
use crate::rng::Rng;
use crate::solver::vsdm::{FlowSettings, ProbabilityFlow, VariationalModel};
use crate::tensor::{Device, Module as _, Tensor, to_vec_f64};

/// Paths simulated at once.
const BLOCK: usize = 250;

/// A model of the next step given the past.
#[derive(Clone, Debug)]
pub struct Forecaster {
    /// The law of the next step in units of the local scale.
    pub model: VariationalModel<ForecastNet>,
    /// Root mean square of the steps of each series.
    pub spread: Vec<f64>,
    /// Times of a past.
    pub context: usize,
}

/// Where a forecast starts.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The last values before some series ends, `[context, dim]` row by row, without gaps.
    pub past: Vec<f64>,
    /// What is known since, `[gap, dim]` row by row; NaN is drawn as well. Nothing if no series ends before the others.
    pub since: Vec<f64>,
    /// What the calendar says of the times after the past, one for each: the gap and what is forecast.
    pub calendar: Vec<Vec<f32>>,
}

impl Forecaster {
    /// `samples` paths from each of `origins`, over as many times as its calendar has after the gap, by the probability flow
    /// for each time: `[origins, samples, horizon, dim]`, row by row.
    ///
    /// # Errors
    /// As [`ProbabilityFlow::new`].
    ///
    /// # Panics
    /// If gaps or calendars of the origins differ in length.
    pub fn sample(
        &self,
        origins: &[Origin],
        samples: usize,
        sampler: &FlowSettings,
        rng: &Rng,
    ) -> Result<Vec<f64>> {
        self.sample_watched(origins, samples, sampler, rng, &|_| {})
    }

    /// As [`sample`](Self::sample); `went_on` is told how many rows were drawn at once.
    ///
    /// # Errors
    /// As [`ProbabilityFlow::new`].
    ///
    /// # Panics
    /// As [`sample`](Self::sample).
    pub fn sample_watched(
        &self,
        origins: &[Origin],
        samples: usize,
        sampler: &FlowSettings,
        rng: &Rng,
        went_on: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<f64>> {
        let (flow, start) = (self.model.flow(sampler.steps)?, self.model.start(sampler.start)?);
        let draw = |summary: &Tensor<2>, rng: &mut Rng| {
            self.step(&flow, summary, start.draw(summary.dims()[0], rng))
        };
        Ok(self.simulate(origins, samples, rng, &draw, went_on))
    }

    /// The flow from `start`, `[count, dim]`, for paths whose past is summed up in the rows of `summary`.
    pub fn step(&self, flow: &ProbabilityFlow, summary: &Tensor<2>, start: Tensor<2>) -> Tensor<2> {
        let net = |x, level| self.model.net.correction(summary, x, level);
        flow.integrate(&net, start, &mut |_, _| {})
    }

    /// As [`sample`](Self::sample), with steps drawn by `draw`, which is given a summary of each past; `went_on` is told how
    /// many rows were drawn at once.
    pub fn simulate(
        &self,
        origins: &[Origin],
        samples: usize,
        rng: &Rng,
        draw: &(dyn Fn(&Tensor<2>, &mut Rng) -> Tensor<2> + Sync),
        went_on: &(dyn Fn(usize) + Sync),
    ) -> Vec<f64> {
        let lengths = |origin: &Origin| (origin.since.len(), origin.calendar.len());
        assert!(
            origins.windows(2).all(|pair| lengths(&pair[0]) == lengths(&pair[1])),
            "gaps of equal length"
        );

        let starts: Vec<&Origin> =
            origins.iter().flat_map(|origin| std::iter::repeat_n(origin, samples)).collect();
        let blocks: Vec<&[&Origin]> = starts.chunks(BLOCK).collect();
        let one = |(k, block): (usize, &&[&Origin])| {
            self.paths(block, &mut rng.fork(&format!("block {k}")), draw, went_on)
        };
        blocks.par_iter().enumerate().map(one).collect::<Vec<_>>().concat()
    }

    fn paths(
        &self,
        origins: &[&Origin],
        rng: &mut Rng,
        draw: &(dyn Fn(&Tensor<2>, &mut Rng) -> Tensor<2> + Sync),
        went_on: &(dyn Fn(usize) + Sync),
    ) -> Vec<f64> {
        let dim = self.spread.len();
        let device = self.model.net.devices().into_iter().next().unwrap_or_else(Device::flex);
        let [gap, times] = origins.first().map_or([0, 0], |o| [o.since.len() / dim, o.calendar.len()]);
        let mut paths: Vec<Vec<f64>> = origins.iter().map(|origin| origin.past.clone()).collect();
        for ahead in 0..times {
            let mut conditioning = Conditioning::new(dim);
            let condition = |(path, origin): (&Vec<f64>, &&Origin)| {
                conditioning.push(&path[ahead * dim..], &self.spread, &origin.calendar[ahead])
            };
            let scales: Vec<Vec<f64>> = paths.iter().zip(origins).map(condition).collect();
            let steps = to_vec_f64(draw(&self.model.net.summary(conditioning, &device), rng));
            let drawn = steps.chunks_exact(dim).zip(scales).zip(origins);
            for (path, ((step, scale), origin)) in paths.iter_mut().zip(drawn) {
                let last = path.len() - dim;
                let known = |j: usize| origin.since.get(ahead * dim + j).copied().filter(|x| !x.is_nan());
                (0..dim).for_each(|j| path.push(known(j).unwrap_or(path[last + j] + scale[j] * step[j])));
            }
            went_on(paths.len());
        }
        paths.into_iter().flat_map(|path| path.into_iter().skip((self.context + gap) * dim)).collect()
    }
}
