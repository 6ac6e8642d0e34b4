//! `sbridge sample`: new samples from a trained run.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use sbridge_run::RunError;
use sbridge_run::samples::{self, SampleFormat};

use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Sample {
    /// Folder of a finished run
    pub(crate) run: PathBuf,
    /// Number of samples
    #[arg(short = 'n', long, default_value_t = 1000)]
    pub(crate) count: usize,
    /// Where to write them: .npy, .csv, or .png for a grid of images
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Seed of the noise; the run's own if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
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
}
