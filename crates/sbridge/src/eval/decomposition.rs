//! Where the end-to-end error comes from, term by term, all measured:
//!
//! W2(D#π̃_T, p_data) ≤ L_D [W2(π̃_T, q_v) + W2(q_v, p)] + W2(D#p, p_data), where
//! W2(π̃_T, q_v) is the error of step, score and start law together, and the step error is also
//! measured alone;
//! W2(D#p, p_data) ≤ R(p_data) ≤ R(p̃) + (1 + L_D L_E) δ.
//!
//! Both follow from the triangle inequality and the definition of a Lipschitz constant.
//!
//! D is the decoder without the clip to the range of images, which is no part of the map. L_D and L_E are estimates, so the
//! right-hand sides are, too. Units: scaled data, normalised codes. W2 is exact on equal samples, and its floor is the W2 of
//! two samples of the same law of that size: a value at its floor means no visible difference.

use std::fmt;
use std::ops::ControlFlow;

use sbridge_ot::{Points, wasserstein2};
use serde::{Deserialize, Serialize};

use crate::codec::Codec as _;
use crate::error::Result;
use crate::eval::{decoder_lipschitz, encoder_lipschitz, step_error};
use crate::latent::{LatentModel, SamplerSettings, start_law};
use crate::rng::Rng;
use crate::simulate::EndRule;
use crate::tensor::{Tensor, head, points, to_vec_f64};

/// Points in an exact W2; its cost grows with the cube.
const MATCHED: usize = 1000;

/// A quantity of the inequalities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum TermName {
    /// W2(D#π̃_T, p_data), what the first inequality bounds.
    EndToEnd,
    /// L_D [W2(π̃_T, q_v) + W2(q_v, p)] + R(p_data), its right-hand side.
    EndToEndBound,
    /// L_D.
    DecoderLipschitz,
    /// W2(π̃_T, π_T).
    StepError,
    /// W2(π̃_T, q_v).
    LatentError,
    /// W2(q_v, p).
    StoppingError,
    /// R(p_data), what the second inequality bounds.
    Reconstruction,
    /// R(p̃).
    PretrainReconstruction,
    /// δ = W2(p_data, p̃).
    Shift,
    /// L_E.
    EncoderLipschitz,
    /// R(p̃) + (1 + L_D L_E) δ, the right-hand side of the second inequality.
    ReconstructionBound,
}

impl TermName {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::EndToEnd,
        Self::EndToEndBound,
        Self::DecoderLipschitz,
        Self::StepError,
        Self::LatentError,
        Self::StoppingError,
        Self::Reconstruction,
        Self::PretrainReconstruction,
        Self::Shift,
        Self::EncoderLipschitz,
        Self::ReconstructionBound,
    ];

    /// How it is written in the inequalities, and in files.
    pub fn symbol(self) -> &'static str {
        self.in_words().0
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        self.in_words().1
    }

    /// Symbol and meaning.
    fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::EndToEnd => {
                ("W2(D#π̃_T, p_data)", "end-to-end error of decoded samples, without the Tweedie step")
            }
            Self::EndToEndBound => ("right-hand side", "the bound of the inequality with the terms below"),
            Self::DecoderLipschitz => {
                ("L_D", "largest Jacobian norm of the decoder at unseen codes, an estimate")
            }
            Self::StepError => {
                ("W2(π̃_T, π_T)", "step error along paths, against a grid twice as fine: a bound")
            }
            Self::LatentError => ("W2(π̃_T, q_v)", "step, score and start error, in latent space"),
            Self::StoppingError => ("W2(q_v, p)", "stopping error, at most √(d* v_end)"),
            Self::Reconstruction => ("R(p_data)", "reconstruction error on the target law"),
            Self::PretrainReconstruction => ("R(p̃)", "reconstruction error on the pre-training law"),
            Self::Shift => ("δ = W2(p_data, p̃)", "shift between pre-training and target law"),
            Self::EncoderLipschitz => {
                ("L_E", "largest Jacobian norm of the encoder at unseen samples, an estimate")
            }
            Self::ReconstructionBound => ("R(p̃) + (1 + L_D L_E) δ", "bound on R(p_data) from the shift"),
        }
    }
}

impl fmt::Display for TermName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.symbol())
    }
}

