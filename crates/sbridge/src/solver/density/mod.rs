//! Samplers of unnormalised densities by a learned diffusion.
//!
//! A control u is learned such that dX = (f + g u) dt + g dW carries a simple law to π = ρ/Z. Along a path
//! A = ln dP_u/dP_v − ln ρ's share of it, so that E\[e^−A\] = Z whatever u is, and A = −ln Z where u is right.          \[LV\]
//!
//! | file | what |
//! |-|-|
//! | [`chain`] | the diffusion in steps, linear in the state but for the control; A along its paths |
//! | `pis`, `dis`, `dds`, `two_sided` | the choices of f, g and what is held fixed |
//! | `guided` | these with networks for controls |
//! | [`losses`] | losses whose gradient needs no graph along the path |
//! | `adjoint` | the gradient of E\[A\] through the path |
//! | `foellmer` | what `pis` learns, as a Schrödinger bridge from the origin |
//! | `asbs` | a bridge from samples of any law, by two regressions in turn |
//! | `sampler` | paths and draws by these |
//! | `objective` | either as what networks are trained by |
//! | [`weights`] | what a batch of A says: the evidence bound, ln Z, the effective sample size |

mod adjoint;
mod asbs;
pub mod chain;
mod dds;
mod dis;
mod foellmer;
mod guided;
pub mod losses;
mod objective;
mod pis;
mod sampler;
mod two_sided;
pub mod weights;

pub use asbs::{Asbs, AsbsSettings};
use chain::{Base, Knot, Step};
pub use chain::{Chain, Control, Paths};
pub use dds::{Dds, cosine_grid, dds_euler, ratio_grid};
pub use dis::dis;
pub use foellmer::Foellmer;
pub use guided::{Controls, Guided, Method};
pub use objective::{Examples, Exploration, Loss, PathObjective};
pub use pis::pis;
pub use sampler::{Draws, Sampler};
pub use two_sided::two_sided;
pub use weights::Estimate;

/// Even steps of Euler and Maruyama over T = 1 with the noise s²β, where without control a unit of β makes the state grow by
/// `growth`; from N(0, s²I).
fn euler(steps: usize, spread: f64, growth: f64, base: Base) -> Chain {
    let dt = 1.0 / steps as f64;
    let knot = |k: usize| {
        let time = k as f64 * dt;
        Knot { time, share: time, diffusion: spread * beta(time).sqrt() }
    };
    let step = |k: usize| {
        let beta = beta(k as f64 * dt);
        Step {
            kept: 1.0 + growth * beta * dt,
            moved: spread * beta.sqrt() * dt,
            noise: spread * (beta * dt).sqrt(),
        }
    };
    Chain {
        start_var: spread.powi(2),
        knots: (0..=steps).map(knot).collect(),
        steps: (0..steps).map(step).collect(),
        base,
    }
}

/// β at `t` of `[0, 1]`, linear from 10 to 0.1: how fast the noising of `dis` and of `dds` by Euler's rule goes.
fn beta(t: f64) -> f64 {
    10.0 + t * (0.1 - 10.0)
}
