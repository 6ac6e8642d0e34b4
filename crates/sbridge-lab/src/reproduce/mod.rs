//! Experiments whose outcome is known, repeated: measured beside expected.
//!
//! A [`Study`] asks one question and answers with [`Check`]s and plots. No check is without a [`Control`]: a wrong answer,
//! measured in the same way, that it must refuse. The studies of a method form a [`Reproduction`], written as
//! `reproduction.json` and `report.html`. A new one is a file of studies and a line in [`Experiment`].

mod bridges;
mod cells;
mod check;
mod crowd;
mod density;
mod lsbdm;
mod planning;
mod quantum;
mod statistics;
mod table;
mod vsdm;

use std::path::{Path, PathBuf};
use std::time::Instant;

use sbridge::rng::Rng;
use serde::Serialize;

pub use check::{Check, Control, Expected, Listing, Study, Verdict};
use check::{dashed, dots, line};
pub use statistics::Estimate;
use statistics::{Sweep, mean};
use table::Tally;

use sbridge_report::Report;
use sbridge_run::folder::{RunFolder, atomic};
use sbridge_run::{Context, Result, RunError};

/// What can be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Experiment {
    /// Latent Schrödinger bridge diffusion: sampler, start laws, rates, and the end-to-end inequality.
    Lsbdm,
    /// Proportional fitting between Gaussians, by mean and by state matching.
    DsbGaussian,
    /// Markovian fitting between Gaussians, from both starts, and the entropic plan.
    DsbmGaussian,
    /// Every solver between Gaussians of every kind.
    Conformance,
    /// Laws of the plane, by every method.
    #[serde(rename = "dsb-2d")]
    Dsb2d,
    /// Cells at several times, in a folder.
    Cite(PathBuf),
    /// Samplers of densities by the log-variance loss, beside the divergence.
    DensityLv,
    /// Bridges that pay for where they go, in the environments that methods are compared in.
    Crowd,
    /// Plans through mazes by bridges from several priors, beside a diffusion from noise.
    Planning,
    /// Quantum states by the mirror map, beside known means, floors and the same without the map.
    Quantum,
    /// A variational diffusion of a Gaussian.
    VsdmGaussian,
    /// Variational diffusions of a spiral stretched eightfold, beside score models.
    VsdmSpiral,
    /// The same of a checkerboard stretched sixfold.
    VsdmCheckerboard,
    /// Forecasts of exchange rates, in a file of JSON lines.
    VsdmExchange(PathBuf),
}

/// How much is spent on an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// A few minutes on two cores: fewer sizes and repeats.
    Quick,
    /// Everything: an hour, or for some experiments hours.
    Full,
}

impl Effort {
    /// `quick` or `full`, whichever this is.
    fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// A question: its answer, from an effort and a stream.
type Question = Box<dyn Fn(Effort, &Rng) -> Result<Study>>;

/// Questions about what the program draws itself, by name.
type OwnQuestions = &'static [(&'static str, fn(Effort, &Rng) -> Result<Study>)];

impl Experiment {
    fn studies(&self) -> Vec<(&'static str, Question)> {
        let own = |questions: OwnQuestions| {
            questions.iter().map(|(name, question)| (*name, Box::new(*question) as Question)).collect()
        };
        match self {
            Self::Lsbdm => own(lsbdm::STUDIES),
            Self::DsbGaussian => own(bridges::DSB_GAUSSIAN),
            Self::DsbmGaussian => own(bridges::DSBM_GAUSSIAN),
            Self::Conformance => own(bridges::CONFORMANCE),
            Self::Dsb2d => own(bridges::DSB_2D),
            Self::Cite(folder) => cells::studies(folder),
            Self::DensityLv => own(density::STUDIES),
            Self::Crowd => own(crowd::STUDIES),
            Self::Planning => own(planning::STUDIES),
            Self::Quantum => own(quantum::STUDIES),
            Self::VsdmGaussian => own(vsdm::GAUSSIAN),
            Self::VsdmSpiral => own(vsdm::SPIRAL),
            Self::VsdmCheckerboard => own(vsdm::CHECKERBOARD),
            Self::VsdmExchange(file) => {
                let file = file.clone();
                vec![("exchange", Box::new(move |effort, _: &Rng| vsdm::exchange_study(&file, effort)))]
            }
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Lsbdm => "Latent Schrödinger bridge diffusion, measured beside what is known",
            Self::DsbGaussian => "Proportional fitting between Gaussians, beside the closed form",
            Self::DsbmGaussian => "Markovian fitting between Gaussians, beside the closed form",
            Self::Conformance => "Every solver between Gaussians, beside the closed form",
            Self::Dsb2d => "Bridges between laws of the plane, beside published numbers",
            Self::Cite(_) => "Cells of a day left out, beside published numbers",
            Self::Crowd => {
                "Crowds: bridges that pay for where they go, beside closed forms and published numbers"
            }
            Self::Planning => "Plans by bridges: whether a prior saves training or calls",
            Self::Quantum => {
                "Quantum states that stay states, beside floors and the same without the mirror map"
            }
            Self::DensityLv => "Samplers of densities: the log-variance loss beside the divergence",
            Self::VsdmGaussian => "A variational diffusion of a Gaussian, beside the closed form",
            Self::VsdmSpiral => "A stretched spiral, beside score models",
            Self::VsdmCheckerboard => "A stretched checkerboard, beside score models",
            Self::VsdmExchange(_) => "Forecasts of exchange rates, beside naive ones",
        }
    }
}

