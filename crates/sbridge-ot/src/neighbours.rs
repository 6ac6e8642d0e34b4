//! Nearest neighbours by brute force: the k closest points of one cloud to each point of another.
//!
//! Tiles of ‖q‖² + ‖b‖² − 2⟨q, b⟩ come from matrix products; the distances of the points found are
//! then summed again from differences. Which points are found can depend on rounding only where two differ in
//! squared distance by less than 10⁻¹⁵ of the squared diameter.
//!
//! Tests: equal to sorting all distances; a point is not its own neighbour; any number of threads.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::error::{OtError, Result, require_same_dim};
use crate::points::Points;
use crate::simd::vectorised;

/// Queries per tile.
const QUERIES: usize = 64;

/// Base points per tile: a tile of 64 × 1024 values takes half a megabyte, within the second-level cache.
const BASE: usize = 1024;

/// The k nearest points to each query, nearest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// Number of neighbours per query.
    pub k: usize,
    /// Euclidean distances, `[queries, k]`, row-major, ascending in each row.
    pub distances: Vec<f64>,
    /// Rows of the base cloud, `[queries, k]`.
    pub indices: Vec<usize>,
}

impl Neighbours {
    /// Distance of each query to its k-th neighbour, `[queries]`.
    pub fn farthest_distances(&self) -> Vec<f64> {
        self.distances.chunks_exact(self.k).map(|row| row[self.k - 1]).collect()
    }
}

/// The `k` points of `base` nearest to each point of `queries`.
///
/// Equal distances are ordered by index. O(queries · base · dim) time.
///
/// # Errors
/// If the dimensions differ, or `k` is 0 or larger than `base`.
pub fn nearest_neighbours(queries: &Points, base: &Points, k: usize) -> Result<Neighbours> {
    search(queries, base, k, base.len(), |_, _| false)
}

/// The `k` points of a cloud nearest to each of its points, itself excluded (copies of it are not).
///
/// # Errors
/// If `k` is 0 or there are no `k` other points.
pub fn nearest_neighbours_within(points: &Points, k: usize) -> Result<Neighbours> {
    search(points, points, k, points.len() - 1, |query, base| query == base)
}

fn search(
    queries: &Points,
    base: &Points,
    k: usize,
    available: usize,
    excluded: impl Fn(usize, usize) -> bool + Sync,
) -> Result<Neighbours> {
    require_same_dim(queries.dim(), base.dim())?;
    if k == 0 {
        return Err(OtError::Setting { name: "k", requirement: "at least 1", value: 0.0, fix: "" });
    }
    if k > available {
        return Err(OtError::TooFewPoints { what: "k nearest neighbours", needed: k, got: available });
    }
    let nearest = scan(
        queries,
        base,
        |_| Nearest::new(k),
        |nearest, query, first, squared| {
            nearest.offer(squared, first, |index| excluded(query, index));
        },
    );
    let rows: Vec<Vec<(f64, usize)>> = nearest
        .into_par_iter()
        .enumerate()
        .map(|(i, nearest)| nearest.with_exact_distances(queries.row(i), base))
        .collect();
    let (distances, indices) = rows.into_iter().flatten().unzip();
    Ok(Neighbours { k, distances, indices })
}

/// The k least squared distances seen so far, ascending.
struct Nearest {
    k: usize,
    nearest: Vec<(f64, usize)>,
}

impl Nearest {
    fn new(k: usize) -> Self {
        Self { k, nearest: Vec::with_capacity(k + 1) }
    }

    /// The squared distance a candidate must beat.
    fn bound(&self) -> f64 {
        if self.nearest.len() < self.k { f64::INFINITY } else { self.nearest[self.k - 1].0 }
    }

    /// Consider base points `first..` at these squared distances.
    fn offer(&mut self, squared: &[f64], first: usize, excluded: impl Fn(usize) -> bool) {
        /// Candidates tested by one vector comparison; nearly all groups are passed over.
        const GROUP: usize = 32;
        for (group, candidates) in squared.chunks(GROUP).enumerate() {
            let bound = self.bound();
            if !vectorised(
                #[inline(always)]
                || candidates.iter().fold(false, |any, d| any | (*d < bound)),
            ) {
                continue;
            }
            for (offset, d) in candidates.iter().enumerate() {
                let index = first + group * GROUP + offset;
                if *d < self.bound() && !excluded(index) {
                    self.insert(*d, index);
                }
            }
        }
    }

    fn insert(&mut self, squared: f64, index: usize) {
        let place = self.nearest.partition_point(|(d, _)| *d <= squared);
        self.nearest.insert(place, (squared, index));
        self.nearest.truncate(self.k);
    }

    /// Euclidean distances of the points found, from differences.
    fn with_exact_distances(self, query: &[f64], base: &Points) -> Vec<(f64, usize)> {
        let exact = |index: usize| {
            let squared: f64 = query.iter().zip(base.row(index)).map(|(q, b)| (q - b) * (q - b)).sum();
            (squared.sqrt(), index)
        };
        let mut nearest: Vec<(f64, usize)> =
            self.nearest.into_iter().map(|(_, index)| exact(index)).collect();
        nearest.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        nearest
    }
}

