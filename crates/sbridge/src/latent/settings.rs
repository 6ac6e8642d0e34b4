//! Settings of the bridge between smoothed and clean codes, and of sampling along it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::latent::scaling::Normalisation;
use crate::latent::start::StartLaw;
use crate::net::{Parametrisation, ResidualMlpSettings};
use crate::objective::NoiseSampling;
use crate::simulate::{Denoiser, EndRule, StepRule, VarGrid};

/// What is learned: the score of smoothed codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BridgeSettings {
    /// Variance ε of the noise at the start, in units of the normalised codes. Default 16; at least
    /// twice the variance of the codes, four times with `gaussian-iso`.
    pub epsilon: f64,
    /// Unit of the codes. Default `per-dimension`.
    pub normalisation: Normalisation,
    /// Law of the noise levels in training. Default `log-uniform`.
    pub noise_sampling: NoiseSampling,
    /// How the network's output is read. Default `preconditioned`.
    pub parametrisation: Parametrisation,
    /// The network.
    pub net: ResidualMlpSettings,
}

impl Default for BridgeSettings {
    fn default() -> Self {
        Self {
            epsilon: 16.0,
            normalisation: Normalisation::PerDimension,
            noise_sampling: NoiseSampling::LogUniform,
            parametrisation: Parametrisation::Preconditioned,
            net: ResidualMlpSettings::default(),
        }
    }
}

/// How samples are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplerSettings {
    /// Law of the first state. Default `gaussian-moment`.
    pub start: StartLaw,
    /// Variance grid. Default `power` with rho 7.
    pub grid: VarGrid,
    /// Steps K. Default 15; 10 to 50 by multistep rules, to 5000 by others.
    pub steps: usize,
    /// Share 1 − T of ε left at the end. Default 1e-4; in [0, 0.5].
    pub one_minus_t: f64,
    /// Step rule. Default `multistep`.
    pub step: StepRule,
    /// What follows the last step. Default `tweedie`.
    pub end: EndRule,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self {
            start: StartLaw::GaussianMoment,
            grid: VarGrid::Power { rho: 7.0 },
            steps: 15,
            one_minus_t: 1e-4,
            step: StepRule::Multistep,
            end: EndRule::Tweedie,
        }
    }
}

impl SamplerSettings {
    /// The plan from variance `epsilon` down.
    ///
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn denoiser(&self, epsilon: f64) -> Result<Denoiser> {
        self.start.check()?;
        if !(0.0..=0.5).contains(&self.one_minus_t) {
            let fix = "1e-4 leaves noise of standard deviation 0.04 at epsilon 16";
            return Err(Error::setting("one_minus_t", "in [0, 0.5]", self.one_minus_t, fix));
        }
        let variances = self.grid.variances(epsilon, self.one_minus_t, self.steps)?;
        Denoiser::new(variances, self.step, self.end)
    }

    /// The smallest noise variance a score for this plan must know: ε (1 − T), or the last one
    /// above zero.
    ///
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn v_min(&self, epsilon: f64) -> Result<f64> {
        let denoiser = self.denoiser(epsilon)?;
        let smallest = denoiser.variances().iter().rfind(|v| **v > 0.0);
        Ok(*smallest.expect("the first variance is epsilon > 0"))
    }
}
