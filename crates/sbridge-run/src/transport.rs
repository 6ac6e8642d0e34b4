//! Samples carried along a fitted bridge.

use std::path::Path;
use std::sync::Arc;

use sbridge::latent::Codec;
use sbridge::reference::{Brownian, GaussianReference as _, Moments};
use sbridge::rng::Rng;
use sbridge::simulate::{Flow, mean_state, paths};
use sbridge::tensor::{Tensor, column, from_rows, open_device, per_row, to_vec};
use sbridge::{Direction, PairBridge};
use sbridge_data::SampleShape;

use crate::chain::OpenChain;
use crate::data;
use crate::error::{Result, RunError};
use crate::fit_pair::CODEC_FILE;
use crate::folder::RunFolder;
use crate::manifest::{Manifest, RunStatus};
use crate::pair_config::{PairConfig, PairMethod};
use crate::{codec_file, pair_file, sample};

/// Values carried at once, at most: 4 GB of them, several times.
const MOST_VALUES: usize = 1 << 30;

/// A finished bridge between two data sets, opened.
pub struct OpenPair {
    /// Where it lies.
    pub folder: RunFolder,
    /// Its settings.
    pub config: PairConfig,
    /// Its description.
    pub manifest: Manifest,
    /// The bridge.
    pub bridge: Arc<dyn PairBridge>,
    /// From samples to what it joins, and back, where that is codes.
    pub codec: Option<Codec>,
}

impl OpenPair {
    /// Opens the run at `path`, to read.
    ///
    /// # Errors
    /// [`RunError::Folder`] if there is none, it is of another method, or it was not finished.
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(RunFolder::open(path)?)
    }

    /// Opens what `folder` holds.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of(folder: RunFolder) -> Result<Self> {
        let manifest = folder.manifest()?;
        let method = method_of(&folder, &manifest)?;
        let config = PairConfig::from_toml(method, &folder.read("config.toml")?, &[])?;
        require_finished(&folder, &manifest)?;
        let file = folder.file("bridge.safetensors");
        let device = open_device(&config.device)?;
        let bridge = pair_file::load(&file, &device)?;
        let codec =
            config.is_latent().then(|| codec_file::load(&folder.file(CODEC_FILE), &device)).transpose()?;
        Ok(Self { folder, config, manifest, bridge, codec })
    }

    /// The same with the probability flow in place of the bridge.
    #[must_use]
    pub fn along_flow(self) -> Self {
        Self { bridge: Arc::new(Flow::new(self.bridge)), ..self }
    }

    /// Samples as the bridge joins them.
    pub fn encode(&self, rows: &Tensor<2>) -> Tensor<2> {
        self.codec.as_ref().map_or_else(|| rows.clone(), |codec| codec.encode(rows))
    }

    /// And back.
    pub fn decode(&self, states: &Tensor<2>) -> Tensor<2> {
        self.codec.as_ref().map_or_else(|| states.clone(), |codec| codec.decode(states))
    }

    /// Shape of one sample.
    pub fn shape(&self) -> SampleShape {
        self.manifest.target.shape
    }
}

/// The method of the run in `folder`.
///
/// # Errors
/// [`RunError::Folder`] if it does not join two data sets.
pub fn method_of(folder: &RunFolder, manifest: &Manifest) -> Result<PairMethod> {
    PairMethod::of_name(&manifest.method).ok_or_else(|| {
        let problem = format!("is a run of method {:?}, not a bridge between two data sets", manifest.method);
        RunError::folder(folder.path(), problem)
    })
}

/// What a sample is carried along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// A random path of the bridge.
    Path,
    /// The probability flow, without noise.
    Flow,
    /// The mean of all paths from where it starts.
    Mean,
}

/// What is carried where.
#[derive(Clone, Debug)]
pub struct Transport<'a> {
    /// From source to target, or back.
    pub direction: Direction,
    /// Time at which to stop, if before the end; in [0, 1], or in the time of the snapshots.
    pub time: Option<f64>,
    /// Where to start in a bridge through snapshots: the time of one, its first or last if not said.
    pub from: Option<f64>,
    /// What samples are carried along.
    pub course: Course,
    /// Draws for every sample of the input.
    pub draws: usize,
    /// Where paths are written, if they are wanted.
    pub paths: Option<&'a Path>,
    /// Seed of the noise.
    pub seed: u64,
}

