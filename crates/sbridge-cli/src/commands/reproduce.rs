//! `sbridge reproduce`: experiments whose outcome is known.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sbridge_lab::reproduce::{Effort, Experiment, Reproduction, Study};

use crate::session::{Failure, Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Reproduce {
    /// Which experiment
    #[arg(value_enum)]
    pub(crate) experiment: ExperimentChoice,
    /// Folder of the data of cite; file of JSON lines of vsdm-exchange
    #[arg(long, value_name = "PATH", required_if_eq_any([("experiment", "cite"), ("experiment", "vsdm-exchange")]))]
    pub(crate) data: Option<PathBuf>,
    /// Fewer sizes and repeats: a few minutes on two cores
    #[arg(long)]
    pub(crate) quick: bool,
    /// One study alone, by its name; a name that is none is answered with those there are
    #[arg(long, value_name = "STUDY")]
    pub(crate) only: Option<String>,
    /// Folder of the report; must be new
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    /// Seed of every random stream
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ExperimentChoice {
    /// Latent Schrödinger bridge diffusion
    Lsbdm,
    /// Proportional fitting (DSB, S-DSB) between Gaussians
    DsbGaussian,
    /// Markovian fitting (DSBM) and [SF]²M between Gaussians
    DsbmGaussian,
    /// Every solver between Gaussians in 1 to 20 dimensions, ε from 0.1 to 4; takes hours
    Conformance,
    /// All of them between laws of the plane
    #[value(name = "dsb-2d")]
    Dsb2d,
    /// Cells of a day left out (CITE-seq, 50 principal components): files *day_2.npy, … in the folder --data
    Cite,
    /// Samplers of densities: the log-variance loss beside the divergence; hours, with --quick minutes
    DensityLv,
    /// Crowds: obstacles, necks, hills and opinions, beside closed forms and published numbers
    Crowd,
    /// Plans through mazes by bridges from several priors, beside a diffusion from noise
    Planning,
    /// Quantum states by the mirror map, beside known means, floors and the same without the map
    Quantum,
    /// A variational diffusion of a Gaussian
    VsdmGaussian,
    /// A spiral stretched eightfold, beside score models
    VsdmSpiral,
    /// A checkerboard stretched sixfold, beside score models
    VsdmCheckerboard,
    /// Forecasts of eight exchange rates, beside naive ones: JSON lines in the file --data
    VsdmExchange,
}

impl Reproduce {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let effort = if self.quick { Effort::Quick } else { Effort::Full };
        let mut done = Reproduction::new(self.experiment(), effort, self.seed);
        let mut show = |study: &Study| session.print_aside(study);
        done.run(self.only.as_deref(), &self.out, &session.context, &mut show)?;
        println!("{}", done.summary());
        println!("report: {}", self.out.join("report.html").display());
        match done.failed() {
            0 => Ok(()),
            failed => Err(Failure::Checks(failed)),
        }
    }

    fn experiment(&self) -> Experiment {
        let data = || self.data.clone().expect("clap asks for --data");
        match self.experiment {
            ExperimentChoice::Lsbdm => Experiment::Lsbdm,
            ExperimentChoice::DsbGaussian => Experiment::DsbGaussian,
            ExperimentChoice::DsbmGaussian => Experiment::DsbmGaussian,
            ExperimentChoice::Conformance => Experiment::Conformance,
            ExperimentChoice::Dsb2d => Experiment::Dsb2d,
            ExperimentChoice::Cite => Experiment::Cite(data()),
            ExperimentChoice::DensityLv => Experiment::DensityLv,
            ExperimentChoice::Crowd => Experiment::Crowd,
            ExperimentChoice::Planning => Experiment::Planning,
            ExperimentChoice::Quantum => Experiment::Quantum,
            ExperimentChoice::VsdmGaussian => Experiment::VsdmGaussian,
            ExperimentChoice::VsdmSpiral => Experiment::VsdmSpiral,
            ExperimentChoice::VsdmCheckerboard => Experiment::VsdmCheckerboard,
            ExperimentChoice::VsdmExchange => Experiment::VsdmExchange(data()),
        }
    }
}
