//! Targets of samplers against known values, quadrature and differences.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::path::Path;

use common::assert_close;
use common::posteriors::credit;
use sbridge::Rng;
use sbridge::density::targets::{
    Brownian, DoubleWell, Field, Funnel, GaussianMixture, LogGaussianCox, LogisticRegression, ManyWell,
    Mixture, Prior, Rings, Seeds,
};
use sbridge::density::{LogDensity, Target, central_differences};

fn value(density: &dyn LogDensity, x: &[f64]) -> f64 {
    density.values(x).unwrap()[0]
}

#[test]
fn values_are_those_of_the_literature() {
    let close = |found: f64, expected: f64, what: &str| assert_close(found, expected, 1e-6, what); // six decimals
    close(value(&GaussianMixture::nine(), &[1.0, 1.0]), -6.164_462, "gmm9(1, 1)");
    let mut x = vec![0.5; 10];
    x[0] = 1.0;
    close(value(&Funnel::new(), &x), -15.257_418, "funnel");
    close(value(&Seeds, &[0.0; 26]), -124.671_090, "seeds(0)");
    let mut x = vec![-0.1; 26];
    x[0] = 1.0;
    x[1..5].fill(0.1);
    close(value(&Seeds, &x), -111.116_512, "seeds");
    close(value(&Brownian, &[0.0; 32]), -38.143_808, "brownian(0)");
    close(value(&Brownian, &[-1.0; 32]), -41.796_192, "brownian(−1)");
    let known = |target: &dyn Target| target.log_normaliser().unwrap().0;
    close(known(&Rings), 2.304_882, "ln Z of rings");
    close(known(&DoubleWell::new(5, 5, 4.0)), -0.541_056, "ln Z of dw(5, 5, 4)");
    close(known(&DoubleWell::new(50, 5, 2.0)), 42.817_243, "ln Z of dw(50, 5, 2)");
    close(known(&DoubleWell::new(1, 1, 2.0)), 0.293_002, "ln Z of dw(1, 1, 2)");
    close(known(&ManyWell::new(16)), 164.695_675, "ln Z of manywell");
    close(ManyWell::new(16).modes().unwrap().shares[0], 0.155_693, "left well");
}

#[test]
fn a_regression_far_from_its_outcomes_is_a_line_and_of_no_number_none() {
    let regression = LogisticRegression::new(vec![1.0, 2.0], vec![true, false], Prior::Flat).unwrap();
    // ln σ(w) + ln σ(−2w): −2w far above zero, w far below.
    for (w, known, slope) in [(1e4, -2e4, -2.0), (-1e4, -1e4, 1.0), (0.0, -2.0 * 2f64.ln(), -0.5)] {
        let (values, gradients) = regression.values_and_gradients(&[w]).unwrap();
        assert_close(values[0], known, 1e-9, "ln ρ"); // rounding
        assert_close(gradients[0], slope, 1e-12, "slope");
    }
    assert!(value(&regression, &[f64::NAN]).is_nan());
}

