//! The nouns of the house: a task, a run of it, and what a run can be asked for.

use std::borrow::Cow;
use std::path::PathBuf;

use sbridge::Direction;
use sbridge::density::{log_mean_weight, resampled};
use sbridge::planning::{Cell, Outcome, Row};
use sbridge::quantum::States;
use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor};
use sbridge_data::{Dataset, SampleShape};
use sbridge_report::Section;

use crate::context::Context;
use crate::error::Result;
use crate::folder::RunFolder;
use crate::folder::manifest::{Manifest, Records};
use crate::forecasts::Predicted;
use crate::quality::Judgement;
use crate::settings::{Overrides, Settings};
use crate::training::{Cost, Learning};

/// A kind of question, and all that is its own: what it is given, how it learns, what it learned, how that is judged.
/// Whatever is true of every run is in [`run`](crate::run). A value of the type is what a finished run has learned.
pub trait Task: Sized + 'static {
    /// Its name.
    const NAME: &'static str;

    /// Its methods, by the names that manifests have.
    const METHODS: &'static [&'static str];

    /// What a user can set.
    type Settings: Settings;

    /// What is learned from: read, cut, checked against each other and the settings.
    type Data;

    /// What a run is found to be.
    type Judgement: Judgement;

    /// The command that makes a run of `method`.
    fn command(method: &str) -> String {
        format!("fit {method}")
    }

    /// Whether `overrides` of `method` are for this task: where tasks share methods, settings tell them apart.
    fn accepts(method: &str, _overrides: &Overrides) -> bool {
        Self::METHODS.contains(&method)
    }

    /// Reads the data that `settings` ask for, and resolves the settings that depend on their shape.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for data that cannot be used, alone or together. Nothing has been written yet.
    fn read(settings: &mut Self::Settings, context: &Context) -> Result<Self::Data>;

    /// The sets that were read, for what is doubted in them and where their coordinates are counted from; none of a task that
    /// looks at other data than samples.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for data that cannot be read.
    fn sets<'a>(
        _settings: &Self::Settings,
        _data: &'a Self::Data,
        _context: &Context,
    ) -> Result<Vec<Cow<'a, Dataset>>> {
        Ok(Vec::new())
    }

    /// What must not change until a run is continued.
    fn records(data: &Self::Data) -> Records;

    /// Decides, once before a run is made, what its settings leave to the data, and says what speaks against them.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for settings that cannot be right for these data.
    fn prepare(_settings: &mut Self::Settings, _data: &Self::Data, _context: &Context) -> Result<()> {
        Ok(())
    }

    /// What a run will take; nothing where that is not worth a word.
    ///
    /// # Errors
    /// Settings that learning itself would refuse.
    fn cost(settings: &Self::Settings, data: &Self::Data, context: &Context) -> Result<Option<Cost>>;

    /// Learns what is not learned yet, and leaves it in the folder.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) if learning is stopped, diverges, or cannot be saved.
    fn learn(run: &mut Learning<'_, Self::Settings>, data: &Self::Data) -> Result<()>;

    /// Reads what was learned.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) if it is not there, not finished, or damaged.
    fn open(run: &SavedRun<'_, Self::Settings>) -> Result<Self>;

    /// Judges a run by samples it set aside, or by `reference`.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for a reference that does not fit, or numerics that went bad.
    fn judge(run: &Run<Self>, data: &Self::Data, reference: Option<&Dataset>) -> Result<Self::Judgement>;

    /// Whether a run can be judged by a reference.
    const TAKES_REFERENCE: bool = false;

    /// What the report says beside what every report says.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) if something cannot be drawn.
    fn page(run: &Run<Self>, data: &Self::Data, found: &Self::Judgement) -> Result<Page>;

    /// The run as something that generates samples: `Some(run)` for a task that is [`Generate`].
    fn generator(_run: &Run<Self>) -> Option<&dyn Generator> {
        None
    }

    /// The run as something that draws from a density: `Some(run)` for a task that is [`Draw`].
    fn drawer(_run: &Run<Self>) -> Option<&dyn Drawer> {
        None
    }

    /// The run as something that carries samples: `Some(run)` for a task that is [`Carry`].
    fn carrier(_run: &Run<Self>) -> Option<&dyn Carrier> {
        None
    }

    /// The run as something that makes quantum states: `Some(run)` for a task that is [`Evolve`].
    fn evolver(_run: &Run<Self>) -> Option<&dyn Evolver> {
        None
    }

    /// The run as something that restores samples: `Some(run)` for a task that is [`Restore`].
    fn restorer(_run: &Run<Self>) -> Option<&dyn Restorer> {
        None
    }

    /// The run as something that plans: `Some(run)` for a task that is [`Plan`].
    fn planner(_run: &Run<Self>) -> Option<&dyn Planner> {
        None
    }

    /// The run as something that forecasts: `Some(run)` for a task that is [`Forecast`].
    fn forecaster(_run: &Run<Self>) -> Option<&dyn Forecaster> {
        None
    }
}

/// A run whose task reads what it learned.
pub struct SavedRun<'a, S> {
    /// Where it lies.
    pub folder: &'a RunFolder,
    /// Its settings.
    pub settings: &'a S,
    /// Its description.
    pub manifest: &'a Manifest,
    /// Where it computes.
    pub device: &'a Device,
    /// Who watches, who may stop it.
    pub context: &'a Context,
    /// The command that continues it.
    pub command: &'a str,
}

