//! The entropic plan between two weighted clouds, and the Sinkhorn divergence.

use sbridge_ot::{
    SinkhornDivergence, SinkhornPlan, SinkhornSettings, self_value_weighted, sinkhorn_weighted,
};
use serde::Serialize;

use super::exact::Weighted;
use crate::error::Result;

/// Total error of the marginals at which an entropic plan is good enough for two digits and more.
const TOLERANCE: f64 = 1e-4;

/// Sweeps after which an entropic plan is given up.
const MAX_SWEEPS: usize = 2000;

/// What an entropic plan says.
#[derive(Clone, Debug, Serialize)]
pub struct Entropic {
    /// Regularisation used.
    pub epsilon: f64,
    /// Whether it was chosen here.
    pub epsilon_is_auto: bool,
    /// Entropic value min ⟨c, π⟩ + ε KL(π ‖ a⊗b).
    pub entropic_value: f64,
    /// Cost ⟨c, π⟩ of the entropic plan.
    pub transport_cost: f64,
    /// Sinkhorn divergence: the entropic value without its bias.
    pub sinkhorn_divergence: f64,
    /// Whether that is of the size of its errors, and says only that the sets are about equal.
    pub divergence_is_rounding: bool,
    /// What rounding and unfinished iterations may have changed it by, about.
    pub divergence_resolution: f64,
    /// Total error of the marginals of the plan.
    pub marginal_error: f64,
    /// Sweeps taken.
    pub sweeps: usize,
    /// Whether all three plans reached the tolerance.
    pub converged: bool,
}

/// The plan at this ε and what it says.
pub(super) fn entropic<'a>(
    [x, y]: [&'a Weighted; 2],
    epsilon: f64,
    epsilon_is_auto: bool,
) -> Result<(Entropic, SinkhornPlan<'a>)> {
    let settings = SinkhornSettings { epsilon, tolerance: TOLERANCE, max_iterations: MAX_SWEEPS };
    let plan = sinkhorn_weighted(&x.0, &y.0, &x.1, &y.1, &settings)?;
    let own = [self_value_weighted(&x.0, &x.1, &settings)?, self_value_weighted(&y.0, &y.1, &settings)?];
    let divergence = SinkhornDivergence::of(&plan, &own);
    let found = Entropic {
        epsilon,
        epsilon_is_auto,
        entropic_value: plan.value,
        transport_cost: plan.transport_cost,
        sinkhorn_divergence: divergence.value,
        divergence_is_rounding: divergence.is_rounding(),
        divergence_resolution: divergence.resolution,
        marginal_error: plan.marginal_error,
        sweeps: plan.iterations,
        converged: divergence.converged,
    };
    Ok((found, plan))
}
