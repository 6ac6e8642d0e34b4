//! Exact distances, on as many points as are quick to match.

use sbridge_ot::{Points, wasserstein1_weighted, wasserstein2_weighted};
use serde::Serialize;

use super::weighted::{Side, part_of};
use crate::error::Result;

/// Pairs of points between which a plan is found in a second or two.
const QUICK_PAIRS: usize = 4_000_000;

/// Exact W1 and W2.
#[derive(Clone, Debug, Serialize)]
pub struct Exact {
    /// W1, the mean distance of the cheapest plan for it.
    pub exact_w1: f64,
    /// W2, the root of the least mean squared distance.
    pub exact_w2: f64,
    /// Points of the source and of the target that were used.
    pub exact_points: [usize; 2],
    /// How they were found, in a word: matched, transported or sorted.
    pub exact_method: &'static str,
}

/// A cloud and its weights.
pub(super) type Weighted = (Points, Vec<f64>);

/// Between all points on the line, elsewhere between `parts`, thinned unless all pairs are asked for.
pub(super) fn exact(sides: &[Side; 2], parts: &[Weighted; 2], most_pairs: Option<usize>) -> Result<Exact> {
    if sides[0].points.dim() == 1 {
        let [x, y] = sides.each_ref().map(|side| (&side.points, &side.weights[..]));
        return between(x, y, "sorted");
    }
    let sizes =
        sizes([&parts[0], &parts[1]].map(|(points, _)| points.len()), most_pairs.unwrap_or(QUICK_PAIRS));
    let [x, y] = [0, 1].map(|side| thinned(&parts[side], sizes[side]));
    let is_equal = |(_, weights): &Weighted| weights.iter().all(|w| *w == weights[0]);
    let is_matching = sizes[0] == sizes[1] && is_equal(&x) && is_equal(&y);
    between((&x.0, &x.1), (&y.0, &y.1), if is_matching { "matched" } else { "transported" })
}

fn between(x: (&Points, &[f64]), y: (&Points, &[f64]), method: &'static str) -> Result<Exact> {
    let (w1, w2) = rayon::join(
        || wasserstein1_weighted(x.0, y.0, x.1, y.1),
        || wasserstein2_weighted(x.0, y.0, x.1, y.1),
    );
    Ok(Exact { exact_w1: w1?, exact_w2: w2?, exact_points: [x.0.len(), y.0.len()], exact_method: method })
}

/// How many points of each side make at most so many pairs; the smaller side is kept whole as long as it can be.
fn sizes([n, m]: [usize; 2], most_pairs: usize) -> [usize; 2] {
    let square = most_pairs.isqrt();
    match (n <= square, m <= square) {
        _ if n.saturating_mul(m) <= most_pairs => [n, m],
        (true, _) => [n, most_pairs / n],
        (_, true) => [most_pairs / m, m],
        _ => [square, square],
    }
}

/// Points at even strides: they come in random order where some were left out before, else in that of the file.
fn thinned(part: &Weighted, count: usize) -> Weighted {
    let all = part.0.len();
    let chosen: Vec<usize> = (0..count).map(|i| i * all / count).collect();
    match part_of(&part.0, &part.1, &chosen) {
        Some(thinned) if count < all => thinned,
        _ => part.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_side_is_kept_whole() {
        assert_eq!(sizes([5, 960], 4_000_000), [5, 960]);
        assert_eq!(sizes([5, 4_000_000], 4_000_000), [5, 800_000]);
        assert_eq!(sizes([5000, 1000], 4_000_000), [4000, 1000]);
        assert_eq!(sizes([5000, 5000], 4_000_000), [2000, 2000]);
    }
}
