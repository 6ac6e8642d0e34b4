//! From pairs to networks: that of the bridge, and what it is compared with.

use std::ops::Range;
use std::sync::Arc;

use sbridge::net::{GaussianPair, PairedNet};
use sbridge::objective::Objective;
use sbridge::rng::Rng;
use sbridge::solver::Ddpm;
use sbridge::solver::paired::{Known, PairBatch, PairData as _, PairedRegression, Paths, Schedule};
use sbridge::tensor::{Device, Tensor};

use super::settings::{DIFFUSION, DIFFUSION_CALLS, REGRESSION};
use super::{BridgeConfig, Coding, MODEL_FILE, Networks, PairedConfig, PairedData, Pairs, coding, file};
use crate::data::image_shape;
use crate::error::Result;
use crate::training::{Cost, Learning, Stage, cost};

const BRIDGE: Stage<'static> = Stage { name: "bridge", learning_rate: "bridge.fit.learning_rate" };
const NOISE: Stage<'static> = Stage { name: DIFFUSION, learning_rate: "bridge.fit.learning_rate" };
const MEAN: Stage<'static> = Stage { name: REGRESSION, learning_rate: "bridge.fit.learning_rate" };

/// Learns what is not learned yet, and writes the networks.
///
/// # Errors
/// [`RunError`](crate::RunError) if training is interrupted, diverges, or cannot be saved.
pub(super) fn learn(run: &mut Learning<'_, PairedConfig>, data: &PairedData) -> Result<()> {
    let (settings, schedule) = (run.settings.clone(), run.settings.schedule()?);
    let examples = Examples::new(data, coding::learn(run, data)?.map(Arc::new).as_ref());
    let pair = examples.gaussian(&settings)?;
    let train = |run: &mut Learning<'_, PairedConfig>, stage: Stage<'static>| {
        let rng = run.rng(stage.name);
        let net = network(&settings, &examples, &mut rng.fork("init"), &run.device);
        let mut objective = objective(&settings, &examples, &schedule);
        if stage.name == REGRESSION {
            (objective.level, objective.paths) = (Some(schedule.levels() - 1), Paths::Ode);
        } else {
            objective.gaussian = pair.as_ref();
        }
        run.train(stage, net, &mut objective, settings.bridge.fit.clone(), rng.fork("fit"))
    };
    let bridge = train(run, BRIDGE)?;
    let mut watched = objective(&settings, &examples, &schedule);
    watched.gaussian = pair.as_ref();
    let gaussian = pair.as_ref().map(|pair| watched.measured(pair, &bridge, &run.rng("spread")));
    let regression = settings.compares(REGRESSION).then(|| train(run, MEAN)).transpose()?;
    let diffusion = match settings.compares(DIFFUSION) {
        false => None,
        true => {
            let rng = run.rng(DIFFUSION);
            let told = PairedConfig {
                bridge: BridgeConfig { cond_x1: true, ..settings.bridge.clone() },
                ..settings.clone()
            };
            let net = network(&told, &examples, &mut rng.fork("init"), &run.device);
            let (ddpm, pairs) = (Ddpm::cosine(DIFFUSION_CALLS)?, &examples.train);
            let fit = settings.bridge.fit.clone();
            Some(run.train(NOISE, net, &mut Diffusion { ddpm, pairs }, fit, rng.fork("fit"))?)
        }
    };
    file::save(&run.file(MODEL_FILE), &settings, data, &Networks { bridge, gaussian, regression, diffusion })
}

/// The loss of the diffusion from noise.
struct Diffusion<'a> {
    ddpm: Ddpm,
    pairs: &'a Pairs,
}

/// What its network says of the clean samples, at numbers of steps, `[count]`, of `x`, where the degraded ones are known.
pub(super) fn denoised(net: &PairedNet, step: Tensor<1>, x: Tensor<2>, degraded: &Tensor<2>) -> Tensor<2> {
    net.forward((step + 1.0) / DIFFUSION_CALLS as f64, x, degraded)
}

