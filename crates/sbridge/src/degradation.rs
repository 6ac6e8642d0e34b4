//! What damages images, as operators on values in [−1, 1].                                                     \[I2SB\]
//!
//! An image is `[channels, height, width]`, row by row, one channel after the other.

use std::f64::consts::PI;

use crate::error::{Error, Result};
use crate::rng::Rng;

/// What is done to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degradation {
    /// The mean over 9 pixels along each axis, over 5 where a side is below 64.
    Blur,
    /// Five pixels along each axis, with weights e^{−½ (j/10)²}.
    BlurGaussian,
    /// The mean of 4 × 4 pixels, in all of them.
    Pool4,
    /// Every fourth pixel by 16 cubic weights along each axis, in 4 × 4 pixels.
    Bicubic4,
    /// What JPEG of quality 10 keeps.
    Jpeg10,
    /// Noise in a square of half the sides in the middle.
    Hole,
    /// Noise along random strokes that cover 20 to 30 %.
    FreeForm,
    /// Normal noise of half the range of values.
    Noise,
}

/// Shape of an image.
type Shape = [usize; 3];

impl Degradation {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Blur,
        Self::BlurGaussian,
        Self::Pool4,
        Self::Bicubic4,
        Self::Jpeg10,
        Self::Hole,
        Self::FreeForm,
        Self::Noise,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blur => "blur",
            Self::BlurGaussian => "blur-gaussian",
            Self::Pool4 => "pool-4",
            Self::Bicubic4 => "bicubic-4",
            Self::Jpeg10 => "jpeg-10",
            Self::Hole => "hole",
            Self::FreeForm => "free-form",
            Self::Noise => "noise",
        }
    }

    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|degradation| degradation.name() == name)
    }

    /// Whether it leaves pixels as they are, and takes all that the others said.
    pub fn leaves_pixels(self) -> bool {
        matches!(self, Self::Hole | Self::FreeForm)
    }

    /// Whether images of `shape` can be damaged so; vectors have none.
    ///
    /// # Errors
    /// [`Error::Setting`] if they cannot.
    pub fn check(self, shape: Option<Shape>) -> Result<()> {
        let refused = |requirement: &str, value: String, fix: &str| {
            Err(Error::setting("degrade", format!("{requirement} {}", self.name()), value, fix))
        };
        let Some([_, height, width]) = shape else {
            return match self {
                Self::Noise => Ok(()),
                _ => refused("of images for", "vectors".into(), "vectors take noise, or give --degraded"),
            };
        };
        let sides = format!("{height} × {width}");
        match self {
            Self::Pool4 | Self::Bicubic4 if height % 4 + width % 4 > 0 => {
                refused("of images with sides that are multiples of 4 for", sides, "crop them, or use blur")
            }
            Self::Pool4 | Self::Bicubic4 | Self::Hole | Self::FreeForm if height.min(width) < 8 => {
                refused("of images of at least 8 × 8 for", sides, "use larger images")
            }
            Self::Blur | Self::BlurGaussian if height.min(width) < 5 => {
                refused("of images of at least 5 × 5 for", sides, "use larger images")
            }
            _ => Ok(()),
        }
    }

    /// Damages `image`, and says which pixels are lost, 1 for each of them: all of them unless it
    /// [leaves pixels](Self::leaves_pixels).
    pub fn apply(self, image: &mut [f32], shape: Shape, rng: &mut Rng) -> Option<Vec<f32>> {
        let [_, height, width] = shape;
        match self {
            Self::Blur => {
                let taps = if height.min(width) < 64 { 5 } else { 9 };
                separable(image, shape, &vec![1.0 / taps as f64; taps]);
            }
            Self::BlurGaussian => {
                let weights: Vec<f64> =
                    (-2..=2).map(|j| (-0.5 * (f64::from(j) / 10.0).powi(2)).exp()).collect();
                let sum: f64 = weights.iter().sum();
                separable(image, shape, &weights.iter().map(|weight| weight / sum).collect::<Vec<_>>());
            }
            Self::Pool4 => shrunk(image, shape, &[0.25; 4], 0),
            Self::Bicubic4 => shrunk(image, shape, &cubic_taps(), 6),
            Self::Jpeg10 => image.chunks_exact_mut(height * width).for_each(|plane| jpeg(plane, width, 10)),
            Self::Hole => {
                return Some(lost(image, shape, |y, x| in_the_middle([y, x], [height, width]), rng));
            }
            Self::FreeForm => {
                let covered = strokes([height, width], rng);
                return Some(lost(image, shape, |y, x| covered[y * width + x], rng));
            }
            Self::Noise => {
                let noise = normals(image.len(), rng);
                image.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
            }
        }
        None
    }
}

