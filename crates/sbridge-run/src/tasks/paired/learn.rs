//! From pairs to networks: that of the bridge, and what it is compared with.

use std::marker::PhantomData;

use sbridge::net::PairedNet;
use sbridge::rng::Rng;
use sbridge::solver::paired::{Known, PairedRegression, Paths, Schedule};
use sbridge::tensor::Device;

use super::settings::REGRESSION;
use super::{MODEL_FILE, Networks, PairedConfig, PairedData, Pairs, data, file};
use crate::error::Result;
use crate::training::{Cost, Learning, Stage, cost};

const BRIDGE: Stage<'static> = Stage { name: "bridge", learning_rate: "bridge.fit.learning_rate" };
const MEAN: Stage<'static> = Stage { name: REGRESSION, learning_rate: "bridge.fit.learning_rate" };

/// Learns what is not learned yet, and writes the networks.
///
/// # Errors
/// [`RunError`](crate::RunError) if training is interrupted, diverges, or cannot be saved.
pub(super) fn learn(run: &mut Learning<'_, PairedConfig>, data: &PairedData) -> Result<()> {
    let (settings, schedule) = (run.settings.clone(), run.settings.schedule()?);
    let train = |run: &mut Learning<'_, PairedConfig>, stage: Stage<'static>| {
        let rng = run.rng(stage.name);
        let net = network(&settings, data, &mut rng.fork("init"), &run.device);
        let mut objective = objective(&settings, data, &schedule);
        if stage.name == REGRESSION {
            (objective.level, objective.paths) = (Some(schedule.levels() - 1), Paths::Ode);
        }
        run.train(stage, net, &mut objective, settings.bridge.fit.clone(), rng.fork("fit"))
    };
    let bridge = train(run, BRIDGE)?;
    let regression = settings.compares(REGRESSION).then(|| train(run, MEAN)).transpose()?;
    file::save(&run.file(MODEL_FILE), &settings, data, &Networks { bridge, regression })
}

/// A network that has not learned anything.
fn network(settings: &PairedConfig, data: &PairedData, rng: &mut Rng, device: &Device) -> PairedNet {
    let kind = (data.clean.shape().size(), data::image_shape(&data.clean));
    PairedNet::new(kind, settings.bridge.cond_x1, &settings.bridge.net, rng, device)
}

fn objective<'a>(
    settings: &PairedConfig,
    data: &'a PairedData,
    schedule: &'a Schedule,
) -> PairedRegression<'a, Pairs, PairedNet> {
    PairedRegression {
        train: &data.train,
        held_out: data.validation.as_ref(),
        schedule,
        paths: settings.bridge.paths,
        known: Known::OnBridge,
        level: None,
        network: PhantomData,
    }
}

/// What a run will take, by a few steps.
///
/// # Errors
/// Settings that training would refuse.
pub(super) fn expected(settings: &PairedConfig, data: &PairedData, device: &Device) -> Result<Cost> {
    let schedule = settings.schedule()?;
    let net = network(settings, data, &mut Rng::new(0), device);
    let mut objective = objective(settings, data, &schedule);
    let seconds = cost::trial(net, &mut objective, &settings.bridge.fit, &Rng::new(0))?;
    let networks = 1 + settings.compare.len();
    let sets = if data.degraded.is_some() { 2 } else { 1 };
    let size = data.clean.shape().size() * size_of::<f32>();
    let (width, batch) = (settings.bridge.net.unet.width, settings.bridge.fit.batch_size);
    // Each set as read, on the device, and in units of the networks; and about thirty arrays as wide as an image's features.
    let bytes = cost::BASE_BYTES + 4 * sets * data.clean.len() * size + 30 * batch * width * size;
    Ok(Cost { seconds: seconds * networks as f64, bytes })
}
