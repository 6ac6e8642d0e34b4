//! What several tasks have in common: encoder and decoder, bridges between two sets, variational diffusions.

pub mod bridge;
pub mod codec;
pub mod variational;
