//! One file per command: what a user can type, and what is done then.

mod bench;
mod demo;
mod eval;
mod fit;
mod forecast;
mod inspect;
mod manual;
mod ot;
mod plan;
mod report;
mod reproduce;
mod restore;
mod runs;
mod sample;
mod transport;

use clap::{Parser, Subcommand};

use crate::session::{Result, Session};
use bench::Benchmark;
use demo::Demo;
use eval::Eval;
use fit::Method;
use forecast::ForecastAction;
use inspect::Inspect;
use manual::{Completions, man};
use ot::Ot;
use plan::PlanAction;
use report::Report;
use reproduce::Reproduce;
use restore::Restore;
use runs::Runs;
use sample::Sample;
use transport::Transport;

/// Schrödinger bridges: generate from your data, and know how good it is.
#[derive(Parser, Debug)]
#[command(name = "sbridge", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Train, generate and evaluate on built-in data, in a few minutes
    Demo(Demo),
    /// Train a bridge on your data
    Fit {
        #[command(subcommand)]
        method: Method,
    },
    /// Draw samples from a trained run
    Sample(Sample),
    /// Carry samples along a bridge between two data sets
    Transport(Transport),
    /// Restore damaged samples by a bridge between pairs
    Restore(Restore),
    /// Judge samples against a reference, beside floors and baselines
    Eval(Eval),
    /// Write the report of a run again
    Report(Report),
    /// Forecast series in time, with paths that show how sure it is
    Forecast {
        #[command(subcommand)]
        action: ForecastAction,
    },
    /// Plan ways through a maze, carried out and judged
    Plan {
        #[command(subcommand)]
        action: PlanAction,
    },
    /// List the runs below a folder: what they are, how far they got, how good they are
    Runs(Runs),
    /// Say what a data set is and what is wrong with it
    Inspect(Inspect),
    /// Compare two data sets by optimal transport
    Ot(Ot),
    /// Judge solvers on problems with a known answer
    Bench {
        #[command(subcommand)]
        benchmark: Benchmark,
    },
    /// Repeat experiments whose outcome is known: measured beside expected
    Reproduce(Reproduce),
    /// Print what a shell completes of this command
    Completions(Completions),
    /// Print the manual, as man reads it
    Man,
}

/// Does what was typed.
pub(crate) fn run(arguments: Arguments, session: &Session) -> Result {
    match arguments.command {
        Command::Demo(demo) => demo.run(session),
        Command::Fit { method } => method.run(session),
        Command::Sample(sample) => sample.run(session),
        Command::Transport(transport) => transport.run(session),
        Command::Restore(restore) => restore.run(session),
        Command::Eval(eval) => eval.run(session),
        Command::Report(report) => report.run(session),
        Command::Forecast { action } => action.run(session),
        Command::Plan { action } => action.run(session),
        Command::Runs(runs) => runs.run(session),
        Command::Inspect(inspect) => inspect.run(session),
        Command::Ot(ot) => ot.run(session),
        Command::Bench { benchmark } => benchmark.run(session),
        Command::Reproduce(reproduce) => reproduce.run(session),
        Command::Completions(completions) => completions.run(),
        Command::Man => man(),
    }
}
