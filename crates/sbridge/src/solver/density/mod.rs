//! Samplers of unnormalised densities by a learned diffusion.
//!
//! A control u is learned such that dX = (f + g u) dt + g dW carries a simple law to π = ρ/Z. Along a path
//! A = ln dP_u/dP_v − ln ρ's share of it, so that E\[e^−A\] = Z whatever u is, and A = −ln Z where u is right.          \[LV\]
//!
//! | file | what |
//! |-|-|
//! | [`chain`] | the diffusion in steps, linear in the state but for the control; A along its paths |
//! | `pis`, `dis`, `dds` | the three choices of f, g and what is held fixed |
//! | `guided` | these with a network for a control |
//! | `log_variance` | the loss Var A, whose gradient needs no graph along the path |
//! | [`weights`] | what a batch of A says: the evidence bound, ln Z, the effective sample size |

pub mod chain;
mod dds;
mod dis;
mod guided;
mod log_variance;
mod pis;
pub mod weights;

use chain::Step;
pub use chain::{Chain, Control, Paths};
pub use dds::{Dds, cosine_grid, dds_euler};
pub use dis::dis;
pub use guided::{Guided, Method};
pub use log_variance::{LogVariance, cotangents};
pub use pis::pis;
pub use weights::Estimate;

/// Even steps of Euler and Maruyama over T = 1 with the noise s²β, where without control a unit of β makes the state grow by
/// `growth`.
fn euler_steps(steps: usize, spread: f64, growth: f64) -> Vec<Step> {
    let dt = 1.0 / steps as f64;
    let step = |k: usize| {
        let time = k as f64 * dt;
        let beta = beta(time);
        Step {
            time,
            share: time,
            diffusion: spread * beta.sqrt(),
            kept: 1.0 + growth * beta * dt,
            moved: spread * beta.sqrt() * dt,
            noise: spread * (beta * dt).sqrt(),
        }
    };
    (0..steps).map(step).collect()
}

/// β at `t` of `[0, 1]`, linear from 10 to 0.1: how fast the noising of `dis` and of `dds` by Euler's rule goes.
fn beta(t: f64) -> f64 {
    10.0 + t * (0.1 - 10.0)
}
