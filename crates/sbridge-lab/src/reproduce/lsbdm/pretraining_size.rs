//! Reconstruction against the number M of pre-training samples.

use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, to_vec_f64};

use super::laws::{cube, directions, embed};
use super::training::{Rows, UNTRAINED_STEPS, autoencoder};
use crate::problem::UNTRAINED;
use crate::reproduce::{Effort, Result, Study, Sweep, line};

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

/// Root mean square reconstruction errors.
struct Errors {
    trained: f64,
    untrained: f64,
}

/// Reconstruction on fresh samples after `steps` of training on `count`, and after none.
fn measure(count: usize, steps: usize, axes: &[Vec<f64>], rng: &Rng) -> Result<Errors> {
    let mut stream = rng.fork("data");
    let held_out = surface(count.div_ceil(4).max(20), axes, &mut stream);
    let rows = Rows { train: surface(count, axes, &mut stream), held_out };
    let fresh = surface(FRESH, axes, &mut stream);
    let error = |steps: usize| -> Result<f64> {
        let (net, scaling) = autoencoder(&rows, LATENT, steps, &rng.fork("autoencoder"))?;
        let fresh = scaling.apply(fresh.clone());
        let restored = net.decode(net.encode(fresh.clone()).mean);
        Ok(to_vec_f64((restored - fresh).powi_scalar(2).sum_dim(1).mean())[0].sqrt())
    };
    Ok(Errors { trained: error(steps)?, untrained: error(UNTRAINED_STEPS)? })
}

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let repeats = effort.pick(2, 5);
    let mut study = Study::new(
        "Reconstruction against the pre-training size",
        format!(
            "A curved surface of two dimensions in ℝ⁸; encoder and decoder trained on M samples with early \
             stopping on a quarter as many others, judged by {FRESH} more; {repeats} repeats at each size."
        ),
        "The slope is that of ln R in ln M. The bound −1/(d + 2) is one-sided: no reproduction.",
    );
    let sizes = effort.pick(&[50, 200, 800][..], &[50, 200, 800, 3200, 12_800][..]);
    let axes = directions(4, AMBIENT, &mut rng.fork("axes"));
    let sweep = Sweep::over(sizes, repeats, |count, repeat| {
        let rng = rng.fork(&format!("M={count}, repeat={repeat}"));
        measure(count, effort.pick(1000, 4000), &axes, &rng)
    })?;
    let slope = |of: fn(&Errors) -> f64| sweep.log_slope(of, &mut rng.fork("bootstrap"));
    let beside = slope(|error| error.trained).beside(UNTRAINED, slope(|error| error.untrained));
    study.at_most("slope of R in M", beside, -1.0 / (AMBIENT as f64 + 2.0));
    study.log_plot(
        "Reconstruction error on fresh samples (the floor is zero: the surface has two dimensions)",
        ["pre-training samples M", "R"],
        vec![line("trained", sweep.means(|error| error.trained))],
    );
    Ok(study)
}