impl Objective for Diffusion<'_> {
    type Model = PairedNet;

    fn loss(&self, net: &PairedNet, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let PairBatch { clean, degraded, .. } = self.pairs.draw(rows.len(), rng);
        let free = vec![false; clean.dims()[1]];
        let degraded = degraded.autodiff();
        let call = |step: Tensor<1>, x: Tensor<2>| denoised(net, step.autodiff(), x.autodiff(), &degraded);
        self.ddpm.loss(call, clean.autodiff(), &free, rng).expect("every value is free")
    }

    fn held_out_loss(&self, _net: &PairedNet, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

/// Coordinates up to which Gaussian pairs are found: the time goes as their cube.
const MAX_KNOWN: usize = 1000;

/// What the bridge joins: pairs, or their codes.
struct Examples {
    train: Pairs,
    validation: Option<Pairs>,
    /// Size of a sample or a code, and the shape of images.
    kind: (usize, Option<[usize; 3]>),
}

impl Examples {
    fn new(data: &PairedData, coding: Option<&Arc<Coding>>) -> Self {
        let coded = |pairs: &Pairs| coding.map_or_else(|| pairs.clone(), |coding| pairs.coded(coding));
        let shape = data.clean.shape();
        let kind = match coding {
            None => (shape.size(), image_shape(shape)),
            Some(coding) => (coding.dim(), None),
        };
        Self { train: coded(&data.train), validation: data.validation.as_ref().map(coded), kind }
    }

    /// What is known where vectors are joined along random paths and the network is told where they started.
    fn gaussian(&self, settings: &PairedConfig) -> Result<Option<GaussianPair>> {
        let BridgeConfig { paths, cond_x1, .. } = settings.bridge;
        if self.kind.1.is_some() || paths == Paths::Ode || !cond_x1 || self.kind.0 > MAX_KNOWN {
            return Ok(None);
        }
        let PairBatch { clean, degraded, .. } = self.train.first(usize::MAX, &mut Rng::new(0));
        Ok(Some(GaussianPair::between(&clean, &degraded)?))
    }

    /// Some of the size of codes, which are not there yet.
    fn of_codes(dim: usize, count: usize, device: &Device) -> Self {
        let noise = |seed: u64| Rng::new(seed).normal([count, dim], device);
        Self { train: Pairs::given(noise(0), noise(1)), validation: None, kind: (dim, None) }
    }
}

/// A network that has not learned anything.
fn network(settings: &PairedConfig, examples: &Examples, rng: &mut Rng, device: &Device) -> PairedNet {
    PairedNet::new(examples.kind, settings.bridge.cond_x1, &settings.bridge.net, rng, device)
}

fn objective<'a>(
    settings: &PairedConfig,
    examples: &'a Examples,
    schedule: &'a Schedule,
) -> PairedRegression<'a, Pairs, PairedNet> {
    let mut objective =
        PairedRegression::new(&examples.train, schedule, settings.bridge.paths, Known::OnBridge);
    objective.held_out = examples.validation.as_ref();
    objective
}

/// What a run will take, by a few steps.
///
/// # Errors
/// Settings that training would refuse.
pub(super) fn expected(settings: &PairedConfig, data: &PairedData, device: &Device) -> Result<Cost> {
    let schedule = settings.schedule()?;
    let examples = match settings.is_latent() {
        true => {
            Examples::of_codes(settings.autoencoder.net.latent_dim, settings.bridge.fit.batch_size, device)
        }
        false => Examples::new(data, None),
    };
    let net = network(settings, &examples, &mut Rng::new(0), device);
    let mut objective = objective(settings, &examples, &schedule);
    let seconds = cost::trial(net, &mut objective, &settings.bridge.fit, &Rng::new(0))?;
    let networks = 1 + settings.compare.len();
    let sets = if data.degraded.is_some() { 2 } else { 1 };
    let size = data.clean.shape().size() * size_of::<f32>();
    let (width, batch) = (settings.bridge.net.unet.width, settings.bridge.fit.batch_size);
    // Each set as read, on the device, and in units of the networks; and about thirty arrays as wide as an image's features.
    let mut cost = Cost {
        seconds: seconds * networks as f64,
        bytes: cost::BASE_BYTES + 4 * sets * data.clean.len() * size + 30 * batch * width * size,
    };
    if settings.is_latent() {
        let encoded = [Some(&data.clean), data.degraded.as_ref().filter(|_| data.differ_in_shape())];
        for set in encoded.into_iter().flatten() {
            cost.seconds += cost::seconds_of_autoencoder(&settings.autoencoder, set, device)?;
            cost.bytes += cost::memory_of_autoencoder(&settings.autoencoder, set.shape().size());
        }
    }
    Ok(cost)
}