fn normals(count: usize, rng: &mut Rng) -> Vec<f32> {
    let mut values = vec![0.0; count];
    rng.fill_normal(&mut values);
    values
}

/// Position `i` of a line of `count`, mirrored at its ends without doubling them.
fn mirrored(i: isize, count: usize) -> usize {
    let last = count as isize - 1;
    let i = i.rem_euclid((2 * last).max(1));
    if i > last { (2 * last - i) as usize } else { i as usize }
}

/// Σ w_j x[at + j] along a line of `count` values that `stride` lie apart.
fn weighed(line: &[f32], (count, stride): (usize, usize), weights: &[f64], at: isize) -> f32 {
    let value = |j: usize| f64::from(line[mirrored(at + j as isize, count) * stride]);
    weights.iter().enumerate().map(|(j, weight)| weight * value(j)).sum::<f64>() as f32
}

/// Convolves rows and columns with an odd number of weights about the middle.
fn separable(image: &mut [f32], [_, height, width]: Shape, weights: &[f64]) {
    let half = (weights.len() / 2) as isize;
    for plane in image.chunks_exact_mut(height * width) {
        let across: Vec<f32> = (0..height * width)
            .map(|i| weighed(&plane[i / width * width..], (width, 1), weights, (i % width) as isize - half))
            .collect();
        for (i, value) in plane.iter_mut().enumerate() {
            *value = weighed(&across[i % width..], (height, width), weights, (i / width) as isize - half);
        }
    }
}

/// One value for every 4 × 4 pixels, by `weights` along each axis that begin `before` them, in all of them.
fn shrunk(image: &mut [f32], [_, height, width]: Shape, weights: &[f64], before: isize) {
    let (rows, columns) = (height / 4, width / 4);
    for plane in image.chunks_exact_mut(height * width) {
        let across: Vec<f32> = (0..height * columns)
            .map(|i| {
                let line = &plane[i / columns * width..];
                weighed(line, (width, 1), weights, 4 * (i % columns) as isize - before)
            })
            .collect();
        let small: Vec<f32> = (0..rows * columns)
            .map(|i| {
                let at = 4 * (i / columns) as isize - before;
                weighed(&across[i % columns..], (height, columns), weights, at)
            })
            .collect();
        for (i, value) in plane.iter_mut().enumerate() {
            *value = small[i / width / 4 * columns + i % width / 4];
        }
    }
}

/// Keys' cubic with a = −½ at (i − 7.5)/4, i = 0..15, as weights that sum to one.
fn cubic_taps() -> Vec<f64> {
    let cubic = |x: f64| match x.abs() {
        x if x < 1.0 => 1.5 * x.powi(3) - 2.5 * x.powi(2) + 1.0,
        x if x < 2.0 => -0.5 * x.powi(3) + 2.5 * x.powi(2) - 4.0 * x + 2.0,
        _ => 0.0,
    };
    let taps: Vec<f64> = (0..16).map(|i| cubic((f64::from(i) - 7.5) / 4.0)).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| tap / sum).collect()
}

fn in_the_middle(at: [usize; 2], sides: [usize; 2]) -> bool {
    at.into_iter().zip(sides).all(|(at, side)| (side / 4..side / 4 + side / 2).contains(&at))
}

/// Puts noise where pixels `are_lost`, in all channels, and marks them.
fn lost(
    image: &mut [f32],
    [_, height, width]: Shape,
    are_lost: impl Fn(usize, usize) -> bool,
    rng: &mut Rng,
) -> Vec<f32> {
    let noise = normals(image.len(), rng);
    let mut marks = vec![0.0; image.len()];
    for (i, (value, mark)) in image.iter_mut().zip(&mut marks).enumerate() {
        let pixel = i % (height * width);
        if are_lost(pixel / width, pixel % width) {
            (*value, *mark) = (noise[i], 1.0);
        }
    }
    marks
}

/// Share of an image that strokes cover: they end in between.
const COVERED: (f64, f64) = (0.2, 0.3);