/// The studies of an experiment, answered.
#[derive(Debug, Serialize)]
pub struct Reproduction {
    /// Which experiment.
    pub experiment: Experiment,
    /// How much was spent on it.
    pub effort: Effort,
    /// Seed of every stream.
    pub seed: u64,
    /// Version of the program.
    pub version: &'static str,
    /// The answers.
    pub studies: Vec<Study>,
}

/// What is written of it.
#[derive(Serialize)]
struct Tallied<'a> {
    #[serde(flatten)]
    reproduction: &'a Reproduction,
    tally: Tally,
}

impl Reproduction {
    /// Nothing answered yet; every stream from `seed`.
    pub fn new(experiment: Experiment, effort: Effort, seed: u64) -> Self {
        Self { experiment, effort, seed, version: env!("CARGO_PKG_VERSION"), studies: Vec::new() }
    }

    /// Answers the questions of the experiment, or the one named `only`, into the new folder `out`. After each,
    /// what there is so far is written, and `show` is given the study.
    ///
    /// # Errors
    /// [`RunError`] if the folder is taken, no study is named `only`, or one cannot be computed. A check that fails is
    /// no error here; see [`Reproduction::failed`].
    pub fn run(
        &mut self,
        only: Option<&str>,
        out: &Path,
        context: &Context,
        show: &mut dyn FnMut(&Study),
    ) -> Result<()> {
        RunFolder::check_free(out)?;
        let questions = self.questions(only)?;
        let rng = Rng::new(self.seed).fork("reproduce");
        let progress = context.progress("studies", 0, questions.len());
        for (k, (name, question)) in questions.iter().enumerate() {
            progress.at(k, name);
            let started = Instant::now();
            let mut study = question(self.effort, &rng.fork(name))?;
            study.seconds = started.elapsed().as_secs_f64();
            show(&study);
            self.studies.push(study);
            self.write(out)?;
        }
        progress.at(questions.len(), "");
        Ok(())
    }

    fn questions(&self, only: Option<&str>) -> Result<Vec<(&'static str, Question)>> {
        let mut questions = self.experiment.studies();
        let Some(only) = only else { return Ok(questions) };
        let known: Vec<&str> = questions.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        questions.retain(|(name, _)| *name == only);
        if questions.is_empty() {
            return Err(RunError::Input(format!("no study is named {only:?}; this experiment has {known}")));
        }
        Ok(questions)
    }

    fn checks(&self) -> impl Iterator<Item = &Check> {
        self.studies.iter().flat_map(|study| &study.checks)
    }

    /// Checks that failed or whose control did not, and studies that checked nothing.
    pub fn failed(&self) -> usize {
        let silent = self.studies.iter().filter(|study| study.checks.is_empty()).count();
        silent + self.checks().filter(|check| !check.passed()).count()
    }

    /// How many reproductions passed and how many bounds hold, in words.
    pub fn summary(&self) -> String {
        self.tally().to_string()
    }

    fn tally(&self) -> Tally {
        Tally::of(self.checks())
    }

    fn write(&self, out: &Path) -> Result<()> {
        std::fs::create_dir_all(out).map_err(|e| RunError::disk("create", out, e))?;
        let tallied = Tallied { reproduction: self, tally: self.tally() };
        atomic::write_json(&out.join("reproduction.json"), &tallied)?;
        atomic::write_page(&out.join("report.html"), &self.report())
    }

    fn report(&self) -> Report {
        let seconds: f64 = self.studies.iter().map(|study| study.seconds).sum();
        let effort = format!("{:?}", self.effort).to_lowercase();
        Report {
            title: self.experiment.title().into(),
            summary: self.summary(),
            facts: vec![
                ("effort".into(), effort),
                ("seed".into(), self.seed.to_string()),
                ("time".into(), sbridge_report::human_time(seconds)),
                ("version".into(), format!("sbridge {}", self.version)),
            ],
            sections: self.studies.iter().map(table::section).collect(),
        }
    }
}
