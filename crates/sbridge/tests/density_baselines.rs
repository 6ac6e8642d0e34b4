//! Baselines of samplers against exact normalisers.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{assert_close, posteriors};
use sbridge::Rng;
use sbridge::density::baselines::{
    Baseline, Drawn, GaussVi, Laplace, NAMES, Nuts, Start, TemperedSmc, named,
};
use sbridge::density::targets::{
    Brownian, DoubleWell, Funnel, GaussianMixture, ManyWell, Prior, Rings, Seeds,
};
use sbridge::density::{LogDensity, PointDensity, Target};
use sbridge::{Error, Result};

/// −½ (x − m)ᵀ Λ (x − m) with Λ = diag(λ) + ccᵀ: ln Z = ½ d ln 2π − ½ ln det Λ.
struct Quadratic;

const CURVATURES: [f64; 3] = [1.0, 25.0, 400.0];
const COUPLING: [f64; 3] = [0.8, 2.0, -5.0];
const CENTRE: [f64; 3] = [2.0, -1.0, 0.3];

impl PointDensity for Quadratic {
    fn dim(&self) -> usize {
        3
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let moved: Vec<f64> = x.iter().zip(CENTRE).map(|(x, m)| x - m).collect();
        let along: f64 = moved.iter().zip(COUPLING).map(|(x, c)| x * c).sum();
        for (i, slope) in gradient.iter_mut().enumerate() {
            *slope = -CURVATURES[i] * moved[i] - COUPLING[i] * along;
        }
        0.5 * gradient.iter().zip(&moved).map(|(slope, x)| slope * x).sum::<f64>()
    }
}

/// By the determinant of a diagonal and one outer product.
fn log_z_of_quadratic() -> f64 {
    let raised: f64 = 1.0 + CURVATURES.iter().zip(COUPLING).map(|(lambda, c)| c * c / lambda).sum::<f64>();
    let log_det = CURVATURES.iter().map(|lambda| lambda.ln()).sum::<f64>() + raised.ln();
    1.5 * std::f64::consts::TAU.ln() - 0.5 * log_det
}

#[test]
fn a_gaussian_is_found_by_all() {
    let known = log_z_of_quadratic();
    for name in NAMES {
        let baseline = named(name).unwrap();
        assert_eq!(baseline.name(), name);
        let found = baseline.run(&Quadratic, &Rng::new(4)).unwrap();
        assert!(found.gradients > 0 && found.remarks.is_empty(), "{name}: {:?}", found.remarks);
        if let Some((log_z, error)) = found.log_z {
            assert!(error < 0.02, "{name}: {error}");
            // Islands are eight: their error is itself off by a quarter.
            assert_close(log_z, known, 6.0 * error, name);
        }
        if let Some((elbo, error)) = found.elbo {
            assert!(error < 1e-6, "ln ρ − ln q is constant: {error}");
            assert_close(elbo, known, 1e-6, "steps are exact for a Gaussian");
        }
        let count = found.states.len() / 3;
        let mean = found.states.iter().step_by(3).sum::<f64>() / count as f64;
        // The widest axis has a standard deviation below 1; draws of importance sampling repeat themselves a little.
        assert_close(mean, CENTRE[0], 6.0 / (count as f64 * found.ess.min(0.5)).sqrt(), name);
    }
    assert!(named("annealing").is_none());
}

#[test]
fn smc_finds_all_modes_and_says_how_well_it_knows_z() {
    for (name, target) in [
        ("gmm9", Box::new(GaussianMixture::nine()) as Box<dyn Target>),
        ("gmm40", Box::new(GaussianMixture::forty(0))),
        ("rings", Box::new(Rings)),
        ("dw(5, 5, 4)", Box::new(DoubleWell::new(5, 5, 4.0))),
        ("manywell", Box::new(ManyWell::new(16))),
    ] {
        let found = TemperedSmc::default().run(target.as_ref(), &Rng::new(6)).unwrap();
        let (log_z, error) = found.log_z.unwrap();
        assert!(error < 0.15, "{name}: {error}");
        // Eight islands: 4.5 standard errors are 6 of the Student law.
        assert_close(log_z, target.log_normaliser().unwrap().0, 6.0 * error, name);
        assert!(found.remarks[0].contains("all modes"), "{name} has several: {:?}", found.remarks);
        let modes = target.modes().unwrap();
        let of = (modes.of)(&found.states);
        for (k, share) in modes.shares.iter().enumerate() {
            let drawn = of.iter().filter(|mode| **mode == k).count() as f64 / of.len() as f64;
            // A hundred particles or more are at each mode; a tempering moves a share by a half at most.
            assert!((drawn / share - 1.0).abs() < 0.6, "{name}, mode {k}: {drawn} of {share}");
        }
    }
    let nine = GaussianMixture::nine();
    let (log_z, _) = Laplace::default().run(&nine, &Rng::new(6)).unwrap().log_z.unwrap();
    assert!(log_z < -1.5, "one mode of nine has −2.2: {log_z}");
}

