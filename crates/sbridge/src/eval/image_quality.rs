//! How near a restored sample is to the clean one it belongs to.

use crate::error::{Error, Result};

/// Peak signal-to-noise ratio of `restored` beside `clean`, in decibels: 10 log₁₀ of the square of the `range` of values over the
/// mean square error. Infinite where both are the same.
pub fn psnr(restored: &[f32], clean: &[f32], range: f64) -> f64 {
    let square = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
    let error = restored.iter().zip(clean).map(square).sum::<f64>() / clean.len() as f64;
    10.0 * (range * range / error).log10()
}

/// Side and deviation of the window, and the constants in units of the range.
const SIDE: usize = 11;
const DEVIATION: f64 = 1.5;
const STABILISERS: [f64; 2] = [0.01, 0.03];

/// Structural similarity of two images of `[channels, height, width]`, the mean over all Gaussian windows of 11 × 11 that lie inside,
/// smaller where the image is.                                                                        \[SSIM, Eq. 13\]
///
/// # Errors
/// [`Error::Shape`] if the values are not those of one image of this shape.
pub fn ssim(restored: &[f32], clean: &[f32], shape: [usize; 3], range: f64) -> Result<f64> {
    let [_, height, width] = shape;
    let size: usize = shape.iter().product();
    if restored.len() != size || clean.len() != size || size == 0 {
        let got = format!("{} and {}", restored.len(), clean.len());
        let fix = "compare one image with one image".to_owned();
        return Err(Error::Shape { what: "values of two images", expected: size.to_string(), got, fix });
    }
    let weights = window(height.min(width).min(SIDE));
    let planes = restored.chunks_exact(height * width).zip(clean.chunks_exact(height * width));
    let of_plane = |(x, y): (&[f32], &[f32])| of_plane(x, y, [height, width], &weights, range);
    Ok(planes.map(of_plane).sum::<f64>() / shape[0] as f64)
}

/// Weights along one axis, which sum to one.
fn window(side: usize) -> Vec<f64> {
    let middle = 0.5 * (side - 1) as f64;
    let weight = |i: usize| (-0.5 * ((i as f64 - middle) / DEVIATION).powi(2)).exp();
    let total: f64 = (0..side).map(weight).sum();
    (0..side).map(|i| weight(i) / total).collect()
}

fn of_plane(x: &[f32], y: &[f32], [height, width]: [usize; 2], weights: &[f64], range: f64) -> f64 {
    let side = weights.len();
    let [c1, c2] = STABILISERS.map(|k| (k * range).powi(2));
    let mut total = 0.0;
    for top in 0..=height - side {
        for left in 0..=width - side {
            let mut sums = [0.0; 5];
            for (i, row) in weights.iter().enumerate() {
                for (j, column) in weights.iter().enumerate() {
                    let at = (top + i) * width + left + j;
                    let (w, x, y) = (row * column, f64::from(x[at]), f64::from(y[at]));
                    let terms = [x, y, x * x, y * y, x * y];
                    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += w * term);
                }
            }
            let [mx, my, xx, yy, xy] = sums;
            let (vx, vy, cov) = (xx - mx * mx, yy - my * my, xy - mx * my);
            total += (2.0 * mx * my + c1) * (2.0 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2));
        }
    }
    total / ((height - side + 1) * (width - side + 1)) as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn image(phase: f32) -> Vec<f32> {
        (0..28 * 28).map(|i| (i as f32 * 0.37 + phase).sin()).collect()
    }

    #[test]
    fn an_error_of_a_tenth_of_the_range_is_twenty_decibels() {
        let clean = image(0.0);
        let off: Vec<f32> = clean.iter().map(|x| x + 0.2).collect();
        assert!((psnr(&off, &clean, 2.0) - 20.0).abs() < 1e-4);
        assert_eq!(psnr(&clean, &clean, 2.0), f64::INFINITY);
    }

    #[test]
    fn similarity_is_one_of_the_same_and_follows_its_formula() {
        let clean = image(0.0);
        let of = |x: &[f32]| ssim(x, &clean, [1, 28, 28], 2.0).unwrap();
        assert!((of(&clean) - 1.0).abs() < 1e-12);
        // Even images differ by the first factor alone.
        let even = |value: f32| vec![value; 64];
        let c1 = 4e-4;
        let exact = (2.0 * 0.5 * 0.25 + c1) / (0.25 + 0.0625 + c1);
        assert!((ssim(&even(0.5), &even(0.25), [1, 8, 8], 2.0).unwrap() - exact).abs() < 1e-9);
        // The negative has the negative covariance.
        let negative: Vec<f32> = clean.iter().map(|x| -x).collect();
        assert!(of(&negative) < -0.5 && of(&image(1.0)) < 0.9);
        assert!(ssim(&clean, &clean[1..], [1, 28, 28], 2.0).is_err());
    }
}
