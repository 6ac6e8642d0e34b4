//! What is true of every run: started, continued, opened, finished, judged, reported.

use std::fmt::Display;
use std::path::Path;
use std::time::Instant;

use sbridge_data::Dataset;

use crate::carry::Carrying;
use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::manifest::{Manifest, Records, RunStatus, peak_memory};
use crate::folder::{RunFolder, atomic};
use crate::origin::Origin;
use crate::page;
use crate::quality::{Headline, Judgement};
use crate::restore::{self, Restoring};
use crate::samples;
use crate::settings::{DataConfig, Settings};
use crate::task::{
    Carried, Carrier, Drawer, Evolver, Forecaster, Generator, Planner, Restorer, Route, Run, SavedRun, Sink,
    Task,
};
use crate::training::Learning;

/// Pictures of the first so many samples are made at the end of a fit.
const SHOWN: usize = 100;

/// Learns what `settings` of `method` ask for, into the new folder `out`. Nothing is written before data and settings are
/// known to be usable.
///
/// # Errors
/// [`RunError`], with the exit code a command should end with.
pub fn start<T: Task>(
    method: &str,
    mut settings: T::Settings,
    out: &Path,
    context: &Context,
) -> Result<Run<T>> {
    RunFolder::check_free(out)?;
    context.open_device(&settings.common().device)?;
    let mut data = T::read(&mut settings, context)?;
    let sets = T::sets(&settings, &data, context)?;
    for set in &sets {
        set.doubts().iter().for_each(|doubt| context.warn(&format!("{}: {doubt}", set.source())));
    }
    let origin = Origin::of(&sets.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    drop(sets);
    let context = &context.counted_from(origin);
    if context.sources.origin().is_some() {
        context.note(
            "coordinates lie far from zero beside their spread: they are counted from their mean, in f64",
        );
        data = T::read(&mut settings, context)?;
    }
    begin(method, settings, data, out, context)
}

/// Learns a part of a run, whose `context` says where samples are counted from, into the new folder `out`.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_part<T: Task>(
    method: &str,
    mut settings: T::Settings,
    out: &Path,
    context: &Context,
) -> Result<Run<T>> {
    RunFolder::check_free(out)?;
    let data = T::read(&mut settings, context)?;
    begin(method, settings, data, out, context)
}

fn begin<T: Task>(
    method: &str,
    mut settings: T::Settings,
    data: T::Data,
    out: &Path,
    context: &Context,
) -> Result<Run<T>> {
    T::prepare(&mut settings, &data, context)?;
    if let Some(cost) = T::cost(&settings, &data, context)? {
        context.info(&cost.to_string());
    }
    let folder = RunFolder::create(out, context)?;
    atomic::write(&folder.file("config.toml"), settings.to_toml().as_bytes())?;
    let origin = context.sources.origin().cloned();
    let manifest = Manifest::new(method, &settings.common(), T::records(&data), origin);
    learn(folder, settings, manifest, &data, context)
}

/// Continues the run in `folder` from where it stopped.
///
/// # Errors
/// [`RunError`]; also if the data have changed since.
pub fn resume<T: Task>(folder: RunFolder, context: &Context) -> Result<Run<T>> {
    let manifest = folder.manifest()?;
    let context = &context.counted_from(manifest.origin.clone());
    let mut settings: T::Settings = settings_of(&folder, &manifest)?;
    let data = T::read(&mut settings, context)?;
    require_same_data(&T::records(&data), &manifest, &folder)?;
    let manifest = Manifest { status: RunStatus::Running, ..manifest };
    learn(folder, settings, manifest, &data, context)
}

/// The settings that the run in `folder` was made with.
fn settings_of<S: Settings>(folder: &RunFolder, manifest: &Manifest) -> Result<S> {
    S::kept(&manifest.method, folder.read("config.toml")?)
}

/// Refuses data that are not those of the run in `folder`.
///
/// # Errors
/// [`RunError::Folder`] if they are others.
pub fn require_same_data(found: &Records, manifest: &Manifest, folder: &RunFolder) -> Result<()> {
    let before = manifest.records();
    if *found == before {
        return Ok(());
    }
    let changed = before.named().filter(|(name, record)| found.named().all(|one| one != (*name, *record)));
    let changed: Vec<&str> = changed.map(|(name, _)| name).collect();
    let problem = format!(
        "was made from other data: the digest of the {} has changed (restore the data, or start a new run)",
        changed.join(" and the ")
    );
    Err(RunError::folder(folder.path(), problem))
}