#[test]
fn a_posterior_whose_mode_says_nothing_is_found_from_a_gaussian_fit() {
    let (known, tolerance) = Seeds.log_normaliser().unwrap();
    let of = |found: Drawn| found.log_z.unwrap();
    let (log_z, error) = of(TemperedSmc::default().run(&Seeds, &Rng::new(1)).unwrap());
    // As above.
    assert_close(log_z, known, 6.0 * error + tolerance, "from the fit");
    let (from_mode, _) = of(Laplace { draws: 10_000 }.run(&Seeds, &Rng::new(1)).unwrap());
    assert!(from_mode < known - 3.0, "the mode has hardly any mass about it: {from_mode}");
    let fit = GaussVi { draws: 10_000, ..GaussVi::default() }.run(&Seeds, &Rng::new(1)).unwrap();
    let (elbo, error) = fit.elbo.unwrap();
    // A lower bound of −73.41; published samplers reach −74.1 to −73.45.
    assert!((-74.4..-73.41).contains(&elbo), "{elbo} ± {error}");
}

#[test]
fn smc_normalises_brownian_motion_with_unknown_scales() {
    let (known, _) = Brownian.log_normaliser().unwrap();
    let found =
        TemperedSmc { particles: 400, ..TemperedSmc::default() }.run(&Brownian, &Rng::new(2)).unwrap();
    let (log_z, error) = found.log_z.unwrap();
    // A narrow neck at small scales is entered by few particles: that costs up to 0.1.
    assert_close(log_z, known, 6.0 * error + 0.1, "brownian");
}

#[test]
fn chains_say_whether_they_have_met() {
    let easy = Nuts::default().run(&Funnel::easy(), &Rng::new(3)).unwrap();
    assert!(easy.log_z.is_none() && easy.ess > 0.02, "{}", easy.ess);
    let count = easy.states.len() / 10;
    let necks: Vec<f64> = easy.states.iter().step_by(10).copied().collect();
    let mean = necks.iter().sum::<f64>() / count as f64;
    let var = necks.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
    // N(0, 1), by as many independent draws as are said to be.
    let error = 1.0 / (count as f64 * easy.ess).sqrt();
    assert_close(mean, 0.0, 4.5 * error, "mean of the neck");
    assert_close(var, 1.0, 7.0 * error, "variance of the neck");
    let apart = Nuts::default().run(&GaussianMixture::nine(), &Rng::new(3)).unwrap();
    assert!(apart.remarks.iter().any(|remark| remark.starts_with("R-hat")), "{:?}", apart.remarks);
    let again = Nuts::default().run(&GaussianMixture::nine(), &Rng::new(3)).unwrap();
    assert_eq!(apart.states, again.states, "the same seed gives the same draws");
}

/// A density that fails, away from the origin or everywhere.
struct Failing(f64);

impl LogDensity for Failing {
    fn dim(&self) -> usize {
        2
    }

    fn values(&self, states: &[f64]) -> Result<Vec<f64>> {
        match states.iter().any(|x| x.abs() >= self.0) {
            true => Err(Error::Diverged("a density that fails".into())),
            false => Ok(states.chunks_exact(2).map(|x| -0.5 * (x[0] * x[0] + x[1] * x[1])).collect()),
        }
    }
}

/// ln ρ = 0 everywhere: no law at all; and one that is not finite anywhere.
struct Constant(f64);

impl PointDensity for Constant {
    fn dim(&self) -> usize {
        2
    }

