//! Bayesian logistic regression: y ~ Bernoulli(σ(x·w)), w ~ N(0, τ² I) or flat.

use faer::MatRef;
use rayon::prelude::*;
use sbridge_ot::exponentials;
use sbridge_ot::matrix::times;

use super::log_normal;
use crate::density::{LogDensity, Target, numbered};
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
    names: Vec<String>,
    log_normaliser: Option<(f64, f64)>,
}

/// What is done to columns of features before they are regressed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Design {
    /// Whether the mean of a column is subtracted.
    pub centred: bool,
    /// Whether a column is divided by its standard deviation, of the population; a constant one is left.
    pub scaled: bool,
    /// Whether a column of ones goes before them.
    pub intercept: bool,
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
        Ok(Self { features, outcomes, dim, prior, names: numbered(dim), log_normaliser: None })
    }

    /// The same with columns divided by their standard deviation (of the population; a constant one is left), about their
    /// means if `centred`, and a column of ones before them.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn standardised(features: &[f64], outcomes: Vec<bool>, centred: bool, prior: Prior) -> Result<Self> {
        Self::designed(features, outcomes, Design { centred, scaled: true, intercept: true }, prior)
    }

    /// The same with columns as `design` says.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn designed(features: &[f64], outcomes: Vec<bool>, design: Design, prior: Prior) -> Result<Self> {
        let count = outcomes.len().max(1);
        let dim = features.len() / count;
        let column = |j: usize| features.iter().skip(j).step_by(dim.max(1));
        let moments = |j: usize| {
            let mean = column(j).sum::<f64>() / count as f64;
            let var = column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
            let spread = if design.scaled && var > 0.0 { var.sqrt() } else { 1.0 };
            (if design.centred { mean } else { 0.0 }, spread)
        };
        let moments: Vec<(f64, f64)> = (0..dim).map(moments).collect();
        let row = |row: &[f64]| {
            let scaled = row.iter().zip(&moments).map(|(x, (mean, std))| (x - mean) / std);
            design.intercept.then_some(1.0).into_iter().chain(scaled).collect::<Vec<f64>>()
        };
        Self::new(features.chunks_exact(dim.max(1)).flat_map(row).collect(), outcomes, prior)
    }

    /// The same with `names` of the weights, `[dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many as weights.
    pub fn named(self, names: Vec<String>) -> Result<Self> {
        if names.len() != self.dim {
            return Err(Error::shape("names", self.dim, names.len(), "give every weight a name"));
        }
        Ok(Self { names, ..self })
    }

    /// The same, of which ln Z is known up to an error.
    #[must_use]
    pub fn with_log_normaliser(self, value: f64, error: f64) -> Self {
        Self { log_normaliser: Some((value, error)), ..self }
    }
}

/// Weights that are evaluated together: two products of matrices are many times as fast as one by one.
const BLOCK: usize = 64;

/// Numbers in (1, 2] whose product stays below the largest number.
const FACTORS: usize = 1000;

impl LogisticRegression {
    /// Σ ln(1 + e^−m) of signed `margins` m; they become signed slopes 1/(1 + e^m). One exponential an outcome, and a logarithm
    /// for many.
    fn losses(&self, margins: &mut [f64]) -> f64 {
        let signs = || self.outcomes.iter().map(|outcome| if *outcome { 1.0 } else { -1.0 });
        margins.iter_mut().zip(signs()).for_each(|(margin, sign)| *margin *= sign);
        let mut tails: Vec<f64> = margins.iter().map(|margin| -margin.abs()).collect();
        exponentials(&mut tails);
        let product = |tails: &[f64]| tails.iter().map(|tail| 1.0 + tail).product::<f64>().ln();
        let logs: f64 = tails.chunks(FACTORS).map(product).sum();
        // ½(|m| − m) is what is below zero, and no number where m is none.
        let loss = logs + margins.iter().map(|margin| 0.5 * (margin.abs() - margin)).sum::<f64>();
        for ((margin, tail), sign) in margins.iter_mut().zip(tails).zip(signs()) {
            let small = if *margin < 0.0 { 1.0 } else { tail };
            *margin = sign * small / (1.0 + tail);
        }
        loss
    }

    /// ln ρ of a block of `weights`, `[count, dim]`, and its gradient.
    fn of_block(&self, weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (dim, count) = (self.dim, weights.len() / self.dim);
        let features = MatRef::from_row_major_slice(&self.features, self.outcomes.len(), dim);
        let weights = MatRef::from_column_major_slice(weights, dim, count);
        let mut margins = times(features, weights);
        let mut values = vec![0.0; count];
        for (k, value) in values.iter_mut().enumerate() {
            *value = -self.losses(margins.col_as_slice_mut(k));
        }
        let mut slopes = times(features.transpose(), margins.as_ref());
        if let Prior::Normal(var) = self.prior {
            for (k, value) in values.iter_mut().enumerate() {
                for j in 0..dim {
                    let (log, derivative) = log_normal(weights[(j, k)], var);
                    *value += log;
                    slopes[(j, k)] += derivative;
                }
            }
        }
        let slopes = slopes.col_iter().flat_map(|column| column.iter().copied().collect::<Vec<f64>>());
        (values, slopes.collect())
    }
}

impl LogDensity for LogisticRegression {
    fn dim(&self) -> usize {
        self.dim
    }

    fn values(&self, states: &[f64]) -> Result<Vec<f64>> {
        Ok(self.values_and_gradients(states)?.0)
    }

    fn values_and_gradients(&self, states: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let blocks: Vec<(Vec<f64>, Vec<f64>)> =
            states.par_chunks(BLOCK * self.dim).map(|block| self.of_block(block)).collect();
        let (values, gradients): (Vec<_>, Vec<_>) = blocks.into_iter().unzip();
        Ok((values.concat(), gradients.concat()))
    }

    fn has_gradient(&self) -> bool {
        true
    }

    fn names(&self) -> Vec<String> {
        self.names.clone()
    }
}

impl Target for LogisticRegression {
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        self.log_normaliser
    }
}