fn learn<T: Task>(
    folder: RunFolder,
    settings: T::Settings,
    mut manifest: Manifest,
    data: &T::Data,
    context: &Context,
) -> Result<Run<T>> {
    folder.write_manifest(&manifest)?;
    let (method, device) = (manifest.method.clone(), context.open_device(&settings.common().device)?);
    let command = T::command(&method);
    let mut learning = Learning {
        method: &method,
        settings,
        folder: &folder,
        manifest: &mut manifest,
        context,
        device,
        command,
    };
    let learned = T::learn(&mut learning, data);
    let learned = learned.map_err(|error| of_this_run(error, T::command(&method), folder.path()));
    folder.conclude(&mut manifest, learned)?;
    Run::open(folder, context)
}

/// An error after which `run`, made by `command`, is the folder to go on from, whichever part of it was at work.
fn of_this_run(error: RunError, command: String, run: &Path) -> RunError {
    match error {
        RunError::Interrupted { .. } | RunError::Library(sbridge::Error::Interrupted) => {
            RunError::Interrupted { command, folder: run.into() }
        }
        RunError::Unsaved { reason, .. } => RunError::Unsaved { reason, command, folder: run.into() },
        error => error,
    }
}

impl<T: Task> Run<T> {
    /// Opens the run in `folder`.
    ///
    /// # Errors
    /// [`RunError`] if what it learned is not there, not finished, or damaged.
    pub fn open(folder: RunFolder, context: &Context) -> Result<Self> {
        let manifest = folder.manifest()?;
        let context = &context.counted_from(manifest.origin.clone());
        let settings: T::Settings = settings_of(&folder, &manifest)?;
        let device = context.open_device(&settings.common().device)?;
        let learned = T::open(&SavedRun {
            folder: &folder,
            settings: &settings,
            manifest: &manifest,
            device: &device,
            context,
            command: &T::command(&manifest.method),
        })?;
        Ok(Self { folder, settings, manifest, learned, device, context: context.clone() })
    }
}

/// What any run can be asked for once it has learned.
pub trait AnyRun {
    /// Where it lies.
    fn folder(&self) -> &RunFolder;

    /// Its description.
    fn manifest(&self) -> &Manifest;

    /// What follows learning: samples, if the run generates any, its judgement, its report.
    ///
    /// # Errors
    /// [`RunError`], with the exit code a command should end with.
    fn finish(&mut self) -> Result<Box<dyn AnyJudgement>>;

    /// Judges the run by samples it set aside, or by `reference`, and writes `evaluation.json` and the report.
    ///
    /// # Errors
    /// [`RunError`] if the data of the run are gone or others, or the reference does not fit.
    fn judge(&self, reference: Option<&DataConfig>) -> Result<Box<dyn AnyJudgement>>;

    /// Writes the report again, of what the run was last found to be; a run that was not judged yet is judged.
    ///
    /// # Errors
    /// [`RunError`] if its evaluation is damaged, or its data are gone or others.
    fn report(&self) -> Result<()>;

    /// The run as something that generates samples.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it does not, with the command that uses it.
    fn generator(&self) -> Result<&dyn Generator>;

    /// The run as something that draws from a density, if it is.
    fn drawer(&self) -> Option<&dyn Drawer>;

    /// The run as something that carries samples.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it does not, with the command that uses it.
    fn carrier(&self) -> Result<&dyn Carrier>;

    /// The run as something that makes quantum states, if it is.
    fn evolver(&self) -> Option<&dyn Evolver>;

    /// The run as something that restores samples.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it does not, with the command that uses it.
    fn restorer(&self) -> Result<&dyn Restorer>;

    /// Samples that come out of restoring those of `input`, of which values are lost where `mask` is not 0.
    ///
    /// # Errors
    /// [`RunError`] if the run restores none, for an input or a mask of another shape, or a number of draws out of range.
    fn restored_count(&self, input: &Dataset, mask: Option<&Dataset>, how: &Restoring) -> Result<usize>;

