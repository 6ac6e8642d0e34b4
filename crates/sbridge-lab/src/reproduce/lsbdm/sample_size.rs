//! Latent W2 against the number n of training codes.

use sbridge::marginal::{Convolved, Empirical, Marginal as _};
use sbridge::rng::Rng;
use sbridge::tensor::points;
use sbridge_ot::wasserstein2;

use super::laws::cube;
use super::training::{Rows, codes, plain_bridge, sampler};
use crate::reproduce::{Effort, Result, Study, Sweep, dashed, line};

/// Standard deviations that the control's samples are moved by: an error that no number of codes mends.
const MOVED: f64 = 2.0;
const CONTROL: &str = "samples moved by 2";

/// W2 of trained and memorising samplers to fresh codes, and of fresh codes to fresh codes.
struct Distances {
    trained: f64,
    moved: f64,
    memorising: f64,
    floor: f64,
}

/// Trains on `n` codes of the unit cube in `dim` dimensions and measures with `compared` points.
fn measure(n: usize, dim: usize, compared: usize, steps: usize, rng: &Rng) -> Result<Distances> {
    let mut stream = rng.fork("codes");
    let rows = Rows { train: cube(n, dim, &mut stream), held_out: cube(n, dim, &mut stream) };
    let model = plain_bridge(&rows, steps, &rng.fork("score"))?;
    let samples = model.codec.normaliser.undo(codes(&model, compared, &sampler(), rng)?);
    let memorising = Convolved::new(Empirical::new(rows.train), model.v_min).sample(compared, &mut stream);
    let reference = points(&cube(compared, dim, &mut stream))?;
    let fresh = points(&cube(compared, dim, &mut stream))?;
    Ok(Distances {
        trained: wasserstein2(&points(&samples)?, &reference)?,
        moved: wasserstein2(&points(&(samples + MOVED))?, &reference)?,
        memorising: wasserstein2(&points(&memorising)?, &reference)?,
        floor: wasserstein2(&fresh, &reference)?,
    })
}

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let sizes = effort.pick(&[100, 400, 1600][..], &[100, 300, 1000, 3000, 10_000][..]);
    let (repeats, compared) = effort.pick((2, 1000), (5, 2000));
    let steps = effort.pick(1000, 4000);
    let mut study = Study::new(
        "Latent W2 against the number of codes",
        format!(
            "Scores trained on n codes spread evenly over a cube of dimension d*, stopped by n others, which sampling starts \
             from; exact W2 of {compared} samples to as many fresh codes, {repeats} repeats over data and training at each size. \
             The memorising sampler returns \
             the training codes; the floor is W2 between two fresh samples, below which nothing can be seen."
        ),
        "The slope is that of ln W2 in ln n, its interval a bootstrap over the repeats. The bound \
         −1/(6(d* + 3)) is one-sided and so flat that a slope can hardly miss it: no reproduction. Near the floor a \
         measured slope is flatter than the true one. The control's samples are moved by two standard deviations.",
    );
    for &dim in effort.pick(&[1, 2][..], &[1, 2, 3][..]) {
        let sweep = Sweep::over(sizes, repeats, |n, repeat| {
            measure(n, dim, compared, steps, &rng.fork(&format!("d={dim}, n={n}, repeat={repeat}")))
        })?;
        let slope = |of: fn(&Distances) -> f64| sweep.log_slope(of, &mut rng.fork("bootstrap"));
        let bound = -1.0 / (6.0 * (dim as f64 + 3.0));
        let beside = slope(|w2| w2.trained).beside(CONTROL, slope(|w2| w2.moved));
        study.at_most(format!("slope of W2 in n, d* = {dim}"), beside, bound);
        study.log_plot(
            format!("Latent W2 against n, d* = {dim}"),
            ["training codes n", "W2"],
            vec![
                line("trained", sweep.means(|w2| w2.trained)),
                line("memorising", sweep.means(|w2| w2.memorising)),
                dashed("floor", sweep.means(|w2| w2.floor)),
            ],
        );
    }
    Ok(study)
}
