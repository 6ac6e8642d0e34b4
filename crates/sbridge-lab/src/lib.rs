//! Experiments whose outcome is known, and benchmarks whose answer is: solvers and runs measured beside both.

pub mod entropic_transport;
mod problem;
pub mod reproduce;
