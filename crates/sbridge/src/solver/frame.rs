//! The units a bridge between two samples is found in: each law about its own mean, both divided by one number.
//!
//! Moving a law moves the plan with it and dividing space by s divides ε by s², so the answer is that of the data.

use crate::bridge::Direction;
use crate::tensor::{Tensor, TensorData, column};

/// Two means and a divisor.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Means of source and target, `[dim]`.
    pub means: [Vec<f64>; 2],
    /// The common divisor: the root mean square deviation of both laws together.
    pub scale: f64,
}

impl Frame {
    /// The frame of two samples, `[count, dim]` each, row-major.
    pub fn of(source: &[f64], target: &[f64], dim: usize) -> Self {
        let means = [source, target].map(|rows| mean(rows, dim));
        let spread = |rows: &[f64], mean: &[f64]| {
            rows.chunks_exact(dim)
                .flat_map(|row| row.iter().zip(mean))
                .map(|(x, m)| (x - m).powi(2))
                .sum::<f64>()
        };
        let total = spread(source, &means[0]) + spread(target, &means[1]);
        let scale = (total / (source.len() + target.len()) as f64).sqrt();
        Self { means, scale: if scale > 0.0 { scale } else { 1.0 } }
    }

    /// The same unit about the origin: no mean is taken out, so the frame adds nothing to a drift.
    pub fn uncentred(source: &[f64], target: &[f64], dim: usize) -> Self {
        Self { scale: Self::of(source, target, dim).scale, ..Self::identity(dim) }
    }

    /// The unit of both laws together about their common mean: what a path between them that is not straight moves in.
    pub fn around(source: &[f64], target: &[f64], dim: usize) -> Self {
        let both = [source, target].concat();
        let Self { means: [common, _], scale } = Self::of(&both, &both, dim);
        Self { means: [common.clone(), common], scale }
    }

    /// The frame that changes nothing.
    pub fn identity(dim: usize) -> Self {
        Self { means: [vec![0.0; dim], vec![0.0; dim]], scale: 1.0 }
    }

    /// Mean of the bridge at time `t`, `[dim]`: it moves along a line.
    pub fn centre(&self, t: f64) -> Vec<f64> {
        self.means[0].iter().zip(&self.means[1]).map(|(a, b)| (1.0 - t) * a + t * b).collect()
    }

    /// Velocity of that mean in the clock of `direction`, `[dim]`.
    pub fn velocity(&self, direction: Direction) -> Vec<f64> {
        let [from, to] = direction.ends();
        self.centre(from).iter().zip(&self.centre(to)).map(|(start, end)| end - start).collect()
    }

    /// States at time `t`, `[batch, dim]` row-major, in this frame.
    pub fn apply(&self, t: f64, x: &[f64]) -> Vec<f64> {
        let centre = self.centre(t);
        x.iter().zip(centre.iter().cycle()).map(|(x, m)| (x - m) / self.scale).collect()
    }

    /// And back.
    pub fn undo(&self, t: f64, x: &[f64]) -> Vec<f64> {
        let centre = self.centre(t);
        x.iter().zip(centre.iter().cycle()).map(|(x, m)| x * self.scale + m).collect()
    }

    /// States at times of their own in this frame.
    ///
    /// # Shapes
    /// `t: [batch]`, `x: [batch, dim]`, result `[batch, dim]`.
    pub fn apply_rows(&self, t: &Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let start = row_like(&x, self.means[0].clone());
        let moved = row_like(&x, self.velocity(Direction::Forward));
        (x - start - column(t.clone()) * moved) / self.scale
    }

    /// Drifts of `direction` in this frame, `[batch, dim]`, as drifts of the data.
    pub fn undo_drift(&self, direction: Direction, v: Tensor<2>) -> Tensor<2> {
        let along = row_like(&v, self.velocity(direction));
        v * self.scale + along
    }
}

fn mean(rows: &[f64], dim: usize) -> Vec<f64> {
    let count = (rows.len() / dim) as f64;
    (0..dim).map(|j| rows.iter().skip(j).step_by(dim).sum::<f64>() / count).collect()
}

/// One row with type and device of `like`.
fn row_like(like: &Tensor<2>, values: Vec<f64>) -> Tensor<2> {
    let shape = [1, values.len()];
    Tensor::from_data(TensorData::new(values, shape), (&like.device(), like.dtype()))
}
