//! Where the end-to-end error comes from, term by term, all measured:
//!
//! W2(D#π̃_T, p_data) ≤ L_D [W2(π̃_T, q_v) + W2(q_v, p)] + W2(D#p, p_data), where
//! W2(π̃_T, q_v) is the error of step, score and start law together, and the step error is also
//! measured alone;
//! W2(D#p, p_data) ≤ R(p_data) ≤ R(p̃) + (1 + L_D L_E) δ.
//!
//! Both follow from the triangle inequality and the definition of a Lipschitz constant.
//!
//! Units: scaled data, normalised codes. W2 is exact on equal samples, and its floor is the W2 of
//! two samples of the same law of that size: a value at its floor means no visible difference.

use sbridge_ot::{Points, wasserstein2};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::eval::{decoder_lipschitz, encoder_lipschitz, step_error};
use crate::latent::{LatentModel, SamplerSettings, start_law};
use crate::rng::Rng;
use crate::simulate::EndRule;
use crate::tensor::{Tensor, head, points, to_vec_f64};

/// Points in an exact W2; its cost grows with the cube.
const MATCHED: usize = 1000;

/// One measured term.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Term {
    /// The term as written above.
    pub name: String,
    /// What it means in words.
    pub meaning: String,
    /// Its value.
    pub value: f64,
    /// The value that sampling alone would give, where there is one.
    pub floor: Option<f64>,
}

/// All terms of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decomposition {
    /// In the order of the inequality.
    pub terms: Vec<Term>,
    /// Points in each exact W2.
    pub matched: usize,
}

/// What is bounded, and by what.
const END_TO_END: [&str; 2] = ["W2(D#π̃_T, p_data)", "right-hand side"];
const SHIFT: [&str; 2] = ["R(p_data)", "R(p̃) + (1 + L_D L_E) δ"];

impl Decomposition {
    fn value(&self, name: &str) -> Option<f64> {
        self.terms.iter().find(|term| term.name == name).map(|term| term.value)
    }

    /// The inequalities that were measured: what is bounded, its value, the bound.
    pub fn bounds(&self) -> Vec<(&'static str, f64, f64)> {
        let bound = |[left, right]: [&'static str; 2]| Some((left, self.value(left)?, self.value(right)?));
        [END_TO_END, SHIFT].into_iter().filter_map(bound).collect()
    }

    /// The largest summand of the right-hand side, and its share.
    pub fn dominant(&self) -> Option<(String, f64)> {
        let (decoder, whole) = (self.value("L_D")?, self.value("right-hand side")?);
        let latent = ["W2(π̃_T, q_v)", "W2(q_v, p)"];
        let stretched =
            latent.iter().map(|name| Some((format!("L_D · {name}"), decoder * self.value(name)?)));
        let summands = stretched.chain([Some(("R(p_data)".into(), self.value("R(p_data)")?))]).flatten();
        summands.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(name, value)| (name, value / whole))
    }
}

