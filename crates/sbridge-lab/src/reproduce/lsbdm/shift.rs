//! The error grows no faster than the shift between pre-training and target law.

use sbridge::Codec as _;
use sbridge::eval::{decoder_lipschitz, encoder_lipschitz, reconstruction_error};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, from_rows, points, to_vec_f64};
use sbridge_ot::wasserstein2;

use super::laws::{cube, directions, embed};
use super::training::{Rows, latent_model};
use crate::reproduce::{Effort, Estimate, Result, Study, dashed, line};

const LATENT: usize = 2;
const AMBIENT: usize = 6;

/// Where the best matching is the identity, both sides are one number, rounded in f32 and in f64.
const ROUNDING: f64 = 1.0 + 1e-4;

/// What the control's reconstructions are moved by, farther than any bound here reaches.
const SPOILED: f64 = 200.0;
const CONTROL: &str = "reconstruction moved by 200";

/// `rows` moved by `length` along `direction`.
fn moved(rows: &Tensor<2>, direction: &[f64], length: f64) -> Tensor<2> {
    let step: Vec<f32> = direction.iter().map(|x| (length * x) as f32).collect();
    rows.clone() + from_rows(&step, AMBIENT, &rows.device())
}

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let (count, compared) = effort.pick((2000, 500), (5000, 2000));
    let mut stream = rng.fork("data");
    let axes = directions(LATENT + 1, AMBIENT, &mut stream);
    let (inside, across) = axes.split_at(LATENT);
    let mut draw = |count| embed(&cube(count, LATENT, &mut stream), inside);
    let rows = Rows { train: draw(count), held_out: draw(count) };
    let (fresh, other) = (draw(compared), draw(compared));
    let model = latent_model(&rows, LATENT, effort.pick(1000, 4000), rng)?;
    let scaled = |rows: &Tensor<2>| points(&model.codec.scaling.apply(rows.clone()));
    let floor = wasserstein2(&scaled(&fresh)?, &scaled(&other)?)?;
    let of_pretraining = reconstruction_error(&model, &fresh);
    // Of reconstructions, whoever made them.
    let rms = |restored: &Tensor<2>, target: &Tensor<2>| {
        let error = model.codec.scaling.apply(restored.clone()) - model.codec.scaling.apply(target.clone());
        to_vec_f64(error.powi_scalar(2).sum_dim(1).mean())[0].sqrt()
    };
    let mut stream = rng.fork("constants");
    let mut study = Study::new(
        "End-to-end error under a shift",
        format!(
            "Encoder and decoder are trained on {count} samples of a square in ℝ⁶ and stopped by as many others; the \
             target, {compared} more, is that square moved by a growing length, inside its plane and out of it. W2 between \
             the target and its reconstruction is at most R(p_data), and that at most R(p̃) + (1 + L_D L_E) δ. The floor, \
             W2 between two samples, is {floor:.4}."
        ),
        "L_D and L_E are the largest stretches found around the data, so the bound is an estimate. Lengths \
         are in units of the scaled data.",
    );
    let mut series = Vec::new();
    for (name, direction) in [("inside the plane", &inside[0]), ("out of the plane", &across[0])] {
        let (mut errors, mut bounds) = (Vec::new(), Vec::new());
        for length in [0.0, 0.5, 1.0, 2.0] {
            let target = moved(&fresh, direction, length);
            let delta = wasserstein2(&scaled(&moved(&other, direction, length))?, &scaled(&fresh)?)?;
            let restored = model.codec.decode(&model.codec.encode(&target));
            let w2 = wasserstein2(&scaled(&restored)?, &scaled(&target)?)?;
            let error = reconstruction_error(&model, &target);
            let both = Tensor::cat(vec![fresh.clone(), target.clone()], 0);
            let decoder = decoder_lipschitz(&model.codec, &model.codec.encode(&both), &mut stream);
            let encoder = encoder_lipschitz(&model.codec, &both, &mut stream);
            let bound = of_pretraining + (1.0 + decoder * encoder) * delta;
            let spoiled = moved(&restored, &across[0], SPOILED);
            let of_spoiled = wasserstein2(&scaled(&spoiled)?, &scaled(&target)?)?;
            let beside = |found, control: f64| Estimate::once(found, compared).beside(CONTROL, control);
            let name = format!("moved {length} {name}");
            study.at_most(format!("W2(D#p, p_data), {name}"), beside(w2, of_spoiled), error * ROUNDING);
            study.at_most(format!("R(p_data), {name}"), beside(error, rms(&spoiled, &target)), bound);
            errors.push((delta, error));
            bounds.push((delta, bound));
        }
        series.push(line(format!("R(p_data), {name}"), errors));
        series.push(dashed(format!("bound, {name}"), bounds));
    }
    study.plot(
        "Reconstruction error of the target against the shift δ",
        ["δ = W2(p_data, p̃)", "R(p_data)"],
        series,
    );
    Ok(study)
}