impl From<TermName> for &'static str {
    fn from(name: TermName) -> Self {
        name.symbol()
    }
}

impl TryFrom<String> for TermName {
    type Error = String;

    fn try_from(symbol: String) -> std::result::Result<Self, String> {
        // The latent error as early evaluations wrote it.
        let symbol = if symbol == "W2(π_T, q_v)" { Self::LatentError.symbol() } else { &symbol };
        let name = Self::ALL.into_iter().find(|name| name.symbol() == symbol);
        name.ok_or_else(|| format!("{symbol:?} is no term of the decomposition"))
    }
}

/// One measured term.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Term {
    /// Which.
    pub name: TermName,
    /// What it means in words.
    pub meaning: String,
    /// Its value.
    pub value: f64,
    /// The value that sampling alone would give, where there is one.
    pub floor: Option<f64>,
}

impl Term {
    fn new(name: TermName, value: f64, floor: Option<f64>) -> Self {
        Self { name, meaning: name.meaning().into(), value, floor }
    }
}

/// All terms of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decomposition {
    /// In the order of the inequality.
    pub terms: Vec<Term>,
    /// Points in each exact W2.
    pub matched: usize,
}

impl Decomposition {
    /// The value of a term, if it was measured.
    pub fn value(&self, name: TermName) -> Option<f64> {
        self.terms.iter().find(|term| term.name == name).map(|term| term.value)
    }

    /// The inequalities that were measured: what is bounded, its value, the bound.
    pub fn bounds(&self) -> Vec<(TermName, f64, f64)> {
        let inequalities = [
            (TermName::EndToEnd, TermName::EndToEndBound),
            (TermName::Reconstruction, TermName::ReconstructionBound),
        ];
        let measured = |(left, right)| Some((left, self.value(left)?, self.value(right)?));
        inequalities.into_iter().filter_map(measured).collect()
    }

    /// The largest summand of the right-hand side, as it is written there, and its share.
    pub fn dominant(&self) -> Option<(String, f64)> {
        let decoder = self.value(TermName::DecoderLipschitz)?;
        let whole = self.value(TermName::EndToEndBound)?;
        let stretched = |name| Some((format!("L_D · {name}"), decoder * self.value(name)?));
        let summands = [
            stretched(TermName::LatentError),
            stretched(TermName::StoppingError),
            Some((TermName::Reconstruction.to_string(), self.value(TermName::Reconstruction)?)),
        ];
        let largest = summands.into_iter().flatten().max_by(|a, b| a.1.total_cmp(&b.1));
        largest.map(|(summand, value)| (summand, value / whole))
    }
}

