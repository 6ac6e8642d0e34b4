//! Bayesian logistic regression: y ~ Bernoulli(σ(x·w)), w ~ N(0, τ² I) or flat.

use super::{log_normal, sigmoid, softplus};
use crate::density::{PointDensity, Target};
use crate::error::{Error, Result};

/// The law of the weights before any data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prior {
    /// Every weight is as likely as any other: the posterior is normalised by the data alone.
    Flat,
    /// N(0, variance), normalised.
    Normal(f64),
}

/// The posterior of the weights.
#[derive(Clone, Debug)]
pub struct LogisticRegression {
    /// `[count, dim]`, row by row.
    features: Vec<f64>,
    /// Whether each outcome is 1.
    outcomes: Vec<bool>,
    dim: usize,
    prior: Prior,
}

impl LogisticRegression {
    /// Of `features`, `[count, dim]` row by row, and `outcomes`, `[count]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many rows as outcomes.
    pub fn new(features: Vec<f64>, outcomes: Vec<bool>, prior: Prior) -> Result<Self> {
        if outcomes.is_empty() || features.is_empty() || !features.len().is_multiple_of(outcomes.len()) {
            let fix = "give every outcome a row of features";
            return Err(Error::shape("rows of features", outcomes.len(), features.len(), fix));
        }
        let dim = features.len() / outcomes.len();
        Ok(Self { features, outcomes, dim, prior })
    }

    /// The same with columns divided by their standard deviation (of the population; a constant one is left), about their
    /// means if `centred`, and a column of ones before them.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn standardised(features: &[f64], outcomes: Vec<bool>, centred: bool, prior: Prior) -> Result<Self> {
        let count = outcomes.len().max(1);
        let dim = features.len() / count;
        let column = |j: usize| features.iter().skip(j).step_by(dim.max(1));
        let moments = |j: usize| {
            let mean = column(j).sum::<f64>() / count as f64;
            let var = column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
            (if centred { mean } else { 0.0 }, if var > 0.0 { var.sqrt() } else { 1.0 })
        };
        let moments: Vec<(f64, f64)> = (0..dim).map(moments).collect();
        let row = |row: &[f64]| {
            let scaled = row.iter().zip(&moments).map(|(x, (mean, std))| (x - mean) / std);
            std::iter::once(1.0).chain(scaled).collect::<Vec<f64>>()
        };
        Self::new(features.chunks_exact(dim.max(1)).flat_map(row).collect(), outcomes, prior)
    }
}

impl PointDensity for LogisticRegression {
    fn dim(&self) -> usize {
        self.dim
    }

    fn value_and_gradient(&self, w: &[f64], gradient: &mut [f64]) -> f64 {
        let mut value = 0.0;
        gradient.fill(0.0);
        if let Prior::Normal(var) = self.prior {
            for (w, slope) in w.iter().zip(gradient.iter_mut()) {
                let (log, derivative) = log_normal(*w, var);
                value += log;
                *slope += derivative;
            }
        }
        for (x, outcome) in self.features.chunks_exact(self.dim).zip(&self.outcomes) {
            let sign = if *outcome { 1.0 } else { -1.0 };
            let margin = sign * x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>();
            value -= softplus(-margin);
            let weight = sign * sigmoid(-margin);
            gradient.iter_mut().zip(x).for_each(|(slope, x)| *slope += weight * x);
        }
        value
    }
}

impl Target for LogisticRegression {}
