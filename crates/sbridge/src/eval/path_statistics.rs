//! How straight paths are, and how fast.

use crate::tensor::{Tensor, to_vec_f64};

/// Straightness and kinetic energy of paths, coordinate by coordinate, in their units, from their states at one time after
/// the other.
#[derive(Clone, Debug)]
pub struct PathStatistics {
    dt: f64,
    position: Option<Tensor<2>>,
    velocity: Option<Tensor<2>>,
    /// Means over points of squared velocities and of |second differences|/dt², at each time.
    squares: Vec<Vec<f64>>,
    second_differences: Vec<Vec<f64>>,
}

impl PathStatistics {
    /// Of paths whose states are `dt` apart.
    pub fn new(dt: f64) -> Self {
        Self { dt, position: None, velocity: None, squares: Vec::new(), second_differences: Vec::new() }
    }

    /// Adds their states at the next time, `x: [count, dim]`.
    pub fn observe(&mut self, x: &Tensor<2>) {
        let mean = |values: Tensor<2>| to_vec_f64(values.mean_dim(0));
        if let Some(before) = self.position.replace(x.clone()) {
            let velocity = (x.clone() - before) / self.dt;
            self.squares.push(mean(velocity.clone().powi_scalar(2)));
            if let Some(before) = self.velocity.replace(velocity.clone()) {
                self.second_differences.push(mean((velocity - before).abs() / self.dt));
            }
        }
    }

    /// Mean |second difference|/dt², `[dim]`, zero for uniform motion; of three times or more.                 \[VSDM, §6.1\]
    pub fn straightness(&self) -> Vec<f64> {
        mean_over_time(&self.second_differences)
    }

    /// Mean squared velocity, `[dim]`; of two times or more.
    pub fn kinetic_energy(&self) -> Vec<f64> {
        mean_over_time(&self.squares)
    }
}

fn mean_over_time(means: &[Vec<f64>]) -> Vec<f64> {
    let dim = means.first().map_or(0, Vec::len);
    (0..dim).map(|j| means.iter().map(|row| row[j]).sum::<f64>() / means.len() as f64).collect()
}
