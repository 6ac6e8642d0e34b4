//! LightSB-M: the mixture potential by bridge matching, on pairs of any coupling.                            \[LSBM\]
//!
//! Among drifts of the form of [`MixtureDrift`](crate::net::MixtureDrift), which are those of Schrödinger bridges, the
//! one nearest to the bridges between *any* pairs with the right marginals is the bridge between the marginals: one
//! half-bridge each way, and no iteration.

use crate::fit::FitSettings;
use crate::net::MixtureSettings;
use crate::solver::alternation::AlternationSettings;
use crate::solver::dsbm::dsbm;

/// The settings that make the method.
pub fn light_sb_m() -> AlternationSettings {
    let mut settings = AlternationSettings { half_bridges: 2, steps: 100, ..dsbm() };
    settings.net.mixture = Some(MixtureSettings::default());
    settings.fit = FitSettings { steps: 6000, learning_rate: 1e-2, ..settings.fit };
    settings
}
