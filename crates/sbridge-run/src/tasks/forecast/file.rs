//! A forecast on disk: a variational diffusion whose network reads a past.

use std::path::Path;

use sbridge::forecast::{Bounds, ForecastNet, ForecastNetSettings};
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Learned, VariationalModel};
use sbridge::tensor::Device;
use sbridge_data::{CALENDAR, Step};
use serde::{Deserialize, Serialize};

use super::{ForecastConfig, SeriesData};
use crate::error::Result;
use crate::models::codec::require_weights;
use crate::models::variational::file::{self, Description};

/// Times of a past in a file, at most: more than a table may have.
const MAX_CONTEXT: usize = 1 << 30;

/// What a forecast's network is made from, besides its head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastDescription {
    pub(super) context: usize,
    features: usize,
    net: ForecastNetSettings,
    /// Names of the series.
    pub(super) names: Vec<String>,
    /// Root mean square of their steps, on the line that the model draws on.
    pub(super) spread: Vec<f64>,
    /// The step in time; not known of runs of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<Step>,
    /// What no value leaves, and the transform to the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bounds: Option<Bounds>,
}

/// What the network of `config` is made from for `data`.
pub(super) fn described(data: &SeriesData, config: &ForecastConfig) -> PastDescription {
    PastDescription {
        context: data.context,
        features: CALENDAR,
        net: config.past.clone(),
        names: data.series.names().to_vec(),
        spread: data.history.spread().to_vec(),
        step: Some(data.series.clock().step().clone()),
        bounds: data.bounds.clone(),
    }
}

/// The model in the file at `path`, what is known beside it, and what its network is made from.
///
/// # Errors
/// [`RunError::Folder`](crate::RunError::Folder) if the file is missing or damaged.
pub fn load(
    path: &Path,
    device: &Device,
) -> Result<(VariationalModel<ForecastNet>, Learned, PastDescription)> {
    let (model, learned, description) =
        file::load(path, |dim, description: &Description<Option<PastDescription>>, values| {
            let wrong = |what: &str| sbridge::Error::Weights(what.into());
            let past =
                description.context.as_ref().ok_or_else(|| wrong("there is no description of the past"))?;
            past.net.check()?;
            let has_context = (2..=MAX_CONTEXT).contains(&past.context);
            if past.spread.len() != dim
                || past.names.len() != dim
                || past.bounds.as_ref().is_some_and(|bounds| bounds.dim() != dim)
                || past.step.as_ref().is_some_and(|step| !step.leads_on())
                || past.features != CALENDAR
                || !has_context
            {
                return Err(wrong(&format!("the description does not fit {dim} series")));
            }
            let levels = past.context.ilog2() as usize;
            require_weights(
                values,
                [
                    [past.net.width, past.net.width, levels.saturating_sub(1)],
                    [past.net.width, past.net.summary, levels],
                    [past.features, past.net.summary, 1],
                ],
            )?;
            // Initial weights are overwritten, so any stream will do.
            let sizes = [dim, past.context, past.features];
            Ok(ForecastNet::new(sizes, &past.net, &description.net, &mut Rng::new(0), device))
        })?;
    let past = description.context.expect("checked above");
    Ok((model, learned, past))
}