/// A run that has learned: a task's settings and data, in a folder, and what came of it.
pub struct Run<T: Task> {
    /// Where it lies.
    pub folder: RunFolder,
    /// Its settings.
    pub settings: T::Settings,
    /// Its description.
    pub manifest: Manifest,
    /// What was learned.
    pub learned: T,
    /// Where it computes.
    pub device: Device,
    /// Who watches, who may stop it.
    pub context: Context,
}

impl<T: Task> Run<T> {
    /// Its method.
    pub fn method(&self) -> &str {
        &self.manifest.method
    }

    /// The seed of its streams.
    pub fn seed(&self) -> u64 {
        self.settings.common().seed
    }

    /// The stream of the run called `name`.
    pub fn rng(&self, name: &str) -> Rng {
        Rng::new(self.seed()).fork(name)
    }

    /// Shape of one sample.
    pub fn shape(&self) -> SampleShape {
        self.manifest.target.shape
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }
}

/// What is a task's own of a report. Records of the data, seed, time, training curves, remarks and settings are added.
pub struct Page {
    /// The heading.
    pub title: String,
    /// The outcome in a sentence or two.
    pub summary: String,
    /// Names and values beside those that every run has.
    pub facts: Vec<(String, String)>,
    /// What was found.
    pub sections: Vec<Section>,
}

/// A task whose runs generate samples.
pub trait Generate: Task {
    /// `count` samples in data units, `[count, size]`, drawn with `sampler` settings of the form `key=value` over those
    /// of the run. Paths that diverge are left out, with a warning.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for settings that do not fit, or if more than one in a hundred paths diverged.
    fn generate(run: &Run<Self>, count: usize, sampler: &[String], seed: u64) -> Result<Tensor<2>>;

    /// Samples drawn at the end of a fit.
    fn usual_count(run: &Run<Self>) -> usize;

    /// Range of the data, for pictures; that of the samples if it is not known.
    fn range(_run: &Run<Self>) -> Option<(f64, f64)> {
        None
    }
}

/// A run of any task that generates samples. Each function is that of [`Generate`].
pub trait Generator {
    /// `count` samples in data units, `[count, size]`.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for settings that do not fit, or if more than one in a hundred paths diverged.
    fn generate(&self, count: usize, sampler: &[String], seed: u64) -> Result<Tensor<2>>;

    /// Samples drawn at the end of a fit.
    fn usual_count(&self) -> usize;

    /// Range of the data, for pictures.
    fn range(&self) -> Option<(f64, f64)>;

