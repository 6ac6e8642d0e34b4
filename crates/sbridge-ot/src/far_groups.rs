//! Groups of points so far from each other that no optimal plan leads from one to another.
//!
//! Beside distances of 10¹⁶ those within a group vanish in rounding: potentials along a tree that holds both lose them. If
//! every group has the same mass on both sides, though, each is a problem of its own: mass that crossed a gap g costs g²,
//! and saves the squares of diameters, far below it.
//!
//! Tests: pairs at 10¹⁶ are split off; groups within groups; nothing is split where masses do not balance.

use crate::points::Points;

/// Least ratio of the gaps between groups to the widest group that is between them.
const FAR: f64 = 1e6;

/// Gaps down to this share of the widest separate groups.
const COMPARABLE: f64 = 1e-2;

/// Points of both clouds that go to each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) rows: Vec<usize>,
    pub(crate) columns: Vec<usize>,
}

/// All points in as many groups as distances tell apart and masses allow.
pub(crate) fn far_groups(x: &Points, y: &Points, a: &[i128], b: &[i128]) -> Vec<Group> {
    let mut found = Vec::new();
    let all = Group { rows: (0..x.len()).collect(), columns: (0..y.len()).collect() };
    let mut open = vec![all];
    while let Some(group) = open.pop() {
        let parts = split(&group, x, y);
        let is_balanced = |part: &Group| {
            let mass = |places: &[usize], of: &[i128]| places.iter().map(|&i| of[i]).sum::<i128>();
            mass(&part.rows, a) == mass(&part.columns, b)
        };
        match parts.len() > 1 && parts.iter().all(is_balanced) {
            true => open.extend(parts),
            false => found.push(group),
        }
    }
    found
}

/// A point's coordinate along which a group is split, and where it is kept.
struct Place {
    coordinate: f64,
    index: usize,
    is_row: bool,
}

/// The parts between the widest gaps along the widest coordinate, or the group if these are not wide.
fn split(group: &Group, x: &Points, y: &Points) -> Vec<Group> {
    let (axis, _) = widest(group, x, y);
    let place =
        |points: &Points, index: usize, is_row| Place { coordinate: points.row(index)[axis], index, is_row };
    let rows = group.rows.iter().map(|&i| place(x, i, true));
    let mut places: Vec<Place> = rows.chain(group.columns.iter().map(|&j| place(y, j, false))).collect();
    places.sort_unstable_by(|a, b| a.coordinate.total_cmp(&b.coordinate));
    let gap = |pair: &[Place]| pair[1].coordinate - pair[0].coordinate;
    let most = places.windows(2).map(gap).fold(0.0, f64::max);
    let parts: Vec<Group> = places
        .chunk_by(|a, b| b.coordinate - a.coordinate < COMPARABLE * most)
        .map(|part| {
            let of = |side: bool| part.iter().filter(|p| p.is_row == side).map(|p| p.index).collect();
            Group { rows: of(true), columns: of(false) }
        })
        .collect();
    let is_narrow = |part: &Group| widest(part, x, y).1 * FAR <= COMPARABLE * most;
    if most > 0.0 && parts.iter().all(is_narrow) { parts } else { vec![group.clone()] }
}

/// The coordinate in which a group is widest, and how wide it is there.
fn widest(group: &Group, x: &Points, y: &Points) -> (usize, f64) {
    let extent = |axis: usize| {
        let rows = group.rows.iter().map(|&i| x.row(i)[axis]);
        let coordinates = rows.chain(group.columns.iter().map(|&j| y.row(j)[axis]));
        let (least, most) = coordinates
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), c| (least.min(c), most.max(c)));
        most - least
    };
    (0..x.dim())
        .map(|axis| (axis, extent(axis)))
        .fold((0, 0.0), |best, of| if of.1 > best.1 { of } else { best })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(values: &[f64]) -> Points {
        Points::new(values.to_vec(), 1).unwrap()
    }

    fn sizes(x: &[f64], y: &[f64], a: &[i128], b: &[i128]) -> Vec<[usize; 2]> {
        let groups = far_groups(&line(x), &line(y), a, b);
        let mut sizes: Vec<[usize; 2]> = groups.iter().map(|g| [g.rows.len(), g.columns.len()]).collect();
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn balanced_groups_are_split_and_others_are_not() {
        let (x, y) = ([0.0, 1.0, 1e16], [0.5, 1e16, 1e16, 2.0]);
        assert_eq!(sizes(&x, &y, &[2, 2, 2], &[2, 1, 1, 2]), [[1, 2], [2, 2]]);
        assert_eq!(sizes(&x, &y, &[2, 2, 2], &[2, 2, 1, 1]), [[3, 4]]);
        assert_eq!(sizes(&[0.0, 1.0], &[0.0, 1.0], &[1, 1], &[1, 1]), [[1, 1], [1, 1]]);
    }

    #[test]
    fn groups_lie_within_groups_and_beside_each_other() {
        let x = [0.0, 1.0, 1e9, 2e9, 1e18];
        assert_eq!(sizes(&x, &x, &[1; 5], &[1; 5]), [[1, 1]; 5]);
        let spread = [0.0, 1.0, 1.5, 3.0];
        assert_eq!(sizes(&spread, &[0.1, 1.2, 1.4, 2.0], &[1; 4], &[1; 4]), [[4, 4]]);
    }
}
