//! Every solver between Gaussians of every kind, beside the closed form: ends, coupling, and marginals on the way.
//!
//! Networks learn the whole drift: over the known one an untrained network passes, and here it is the control.

use faer::Mat;
use sbridge::reference::Brownian;
use sbridge::rng::Rng;
use sbridge::simulate::state_at;
use sbridge::solver::alternation::AlternationSettings;
use sbridge::solver::light_sb::LightSbSettings;
use sbridge::tensor::{DType, Device, Tensor, from_rows_f64, to_vec_f64};
use sbridge::{Direction, PairBridge};
use sbridge_ot::{Gaussian, GaussianBridge};

use crate::problem::{Problem, UNTRAINED, stream, title};
use crate::reproduce::{Effort, Estimate, OwnQuestions, Result, Study};
use sbridge_run::models::bridge::PairMethod;

/// Every method between Gaussians of every kind.
pub(in crate::reproduce) const CONFORMANCE: OwnQuestions = &[
    ("light-sb", |effort, rng| study(PairMethod::LightSb, effort, rng)),
    ("light-sb-m", |effort, rng| study(PairMethod::LightSbM, effort, rng)),
    ("dsbm", |effort, rng| study(PairMethod::Dsbm, effort, rng)),
    ("sf2m", |effort, rng| study(PairMethod::Sf2m, effort, rng)),
    ("sdsb", |effort, rng| study(PairMethod::Sdsb, effort, rng)),
    ("dsb", |effort, rng| study(PairMethod::Dsb, effort, rng)),
];

/// Samples learned from, and samples carried.
const COUNT: usize = 20_000;

/// Steps of training in all half-bridges together, at most.
const STEPS: usize = 15_000;

/// Times at which marginals are compared.
const TIMES: usize = 21;

/// Pairs of laws.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Equal,
    Shifted,
    Anisotropic,
    Rotated,
}

const KINDS: [Kind; 4] = [Kind::Equal, Kind::Shifted, Kind::Anisotropic, Kind::Rotated];

impl Kind {
    fn laws(self, dim: usize) -> Result<[Gaussian; 2]> {
        let shift = if matches!(self, Self::Shifted) { 0.5 } else { 0.0 };
        // Variances from a quarter to two.
        let stretched = |j: usize| 0.25 + 1.75 * (j + 1) as f64 / dim as f64;
        // The reflection that takes the first axis to (1, 2, …, d), which mixes all coordinates.
        let axis: Vec<f64> = (1..=dim).map(|j| j as f64).collect();
        let square: f64 = axis.iter().map(|x| x * x).sum();
        let mirror = Mat::from_fn(dim, dim, |i, j| f64::from(i == j) - 2.0 * axis[i] * axis[j] / square);
        let diagonal = Mat::from_fn(dim, dim, |i, j| if i == j { stretched(i) } else { 0.0 });
        let covariance = match self {
            Self::Equal | Self::Shifted => Mat::identity(dim, dim),
            Self::Anisotropic => diagonal,
            Self::Rotated => &mirror * diagonal * mirror.transpose(),
        };
        let target = Gaussian::new(vec![shift; dim], covariance)?;
        Ok([Gaussian::isotropic(vec![-shift; dim], 1.0)?, target])
    }
}

/// Variance in excess after twenty iterations of a perfectly trained chain of twenty steps, tabulated for unit Gaussians
/// at ε = 1 and 4; it falls with ε. Only mean matching has any.
fn bias(method: PairMethod, epsilon: f64) -> f64 {
    match method {
        PairMethod::Dsb if epsilon > 1.0 => 0.108,
        PairMethod::Dsb => 0.012 * epsilon,
        _ => 0.0,
    }
}

/// What `method` finds, and its control: networks that are never trained, or mixtures after their first step.
fn solved(method: PairMethod, problem: &Problem<'_>, rng: &Rng) -> Result<[Box<dyn PairBridge>; 2]> {
    let Some(preset) = method.networks() else {
        let settings = LightSbSettings { components: 4, steps: 3000, ..LightSbSettings::default() };
        let first = LightSbSettings { steps: 1, ..settings.clone() };
        return Ok([Box::new(problem.mixtures(&settings, rng)?), Box::new(problem.mixtures(&first, rng)?)]);
    };
    let half_bridges = half_bridges(&preset, problem.epsilon);
    let mut settings = AlternationSettings { steps: 20, half_bridges, known_drift: false, ..preset };
    (settings.net.mlp.width, settings.net.mlp.layers) = (64, 2);
    settings.fit.steps = settings.fit.steps.min(STEPS / half_bridges);
    let learned = problem.networks(settings.clone(), rng.fork("fit"))?;
    Ok([Box::new(learned), Box::new(problem.untrained(settings, rng.fork("fit"))?)])
}

/// More and shorter half-bridges where ε is small, of methods that have more than two. At ε = 0.1 and variances 1 and 2,
/// perfect proportional fitting is off by 0.37 after ten and by 0.04 after forty; and in Markovian fitting, what one
/// half-bridge leaves is made good in the next.
fn half_bridges(preset: &AlternationSettings, epsilon: f64) -> usize {
    if epsilon < 1.0 && preset.half_bridges > 2 { 40 } else { preset.half_bridges }
}

