//! Start laws: what a Gaussian in place of the smoothed law costs, and the moments of what each law
//! draws.
//!
//! Densities are carried through the sampler on a grid: each step maps a grid point to a mean by the
//! real sampler, then spreads it by the step's noise. Densities themselves are the exponentials of
//! integrated scores, so that both come from the library under test and are compared with a table.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{BUMPS_VAR, NoNoise, assert_close, device, line, normal_density, score_at, two_bumps};
use sbridge::latent::{
    DataScaling, LatentCodec, LatentModel, Normalisation, Normaliser, StartLaw, start_law,
};
use sbridge::marginal::{Gaussian, Marginal, Mixture, SmoothedScore};
use sbridge::net::{Autoencoder, NoisePredictor, Parametrisation, ResidualMlpSettings};
use sbridge::simulate::{Denoiser, EndRule, Noise, StepRule, VarGrid};
use sbridge::tensor::{DType, Tensor, from_rows, from_rows_f64, to_vec_f64};
use sbridge::{Result, Rng};

// ---- Densities on a grid ----

/// A density on equally spaced points, of total mass one.
struct Density {
    x: Vec<f64>,
    p: Vec<f64>,
}

impl Density {
    fn spacing(&self) -> f64 {
        self.x[1] - self.x[0]
    }

    fn normalised(x: Vec<f64>, p: Vec<f64>) -> Self {
        let mass = p.iter().sum::<f64>() * (x[1] - x[0]);
        let p = p.into_iter().map(|p| p / mass).collect();
        Self { x, p }
    }

    /// The law with score s(·, v), by Simpson's rule along the grid.
    fn of_score(score: &dyn SmoothedScore, v: f64, x: Vec<f64>) -> Self {
        let dx = x[1] - x[0];
        let middles: Vec<f64> = x.iter().map(|x| x + 0.5 * dx).collect();
        let (ends, middles) = (score_at(score, &x, v), score_at(score, &middles, v));
        let mut log_p = vec![0.0; x.len()];
        for i in 1..x.len() {
            log_p[i] = log_p[i - 1] + dx / 6.0 * (ends[i - 1] + 4.0 * middles[i - 1] + ends[i]);
        }
        let top = log_p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self::normalised(x, log_p.into_iter().map(|l| (l - top).exp()).collect())
    }

    /// After one step of `denoiser`, on the points `targets`.
    fn stepped(&self, score: &dyn SmoothedScore, denoiser: &Denoiser, targets: Vec<f64>) -> Self {
        let means = to_vec_f64(denoiser.run(score, line(&self.x), &mut NoNoise));
        let std = to_vec_f64(denoiser.run(score, line(&self.x[..1]), &mut UnitNoise))[0] - means[0];
        let (first, dx) = (targets[0], targets[1] - targets[0]);
        let mut p = vec![0.0; targets.len()];
        for (&mean, &mass) in means.iter().zip(&self.p) {
            // Beyond eight standard deviations a normal density is below 10⁻¹⁴.
            let from = ((mean - 8.0 * std - first) / dx).ceil().max(0.0) as usize;
            let to = (((mean + 8.0 * std - first) / dx).floor().max(-1.0) + 1.0) as usize;
            for i in from..to.min(p.len()) {
                p[i] += mass * normal_density(targets[i] - mean, std * std);
            }
        }
        Self::normalised(targets, p)
    }

    /// KL(self ‖ other) on the same grid.
    fn kl(&self, other: &Self) -> f64 {
        let pairs = self.p.iter().zip(&other.p).filter(|(p, _)| **p > 0.0);
        pairs.map(|(p, q)| p * (p / q).ln()).sum::<f64>() * self.spacing()
    }

    fn cumulated(&self) -> Vec<f64> {
        let half = 0.5 * self.spacing();
        let mut total = 0.0;
        let mut cumulated = vec![0.0];
        cumulated.extend(self.p.windows(2).map(|w| {
            total += half * (w[0] + w[1]);
            total
        }));
        cumulated
    }

