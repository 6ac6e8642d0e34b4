//! A bridge between two data sets, from data to file.

use std::io;
use std::path::Path;
use std::time::Instant;

use sbridge::Direction;
use sbridge::coupling::PlanCount;
use sbridge::latent::{LatentCodec, Normalisation};
use sbridge::solver::NeuralBridge;
use sbridge::solver::alternation::{Alternation, AlternationSettings, HalfBridge};
use sbridge::solver::light_sb::{LightSb, LightSbSettings};
use sbridge::tensor::Tensor;
use sbridge_report::digits;

use super::{BRIDGE_FILE, doubts, judge};
use crate::data::{autoencoder_kind, common_scaling};
use crate::error::{Result, RunError};
use crate::folder::tensorboard::EventWriter;
use crate::folder::{atomic, metrics};
use crate::models::bridge::{Ends, PairConfig, PairData, direction_name, file};
use crate::models::codec::{self, CodecDescription};
use crate::training::{Learning, Stage};
use crate::watch::Progress;

/// Encoder and decoder of a run whose bridge joins codes.
pub const CODEC_FILE: &str = "codec.safetensors";

/// The stage of `metrics.jsonl` that counts half-bridges.
pub const HALF_BRIDGES: &str = "half-bridges";

/// Learns what is not learned yet: encoder and decoder, if codes are joined; then the bridge.
///
/// # Errors
/// [`RunError`](crate::RunError) if training is interrupted, diverges, or cannot be saved.
pub(super) fn learn(run: &mut Learning<'_, PairConfig>, data: &PairData) -> Result<()> {
    if !run.settings.has_codec() {
        return fit(run, &data.ends);
    }
    let file = run.file(CODEC_FILE);
    if !file.exists() {
        make_codec(run, data, &file)?;
    }
    let codes = data.ends.encoded(&codec::load(&file, &run.device)?);
    if run.settings.is_latent() {
        // Only now is the spread known that ε is measured by.
        run.settings.epsilon = codes.epsilon(&run.settings, run.context)?;
        run.keep_settings()?;
    }
    fit(run, &codes)
}

/// Writes what makes of the data what the bridge joins.
fn make_codec(run: &mut Learning<'_, PairConfig>, data: &PairData, file: &Path) -> Result<()> {
    match data.ends.reference_codec(&run.settings)? {
        None => train_codec(run, data),
        Some(codec) => {
            let description =
                CodecDescription::of_reference(codec.autoencoder.latent_dim(), run.settings.reference);
            codec::save(file, &codec, &description)
        }
    }
}

/// Trains encoder and decoder on the samples of both sets.
fn train_codec(run: &mut Learning<'_, PairConfig>, data: &PairData) -> Result<()> {
    let settings = run.settings.autoencoder.clone();
    let (kind, ends) = (autoencoder_kind(data.target.shape()), [&data.ends.source, &data.ends.target]);
    let train = Tensor::cat(ends.map(|end| end.train.clone()).to_vec(), 0);
    let validation: Vec<Tensor<2>> = ends.iter().filter_map(|end| end.validation.clone()).collect();
    let validation = (!validation.is_empty()).then(|| Tensor::cat(validation, 0));
    let scaling = common_scaling([&data.source, &data.target], &train);
    let net =
        run.train_autoencoder(Stage::AUTOENCODER, &kind, &settings, &scaling, (&train, validation.as_ref()))?;
    // One number, so that distances between codes stay what they are.
    let (codec, _) = LatentCodec::measured(net, scaling, Normalisation::Global, &train);
    codec::save(&run.file(CODEC_FILE), &codec, &CodecDescription::new(&kind, &settings))?;
    run.forget(Stage::AUTOENCODER.name)
}

fn fit(run: &mut Learning<'_, PairConfig>, ends: &Ends) -> Result<()> {
    match (run.settings.light_sb.clone(), run.settings.networks.clone()) {
        (Some(settings), _) => fit_potentials(run, ends, &settings),
        (None, Some(settings)) => fit_networks(run, ends, &settings),
        (None, None) => unreachable!("every method has settings of one kind"),
    }
}

