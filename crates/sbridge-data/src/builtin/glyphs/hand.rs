//! How one sample is written: slant, turn, size, place, bends and pen.
//!
//! The bend is a smooth displacement of the plane, not of single points, so strokes that meet in
//! the design still meet on paper.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};

use super::render::SIDE;
use super::strokes::{Glyph, Stroke};

/// Height of an upright glyph in pixels, as in MNIST.
const GLYPH_HEIGHT: f32 = 19.0;
/// Pixels kept free of stroke centres at each border, room for half the widest pen.
const MARGIN: f32 = 3.2;
/// Straight pieces per pair of control points of a smooth stroke.
const PIECES: usize = 6;

/// A point in pixels or in the unit box, x to the right and y down.
pub(super) type Point = [f32; 2];

/// The width of the pen along a stroke.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    /// Half the width of a stroke in pixels.
    pub(super) radius: f32,
    /// Relative change of the radius along the stroke.
    pub(super) pressure: f32,
    /// Where along the stroke the pressure begins, in radians.
    pub(super) phase: f32,
}

/// A wave that displaces the plane: `along · sin(k·p + phase)`.
struct Wave {
    along: Point,
    wavenumber: Point,
    phase: f32,
}

/// Everything that differs between two samples of the same design.
pub(super) struct Hand {
    linear: [Point; 2],
    shift: Point,
    waves: [Wave; 3],
    pen: Pen,
}

impl Hand {
    /// Draws a hand: ±15° of turn, slant up to 0.25, sizes 0.78 to 1.08, ±1.2 pixels of shift.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        let (sin, cos) = rng.random_range(-15f32..15.0).to_radians().sin_cos();
        let shear = rng.random_range(-0.15..0.25);
        let wide = GLYPH_HEIGHT * rng.random_range(0.78..1.08);
        let high = GLYPH_HEIGHT * rng.random_range(0.84..1.04);
        // Scale, then slant to the right at the top (y points down), then turn.
        let slanted = [[wide, -shear * high], [0.0, high]];
        let linear = [
            [cos * slanted[0][0], cos * slanted[0][1] - sin * slanted[1][1]],
            [sin * slanted[0][0], sin * slanted[0][1] + cos * slanted[1][1]],
        ];
        let shift = [rng.random_range(-1.2..1.2), rng.random_range(-1.2..1.2)];
        let waves = std::array::from_fn(|_| Wave::draw(rng));
        Self { linear, shift, waves, pen: Pen::draw(rng) }
    }

    /// The pen of this hand.
    pub(super) fn pen(&self) -> Pen {
        self.pen
    }

    /// The strokes of a glyph as polylines in pixels, inside the margin.
    pub(super) fn write(&self, glyph: Glyph) -> Vec<Vec<Point>> {
        let mut strokes: Vec<Vec<Point>> = glyph.iter().map(|stroke| self.trace(stroke)).collect();
        self.place(&mut strokes);
        strokes
    }

    fn trace(&self, stroke: &Stroke) -> Vec<Point> {
        let polyline = match stroke {
            Stroke::Line(points) => subdivided(points),
            Stroke::Curve(points) => smooth(points),
        };
        polyline.into_iter().map(|point| self.transform(point)).collect()
    }

    fn transform(&self, [x, y]: Point) -> Point {
        let [mut u, mut v] = [x - 0.5, y - 0.5];
        for wave in &self.waves {
            let [du, dv] = wave.at([x, y]);
            u += du;
            v += dv;
        }
        self.linear.map(|row| row[0] * u + row[1] * v)
    }

    /// Centres the bounding box, shifts it, and shrinks it if it would pass the margin.
    fn place(&self, strokes: &mut [Vec<Point>]) {
        for axis in 0..2 {
            let along = || strokes.iter().flatten().map(|point| point[axis]);
            let low = along().fold(f32::INFINITY, f32::min);
            let high = along().fold(f32::NEG_INFINITY, f32::max);
            let half = (SIDE as f32 - 1.0) / 2.0;
            let room = half - MARGIN;
            let shrink = (2.0 * room / (high - low).max(1.0)).min(1.0);
            let slack = room - shrink * (high - low) / 2.0;
            let centre = half + self.shift[axis].clamp(-slack, slack);
            let middle = (low + high) / 2.0;
            strokes
                .iter_mut()
                .flatten()
                .for_each(|point| point[axis] = centre + shrink * (point[axis] - middle));
        }
    }
}

