//! N(−0.1, I) → N(0.1, I), ε = 1, twenty steps: ends, coupling and marginals of what is learned, beside the closed form
//! and beside what a perfectly trained chain of as many steps has.
//!
//! Networks learn the whole drift: over the known one an untrained network passes, and here it is the control.

use sbridge::rng::Rng;
use sbridge::solver::alternation::{AlternationMethod as _, AlternationSettings, StartingPairs};
use sbridge::solver::{Dsb, Dsbm, NeuralBridge, Sdsb, Sf2m};
use sbridge::tensor::{Device, Tensor, to_vec_f64};
use sbridge::{Direction, PairBridge as _};
use sbridge_ot::{Gaussian, GaussianBridge};

use crate::problem::{Problem, UNTRAINED};
use crate::reproduce::{Effort, Estimate, OwnQuestions, Result, Study, line, mean};

/// Half the distance of the means, per coordinate.
const SHIFT: f64 = 0.1;

/// Steps of a path.
const STEPS: usize = 20;

/// Samples learned from and samples carried to measure, at least; and values of them all, at least, so that averages over
/// few coordinates are as sharp as over many: a covariance to 0.002.
const SAMPLES: usize = 20_000;
const VALUES: usize = 400_000;

/// What a perfectly trained chain has, and how far training may leave it.
struct Known {
    mean: f64,
    var: f64,
    cov: f64,
    /// How far a full run may leave the covariance.
    cov_allowed: f64,
    /// How far it may leave mean and variance.
    var_allowed: f64,
    /// KL per coordinate of the marginals to the closed form, at most.
    kl: f64,
}

/// Twenty steps with matched variances are exact.
const EXACT: Known =
    Known { mean: SHIFT, var: 1.0, cov: 0.618_034, cov_allowed: 0.01, var_allowed: 0.02, kl: 1e-3 };

/// Twenty iterations of mean matching with the reference's variance, from the affine recursion.
const MEAN_MATCHING: Known =
    Known { mean: 0.0908, var: 1.0118, cov: 0.6163, cov_allowed: 0.03, var_allowed: 0.05, kl: 3e-3 };

/// Mean matching and state matching between Gaussians.
pub(in crate::reproduce) const DSB_GAUSSIAN: OwnQuestions = &[
    ("dsb", |effort, rng| study("Mean matching (DSB)", Dsb.defaults(), &MEAN_MATCHING, effort, rng)),
    ("sdsb", |effort, rng| {
        study("State matching with matched variance (S-DSB)", Sdsb.defaults(), &EXACT, effort, rng)
    }),
];

/// Bridge matching between Gaussians.
pub(in crate::reproduce) const DSBM_GAUSSIAN: OwnQuestions = &[
    ("dsbm-imf", |effort, rng| {
        study("Bridge matching from independent pairs (DSBM-IMF)", Dsbm.defaults(), &EXACT, effort, rng)
    }),
    ("dsbm-ipf", |effort, rng| {
        let settings = AlternationSettings { start: StartingPairs::Reference, ..Dsbm.defaults() };
        study("Bridge matching from the reference (DSBM-IPF)", settings, &EXACT, effort, rng)
    }),
    ("sf2m", |effort, rng| {
        // Plans between 2048 samples in five dimensions are biased towards independence: their covariance is measured,
        // and the bias is not one of training.
        let known = Known { cov_allowed: 0.05, var_allowed: 0.03, kl: 3e-3, ..EXACT };
        study("Pairs of the entropic plan ([SF]²M)", Sf2m.defaults(), &known, effort, rng)
    }),
];

fn study(
    title: &str,
    preset: AlternationSettings,
    known: &Known,
    effort: Effort,
    rng: &Rng,
) -> Result<Study> {
    let settings = sized(preset, effort);
    let mut study = Study::new(
        title,
        format!(
            "N(−0.1, I) to N(0.1, I), ε = 1, {STEPS} steps, {} half-bridges of {} training steps, one fit for each d; networks \
             learn the whole drift, and nothing but its length ends their training. Mean, variance and covariance with the start \
             are averages over coordinates of other samples carried forward, {VALUES} values and at least {SAMPLES} samples, as \
             many as are learned from; the divergence is that of the marginals at all grid times from the closed form, per \
             coordinate. The control is the same with networks that are never trained.",
            settings.half_bridges, settings.fit.steps,
        ),
        "Expected are the moments of a perfectly trained chain of as many steps. A short run leaves networks \
         twice as far off as a full one may be. Standard errors are those of the samples carried; those learned from have \
         as much again.",
    );
    let slack = effort.pick(2.0, 1.0);
    let (of_cov, of_var) = (slack * known.cov_allowed, slack * known.var_allowed);
    let mut series = Vec::new();
    for &dim in effort.pick(&[5][..], &[5, 20, 50]) {
        let [found, control] = measure(&settings, dim, &rng.fork(&format!("d = {dim}")))?;
        let mut near = |name: &str, of: fn(&Measured) -> Estimate, value: f64, allowed: f64| {
            study.near(
                format!("{name}, d = {dim}"),
                of(&found).beside(UNTRAINED, of(&control)),
                value,
                allowed,
            );
        };
        near("mean", |found| found.mean, known.mean, of_var);
        near("variance", |found| found.var, known.var, of_var);
        near("covariance with the start", |found| found.cov, known.cov, of_cov);
        near("mean divergence of the marginals", Measured::mean_divergence, 0.0, slack * known.kl);
        series.push(line(format!("d = {dim}"), found.divergences));
    }
    let caption = "Divergence of the marginals from the closed form, per coordinate";
    study.plot(caption, ["time", "KL"], series);
    Ok(study)
}