/// Both potentials, at one go.
fn fit_potentials(run: &mut Learning<'_, PairConfig>, ends: &Ends, settings: &LightSbSettings) -> Result<()> {
    let (started, rng, context) = (Instant::now(), run.rng(run.method), run.context);
    let _heeding = context.cancel.heed();
    let mut progress: Option<Progress<'_>> = None;
    let mut log: Vec<(&str, usize, f64)> = Vec::new();
    let mut watch = |direction: Direction, step: usize, loss: f64| {
        let stage = direction_name(direction);
        if step == 1 {
            // The other way has ended, and says so before this one begins.
            drop(progress.take());
        }
        let shown = progress.get_or_insert_with(|| context.progress(stage, 0, settings.steps));
        shown.loss(step, loss);
        if step.is_multiple_of(metrics::INTERVAL) {
            log.push((stage, step, loss));
        }
        context.cancel.flow()
    };
    let (source, target) = (&ends.source.train, &ends.target.train);
    let bridge = LightSb::fit(source, target, run.settings.epsilon, settings, &rng, &mut watch)?;
    drop(progress);
    run.manifest.add_seconds("fit", started.elapsed().as_secs_f64());
    let lines: String =
        log.iter().map(|(stage, step, loss)| metrics::line(stage, *step, "loss", *loss)).collect();
    atomic::write(&run.file("metrics.jsonl"), lines.as_bytes())?;
    write_events(run.folder.path(), &log)
        .map_err(|e| RunError::disk("write an event file in", run.folder.path(), e))?;
    file::light_sb::save(&run.file(BRIDGE_FILE), &bridge)
}

/// The same losses for TensorBoard.
fn write_events(folder: &Path, log: &[(&str, usize, f64)]) -> io::Result<()> {
    let mut events = EventWriter::append(folder)?;
    for (stage, step, loss) in log {
        events.scalar(&format!("{stage}/loss"), *step as u64, *loss as f32)?;
    }
    events.flush()
}

/// One half-bridge after the other; what there is after each is kept, and the checkpoint on the way to it is not.
fn fit_networks(
    run: &mut Learning<'_, PairConfig>,
    ends: &Ends,
    settings: &AlternationSettings,
) -> Result<()> {
    let (epsilon, path) = (run.settings.epsilon, run.file(BRIDGE_FILE));
    let (source, target) = (&ends.source.train, &ends.target.train);
    let mut alternation =
        Alternation::new(source, target, ends.image, epsilon, settings.clone(), run.rng(run.method))?;
    if path.exists() {
        let (bridge, learned) = file::neural::load(&path, &run.device)?;
        alternation.continue_from(bridge, learned);
    } else if let Some(doubt) = doubts::of_half_bridges(settings, [source, target], epsilon) {
        run.context.warn(&doubt);
    }
    while let Some(half) = alternation.next() {
        let name = name_of(half);
        let stage = Stage { name: &name, learning_rate: "networks.fit.learning_rate" };
        alternation.learn(|_, net, regression, rng| {
            run.train(stage, net, regression, settings.fit.clone(), rng.clone())
        })?;
        let bridge = alternation.bridge();
        log_half(run, half, &bridge, ends)?;
        let learned = (run.method, alternation.learned());
        file::neural::save(&path, learned, &bridge, (ends.image, &settings.net))?;
        run.forget(&name)?;
    }
    let PlanCount { made, unconverged } = alternation.plans();
    if unconverged > 0 {
        run.remark(&format!(
            "{unconverged} of {made} entropic plans had not converged and were used as they were: their masses are not those              of the samples (raise --epsilon, which was {})",
            digits(epsilon)
        ));
    }
    Ok(())
}

/// Writes down how good the bridge is after `half`.
fn log_half(
    run: &Learning<'_, PairConfig>,
    half: HalfBridge,
    bridge: &NeuralBridge,
    ends: &Ends,
) -> Result<()> {
    let quality = judge::quality(bridge, half.direction, ends, &run.rng(HALF_BRIDGES))?;
    let step = half.number + 1;
    let lines: String =
        quality.iter().map(|(name, value)| metrics::line(HALF_BRIDGES, step, name, *value)).collect();
    run.log(HALF_BRIDGES, half.number, &lines)
}

/// Name of a half-bridge in logs: `backward-1`, `forward-1`, `backward-2`, …
fn name_of(half: HalfBridge) -> String {
    format!("{}-{}", direction_name(half.direction), half.number / 2 + 1)
}
