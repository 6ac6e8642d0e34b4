//! The error grows no faster than the shift between pre-training and target law.

use sbridge::Result;
use sbridge::eval::{decoder_lipschitz, encoder_lipschitz, reconstruction_error};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, from_rows, points};
use sbridge_ot::wasserstein2;

use super::laws::{cube, directions, embed};
use super::training::{Rows, Sizes, autoencoder, bridge};
use crate::reproduce::{Check, Effort, Study};
use sbridge_report::{Plot, Series, SeriesStyle};

const LATENT: usize = 2;
const AMBIENT: usize = 6;

/// Where the best matching is the identity, both sides are one number, rounded in f32 and in f64.
const ROUNDING: f64 = 1.0 + 1e-4;

/// `rows` moved by `length` along `direction`.
fn moved(rows: &Tensor<2>, direction: &[f64], length: f64) -> Tensor<2> {
    let step: Vec<f32> = direction.iter().map(|x| (length * x) as f32).collect();
    rows.clone() + from_rows(&step, AMBIENT, &rows.device())
}

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let (count, compared) = effort.pick((2000, 500), (5000, 2000));
    let sizes = Sizes { steps: effort.pick(1000, 4000), width: 64 };
    let mut stream = rng.fork("data");
    let axes = directions(LATENT + 1, AMBIENT, &mut stream);
    let (inside, across) = axes.split_at(LATENT);
    let mut draw = |count| embed(&cube(count, LATENT, &mut stream), inside);
    let rows = Rows { train: draw(count), held_out: draw(count) };
    let (fresh, other) = (draw(compared), draw(compared));
    let pair = autoencoder(&rows, LATENT, sizes, &rng.fork("autoencoder"))?;
    let model = bridge(pair, &rows, sizes, &rng.fork("score"))?;
    let scaled = |rows: &Tensor<2>| points(&model.codec.scaling.apply(rows.clone()));
    let floor = wasserstein2(&scaled(&fresh)?, &scaled(&other)?)?;
    let of_pretraining = reconstruction_error(&model, &fresh);
    let mut stream = rng.fork("constants");
    let mut study = Study {
        title: "End-to-end error under a shift".into(),
        text: format!(
            "Encoder and decoder are trained on a square in ℝ⁶; the target is that square moved by a growing \
             length, inside its plane and out of it. W2 between the target and its reconstruction is at \
             most R(p_data), and that at most R(p̃) + (1 + L_D L_E) δ. The floor, W2 between two samples, is \
             {floor:.4}."
        ),
        note: "L_D and L_E are the largest stretches found around the data, so the bound is an estimate. Lengths \
               are in units of the scaled data."
            .into(),
        ..Study::default()
    };
    let mut series = Vec::new();
    for (name, direction) in [("inside the plane", &inside[0]), ("out of the plane", &across[0])] {
        let (mut measured, mut bounds) = (Vec::new(), Vec::new());
        for length in [0.0, 0.5, 1.0, 2.0] {
            let target = moved(&fresh, direction, length);
            let delta = wasserstein2(&scaled(&moved(&other, direction, length))?, &scaled(&fresh)?)?;
            let w2 =
                wasserstein2(&scaled(&model.codec.decode(&model.codec.encode(&target)))?, &scaled(&target)?)?;
            let error = reconstruction_error(&model, &target);
            let both = Tensor::cat(vec![fresh.clone(), target.clone()], 0);
            let decoder = decoder_lipschitz(&model.codec, &model.codec.encode(&both), &mut stream);
            let encoder = encoder_lipschitz(&model.codec, &both, &mut stream);
            let bound = of_pretraining + (1.0 + decoder * encoder) * delta;
            study.checks.push(Check::at_most(
                format!("W2(D#p, p_data), moved {length} {name}"),
                w2,
                error * ROUNDING,
            ));
            study.checks.push(Check::at_most(format!("R(p_data), moved {length} {name}"), error, bound));
            measured.push((delta, error));
            bounds.push((delta, bound));
        }
        let curve = |label: &str, style, points| Series { name: format!("{label}, {name}"), style, points };
        series.push(curve("R(p_data)", SeriesStyle::Line, measured));
        series.push(curve("bound", SeriesStyle::Dashed, bounds));
    }
    study.plots.push(Plot {
        caption: "Reconstruction error of the target against the shift δ".into(),
        x_label: "δ = W2(p_data, p̃)".into(),
        y_label: "R(p_data)".into(),
        series,
        ..Plot::default()
    });
    Ok(study)
}
