//! From trajectories to networks: that of a prior, if it has one; that of the bridge; and what it is compared with.

use std::ops::Range;

use sbridge::net::{ConvolutionPrior, PerceptronPrior, TemporalUNet};
use sbridge::objective::Objective;
use sbridge::planning::COLUMNS;
use sbridge::rng::Rng;
use sbridge::solver::Ddpm;
use sbridge::solver::paired::{Known, PairedRegression, Schedule};
use sbridge::solver::planner::{self, PlanDiffusion, PlanNet, PlanPairs, Prior, PriorNet, Windows};
use sbridge::tensor::{Device, Module as _, Tensor};

use super::settings::DDPM;
use super::{MODEL_FILE, Networks, PlanConfig, PlanData, PriorName, file};
use crate::error::Result;
use crate::training::{Cost, Learning, Stage, cost};

const PRIOR: Stage<'static> = Stage { name: "prior", learning_rate: "bridge.prior_fit.learning_rate" };
const BRIDGE: Stage<'static> = Stage { name: "bridge", learning_rate: "bridge.fit.learning_rate" };
const DIFFUSION: Stage<'static> = Stage { name: DDPM, learning_rate: "bridge.fit.learning_rate" };

/// Learns what is not learned yet, and writes the networks.
///
/// # Errors
/// [`RunError`](crate::RunError) if training is interrupted, diverges, or cannot be saved.
pub(super) fn learn(run: &mut Learning<'_, PlanConfig>, data: &PlanData) -> Result<()> {
    let (settings, device, schedule) = (run.settings.clone(), run.device.clone(), run.settings.schedule()?);
    let prior = match prior(&settings, &mut run.rng(PRIOR.name).fork("init"), &device)? {
        Prior::Network(net) => {
            let mut objective = PriorRegression { windows: &data.windows, device: device.clone() };
            let rng = run.rng(PRIOR.name).fork("fit");
            let fit = settings.bridge.prior_fit.clone();
            Prior::Network(Box::new(run.train(PRIOR, *net, &mut objective, fit, rng)?.valid()))
        }
        needs_none => needs_none,
    };
    let rng = run.rng(BRIDGE.name);
    let net = network(&settings, &mut rng.fork("init"), &device)?;
    let pairs =
        PlanPairs { windows: &data.windows, prior: &prior, setting: &data.setting, device: device.clone() };
    let mut objective = bridge(&settings, &pairs, &schedule);
    let bridge = run.train(BRIDGE, net, &mut objective, settings.bridge.fit.clone(), rng.fork("fit"))?;
    let ddpm = match settings.has_ddpm() {
        false => None,
        true => {
            let rng = run.rng(DIFFUSION.name);
            let net = network(&settings, &mut rng.fork("init"), &device)?;
            let (ddpm, windows) = (Ddpm::cosine(settings.sampler.nfe)?, &data.windows);
            let mut objective = PlanDiffusion { ddpm, windows, device };
            Some(run.train(DIFFUSION, net, &mut objective, settings.bridge.fit.clone(), rng.fork("fit"))?)
        }
    };
    file::save(&run.file(MODEL_FILE), &settings, data, &Networks { prior, bridge, ddpm })
}

/// The prior of a run, not fitted.
///
/// # Errors
/// [`RunError`](crate::RunError) for a horizon that it cannot have.
pub(super) fn prior(settings: &PlanConfig, rng: &mut Rng, device: &Device) -> Result<Prior> {
    let horizon = settings.horizon;
    Ok(match settings.prior {
        PriorName::Gaussian => Prior::Gaussian,
        PriorName::Line => Prior::Line,
        PriorName::Polyline => Prior::Polyline,
        PriorName::Mlp => {
            let net = PerceptronPrior::new(8, horizon * COLUMNS, rng, device)?;
            Prior::Network(Box::new(PriorNet::Perceptron(net)))
        }
        PriorName::Conv => {
            let net = ConvolutionPrior::new(horizon, [2, 4], rng, device)?;
            Prior::Network(Box::new(PriorNet::Convolution(net)))
        }
    })
}

/// A network that has not learned anything.
///
/// # Errors
/// [`RunError`](crate::RunError) for a horizon that it cannot have.
pub(super) fn network(settings: &PlanConfig, rng: &mut Rng, device: &Device) -> Result<PlanNet> {
    let net = TemporalUNet::new([settings.horizon, COLUMNS], &settings.bridge.net, rng, device)?;
    Ok(PlanNet::new(net, settings.bridge.levels))
}

fn bridge<'a>(
    settings: &PlanConfig,
    pairs: &'a PlanPairs<'a>,
    schedule: &'a Schedule,
) -> PairedRegression<'a, PlanPairs<'a>, PlanNet> {
    PairedRegression::new(pairs, schedule, settings.bridge.paths, Known::Exact)
}

/// The mean squared error of a prior's plans.
struct PriorRegression<'a> {
    windows: &'a Windows,
    device: Device,
}

impl Objective for PriorRegression<'_> {
    type Model = PriorNet;

    fn loss(&self, prior: &PriorNet, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let (plans, conditions) = self.windows.draw(rows.len(), rng, &self.device);
        let guess = prior.forward(planner::ends(&conditions, &self.device).autodiff());
        (guess - plans.autodiff()).powi_scalar(2).mean()
    }

    fn held_out_loss(&self, _prior: &PriorNet, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

/// What a run will take, by a few steps.
///
/// # Errors
/// Settings that training would refuse.
pub(super) fn expected(settings: &PlanConfig, data: &PlanData, device: &Device) -> Result<Cost> {
    let (schedule, rng) = (settings.schedule()?, &mut Rng::new(0));
    let (prior, net) = (prior(settings, rng, device)?, network(settings, rng, device)?);
    let pairs =
        PlanPairs { windows: &data.windows, prior: &prior, setting: &data.setting, device: device.clone() };
    let mut objective = bridge(settings, &pairs, &schedule);
    let seconds = cost::trial(net, &mut objective, &settings.bridge.fit, &Rng::new(0))?;
    let net = &settings.bridge.net;
    let widest = net.multipliers.iter().max().copied().unwrap_or(1) * net.width;
    // Rows as read and normalised; and of every row of a plan about sixty arrays as wide as the widest level.
    let bytes = 3 * data.windows.rows() * size_of::<[f64; COLUMNS]>()
        + 60 * settings.bridge.fit.batch_size * settings.horizon * widest * size_of::<f32>();
    let networks = 1.0 + f64::from(u8::from(settings.has_ddpm()));
    Ok(Cost { seconds: seconds * networks, bytes: cost::BASE_BYTES + bytes })
}