    /// Shape of one sample.
    fn shape(&self) -> SampleShape;
}

impl<T: Generate> Generator for Run<T> {
    fn generate(&self, count: usize, sampler: &[String], seed: u64) -> Result<Tensor<2>> {
        T::generate(self, count, sampler, seed)
    }

    fn usual_count(&self) -> usize {
        T::usual_count(self)
    }

    fn range(&self) -> Option<(f64, f64)> {
        T::range(self)
    }

    fn shape(&self) -> SampleShape {
        Run::shape(self)
    }
}

/// Draws of a density, and what they weigh.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Names of the values of a draw.
    pub names: Vec<String>,
    /// `[count, names]`, row by row.
    pub rows: Vec<f64>,
    /// Logarithms of weights, `[count]`: the logarithm of their mean is ln Z.
    pub log_weights: Vec<f64>,
}

impl Weighted {
    /// As many draws, all of one weight, drawn from these by their weights.
    #[must_use]
    pub fn resampled(&self, rng: &mut Rng) -> Self {
        let rows = resampled(&self.rows, self.names.len(), &self.log_weights, rng);
        let mean = log_mean_weight(&self.log_weights);
        Self { names: self.names.clone(), rows, log_weights: vec![mean; self.log_weights.len()] }
    }
}

/// A task whose runs draw from a density.
pub trait Draw: Task {
    /// `count` draws with `sampler` settings of the form `key=value` over those of the run.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for settings that do not fit, or if more than one in a hundred paths diverged.
    fn draw(run: &Run<Self>, count: usize, sampler: &[String], seed: u64) -> Result<Weighted>;
}

/// A run of any task that draws from a density. The function is that of [`Draw`].
pub trait Drawer {
    /// `count` draws and their weights.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for settings that do not fit, or if more than one in a hundred paths diverged.
    fn draw(&self, count: usize, sampler: &[String], seed: u64) -> Result<Weighted>;
}

impl<T: Draw> Drawer for Run<T> {
    fn draw(&self, count: usize, sampler: &[String], seed: u64) -> Result<Weighted> {
        T::draw(self, count, sampler, seed)
    }
}

/// What a sample is carried along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// A random path of the bridge.
    Path,
    /// The probability flow, without noise.
    Flow,
    /// The mean of all paths from where it starts, of those of the reference between ends that are joined as the bridge was
    /// taught: worked out from the drift there, without a path.
    Mean,
    /// The mean of as many random paths as there are draws.
    MeanOfPaths,
}

/// From where to where samples are carried, and how.
#[derive(Clone, Debug)]
pub struct Route {
    /// From source to target, or back.
    pub direction: Direction,
    /// Time at which to stop, if before the end; in [0, 1], or in the time of the snapshots.
    pub time: Option<f64>,
    /// Where to start in a bridge through snapshots: the time of one, its first or last if not said.
    pub from: Option<f64>,
    /// What samples are carried along.
    pub course: Course,
    /// Draws for every sample: all of them once, then again.
    pub draws: usize,
    /// Whether the states on the way are kept.
    pub keeps_paths: bool,
    /// Seed of the noise.
    pub seed: u64,
}

impl Default for Route {
    /// One draw at the other end, by seed 0.
    fn default() -> Self {
        let (direction, course) = (Direction::Forward, Course::Path);
        Self { direction, time: None, from: None, course, draws: 1, keeps_paths: false, seed: 0 }
    }
}

/// Samples that were carried.
pub struct Carried {
    /// Where they are, `[draws × count, size]`.
    pub ends: Tensor<2>,
    /// Their states on the way, `[draws × count, size]` each, if they were kept.
    pub paths: Option<Vec<Tensor<2>>>,
}

/// What is done with a block of samples that were carried, `[block, size]`.
pub type Sink<'a> = dyn FnMut(&Tensor<2>) -> Result<()> + 'a;

/// A task whose runs carry samples from one side to the other.
pub trait Carry: Task {
    /// States of a path that are held at once on this `route`.
    fn states(run: &Run<Self>, route: &Route) -> usize;