fn study(method: PairMethod, effort: Effort, rng: &Rng) -> Result<Study> {
    let mut study = Study::new(
        title(method),
        format!(
            "Equal, shifted, stretched and turned Gaussians, {COUNT} samples of each to learn from and as many others to judge \
             by, one fit each. Measured is the largest error, both ways and over all kinds, of means, covariances and the \
             covariance with the start, each in units of the standard deviations it belongs to, at {TIMES} times. Networks \
             learn the whole drift. The control is the same untrained: networks as they begin, mixtures after one step."
        ),
        "Allowed are four and a half standard errors of a covariance, of samples learned from and of samples \
         carried; 0.05 for training; and what a perfectly trained chain of as many steps is off by.",
    );
    for &dim in effort.pick(&[2][..], &[1, 2, 5, 20]) {
        for &epsilon in effort.pick(&[1.0][..], &[0.1, 1.0, 4.0]) {
            let mut worst = [(0.0, KINDS[0]); 2];
            for kind in KINDS {
                let rng = rng.fork(&format!("{kind:?}, d = {dim}, ε = {epsilon}"));
                for (worst, error) in worst.iter_mut().zip(largest_errors(kind, dim, epsilon, method, &rng)?)
                {
                    if error > worst.0 {
                        *worst = (error, kind);
                    }
                }
            }
            let [(found, kind), (control, _)] = worst;
            let kind = format!("{kind:?}").to_lowercase();
            let allowed = 4.5 * 2.0 / (COUNT as f64).sqrt() + 0.05 + bias(method, epsilon);
            let beside = Estimate::once(found, COUNT).beside(UNTRAINED, control);
            study.near(format!("d = {dim}, ε = {epsilon}, worst {kind}"), beside, 0.0, allowed);
        }
    }
    Ok(study)
}

/// The largest errors of what `method` finds and of its control, in standard deviations.
fn largest_errors(kind: Kind, dim: usize, epsilon: f64, method: PairMethod, rng: &Rng) -> Result<[f64; 2]> {
    let laws = kind.laws(dim)?;
    let mut stream = stream(rng, "data");
    let mut draw = |law: &Gaussian| -> Result<Tensor<2>> {
        let points = law.sample(COUNT, &mut stream)?;
        Ok(from_rows_f64(points.as_slice(), dim, &Device::flex()).cast(DType::F32))
    };
    let (source, target) = (draw(&laws[0])?, draw(&laws[1])?);
    let [learned, control] = solved(method, &Problem { source: &source, target: &target, epsilon }, rng)?;
    let starts = [draw(&laws[0])?, draw(&laws[1])?];
    let error = |bridge: &dyn PairBridge| largest_error(bridge, &starts, &laws, epsilon, rng);
    Ok([error(learned.as_ref())?, error(control.as_ref())?])
}

/// The largest error of `bridge` from `starts`, both ways and at all times.
fn largest_error(
    bridge: &dyn PairBridge,
    starts: &[Tensor<2>; 2],
    laws: &[Gaussian; 2],
    epsilon: f64,
    rng: &Rng,
) -> Result<f64> {
    let exact = GaussianBridge::new(&laws[0], &laws[1], epsilon)?;
    let reference = Brownian::with_epsilon(epsilon)?;
    let mut worst = 0.0f64;
    for direction in [Direction::Forward, Direction::Backward] {
        let mut rng = rng.fork("paths");
        let [start, _] = direction.along(starts.each_ref());
        let skeleton = bridge.skeleton(direction, start, &mut rng);
        for k in 0..TIMES {
            let elapsed = k as f64 / (TIMES - 1) as f64;
            let state = state_at(&reference, &skeleton, elapsed, &mut rng);
            let time = direction.time(elapsed);
            worst = largest(worst, error_of_marginal(&state, &exact.mean(time), &exact.covariance(time)));
            if k == TIMES - 1 {
                let [x0, x1] = direction.along([start, &state]);
                worst = largest(worst, error_of_coupling(x0, x1, laws, &exact));
            }
        }
    }
    Ok(worst)
}

fn error_of_marginal(x: &Tensor<2>, mean: &[f64], covariance: &Mat<f64>) -> f64 {
    let deviation = |i: usize| covariance[(i, i)].sqrt();
    let found = to_vec_f64(x.clone().mean_dim(0));
    let of_means = (0..mean.len()).map(|i| (found[i] - mean[i]).abs() / deviation(i));
    let found = covariance_between(x, x);
    let of_covariances = pairs(mean.len())
        .map(|(i, j)| (found[(i, j)] - covariance[(i, j)]).abs() / (deviation(i) * deviation(j)));
    of_means.chain(of_covariances).fold(0.0, largest)
}

fn error_of_coupling(x0: &Tensor<2>, x1: &Tensor<2>, laws: &[Gaussian; 2], exact: &GaussianBridge) -> f64 {
    let found = covariance_between(x0, x1);
    let scale = |i: usize, j: usize| (laws[0].cov()[(i, i)] * laws[1].cov()[(j, j)]).sqrt();
    let error =
        |(i, j): (usize, usize)| (found[(i, j)] - exact.cross_covariance()[(i, j)]).abs() / scale(i, j);
    pairs(exact.dim()).map(error).fold(0.0, largest)
}

fn pairs(dim: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..dim).flat_map(move |i| (0..dim).map(move |j| (i, j)))
}

/// The larger of two; a number that is none counts as infinite.
fn largest(a: f64, b: f64) -> f64 {
    if b.is_nan() { f64::INFINITY } else { a.max(b) }
}

/// Covariances of the columns of `x` with those of `y`.
fn covariance_between(x: &Tensor<2>, y: &Tensor<2>) -> Mat<f64> {
    let centred = |x: &Tensor<2>| x.clone().cast(DType::F64) - x.clone().cast(DType::F64).mean_dim(0);
    let [count, dim] = x.dims();
    let products = to_vec_f64(centred(x).transpose().matmul(centred(y)));
    Mat::from_fn(dim, dim, |i, j| products[i * dim + j] / count as f64)
}
