//! Stan models through the C interface of BridgeStan: a model written in C stands in for a compiled one.
#![allow(clippy::unwrap_used, missing_docs)]

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;
use std::process::Command;

use sbridge::density::central_differences;
use sbridge::rng::Rng;
use sbridge_run::densities::{OpenDensity, check, open};
use sbridge_run::{Context, RunError};

const Y: [f64; 8] = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0];
const SIGMA: [f64; 8] = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0];

/// A folder with the compiled model and its data.
struct Schools {
    folder: tempfile::TempDir,
}

impl Schools {
    /// Compiled with these definitions; nothing where there is no compiler.
    fn new(definitions: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stan/eight_schools.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(folder.path().join("model.so"))
            .args(definitions)
            .arg(&source)
            .arg("-lm")
            .output();
        match compiled {
            Err(error) => {
                println!("skipped: cc cannot be run: {error}");
                None
            }
            Ok(done) => {
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
                let schools = Self { folder };
                schools.write("data.json", &format!("{{\"J\": 8, \"y\": {Y:?}, \"sigma\": {SIGMA:?}}}"));
                Some(schools)
            }
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn open(&self, data: Option<&str>) -> Result<OpenDensity, RunError> {
        open(&self.path("model.so"), data.map(|data| self.path(data)).as_deref(), &Context::default())
    }

    fn opened(&self) -> OpenDensity {
        self.open(Some("data.json")).unwrap()
    }

    fn refusal(&self, data: Option<&str>) -> String {
        let error = self.open(data).err().unwrap();
        assert!(matches!(error, RunError::Input(_)) && error.exit_code() == 2, "{error:?}");
        let message = error.to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }
}

fn log_normal(x: f64, var: f64) -> f64 {
    -0.5 * (x * x / var + (TAU * var).ln())
}

/// ln of the evidence, by the trapezoidal rule over μ and ln τ: the schools are integrated out by hand.
fn log_evidence() -> f64 {
    let (mut total, step) = (0.0, 0.05);
    for a in -800..=800 {
        for b in -400..=120 {
            let (mu, log_tau) = (step * f64::from(a), step * f64::from(b));
            let var = (2.0 * log_tau).exp();
            let prior = log_normal(mu, 25.0) + log_normal(var.sqrt(), 25.0) + 2f64.ln() + log_tau;
            let data = Y.iter().zip(SIGMA).map(|(y, sigma)| log_normal(y - mu, sigma * sigma + var));
            total += (prior + data.sum::<f64>()).exp() * step * step;
        }
    }
    total.ln()
}

#[test]
fn a_model_has_its_values_names_and_scales() {
    let Some(schools) = Schools::new(&[]) else { return };
    let opened = schools.opened();
    let target = &opened.target;
    assert_eq!((target.dim(), opened.title.as_str()), (10, "Stan model eight_schools"));
    assert_eq!(target.names()[..3], ["mu", "tau", "theta_trans.1"]);
    assert_eq!((target.output_names().len(), target.output_names()[17].as_str()), (18, "theta.8"));
    let x = [2.0, 0.5f64.ln(), 0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8];
    let (tau, trans) = (0.5, &x[2..]);
    let schools_part: f64 = (0..8)
        .map(|j| log_normal(trans[j], 1.0) + log_normal(Y[j] - 2.0 - tau * trans[j], SIGMA[j] * SIGMA[j]))
        .sum();
    let known = log_normal(2.0, 25.0) + log_normal(tau, 25.0) + 2f64.ln() + tau.ln() + schools_part;
    let found = target.values(&x).unwrap()[0];
    assert!((found - known).abs() < 1e-12 * known.abs(), "{found} {known}"); // rounding
    let outputs = target.outputs(&x).unwrap();
    assert_eq!(outputs.len(), 18);
    assert!((outputs[1] - 0.5).abs() < 1e-15 && (outputs[17] - (2.0 - 0.5 * 0.8)).abs() < 1e-15);
    // Many states on all cores are what they are one by one.
    let many: Vec<f64> = (0..50).flat_map(|k| x.map(|x| x + 0.01 * f64::from(k))).collect();
    let (values, gradients) = target.values_and_gradients(&many).unwrap();
    assert_eq!(values[0].to_bits(), found.to_bits());
    let differences = central_differences(target.as_ref(), &many).unwrap();
    for (found, known) in gradients.iter().zip(&differences) {
        assert!((found - known).abs() < 1e-6 * (1.0 + known.abs()), "{found} {known}"); // rounding over the step
    }
    assert_eq!(opened.files.len(), 2);
    assert!(opened.remarks.is_empty(), "{:?}", opened.remarks);
    assert_eq!(check(target.as_ref(), &Rng::new(1)).unwrap(), Vec::<String>::new());
}

#[test]
fn z_is_the_evidence() {
    let Some(schools) = Schools::new(&[]) else { return };
    // Importance sampling: μ ~ N(4, 36), ln τ logistic with tails wider than the posterior's, θ_trans ~ N(0, 1.3).
    const COUNT: usize = 40_000;
    let (mut noise, mut rng) = (vec![0f32; 9 * COUNT], Rng::new(4));
    rng.fill_normal(&mut noise);
    let uniform = rng.uniform(COUNT, 0.0, 1.0);
    let (width, var) = (1.2, 1.3f64);
    let (mut states, mut proposed) = (Vec::new(), Vec::new());
    for (noise, p) in noise.chunks_exact(9).zip(uniform) {
        let noise: Vec<f64> = noise.iter().map(|z| f64::from(*z)).collect();
        states.extend([4.0 + 6.0 * noise[8], 0.7 + width * (p / (1.0 - p)).ln()]);
        states.extend(noise[..8].iter().map(|z| var.sqrt() * z));
        let schools: f64 = noise[..8].iter().map(|z| log_normal(var.sqrt() * z, var)).sum();
        proposed.push(log_normal(6.0 * noise[8], 36.0) + (p * (1.0 - p) / width).ln() + schools);
    }
    let (values, known) = (schools.opened().target.values(&states).unwrap(), log_evidence());
    let weights: Vec<f64> = values.iter().zip(&proposed).map(|(a, b)| (a - b - known).exp()).collect();
    let mean = weights.iter().sum::<f64>() / COUNT as f64;
    let var = weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / COUNT as f64;
    let error = (var / COUNT as f64).sqrt();
    assert!(error < 0.02, "{error}");
    assert!((mean - 1.0).abs() < 4.5 * error, "{mean} ± {error}");
}

#[test]
fn a_model_without_threads_is_the_same_one_by_one() {
    let (Some(one), Some(many)) = (Schools::new(&["-DTHREADS=\"false\""]), Schools::new(&[])) else { return };
    let [one, many] = [one.opened(), many.opened()];
    assert!(one.remarks[0].contains("not compiled for threads"), "{:?}", one.remarks);
    let states: Vec<f64> = (0..400).map(|k| 0.01 * f64::from(k)).collect();
    let both = [&one, &many].map(|density| density.target.values_and_gradients(&states).unwrap());
    assert_eq!(both[0], both[1]);
}

#[test]
fn a_rejection_is_no_density_and_a_fault_ends_the_work() {
    let high = [5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let Some(rejecting) = Schools::new(&["-DREJECT"]) else { return };
    let density = rejecting.opened();
    let (values, gradients) = density.target.values_and_gradients(&high).unwrap();
    assert_eq!((values[0], gradients), (f64::NEG_INFINITY, vec![0.0; 10]));
    let remarks = check(density.target.as_ref(), &Rng::new(1)).unwrap();
    assert!(remarks[0].contains("−∞ at"), "{remarks:?}");
    let faulty = Schools::new(&["-DFAULT"]).unwrap();
    let density = faulty.opened();
    assert!(density.target.values(&[0.0; 10]).unwrap()[0].is_finite());
    let message = density.target.values(&high).unwrap_err().to_string();
    assert!(message.contains("index 9 out of range"), "{message}");
    assert!(check(density.target.as_ref(), &Rng::new(1)).is_err());
}

#[test]
fn a_wrong_gradient_is_found() {
    let Some(schools) = Schools::new(&["-DWRONG"]) else { return };
    let message = check(schools.opened().target.as_ref(), &Rng::new(1)).unwrap_err().to_string();
    assert!(message.contains("not the slope of ln ρ at"), "{message}");
}

#[test]
fn data_that_do_not_fit_are_refused() {
    let Some(schools) = Schools::new(&[]) else { return };
    let message = schools.refusal(None);
    assert!(message.contains("variable name=J") && message.contains("--data FILE.json"), "{message}");
    schools.write("short.json", "{\"J\": 8, \"y\": [1, 2], \"sigma\": [1]}");
    assert!(schools.refusal(Some("short.json")).contains("mismatch in dimension"));
    schools.write("broken.json", "{\"J\": 8,");
    assert!(schools.refusal(Some("broken.json")).contains("is no JSON"));
    schools.write("list.json", "[1, 2]");
    assert!(schools.refusal(Some("list.json")).contains("JSON without names"));
    assert!(schools.refusal(Some("not_there.json")).contains("cannot be read"));
}

#[test]
fn libraries_that_are_no_models_are_refused() {
    let (Some(old), Some(short)) = (Schools::new(&["-DMAJOR=1"]), Schools::new(&["-DSHORT"])) else { return };
    assert!(old.refusal(Some("data.json")).contains("compiled by BridgeStan 1 and not 2"));
    assert!(short.refusal(Some("data.json")).contains("it says it has 10 parameters, and names 9"));
    short.write("text.so", "no library");
    let message = open(&short.path("text.so"), None, &Context::default()).err().unwrap().to_string();
    assert!(message.contains("cannot be loaded as a shared library"), "{message}");
    // A sound library of something else.
    let other = Schools::new(&["-Dbs_major_version=another"]).unwrap();
    assert!(other.refusal(None).contains("has no bs_major_version"));
}
