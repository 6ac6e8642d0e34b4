//! Baselines of samplers against exact normalisers.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{assert_close, posteriors};
use sbridge::Rng;
use sbridge::density::baselines::{Baseline, Laplace, Start, TemperedSmc};
use sbridge::density::targets::{DoubleWell, GaussianMixture, Prior};
use sbridge::density::{LogDensity, PointDensity, Target};

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
fn a_gaussian_is_normalised_by_both() {
    let known = log_z_of_quadratic();
    for baseline in [&Laplace::default() as &dyn Baseline, &TemperedSmc::default()] {
        let found = baseline.run(&Quadratic, &Rng::new(4)).unwrap();
        let (log_z, error) = found.log_z.unwrap();
        assert!(error < 0.02 && found.gradients > 0, "{}: {error}", baseline.name());
        assert_close(log_z, known, 4.5 * error, baseline.name());
        let count = found.states.len() / 3;
        let mean = found.states.iter().step_by(3).sum::<f64>() / count as f64;
        // The widest axis has a standard deviation below 1; draws of importance sampling repeat themselves a little.
        assert_close(mean, CENTRE[0], 6.0 / (count as f64).sqrt(), "mean");
    }
}

#[test]
fn smc_normalises_laws_of_several_modes_and_laplace_does_not() {
    for (name, target) in [
        ("gmm9", Box::new(GaussianMixture::nine()) as Box<dyn Target>),
        ("double well", Box::new(DoubleWell::new(5, 2, 2.0))),
    ] {
        let smc = TemperedSmc { start: Start::Origin(5.0), ..TemperedSmc::default() };
        let (log_z, error) = smc.run(target.as_ref(), &Rng::new(6)).unwrap().log_z.unwrap();
        // Weights of one temperature are not independent of those before: twice the error, and 0.02.
        assert_close(log_z, target.log_normaliser().unwrap().0, 9.0 * error + 0.02, name);
    }
    let nine = GaussianMixture::nine();
    let (log_z, _) = Laplace::default().run(&nine, &Rng::new(6)).unwrap().log_z.unwrap();
    assert!(log_z < -1.5, "one mode of nine has −2.2: {log_z}");
}

#[test]
fn regression_on_credit_data_has_the_known_normaliser() {
    for (prior, known) in [(Prior::Flat, -504.487), (Prior::Normal(100.0), -585.097)] {
        let Some(posterior) = posteriors::credit(prior) else { return };
        let found = Laplace { draws: 10_000 }.run(&posterior, &Rng::new(0)).unwrap();
        let (log_z, error) = found.log_z.unwrap();
        // Known to 0.005.
        assert_close(log_z, known, 4.5 * error + 0.005, &format!("{prior:?}"));
        assert!((0.45..0.65).contains(&found.ess), "{}", found.ess);
        assert_eq!(LogDensity::dim(&posterior), 25);
    }
}
