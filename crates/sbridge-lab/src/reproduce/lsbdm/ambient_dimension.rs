//! With d* fixed, latent W2 does not depend on the dimension d the data live in.

use sbridge::Codec as _;
use sbridge::rng::Rng;
use sbridge::tensor::points;
use sbridge_ot::wasserstein2;

use super::laws::{cube, directions, embed};
use super::training::{Rows, codes, latent_model, sampler};
use crate::reproduce::{Effort, Result, Study, Sweep, dashed, line};

const LATENT: usize = 2;

/// What every ambient coordinate adds to the control: its codes are moved by that times √d.
const ERROR: f64 = 0.05;
const CONTROL: &str = "an error in every coordinate";

/// Latent W2 to fresh codes.
struct Distances {
    /// Of the codes of a model.
    trained: f64,
    /// Of the same moved by an error that grows with d.
    moved: f64,
    /// Of other fresh codes.
    floor: f64,
}

/// Trains a model of codes embedded in `size` dimensions.
fn measure(size: usize, effort: Effort, rng: &Rng) -> Result<Distances> {
    let (count, compared) = effort.pick((2000, 1000), (5000, 2000));
    let mut stream = rng.fork("data");
    let axes = directions(LATENT, size, &mut stream);
    let mut draw = |count| embed(&cube(count, LATENT, &mut stream), &axes);
    let rows = Rows { train: draw(count), held_out: draw(count) };
    let model = latent_model(&rows, LATENT, effort.pick(1000, 4000), rng)?;
    let samples = codes(&model, compared, &sampler(), rng)?;
    let moved = points(&(samples.clone() + ERROR * (size as f64).sqrt()))?;
    let reference = points(&model.codec.encode(&draw(compared)))?;
    let fresh = points(&model.codec.encode(&draw(compared)))?;
    Ok(Distances {
        trained: wasserstein2(&points(&samples)?, &reference)?,
        moved: wasserstein2(&moved, &reference)?,
        floor: wasserstein2(&fresh, &reference)?,
    })
}

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let mut study = Study::new(
        "Independence from the ambient dimension",
        format!(
            "Codes spread over a square are embedded along {LATENT} orthonormal directions of ℝᵈ; encoder, decoder and \
             score are trained for each d on one sample, stopped by another, and W2 is measured between generated codes and \
             those of a third. n counts models. The control's codes are moved by {ERROR} √d."
        ),
        "A slope of 0.1 would be a factor of 1.3 between d = 4 and 64, and 1.5 between 4 and 256; the interval is a \
         bootstrap over repeats. Codes are normalised, so that encoders of different scale compare.",
    );
    let ambient = effort.pick(&[4, 64][..], &[4, 16, 64, 256][..]);
    let sweep = Sweep::over(ambient, effort.pick(2, 5), |size, repeat| {
        measure(size, effort, &rng.fork(&format!("d={size}, repeat={repeat}")))
    })?;
    let slope = |of: fn(&Distances) -> f64| sweep.log_slope(of, &mut rng.fork("bootstrap"));
    let beside = slope(|w2| w2.trained).beside(CONTROL, slope(|w2| w2.moved));
    study.near("slope of latent W2 in d", beside, 0.0, 0.1);
    study.log_plot(
        format!("Latent W2 against the ambient dimension, d* = {LATENT}"),
        ["ambient dimension d", "latent W2"],
        vec![line("trained", sweep.means(|w2| w2.trained)), dashed("floor", sweep.means(|w2| w2.floor))],
    );
    Ok(study)
}