    /// Carries `rows` in data units, `[count, size]`, once each; [`AnyRun::carry`](crate::AnyRun::carry) checks before, and makes the draws.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for a route that leads nowhere.
    fn carry(run: &Run<Self>, rows: &Tensor<2>, route: &Route, rng: &mut Rng) -> Result<Carried>;
}

/// A run of any task that carries samples. Each function is that of [`Carry`].
pub trait Carrier {
    /// States of a path that are held at once.
    fn states(&self, route: &Route) -> usize;

    /// Carries rows, once each.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for a route that leads nowhere.
    fn carry_rows(&self, rows: &Tensor<2>, route: &Route, rng: &mut Rng) -> Result<Carried>;

    /// Shape of one sample.
    fn shape(&self) -> SampleShape;
}

impl<T: Carry> Carrier for Run<T> {
    fn states(&self, route: &Route) -> usize {
        T::states(self, route)
    }

    fn carry_rows(&self, rows: &Tensor<2>, route: &Route, rng: &mut Rng) -> Result<Carried> {
        T::carry(self, rows, route, rng)
    }

    fn shape(&self) -> SampleShape {
        Run::shape(self)
    }
}

/// Quantum states that were carried.
pub struct Evolved {
    /// Where they are, all once for every draw.
    pub ends: States,
    /// The states on the way, if they were kept.
    pub paths: Option<Vec<States>>,
}

/// A task whose runs make quantum states: of noise, or of other states.
pub trait Evolve: Task {
    /// Whether they are made of noise.
    fn generates(run: &Run<Self>) -> bool;

    /// `count` states made of noise. Paths that diverge are left out, with a warning.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for a run that joins states, or if more than one in a hundred paths diverged.
    fn draw_states(run: &Run<Self>, count: usize, seed: u64) -> Result<States>;

    /// Carries the states at `source` along `route`.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for matrices that are no states or of another size, and a route that leads nowhere.
    fn evolve(run: &Run<Self>, source: &str, route: &Route) -> Result<Evolved>;

    /// States drawn at the end of a fit.
    fn usual_count(run: &Run<Self>) -> usize;
}

/// A run of any task that makes quantum states. Each function is that of [`Evolve`].
pub trait Evolver {
    /// Whether they are made of noise.
    fn generates(&self) -> bool;

    /// States made of noise.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for a run that joins states, or if more than one in a hundred paths diverged.
    fn draw_states(&self, count: usize, seed: u64) -> Result<States>;

    /// Carries states.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for matrices that are no states or of another size, and a route that leads nowhere.
    fn evolve(&self, source: &str, route: &Route) -> Result<Evolved>;

    /// States drawn at the end of a fit.
    fn usual_count(&self) -> usize;
}

impl<T: Evolve> Evolver for Run<T> {
    fn generates(&self) -> bool {
        T::generates(self)
    }

    fn draw_states(&self, count: usize, seed: u64) -> Result<States> {
        T::draw_states(self, count, seed)
    }

    fn evolve(&self, source: &str, route: &Route) -> Result<Evolved> {
        T::evolve(self, source, route)
    }

    fn usual_count(&self) -> usize {
        T::usual_count(self)
    }
}

/// Degraded samples, once for every draw that is wanted of them.
#[derive(Clone, Copy)]
pub struct Damaged<'a> {
    /// In data units, `[count, size]`.
    pub rows: &'a Tensor<2>,
    /// Other than 0 where values are lost, `[count, size]`, if that is known.
    pub lost: Option<&'a Tensor<2>>,
    /// Calls of the network for a draw; as the run is set if not said.
    pub calls: Option<usize>,
}

/// A task whose runs restore samples.
pub trait Restore: Task {
    /// Shape of one sample that is to be restored.
    fn input_shape(run: &Run<Self>) -> SampleShape {
        run.shape()
    }

