//! Latent W2 against the number n of training codes.

use std::ops::ControlFlow;

use sbridge::Result;
use sbridge::marginal::{Convolved, Empirical, Marginal as _};
use sbridge::rng::Rng;
use sbridge::tensor::points;
use sbridge_ot::wasserstein2;

use super::super::statistics::{log_slope, mean};
use super::laws::cube;
use super::training::{Rows, Sizes, plain_bridge, sampler};
use crate::reproduce::{Check, Effort, Study};
use sbridge_report::{Plot, Scale, Series, SeriesStyle};

/// W2 of trained and memorising samplers to fresh codes, and of fresh codes to fresh codes.
struct Distances {
    trained: f64,
    memorising: f64,
    floor: f64,
}

/// Trains on `n` codes of the unit cube in `dim` dimensions and measures with `compared` points.
fn measure(n: usize, dim: usize, compared: usize, sizes: Sizes, rng: &Rng) -> Result<Distances> {
    let mut stream = rng.fork("codes");
    let rows = Rows { train: cube(n, dim, &mut stream), held_out: cube(n, dim, &mut stream) };
    let model = plain_bridge(&rows, sizes, &rng.fork("score"))?;
    let samples = model
        .codec
        .normaliser
        .undo(model.sample_codes(compared, &sampler(), rng, &mut |_| ControlFlow::Continue(()))?);
    let memorising = Convolved::new(Empirical::new(rows.train), model.v_min).sample(compared, &mut stream);
    let reference = points(&cube(compared, dim, &mut stream))?;
    let fresh = points(&cube(compared, dim, &mut stream))?;
    Ok(Distances {
        trained: wasserstein2(&points(&samples)?, &reference)?,
        memorising: wasserstein2(&points(&memorising)?, &reference)?,
        floor: wasserstein2(&fresh, &reference)?,
    })
}

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let dims = effort.pick(&[1, 2][..], &[1, 2, 3][..]);
    let sizes = effort.pick(&[100, 400, 1600][..], &[100, 300, 1000, 3000, 10_000][..]);
    let (repeats, compared) = effort.pick((2, 1000), (5, 2000));
    let networks = Sizes { steps: effort.pick(1000, 4000), width: 64 };
    let mut study = Study {
        title: "Latent W2 against the number of codes".into(),
        text: format!(
            "Scores trained on n codes spread evenly over a cube of dimension d*; exact W2 of {compared} samples to as \
             many fresh codes, {repeats} repeats over data and training. The memorising sampler returns \
             the training codes; the floor is W2 between two fresh samples, below which nothing can be seen."
        ),
        note: "The slope is that of ln W2 in ln n, its interval a bootstrap over the repeats. The bound \
               −1/(6(d* + 3)) is one-sided and so flat that a slope can hardly miss it; near the floor a \
               measured slope is flatter than the true one."
            .into(),
        ..Study::default()
    };
    let x: Vec<f64> = sizes.iter().map(|n| *n as f64).collect();
    for &dim in dims {
        let (mut trained, mut memorising, mut floors) = (Vec::new(), Vec::new(), Vec::new());
        for &n in sizes {
            let repeat =
                |r| measure(n, dim, compared, networks, &rng.fork(&format!("d={dim}, n={n}, repeat={r}")));
            let found = (0..repeats).map(repeat).collect::<Result<Vec<_>>>()?;
            trained.push(found.iter().map(|d| d.trained).collect::<Vec<_>>());
            memorising.push(mean(&found.iter().map(|d| d.memorising).collect::<Vec<_>>()));
            floors.push(mean(&found.iter().map(|d| d.floor).collect::<Vec<_>>()));
        }
        let slope = log_slope(&x, &trained, &mut rng.fork("bootstrap"));
        let bound = -1.0 / (6.0 * (dim as f64 + 3.0));
        let name = format!("slope of W2 in n, d* = {dim}");
        study.checks.push(Check::at_most(name, slope.value, bound).within(slope.interval));
        let curve = |y: Vec<f64>| x.iter().copied().zip(y).collect::<Vec<_>>();
        let series = |name: &str, style, y| Series { name: name.into(), style, points: curve(y) };
        study.plots.push(Plot {
            caption: format!("Latent W2 against n, d* = {dim}"),
            x_label: "training codes n".into(),
            y_label: "W2".into(),
            x_scale: Scale::Log,
            y_scale: Scale::Log,
            series: vec![
                series("trained", SeriesStyle::Line, trained.iter().map(|row| mean(row)).collect()),
                series("memorising", SeriesStyle::Line, memorising),
                series("floor", SeriesStyle::Dashed, floors),
            ],
        });
    }
    Ok(study)
}
