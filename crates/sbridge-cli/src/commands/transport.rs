//! `sbridge transport`: samples carried along a bridge.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sbridge::Direction;
use sbridge_run::RunError;
use sbridge_run::data::image_range;
use sbridge_run::samples::{self, SampleFormat, SampleWriter};
use sbridge_run::task::{Course, Evolver, Route};

use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Transport {
    /// Folder of a finished bridge between two data sets
    pub(crate) run: PathBuf,
    /// What to carry
    #[arg(long, value_name = "DATA")]
    pub(crate) input: String,
    /// From source to target, or back
    #[arg(long, value_enum, default_value = "forward")]
    pub(crate) direction: DirectionChoice,
    /// Where to write the ends: .npy, .csv, or .png for a grid of images
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Stop on the way: 0 is the source, 1 the target; with snapshots, a time of theirs
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub(crate) time: Option<f64>,
    /// The snapshot the input belongs to, by its time; the first, or the last if backward
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub(crate) from: Option<f64>,
    /// Simulate paths and write their states: .npy of [times, count, dim], at equally spaced times, leg by leg through snapshots
    #[arg(long, value_name = "FILE")]
    pub(crate) paths: Option<PathBuf>,
    /// Follow the probability flow: the laws of the bridge at every time, without noise
    #[arg(long, conflicts_with = "draws")]
    pub(crate) flow: bool,
    /// Write the mean of all paths from each sample, the best guess in the mean square, of less spread than the samples: worked
    /// out from the drift at the start, which is the mean of simulated paths for a bridge that has converged; --draws K
    /// simulates K paths and averages them
    #[arg(long, conflicts_with_all = ["flow", "paths"])]
    pub(crate) mean: bool,
    /// Draws for every sample: all samples once, then again [default: 1]
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub(crate) draws: Option<usize>,
    /// Seed of the noise; the run's own if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DirectionChoice {
    Forward,
    Backward,
}

impl Transport {
    pub(crate) fn run(&self, session: &Session) -> Result {
        self.check_files()?;
        let run = session.registry.open(&self.run, &session.context)?;
        if let Some(evolver) = run.evolver() {
            return self.evolve(evolver, run.manifest().seed);
        }
        let carrier = run.carrier()?;
        SampleFormat::of_path(&self.out, carrier.shape())?;
        let input = session.context.sources.set(&self.input)?;
        let route = self.route(self.seed.unwrap_or(run.manifest().seed));
        let count = run.carried_count(&input, &route)?;
        let (range, origin) = (Some(image_range(&input)), run.manifest().origin.as_ref());
        let mut ends = SampleWriter::create(&self.out, count, carrier.shape(), range, origin)?;
        match &self.paths {
            None => run.carry_in_blocks(&input, &route, &mut |block| ends.write(block))?,
            Some(path) => {
                let carried = run.carry(&input, &route)?;
                samples::write_paths(path, &carried.paths.unwrap_or_default(), origin)?;
                ends.write(&carried.ends)?;
            }
        }
        ends.finish()?;
        println!("{count} samples: {}", self.out.display());
        Ok(())
    }

    /// Quantum states.
    fn evolve(&self, evolver: &dyn Evolver, own_seed: u64) -> Result {
        samples::require_ending("--out", &self.out, "npy", "complex matrices")?;
        let evolved = evolver.evolve(&self.input, &self.route(self.seed.unwrap_or(own_seed)))?;
        if let (Some(path), Some(paths)) = (&self.paths, &evolved.paths) {
            samples::write_state_paths(path, paths)?;
        }
        samples::write_states(&self.out, &evolved.ends)?;
        println!("{} states: {}", evolved.ends.count(), self.out.display());
        Ok(())
    }

    fn check_files(&self) -> Result {
        self.route(0).check()?;
        for (option, path) in [("--out", Some(&self.out)), ("--paths", self.paths.as_ref())] {
            path.map_or(Ok(()), |path| samples::require_other_file(option, path, &self.input))?;
        }
        let Some(paths) = &self.paths else { return Ok(()) };
        samples::require_ending("--paths", paths, "npy", "an array")?;
        if *paths == self.out {
            let problem =
                format!("--paths and --out are both {} (choose another name for one)", self.out.display());
            return Err(RunError::Input(problem).into());
        }
        Ok(())
    }

    fn route(&self, seed: u64) -> Route {
        let direction = match self.direction {
            DirectionChoice::Forward => Direction::Forward,
            DirectionChoice::Backward => Direction::Backward,
        };
        let course = match (self.flow, self.mean, self.draws) {
            (true, ..) => Course::Flow,
            (_, true, None) => Course::Mean,
            (_, true, Some(_)) => Course::MeanOfPaths,
            _ => Course::Path,
        };
        let (time, from, draws) = (self.time, self.from, self.draws.unwrap_or(1));
        Route { direction, time, from, course, draws, keeps_paths: self.paths.is_some(), seed }
    }
}
