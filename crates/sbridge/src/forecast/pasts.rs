//! What is learned: the next step in units of the latest movement, given the past that leads to it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::history::{History, local_scale};
use crate::error::{Result, require_count};
use crate::net::MAX_WIDTH;
use crate::net::{PastEncoder, ResidualMlp, ResidualMlpSettings};
use crate::rng::Rng;
use crate::solver::vsdm::ScoreData;
use crate::tensor::{DType, Device, Module, Tensor, TensorData, from_rows_f64};

/// Size of the network that reads the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForecastNetSettings {
    /// Features of a layer. Default 32.
    pub width: usize,
    /// Numbers that the past is summed up in. Default 64.
    pub summary: usize,
}

impl Default for ForecastNetSettings {
    fn default() -> Self {
        Self { width: 32, summary: 64 }
    }
}

impl ForecastNetSettings {
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a size of zero.
    pub fn check(&self) -> Result<()> {
        require_count("width", self.width, 1..=MAX_WIDTH, "32 is usual")?;
        require_count("summary", self.summary, 1..=MAX_WIDTH, "64 is usual")
    }
}

/// A backward score given the past.
#[derive(Module, Debug)]
pub struct ForecastNet {
    past: PastEncoder,
    head: ResidualMlp,
}

impl ForecastNet {
    /// For steps of `dim` series after pasts of `context` times, with `features` numbers of the calendar.
    pub fn new(
        [dim, context, features]: [usize; 3],
        past: &ForecastNetSettings,
        head: &ResidualMlpSettings,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        let sizes = [past.width, past.summary];
        Self {
            past: PastEncoder::new([context, dim, dim + features], sizes, rng, device),
            head: ResidualMlp::conditioned(dim, past.summary, head, rng, device),
        }
    }

    /// What the pasts say, `[count, summary]`.
    pub(super) fn summary(&self, conditioning: Conditioning, device: &Device) -> Tensor<2> {
        let Conditioning { count, dim, past, covariates } = conditioning;
        let length = past.len() / (count * dim);
        let past = Tensor::from_data(TensorData::new(past, [count, length, dim]), (device, DType::F32));
        let width = covariates.len() / count;
        let covariates = TensorData::new(covariates, [count, width]);
        self.past.forward(past, Tensor::from_data(covariates, (device, DType::F32)))
    }

    /// What is added to the Gaussian score at whitened states, `[count, dim]`, given summaries.
    pub(super) fn correction(&self, summary: &Tensor<2>, x: Tensor<2>, level: Tensor<1>) -> Tensor<2> {
        self.head.forward_conditioned(x, level, summary.clone())
    }
}

/// What the network is conditioned on: several pasts.
pub(super) struct Conditioning {
    count: usize,
    dim: usize,
    /// Values less the last ones, in units of the local scale, drawn together where they are large: `[count, context, dim]`.
    past: Vec<f32>,
    /// Logarithms of the local scale over the overall one, and the calendar of the next time: `[count, dim + features]`.
    covariates: Vec<f32>,
}

impl Conditioning {
    /// Of no past yet, for `dim` series.
    pub(super) fn new(dim: usize) -> Self {
        Self { count: 0, dim, past: Vec::new(), covariates: Vec::new() }
    }

    /// Adds the past `window`, `[context, dim]`, before a time of which the calendar says `calendar`; gives its scale.
    pub(super) fn push(&mut self, window: &[f64], overall: &[f64], calendar: &[f32]) -> Vec<f64> {
        let scale = local_scale(window, overall);
        let (last, start) = (&window[window.len() - self.dim..], self.past.len());
        for row in window.chunks_exact(self.dim) {
            let since = row.iter().zip(last).zip(&scale);
            self.past.extend(since.map(|((x, last), scale)| ((x - last) / scale) as f32));
        }
        sbridge_kernels::asinh(&mut self.past[start..]);
        self.covariates.extend(scale.iter().zip(overall).map(|(scale, always)| (scale / always).ln() as f32));
        self.covariates.extend(calendar);
        self.count += 1;
        scale
    }
}

/// Steps to learn from, each with its past.
#[derive(Clone, Debug)]
pub struct Pasts {
    history: Arc<History>,
    context: usize,
    net: ForecastNetSettings,
    /// Times that are stepped to.
    times: Vec<usize>,
    /// The steps, `[times, dim]`.
    steps: Tensor<2>,
}

impl Pasts {
    /// The steps of `history` to `times`, each after `context` times.
    ///
    /// # Panics
    /// If a time has less of a past, or is not in the history.
    pub fn new(
        history: Arc<History>,
        context: usize,
        times: Vec<usize>,
        net: ForecastNetSettings,
        device: &Device,
    ) -> Self {
        let step = |time: &usize| {
            let scale = local_scale(history.before(*time, context), history.spread());
            let (next, last) = (history.at(*time), history.at(*time - 1));
            next.iter().zip(last).zip(scale).map(|((a, b), scale)| (a - b) / scale).collect::<Vec<f64>>()
        };
        let steps: Vec<f64> = times.iter().flat_map(step).collect();
        let steps = from_rows_f64(&steps, history.dim(), device).cast(DType::F32);
        Self { history, context, net, times, steps }
    }

    /// The same pasts with other states to learn, one for each, `[count, dim]`.
    ///
    /// # Panics
    /// If there are more or fewer.
    #[must_use]
    pub fn with_states(&self, states: Tensor<2>) -> Self {
        assert_eq!(states.dims()[0], self.times.len(), "a state for every past");
        Self { steps: states, ..self.clone() }
    }
}

impl ScoreData for Pasts {
    type Net = ForecastNet;
    type Condition = Tensor<2>;

    fn states(&self) -> Tensor<2> {
        self.steps.clone()
    }

    fn network(&self, settings: &ResidualMlpSettings, rng: &mut Rng) -> ForecastNet {
        let sizes = [self.history.dim(), self.context, self.history.features()];
        ForecastNet::new(sizes, &self.net, settings, rng, &self.steps.device())
    }

    fn condition(&self, net: &ForecastNet, rows: &[usize], device: &Device) -> Tensor<2> {
        let mut conditioning = Conditioning::new(self.history.dim());
        for time in rows.iter().map(|row| self.times[*row]) {
            let window = self.history.before(time, self.context);
            conditioning.push(window, self.history.spread(), self.history.calendar_at(time));
        }
        net.summary(conditioning, device)
    }

    fn call(net: &ForecastNet, summary: &Tensor<2>, x: Tensor<2>, level: Tensor<1>) -> Tensor<2> {
        net.correction(summary, x, level)
    }
}
