//! The stages of one variational diffusion, each kept once it is learned.

use std::path::Path;
use std::time::Instant;

use sbridge::solver::vsdm::{Learned, Next, ScoreData, VariationalModel, Vsdm};

use crate::checkpoint;
use crate::error::Result;
use crate::folder::RunFolder;
use crate::manifest::Manifest;
use crate::stage::Stage;

/// Where the stages of a model are kept.
pub(crate) struct Stages<'a> {
    /// The run.
    pub(crate) folder: &'a RunFolder,
    /// Name of the model, its file and its stages.
    pub(crate) name: &'static str,
    /// Seconds between checkpoints.
    pub(crate) checkpoint_seconds: u64,
}

/// Reads a model, and what is known beside it.
type Load<'a, N> = dyn Fn(&Path) -> Result<(VariationalModel<N>, Learned)> + 'a;

/// Writes them.
type Save<'a, N> = dyn Fn(&Path, &VariationalModel<N>, &Learned) -> Result<()> + 'a;

impl Stages<'_> {
    /// Learns the stages that are left of `vsdm`, going on from what the folder holds. The checkpoint on the way through a
    /// stage is not kept after it.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) if training is interrupted, diverges, or cannot be saved.
    pub(crate) fn learn<D: ScoreData>(
        &self,
        mut vsdm: Vsdm<D>,
        manifest: &mut Manifest,
        load: &Load<'_, D::Net>,
        save: &Save<'_, D::Net>,
    ) -> Result<()> {
        let path = self.folder.file(&format!("{}.safetensors", self.name));
        if path.exists() {
            let (model, learned) = load(&path)?;
            vsdm.continue_from(model, learned);
        }
        while let Some(next) = vsdm.next() {
            let name = match next {
                Next::Stage(stage) => format!("{}-{}", self.name, stage + 1),
                Next::CoolDown => format!("{}-last", self.name),
            };
            let trained = Stage {
                folder: self.folder,
                name: &name,
                checkpoint_seconds: self.checkpoint_seconds,
                learning_rate: "vsdm.fit.learning_rate",
            };
            let (fit, started) = (vsdm.fit(), Instant::now());
            let mut before_training = 0.0;
            vsdm.learn(|net, matching, rng| {
                before_training = started.elapsed().as_secs_f64();
                trained.train(net, matching, fit, rng.clone(), manifest)
            })?;
            if let Next::Stage(stage @ 1..) = next {
                manifest.seconds.push((of_forward_score(self.name, stage), before_training));
            }
            save(&path, vsdm.model(), vsdm.learned())?;
            checkpoint::remove(&self.folder.checkpoint(&name))?;
        }
        Ok(())
    }
}

/// What the step of the forward score before stage `stage` of the model `name` is called where its seconds are kept.
pub(crate) fn of_forward_score(name: &str, stage: usize) -> String {
    format!("{name}-{}, forward score", stage + 1)
}