    /// W2 by matching quantiles: ∫ (y − G⁻¹(F(y)))² f(y) dy.
    fn wasserstein2(&self, other: &Self) -> f64 {
        let (f, g) = (self.cumulated(), other.cumulated());
        let mut j = 1;
        let mut total = 0.0;
        for (i, &level) in f.iter().enumerate() {
            while j + 1 < g.len() && g[j] < level {
                j += 1;
            }
            let rise = g[j] - g[j - 1];
            let share = if rise > 0.0 { ((level - g[j - 1]) / rise).clamp(0.0, 1.0) } else { 0.0 };
            let quantile = other.x[j - 1] + share * other.spacing();
            total += self.p[i] * (self.x[i] - quantile).powi(2);
        }
        (total * self.spacing()).sqrt()
    }
}

/// Noise that is always one.
struct UnitNoise;

impl Noise for UnitNoise {
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2> {
        like.ones_like()
    }
}

fn symmetric_grid(reach: f64, spacing: f64) -> Vec<f64> {
    let half = (reach / spacing).ceil() as i32;
    (-half..=half).map(|i| f64::from(i) * spacing).collect()
}

/// N(0, var) as a law with a score.
fn normal(var: f64) -> Gaussian {
    Gaussian::isotropic(&[0.0], var, DType::F64, &device())
}

/// W2 between the two bumps and what 300 Euler steps with their exact score make of `start`.
fn w2_after_sampling(start: &dyn SmoothedScore, v: f64, epsilon: f64) -> f64 {
    let variances = VarGrid::Uniform.variances(epsilon, 0.0, 300).unwrap();
    let std = (epsilon / 300.0).sqrt();
    // Half a standard deviation of the step's noise: the trapezoidal rule is then good to 10⁻³⁰.
    let reach = 7.5 * (BUMPS_VAR + epsilon).sqrt();
    let coarse = symmetric_grid(reach, 0.5 * std);
    let fine = symmetric_grid(reach, 0.05 * std);
    let law = two_bumps();
    let mut density = Density::of_score(start, v, coarse.clone());
    for (k, pair) in variances.windows(2).enumerate() {
        let step = Denoiser::new(pair.to_vec(), StepRule::Euler, EndRule::Plain).unwrap();
        let targets = if k + 1 == 300 { fine.clone() } else { coarse.clone() };
        density = density.stepped(&law, &step, targets);
    }
    density.wasserstein2(&Density::of_score(&law, 0.0, fine))
}

#[test]
fn swapping_the_start_law_costs_the_tabulated_w2() {
    let table = [
        (0.1, [0.0001, 0.2773, 0.0352]),
        (0.25, [0.0004, 0.1362, 0.0110]),
        (0.5, [0.0009, 0.0638, 0.0034]),
        (1.0, [0.0018, 0.0248, 0.0020]),
        (2.0, [0.0036, 0.0083, 0.0036]),
    ];
    for (epsilon, [exact, isotropic, moment]) in table {
        // Four decimals, and quantiles interpolated on a grid of 10⁻³.
        let allowed = 2e-4;
        let close =
            |got, expected, what| assert_close(got, expected, allowed, &format!("{what}, ε = {epsilon}"));
        // The isotropic start in place of the exact one would be noticed.
        assert!(f64::abs(isotropic - exact) > allowed);
        close(w2_after_sampling(&two_bumps(), epsilon, epsilon), exact, "exact start");
        close(w2_after_sampling(&normal(0.0), epsilon, epsilon), isotropic, "isotropic start");
        close(w2_after_sampling(&normal(BUMPS_VAR), epsilon, epsilon), moment, "moment start");
    }
}

#[test]
fn divergence_of_the_start_laws_has_its_tabulated_values_and_bound() {
    let table = [
        (0.1, 1.7095, 0.021_780),
        (0.25, 0.4845, 0.006_920),
        (0.5, 0.1653, 0.001_801),
        (1.0, 0.0510, 0.000_308),
        (2.0, 0.0145, 0.000_037),
    ];
    for (epsilon, isotropic, moment) in table {
        let law = |score: &dyn SmoothedScore| {
            Density::of_score(score, epsilon, symmetric_grid(9.0 * (BUMPS_VAR + epsilon).sqrt(), 0.01))
        };
        let smoothed = law(&two_bumps());
        let (from_isotropic, from_moment) =
            (smoothed.kl(&law(&normal(0.0))), smoothed.kl(&law(&normal(BUMPS_VAR))));
        // Decimals of the table; Simpson's rule at 0.01 is good to 10⁻⁹.
        assert_close(from_isotropic, isotropic, 1e-4, &format!("isotropic, ε = {epsilon}"));
        assert_close(from_moment, moment, 1e-6, &format!("moments, ε = {epsilon}"));
        assert!(from_isotropic <= 0.5 * BUMPS_VAR / epsilon, "E‖Z‖²/2ε bounds the isotropic start");
    }
}

