//! Quality of samples against a reference, in one feature space.
//!
//! Fréchet distance of Gaussian fits \[HRUNH17\], precision and recall of nearest-neighbour balls
//! \[KKLLA19\], sliced W2, and the ratio of nearest-neighbour distances, generated→train over
//! test→train, which falls below 1 where samples copy the training data.

use sbridge_ot::{Gaussian, Points, SlicedSettings};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::rng::Rng;

/// Neighbours that span a ball in precision and recall.
const BALL: usize = 5;

/// Samples up to which the error of a Fréchet distance is estimated, and how often they are drawn again.
const FEW: usize = 400;
const REPLICATES: usize = 20;

/// How close samples are to a reference.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Quality {
    /// Squared Fréchet distance |Δm|² + tr(A + B − 2 (A^½ B A^½)^½).
    pub frechet: f64,
    /// Its standard error by the bootstrap, for few samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frechet_error: Option<f64>,
    /// Share of samples that fall into the reference's balls, k = 5.
    pub precision: f64,
    /// Share of the reference that falls into the samples' balls, k = 5.
    pub recall: f64,
    /// Sliced W2.
    pub sliced_w2: f64,
    /// Median distance to the nearest training sample, over that of the reference; nothing where half of the reference
    /// repeats training samples, and for samples that are training samples.
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
        let neighbours = BALL.min(self.reference.len() - 1).min(samples.len() - 1);
        let fidelity = sbridge_ot::precision_recall(&self.reference, samples, neighbours)?;
        let sliced = SlicedSettings::default();
        Ok(Quality {
            frechet: sbridge_ot::frechet_distance(&self.gaussian, &Gaussian::fit(samples)?)?,
            frechet_error: self.frechet_error(samples)?,
            precision: fidelity.precision,
            recall: fidelity.recall,
            sliced_w2: sbridge_ot::sliced_wasserstein2(&self.reference, samples, &sliced)?,
            neighbour_ratio: self.neighbour_ratio(samples)?,
        })
    }

    /// The quality of `samples` that are among those trained on, or stem from them: how near these are says nothing.
    ///
    /// # Errors
    /// As [`judge`](Self::judge).
    pub fn judge_seen(&self, samples: &Points) -> Result<Quality> {
        Ok(Quality { neighbour_ratio: None, ..self.judge(samples)? })
    }

    fn neighbour_ratio(&self, samples: &Points) -> Result<Option<f64>> {
        if self.reference_distance == 0.0 {
            return Ok(None);
        }
        Ok(Some(sbridge_ot::median_nearest_distance(samples, &self.train)? / self.reference_distance))
    }

    /// Standard error of the Fréchet distance by the bootstrap, where samples are few and it is wide.    \[ET93\]
    fn frechet_error(&self, samples: &Points) -> Result<Option<f64>> {
        let sizes = [self.reference.len(), samples.len()];
        if sizes.iter().any(|size| *size > FEW) {
            return Ok(None);
        }
        let mut rng = Rng::new(0).fork("bootstrap");
        let mut drawn = |points: &Points| {
            let indices = rng.indices(points.len(), points.len());
            points.subset(&indices)
        };
        let replicate =
            |_| sbridge_ot::frechet_distance_of_samples(&drawn(&self.reference)?, &drawn(samples)?);
        let found = (0..REPLICATES).map(replicate).collect::<sbridge_ot::Result<Vec<f64>>>()?;
        let mean = found.iter().sum::<f64>() / REPLICATES as f64;
        let squares: f64 = found.iter().map(|x| (x - mean).powi(2)).sum();
        Ok(Some((squares / (REPLICATES - 1) as f64).sqrt()))
    }
}
