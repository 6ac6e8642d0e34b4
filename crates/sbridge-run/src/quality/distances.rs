//! Distances between clouds of samples.

use sbridge_ot::{
    MAX_ASSIGNMENT, Points, SlicedSettings, energy_distance, median_bandwidth, mmd2, sliced_wasserstein2,
    wasserstein1, wasserstein2,
};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// Distances between two clouds of equal size.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Distances {
    /// Exact W1.
    pub w1: f64,
    /// Exact W2.
    pub w2: f64,
    /// Sliced W2.
    pub sliced_w2: f64,
    /// Energy distance.
    pub energy: f64,
    /// Squared maximum mean discrepancy, with the bandwidth of the reference; nothing where most of it coincides.
    pub mmd2: Option<f64>,
}

impl Distances {
    /// Of `x` from `reference`.
    ///
    /// # Errors
    /// [`RunError::Transport`](crate::RunError::Transport) for clouds that are too large to be matched.
    pub fn between(x: &Points, reference: &Points) -> Result<Self> {
        debug_assert!(reference.len() <= MAX_ASSIGNMENT, "small enough to match exactly");
        let bandwidth = median_bandwidth(reference, reference).ok();
        Ok(Self {
            w1: wasserstein1(x, reference)?,
            w2: wasserstein2(x, reference)?,
            sliced_w2: sliced_wasserstein2(x, reference, &SlicedSettings::default())?,
            energy: energy_distance(x, reference)?,
            mmd2: bandwidth.map(|h| mmd2(x, reference, h)).transpose()?,
        })
    }

    /// MMD² for people.
    pub fn shown_mmd2(&self) -> String {
        self.mmd2.map_or("–".into(), |x| format!("{x:.5}"))
    }
}
