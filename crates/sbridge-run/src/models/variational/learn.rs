//! The stages of variational diffusions, each kept once it is learned.

use std::path::Path;
use std::time::Instant;

use sbridge::solver::vsdm::{Learned, Next, ScoreData, VariationalModel, Vsdm};

use crate::error::Result;
use crate::settings::Settings;
use crate::training::{Learning, Stage};

/// Reads a model, and what is known beside it.
type Load<'a, N> = dyn Fn(&Path) -> Result<(VariationalModel<N>, Learned)> + 'a;

/// Writes them.
type Save<'a, N> = dyn Fn(&Path, &VariationalModel<N>, &Learned) -> Result<()> + 'a;

/// How models with a network `N` are kept in files.
pub struct Models<'a, N> {
    /// Reads one.
    pub load: &'a Load<'a, N>,
    /// Writes one.
    pub save: &'a Save<'a, N>,
}

impl<N> Models<'_, N> {
    /// Learns the stages that are left of `vsdm`, the model `name`, going on from what the folder of `run` holds. The
    /// checkpoint on the way through a stage is not kept after it.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) if training is interrupted, diverges, or cannot be saved.
    pub fn learn<S: Settings, D: ScoreData<Net = N>>(
        &self,
        run: &mut Learning<'_, S>,
        name: &str,
        mut vsdm: Vsdm<D>,
    ) -> Result<()> {
        let path = run.file(&format!("{name}.safetensors"));
        if path.exists() {
            let (model, learned) = (self.load)(&path)?;
            vsdm.continue_from(model, learned);
        }
        while let Some(next) = vsdm.next() {
            let stage_name = match next {
                Next::Stage(stage) => format!("{name}-{}", stage + 1),
                Next::CoolDown => format!("{name}-last"),
            };
            let stage = Stage { name: &stage_name, learning_rate: "vsdm.fit.learning_rate" };
            let (fit, started) = (vsdm.fit(), Instant::now());
            let mut before_training = 0.0;
            vsdm.learn(|net, matching, rng| {
                before_training = started.elapsed().as_secs_f64();
                run.train(stage, net, matching, fit, rng.clone())
            })?;
            if let Next::Stage(stage @ 1..) = next {
                run.manifest.seconds.push((of_forward_score(name, stage), before_training));
            }
            (self.save)(&path, vsdm.model(), vsdm.learned())?;
            run.forget(&stage_name)?;
        }
        Ok(())
    }
}

/// What the step of the forward score before stage `stage` of the model `name` is called where its seconds are kept.
pub fn of_forward_score(name: &str, stage: usize) -> String {
    format!("{name}-{}, forward score", stage + 1)
}
