//! What a network is trained to do: one loss per file.

mod adjoint_matching;
mod bridge_matching;
mod classification;
mod conditional_matching;
mod denoising;
mod density_ratio;
mod drift_regression;
mod path_matching;
mod reconstruction;

pub use adjoint_matching::AdjointMatching;
pub use bridge_matching::BridgeMatching;
pub use classification::Classification;
pub use conditional_matching::{ConditionalMatching, PathSettings, Walked};
pub use denoising::{DenoisingScore, NoiseSampling};
pub use density_ratio::{DensityRatio, RatioNet};
pub use drift_regression::{DriftRegression, Examples, Regression, Transition};
pub use path_matching::{PathMatching, StepTarget};
pub use reconstruction::{Reconstruction, ReconstructionSettings};

use std::ops::Range;

use crate::rng::Rng;
use crate::tensor::{Module, Tensor};

/// A loss to be minimised over the parameters of a model.
pub trait Objective: Sync {
    /// What is trained.
    type Model: Module;

    /// Makes ready for the batch that starts with example `first`. Examples are counted from the start of
    /// training; whoever draws fresh ones has nothing to do.
    fn prepare(&mut self, _first: usize) {}

    /// A Monte Carlo estimate of the loss on the examples `rows`, a scalar `[1]`. Whoever draws fresh ones looks at
    /// their number alone.
    fn loss(&self, model: &Self::Model, rows: Range<usize>, rng: &mut Rng) -> Tensor<1>;

    /// The loss on data the model is not trained on, if some was set aside. The stream makes two
    /// calls comparable.
    fn held_out_loss(&self, model: &Self::Model, rng: &mut Rng) -> Option<f64>;

    /// What else tells how training goes, by name; asked for as often as the loss on held-out data.
    fn measures(&self, _model: &Self::Model, _rng: &mut Rng) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}

/// The mean of `loss` over blocks of `rows`, weighted by their length.
pub(crate) fn mean_over_blocks(
    rows: &Tensor<2>,
    block: usize,
    mut loss: impl FnMut(Tensor<2>) -> Tensor<1>,
) -> f64 {
    let total = rows.dims()[0] as f64;
    let blocks = rows.clone().split(block, 0).into_iter();
    let weighted = blocks.map(|part| {
        let weight = part.dims()[0] as f64 / total;
        weight * f64::from(loss(part).into_scalar::<f32>())
    });
    weighted.sum()
}
