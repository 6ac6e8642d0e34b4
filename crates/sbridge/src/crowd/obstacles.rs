//! Obstacles in the plane of the first two coordinates: ln(1 + e^{k·depth}), smooth, and k·depth far inside.

use crate::crowd::{Costs, Crowd, StateCost, particle_by_particle, softplus};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// What stands in the way, by its depth: above zero inside.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Depth r − |x − c|.
    Disc {
        /// c.
        centre: [f64; 2],
        /// r.
        radius: f64,
    },
    /// Depth 1 − ((x − cₓ)/a)² − ((y − c_y)/b)².
    Ellipse {
        /// c.
        centre: [f64; 2],
        /// a and b.
        half_axes: [f64; 2],
    },
    /// Distance to the border.
    Box {
        /// Lower left corner.
        low: [f64; 2],
        /// Upper right corner.
        high: [f64; 2],
    },
    /// Distance to the nearest edge.
    Polygon {
        /// In order, either way round; the last is joined to the first.
        corners: Vec<[f64; 2]>,
    },
    /// The walls that leave a neck, depth y² − 5x² − 0.36.
    Neck,
    /// A rectangle by a product of two slopes, −5(x − x₀)(x − x₁) and the same of y.
    Slab {
        /// Lower left corner.
        low: [f64; 2],
        /// Upper right corner.
        high: [f64; 2],
    },
    /// Distance to the border of what is occupied.
    Map(OccupancyMap),
}

/// A shape, and how steeply it is paid for.
#[derive(Clone, Debug)]
pub struct Obstacle {
    shape: Shape,
    sharpness: f64,
}

impl Obstacle {
    /// `shape` with k = `sharpness`.
    ///
    /// # Errors
    /// [`Error::Setting`] for sizes that are not finite and positive, or a polygon that crosses itself.
    pub fn new(shape: Shape, sharpness: f64) -> Result<Self> {
        let finite = |name, numbers: &[f64]| match numbers.iter().find(|x| !x.is_finite()) {
            Some(x) => Err(Error::setting(name, "finite", x, "give coordinates in data units")),
            None => Ok(()),
        };
        let positive = |name, x: f64| match x.is_finite() && x > 0.0 {
            true => Ok(()),
            false => Err(Error::setting(name, "a finite number > 0", x, "give lengths in data units")),
        };
        positive("sharpness", sharpness)?;
        match &shape {
            Shape::Disc { centre, radius } => {
                finite("centre", centre)?;
                positive("radius", *radius)?;
            }
            Shape::Ellipse { centre, half_axes } => {
                finite("centre", centre)?;
                half_axes.iter().try_for_each(|half| positive("half_axes", *half))?;
            }
            Shape::Box { low, high } | Shape::Slab { low, high } => {
                finite("corners", &[*low, *high].concat())?;
                (0..2).try_for_each(|k| positive("sides of a box", high[k] - low[k]))?;
            }
            Shape::Polygon { corners } => {
                finite("polygon", &corners.concat())?;
                require_simple(corners)?;
            }
            Shape::Neck | Shape::Map(_) => {}
        }
        Ok(Self { shape, sharpness })
    }

    /// Value and slope of what is paid at `x`.
    fn at(&self, x: [f64; 2]) -> (f64, [f64; 2]) {
        if let Shape::Slab { low, high } = &self.shape {
            return slab(x, *low, *high);
        }
        let (depth, slope) = self.shape.depth(x);
        let (value, steepness) = softplus(self.sharpness * depth);
        (value, slope.map(|s| s * steepness * self.sharpness))
    }
}

impl StateCost for Obstacle {
    fn evaluate(&self, crowd: &Crowd<'_>, _rng: &mut Rng, costs: &mut Costs<'_>) {
        particle_by_particle(crowd, costs, |x, slope| {
            let (value, [along_x, along_y]) = self.at([x[0], x[1]]);
            slope[0] += along_x;
            slope[1] += along_y;
            value
        });
    }

    fn depth(&self, x: &[f64]) -> f64 {
        self.shape.depth([x[0], x[1]]).0
    }

    fn require_dim(&self, dim: usize) -> Result<()> {
        if dim >= 2 {
            return Ok(());
        }
        let fix = "obstacles stand in the plane of the first two columns";
        Err(Error::shape("samples beside obstacles", "two values at least", dim, fix))
    }
}

