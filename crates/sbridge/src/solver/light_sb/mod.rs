//! LightSB: Schrödinger bridges whose potential is a Gaussian mixture.                          \[KGB24\]
//!
//! With the adjusted potential v(y) = Σ_k a_k N(y | r_k, ε S_k), the plan
//!
//! π(y|x) ∝ e^{x·y/ε} v(y) = Σ_k ω_k(x) N(y | r_k + S_k x, ε S_k)
//!
//! is itself a mixture: drawn in one shot, with a drift in closed form. Its parameters minimise
//! KL(π* ‖ π) = E₀ ln c(x) − E₁ ln v(y) + const over independent batches of both laws: no pairs, no simulation.
//!
//! Covariances are full, by Cholesky factors, where the published code has diagonal ones; potentials whose axes are
//! turned need that. Both laws are centred and scaled by one number before the fit, which changes neither
//! the problem nor, after undoing it, the answer.

mod bridge;
mod potential;
mod training;

pub use bridge::{LightSb, OnStep};
pub use potential::LightPotential;
pub use training::{LightSbSettings, PointSource, fit};
