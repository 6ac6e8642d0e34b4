//! Pairs of a run: read, or made of the clean data, in three parts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sbridge::degradation::Degradation;
use sbridge::latent::DataScaling;
use sbridge::rng::Rng;
use sbridge::solver::paired::{PairBatch, PairData, Paths};
use sbridge::tensor::{Tensor, from_rows, select_rows, to_vec};
use sbridge_data::Dataset;

use super::PairedConfig;
use super::coding::{Coding, units_of_data};
use super::settings::DIFFUSION;
use crate::context::Context;
use crate::data::{MIN_SAMPLES, Split, image_range, image_shape};
use crate::error::{Result, RunError};

/// Pairs that it takes to judge by.
const FEWEST_TO_JUDGE_BY: usize = 4;

/// The pairs of a run.
pub struct PairedData {
    /// What is to come out.
    pub clean: Dataset,
    /// What goes in, if it was given.
    pub degraded: Option<Dataset>,
    /// Into the units of the networks: images to [−1, 1].
    pub scaling: DataScaling,
    /// The same for what goes in, where that has another shape: data as they are.
    pub entry: DataScaling,
    /// What is learned from.
    pub train: Pairs,
    /// What stops training, if anything was set aside for that.
    pub validation: Option<Pairs>,
    /// What judges: held out, or where nothing was, what is learned from.
    pub judges: Pairs,
    /// Clean rows that were trained on, in data units, and their place in the data.
    pub seen: (Tensor<2>, Vec<usize>),
    /// Whether the judges were held out.
    pub are_held_out: bool,
}

/// Some of the pairs, in units of the networks or as codes.
#[derive(Clone)]
pub struct Pairs {
    /// `[count, size]`.
    pub clean: Tensor<2>,
    degraded: Degraded,
    /// What makes codes of those that are made whenever they are asked for.
    coding: Option<Arc<Coding>>,
}

/// Where the degraded members come from.
#[derive(Clone)]
enum Degraded {
    /// They were given, `[count, size]`.
    Given(Box<Tensor<2>>),
    /// They are made whenever they are asked for.
    Made(Degradation, [usize; 3]),
}

impl Pairs {
    /// The pairs `rows`; what is random in them is of `rng`.
    fn at(&self, rows: &[usize], rng: &mut Rng) -> PairBatch {
        let clean = select_rows(&self.clean, rows);
        match &self.degraded {
            Degraded::Given(degraded) => {
                PairBatch { clean, degraded: select_rows(degraded, rows), unknown: None }
            }
            Degraded::Made(degradation, shape) => {
                let pairs = damaged(clean, *degradation, *shape, rng);
                match &self.coding {
                    None => pairs,
                    Some(coding) => PairBatch {
                        clean: coding.of_clean(&pairs.clean),
                        degraded: coding.of_degraded(&pairs.degraded),
                        unknown: None,
                    },
                }
            }
        }
    }

    /// Pairs that were given, `[count, size]` each.
    pub(super) fn given(clean: Tensor<2>, degraded: Tensor<2>) -> Self {
        Self { clean, degraded: Degraded::Given(Box::new(degraded)), coding: None }
    }

    /// The same as codes.
    pub(super) fn coded(&self, coding: &Arc<Coding>) -> Self {
        match &self.degraded {
            Degraded::Given(degraded) => {
                Self::given(coding.of_clean(&self.clean), coding.of_degraded(degraded))
            }
            Degraded::Made(..) => Self { coding: Some(coding.clone()), ..self.clone() },
        }
    }

    /// Number of pairs.
    pub fn count(&self) -> usize {
        self.clean.dims()[0]
    }

    /// At most the first `count` pairs.
    pub fn first(&self, count: usize, rng: &mut Rng) -> PairBatch {
        self.at(&(0..self.count().min(count)).collect::<Vec<_>>(), rng)
    }
}

impl PairData for Pairs {
    fn draw(&self, count: usize, rng: &mut Rng) -> PairBatch {
        let rows = rng.indices(count, self.count());
        self.at(&rows, rng)
    }
}

