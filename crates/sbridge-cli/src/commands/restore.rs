//! `sbridge restore`: damaged samples restored by a bridge between pairs.

use std::path::PathBuf;

use clap::Args;
use sbridge_run::Restoring;
use sbridge_run::data::image_range;
use sbridge_run::samples::{self, SampleFormat, SampleWriter};

use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// Folder of a finished run of fit paired
    pub(crate) run: PathBuf,
    /// What to restore
    #[arg(long, value_name = "DATA")]
    pub(crate) input: String,
    /// Where values are lost: data of the same shape, other than 0 there; for free-form runs
    #[arg(long, value_name = "DATA")]
    pub(crate) mask: Option<String>,
    /// Where to write them: .npy, .csv, or .png for a grid of images
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Calls of the network for a draw; as the run was set if not given
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    pub(crate) nfe: Option<usize>,
    /// Draws for every sample: all samples once, then again
    #[arg(long, value_name = "K", default_value_t = 1, allow_negative_numbers = true)]
    pub(crate) draws: usize,
    /// Seed of the noise; the run's own if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// cpu, cuda, cuda:N or wgpu; where the run was trained if not given
    #[arg(long)]
    pub(crate) device: Option<String>,
}

impl Restore {
    pub(crate) fn run(&self, session: &Session) -> Result {
        samples::require_other_file("--out", &self.out, &self.input)?;
        let run = session.registry.open(&self.run, &session.on(self.device.as_deref()))?;
        let shape = run.restorer()?.shape();
        SampleFormat::of_path(&self.out, shape)?;
        let load = |source: &str| session.context.sources.set(source);
        let (input, mask) = (load(&self.input)?, self.mask.as_deref().map(load).transpose()?);
        let seed = self.seed.unwrap_or(run.manifest().seed);
        let how = Restoring { draws: self.draws, calls: self.nfe, seed };
        let count = run.restored_count(&input, mask.as_ref(), &how)?;
        let (range, origin) = (Some(image_range(&input)), run.manifest().origin.as_ref());
        let mut restored = SampleWriter::create(&self.out, count, shape, range, origin)?;
        run.restore_in_blocks(&input, mask.as_ref(), &how, &mut |block| restored.write(block))?;
        restored.finish()?;
        println!("{count} samples: {}", self.out.display());
        Ok(())
    }
}