/// Carries the samples of `input` to the other end of the bridge in `folder` and writes them to `out`: all of them once,
/// then again. Returns how many were written.
///
/// # Errors
/// [`RunError`] for an input of another shape or too large, a time outside, a file name that says no format or is used
/// twice, or samples that are carried to no finite place.
pub fn transport(folder: RunFolder, input: &str, settings: &Transport<'_>, out: &Path) -> Result<usize> {
    if settings.draws == 0 {
        return Err(RunError::Input("--draws must be at least 1, got 0".into()));
    }
    if let Some(paths) = settings.paths {
        sample::require_ending("--paths", paths, "npy", "an array")?;
        if paths == out {
            let problem =
                format!("--paths and --out are both {} (choose another name for one)", out.display());
            return Err(RunError::Input(problem));
        }
    }
    let opened = match OpenChain::of(folder)? {
        Ok(chain) if settings.course == Course::Flow => Ok(chain.along_flow()),
        Err(pair) if settings.course == Course::Flow => Err(pair.along_flow()),
        opened => opened,
    };
    let run = opened.as_ref().map_or_else(|pair| pair, OpenChain::first);
    sample::SampleFormat::of_path(out, run.shape())?;
    let data = sbridge_data::load(input)?;
    let size = run.shape().size();
    if data.shape().size() != size {
        return Err(RunError::Input(format!(
            "{input} holds samples of {}, the bridge joins samples of {} (give data of one shape)",
            data.shape(),
            run.shape()
        )));
    }
    let states = match (settings.paths, settings.time) {
        (None, None) => 1,
        _ => run.bridge.step_noise(settings.direction).steps() + 1,
    };
    let values = [size, settings.draws, states].into_iter().fold(data.len(), usize::saturating_mul);
    if values > MOST_VALUES {
        return Err(RunError::Input(format!(
            "{} draws of {} samples in {states} states are {values} values, more than the {MOST_VALUES} that are held \
             in memory (lower --draws, leave --paths out, or carry parts of the input)",
            settings.draws,
            data.len()
        )));
    }
    let rows = from_rows(data.values(), size, &open_device(&run.config.device)?);
    let rows = match &opened {
        Ok(_) => rows,
        Err(pair) => pair.encode(&rows),
    };
    let rows = Tensor::cat(vec![rows; settings.draws], 0);
    let mut rng = Rng::new(settings.seed).fork("transport");
    let moved = match &opened {
        Ok(chain) => along_chain(chain, settings, &rows, &mut rng)?,
        Err(pair) => pair.decode(&along_pair(pair, settings, &rows, &mut rng)?),
    };
    require_finite(&moved)?;
    sample::write(out, &moved, run.shape(), data::image_range(&data))?;
    Ok(moved.dims()[0])
}

/// Refuses a fit that did not come to its end: half of its bridge may be as it was before training.
pub(crate) fn require_finished(folder: &RunFolder, manifest: &Manifest) -> Result<()> {
    let problem = match &manifest.status {
        RunStatus::Finished => return Ok(()),
        RunStatus::Diverged { reason } => {
            format!(
                "diverged ({reason}); fit again into another --out, with a smaller learning rate or larger epsilon"
            )
        }
        _ => {
            let again = format!("sbridge {} --resume {}", manifest.fit_command(), folder.path().display());
            format!("holds a bridge that is not finished (continue it with {again})")
        }
    };
    Err(RunError::folder(folder.path(), problem))
}

fn require_finite(rows: &Tensor<2>) -> Result<()> {
    let [count, size] = rows.dims();
    let is_lost = |row: &&[f32]| row.iter().any(|x| !x.is_finite());
    match to_vec(rows.clone()).chunks_exact(size).filter(is_lost).count() {
        0 => Ok(()),
        diverged => Err(RunError::CarriedNowhere { diverged, count }),
    }
}