/// Measures every term of `model` against unseen `reference` rows; `pretrain` are unseen rows of the pre-training law if it
/// differs from the target. Both are in random order, since the first of them are taken; data units, `[count, size]`.
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
    let unseen = halves(&scaled_points(model, &reference)?, matched)?;
    let unseen_codes = model.codec.encode(&reference);
    let code_halves = halves(&points(&unseen_codes)?, matched)?;

    // The inequality speaks of the law at the end of the grid, before any Tweedie step.
    let plain = SamplerSettings { end: EndRule::Plain, ..settings.clone() };
    let codes = model
        .sample_codes(matched, &plain, &rng.fork("decomposition"), &mut |_| ControlFlow::Continue(()))?;
    let denoiser = plain.denoiser(model.epsilon)?;
    let v_end = denoiser.variances().last().copied().unwrap_or(0.0);
    let mut stream = rng.fork("terms");
    let smoothed = unseen_codes.clone() + stream.normal_like(&unseen_codes) * v_end.sqrt();
    let smoothed = halves(&points(&smoothed)?, matched)?;
    let generated = points(&model.codec.decode_scaled(&codes))?;

    let decoder = decoder_lipschitz(&model.codec, &head(&unseen_codes, matched), &mut stream);
    let encoder = encoder_lipschitz(&model.codec, &head(&reference, matched), &mut stream);
    let start = start_law(model, settings.start, &mut stream)?.sample(matched, &mut stream);
    let step = step_error(&model.predictor, &denoiser, start, &mut stream)?;
    let latent_floor = wasserstein2(&code_halves[0], &code_halves[1])?;
    let data_floor = wasserstein2(&unseen[0], &unseen[1])?;
    let latent = wasserstein2(&points(&codes)?, &smoothed[0])?;
    let stopping = (v_end * codes.dims()[1] as f64).sqrt();
    let reconstruction = reconstruction_error(model, &reference);
    let end_to_end = wasserstein2(&generated, &unseen[0])?;
    let bound = decoder * (latent + stopping) + reconstruction;

    let mut terms = vec![
        Term::new(TermName::EndToEnd, end_to_end, Some(data_floor)),
        Term::new(TermName::EndToEndBound, bound, None),
        Term::new(TermName::DecoderLipschitz, decoder, None),
        Term::new(TermName::StepError, step, None),
        Term::new(TermName::LatentError, latent, Some(latent_floor)),
        Term::new(TermName::StoppingError, stopping, None),
        Term::new(TermName::Reconstruction, reconstruction, None),
    ];
    if let Some(pretrain) = pretrain {
        let pretrain = head(pretrain, matched);
        let target = first(&unseen[0], pretrain.dims()[0])?;
        let shift = wasserstein2(&scaled_points(model, &pretrain)?, &target)?;
        let own = reconstruction_error(model, &pretrain);
        terms.extend([
            Term::new(TermName::PretrainReconstruction, own, None),
            Term::new(TermName::Shift, shift, Some(data_floor)),
            Term::new(TermName::EncoderLipschitz, encoder, None),
            Term::new(TermName::ReconstructionBound, own + (1.0 + decoder * encoder) * shift, None),
        ]);
    }
    Ok(Decomposition { terms, matched })
}

/// R: root mean square distance of `rows`, `[count, size]` in data units, from what the decoder makes of their codes, in
/// scaled units.
pub fn reconstruction_error(model: &LatentModel, rows: &Tensor<2>) -> f64 {
    let scaled = model.codec.scaling.apply(rows.clone());
    let restored = model.codec.decode_scaled(&model.codec.encode(rows));
    to_vec_f64((restored - scaled).powi_scalar(2).sum_dim(1).mean())[0].sqrt()
}

/// Rows in data units, `[count, size]`, in the units of the networks.
fn scaled_points(model: &LatentModel, rows: &Tensor<2>) -> Result<Points> {
    points(&model.codec.scaling.apply(rows.clone()))
}

/// The first `count` points, or all there are.
fn first(points: &Points, count: usize) -> Result<Points> {
    let indices: Vec<usize> = (0..count.min(points.len())).collect();
    Ok(points.subset(&indices)?)
}

/// The first `half` points, and as many after them.
fn halves(points: &Points, half: usize) -> Result<[Points; 2]> {
    let second: Vec<usize> = (half..2 * half).collect();
    Ok([first(points, half)?, points.subset(&second)?])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn terms_are_written_by_their_symbols_and_read_again() {
        for name in TermName::ALL {
            let text = serde_json::to_string(&Term::new(name, 0.5, None)).unwrap();
            let (symbol, meaning) = (name.symbol(), name.meaning());
            let expected = format!(r#"{{"name":"{symbol}","meaning":"{meaning}","value":0.5,"floor":null}}"#);
            assert_eq!(text, expected);
            assert_eq!(serde_json::from_str::<Term>(&text).unwrap().name, name);
        }
        assert_eq!(TermName::try_from("W2(π_T, q_v)".to_string()), Ok(TermName::LatentError));
        assert!(TermName::try_from("W2".to_string()).unwrap_err().contains("no term"));
    }

    #[test]
    fn the_largest_summand_is_named_as_it_stands_in_the_inequality() {
        let values = [
            (TermName::EndToEndBound, 4.0),
            (TermName::DecoderLipschitz, 2.0),
            (TermName::LatentError, 1.5),
            (TermName::StoppingError, 0.25),
            (TermName::Reconstruction, 0.5),
        ];
        let terms = values.map(|(name, value)| Term::new(name, value, None)).to_vec();
        let decomposition = Decomposition { terms, matched: 10 };
        assert_eq!(decomposition.dominant(), Some(("L_D · W2(π̃_T, q_v)".into(), 0.75)));
        assert!(decomposition.bounds().is_empty());
    }
}