/// Fold each query's squared distances to all base points, in order of base: `visit(state, query, first, squared)`.
pub(crate) fn scan<S: Send>(
    queries: &Points,
    base: &Points,
    init: impl Fn(usize) -> S + Sync,
    visit: impl Fn(&mut S, usize, usize, &[f64]) + Sync,
) -> Vec<S> {
    // About the mean of the base, the norms that cancel are as small as they can be.
    let centre = base.mean();
    let (queries, base) = (Centred::new(queries, &centre), Centred::new(base, &centre));
    let blocks: Vec<Vec<S>> = (0..queries.norms.len())
        .step_by(QUERIES)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|first_query| scan_block(&queries, &base, first_query, &init, &visit))
        .collect();
    blocks.into_iter().flatten().collect()
}

/// A cloud about a centre, with squared norms.
struct Centred {
    data: Vec<f64>,
    norms: Vec<f64>,
    dim: usize,
}

impl Centred {
    fn new(points: &Points, centre: &[f64]) -> Self {
        let dim = points.dim();
        let data: Vec<f64> =
            points.rows().flat_map(|row| row.iter().zip(centre).map(|(x, c)| x - c)).collect();
        let norms = data.chunks_exact(dim).map(|row| row.iter().map(|x| x * x).sum()).collect();
        Self { data, norms, dim }
    }

    /// Rows `first..first + len` as columns of a matrix.
    fn columns(&self, first: usize, len: usize) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.data[first * self.dim..(first + len) * self.dim], self.dim, len)
    }
}

/// The fold for up to 64 queries.
fn scan_block<S>(
    queries: &Centred,
    base: &Centred,
    first_query: usize,
    init: &impl Fn(usize) -> S,
    visit: &impl Fn(&mut S, usize, usize, &[f64]),
) -> Vec<S> {
    let n_queries = QUERIES.min(queries.norms.len() - first_query);
    let mut states: Vec<S> = (first_query..first_query + n_queries).map(init).collect();
    let mut tile = vec![0.0; n_queries * BASE];
    for first in (0..base.norms.len()).step_by(BASE) {
        let width = BASE.min(base.norms.len() - first);
        let tile = &mut tile[..n_queries * width];
        let product = MatMut::from_column_major_slice_mut(&mut *tile, width, n_queries);
        let (left, right) = (base.columns(first, width), queries.columns(first_query, n_queries));
        matmul(product, Accum::Replace, left.transpose(), right, -2.0, Par::Seq);
        for (i, row) in tile.chunks_exact_mut(width).enumerate() {
            let query = first_query + i;
            add_norms(row, queries.norms[query], &base.norms[first..first + width]);
            visit(&mut states[i], query, first, row);
        }
    }
    states
}

/// −2⟨q, b⟩ → ‖q − b‖², not below zero.
fn add_norms(products: &mut [f64], query_norm: f64, base_norms: &[f64]) {
    vectorised(
        #[inline(always)]
        || {
            for (d, norm) in products.iter_mut().zip(base_norms) {
                *d = crate::simd::greater(*d + (query_norm + norm), 0.0);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gaussian::Gaussian;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn normal(n: usize, seed: u64) -> Points {
        let law = Gaussian::isotropic(vec![5.0, -3.0, 0.0], 1.0).unwrap();
        law.sample(n, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn they_are_the_head_of_the_sorted_distances() {
        let (queries, base) = (normal(70, 1), normal(1100, 2)); // more than one tile both ways
        let nearest = nearest_neighbours(&queries, &base, 5).unwrap();
        for (i, q) in queries.rows().enumerate() {
            let distance = |b: &[f64]| q.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
            let mut all: Vec<(f64, usize)> = base.rows().enumerate().map(|(j, b)| (distance(b), j)).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (rank, (expected, index)) in all[..5].iter().enumerate() {
                assert_eq!(nearest.indices[i * 5 + rank], *index);
                assert!((nearest.distances[i * 5 + rank] - expected).abs() < 1e-14); // one formula, two orders
            }
        }
    }

    #[test]
    fn a_point_is_not_its_own_neighbour_but_its_copy_is() {
        let points = Points::new(vec![0.0, 1.0, 1.0, 5.0], 1).unwrap();
        let nearest = nearest_neighbours_within(&points, 1).unwrap();
        assert_eq!(nearest.indices, [1, 2, 1, 1]);
        assert_eq!(nearest.distances, [1.0, 0.0, 0.0, 4.0]);
    }

    #[test]
    fn too_many_neighbours_are_refused() {
        let points = normal(5, 1);
        assert!(nearest_neighbours(&points, &points, 5).is_ok());
        assert!(matches!(nearest_neighbours_within(&points, 5), Err(OtError::TooFewPoints { got: 4, .. })));
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let (queries, base) = (normal(200, 3), normal(300, 4));
        let nearest = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| nearest_neighbours(&queries, &base, 3).unwrap())
        };
        assert_eq!(nearest(1), nearest(3));
    }
}
