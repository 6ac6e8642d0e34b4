//! Reconstruction: min ‖D(E(y)) − y‖² over an encoder–decoder pair.
//!
//! With `kl_weight` the encoder's Gaussian is drawn towards the unit normal law; with
//! `latent_noise` codes are shaken before decoding, which fills the holes between them and keeps
//! the decoder's Lipschitz constant down.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::net::Autoencoder;
use crate::objective::{Objective, mean_over_blocks};
use crate::rng::Rng;
use crate::tensor::{Tensor, select_rows};

/// Regularisation of the codes. Both terms at zero is the plain loss of the theory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReconstructionSettings {
    /// Weight of ½ Σ (μ² + s² − ln s² − 1), against squared errors summed over a sample.
    /// Default 1e-6; in [0, 1].
    pub kl_weight: f64,
    /// Noise added to codes in training, in standard deviations of the codes. Default 0.02; in [0, 1].
    pub latent_noise: f64,
}

impl Default for ReconstructionSettings {
    fn default() -> Self {
        Self { kl_weight: 1e-6, latent_noise: 0.02 }
    }
}

impl ReconstructionSettings {
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("kl_weight", self.kl_weight), ("latent_noise", self.latent_noise)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::setting(name, "in [0, 1]", value, "see [autoencoder.loss]"));
            }
        }
        Ok(())
    }
}

/// The reconstruction loss on a sample.
pub struct Reconstruction {
    rows: Tensor<2>,
    held_out: Option<Tensor<2>>,
    settings: ReconstructionSettings,
}

impl Reconstruction {
    /// Trains on `rows` and watches `held_out`, both `[count, size]`.
    pub fn new(rows: Tensor<2>, held_out: Option<Tensor<2>>, settings: ReconstructionSettings) -> Self {
        Self { rows, held_out, settings }
    }

    /// The code that is decoded in training: drawn from the encoder's Gaussian, then shaken.
    fn noisy_code(&self, mean: Tensor<2>, log_var: Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        let mut code = mean.clone();
        if self.settings.kl_weight > 0.0 {
            code = code + (log_var * 0.5).exp() * rng.normal_like(&mean);
        }
        if self.settings.latent_noise > 0.0 && mean.dims()[0] > 1 {
            let std = mean.clone().detach().var(0).sqrt();
            code = code + rng.normal_like(&mean) * std * self.settings.latent_noise;
        }
        code
    }
}

impl Objective for Reconstruction {
    type Model = Autoencoder;

    fn loss(&self, model: &Autoencoder, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let chosen = rng.indices(rows.len(), self.rows.dims()[0]);
        let x = select_rows(&self.rows, &chosen).autodiff();
        let code = model.encode(x.clone());
        let z = self.noisy_code(code.mean.clone(), code.log_var.clone(), rng);
        let error = squared_error(model.decode(z), x);
        if self.settings.kl_weight == 0.0 {
            return error;
        }
        let divergence = code.mean.powi_scalar(2) + code.log_var.clone().exp() - code.log_var - 1.0;
        error + divergence.sum_dim(1).mean() * (0.5 * self.settings.kl_weight)
    }

    fn held_out_loss(&self, model: &Autoencoder, _rng: &mut Rng) -> Option<f64> {
        self.held_out.as_ref().map(|rows| {
            mean_over_blocks(rows, 256, |x| squared_error(model.decode(model.encode(x.clone()).mean), x))
        })
    }
}

/// Squared error summed over a sample, averaged over the batch.
fn squared_error(reconstruction: Tensor<2>, x: Tensor<2>) -> Tensor<1> {
    (reconstruction - x).powi_scalar(2).sum_dim(1).mean()
}