#[test]
fn regressions_and_processes_on_real_data_have_the_known_values() {
    if let (Some(flat), Some(gauss)) = (credit(Prior::Flat), credit(Prior::Normal(100.0))) {
        let close = |found: f64, expected: f64, what: &str| assert_close(found, expected, 1e-6, what);
        close(value(&flat, &[0.0; 25]), -693.147_181, "credit(0), flat");
        close(value(&gauss, &[0.0; 25]), -773.685_271, "credit(0)");
        close(value(&flat, &[0.1; 25]), -3_557.139_399, "credit(0.1), flat");
        close(value(&gauss, &[0.1; 25]), -3_637.678_739, "credit(0.1)");
        assert_is_gradient(&gauss, 0.1);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/pines/fpines.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let point = |line: &str| {
        let mut fields = line.split(',').skip(1).map(|field| field.parse::<f64>().unwrap());
        [fields.next().unwrap(), fields.next().unwrap()]
    };
    let points: Vec<[f64; 2]> = text.lines().skip(1).map(point).collect();
    let process = LogGaussianCox::of_points(&points).unwrap();
    let mean = 126f64.ln() - 0.955;
    assert_close(value(&process, &[mean; 1600]), -1_255.451_94, 1e-4, "at the mean"); // five decimals
    let slope = |k: usize| mean + 0.05 * ((k / 40) as f64 - 2.0 * (k % 40) as f64);
    let field: Vec<f64> = (0..1600).map(slope).collect();
    assert_close(value(&process, &field), -1_513.827_27, 1e-4, "on a slope");
}

/// That the gradient of `density` is the slope of its values at five points.
fn assert_is_gradient(density: &dyn LogDensity, spread: f64) {
    let dim = density.dim();
    let mut noise = vec![0f32; 5 * dim];
    Rng::new(3).fill_normal(&mut noise);
    let states: Vec<f64> = noise.into_iter().map(|x| spread * f64::from(x)).collect();
    let (_, gradients) = density.values_and_gradients(&states).unwrap();
    let differences = central_differences(density, &states).unwrap();
    let largest = gradients.iter().map(|slope| slope.abs()).fold(1.0, f64::max);
    for (k, (found, known)) in gradients.iter().zip(&differences).enumerate() {
        // Of the largest slope: rounding of values over the step of the difference.
        assert!((found - known).abs() < 1e-6 * largest, "{k}: {found} {known}");
    }
}

#[test]
fn gradients_are_differences() {
    assert_is_gradient(&GaussianMixture::nine(), 3.0);
    assert_is_gradient(&GaussianMixture::forty(0), 20.0);
    assert_is_gradient(&Funnel::new(), 1.0);
    assert_is_gradient(&Rings, 2.0);
    assert_is_gradient(&DoubleWell::new(7, 3, 4.0), 1.5);
    assert_is_gradient(&ManyWell::new(3), 1.5);
    assert_is_gradient(&Seeds, 0.5);
    assert_is_gradient(&Brownian, 0.5);
    assert_is_gradient(&tilted(), 2.0);
    let field = Field { side: 3, mean: 0.5, var: 2.0, length: 0.4 };
    assert_is_gradient(&LogGaussianCox::new(&[[0.1, 0.2], [0.9, 0.8], [1.0, 1.0]], field).unwrap(), 0.5);
}

/// Two Gaussians far apart, of different weight, one of them stretched aslant.
fn tilted() -> Mixture {
    let covariances = [vec![1.0, 0.6, 0.6, 2.0], vec![0.5, 0.0, 0.0, 0.5]];
    Mixture::new(vec![vec![-6.0, 1.0], vec![7.0, -1.0]], &covariances, &[3.0, 1.0]).unwrap()
}

#[test]
fn a_mixture_of_equal_spheres_is_the_other_one() {
    let (means, sphere) =
        ([-5.0, 0.0, 5.0].map(|x| [-5.0, 0.0, 5.0].map(|y| vec![x, y])).concat(), vec![0.3, 0.0, 0.0, 0.3]);
    let mixture = Mixture::new(means, &vec![sphere; 9], &[2.0; 9]).unwrap();
    let states: Vec<f64> = (0..40).map(|k| (f64::from(k) * 1.7).sin() * 6.0).collect();
    let [found, known] = [&mixture as &dyn LogDensity, &GaussianMixture::nine()]
        .map(|law| law.values_and_gradients(&states).unwrap());
    for (found, known) in found.0.iter().chain(&found.1).zip(known.0.iter().chain(&known.1)) {
        assert_close(*found, *known, 1e-12 * (1.0 + known.abs()), "a value or slope"); // rounding
    }
}

#[test]
fn draws_of_a_mixture_have_its_covariance() {
    let (count, law) = (40_000, tilted());
    let draws = law.sample(count, &mut Rng::new(8)).unwrap();
    let first: Vec<&[f64]> = draws.chunks_exact(2).filter(|x| x[0] < 0.5).collect();
    // 4.5 standard errors: of a share, and of moments of 30,000 draws, whose variance is at most 2 · 2² each.
    assert_close(
        first.len() as f64 / count as f64,
        0.75,
        4.5 * (0.75f64 * 0.25 / count as f64).sqrt(),
        "share",
    );
    let mean = |f: &dyn Fn(&[f64]) -> f64| first.iter().map(|x| f(x)).sum::<f64>() / first.len() as f64;
    let close =
        |found: f64, known: f64| assert_close(found, known, 4.5 * (8.0f64 / 30_000.0).sqrt(), "a moment");
    close(mean(&|x| (x[0] + 6.0).powi(2)), 1.0);
    close(mean(&|x| (x[0] + 6.0) * (x[1] - 1.0)), 0.6);
    close(mean(&|x| (x[1] - 1.0).powi(2)), 2.0);
}

#[test]
fn double_wells_lie_below_the_law_they_are_drawn_from() {
    // Where wells are drawn by rejection, the envelope is 3: for every separation that is admitted.
    for separation in [1.0, 1.5, 2.0, 4.0, 8.0, 20.0, 100.0] {
        let (centre, law) = (f64::sqrt(separation), DoubleWell::new(1, 1, separation));
        let log_z = law.log_normaliser().unwrap().0;
        let gaussian =
            |x: f64| (-0.5 * separation * x * x).exp() * (separation / std::f64::consts::TAU).sqrt();
        let ratio = |k: i32| {
            let x = f64::from(k) * 1e-3 * (centre + 2.0);
            (value(&law, &[x]) - log_z).exp() / (0.5 * (gaussian(x - centre) + gaussian(x + centre)))
        };
        let highest = (0..=1000).map(ratio).fold(0.0, f64::max);
        assert!(highest < 3.0, "{separation}: {highest}");
    }
}

#[test]
fn draws_have_the_shares_of_the_modes() {
    let count = 20_000;
    let targets: [(&str, Box<dyn Target>); 5] = [
        ("gmm9", Box::new(GaussianMixture::nine())),
        ("gmm40", Box::new(GaussianMixture::forty(42))),
        ("rings", Box::new(Rings)),
        ("double well", Box::new(DoubleWell::new(5, 3, 4.0))),
        ("many wells", Box::new(ManyWell::new(2))),
    ];
    for (name, target) in targets {
        let (draws, modes) = (target.sample(count, &mut Rng::new(9)).unwrap(), target.modes().unwrap());
        assert_eq!(draws.len(), count * target.dim());
        let mut found = vec![0.0; modes.shares.len()];
        (modes.of)(&draws).into_iter().for_each(|mode| found[mode] += 1.0 / count as f64);
        for (mode, (found, share)) in found.iter().zip(&modes.shares).enumerate() {
            // 4.5 standard errors.
            let allowed = 4.5 * (share * (1.0 - share) / count as f64).sqrt();
            assert_close(*found, *share, allowed, &format!("{name}, mode {mode}"));
        }
    }
}

#[test]
fn draws_have_the_moments_of_the_law() {
    let count = 20_000;
    let std = |draws: &[f64], dim: usize, axis: usize| {
        let column: Vec<f64> = draws.iter().skip(axis).step_by(dim).copied().collect();
        let mean = column.iter().sum::<f64>() / count as f64;
        (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64).sqrt()
    };
    let draws = |target: &dyn Target| target.sample(count, &mut Rng::new(2)).unwrap();
    // 4.5 standard errors of a standard deviation are 2.3 %, or less where tails are light.
    let close = |found: f64, known: f64, what: &str| assert_close(found / known, 1.0, 0.023, what);
    close(std(&draws(&GaussianMixture::nine()), 2, 0), 4.119_061, "gmm9");
    close(std(&draws(&GaussianMixture::twenty_five()), 2, 1), 7.092_249, "gmm25");
    close(std(&draws(&DoubleWell::new(3, 1, 4.0)), 3, 0), 1.983_458, "a well at 2");
    close(std(&draws(&DoubleWell::new(3, 1, 2.0)), 3, 0), 1.354_748, "a well at √2");
    close(std(&draws(&Funnel::new()), 10, 0), 3.0, "the neck of the funnel");
    // Its sides have e^{x₀} for a variance, whose fourth moment is far in the tail: by ranks, two thirds lie within one.
    let funnel = draws(&Funnel::new());
    let scaled = funnel.chunks_exact(10).map(|x| x[1] * (-0.5 * x[0]).exp());
    let within = scaled.filter(|z| z.abs() < 1.0).count() as f64 / count as f64;
    assert_close(within, 0.682_689, 0.015, "a side of the funnel within its deviation");
}
