//! The end-to-end inequality with every term measured.

use sbridge::eval::decompose;
use sbridge::rng::Rng;

use super::laws::{cube, directions, embed};
use super::training::{Rows, UNTRAINED_STEPS, latent_model, sampler};
use crate::problem::UNTRAINED;
use crate::reproduce::{Effort, Estimate, Result, Study};

const LATENT: usize = 2;
const AMBIENT: usize = 10;

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let (count, fresh) = effort.pick((2000, 1000), (10_000, 2000));
    let mut stream = rng.fork("data");
    let axes = directions(LATENT, AMBIENT, &mut stream);
    let mut draw = |count| embed(&cube(count, LATENT, &mut stream), &axes);
    let rows = Rows { train: draw(count), held_out: draw(count) };
    let reference = draw(fresh);
    let measured = |steps: usize| -> Result<_> {
        let model = latent_model(&rows, LATENT, steps, rng)?;
        Ok(decompose(&model, &sampler(), &reference, None, rng)?)
    };
    let (terms, untrained) = (measured(effort.pick(1500, 6000))?, measured(UNTRAINED_STEPS)?);
    let listed = terms.terms.iter().map(|t| format!("{} = {:.4} ({})", t.name, t.value, t.meaning));
    let mut study = Study::new(
        "The end-to-end inequality",
        format!(
            "W2(D#π̃_T, p_data) ≤ L_D [W2(π̃_T, q_v) + W2(q_v, p)] + R(p_data) for a model trained on \
             {count} samples of a square in ℝ¹⁰, stopped by as many others and judged by {fresh} more. The control is the left \
             side of a model that was never trained.\n\n{}.",
            listed.collect::<Vec<_>>().join("; ")
        ),
        format!(
            "Exact W2 of {} points on each side; L_D is an estimate from below. A bound, and no reproduction.",
            terms.matched
        ),
    );
    for ((name, left, right), (_, control, _)) in terms.bounds().into_iter().zip(untrained.bounds()) {
        study.at_most(name.symbol(), Estimate::once(left, terms.matched).beside(UNTRAINED, control), right);
    }
    Ok(study)
}
