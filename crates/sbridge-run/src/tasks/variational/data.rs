//! The data of a variational diffusion.

use sbridge::rng::Rng;
use sbridge::solver::vsdm::Family;
use sbridge_data::Dataset;

use super::VariationalConfig;
use crate::context::Context;
use crate::data::{MIN_SAMPLES, Split};
use crate::error::{Result, RunError};
use crate::models::variational::MAX_DIM;

/// The data of a run.
pub struct VariationalData {
    /// What to generate.
    pub target: Dataset,
    /// Its samples, apart by what they are for.
    pub split: Split,
}

impl VariationalData {
    /// Reads what `config` asks for.
    ///
    /// # Errors
    /// [`RunError::Data`] or [`RunError::Input`] for data that cannot be learned from.
    pub(super) fn read(config: &VariationalConfig, context: &Context) -> Result<Self> {
        if config.target.source.is_empty() {
            return Err(RunError::Input("no target (give --target DATA)".into()));
        }
        let target = context.sources.load(&config.target)?;
        let size = target.shape().size();
        if size > MAX_DIM && config.vsdm.family != Family::Diagonal {
            return Err(RunError::Input(format!(
                "samples of {} have {size} values, vsdm takes at most {MAX_DIM} with full matrices (use --set \
                 vsdm.family=diagonal, or sbridge fit latent for images)",
                target.source()
            )));
        }
        let (rng, device) = (Rng::new(config.seed).fork("target"), context.open_device(&config.device)?);
        let split = Split::new(&target, config.output.shares(), &rng, &device);
        let left = split.train.dims()[0];
        let least = match config.vsdm.family {
            Family::Diagonal => MIN_SAMPLES,
            Family::Full | Family::Symmetric => MIN_SAMPLES.max(2 * size),
        };
        if left < least {
            return Err(RunError::Input(format!(
                "{} has {left} training samples; at least {least} are needed for samples of {size} values",
                target.source()
            )));
        }
        Ok(Self { target, split })
    }
}