#[test]
fn w2_of_densities_is_the_shift_of_a_shifted_law() {
    let x = symmetric_grid(9.0, 2e-3);
    let shifted = Gaussian::isotropic(&[0.25], 1.0, DType::F64, &device());
    let w2 =
        Density::of_score(&normal(1.0), 0.0, x.clone()).wasserstein2(&Density::of_score(&shifted, 0.0, x));
    assert_close(w2, 0.25, 1e-5, "shift"); // linear interpolation of quantiles at 2·10⁻³
}

#[test]
fn stopping_at_a_variance_moves_the_two_bumps_by_at_most_its_root() {
    let x = symmetric_grid(7.0, 1e-3);
    let clean = Density::of_score(&two_bumps(), 0.0, x.clone());
    let mut before = f64::INFINITY;
    for v in [0.5, 0.1, 0.01] {
        let w2 = Density::of_score(&two_bumps(), v, x.clone()).wasserstein2(&clean);
        assert!(w2 <= f64::sqrt(v) && w2 < before, "W2 {w2} at v = {v}");
        before = w2;
    }
}

// ---- What the start laws of a model draw ----

const EPSILON: f64 = 1.5;

/// Codes that are the samples themselves, with an untrained score.
fn model(codes: Tensor<2>) -> LatentModel {
    let dim = codes.dims()[1];
    let settings = ResidualMlpSettings { width: 4, blocks: 1, time_features: 2 };
    LatentModel {
        codec: LatentCodec {
            scaling: DataScaling::of_vectors(&codes),
            autoencoder: Autoencoder::identity(dim),
            normaliser: Normaliser::of_codes(&codes, Normalisation::Off),
        },
        predictor: NoisePredictor::new(
            dim,
            Parametrisation::Preconditioned,
            &settings,
            &mut Rng::new(1),
            &device(),
        ),
        ratio: None,
        codes,
        held_out: None,
        epsilon: EPSILON,
        v_min: 1e-3,
    }
}

/// 1000 correlated codes in the plane, off the origin.
fn correlated_codes() -> Tensor<2> {
    let noise = Rng::new(12).normal([1000, 2], &device());
    let map = from_rows(&[1.0, 0.5, 0.0, 0.4], 2, &device());
    noise.matmul(map) + from_rows(&[0.5, -1.0], 2, &device())
}

fn fitted(rows: Tensor<2>) -> sbridge_ot::Gaussian {
    let points = sbridge_ot::Points::new(to_vec_f64(rows), 2).unwrap();
    sbridge_ot::Gaussian::fit(&points).unwrap()
}

fn drawn(law: StartLaw, count: usize) -> Result<Tensor<2>> {
    let model = model(correlated_codes());
    Ok(start_law(&model, law, &mut Rng::new(13))?.sample(count, &mut Rng::new(14)))
}

#[test]
fn start_laws_have_the_moments_of_the_smoothed_codes() {
    let count = 40_000;
    let codes = fitted(correlated_codes());
    let laws = [
        (StartLaw::GaussianIso, 0.0),
        (StartLaw::GaussianMoment, 1.0),
        (StartLaw::ConvolveTrain, 1.0),
        (StartLaw::Mixture { components: 3 }, 1.0),
    ];
    for (law, of_codes) in laws {
        let start = fitted(drawn(law, count).unwrap());
        for i in 0..2 {
            let var =
                |i: usize, j: usize| of_codes * codes.cov()[(i, j)] + if i == j { EPSILON } else { 0.0 };
            // 4.5 standard errors √(Σᵢᵢ/n), and the codes' own rounding in f32.
            let allowed = 4.5 * (var(i, i) / count as f64).sqrt() + 1e-5;
            assert_close(start.mean()[i], of_codes * codes.mean()[i], allowed, &format!("mean, {law:?}"));
            // 4.5 standard errors √2 Σᵢᵢ/√n, and n − 1 for n in 1000 codes.
            let allowed = 4.5 * var(i, i) * (2.0 / count as f64).sqrt() + 2e-3;
            assert_close(start.cov()[(i, i)], var(i, i), allowed, &format!("variance, {law:?}"));
        }
        // A mixture of axis-parallel Gaussians need not have the correlation of the codes.
        if !matches!(law, StartLaw::Mixture { .. }) {
            let expected = of_codes * codes.cov()[(0, 1)];
            let allowed = 4.5 * (codes.cov()[(0, 0)] + EPSILON) * (2.0 / count as f64).sqrt() + 2e-3;
            assert_close(start.cov()[(0, 1)], expected, allowed, &format!("covariance, {law:?}"));
        }
    }
}