/// Discs along random walks with a heading, until enough is covered; a stroke that covers too much is drawn anew.
fn strokes([height, width]: [usize; 2], rng: &mut Rng) -> Vec<bool> {
    let (area, side) = ((height * width) as f64, height.min(width) as f64);
    let mut covered = vec![false; height * width];
    let share = |covered: &[bool]| covered.iter().filter(|covered| **covered).count() as f64 / area;
    while share(&covered) < COVERED.0 {
        let mut tried = covered.clone();
        let start = rng.uniform(4, 0.0, 1.0);
        let (mut y, mut x) = (start[0] * height as f64, start[1] * width as f64);
        let (mut heading, radius) = (2.0 * PI * start[2], (side * (0.02 + 0.04 * start[3])).max(0.8));
        for turn in rng.uniform((side / 2.0) as usize, -0.4, 0.4) {
            heading += turn;
            (y, x) = (y + heading.sin(), x + heading.cos());
            disc(&mut tried, [height, width], [y, x], radius);
            if share(&tried) >= COVERED.0 {
                break;
            }
        }
        if share(&tried) <= COVERED.1 {
            covered = tried;
        }
    }
    covered
}

/// Covers the pixels within `radius` of a place.
fn disc(covered: &mut [bool], [height, width]: [usize; 2], [y, x]: [f64; 2], radius: f64) {
    let reach = |centre: f64, side: usize| {
        let from = (centre - radius).floor().clamp(0.0, side as f64) as usize;
        from..((centre + radius).ceil().clamp(0.0, side as f64) as usize)
    };
    for row in reach(y, height) {
        for column in reach(x, width) {
            let (dy, dx) = (row as f64 + 0.5 - y, column as f64 + 0.5 - x);
            covered[row * width + column] |= dy * dy + dx * dx <= radius * radius;
        }
    }
}

/// Side of a block.
const BLOCK: usize = 8;

/// Luminance steps at quality 50.                                                                      \[T.81, Annex K, Table K.1\]
const STEPS: [u16; BLOCK * BLOCK] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
    22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
    87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// What the quantised cosines of 8 × 8 blocks keep of a channel, in 256 grey values; every channel has the steps of luminance, at
/// full resolution. Edges are repeated to whole blocks.                                               \[T.81, Annex A.3\]
fn jpeg(plane: &mut [f32], width: usize, quality: u16) {
    let height = plane.len() / width;
    let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    let steps = STEPS.map(|step| f64::from(((step * (scale / 10) + 5) / 10).clamp(1, 255)));
    let grey: Vec<f64> = plane.iter().map(|x| ((f64::from(*x) + 1.0) * 127.5).round() - 128.0).collect();
    for top in (0..height).step_by(BLOCK) {
        for left in (0..width).step_by(BLOCK) {
            let at = |y: usize, x: usize| grey[(top + y).min(height - 1) * width + (left + x).min(width - 1)];
            let block: Vec<f64> = (0..BLOCK * BLOCK).map(|i| at(i / BLOCK, i % BLOCK)).collect();
            let quantised =
                cosines(&block, false).into_iter().zip(steps).map(|(c, step)| (c / step).round() * step);
            let kept = cosines(&quantised.collect::<Vec<_>>(), true);
            for (i, value) in kept.into_iter().enumerate() {
                let (y, x) = (top + i / BLOCK, left + i % BLOCK);
                if y < height && x < width {
                    let grey = (value + 128.0).round().clamp(0.0, 255.0);
                    plane[y * width + x] = (grey / 127.5 - 1.0) as f32;
                }
            }
        }
    }
}