    fn value_and_gradient(&self, _: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        self.0
    }
}

#[test]
fn what_a_density_fails_for_comes_back() {
    for name in NAMES {
        let baseline = named(name).unwrap();
        for reach in [0.0, 2.1] {
            let message = baseline.run(&Failing(reach), &Rng::new(0)).unwrap_err().to_string();
            assert!(message.contains("a density that fails"), "{name}: {message}");
        }
        assert!(baseline.run(&Constant(f64::NEG_INFINITY), &Rng::new(0)).is_err(), "{name}");
        assert!(baseline.run(&Constant(f64::NAN), &Rng::new(0)).is_err(), "{name}");
    }
    let message = Laplace::default().run(&Constant(0.0), &Rng::new(0)).unwrap_err().to_string();
    assert!(message.contains("use gauss-vi, smc or nuts"), "{message}");
    let alone = TemperedSmc { islands: 1, ..TemperedSmc::default() };
    assert!(alone.run(&Quadratic, &Rng::new(0)).is_err());
}

#[test]
fn regression_on_credit_data_has_the_known_normaliser() {
    for (prior, known) in [(Prior::Flat, -504.487), (Prior::Normal(100.0), -585.097)] {
        let Some(posterior) = posteriors::credit(prior) else { return };
        let laplace = Laplace { draws: 4000 }.run(&posterior, &Rng::new(0)).unwrap();
        let fit = GaussVi { draws: 4000, climbing: 20, averaging: 10 };
        let fit = fit.run(&posterior, &Rng::new(0)).unwrap();
        for (found, least) in [(&laplace, 0.5), (&fit, 0.75)] {
            let (log_z, error) = found.log_z.unwrap();
            // Known to 0.005.
            assert_close(log_z, known, 4.5 * error + 0.005, &format!("{prior:?}"));
            assert!((least..1.0).contains(&found.ess), "{}", found.ess);
        }
        let (elbo, error) = fit.elbo.unwrap();
        // Importance sampling has an effective sample size of 0.82: a gap of hundredths of a nat.
        assert!((known - 0.1..known + 4.5 * error).contains(&elbo), "{prior:?}: {elbo}");
        assert_eq!(LogDensity::dim(&posterior), 25);
    }
}

/// The slow one: some minutes.
#[test]
#[ignore = "minutes"]
fn the_field_of_pines_is_normalised_from_its_gaussian_fit() {
    let Some(process) = posteriors::pines() else { return };
    let (law, elbo) = process.gaussian_fit().unwrap();
    assert_close(elbo, 498.803, 0.005, "closed form"); // three decimals are known
    let fit = GaussVi { draws: 4000, ..GaussVi::default() };
    let (by_draws, error) = fit.from_law(&process, &law, &Rng::new(0)).unwrap().elbo.unwrap();
    assert_close(by_draws, elbo, 4.5 * error, "mean of ln ρ − ln q");
    let start = Start::Given(law);
    let smc =
        TemperedSmc { particles: 100, moves: 3, leapfrogs: 6, step: 0.28, start, ..TemperedSmc::default() };
    let (log_z, error) = smc.run(&process, &Rng::new(0)).unwrap().log_z.unwrap();
    // Known to 0.03.
    assert_close(log_z, 501.76, 6.0 * error + 0.03, "ln Z");
}

/// A quarter of the mass is where the law is less than a third as wide as in its middle, and half of that is entered late.
#[test]
fn the_neck_of_a_funnel_takes_slow_runs() {
    let neck = |start| {
        let found =
            TemperedSmc { start, ..TemperedSmc::default() }.run(&Funnel::new(), &Rng::new(4)).unwrap();
        let inside = found.states.iter().step_by(10).filter(|x| **x < -2.0).count();
        (inside as f64 * 10.0 / found.states.len() as f64, found.log_z.unwrap().0)
    };
    let (share, log_z) = neck(Start::Measured);
    // P(x₀ < −2) = Φ(−2/3). What is missed is missed for want of time: a tenth of it, and of Z.
    assert_close(share, 0.2525, 0.06, "share of the neck");
    assert_close(log_z, 0.0, 0.1, "ln Z");
    let (share, _) = neck(Start::Origin(3.0));
    assert!(share < 0.19, "one run is too fast: {share}");
}