fn along_pair(
    pair: &OpenPair,
    settings: &Transport<'_>,
    rows: &Tensor<2>,
    rng: &mut Rng,
) -> Result<Tensor<2>> {
    let input = |problem: String| Err(RunError::Input(problem));
    if let Some(time) = settings.time.filter(|time| !(0.0..=1.0).contains(time)) {
        return input(format!("--time must be in [0, 1], got {time} (0 is the source, 1 the target)"));
    }
    if let Some(from) = settings.from {
        return input(format!("--from {from} is for bridges through snapshots (use --direction)"));
    }
    let (bridge, direction) = (pair.bridge.as_ref(), settings.direction);
    let [start, end] = direction.ends();
    if settings.course == Course::Mean {
        let elapsed = (settings.time.unwrap_or(end) - start).abs();
        return Ok(mean_state(bridge, direction, elapsed, rows));
    }
    let states = match (settings.paths, settings.time) {
        (None, None) => return Ok(bridge.transport(direction, rows, rng)),
        (None, Some(_)) => bridge.skeleton(direction, rows, rng),
        (Some(path), _) => {
            let states = paths(bridge, direction, rows, &bridge.step_noise(direction), rng);
            let shown: Vec<Tensor<2>> = states.iter().map(|x| pair.decode(x)).collect();
            write_paths(path, &shown)?;
            states
        }
    };
    match settings.time {
        None => Ok(states[states.len() - 1].clone()),
        Some(time) => Ok(state_at(&states, (time - start).abs(), bridge.epsilon(), rng)),
    }
}

fn along_chain(
    chain: &OpenChain,
    settings: &Transport<'_>,
    rows: &Tensor<2>,
    rng: &mut Rng,
) -> Result<Tensor<2>> {
    let knots = chain.knots();
    let [start, end] = settings.direction.along([knots[0], knots[knots.len() - 1]]);
    let (from, to) = (settings.from.unwrap_or(start), settings.time.unwrap_or(end));
    if settings.time.is_none() && from == end {
        let problem =
            format!("--from {from} is where the way ends (go the other --direction, or give a --time)");
        return Err(RunError::Input(problem));
    }
    if settings.course == Course::Mean {
        return chain.mean_state(from, to, rows);
    }
    let Some(file) = settings.paths else { return chain.state(from, to, rows, rng) };
    if settings.time.is_some() {
        return Err(RunError::Input("--paths go to the end of the snapshots (leave --time out)".into()));
    }
    let (_, states): (Vec<f64>, Vec<_>) =
        chain.paths(from, settings.direction, rows, rng)?.into_iter().unzip();
    write_paths(file, &states)?;
    Ok(states[states.len() - 1].clone())
}

/// States after a share `elapsed` of paths that were at `states` at equally spaced times: a draw of the Brownian
/// bridge of variance `epsilon` between the two about it.
pub(crate) fn state_at(states: &[Tensor<2>], elapsed: f64, epsilon: f64, rng: &mut Rng) -> Tensor<2> {
    let steps = states.len() - 1;
    let before = ((elapsed * steps as f64).floor() as usize).min(steps - 1);
    let (start, end) = (states[before].clone(), states[before + 1].clone());
    let share = elapsed * steps as f64 - before as f64;
    let deviation = (epsilon / steps as f64 * share * (1.0 - share)).sqrt();
    let noise = rng.normal_like(&start) * deviation;
    start * (1.0 - share) + end * share + noise
}

/// The states of paths at `steps + 1` equally spaced times: `states` itself, or where it knows both ends only, a
/// Brownian bridge drawn step by step between them.
pub(crate) fn filled(
    states: Vec<Tensor<2>>,
    steps: usize,
    epsilon: f64,
    rng: &mut Rng,
) -> Result<Vec<Tensor<2>>> {
    let [start, end] = states.as_slice() else { return Ok(states) };
    let reference = Brownian::with_epsilon(epsilon)?;
    let mut path = vec![start.clone()];
    for k in 1..steps {
        // The rest of the way from where the path is: a bridge of what is left of ε.
        let x = path[k - 1].clone();
        let left = (steps - k + 1) as f64;
        let noise = rng.normal_like(&x);
        let Moments { mean, var } = reference.bridge(per_row(1.0 / left, &x), x, end.clone());
        path.push(mean + noise * column((var * (left / steps as f64)).sqrt()));
    }
    path.push(end.clone());
    Ok(path)
}

/// Writes the states of paths, `[times, count, dim]`.
fn write_paths(path: &Path, states: &[Tensor<2>]) -> Result<()> {
    states.iter().try_for_each(require_finite)?;
    let [count, dim] = states[0].dims();
    let values: Vec<f32> = states.iter().flat_map(|x| to_vec(x.clone())).collect();
    Ok(sbridge_data::write_npy(path, &values, &[states.len(), count, dim])?)
}