/// Pairs of `clean` and what `degradation` makes of it.
fn damaged(clean: Tensor<2>, degradation: Degradation, shape: [usize; 3], rng: &mut Rng) -> PairBatch {
    let (size, device) = (clean.dims()[1], clean.device());
    let mut values = to_vec(clean.clone());
    let marks: Vec<f32> = values
        .chunks_exact_mut(size)
        .flat_map(|image| degradation.apply(image, shape, rng).unwrap_or_default())
        .collect();
    let unknown = degradation.leaves_pixels().then(|| from_rows(&marks, size, &device));
    PairBatch { clean, degraded: from_rows(&values, size, &device), unknown }
}

impl PairedData {
    /// Reads what `config` asks for.
    ///
    /// # Errors
    /// [`RunError`] for data that cannot be used together.
    pub(super) fn read(config: &mut PairedConfig, context: &Context) -> Result<Self> {
        let input = |problem: String| Err(RunError::Input(problem));
        if config.clean.source.is_empty() {
            return input("no clean data (give --clean DATA)".into());
        }
        let has_degraded = !config.degraded.source.is_empty();
        match (has_degraded, config.degradation()) {
            (false, None) => {
                return input("no pairs (give --degraded DATA, or --degrade to make them)".into());
            }
            (true, Some(_)) => {
                return input(
                    "--degraded gives pairs and --degrade makes them (leave one of them out)".into(),
                );
            }
            _ => {}
        }
        let folders = [&config.clean.source, &config.degraded.source].map(Path::new);
        if folders.iter().all(|folder| folder.is_dir()) {
            require_same_names(folders[0], folders[1])?;
        }
        let clean = context.sources.load(&config.clean)?;
        let degraded = has_degraded.then(|| context.sources.load(&config.degraded)).transpose()?;
        if let Some(degraded) = &degraded {
            require_pairs(&clean, degraded, config)?;
        }
        if config.is_latent() {
            let mut sizes =
                [Some(&clean), degraded.as_ref()].into_iter().flatten().map(|set| set.shape().size());
            sizes.try_for_each(|size| config.autoencoder.net.check(size))?;
        }
        if let Some(degradation) = config.degradation() {
            degradation.check(image_shape(clean.shape()))?;
        }
        if config.bridge.paths == Paths::Ode {
            config.bridge.cond_x1 = false;
        }
        if !clean.shape().is_image() || config.is_latent() {
            // Its predictions are cut to the range of images.
            config.compare.retain(|name| name != DIFFUSION);
        }
        Self::split(clean, degraded, config, context)
    }

    fn split(
        clean: Dataset,
        degraded: Option<Dataset>,
        config: &PairedConfig,
        context: &Context,
    ) -> Result<Self> {
        let (rng, device) = (Rng::new(config.seed).fork("pairs"), context.open_device(&config.device)?);
        let shares = config.shares();
        let [held_out, validation, left] = shares.counts(clean.len());
        let judges = if held_out > 0 { held_out } else { left };
        if left < MIN_SAMPLES || judges < FEWEST_TO_JUDGE_BY {
            return Err(RunError::Input(format!(
                "{} leaves {left} pairs to train on, with {held_out} held out and {validation} for validation; at least \
                 {MIN_SAMPLES} and {FEWEST_TO_JUDGE_BY} are needed (bring more data, or change output.held_out)",
                clean.source()
            )));
        }
        // Both are cut alike, as they have one length.
        let of_clean = Split::new(&clean, shares, &rng, &device);
        let of_degraded = degraded.as_ref().map(|degraded| Split::new(degraded, shares, &rng, &device));
        let scaling = scaling(&clean, &of_clean.train);
        let seen = (of_clean.train.clone(), of_clean.train_rows.clone());
        let of_clean = of_clean.map(|rows| scaling.apply(rows.clone()));
        let entry = match degraded.as_ref().filter(|degraded| !degraded.shape().agrees_with(&clean.shape())) {
            Some(degraded) => units_of_data(degraded.shape().size(), &device),
            None => scaling.clone(),
        };
        let of_degraded = of_degraded.map(|split| split.map(|rows| entry.apply(rows.clone())));
        let shape = image_shape(clean.shape()).unwrap_or([1, 1, clean.shape().size()]);
        let pairs = |part: &dyn Fn(&Split) -> Option<Tensor<2>>| {
            let clean = part(&of_clean)?;
            let degraded = match (&of_degraded, config.degradation()) {
                (Some(split), _) => Degraded::Given(Box::new(part(split)?)),
                (None, Some(degradation)) => Degraded::Made(degradation, shape),
                (None, None) => return None,
            };
            Some(Pairs { clean, degraded, coding: None })
        };
        let train = |split: &Split| Some(split.train.clone());
        let no_pairs =
            || RunError::Input("no pairs (give --degraded DATA, or --degrade to make them)".into());
        Ok(Self {
            train: pairs(&train).ok_or_else(no_pairs)?,
            validation: pairs(&|split| split.validation.clone()),
            judges: pairs(&|split| split.held_out.clone()).or_else(|| pairs(&train)).ok_or_else(no_pairs)?,
            are_held_out: of_clean.held_out.is_some(),
            seen,
            scaling,
            entry,
            clean,
            degraded,
        })
    }