    /// Restores the samples of `input` in as little memory as a block of them takes, and hands every block to `sink`, in order.
    ///
    /// # Errors
    /// As [`restored_count`](Self::restored_count), for more calls than there are steps, and what `sink` refuses; also if a stop
    /// is asked for.
    fn restore_in_blocks(
        &self,
        input: &Dataset,
        mask: Option<&Dataset>,
        how: &Restoring,
        sink: &mut Sink<'_>,
    ) -> Result<()>;

    /// The run as something that plans.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it does not, with the command that uses it.
    fn planner(&self) -> Result<&dyn Planner>;

    /// The run as something that forecasts.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it does not, with the command that uses it.
    fn forecaster(&self) -> Result<&dyn Forecaster>;

    /// Carries the samples of `input`, counted from zero, along `route`. What comes is counted from the origin of the
    /// [`manifest`](Self::manifest), if it has one.
    ///
    /// # Errors
    /// [`RunError`] if the run carries none, for an input of another shape or too large, a route that leads nowhere, or
    /// samples that are carried to no finite place.
    fn carry(&self, input: &Dataset, route: &Route) -> Result<Carried>;

    /// Samples that come out of carrying those of `input` along `route`.
    ///
    /// # Errors
    /// [`RunError`] if the run carries none, or for an input of another shape.
    fn carried_count(&self, input: &Dataset, route: &Route) -> Result<usize>;

    /// Carries the samples of `input` along `route` in as little memory as a block of them takes, and hands every block to
    /// `sink`, in order.
    ///
    /// # Errors
    /// As [`carry`](Self::carry), and what `sink` refuses; also if a stop is asked for.
    fn carry_in_blocks(&self, input: &Dataset, route: &Route, sink: &mut Sink<'_>) -> Result<()>;
}

/// A judgement of any task: its table for people, and as JSON.
pub trait AnyJudgement: Display {
    /// As `evaluation.json` has it.
    fn to_json(&self) -> String;

    /// The one number to compare runs of a task by, with its name.
    fn headline(&self) -> Option<Headline>;
}

impl<J: Judgement> AnyJudgement for J {
    fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("what is found is plain data")
    }

    fn headline(&self) -> Option<Headline> {
        Judgement::headline(self)
    }
}

impl<T: Task> AnyRun for Run<T> {
    fn folder(&self) -> &RunFolder {
        &self.folder
    }

    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn finish(&mut self) -> Result<Box<dyn AnyJudgement>> {
        let started = Instant::now();
        if let Some(run) = T::generator(self) {
            self.keep_samples(run)?;
            self.sampled_since(started)?;
        }
        if let Some(run) = T::evolver(self).filter(|run| run.generates()) {
            let drawn = run.draw_states(run.usual_count(), self.seed())?;
            samples::write_states(&self.file("samples.npy"), &drawn)?;
            self.sampled_since(started)?;
        }
        self.judge(None)
    }

    fn judge(&self, reference: Option<&DataConfig>) -> Result<Box<dyn AnyJudgement>> {
        if reference.is_some() && !T::TAKES_REFERENCE {
            let problem = "this run is judged by the samples it set aside (leave --reference out)";
            return Err(RunError::Input(problem.into()));
        }
        // The reference is read first: it is the user's newest input, and the cheapest to refuse.
        let reference = reference.map(|config| self.context.sources.load(config)).transpose()?;
        let data = self.data()?;
        let found = T::judge(self, &data, reference.as_ref())?;
        atomic::write_json(&self.file("evaluation.json"), &found)?;
        page::write(self, T::page(self, &data, &found)?, &found)?;
        Ok(Box::new(found))
    }

    fn report(&self) -> Result<()> {
        if !self.file("evaluation.json").exists() {
            return self.judge(None).map(drop);
        }
        let found: T::Judgement = self.folder.read_json("evaluation.json").map_err(|e| {
            RunError::Input(format!(
                "{e} (judge the run again with: sbridge eval {})",
                self.folder.path().display()
            ))
        })?;
        page::write(self, T::page(self, &self.data()?, &found)?, &found)
    }

    fn generator(&self) -> Result<&dyn Generator> {
        T::generator(self).ok_or_else(|| self.refuse("generate samples"))
    }

    fn drawer(&self) -> Option<&dyn Drawer> {
        T::drawer(self)
    }

