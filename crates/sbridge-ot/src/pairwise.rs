//! Squared distances ‖xᵢ − yⱼ‖² between clouds, a block of columns at a time, and means over pairs.
//!
//! Distances are summed from differences, never from ‖x‖² + ‖y‖² − 2⟨x, y⟩: the expansion loses half the digits
//! of the distance between close points. Row sums run in parallel and are added in order, so no result
//! depends on the number of threads.

use rayon::prelude::*;

use crate::points::Points;
use crate::simd::{sum, vectorised};

/// Columns worked on at once: with its accumulators a block stays in the first-level cache.
const BLOCK: usize = 256;

/// Points whose distances are summed at once: four AVX2 registers.
const GROUP: usize = 16;

/// A cloud stored coordinate by coordinate, so that a loop over points reads consecutive memory.
pub(crate) struct Columns {
    coordinates: Vec<f64>,
    len: usize,
}

impl Columns {
    /// Transpose a cloud.
    pub(crate) fn new(points: &Points) -> Self {
        let (n, dim) = (points.len(), points.dim());
        let mut coordinates = vec![0.0; n * dim];
        for (i, row) in points.rows().enumerate() {
            for (k, x) in row.iter().enumerate() {
                coordinates[k * n + i] = *x;
            }
        }
        Self { coordinates, len: n }
    }

    /// Number of points.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Write ‖x − y_{first + j}‖² into `out[j]`.
    #[inline(always)]
    pub(crate) fn squared_distances(&self, x: &[f64], first: usize, out: &mut [f64]) {
        let (groups, rest) = out.as_chunks_mut::<GROUP>();
        for (g, group) in groups.iter_mut().enumerate() {
            *group = self.group_distances(x, first + g * GROUP);
        }
        let first_of_rest = first + groups.len() * GROUP;
        for (j, squared) in rest.iter_mut().enumerate() {
            let column = first_of_rest + j;
            *squared = x
                .iter()
                .zip(self.coordinates[column..].iter().step_by(self.len))
                .fold(0.0, |sum, (xk, yk)| sum + (xk - yk) * (xk - yk));
        }
    }

    /// ‖x − y_{first + j}‖² for one group of points, its sums held in registers over all coordinates.
    #[inline(always)]
    fn group_distances(&self, x: &[f64], first: usize) -> [f64; GROUP] {
        let mut sums = [0.0; GROUP];
        for (xk, column) in x.iter().zip(self.coordinates.chunks_exact(self.len)) {
            let Some(group) = column[first..].first_chunk::<GROUP>() else {
                break;
            };
            for (sum, yk) in sums.iter_mut().zip(group) {
                let difference = xk - yk;
                *sum += difference * difference;
            }
        }
        sums
    }

    /// Call `visit(first, squared_distances)` for consecutive blocks covering the first `len` points.
    #[inline(always)]
    pub(crate) fn for_each_block(&self, x: &[f64], len: usize, mut visit: impl FnMut(usize, &mut [f64])) {
        let mut block = [0.0; BLOCK];
        for first in (0..len).step_by(BLOCK) {
            let width = BLOCK.min(len - first);
            self.squared_distances(x, first, &mut block[..width]);
            visit(first, &mut block[..width]);
        }
    }

    /// Sum of `kernel` over the distances from `x` to the first `len` points.
    fn kernel_sum(&self, x: &[f64], len: usize, kernel: &impl Kernel) -> f64 {
        vectorised(
            #[inline(always)]
            || {
                let mut total = 0.0;
                self.for_each_block(
                    x,
                    len,
                    #[inline(always)]
                    |_, block| {
                        kernel.apply(block);
                        total += sum(block);
                    },
                );
                total
            },
        )
    }
}

/// What it costs to move a unit of mass, from the square of how far.
pub(crate) trait Cost {
    /// The cost; mark it `#[inline(always)]`.
    fn of(squared_distance: f64) -> f64;
}

/// ½‖x − y‖².
pub(crate) struct HalfSquare;

impl Cost for HalfSquare {
    #[inline(always)]
    fn of(squared_distance: f64) -> f64 {
        0.5 * squared_distance
    }
}

/// ‖x − y‖.
pub(crate) struct Distance;

impl Cost for Distance {
    #[inline(always)]
    fn of(squared_distance: f64) -> f64 {
        squared_distance.sqrt()
    }
}

/// A function of the squared distance of two points.
pub(crate) trait Kernel: Sync {
    /// Replace squared distances by values; mark it `#[inline(always)]`.
    fn apply(&self, squared_distances: &mut [f64]);
}

/// Mean of the kernel over all pairs (xᵢ, yⱼ).
pub(crate) fn mean_between(x: &Points, y: &Points, kernel: &impl Kernel) -> f64 {
    let columns = Columns::new(y);
    let rows: Vec<f64> =
        (0..x.len()).into_par_iter().map(|i| columns.kernel_sum(x.row(i), y.len(), kernel)).collect();
    sum(&rows) / (x.len() as f64 * y.len() as f64)
}

/// Mean of the kernel over all pairs of different points of one cloud: unbiased for independent points.
pub(crate) fn mean_within(x: &Points, kernel: &impl Kernel) -> f64 {
    let columns = Columns::new(x);
    let rows: Vec<f64> =
        (0..x.len()).into_par_iter().map(|i| columns.kernel_sum(x.row(i), i, kernel)).collect();
    let n = x.len() as f64;
    2.0 * sum(&rows) / (n * (n - 1.0))
}
