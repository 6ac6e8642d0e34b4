//! Walls that were not there when plans were learned: plans are pushed out of them.
//!
//! A plan is cut into pieces within closed cells. Each piece leaves by one side, the one that moves its rows least in the mean
//! square, so that it does not come to lie on both sides of a wall: the nearest plan, of those that leave each wall by one side.

use super::physics::{ABOVE, BELOW, RADIUS};
use super::{Cell, Layout, Row};

/// The columns of places and of velocities.
const PLACE: usize = 2;
const VELOCITY: usize = 4;

/// Towards smaller and larger coordinates of either axis.
const SIDES: [(usize, i64); 4] = [(0, -1), (0, 1), (1, -1), (1, 1)];

/// How far rows are pushed beyond a wall, in cells: more than f32 rounds.
const MARGIN: f64 = 1e-5;

/// Pushes the rows of a raw `plan` out of the squares of the cells `closed`, larger by the radius of the disc, and takes the
/// velocity into them away. `layout` has walls there. Both ends of the plan stay what they are, and so do rows that walls shut in.
pub fn push_out(layout: &Layout, closed: &[Cell], plan: &mut [Row]) {
    let inside: Vec<Option<Cell>> = plan.iter().map(|row| within(closed, row)).collect();
    let inner = inside.get(1..plan.len().saturating_sub(1)).unwrap_or_default();
    let mut from = 1;
    for piece in inner.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let until = from + piece.len();
        leave(layout, closed, piece, &mut plan[from..until]);
        from = until;
    }
}

/// The closed cell that the place of `row` is deepest in.
fn within(closed: &[Cell], row: &Row) -> Option<Cell> {
    let depth = |cell: &Cell| {
        SIDES
            .map(|(axis, way)| beyond(*cell, axis, way, row) * way as f64)
            .into_iter()
            .fold(f64::INFINITY, f64::min)
    };
    closed.iter().filter(|cell| depth(cell) > 0.0).max_by(|a, b| depth(a).total_cmp(&depth(b))).copied()
}

/// What leads from the place of `row` to the side of `cell`, with the disc beside it.
fn beyond(cell: Cell, axis: usize, way: i64, row: &Row) -> f64 {
    let reach = if way < 0 { -BELOW - RADIUS - MARGIN } else { ABOVE + RADIUS + MARGIN };
    cell[axis] as f64 + reach - row[PLACE + axis]
}

/// Moves a piece of a plan, whose rows are in the cells `inside`, to the side that is nearest to all of them; where no side is open
/// to all, every row to its own.
fn leave(layout: &Layout, closed: &[Cell], inside: &[Option<Cell>], piece: &mut [Row]) {
    let ways = |k: usize| {
        SIDES.map(|side| inside[k].and_then(|cell| way_out(layout, closed, cell, side, &piece[k])))
    };
    let all: Vec<[Option<f64>; 4]> = (0..piece.len()).map(ways).collect();
    let cost = |side: usize| all.iter().map(|ways| Some(ways[side]?.powi(2))).sum::<Option<f64>>();
    let cheapest = |cost: &dyn Fn(usize) -> Option<f64>| {
        let open = (0..SIDES.len()).filter_map(|side| Some((side, cost(side)?)));
        open.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(side, _)| side)
    };
    let common = cheapest(&cost);
    for (row, ways) in piece.iter_mut().zip(&all) {
        let side = common.or_else(|| cheapest(&|side| ways[side].map(f64::abs)));
        let Some((side, moved)) = side.and_then(|side| Some((side, ways[side]?))) else { continue };
        let (axis, way) = SIDES[side];
        row[PLACE + axis] += moved;
        // Away from the wall is left.
        if row[VELOCITY + axis] * (way as f64) < 0.0 {
            row[VELOCITY + axis] = 0.0;
        }
    }
}

/// What leads from the place of `row` straight out of the closed cells, if a free cell is there.
fn way_out(
    layout: &Layout,
    closed: &[Cell],
    mut cell: Cell,
    (axis, way): (usize, i64),
    row: &Row,
) -> Option<f64> {
    let next = |mut cell: Cell| {
        cell[axis] += way;
        cell
    };
    while closed.contains(&next(cell)) {
        cell = next(cell);
    }
    layout.is_free(next(cell)).then(|| beyond(cell, axis, way, row))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::planning::Maze;

    fn closed(cells: &[Cell]) -> Layout {
        Layout::parse("#######/#OOOOO#/#OOOOO#/#OOOOO#/#######").unwrap().with_walls(cells).unwrap()
    }

    fn row(x: f64, y: f64) -> Row {
        [0.3, 0.2, x, y, 1.0, 2.0]
    }

    #[test]
    fn a_piece_leaves_by_the_side_nearest_to_all_of_it() {
        let cells = [[2, 3]];
        let layout = closed(&cells);
        // Straight through, a little above the middle of the cell, which is at 1.8: it passes above, not half on either side.
        let mut plan: Vec<Row> = (0..101).map(|k| row(1.75, 0.81 + 0.04 * f64::from(k))).collect();
        let before = plan.clone();
        push_out(&layout, &cells, &mut plan);
        let maze = Maze::new(layout);
        for (after, before) in plan.iter().zip(&before) {
            assert_eq!(
                [after[0], after[1], after[3], after[5]],
                [before[0], before[1], before[3], before[5]]
            );
            assert!(maze.penetration([after[2], after[3]]) <= 1e-9);
            let was_inside = before[3] > 2.2 && before[3] < 3.4;
            assert_eq!(after[2] < 1.2 && after[4] == 0.0, was_inside, "{before:?}");
            assert!(was_inside || after == before);
        }
        // The same with the way above closed: below.
        let cells = [[2, 3], [1, 3]];
        let mut plan = before.clone();
        push_out(&closed(&cells), &cells, &mut plan);
        assert!((plan[50][2] - 2.4).abs() < 1e-4 && plan[50][4] == 1.0);
    }

    #[test]
    fn ends_stay_and_a_corridor_is_left_the_way_that_is_open() {
        let cells = [[1, 3]];
        let layout = Layout::parse("#######/#OOOOO#/#######").unwrap().with_walls(&cells).unwrap();
        let mut plan: Vec<Row> = [2.9, 2.8, 3.0, 3.3, 3.0].map(|y| row(0.8, y)).to_vec();
        push_out(&layout, &cells, &mut plan);
        // Off by 0.6, 0.8 and 1.1 to the left, by 0.6, 0.4 and 0.1 to the right, where all of them go.
        let places: Vec<f64> = plan.iter().map(|row| (row[3] * 1000.0).round() / 1000.0).collect();
        assert_eq!(places, [2.9, 3.4, 3.4, 3.4, 3.0]);
        push_out(&layout, &cells, &mut []);
    }
}
