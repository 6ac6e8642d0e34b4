//! From polylines to ink: a pixel is as dark as the pen covers it.
//!
//! The cover of a pixel at distance d from a stroke of radius r is a soft step that falls from 1 to
//! 0 while d − r goes from −½ to +½ pixel and a little further, which is what a box of one pixel
//! would collect from a straight edge.

use rand::{Rng, RngExt};

use super::hand::{Pen, Point};

/// Pixels along each side of an image.
pub(super) const SIDE: usize = 28;

/// Half the width, in pixels, of the soft edge.
const EDGE: f32 = 0.75;

/// Draws strokes into an image of `SIDE` × `SIDE` levels from 0 to 255.
pub(super) fn render(strokes: &[Vec<Point>], pen: Pen, rng: &mut impl Rng, image: &mut [f32]) {
    image.fill(f32::INFINITY);
    for stroke in strokes {
        for (piece, ends) in stroke.windows(2).enumerate() {
            let radius = pen.radius * (1.0 + pen.pressure * (0.5 * piece as f32 + pen.phase).sin());
            spread(ends[0], ends[1], radius, image);
        }
    }
    let full = rng.random_range(225f32..=255.0);
    for level in image {
        let cover = 0.5 - *level / (2.0 * EDGE);
        *level = ink(cover.clamp(0.0, 1.0), full, rng);
    }
}

/// Lowers `image` to the signed distance from the edge of one straight piece, where that is near.
fn spread(from: Point, to: Point, radius: f32, image: &mut [f32]) {
    let reach = radius + EDGE;
    let [columns, rows] = [0, 1].map(|axis| {
        let low = (from[axis].min(to[axis]) - reach).ceil().max(0.0) as usize;
        let high = (from[axis].max(to[axis]) + reach).floor().max(0.0) as usize;
        low..(high + 1).min(SIDE)
    });
    for row in rows {
        for column in columns.clone() {
            let edge = distance([column as f32, row as f32], from, to) - radius;
            let nearest = &mut image[row * SIDE + column];
            *nearest = nearest.min(edge);
        }
    }
}

/// Distance from a point to a segment.
fn distance(point: Point, from: Point, to: Point) -> f32 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let offset = [point[0] - from[0], point[1] - from[1]];
    // A piece of no length is a dot; the bound keeps the quotient finite.
    let length = (along[0] * along[0] + along[1] * along[1]).max(1e-12);
    let t = ((offset[0] * along[0] + offset[1] * along[1]) / length).clamp(0.0, 1.0);
    (offset[0] - t * along[0]).hypot(offset[1] - t * along[1])
}

/// The level of a covered pixel, with the unevenness of ink; uncovered paper stays exactly 0.
fn ink(cover: f32, full: f32, rng: &mut impl Rng) -> f32 {
    if cover == 0.0 {
        return 0.0;
    }
    let soft = cover * cover * (3.0 - 2.0 * cover);
    (soft * full * rng.random_range(0.93f32..1.03)).round().clamp(0.0, 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_to_a_segment_agrees_with_geometry() {
        assert_eq!(distance([0.0, 3.0], [-1.0, 0.0], [1.0, 0.0]), 3.0);
        assert_eq!(distance([4.0, 4.0], [0.0, 0.0], [1.0, 0.0]), 5.0);
        assert_eq!(distance([3.0, 4.0], [0.0, 0.0], [0.0, 0.0]), 5.0);
    }

    #[test]
    fn ink_covers_the_stroke_and_nothing_else() {
        let mut image = vec![1.0; SIDE * SIDE];
        let pen = Pen { radius: 1.5, pressure: 0.0, phase: 0.0 };
        let stroke = vec![[14.0, 5.0], [14.0, 22.0]];
        render(&[stroke], pen, &mut super::super::stream(0, 0), &mut image);
        let level = |row: usize, column: usize| image[row * SIDE + column];
        assert!(level(12, 14) > 200.0 && level(12, 13) > 150.0);
        assert_eq!([level(12, 17), level(12, 11), level(1, 14), level(26, 14)], [0.0; 4]);
    }
}