/// The orthonormal cosine transform of a block along both axes, or back.
fn cosines(block: &[f64], is_back: bool) -> Vec<f64> {
    let basis = |k: usize, i: usize| {
        let norm = if k == 0 { (1.0 / BLOCK as f64).sqrt() } else { (2.0 / BLOCK as f64).sqrt() };
        norm * (PI * (2 * i + 1) as f64 * k as f64 / (2 * BLOCK) as f64).cos()
    };
    let weight = |to: usize, from: usize| if is_back { basis(from, to) } else { basis(to, from) };
    let along = |values: &[f64], at: &dyn Fn(usize, usize) -> usize| {
        let mut out = vec![0.0; BLOCK * BLOCK];
        for line in 0..BLOCK {
            for to in 0..BLOCK {
                out[at(line, to)] = (0..BLOCK).map(|from| weight(to, from) * values[at(line, from)]).sum();
            }
        }
        out
    };
    let across = along(block, &|line, i| line * BLOCK + i);
    along(&across, &|line, i| i * BLOCK + line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SHAPE: Shape = [1, 28, 28];

    fn image() -> Vec<f32> {
        (0..28 * 28).map(|i| ((i * i) as f32 * 0.013).sin()).collect()
    }

    fn damaged(degradation: Degradation, seed: u64) -> (Vec<f32>, Option<Vec<f32>>) {
        let mut values = image();
        let marks = degradation.apply(&mut values, SHAPE, &mut Rng::new(seed));
        (values, marks)
    }

    #[test]
    fn smoothing_keeps_even_images_and_is_a_mean_elsewhere() {
        for degradation in
            [Degradation::Blur, Degradation::BlurGaussian, Degradation::Pool4, Degradation::Bicubic4]
        {
            let mut even = vec![0.37; 28 * 28];
            degradation.apply(&mut even, SHAPE, &mut Rng::new(0));
            assert!(even.iter().all(|x| (x - 0.37).abs() < 1e-6), "{degradation:?}");
        }
        let (clean, (blurred, _), (pooled, _)) =
            (image(), damaged(Degradation::Blur, 0), damaged(Degradation::Pool4, 0));
        let mean = |ys: std::ops::Range<usize>, xs: std::ops::Range<usize>| {
            let count = (ys.len() * xs.len()) as f32;
            ys.flat_map(|y| xs.clone().map(move |x| (y, x))).map(|(y, x)| clean[y * 28 + x]).sum::<f32>()
                / count
        };
        assert!((blurred[10 * 28 + 12] - mean(8..13, 10..15)).abs() < 1e-6);
        assert!((pooled[10 * 28 + 13] - mean(8..12, 12..16)).abs() < 1e-6);
        // The border is mirrored: 2 1 [0 1 2 …].
        let ramp: Vec<f32> = (0..28 * 28).map(|i| (i % 28) as f32).collect();
        let mut blurred = ramp.clone();
        Degradation::Blur.apply(&mut blurred, SHAPE, &mut Rng::new(0));
        assert!((blurred[0] - 6.0 / 5.0).abs() < 1e-6 && (blurred[14] - 14.0).abs() < 1e-5);
    }

    #[test]
    fn cubic_weights_reproduce_straight_lines() {
        let taps = cubic_taps();
        assert!((taps.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mut ramp: Vec<f32> = (0..28 * 28).map(|i| (i % 28) as f32).collect();
        Degradation::Bicubic4.apply(&mut ramp, SHAPE, &mut Rng::new(0));
        // Blocks of 4 about 1.5, 5.5, …; far enough from the border.
        assert!((ramp[12] - 13.5).abs() < 1e-5, "{}", ramp[12]);
    }

    #[test]
    fn the_cosine_transform_is_its_own_inverse_and_quality_bounds_the_error() {
        let block: Vec<f64> = (0..64).map(|i| f64::from(i * i % 37)).collect();
        let back = cosines(&cosines(&block, false), true);
        assert!(block.iter().zip(back).all(|(x, y)| (x - y).abs() < 1e-10));
        let (clean, (kept, _)) = (image(), damaged(Degradation::Jpeg10, 0));
        let of_quality = |quality| {
            let mut values = image();
            jpeg(&mut values, 28, quality);
            values.iter().zip(&clean).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>()
        };
        assert!(of_quality(10) > of_quality(50) && of_quality(50) > of_quality(95));
        // At 100 every step is 1: errors of half a step in 64 orthonormal directions, and of rounding, in 1/127.5.
        assert!(of_quality(100) / (28.0 * 28.0) < (1.0f64 / 127.5).powi(2));
        assert!(kept.iter().all(|x| (-1.0..=1.0).contains(x)));
    }

    #[test]
    fn holes_leave_the_rest_as_it_is() {
        let clean = image();
        for (degradation, least, most) in [(Degradation::Hole, 0.25, 0.25), (Degradation::FreeForm, 0.2, 0.3)]
        {
            for seed in 0..20 {
                let (values, marks) = damaged(degradation, seed);
                let marks = marks.unwrap();
                let share = f64::from(marks.iter().sum::<f32>()) / 784.0;
                assert!((least..=most).contains(&share), "{degradation:?}: {share}");
                for ((value, clean), mark) in values.iter().zip(&clean).zip(&marks) {
                    assert_eq!(value == clean, *mark == 0.0);
                }
            }
        }
        assert_ne!(damaged(Degradation::FreeForm, 1).1, damaged(Degradation::FreeForm, 2).1);
        assert_eq!(damaged(Degradation::FreeForm, 1), damaged(Degradation::FreeForm, 1));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |degradation: Degradation, shape| degradation.check(shape).unwrap_err().to_string();
        assert!(
            refused(Degradation::Pool4, Some([1, 30, 28])).contains("multiples of 4 for pool-4, got 30 × 28")
        );
        assert!(refused(Degradation::Hole, Some([3, 4, 4])).contains("got 4 × 4"));
        assert!(refused(Degradation::Blur, None).contains("got vectors"));
        for degradation in Degradation::ALL {
            assert_eq!(Degradation::named(degradation.name()), Some(degradation));
            degradation.check(Some(SHAPE)).unwrap();
        }
    }
}
