//! Quantum states as samples: density matrices, the coordinates in which a bridge may join them, and what is measured of them.
//!
//! A state X is Hermitian, has no negative eigenvalue and trace 1, so it is no vector that noise may be added to. The gradient
//! of the negative von Neumann entropy, log X + I, is any Hermitian matrix, and every one of those is the image of a state once
//! its trace is divided out. So a [`StateCodec`] stands before the bridge, whatever the bridge is: what comes out is a state by
//! construction, however poor the network. Distances are those of the dual space and no physical ones.    \[SPDM; MDM\]

mod codec;
mod coordinates;
mod ensembles;
mod haar;
mod measures;
mod mirror;
mod spectrum;
mod states;

pub use codec::{CodecSettings, StateCodec};
pub use coordinates::{Coordinates, Gauge};
pub use ensembles::{Ensemble, EnsembleSettings, Labelled};
pub use faer::c64;
pub use haar::{Gate, haar_unitary};
pub use measures::{
    Partition, bures_distance, entropies, fidelity, negativities, partial_transpose, purities,
    trace_distance, trace_distances,
};
pub use mirror::{Dual, bregman_divergence, conjugate, potential};
pub use states::{LEAST_EIGENVALUE, Repaired, Repairs, SUGGESTED_DEPOLARISING, States, Validity};
