//! `sbridge sample`: new samples from a trained run.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use sbridge::Rng;
use sbridge_run::RunError;
use sbridge_run::samples::{self, SampleFormat};
use sbridge_run::task::{Drawer, Evolver};

use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Sample {
    /// Folder of a finished run
    pub(crate) run: PathBuf,
    /// Number of samples
    #[arg(short = 'n', long, default_value_t = 1000)]
    pub(crate) count: usize,
    /// Where to write them: .npy, .csv, .png for a grid of images, .parquet for draws of a density
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Seed of the noise; the run's own if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Of a density: add the logarithms of the importance weights as a last column
    #[arg(long)]
    pub(crate) weights: bool,
    /// Of a density: draw again by the importance weights, so that all draws have one weight
    #[arg(long, conflicts_with = "weights")]
    pub(crate) resample: bool,
    /// A sampler setting, for example sampler.steps=50; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// cpu, cuda, cuda:N or wgpu; where the run was trained if not given
    #[arg(long)]
    pub(crate) device: Option<String>,
}

impl Sample {
    pub(crate) fn run(&self, session: &Session) -> Result {
        if self.count == 0 {
            return Err(RunError::Input("-n must be at least 1, got 0".into()).into());
        }
        if let Some(other) = self.set.iter().find(|set| !set.starts_with("sampler.")) {
            let problem = format!("sampling takes sampler.* settings only, got --set {other}");
            return Err(RunError::Input(problem).into());
        }
        let run = session.registry.open(&self.run, &session.on(self.device.as_deref()))?;
        if let Some(drawer) = run.drawer() {
            return self.draw(drawer, run.manifest().seed);
        }
        if let Some(evolver) = run.evolver() {
            return self.draw_states(evolver, run.manifest().seed);
        }
        if self.weights || self.resample {
            let problem =
                "--weights and --resample are for runs of fit density; these samples have no weights";
            return Err(RunError::Input(problem.into()).into());
        }
        let generator = run.generator()?;
        SampleFormat::of_path(&self.out, generator.shape())?;
        let started = Instant::now();
        let seed = self.seed.unwrap_or(run.manifest().seed);
        let drawn = generator.generate(self.count, &self.set, seed)?;
        let origin = run.manifest().origin.as_ref();
        samples::write(&self.out, &drawn, generator.shape(), generator.range(), origin)?;
        let seconds = started.elapsed().as_secs_f64();
        println!("{} samples in {seconds:.1} s: {}", drawn.dims()[0], self.out.display());
        Ok(())
    }

    /// Quantum states.
    fn draw_states(&self, evolver: &dyn Evolver, own_seed: u64) -> Result {
        if let Some(set) = self.set.first() {
            return Err(RunError::Input(format!(
                "quantum states are drawn without settings, got --set {set}"
            ))
            .into());
        }
        if self.weights || self.resample {
            let problem = "--weights and --resample are for runs of fit density; states have no weights";
            return Err(RunError::Input(problem.into()).into());
        }
        samples::require_ending("--out", &self.out, "npy", "complex matrices")?;
        let started = Instant::now();
        let states = evolver.draw_states(self.count, self.seed.unwrap_or(own_seed))?;
        samples::write_states(&self.out, &states)?;
        let seconds = started.elapsed().as_secs_f64();
        println!("{} states in {seconds:.1} s: {}", states.count(), self.out.display());
        Ok(())
    }

    /// Draws of a density.
    fn draw(&self, drawer: &dyn Drawer, own_seed: u64) -> Result {
        samples::check_draws(&self.out)?;
        let (started, seed) = (Instant::now(), self.seed.unwrap_or(own_seed));
        let mut drawn = drawer.draw(self.count, &self.set, seed)?;
        if self.resample {
            drawn = drawn.resampled(&mut Rng::new(seed).fork("resample"));
        }
        let log_weights = self.weights.then_some(drawn.log_weights.as_slice());
        samples::write_draws(&self.out, &drawn.names, &drawn.rows, log_weights)?;
        let seconds = started.elapsed().as_secs_f64();
        println!("{} draws in {seconds:.1} s: {}", drawn.log_weights.len(), self.out.display());
        Ok(())
    }
}
