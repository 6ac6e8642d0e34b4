//! Quality of samples against a reference, in one feature space.
//!
//! Fréchet distance of Gaussian fits \[HRUNH17\], precision and recall of nearest-neighbour balls
//! \[KKLLA19\], sliced W2, and the ratio of nearest-neighbour distances, generated→train over
//! test→train, which falls below 1 where samples copy the training data.

use sbridge_ot::{Gaussian, Points, SlicedSettings};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// Neighbours that span a ball in precision and recall.
const BALL: usize = 5;

/// How close samples are to a reference.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Quality {
    /// Squared Fréchet distance |Δm|² + tr(A + B − 2 (A^½ B A^½)^½).
    pub frechet: f64,
    /// Share of samples that fall into the reference's balls, k = 5.
    pub precision: f64,
    /// Share of the reference that falls into the samples' balls, k = 5.
    pub recall: f64,
    /// Sliced W2.
    pub sliced_w2: f64,
    /// Median distance to the nearest training sample, over that of the reference; nothing where
    /// half of the reference repeats training samples.
    pub neighbour_ratio: Option<f64>,
}

/// A reference sample and the training sample, to judge others by.
pub struct Judge {
    reference: Points,
    train: Points,
    gaussian: Gaussian,
    /// Median distance of the reference to its nearest training samples.
    reference_distance: f64,
}

impl Judge {
    /// Judges by `reference` (unseen data) and `train`, both in the same feature space.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) for fewer than two reference samples.
    pub fn new(reference: Points, train: Points) -> Result<Self> {
        let gaussian = Gaussian::fit(&reference)?;
        let reference_distance = sbridge_ot::median_nearest_distance(&reference, &train)?;
        Ok(Self { reference, train, gaussian, reference_distance })
    }

    /// The quality of `samples`.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) for too few samples or another dimension.
    pub fn judge(&self, samples: &Points) -> Result<Quality> {
        let fidelity = sbridge_ot::precision_recall(&self.reference, samples, BALL)?;
        let sliced = SlicedSettings::default();
        Ok(Quality {
            frechet: sbridge_ot::frechet_distance(&self.gaussian, &Gaussian::fit(samples)?)?,
            precision: fidelity.precision,
            recall: fidelity.recall,
            sliced_w2: sbridge_ot::sliced_wasserstein2(&self.reference, samples, &sliced)?,
            neighbour_ratio: self.neighbour_ratio(samples)?,
        })
    }

    fn neighbour_ratio(&self, samples: &Points) -> Result<Option<f64>> {
        if self.reference_distance == 0.0 {
            return Ok(None);
        }
        Ok(Some(sbridge_ot::median_nearest_distance(samples, &self.train)? / self.reference_distance))
    }
}