impl Shape {
    /// Depth and its slope.
    fn depth(&self, [x, y]: [f64; 2]) -> (f64, [f64; 2]) {
        match self {
            Self::Disc { centre: [cx, cy], radius } => {
                let (dx, dy) = (x - cx, y - cy);
                let distance = dx.hypot(dy);
                let unit = distance.max(f64::MIN_POSITIVE);
                (radius - distance, [-dx / unit, -dy / unit])
            }
            Self::Ellipse { centre: [cx, cy], half_axes: [a, b] } => {
                let (dx, dy) = ((x - cx) / a, (y - cy) / b);
                (1.0 - dx * dx - dy * dy, [-2.0 * dx / a, -2.0 * dy / b])
            }
            Self::Neck => (y * y - 5.0 * x * x - 0.36, [-10.0 * x, 2.0 * y]),
            Self::Slab { low, high } => {
                let [(a, da), (b, db)] = slopes_of_slab([x, y], *low, *high);
                if a < b { (a, [da, 0.0]) } else { (b, [0.0, db]) }
            }
            Self::Box { low, high } => {
                let [x0, y0] = *low;
                let [x1, y1] = *high;
                depth_in_polygon([x, y], &[[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
            }
            Self::Polygon { corners } => depth_in_polygon([x, y], corners),
            Self::Map(map) => map.depth([x, y]),
        }
    }
}

/// −5(z − z₀)(z − z₁) and its slope, along both axes.
fn slopes_of_slab(x: [f64; 2], low: [f64; 2], high: [f64; 2]) -> [(f64, f64); 2] {
    std::array::from_fn(|k| {
        (-5.0 * (x[k] - low[k]) * (x[k] - high[k]), -5.0 * (2.0 * x[k] - low[k] - high[k]))
    })
}

/// SP(a) SP(b) with SP(z) = ln(1 + e^{20z})/20.
fn slab(x: [f64; 2], low: [f64; 2], high: [f64; 2]) -> (f64, [f64; 2]) {
    let [(a, da), (b, db)] = slopes_of_slab(x, low, high);
    let soft = |z: f64| {
        let (value, slope) = softplus(20.0 * z);
        (value / 20.0, slope)
    };
    let ((a, sa), (b, sb)) = (soft(a), soft(b));
    (a * b, [sa * da * b, a * sb * db])
}

/// Signed distance to the border, above zero inside, and its slope.
fn depth_in_polygon([x, y]: [f64; 2], corners: &[[f64; 2]]) -> (f64, [f64; 2]) {
    let (mut nearest, mut away, mut is_inside) = (f64::INFINITY, [0.0; 2], false);
    for ([ax, ay], [bx, by]) in edges(corners) {
        let (ex, ey) = (bx - ax, by - ay);
        let along = (((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey)).clamp(0.0, 1.0);
        let from = [x - ax - along * ex, y - ay - along * ey];
        let distance = from[0].hypot(from[1]);
        if distance < nearest {
            (nearest, away) = (distance, from);
        }
        if (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax) {
            is_inside = !is_inside;
        }
    }
    let sign = if is_inside { 1.0 } else { -1.0 };
    let unit = nearest.max(f64::MIN_POSITIVE);
    (sign * nearest, away.map(|d| sign * d / unit))
}

fn edges(corners: &[[f64; 2]]) -> impl Iterator<Item = ([f64; 2], [f64; 2])> + '_ {
    corners.iter().copied().zip(corners.iter().copied().cycle().skip(1))
}

/// Corners of a polygon, at most: edges are compared with one another.
const MAX_CORNERS: usize = 2000;

/// Refuses a polygon with too few corners, or with edges that meet anywhere but in a corner of both.
fn require_simple(corners: &[[f64; 2]]) -> Result<()> {
    let count = corners.len();
    if !(3..=MAX_CORNERS).contains(&count) {
        let fix = "a triangle has three; a finer outline can be given as an image";
        return Err(Error::setting("polygon", format!("of 3 to {MAX_CORNERS} corners"), count, fix));
    }
    let edges: Vec<_> = edges(corners).collect();
    if let Some((a, _)) = edges.iter().find(|(a, b)| a == b) {
        let fix = "leave out the repeated corner";
        return Err(Error::setting("polygon", "of corners that differ", format!("{a:?} twice"), fix));
    }
    for i in 0..count {
        for j in i + 1..count {
            let is_next = j == i + 1 || (i == 0 && j == count - 1);
            if !is_next && cross(edges[i], edges[j]) {
                let value = format!("edges {} and {} crossing", i + 1, j + 1);
                return Err(Error::setting("polygon", "without crossings", value, "order its corners"));
            }
        }
    }
    Ok(())
}

/// Whether two segments have a point in common.
fn cross((a, b): ([f64; 2], [f64; 2]), (c, d): ([f64; 2], [f64; 2])) -> bool {
    let turn =
        |p: [f64; 2], q: [f64; 2], r: [f64; 2]| (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
    let differ = |x: f64, y: f64| (x > 0.0 && y < 0.0) || (x < 0.0 && y > 0.0);
    let between = |p: [f64; 2], q: [f64; 2], r: [f64; 2]| {
        turn(p, q, r) == 0.0 && (0..2).all(|k| r[k] >= p[k].min(q[k]) && r[k] <= p[k].max(q[k]))
    };
    (differ(turn(a, b, c), turn(a, b, d)) && differ(turn(c, d, a), turn(c, d, b)))
        || between(a, b, c)
        || between(a, b, d)
        || between(c, d, a)
        || between(c, d, b)
}

/// A grey image as a map: distances to what is occupied, in the middle of its cells.
#[derive(Clone, Debug)]
pub struct OccupancyMap {
    extent: [[f64; 2]; 2],
    cells: [usize; 2],
    /// Row by row, from low y to high y.
    depths: Vec<f64>,
}

/// Cells of a map, at most.
const MAX_CELLS: usize = 1 << 22;

impl OccupancyMap {
    /// A map of `columns` by `rows` cells over the box from `low` to `high`; `occupied` row by row, the first row on top.
    ///
    /// # Errors
    /// [`Error::Setting`] for a box without inside, [`Error::Shape`] for cells of another number, none occupied, or too many.
    pub fn new([low, high]: [[f64; 2]; 2], [columns, rows]: [usize; 2], occupied: &[bool]) -> Result<Self> {
        let is_box = (0..2).all(|k| low[k].is_finite() && high[k].is_finite() && high[k] > low[k]);
        if !is_box {
            let value = format!("{low:?} to {high:?}");
            return Err(Error::setting(
                "extent",
                "two corners, the lower left first",
                value,
                "[[x0, y0], [x1, y1]]",
            ));
        }
        if columns * rows != occupied.len() || occupied.is_empty() || occupied.len() > MAX_CELLS {
            let fix = "one value for every cell";
            let wanted = format!("{columns} x {rows} cells, at most {MAX_CELLS}");
            return Err(Error::shape("occupancy map", wanted, occupied.len(), fix));
        }
        if occupied.iter().all(|cell| *cell == occupied[0]) {
            let fix = "set a threshold between the grey of free and of occupied cells";
            return Err(Error::setting("map", "partly occupied", "all of its cells alike", fix));
        }
        let size = [(high[0] - low[0]) / columns as f64, (high[1] - low[1]) / rows as f64];
        let upward: Vec<bool> = occupied.chunks_exact(columns).rev().flatten().copied().collect();
        let squared = |inside: bool| squared_distances(&upward, [columns, rows], size, inside);
        let depths = squared(false).into_iter().zip(squared(true)).map(|(to_free, to_occupied)| {
            // The border lies half a cell from the middles of the cells it parts.
            let half = 0.25 * (size[0] + size[1]);
            if to_free > 0.0 { to_free.sqrt() - half } else { half - to_occupied.sqrt() }
        });
        Ok(Self { extent: [low, high], cells: [columns, rows], depths: depths.collect() })
    }

    /// The box it covers.
    pub fn extent(&self) -> [[f64; 2]; 2] {
        self.extent
    }

    /// Between the middles of cells along straight lines; outside as at the border.
    fn depth(&self, x: [f64; 2]) -> (f64, [f64; 2]) {
        let [low, high] = self.extent;
        bilinear(x, [low, high], self.cells, &self.depths)
    }
}

/// Values in the middle of cells, and between them along straight lines: value and slope at `x`.
pub(super) fn bilinear(
    x: [f64; 2],
    [low, high]: [[f64; 2]; 2],
    cells: [usize; 2],
    values: &[f64],
) -> (f64, [f64; 2]) {
    let place = |k: usize| {
        let size = (high[k] - low[k]) / cells[k] as f64;
        let last = (cells[k] - 1) as f64;
        let at = ((x[k] - low[k]) / size - 0.5).clamp(0.0, last);
        let cell = (at as usize).min(cells[k].saturating_sub(2));
        let is_inside = at > 0.0 && at < last;
        (cell, at - cell as f64, if is_inside { 1.0 / size } else { 0.0 })
    };
    let ((i, u, per_x), (j, v, per_y)) = (place(0), place(1));
    let value = |i: usize, j: usize| values[j.min(cells[1] - 1) * cells[0] + i.min(cells[0] - 1)];
    let (a, b, c, d) = (value(i, j), value(i + 1, j), value(i, j + 1), value(i + 1, j + 1));
    let (below, above) = (a + u * (b - a), c + u * (d - c));
    let along_x = (1.0 - v) * (b - a) + v * (d - c);
    (below + v * (above - below), [along_x * per_x, (above - below) * per_y])
}

/// From the middle of every cell to that of the nearest cell that is (or, without `inside`, is not) occupied, squared: one
/// pass along rows, then the lower envelope of parabolas along columns by direct comparison.
fn squared_distances(
    occupied: &[bool],
    [columns, rows]: [usize; 2],
    size: [f64; 2],
    inside: bool,
) -> Vec<f64> {
    let mut along_rows = vec![f64::INFINITY; occupied.len()];
    for row in 0..rows {
        let line = row * columns..(row + 1) * columns;
        let (cells, found) = (&occupied[line.clone()], &mut along_rows[line]);
        let mut pass = |order: &mut dyn Iterator<Item = usize>| {
            let mut since = f64::INFINITY;
            for i in order {
                since = if cells[i] == inside { 0.0 } else { since + size[0] };
                found[i] = found[i].min(since);
            }
        };
        pass(&mut (0..columns));
        pass(&mut (0..columns).rev());
    }
    let mut result = vec![f64::INFINITY; occupied.len()];
    for column in 0..columns {
        let envelope = lower_envelope(
            (0..rows).map(|row| along_rows[row * columns + column].powi(2)).collect(),
            size[1],
        );
        for (row, squared) in envelope.into_iter().enumerate() {
            result[row * columns + column] = squared;
        }
    }
    result
}

/// min over j of heights\[j\] + (step (i − j))², for every i.                                             \[FH12\]
fn lower_envelope(heights: Vec<f64>, step: f64) -> Vec<f64> {
    let meet = |i: usize, j: usize| {
        let (p, q) = (i as f64 * step, j as f64 * step);
        0.5 * ((heights[j] + q * q) - (heights[i] + p * p)) / (q - p)
    };
    let mut parabolas: Vec<(usize, f64)> = Vec::new();
    for j in (0..heights.len()).filter(|j| heights[*j].is_finite()) {
        while let Some((i, from)) = parabolas.last() {
            if meet(*i, j) > *from {
                break;
            }
            parabolas.pop();
        }
        let from = parabolas.last().map_or(f64::NEG_INFINITY, |(i, _)| meet(*i, j));
        parabolas.push((j, from));
    }
    let mut current = 0;
    (0..heights.len())
        .map(|i| {
            let x = i as f64 * step;
            while parabolas.get(current + 1).is_some_and(|(_, from)| *from <= x) {
                current += 1;
            }
            parabolas
                .get(current)
                .map_or(f64::INFINITY, |(j, _)| heights[*j] + (x - *j as f64 * step).powi(2))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_map_of_a_square_has_the_depth_of_the_square() {
        let side = 80;
        let cell = |k: usize| -2.0 + 4.0 * (k as f64 + 0.5) / side as f64;
        let occupied: Vec<bool> =
            (0..side * side).map(|k| cell(k % side).abs() < 1.0 && cell(k / side).abs() < 1.0).collect();
        let map = OccupancyMap::new([[-2.0; 2], [2.0; 2]], [side, side], &occupied).unwrap();
        let square = Shape::Box { low: [-1.0; 2], high: [1.0; 2] };
        for x in [[0.1, 0.2], [0.7, -0.3], [1.5, 0.0], [1.4, 1.7], [-0.95, 0.4]] {
            let (exact, found) = (square.depth(x).0, map.depth(x).0);
            // Half a cell of 0.05 on the way to each of two borders.
            assert!((exact - found).abs() < 0.05, "{x:?}: {found}, not {exact}");
        }
    }

    #[test]
    fn polygons_that_cross_themselves_are_refused() {
        let polygon = |corners: &[[f64; 2]]| {
            Obstacle::new(Shape::Polygon { corners: corners.to_vec() }, 10.0).map(drop)
        };
        polygon(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]).unwrap();
        let bow = polygon(&[[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]).unwrap_err().to_string();
        assert!(bow.contains("edges 1 and 3 crossing"), "{bow}");
        assert!(polygon(&[[0.0, 0.0], [1.0, 1.0]]).is_err());
    }
}
