//! A scene in the plane: outlines of obstacles, and crowds in it.

use sbridge::crowd::Problem;

/// Cells of a side of the grid on which outlines are found.
const CELLS: usize = 160;

/// Outlines of what `problem` has of obstacles in a box, as segments parted by NaN, for places of `dim` values.
pub(super) fn outlines(problem: &Problem, [low, high]: [[f64; 2]; 2], dim: usize) -> Vec<(f64, f64)> {
    let at = |k: usize, i: usize| low[k] + (high[k] - low[k]) * i as f64 / CELLS as f64;
    let depth = |i: usize, j: usize| {
        let mut x = vec![0.0; dim];
        (x[0], x[1]) = (at(0, i), at(1, j));
        problem.cost.depth(&x)
    };
    let depths: Vec<Vec<f64>> = (0..=CELLS).map(|i| (0..=CELLS).map(|j| depth(i, j)).collect()).collect();
    let mut segments = Vec::new();
    for i in 0..CELLS {
        for j in 0..CELLS {
            // Corners in order, and where the border crosses the sides between them.
            let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
            let mut crossings = Vec::new();
            for k in 0..4 {
                let ((a, b), (c, d)) = (corners[k], corners[(k + 1) % 4]);
                let (from, to) = (depths[a][b], depths[c][d]);
                if (from > 0.0) == (to > 0.0) || !from.is_finite() || !to.is_finite() {
                    continue;
                }
                let share = from / (from - to);
                let place = |k: usize, p: usize, q: usize| at(k, p) + share * (at(k, q) - at(k, p));
                crossings.push((place(0, a, c), place(1, b, d)));
            }
            for pair in crossings.chunks_exact(2) {
                segments.extend([pair[0], pair[1], (f64::NAN, f64::NAN)]);
            }
        }
    }
    segments
}

/// The box around places `[count, dim]`, with a margin of a tenth.
pub(super) fn frame_of<'a>(places: impl Iterator<Item = &'a [f64]>) -> [[f64; 2]; 2] {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for x in places {
        for k in 0..2 {
            (low[k], high[k]) = (low[k].min(x[k]), high[k].max(x[k]));
        }
    }
    let margin: [f64; 2] = std::array::from_fn(|k| 0.1 * (high[k] - low[k]).max(1e-9));
    [std::array::from_fn(|k| low[k] - margin[k]), std::array::from_fn(|k| high[k] + margin[k])]
}
