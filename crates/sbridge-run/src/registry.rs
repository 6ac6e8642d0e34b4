//! The one list of tasks: from a method's name, or a folder, to a run.

use std::marker::PhantomData;
use std::path::Path;

use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::quality::{Headline, Judgement};
use crate::run::{self, AnyRun};
use crate::settings::{Overrides, Settings as _};
use crate::task::{Run, Task};
use crate::tasks::between::Between;
use crate::tasks::crowd::Crowds;
use crate::tasks::density::Density;
use crate::tasks::forecast::Forecasting;
use crate::tasks::latent::Latent;
use crate::tasks::paired::Paired;
use crate::tasks::plan::Planning;
use crate::tasks::quantum::Quantum;
use crate::tasks::snapshots::Snapshots;
use crate::tasks::variational::Variational;

/// The tasks there are.
pub struct Registry {
    tasks: Vec<Box<dyn Entry>>,
}

impl Default for Registry {
    /// All tasks of this crate.
    fn default() -> Self {
        let none = Self { tasks: Vec::new() };
        none.with::<Latent>()
            .with::<Snapshots<Between>>()
            .with::<Between>()
            .with::<Variational>()
            .with::<Forecasting>()
            .with::<Density>()
            .with::<Paired>()
            .with::<Planning>()
            .with::<Quantum<Between>>()
            .with::<Crowds>()
    }
}

impl Registry {
    /// These tasks and `T`, which is asked after them whether settings are for it.
    #[must_use]
    pub fn with<T: Task>(mut self) -> Self {
        self.tasks.push(Box::new(Of::<T>(PhantomData)));
        self
    }

    /// Names of all methods.
    pub fn methods(&self) -> Vec<&'static str> {
        let mut methods: Vec<&str> = self.tasks.iter().flat_map(|task| task.methods()).copied().collect();
        let mut known = Vec::new();
        methods.retain(|method| {
            !known.contains(method) && {
                known.push(*method);
                true
            }
        });
        methods
    }

    /// Learns by `method`, with its defaults as changed by `overrides`, into the new folder `out`.
    ///
    /// # Errors
    /// [`RunError`], with the exit code a command should end with.
    pub fn start(
        &self,
        method: &str,
        overrides: &Overrides,
        out: &Path,
        context: &Context,
    ) -> Result<Box<dyn AnyRun>> {
        let task = self.tasks.iter().find(|task| task.accepts(method, overrides)).ok_or_else(|| {
            let methods = self.methods().join(", ");
            RunError::Input(format!("there is no method {method:?} (there is {methods})"))
        })?;
        task.start(method, overrides, out, context)
    }

    /// Continues the run of `method` at `path` from where it stopped.
    ///
    /// # Errors
    /// [`RunError`]; also if the run is of another method, or its data have changed since.
    pub fn resume(&self, method: &str, path: &Path, context: &Context) -> Result<Box<dyn AnyRun>> {
        let folder = RunFolder::open_to_write(path, context)?;
        let (task, made_by) = self.task_of(&folder)?;
        if made_by != method {
            let command = task.command(&made_by);
            let problem = format!(
                "is a run of method {made_by:?}, not {method} (continue it with: sbridge {command} --resume {})",
                path.display()
            );
            return Err(RunError::folder(path, problem));
        }
        task.resume(folder, context)
    }

    /// Opens the run at `path`, to use it.
    ///
    /// # Errors
    /// [`RunError`] if there is none, or it has not learned yet.
    pub fn open(&self, path: &Path, context: &Context) -> Result<Box<dyn AnyRun>> {
        let folder = RunFolder::open(path)?;
        self.task_of(&folder)?.0.open(folder, context)
    }

    /// Opens the run at `path`, to judge it and write its report.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if another process writes into the folder.
    pub fn open_to_write(&self, path: &Path, context: &Context) -> Result<Box<dyn AnyRun>> {
        let folder = RunFolder::open_to_write(path, context)?;
        self.task_of(&folder)?.0.open(folder, context)
    }

    /// The task of the run in `folder`; and the one number it was last judged by, with its name, once it was.
    ///
    /// # Errors
    /// [`RunError`] for a run that cannot be read.
    pub fn describe(&self, folder: &RunFolder) -> Result<(&'static str, Option<Headline>)> {
        let (task, _) = self.task_of(folder)?;
        let is_judged = folder.file("evaluation.json").exists();
        let headline = if is_judged { task.headline(folder)? } else { None };
        Ok((task.name(), headline))
    }

    /// The task of the run in `folder`, and its method.
    fn task_of(&self, folder: &RunFolder) -> Result<(&dyn Entry, String)> {
        let method = folder.manifest()?.method;
        // Whoever opens the run says that its settings are missing, if they are.
        let text = folder.read("config.toml").unwrap_or_default();
        let overrides = Overrides { text, assignments: Vec::new() };
        let task = self.tasks.iter().find(|task| task.accepts(&method, &overrides));
        let task = task.ok_or_else(|| {
            let problem = format!("is a run of method {method:?}, which this program does not know");
            RunError::folder(folder.path(), problem)
        })?;
        Ok((task.as_ref(), method))
    }
}

/// A task without its types.
trait Entry {
    fn name(&self) -> &'static str;
    fn methods(&self) -> &'static [&'static str];
    fn command(&self, method: &str) -> String;
    fn accepts(&self, method: &str, overrides: &Overrides) -> bool;
    fn start(
        &self,
        method: &str,
        overrides: &Overrides,
        out: &Path,
        context: &Context,
    ) -> Result<Box<dyn AnyRun>>;
    fn resume(&self, folder: RunFolder, context: &Context) -> Result<Box<dyn AnyRun>>;
    fn open(&self, folder: RunFolder, context: &Context) -> Result<Box<dyn AnyRun>>;
    fn headline(&self, folder: &RunFolder) -> Result<Option<Headline>>;
}

/// The entry of a task.
struct Of<T>(PhantomData<T>);

impl<T: Task> Entry for Of<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn methods(&self) -> &'static [&'static str] {
        T::METHODS
    }

    fn command(&self, method: &str) -> String {
        T::command(method)
    }

    fn accepts(&self, method: &str, overrides: &Overrides) -> bool {
        T::accepts(method, overrides)
    }

    fn start(
        &self,
        method: &str,
        overrides: &Overrides,
        out: &Path,
        context: &Context,
    ) -> Result<Box<dyn AnyRun>> {
        let settings = T::Settings::resolved(method, overrides)?;
        Ok(Box::new(run::start::<T>(method, settings, out, context)?))
    }

    fn resume(&self, folder: RunFolder, context: &Context) -> Result<Box<dyn AnyRun>> {
        Ok(Box::new(run::resume::<T>(folder, context)?))
    }

    fn open(&self, folder: RunFolder, context: &Context) -> Result<Box<dyn AnyRun>> {
        Ok(Box::new(Run::<T>::open(folder, context)?))
    }

    fn headline(&self, folder: &RunFolder) -> Result<Option<Headline>> {
        let found: T::Judgement = folder.read_json("evaluation.json")?;
        Ok(Judgement::headline(&found))
    }
}