    /// One draw of the clean sample for every row, `[count, size]` in data units.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for more calls than there are steps, or marks of lost values that do not fit the run.
    fn restore(run: &Run<Self>, damaged: &Damaged<'_>, rng: &mut Rng) -> Result<Tensor<2>>;
}

/// A run of any task that restores samples. Each function is that of [`Restore`].
pub trait Restorer {
    /// One draw of the clean sample for every row.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for more calls than there are steps, or marks of lost values that do not fit the run.
    fn restore(&self, damaged: &Damaged<'_>, rng: &mut Rng) -> Result<Tensor<2>>;

    /// Shape of one sample that is to be restored.
    fn input_shape(&self) -> SampleShape;

    /// Shape of one sample that comes out.
    fn shape(&self) -> SampleShape;
}

impl<T: Restore> Restorer for Run<T> {
    fn input_shape(&self) -> SampleShape {
        T::input_shape(self)
    }

    fn restore(&self, damaged: &Damaged<'_>, rng: &mut Rng) -> Result<Tensor<2>> {
        T::restore(self, damaged, rng)
    }

    fn shape(&self) -> SampleShape {
        Run::shape(self)
    }
}

/// A way that is to be planned.
#[derive(Clone, Copy, Debug)]
pub struct Trip<'a> {
    /// The cell where it starts.
    pub start: Cell,
    /// The cell where it ends.
    pub goal: Cell,
    /// Number of plans.
    pub count: usize,
    /// Calls of the network for a plan; as the run is set if not said.
    pub calls: Option<usize>,
    /// Steps after which the rest is planned anew; as the run is set if not said.
    pub replan: Option<usize>,
    /// Cells that are walls now, and were none when plans were learned.
    pub closed: &'a [Cell],
    /// Seed of the noise.
    pub seed: u64,
}

/// Plans, and what came of them.
pub struct Planned {
    /// Rows `[ax, ay, x, y, vx, vy]` of every plan, in cells and seconds.
    pub plans: Vec<Vec<Row>>,
    /// What came of each.
    pub outcomes: Vec<Outcome>,
    /// The maze with both, as SVG.
    pub drawing: String,
}

/// A task whose runs plan ways.
pub trait Plan: Task {
    /// Plans for `trip`, carried out.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for a start or a goal in a wall, outside, or not connected, for walls that cannot be added, and for
    /// numbers out of range.
    fn plan(run: &Run<Self>, trip: &Trip<'_>) -> Result<Planned>;
}

/// A run of any task that plans ways. The function is that of [`Plan`].
pub trait Planner {
    /// Plans for `trip`, carried out.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for a start or a goal in a wall, outside, or not connected, for walls that cannot be added, and for
    /// numbers out of range.
    fn plan(&self, trip: &Trip<'_>) -> Result<Planned>;
}

impl<T: Plan> Planner for Run<T> {
    fn plan(&self, trip: &Trip<'_>) -> Result<Planned> {
        T::plan(self, trip)
    }
}

/// What a forecast is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// Newer values of the series, to go on from their end; those of the run if not given.
    pub input: Option<&'a str>,
    /// Times to forecast; as many as the run was made for if not given.
    pub horizon: Option<usize>,
    /// Number of paths.
    pub samples: usize,
    /// Seed of the noise.
    pub seed: u64,
}

/// A task whose runs forecast series.
pub trait Forecast: Task {
    /// Paths of the times after the end of the series.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) if the series cannot be read, or are not those that were learned.
    fn forecast(run: &Run<Self>, ahead: &Ahead<'_>) -> Result<Predicted>;
}

/// A run of any task that forecasts. The function is that of [`Forecast`].
pub trait Forecaster {
    /// Paths of the times after the end of the series.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) if the series cannot be read, or are not those that were learned.
    fn forecast(&self, ahead: &Ahead<'_>) -> Result<Predicted>;
}

impl<T: Forecast> Forecaster for Run<T> {
    fn forecast(&self, ahead: &Ahead<'_>) -> Result<Predicted> {
        T::forecast(self, ahead)
    }
}