#[test]
fn start_laws_a_model_cannot_give_are_refused_with_a_fix() {
    let refusal = |law| drawn(law, 1).unwrap_err().to_string();
    assert!(refusal(StartLaw::ConvolveHeldout).contains("use gaussian-moment"));
    let ratio = StartLaw::DensityRatio { tau_over_epsilon: 2.0, draws: 16, steps: 100 };
    assert!(refusal(ratio).contains("density-ratio"));
    assert!(refusal(StartLaw::Mixture { components: 2000 }).contains("number of samples, 1000"));
}

// ---- Mixtures ----

#[test]
fn fitted_mixture_recovers_two_separated_clusters() {
    // 1200 points around (4, 1) with standard deviations (0.5, 0.2), 400 around (−4, 0) with (0.3, 0.6).
    let clusters: [Cluster; 2] = [(1200, [4.0, 1.0], [0.5, 0.2]), (400, [-4.0, 0.0], [0.3, 0.6])];
    let mut rng = Rng::new(15);
    let mut rows = Vec::new();
    for (count, mean, std) in clusters {
        let z = to_vec_f64(rng.normal([count, 2], &device()));
        rows.extend(z.iter().enumerate().map(|(i, z)| mean[i % 2] + std[i % 2] * z));
    }
    let rows = from_rows_f64(&rows, 2, &device());
    for seed in 0..5 {
        let fitted = Mixture::fit(&rows, 2, 50, &mut Rng::new(seed)).unwrap();
        let error = largest_error(&fitted, &clusters);
        assert!(error <= 1.0, "seed {seed}: {error} of what is allowed");
    }
    // One Gaussian with the moments of all points knows no clusters.
    let one = Mixture::fit(&rows, 1, 50, &mut Rng::new(0)).unwrap();
    assert!(largest_error(&one, &clusters) > 1.0, "a single Gaussian passes");
}

/// How many points a cluster has, where, and how wide.
type Cluster = (usize, [f64; 2], [f64; 2]);

/// The largest error of means, variances and weights of `clusters`, in units of what is allowed.
fn largest_error(fitted: &Mixture, clusters: &[Cluster; 2]) -> f64 {
    let samples = to_vec_f64(fitted.sample(20_000, &mut Rng::new(16)));
    let all: usize = clusters.iter().map(|(count, ..)| count).sum();
    let mut worst = 0.0f64;
    for &(count, mean, std) in clusters {
        let n = count as f64;
        for j in 0..2 {
            // Near a cluster the score is (μ − z)/λ: its slope and its root are λ and μ.
            let at = |shift: f64| {
                let mut z = mean;
                z[j] += shift;
                score_at(fitted, &z, 0.0)[j]
            };
            let var = -0.2 / (at(0.1) - at(-0.1));
            let root = mean[j] + var * at(0.0);
            // 4.5 standard errors of the mean and of the variance of the cluster's own points.
            worst = worst.max((root - mean[j]).abs() / (4.5 * std[j] / n.sqrt()));
            worst = worst.max((var - std[j] * std[j]).abs() / (4.5 * std[j] * std[j] * (2.0 / n).sqrt()));
        }
        let near = samples.chunks(2).filter(|z| z[0] * mean[0] > 0.0).count();
        // Clusters are 16 standard deviations apart; 4.5 standard errors √(3/16/20 000) of the share.
        worst = worst.max((near as f64 / 20_000.0 - n / all as f64).abs() / 0.014);
    }
    worst
}
