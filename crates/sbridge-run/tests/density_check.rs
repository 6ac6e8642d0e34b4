//! What is said of a density before the work: good ones pass, and each kind of fault is refused or remarked on.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;

use sbridge::Result;
use sbridge::density::LogDensity;
use sbridge::rng::Rng;
use sbridge_run::Context;
use sbridge_run::densities::{BUILTIN, check, open};

type Gradient = fn(&[f64]) -> Vec<f64>;

/// A density of a closure, with a gradient if there is a second.
struct Given {
    dim: usize,
    value: fn(&[f64]) -> f64,
    gradient: Option<Gradient>,
}

impl Given {
    fn plane(value: fn(&[f64]) -> f64) -> Self {
        Self { dim: 2, value, gradient: None }
    }

    fn with(self, gradient: Gradient) -> Self {
        Self { gradient: Some(gradient), ..self }
    }

    fn remarks(&self) -> Vec<String> {
        let found = check(self, &Rng::new(5)).unwrap();
        assert_eq!(found, check(self, &Rng::new(5)).unwrap());
        found
    }

    #[track_caller]
    fn refused(&self, word: &str) {
        let error = check(self, &Rng::new(5)).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(word) && !message.contains('\n'), "{message}");
        assert_eq!(error.exit_code(), 2);
    }
}

impl LogDensity for Given {
    fn dim(&self) -> usize {
        self.dim
    }

    fn values(&self, states: &[f64]) -> Result<Vec<f64>> {
        Ok(states.chunks_exact(self.dim).map(self.value).collect())
    }

    fn values_and_gradients(&self, states: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let gradients = match self.gradient {
            Some(gradient) => states.chunks_exact(self.dim).flat_map(gradient).collect(),
            None => sbridge::density::central_differences(self, states)?,
        };
        Ok((self.values(states)?, gradients))
    }

    fn has_gradient(&self) -> bool {
        self.gradient.is_some()
    }
}

fn half_square(x: &[f64]) -> f64 {
    -0.5 * x.iter().map(|x| x * x).sum::<f64>()
}

fn downhill(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| -x).collect()
}

#[test]
fn a_gaussian_passes_without_a_word() {
    assert_eq!(Given::plane(half_square).with(downhill).remarks(), Vec::<String>::new());
    let found = Given::plane(half_square).remarks();
    assert!(found.len() == 1 && found[0].contains("central differences, 4 values each"), "{found:?}");
}