    fn evolver(&self) -> Option<&dyn Evolver> {
        T::evolver(self)
    }

    fn carrier(&self) -> Result<&dyn Carrier> {
        T::carrier(self).ok_or_else(|| self.refuse("carry samples"))
    }

    fn forecaster(&self) -> Result<&dyn Forecaster> {
        T::forecaster(self).ok_or_else(|| self.refuse("forecast"))
    }

    fn planner(&self) -> Result<&dyn Planner> {
        T::planner(self).ok_or_else(|| self.refuse("plan"))
    }

    fn restorer(&self) -> Result<&dyn Restorer> {
        T::restorer(self).ok_or_else(|| self.refuse("restore samples"))
    }

    fn restored_count(&self, input: &Dataset, mask: Option<&Dataset>, how: &Restoring) -> Result<usize> {
        restore::count(self.restorer()?, input, mask, how)
    }

    fn restore_in_blocks(
        &self,
        input: &Dataset,
        mask: Option<&Dataset>,
        how: &Restoring,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        restore::in_blocks(self.restorer()?, (input, mask), how, (&self.device, &self.context), sink)
    }

    fn carry(&self, input: &Dataset, route: &Route) -> Result<Carried> {
        self.carrying(input, route)?.at_once()
    }

    fn carried_count(&self, input: &Dataset, route: &Route) -> Result<usize> {
        Ok(self.carrying(input, route)?.count())
    }

    fn carry_in_blocks(&self, input: &Dataset, route: &Route, sink: &mut Sink<'_>) -> Result<()> {
        self.carrying(input, route)?.in_blocks(sink)
    }
}

impl<T: Task> Run<T> {
    /// The samples of `input`, counted from where those of the run are, on their way.
    fn carrying<'a>(&'a self, input: &Dataset, route: &'a Route) -> Result<Carrying<'a>> {
        let near = self.manifest.origin.as_ref().map(|origin| origin.subtracted_from(input.clone()));
        Carrying::new(self.carrier()?, near.as_ref().unwrap_or(input), route, (&self.device, &self.context))
    }

    /// Writes down what drawing samples took.
    fn sampled_since(&mut self, started: Instant) -> Result<()> {
        self.manifest.add_seconds("sample", started.elapsed().as_secs_f64());
        self.manifest.peak_memory = peak_memory();
        self.folder.write_manifest(&self.manifest)
    }

    fn keep_samples(&self, run: &dyn Generator) -> Result<()> {
        let drawn = run.generate(run.usual_count(), &[], self.seed())?;
        let origin = self.manifest.origin.as_ref();
        samples::write(&self.file("samples.npy"), &drawn, run.shape(), run.range(), origin)?;
        if !run.shape().is_image() {
            return Ok(());
        }
        let shown = drawn.clone().narrow(0, 0, drawn.dims()[0].min(SHOWN));
        samples::write(&self.file("samples.png"), &shown, run.shape(), run.range(), None)
    }

    /// The data of the run, as they were.
    fn data(&self) -> Result<T::Data> {
        let data = T::read(&mut self.settings.clone(), &self.context)?;
        require_same_data(&T::records(&data), &self.manifest, &self.folder)?;
        Ok(data)
    }

    fn refuse(&self, asked: &str) -> RunError {
        let run = self.folder.path().display();
        let uses = [
            T::generator(self).map(|_| format!("sbridge sample {run} --out FILE")),
            T::carrier(self).map(|_| format!("sbridge transport {run} --input DATA --out FILE")),
            T::evolver(self).map(|states| match states.generates() {
                true => format!("sbridge sample {run} --out FILE"),
                false => format!("sbridge transport {run} --input STATES --out FILE"),
            }),
            T::restorer(self).map(|_| format!("sbridge restore {run} --input DATA --out FILE")),
            T::planner(self).map(|_| format!("sbridge plan run {run} --start X,Y --goal X,Y --out FILE")),
            T::forecaster(self).map(|_| format!("sbridge forecast predict {run} --out FILE")),
        ];
        let uses: Vec<String> = uses.into_iter().flatten().collect();
        let method = self.method();
        let problem =
            format!("is a run of method {method:?}, which does not {asked} (use {})", uses.join(" or "));
        RunError::folder(self.folder.path(), problem)
    }
}
