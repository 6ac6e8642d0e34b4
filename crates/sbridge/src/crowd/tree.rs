//! The points of a cloud nearest to a place, by halving along the widest coordinate.

use crate::crowd::squared_distance;

/// Points that are looked through one by one.
const LEAF: usize = 16;

/// Points `[count, dim]` in the order of a tree.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    dim: usize,
    points: Vec<f64>,
    /// The axis along which each inner stretch of points was halved, by its middle.
    axes: Vec<u32>,
}

impl Tree {
    pub(super) fn new(points: &[f64], dim: usize) -> Self {
        let count = points.len() / dim;
        let mut order: Vec<usize> = (0..count).collect();
        let mut axes = vec![0; count];
        halve(points, dim, &mut order, 0, &mut axes);
        let points = order.iter().flat_map(|i| points[i * dim..(i + 1) * dim].iter().copied()).collect();
        Self { dim, points, axes }
    }

    pub(super) fn len(&self) -> usize {
        self.axes.len()
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    pub(super) fn point(&self, i: usize) -> &[f64] {
        &self.points[i * self.dim..(i + 1) * self.dim]
    }

    /// Squared distances and places of the `count` points nearest to `x`, the nearest first, into `found`.
    pub(super) fn nearest(&self, x: &[f64], count: usize, found: &mut Vec<(f64, usize)>) {
        found.clear();
        self.look(x, count.min(self.len()), 0..self.len(), found);
    }

    fn look(&self, x: &[f64], count: usize, stretch: std::ops::Range<usize>, found: &mut Vec<(f64, usize)>) {
        if stretch.len() <= LEAF {
            stretch.for_each(|i| self.offer(x, count, i, found));
            return;
        }
        let middle = stretch.start + stretch.len() / 2;
        let axis = self.axes[middle] as usize;
        let gap = x[axis] - self.point(middle)[axis];
        let (low, high) = (stretch.start..middle, middle + 1..stretch.end);
        let [near, far] = if gap < 0.0 { [low, high] } else { [high, low] };
        self.offer(x, count, middle, found);
        self.look(x, count, near, found);
        if found.len() < count || gap * gap < found[found.len() - 1].0 {
            self.look(x, count, far, found);
        }
    }

    fn offer(&self, x: &[f64], count: usize, i: usize, found: &mut Vec<(f64, usize)>) {
        let squared = squared_distance(x, self.point(i));
        if found.len() == count {
            if squared >= found[count - 1].0 {
                return;
            }
            found.pop();
        }
        let at = found.partition_point(|(other, _)| *other <= squared);
        found.insert(at, (squared, i));
    }
}

fn halve(points: &[f64], dim: usize, order: &mut [usize], offset: usize, axes: &mut [u32]) {
    if order.len() <= LEAF {
        return;
    }
    let span = |axis: &usize| {
        let values = order.iter().map(|i| points[i * dim + axis]);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
        high - low
    };
    let widest = (0..dim).max_by(|a, b| span(a).total_cmp(&span(b))).unwrap_or(0);
    let middle = order.len() / 2;
    order
        .select_nth_unstable_by(middle, |i, j| points[i * dim + widest].total_cmp(&points[j * dim + widest]));
    axes[offset + middle] = widest as u32;
    // The point in the middle stays there: it is where the halves part.
    let (low, high) = order.split_at_mut(middle);
    halve(points, dim, low, offset, axes);
    halve(points, dim, &mut high[1..], offset + middle + 1, axes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn the_nearest_points_are_those_of_a_full_search() {
        for dim in [1, 2, 5] {
            let mut rng = Rng::new(3);
            let points = rng.uniform(500 * dim, -1.0, 1.0);
            let tree = Tree::new(&points, dim);
            let mut found = Vec::new();
            for _ in 0..20 {
                let x = rng.uniform(dim, -1.5, 1.5);
                tree.nearest(&x, 7, &mut found);
                let mut all: Vec<f64> = points.chunks_exact(dim).map(|p| squared_distance(&x, p)).collect();
                all.sort_by(f64::total_cmp);
                assert_eq!(found.iter().map(|(d, _)| *d).collect::<Vec<_>>(), all[..7]);
            }
        }
    }
}
