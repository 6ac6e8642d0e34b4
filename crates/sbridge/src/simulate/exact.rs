//! The exact variance of what a sampler makes of a Gaussian on the line.
//!
//! With a score that is linear in the state every step is affine in the state and its noise, Z ← gZ + cξ, so the
//! variance follows V ← g²V + c². Gains g and c are read off the sampler itself, from one path that starts
//! at 1 and hears no noise and one that starts at 0 and hears 1 at every step.
//!
//! A multistep rule sees more than its state, so there one path hears the start alone, and one each the noise of a single step:
//! the variance is the sum of the squares of what they become.

use crate::marginal::SmoothedScore;
use crate::simulate::{Denoiser, Noise};
use crate::tensor::{Device, Tensor, from_rows_f64, to_vec_f64};

/// Variance of the output of `denoiser` on the line, in f64, from a start of variance `start`, with a `score` that is linear
/// in the state: that of a centred Gaussian.
///
/// # Panics
/// If `score` is not one-dimensional and in f64.
pub fn exact_output_variance(denoiser: &Denoiser, score: &dyn SmoothedScore, start: f64) -> f64 {
    if denoiser.rule().is_multistep() {
        return by_single_draws(denoiser, score, start);
    }
    let mut states: Vec<Vec<f64>> = Vec::new();
    let mut observe = |_: f64, z: &Tensor<2>| states.push(to_vec_f64(z.clone()));
    let rows = from_rows_f64(&[1.0, 0.0], 1, &Device::flex());
    denoiser.run_observed(score, rows, &mut SecondRow, &mut observe);
    states.windows(2).fold(start, |var, pair| {
        let gain = pair[1][0] / pair[0][0];
        let noise = pair[1][1] - gain * pair[0][1];
        gain * gain * var + noise * noise
    })
}

/// The same by as many paths as there are steps, and one.
fn by_single_draws(denoiser: &Denoiser, score: &dyn SmoothedScore, start: f64) -> f64 {
    let mut rows = vec![0.0; denoiser.variances().len()];
    rows[0] = 1.0;
    let rows = from_rows_f64(&rows, 1, &Device::flex());
    let ends = to_vec_f64(denoiser.run(score, rows, &mut RowOfStep(0)));
    ends[0].powi(2) * start + ends[1..].iter().map(|end| end.powi(2)).sum::<f64>()
}

/// 1 to the row after that of the draw before.
struct RowOfStep(usize);

impl Noise for RowOfStep {
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2> {
        self.0 += 1;
        let mut draw = vec![0.0; like.dims()[0]];
        draw[self.0] = 1.0;
        from_rows_f64(&draw, 1, &like.device())
    }
}

/// A constant to the second of two rows.
struct SecondRow;

impl Noise for SecondRow {
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2> {
        from_rows_f64(&[0.0, 1.0], 1, &like.device())
    }
}