/// Measures every term of `model` against unseen `reference` rows; `pretrain` rows are those of the
/// pre-training law if it differs from the target. Rows are in data units, `[count, size]`.
///
/// # Errors
/// As [`LatentModel::sample_codes`].
pub fn decompose(
    model: &LatentModel,
    settings: &SamplerSettings,
    reference: &Tensor<2>,
    pretrain: Option<&Tensor<2>>,
    rng: &Rng,
) -> Result<Decomposition> {
    let matched = MATCHED.min(reference.dims()[0] / 2);
    let reference = head(reference, 2 * matched);
    let scale = |rows: &Tensor<2>| points(&model.codec.scaling.apply(rows.clone()));
    let unseen = halves(&scale(&reference)?, matched)?;
    let unseen_codes = model.codec.encode(&reference);
    let code_halves = halves(&points(&unseen_codes)?, matched)?;

    // The inequality speaks of the law at the end of the grid, before any Tweedie step.
    let plain = SamplerSettings { end: EndRule::Plain, ..settings.clone() };
    let codes = model.sample_codes(matched, &plain, &rng.fork("decomposition"), &mut |_| {})?;
    let denoiser = plain.denoiser(model.epsilon)?;
    let v_end = denoiser.variances().last().copied().unwrap_or(0.0);
    let mut stream = rng.fork("terms");
    let shaken = unseen_codes.clone() + stream.normal_like(&unseen_codes) * v_end.sqrt();
    let shaken = halves(&points(&shaken)?, matched)?;
    let generated = scale(&model.codec.decode(&codes))?;

    let decoder = decoder_lipschitz(&model.codec, &head(&unseen_codes, matched), &mut stream);
    let encoder = encoder_lipschitz(&model.codec, &head(&reference, matched), &mut stream);
    let start = start_law(model, settings.start, &mut stream)?.sample(matched, &mut stream);
    let steps = step_error(&model.predictor, denoiser.variances(), start, &mut stream)?;
    let latent_floor = wasserstein2(&code_halves[0], &code_halves[1])?;
    let data_floor = wasserstein2(&unseen[0], &unseen[1])?;
    let learned = wasserstein2(&points(&codes)?, &shaken[0])?;
    let stopping = (v_end * codes.dims()[1] as f64).sqrt();
    let reconstruction = reconstruction_error(model, &reference);
    let end_to_end = wasserstein2(&generated, &unseen[0])?;
    let bound = decoder * (learned + stopping) + reconstruction;

    let mut terms = vec![
        term(
            END_TO_END[0],
            "end-to-end error of decoded samples, without the Tweedie step",
            end_to_end,
            Some(data_floor),
        ),
        term(END_TO_END[1], "the bound of the inequality with the terms below", bound, None),
        term("L_D", "empirical Lipschitz constant of the decoder", decoder, None),
        term("W2(π̃_T, π_T)", "step error alone, against a grid twice as fine", steps, None),
        term("W2(π̃_T, q_v)", "step, score and start error, in latent space", learned, Some(latent_floor)),
        term("W2(q_v, p)", "stopping error, at most √(d* v_end)", stopping, None),
        term(SHIFT[0], "reconstruction error on the target law", reconstruction, None),
    ];
    if let Some(pretrain) = pretrain {
        let pretrain = head(pretrain, matched);
        let delta = wasserstein2(&scale(&pretrain)?, &first(&unseen[0], pretrain.dims()[0])?)?;
        let own = reconstruction_error(model, &pretrain);
        terms.extend([
            term("R(p̃)", "reconstruction error on the pre-training law", own, None),
            term("δ = W2(p_data, p̃)", "shift between pre-training and target law", delta, Some(data_floor)),
            term("L_E", "empirical Lipschitz constant of the encoder", encoder, None),
            term(
                SHIFT[1],
                "bound on R(p_data) from the shift",
                own + (1.0 + decoder * encoder) * delta,
                None,
            ),
        ]);
    }
    Ok(Decomposition { terms, matched })
}

/// R: root mean square distance of samples from their reconstruction, in scaled units.
pub fn reconstruction_error(model: &LatentModel, rows: &Tensor<2>) -> f64 {
    let scaled = model.codec.scaling.apply(rows.clone());
    let restored = model.codec.scaling.apply(model.codec.decode(&model.codec.encode(rows)));
    to_vec_f64((restored - scaled).powi_scalar(2).sum_dim(1).mean())[0].sqrt()
}

fn term(name: &str, meaning: &str, value: f64, floor: Option<f64>) -> Term {
    Term { name: name.into(), meaning: meaning.into(), value, floor }
}

fn first(points: &Points, count: usize) -> Result<Points> {
    let indices: Vec<usize> = (0..count.min(points.len())).collect();
    Ok(points.subset(&indices)?)
}

fn halves(points: &Points, half: usize) -> Result<[Points; 2]> {
    let second: Vec<usize> = (half..2 * half).collect();
    Ok([first(points, half)?, points.subset(&second)?])
}
