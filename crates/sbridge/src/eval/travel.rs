//! How straight paths are, and how fast.

use crate::tensor::{Tensor, to_vec_f64};

/// How points travel, coordinate by coordinate, in their units: told of where they are, one time after the other.
#[derive(Clone, Debug)]
pub struct Travel {
    dt: f64,
    place: Option<Tensor<2>>,
    velocity: Option<Tensor<2>>,
    /// Means over points of squared velocities and of |second differences|/dt², at each time.
    squares: Vec<Vec<f64>>,
    bends: Vec<Vec<f64>>,
}

impl Travel {
    /// Of points that are seen every `dt`.
    pub fn every(dt: f64) -> Self {
        Self { dt, place: None, velocity: None, squares: Vec::new(), bends: Vec::new() }
    }

    /// Now they are at `x`, `[count, dim]`.
    pub fn observe(&mut self, x: &Tensor<2>) {
        let mean = |values: Tensor<2>| to_vec_f64(values.mean_dim(0));
        if let Some(before) = self.place.replace(x.clone()) {
            let velocity = (x.clone() - before) / self.dt;
            self.squares.push(mean(velocity.clone().powi_scalar(2)));
            if let Some(before) = self.velocity.replace(velocity.clone()) {
                self.bends.push(mean((velocity - before).abs() / self.dt));
            }
        }
    }

    /// Mean |second difference|/dt², zero for uniform motion; of three times or more.                     \[VSDM, §6.1\]
    pub fn straightness(&self) -> Vec<f64> {
        over_time(&self.bends)
    }

    /// Mean squared velocity; of two times or more.
    pub fn kinetic(&self) -> Vec<f64> {
        over_time(&self.squares)
    }
}

fn over_time(means: &[Vec<f64>]) -> Vec<f64> {
    let dim = means.first().map_or(0, Vec::len);
    (0..dim).map(|j| means.iter().map(|row| row[j]).sum::<f64>() / means.len() as f64).collect()
}
