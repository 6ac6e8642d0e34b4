//! The stages of one variational diffusion, each kept once it is learned.

use std::path::Path;

use sbridge::fit::FitSettings;
use sbridge::solver::vsdm::{ScoreData, VariationalModel, Vsdm};

use crate::checkpoint;
use crate::error::Result;
use crate::folder::RunFolder;
use crate::manifest::Manifest;
use crate::stage::Stage;

/// Where the stages of a model are kept, and how they are trained.
pub(crate) struct Stages<'a> {
    /// The run.
    pub(crate) folder: &'a RunFolder,
    /// Name of the model, its file and its stages.
    pub(crate) name: &'static str,
    /// Training of a stage.
    pub(crate) fit: &'a FitSettings,
    /// Seconds between checkpoints.
    pub(crate) checkpoint_seconds: u64,
}

/// Reads a model, and how many of its stages were learned.
type Load<'a, N> = dyn Fn(&Path) -> Result<(VariationalModel<N>, usize)> + 'a;

/// Writes a model after so many stages.
type Save<'a, N> = dyn Fn(&Path, &VariationalModel<N>, usize) -> Result<()> + 'a;

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
        while let Some(stage) = vsdm.next() {
            let name = format!("{}-{}", self.name, stage + 1);
            let trained = Stage {
                folder: self.folder,
                name: &name,
                checkpoint_seconds: self.checkpoint_seconds,
                learning_rate: "vsdm.fit.learning_rate",
            };
            vsdm.learn(|net, matching, rng| {
                trained.train(net, matching, self.fit.clone(), rng.clone(), manifest)
            })?;
            save(&path, vsdm.model(), stage + 1)?;
            checkpoint::remove(&self.folder.checkpoint(&name))?;
        }
        Ok(())
    }
}
