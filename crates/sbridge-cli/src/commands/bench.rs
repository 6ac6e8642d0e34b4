//! `sbridge bench`: solvers on problems with a known answer.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use sbridge_lab::entropic_transport::{self, EotTable, Potential, Protocol};
use sbridge_run::models::bridge::PairMethod;

use crate::session::{Result, Session};

#[derive(Subcommand, Debug)]
pub(crate) enum Benchmark {
    /// Entropic transport from a Gaussian to mixtures whose plan is known in closed form
    Eot(BenchEot),
}

#[derive(Args, Debug)]
pub(crate) struct BenchEot {
    /// Dimensions, separated by commas
    #[arg(long, value_name = "LIST", default_value = "2,16,64,128", value_delimiter = ',')]
    pub(crate) dim: Vec<usize>,
    /// Values of ε, separated by commas
    #[arg(long, value_name = "LIST", default_value = "0.1,1,10", value_delimiter = ',')]
    pub(crate) epsilon: Vec<f64>,
    /// What the plan is made of: gaussians, which light-sb can match exactly, or boxes, which no solver here can
    #[arg(long, value_enum, default_value = "gaussians")]
    pub(crate) potential: PotentialChoice,
    /// Which solvers, separated by commas: light-sb, light-sb-m, dsbm, sf2m, dsb, sdsb, sgm
    #[arg(long, value_name = "LIST", default_value = "light-sb", value_delimiter = ',')]
    pub(crate) solver: Vec<SolverChoice>,
    /// Samples of either law that a solver learns from
    #[arg(long, default_value_t = 400_000)]
    pub(crate) samples: usize,
    /// Source points at which plans are compared, by a thousand draws at each where a plan's moments are not known; fewer
    /// are drawn at beyond 16 dimensions
    #[arg(long, default_value_t = 1000)]
    pub(crate) points: usize,
    /// A setting of the solvers, for example light_sb.steps=20000; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Seed of data and fit; the instances are the same for all seeds
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PotentialChoice {
    Gaussians,
    Boxes,
}

/// A solver by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SolverChoice(PairMethod);

impl FromStr for SolverChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let names = PairMethod::ALL.map(PairMethod::name).join(", ");
        PairMethod::of_name(text).map(Self).ok_or_else(|| format!("there is {names}"))
    }
}

impl Benchmark {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let Self::Eot(bench) = self;
        bench.run(session)
    }
}

impl BenchEot {
    fn run(&self, session: &Session) -> Result {
        let solvers: Vec<PairMethod> = self.solver.iter().map(|choice| choice.0).collect();
        let potential = match self.potential {
            PotentialChoice::Gaussians => Potential::Gaussians,
            PotentialChoice::Boxes => Potential::Boxes,
        };
        let instances = (self.dim.as_slice(), self.epsilon.as_slice());
        let protocol = Protocol { samples: self.samples, points: self.points, seed: self.seed };
        let context = &session.context;
        let cells = entropic_transport::run(potential, instances, &solvers, &self.set, protocol, context)?;
        session.print(&EotTable(cells), self.json);
        Ok(())
    }
}
