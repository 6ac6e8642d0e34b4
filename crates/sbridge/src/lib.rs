//! Schrödinger bridges: solvers, and the bridges they find.
//!
//! A Schrödinger bridge is the most likely random path between two distributions, given a
//! reference diffusion:
//!
//! ```text
//! source, target, reference ──solver──▶ Bridge (drifts both ways) ──▶ samples, paths, metrics
//! ```
//!
//! # Conventions
//!
//! - Time runs over `t ∈ [0, 1]`; `π₀` sits at `t = 0`, `π₁` at `t = 1`.
//! - A state is `[batch, dim]`, a time is `[batch]`.
//! - The reference is `dX = f dt + g dW`; the transport cost is `½‖x − y‖²`, so a Brownian
//!   reference with diffusion `σ` means `ε = σ²`.
//! - The backward drift runs in the reversed clock: `v₊ + v₋ = g² ∇log p`, and the velocity of the
//!   probability flow is `½ (v₊ − v₋)`.
//! - Logarithms are natural. Standard deviations are `std` or `sigma`, variances are `var` or `v`.
//! - Randomness is an argument: every stream is a named fork of one seed, see [`rng`].
//!
//! # Layers
//!
//! Modules use only modules above them in this list: `error`, `tensor`, `rng`, `codec`; `marginal`,
//! `density`, `degradation`, `reference`, `planning`; `bridge`, `crowd`; `simulate`, `coupling`; `net`, `objective`; `fit`,
//! `executor`; `solver`, `latent`, `quantum`, `forecast`; `eval`.

pub mod bridge;
pub mod codec;
pub mod coupling;
pub mod crowd;
pub mod degradation;
pub mod density;
pub mod error;
pub mod eval;
pub mod executor;
pub mod fit;
pub mod forecast;
pub mod latent;
pub mod marginal;
pub mod net;
pub mod objective;
pub mod planning;
pub mod quantum;
pub mod reference;
pub mod rng;
pub mod simulate;
pub mod solver;
pub mod tensor;

pub use bridge::{Bridge, Direction, PairBridge, StepNoise};
pub use codec::Codec;
pub use error::{Error, Result};
pub use rng::Rng;
