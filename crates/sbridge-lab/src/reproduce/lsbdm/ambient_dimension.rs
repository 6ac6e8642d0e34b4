//! With d* fixed, latent W2 does not depend on the dimension d the data live in.

use std::ops::ControlFlow;

use sbridge::Result;
use sbridge::rng::Rng;
use sbridge::tensor::points;
use sbridge_ot::wasserstein2;

use super::super::statistics::{log_slope, mean};
use super::laws::{cube, directions, embed};
use super::training::{Rows, Sizes, autoencoder, bridge, sampler};
use crate::reproduce::{Check, Effort, Study};
use sbridge_report::{Plot, Scale, Series, SeriesStyle};

const LATENT: usize = 2;

/// Latent W2 of a model trained on codes embedded in `size` dimensions, and its floor.
fn measure(size: usize, effort: Effort, rng: &Rng) -> Result<(f64, f64)> {
    let (count, compared) = effort.pick((2000, 1000), (5000, 2000));
    let sizes = Sizes { steps: effort.pick(1000, 4000), width: 64 };
    let mut stream = rng.fork("data");
    let axes = directions(LATENT, size, &mut stream);
    let mut draw = |count| embed(&cube(count, LATENT, &mut stream), &axes);
    let rows = Rows { train: draw(count), held_out: draw(count) };
    let pair = autoencoder(&rows, LATENT, sizes, &rng.fork("autoencoder"))?;
    let model = bridge(pair, &rows, sizes, &rng.fork("score"))?;
    let samples =
        points(&model.sample_codes(compared, &sampler(), rng, &mut |_| ControlFlow::Continue(()))?)?;
    let reference = points(&model.codec.encode(&draw(compared)))?;
    let fresh = points(&model.codec.encode(&draw(compared)))?;
    Ok((wasserstein2(&samples, &reference)?, wasserstein2(&fresh, &reference)?))
}

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let ambient = effort.pick(&[4, 64][..], &[4, 16, 64, 256][..]);
    let repeats = effort.pick(2, 5);
    let (mut distances, mut floors) = (Vec::new(), Vec::new());
    for &size in ambient {
        let repeat = |r| measure(size, effort, &rng.fork(&format!("d={size}, repeat={r}")));
        let found = (0..repeats).map(repeat).collect::<Result<Vec<_>>>()?;
        distances.push(found.iter().map(|(w2, _)| *w2).collect::<Vec<_>>());
        floors.push(mean(&found.iter().map(|(_, floor)| *floor).collect::<Vec<_>>()));
    }
    let x: Vec<f64> = ambient.iter().map(|d| *d as f64).collect();
    let slope = log_slope(&x, &distances, &mut rng.fork("bootstrap"));
    let check = Check::near("slope of latent W2 in d", slope.value, 0.0, 0.1).within(slope.interval);
    let curve = |y: Vec<f64>| x.iter().copied().zip(y).collect::<Vec<_>>();
    let plot = Plot {
        caption: format!("Latent W2 against the ambient dimension, d* = {LATENT}"),
        x_label: "ambient dimension d".into(),
        y_label: "latent W2".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        series: vec![
            Series {
                name: "trained".into(),
                style: SeriesStyle::Line,
                points: curve(distances.iter().map(|row| mean(row)).collect()),
            },
            Series { name: "floor".into(), style: SeriesStyle::Dashed, points: curve(floors) },
        ],
    };
    Ok(Study {
        title: "Independence from the ambient dimension".into(),
        text: format!(
            "Codes spread over a square are embedded along {LATENT} orthonormal directions of ℝᵈ; encoder, decoder and \
             score are trained for each d, and W2 is measured between generated and fresh codes."
        ),
        checks: vec![check],
        note: "A slope of 0.1 would be a factor of 1.3 between d = 4 and 64, and 1.5 between 4 and 256; the interval is a bootstrap over \
               repeats. Codes are normalised, so that encoders of different scale compare."
            .into(),
        plots: vec![plot],
        ..Study::default()
    })
}