impl Pen {
    fn draw(rng: &mut impl Rng) -> Self {
        Self {
            radius: rng.random_range(0.75..1.65),
            pressure: rng.random_range(0.0..0.22),
            phase: rng.random_range(0.0..TAU),
        }
    }
}

impl Wave {
    /// Up to 3.5 % of the height, with half to one and a quarter waves across the box.
    fn draw(rng: &mut impl Rng) -> Self {
        let direction = rng.random_range(0.0..TAU);
        let wavenumber = TAU * rng.random_range(0.5..1.25);
        let mut amplitude = || rng.random_range(-0.035..0.035);
        let along = [amplitude(), amplitude()];
        Self {
            along,
            wavenumber: [wavenumber * direction.cos(), wavenumber * direction.sin()],
            phase: rng.random_range(0.0..TAU),
        }
    }

    fn at(&self, [x, y]: Point) -> Point {
        let level = (self.wavenumber[0] * x + self.wavenumber[1] * y + self.phase).sin();
        self.along.map(|a| a * level)
    }
}

/// Straight strokes in short pieces, so that the waves can bend them.
fn subdivided(points: &[Point]) -> Vec<Point> {
    let piece = |pair: &[Point], k: usize| {
        let t = k as f32 / PIECES as f32;
        [0, 1].map(|axis| pair[0][axis] + t * (pair[1][axis] - pair[0][axis]))
    };
    let inner = points.windows(2).flat_map(|pair| (0..PIECES).map(move |k| piece(pair, k)));
    inner.chain(points.last().copied()).collect()
}

/// A Catmull–Rom spline through the points; closed if the last point is the first.
fn smooth(points: &[Point]) -> Vec<Point> {
    let last = points.len() - 1;
    let closed = points[0] == points[last];
    let before = if closed { points[last - 1] } else { points[0] };
    let after = if closed { points[1] } else { points[last] };
    let padded: Vec<Point> = std::iter::once(before).chain(points.iter().copied()).chain([after]).collect();
    let inner = padded
        .windows(4)
        .flat_map(|four| (0..PIECES).map(move |k| catmull_rom(four, k as f32 / PIECES as f32)));
    inner.chain([points[last]]).collect()
}

/// The point at `t` between the second and the third of four points.
fn catmull_rom(four: &[Point], t: f32) -> Point {
    [0, 1].map(|axis| {
        let [a, b, c, d] = [four[0][axis], four[1][axis], four[2][axis], four[3][axis]];
        let slope = (c - a) / 2.0;
        let next_slope = (d - b) / 2.0;
        let (t2, t3) = (t * t, t * t * t);
        (2.0 * t3 - 3.0 * t2 + 1.0) * b
            + (t3 - 2.0 * t2 + t) * slope
            + (3.0 * t2 - 2.0 * t3) * c
            + (t3 - t2) * next_slope
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smooth_stroke_passes_through_its_points() {
        let points = [[0.0, 0.0], [0.3, 0.8], [1.0, 0.2]];
        let curve = smooth(&points);
        assert_eq!([curve[0], curve[PIECES], curve[2 * PIECES]], points);
    }

    #[test]
    fn a_closed_stroke_has_no_corner_where_it_closes() {
        let square = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]];
        let curve = smooth(&square);
        let direction = |a: Point, b: Point| (b[1] - a[1]).atan2(b[0] - a[0]);
        let turn = direction(curve[0], curve[1]) - direction(curve[curve.len() - 2], curve[curve.len() - 1]);
        // One of 24 pieces of a full turn, with room for the uneven bend of the spline; a corner turns 90°.
        assert!(turn.abs() < 0.6, "{turn}");
    }

    #[test]
    fn strokes_stay_inside_the_margin() {
        let mut rng = super::super::stream(3, 0);
        for label in (0..36).cycle().take(360) {
            let hand = Hand::draw(&mut rng);
            for &[x, y] in hand.write(super::super::variants(label)[0]).iter().flatten() {
                // Rounding of f32 at values near 24.
                let inside = MARGIN - 1e-4..=SIDE as f32 - 1.0 - MARGIN + 1e-4;
                assert!(inside.contains(&x) && inside.contains(&y), "{label}: {x} {y}");
            }
        }
    }
}