    /// Whether degraded members have another shape than clean ones.
    pub(super) fn differ_in_shape(&self) -> bool {
        self.degraded.as_ref().is_some_and(|degraded| !degraded.shape().agrees_with(&self.clean.shape()))
    }
}

/// Images to [−1, 1], vectors to standard deviations of the clean ones.
fn scaling(clean: &Dataset, train: &Tensor<2>) -> DataScaling {
    if !clean.shape().is_image() {
        return DataScaling::of_vectors(train);
    }
    let (low, high) = image_range(clean);
    let row = |value: f64| Tensor::full([1, clean.shape().size()], value, &train.device());
    let half = if high > low { 0.5 * (high - low) } else { 1.0 };
    DataScaling { offset: row(0.5 * (low + high)), scale: row(half), range: Some((low, high)) }
}

/// Refuses two sets that are not pairs.
fn require_pairs(clean: &Dataset, degraded: &Dataset, config: &PairedConfig) -> Result<()> {
    let input = |problem: String| Err(RunError::Input(problem));
    let (a, b) = (clean.source(), degraded.source());
    if clean.len() != degraded.len() {
        return input(format!(
            "{a} has {} samples and {b} {}: pairs are row by row (bring both to one length)",
            clean.len(),
            degraded.len()
        ));
    }
    if clean.shape().agrees_with(&degraded.shape()) {
        return Ok(());
    }
    let shapes = format!("samples of {a} are {}, those of {b} {}", clean.shape(), degraded.shape());
    match (config.is_latent(), config.bridge.paths) {
        (false, _) => input(format!(
            "{shapes} (bring both to one shape: enlarge the smaller images first; or join codes of them with --latent N)"
        )),
        // Codes of two encoders lie anywhere to each other.
        (true, Paths::Ode) => input(format!(
            "{shapes}: means of codes of two encoders cross on the way (leave --ode out, or bring both to one shape)"
        )),
        (true, Paths::Stochastic) => Ok(()),
    }
}

/// Refuses two folders whose files do not have the same names, but for their endings.
fn require_same_names(clean: &Path, degraded: &Path) -> Result<()> {
    let [a, b] = [clean, degraded].map(|folder| names(folder, folder));
    let (a, b) = (a?, b?);
    for (here, there, other) in [(&a, &b, degraded), (&b, &a, clean)] {
        if let Some(alone) = here.difference(there).next() {
            return Err(RunError::Input(format!(
                "{} has no file for {} (pairs of two folders go by file name: add it, or take the other away)",
                other.display(),
                alone.display()
            )));
        }
    }
    Ok(())
}

/// Names of files below `folder`, from `root` on and without their endings.
fn names(folder: &Path, root: &Path) -> Result<BTreeSet<PathBuf>> {
    let unread = |e: std::io::Error| RunError::disk("read", folder, e);
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden {
            continue;
        }
        if path.is_dir() {
            found.extend(names(&path, root)?);
        } else if let Ok(relative) = path.strip_prefix(root) {
            found.insert(relative.with_extension(""));
        }
    }
    Ok(found)
}
