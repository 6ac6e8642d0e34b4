//! Exact and entropic optimal transport, closed-form Gaussian bridges and distances between samples, in f64.
//!
//! The crate is both a tool and a judge: it shares no code with the tensor library whose results it checks.
//!
//! # Conventions
//!
//! - Entropic transport has the cost ½‖x−y‖² and the regulariser ε KL(π ‖ a⊗b), so a Brownian reference σW means ε = σ².
//! - W₁ and W₂ are the usual Euclidean distances: W₂ is the root of the mean squared distance of the optimal plan.
//! - Bridges run over t ∈ [0, 1], source at 0, target at 1; backward drifts are those of the reversed clock.
//! - Covariances divide by n − 1; logarithms are natural; clouds are `[n, dim]`, row by row ([`Points`]).
//! - Estimators named unbiased leave out pairs of a point with itself, and may be negative.
//! - The number of threads never changes a result.
//!
//! # What to use
//!
//! | question | answer |
//! |---|---|
//! | exact distance of clouds of any sizes and weights, of up to 10⁸ pairs | [`wasserstein1`], [`wasserstein2`], [`wasserstein1_weighted`], [`wasserstein2_weighted`] |
//! | exact plan or matching | [`optimal_plan`], [`optimal_matching`], [`assignment()`] |
//! | entropic plan or distance | [`sinkhorn()`], [`sinkhorn_weighted`], [`sinkhorn_divergence`] |
//! | distance of many points | [`sliced_wasserstein2`], [`energy_distance`], [`mmd2`] |
//! | distance of fitted Gaussians | [`bures_wasserstein2`], [`frechet_distance`], [`Gaussian::kl`] |
//! | exact Schrödinger bridge between Gaussians | [`GaussianBridge`] |
//! | realism, coverage and copying of samples | [`precision_recall`], [`nearest_neighbour_ratio`], [`nearest_neighbours`] |
//! | scores of forecasts given as draws | [`crps`], [`energy_score`], [`Outcome`] |
//! | functions of matrices | [`matrix`] |

mod assignment;
mod benchmark;
mod bridge;
mod bures;
mod divergence;
mod energy;
mod entropic_distance;
mod error;
mod exp;
mod far_groups;
mod fidelity;
mod gaussian;
mod iterates;
mod line;
mod masses;
pub mod matrix;
mod mmd;
mod neighbours;
mod network_simplex;
mod pairwise;
mod points;
mod prior_bridge;
mod relaxation;
mod scores;
mod simd;
mod sinkhorn;
mod sliced;
mod spanning_tree;
mod transport;
mod wasserstein;

pub use assignment::{Assignment, MAX_ASSIGNMENT, assignment};
pub use benchmark::{EntropicBenchmark, Potential};
pub use bridge::{Affine, GaussianBridge};
pub use bures::{bures_wasserstein_uvp, bures_wasserstein2, frechet_distance, frechet_distance_of_samples};
pub use divergence::{SelfValue, SinkhornDivergence, self_value, self_value_weighted, sinkhorn_divergence};
pub use energy::{energy_distance, energy_score};
pub use entropic_distance::{PlainSweeps, entropic_distance};
pub use error::{OtError, Result};
pub use exp::exponentials;
pub use fidelity::{PrecisionRecall, median_nearest_distance, nearest_neighbour_ratio, precision_recall};
pub use gaussian::Gaussian;
pub use iterates::{ProportionalIterate, markovian_fitting, proportional_fitting};
pub use mmd::{median_bandwidth, mmd2};
pub use neighbours::{Neighbours, nearest_neighbours, nearest_neighbours_within};
pub use points::Points;
pub use prior_bridge::PriorBridge;
pub use scores::{Outcome, crps, widest_share};
pub use sinkhorn::{SinkhornPlan, SinkhornSettings, sinkhorn, sinkhorn_weighted};
pub use sliced::{SlicedSettings, sliced_wasserstein2};
pub use transport::{MAX_COSTS, TransportPlan, optimal_plan};
pub use wasserstein::{
    optimal_matching, wasserstein1, wasserstein1_weighted, wasserstein2, wasserstein2_weighted,
};
