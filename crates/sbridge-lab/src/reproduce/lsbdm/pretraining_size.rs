//! Reconstruction against the number M of pre-training samples.

use sbridge::Result;
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, to_vec_f64};

use super::super::statistics::{log_slope, mean};
use super::laws::{cube, directions, embed};
use super::training::{Rows, Sizes, autoencoder};
use crate::reproduce::{Check, Effort, Study};
use sbridge_report::{Plot, Scale, Series, SeriesStyle};

const LATENT: usize = 2;
const AMBIENT: usize = 8;
const FRESH: usize = 2000;

/// A curved surface: two coordinates, their sines and product, along four directions of ℝ⁸.
fn surface(count: usize, axes: &[Vec<f64>], rng: &mut Rng) -> Tensor<2> {
    let z = cube(count, LATENT, rng);
    let product = z.clone().narrow(1, 0, 1) * z.clone().narrow(1, 1, 1);
    let sine = (z.clone().narrow(1, 0, 1) * 2.0).sin();
    embed(&Tensor::cat(vec![z, product, sine], 1), axes)
}

/// Root mean square reconstruction error on fresh samples after training on `count`.
fn measure(count: usize, sizes: Sizes, axes: &[Vec<f64>], rng: &Rng) -> Result<f64> {
    let mut stream = rng.fork("data");
    let held_out = surface(count.div_ceil(4).max(20), axes, &mut stream);
    let rows = Rows { train: surface(count, axes, &mut stream), held_out };
    let (net, scaling) = autoencoder(&rows, LATENT, sizes, &rng.fork("autoencoder"))?;
    let fresh = scaling.apply(surface(FRESH, axes, &mut stream));
    let restored = net.decode(net.encode(fresh.clone()).mean);
    Ok(to_vec_f64((restored - fresh).powi_scalar(2).sum_dim(1).mean())[0].sqrt())
}

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let sizes = effort.pick(&[50, 200, 800][..], &[50, 200, 800, 3200, 12_800][..]);
    let repeats = effort.pick(2, 5);
    let networks = Sizes { steps: effort.pick(1000, 4000), width: 64 };
    let axes = directions(4, AMBIENT, &mut rng.fork("axes"));
    let mut errors = Vec::new();
    for &count in sizes {
        let repeat = |r| measure(count, networks, &axes, &rng.fork(&format!("M={count}, repeat={r}")));
        errors.push((0..repeats).map(repeat).collect::<Result<Vec<_>>>()?);
    }
    let x: Vec<f64> = sizes.iter().map(|m| *m as f64).collect();
    let slope = log_slope(&x, &errors, &mut rng.fork("bootstrap"));
    let bound = -1.0 / (AMBIENT as f64 + 2.0);
    let check = Check::at_most("slope of R in M", slope.value, bound).within(slope.interval);
    let points = x.iter().copied().zip(errors.iter().map(|row| mean(row))).collect();
    let plot = Plot {
        caption: "Reconstruction error on fresh samples (the floor is zero: the surface has two dimensions)"
            .into(),
        x_label: "pre-training samples M".into(),
        y_label: "R".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        series: vec![Series { name: "trained".into(), style: SeriesStyle::Line, points }],
    };
    Ok(Study {
        title: "Reconstruction against the pre-training size".into(),
        text: format!(
            "A curved surface of two dimensions in ℝ⁸; encoder and decoder trained on M samples with early \
             stopping on a quarter as many, {repeats} repeats."
        ),
        checks: vec![check],
        note: "The slope is that of ln R in ln M. The bound −1/(d + 2) is one-sided.".into(),
        plots: vec![plot],
        ..Study::default()
    })
}
