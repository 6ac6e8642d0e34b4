//! Noise prediction η(z, v) ≈ ξ for z = z₀ + √v ξ, and the score it stands for, s = −η/√v.
//!
//! `Preconditioned`: η = √v z/(v+1) + F(z/√(v+1), ln v)/√(v+1). F ≡ 0 is exact for unit normal
//! codes, and the target of F has unit variance at every noise level.               [EDM, Eq. 7]
//! Tests: F ≡ 0 gives the exact sampler variances of a unit normal law.

use serde::{Deserialize, Serialize};

use crate::marginal::SmoothedScore;
use crate::net::residual_mlp::{ResidualMlp, ResidualMlpSettings};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor, column};

/// How the network's output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parametrisation {
    /// The network corrects the optimum for unit normal codes.
    Preconditioned,
    /// The network is η itself, of z/√(v+1).
    Plain,
    /// The network is the score itself, of z: the form the theory speaks of.
    Score,
}

/// A network that predicts the noise in a noisy code.
#[derive(Module, Debug)]
pub struct NoisePredictor {
    net: ResidualMlp,
    #[module(skip)]
    parametrisation: Parametrisation,
    #[module(skip)]
    dim: usize,
}

impl NoisePredictor {
    /// A predictor for codes of dimension `dim`.
    pub fn new(
        dim: usize,
        parametrisation: Parametrisation,
        settings: &ResidualMlpSettings,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        let net = ResidualMlp::new(dim, settings, rng, device);
        Self { net, parametrisation, dim }
    }

    /// η(z, v).
    ///
    /// # Shapes
    /// `z: [batch, dim]`, `v: [batch]`, result `[batch, dim]`.
    pub fn noise(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        let total = column(v.clone()) + 1.0;
        let root = total.clone().sqrt();
        match self.parametrisation {
            Parametrisation::Preconditioned => {
                let correction = self.net.forward(z.clone() / root.clone(), v.clone());
                z * column(v.sqrt()) / total + correction / root
            }
            Parametrisation::Plain => self.net.forward(z / root, v),
            Parametrisation::Score => {
                let std = column(v.clone().sqrt());
                self.net.forward(z, v) * -std
            }
        }
    }
}

impl SmoothedScore for NoisePredictor {
    fn dim(&self) -> usize {
        self.dim
    }

    fn score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        let std = column(v.clone().sqrt());
        self.noise(z, v) / -std
    }
}