fn sized(preset: AlternationSettings, effort: Effort) -> AlternationSettings {
    let mut settings = AlternationSettings { steps: STEPS, known_drift: false, ..preset };
    let iterates = settings.half_bridges > 2;
    settings.half_bridges = if iterates { effort.pick(6, 20) } else { 2 };
    settings.net.mlp.width = effort.pick(64, 128);
    settings.net.mlp.layers = 2;
    settings.fit.steps = effort.pick(1000, 4000);
    settings
}

/// Averages over coordinates of what arrives, and the divergence of the marginals over time.
struct Measured {
    mean: Estimate,
    var: Estimate,
    cov: Estimate,
    divergences: Vec<(f64, f64)>,
}

impl Measured {
    fn mean_divergence(&self) -> Estimate {
        let kl = mean(self.divergences.iter().map(|(_, kl)| *kl));
        Estimate::once(kl, self.mean.count.unwrap_or_default())
    }
}

/// What trained networks make of fresh samples, and what untrained ones do.
fn measure(settings: &AlternationSettings, dim: usize, rng: &Rng) -> Result<[Measured; 2]> {
    let mut stream = rng.fork("data");
    let device = Device::flex();
    let mut normal = |count: usize, mean: f64| stream.normal([count, dim], &device) + mean;
    let count = SAMPLES.max(VALUES / dim);
    let (source, target) = (normal(count, -SHIFT), normal(count, SHIFT));
    let start = normal(count, -SHIFT);
    let problem = Problem { source: &source, target: &target, epsilon: 1.0 };
    let learned = problem.networks(settings.clone(), rng.fork("fit"))?;
    let untrained = problem.untrained(settings.clone(), rng.fork("fit"))?;
    Ok([carried(&learned, &start, rng)?, carried(&untrained, &start, rng)?])
}

/// What `bridge` makes of `start`.
fn carried(bridge: &NeuralBridge, start: &Tensor<2>, rng: &Rng) -> Result<Measured> {
    let states = bridge.skeleton(Direction::Forward, start, &mut rng.fork("paths"));
    let end = &states[states.len() - 1];
    let line = |mean| Gaussian::isotropic(vec![mean], 1.0);
    let exact = GaussianBridge::new(&line(-SHIFT)?, &line(SHIFT)?, 1.0)?;
    let time = |k: usize| k as f64 / (states.len() - 1) as f64;
    let divergence = |(k, x): (usize, &Tensor<2>)| {
        let (mean, var) = (exact.mean(time(k))[0], exact.covariance(time(k))[(0, 0)]);
        (time(k), kl_per_coordinate(x, mean, var))
    };
    Ok(Measured {
        mean: over_samples(end.clone()),
        var: covariance(end, end),
        cov: covariance(start, end),
        divergences: states.iter().enumerate().map(divergence).collect(),
    })
}

/// The mean over samples of averages over coordinates.
fn over_samples(x: Tensor<2>) -> Estimate {
    Estimate::mean(&to_vec_f64(x.mean_dim(1)))
}

/// Covariance of the same coordinate of two samples, averaged over coordinates.
fn covariance(x: &Tensor<2>, y: &Tensor<2>) -> Estimate {
    let centred = |x: &Tensor<2>| x.clone() - x.clone().mean_dim(0);
    over_samples(centred(x) * centred(y))
}

/// KL of Gaussians fitted to the coordinates of `x` from N(`centre`, `var`), averaged over coordinates.
fn kl_per_coordinate(x: &Tensor<2>, centre: f64, var: f64) -> f64 {
    let means = to_vec_f64(x.clone().mean_dim(0));
    let centred = x.clone() - x.clone().mean_dim(0);
    let vars = to_vec_f64(centred.powi_scalar(2).mean_dim(0));
    let kl = |(m, v): (&f64, &f64)| 0.5 * (v / var + (m - centre).powi(2) / var - 1.0 - (v / var).ln());
    mean(means.iter().zip(&vars).map(kl))
}