#[test]
fn built_in_densities_pass_without_a_word() {
    for name in BUILTIN {
        if let Ok(opened) = open(&format!("builtin:{name}"), None, &Context::default()) {
            assert_eq!(check(opened.target.as_ref(), &Rng::new(1)).unwrap(), Vec::<String>::new(), "{name}");
        }
    }
    let data = format!("{}/../../../shared/data/", env!("CARGO_MANIFEST_DIR"));
    for (name, file) in [
        ("credit-flat", "logreg/german.data-numeric"),
        ("credit", "logreg/german.data-numeric"),
        ("ionosphere", "logreg/ionosphere.npz"),
        ("sonar", "logreg/sonar.npz"),
        ("lgcp", "pines/fpines.csv"),
    ] {
        let path = format!("{data}{file}");
        if fs::metadata(&path).is_err() {
            println!("skipped: {path} is not there");
            continue;
        }
        let opened = open(&format!("builtin:{name}"), Some(&path), &Context::default()).unwrap();
        assert_eq!(check(opened.target.as_ref(), &Rng::new(1)).unwrap(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn laws_with_heavy_tails_and_ridges_that_narrow_pass() {
    // Cauchy in each coordinate; Student in the plane.
    let cauchy = |x: &[f64]| -x.iter().map(|x| (x * x).ln_1p()).sum::<f64>();
    assert_eq!(Given::plane(cauchy).remarks().len(), 1);
    let student = |x: &[f64]| -1.2 * (x[0] * x[0] + x[1] * x[1]).ln_1p();
    assert_eq!(Given::plane(student).remarks().len(), 1);
    // N(y; 0, e^{−2x}) e^{−x} for x above 0: ln ρ = 0 on the whole of the ridge y = 0, and the integral over y is e^{−x}.
    let ridge = |x: &[f64]| match x[0] > 0.0 {
        true => -0.5 * (x[1] * x[0].exp()).powi(2),
        false => -x[0] * x[0] - 0.5 * x[1] * x[1],
    };
    assert!(Given::plane(ridge).remarks().iter().all(|remark| !remark.contains("wide")));
}

#[test]
fn values_that_are_none_are_refused() {
    Given::plane(|x| if x[0] > 0.5 { f64::NAN } else { half_square(x) }).refused("NaN at x1 = ");
    Given::plane(|x| -(x[0] * x[0] + x[1] * x[1]).ln()).refused("+∞ at x1 = 0.0000");
    Given::plane(|_| f64::NEG_INFINITY).refused("−∞ at all 17 points");
    Given::plane(|_| 3.5).refused("ln ρ is 3.5 at all");
    Given { dim: 0, value: half_square, gradient: None }.refused("it has 0 coordinates");
    Given { dim: 10_001, value: half_square, gradient: None }.refused("10001 coordinates");
    Given::plane(|x| if x[0] > 1.0 { panic!("no value at {}", x[0]) } else { half_square(x) })
        .refused("panicked: no value at");
}

#[test]
fn gradients_that_are_none_are_refused() {
    let square = || Given::plane(half_square);
    square().with(|x| vec![-x[0], x[1]]).refused("not the slope of ln ρ");
    // Off by a thousandth part of itself.
    square().with(|x| vec![-1.001 * x[0], -1.001 * x[1]]).refused("not the slope of ln ρ");
    square().with(|x| vec![-x[0], if x[1] > 0.0 { f64::NAN } else { -x[1] }]).refused("slope in x2 is NaN");
    // A kink is a remark at most: here no point lies on it.
    let kink = Given::plane(|x| -x[0].abs() - x[1].abs()).with(|x| vec![-x[0].signum(), -x[1].signum()]);
    assert!(kink.remarks().len() <= 1);
    // Single precision has its noise.
    let single = Given::plane(|x| f64::from(half_square(x) as f32)).with(downhill);
    assert!(single.remarks().iter().all(|remark| !remark.contains("gradient")), "{:?}", single.remarks());
}

#[test]
fn what_does_not_fall_is_improper() {
    Given::plane(|x| -0.5 * x[0] * x[0]).refused("improper");
    Given::plane(|x| 0.5 * x[0] * x[0] - x[1] * x[1]).refused("improper");
    Given::plane(|x| -0.5 * (x[0] - x[1]).powi(2)).refused("improper");
    Given::plane(|x| -0.4 * (1.0 + x[0] * x[0] + x[1] * x[1]).ln()).refused("improper");
    Given { dim: 1, value: |x| -(1.0 + (-x[0]).exp()).ln(), gradient: None }.refused("improper");
    // A law that is wide is not improper.
    let found = Given::plane(|x| -0.5e-12 * (x[0] * x[0]) - 0.5 * x[1] * x[1]).remarks();
    assert!(found.iter().any(|remark| remark.contains("very wide") && remark.contains("x1")), "{found:?}");
}

#[test]
fn a_flat_prior_on_data_that_a_plane_parts_is_improper() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    // Points that a plane parts, none of them near it; with some on the wrong side, no plane parts them.
    let point = |k: i32| {
        (f64::from(k).sin() * (1.0 + 0.1 * f64::from(k)), f64::from(3 * k).cos(), f64::from(k * k % 7))
    };
    let table = |wrong: bool| {
        let rows = (0..60).filter_map(|k| {
            let (x, y, z) = point(k);
            let height = x + 2.0 * y - z + 2.0;
            let label = u8::from((height > 0.0) != (wrong && k % 7 == 0));
            (height.abs() > 0.5).then(|| format!("{x},{y},{z},{label}\n"))
        });
        String::from("a,b,c,label\n") + &rows.collect::<String>()
    };
    write("parted.csv", &table(false));
    write("mixed.csv", &table(true));
    let checked = |data: &str, prior: &str| {
        let toml = format!("kind = \"logistic-regression\"\ndata = \"{data}\"\n{prior}\n");
        let opened = open(&write("d.toml", &toml), None, &Context::default()).unwrap();
        check(opened.target.as_ref(), &Rng::new(3))
    };
    let message = checked("parted.csv", "prior = \"flat\"").unwrap_err().to_string();
    assert!(message.contains("improper"), "{message}");
    assert_eq!(checked("parted.csv", "prior_sd = 10").unwrap(), Vec::<String>::new());
    assert_eq!(checked("mixed.csv", "prior = \"flat\"").unwrap(), Vec::<String>::new());
}

#[test]
fn steps_and_bounds_are_remarked_on() {
    let step = Given::plane(|x| half_square(x) - if x[0] > 0.3 { 2.0 } else { 0.0 });
    assert!(step.remarks().iter().any(|remark| remark.contains("ln ρ jumps")), "{:?}", step.remarks());
    let bounded = Given::plane(|x| if x[0] < -0.5 { f64::NEG_INFINITY } else { half_square(x) });
    assert!(
        bounded.remarks().iter().any(|remark| remark.contains("ln ρ is −∞ at")),
        "{:?}",
        bounded.remarks()
    );
    // Steep is not a step.
    let steep = Given::plane(|x| -1e6 * (x[0].powi(2) - 1.0).powi(2) - x[1] * x[1]);
    assert!(steep.remarks().iter().all(|remark| !remark.contains("jumps")), "{:?}", steep.remarks());
}
