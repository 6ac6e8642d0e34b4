//! Densities by name and from files: known values, known refusals.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use sbridge_run::Context;
use sbridge_run::densities::{BUILTIN, OpenDensity, open};

fn opened(target: &str, data: Option<&str>) -> OpenDensity {
    open(target, data, &Context::default()).unwrap_or_else(|error| panic!("{target}: {error}"))
}

fn refusal(target: &str, data: Option<&str>) -> String {
    let message = open(target, data, &Context::default()).err().unwrap().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

fn value(density: &OpenDensity, x: &[f64]) -> f64 {
    density.target.values(x).unwrap()[0]
}

#[track_caller]
fn assert_close(found: f64, known: f64, within: f64) {
    assert!((found - known).abs() <= within, "{found} and not {known} ± {within}");
}

/// A file of the shared data, if it is there.
fn shared(file: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(file);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path.display().to_string())
}

#[test]
fn names_have_the_values_of_the_literature() {
    // Six decimals are known.
    let close = |name: &str, x: &[f64], known: f64| assert_close(value(&opened(name, None), x), known, 1e-6);
    close("builtin:gmm9", &[1.0, 1.0], -6.164_462);
    let mut x = vec![0.5; 10];
    x[0] = 1.0;
    close("builtin:funnel", &x, -15.257_418);
    close("builtin:seeds", &[0.0; 26], -124.671_090);
    let mut x = vec![-0.1; 26];
    x[0] = 1.0;
    x[1..5].fill(0.1);
    close("builtin:seeds", &x, -111.116_512);
    close("builtin:brownian", &[0.0; 32], -38.143_808);
    close("builtin:brownian", &[-1.0; 32], -41.796_192);
}

#[test]
fn names_without_data_open_and_have_names_of_coordinates() {
    let with_data = ["ionosphere", "sonar", "credit", "credit-flat", "cancer", "lgcp"];
    for name in BUILTIN {
        let target = format!("builtin:{name}");
        if with_data.contains(&name) {
            let message = refusal(&target, None);
            assert!(message.contains("--data") && message.contains(name), "{message}");
            continue;
        }
        let density = opened(&target, None);
        assert_eq!(density.target.names().len(), density.target.dim(), "{name}");
        assert!(density.target.log_normaliser().is_some() && density.files.is_empty(), "{name}");
        assert!(refusal(&target, Some("x.csv")).contains("takes no data"));
    }
    assert_eq!(opened("builtin:seeds", None).target.names()[..2], ["log_tau", "a0"]);
    // The two of 40 Gaussians are different laws.
    let [a, b] = ["builtin:gmm40", "builtin:gmm40-42"].map(|name| opened(name, None));
    assert!(value(&a, &[0.0, 0.0]) != value(&b, &[0.0, 0.0]) && a.sha256() != b.sha256());
}

#[test]
fn double_wells_have_any_numbers() {
    let known = |name: &str| opened(name, None).target.log_normaliser().unwrap().0;
    for name in ["builtin:dw-5-5-4", "builtin:dw(5,5,4)", "builtin:dw(5, 5, 4)", "builtin:DW_5_5_4"] {
        assert_close(known(name), -0.541_056, 1e-6);
    }
    assert_close(known("builtin:dw-50-5-2"), 42.817_243, 1e-6);
    assert_close(known("builtin:dw-1-1-2"), 0.293_002, 1e-6);
    for (name, word) in [
        ("builtin:dw-5-5", "three numbers"),
        ("builtin:dw-5-6-4", "of these 1 or more"),
        ("builtin:dw-5-x-4", "no number"),
        ("builtin:dw-5-5-0.1", "separation in [1, 100]"),
        ("builtin:dw-5-5-nan", "separation in [1, 100]"),
    ] {
        assert!(refusal(name, None).contains(word), "{name}");
    }
}

#[test]
fn slips_are_answered_with_the_nearest() {
    assert!(refusal("builtin:gmm8", None).contains("did you mean builtin:gmm9?"));
    assert!(refusal("builtin:funel", None).contains("did you mean builtin:funnel?"));
    assert!(!refusal("builtin:zebra", None).contains("did you mean"));
    assert!(refusal("gmm9", None).contains("did you mean builtin:gmm9?"));
    assert!(refusal("model.stan", None).contains("model_model.so"));
    assert!(refusal("points.csv", None).contains("names no density"));
    assert!(refusal("not_there.toml", None).contains("cannot be read"));
}

#[test]
fn credit_has_its_values_and_its_reference() {
    let Some(file) = shared("logreg/german.data-numeric") else { return };
    for (name, at_zero, at_tenth, known) in [
        ("builtin:credit-flat", -693.147_181, -3_557.139_399, -504.487),
        ("builtin:credit", -773.685_271, -3_637.678_739, -585.097),
    ] {
        let density = opened(name, Some(&file));
        assert_close(value(&density, &[0.0; 25]), at_zero, 1e-6); // six decimals
        assert_close(value(&density, &[0.1; 25]), at_tenth, 1e-6);
        assert_eq!(density.target.log_normaliser().unwrap().0, known);
        assert!(density.files.len() == 1 && density.files[0].sha256.len() == 64);
        assert_eq!(density.target.names()[..2], ["intercept", "w1"]);
    }
    // One outcome the other way round: another posterior, of which nothing is known.
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.data-numeric");
    let text = fs::read_to_string(&file).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    fs::write(&other, format!("{} 2\n{rest}", first.trim_end().trim_end_matches('1'))).unwrap();
    let density = opened("builtin:credit", Some(other.to_str().unwrap()));
    assert!(density.target.log_normaliser().is_none());
    assert!(density.remarks[0].contains("does not hold the data"), "{:?}", density.remarks);
    assert!(refusal("builtin:sonar", Some(&file)).contains("208 rows of 60 features, got 1000 of 24"));
}

#[test]
fn ionosphere_and_sonar_have_their_references() {
    for (name, dim, known) in [("ionosphere", 35, -111.59), ("sonar", 61, -108.38)] {
        let Some(file) = shared(&format!("logreg/{name}.npz")) else { return };
        let density = opened(&format!("builtin:{name}"), Some(&file));
        assert_eq!(density.target.dim(), dim);
        // At 0 every outcome has ln ½, and every weight the normal density of 0.
        let count = if name == "sonar" { 208.0 } else { 351.0 };
        let at_zero = -count * 2f64.ln() - 0.5 * dim as f64 * std::f64::consts::TAU.ln();
        assert_close(value(&density, &vec![0.0; dim]), at_zero, 1e-9); // rounding
        assert_eq!(density.target.log_normaliser().map(|(value, _)| value), Some(known));
    }
}

#[test]
fn pines_have_their_values_and_their_reference() {
    let Some(file) = shared("pines/fpines.csv") else { return };
    let density = opened("builtin:lgcp", Some(&file));
    let mean = 126f64.ln() - 0.955;
    assert_close(value(&density, &[mean; 1600]), -1_255.451_94, 1e-4); // five decimals
    let slope = |k: usize| mean + 0.05 * ((k / 40) as f64 - 2.0 * (k % 40) as f64);
    let field: Vec<f64> = (0..1600).map(slope).collect();
    assert_close(value(&density, &field), -1_513.827_27, 1e-4);
    assert_eq!(density.target.log_normaliser(), Some((501.76, 0.03)));
    assert_eq!(density.target.names()[41], "f.2.2");
    // The first of them twice: other data.
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.csv");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&other, format!("{text}\"127\",0.3006125,0.89297642\n")).unwrap();
    let other = opened("builtin:lgcp", Some(other.to_str().unwrap()));
    // Only a copy in another unit of length has a known ln Z of 512.45.
    assert!(other.target.log_normaliser().is_none_or(|known| known.0 != 501.76));
}

#[test]
fn a_grid_of_other_size_is_the_same_process_by_hand() {
    let folder = Folder::new();
    folder.write("points.csv", "x,y\n0.1,0.2\n0.9,0.3\n0.95,0.1\n");
    let toml = "kind = \"log-gaussian-cox\"\npoints = \"points.csv\"\ngrid = 2\nmean = 0.5\nvariance = 2.0\n\
                length_scale = 0.5\n";
    let density = folder.opened(toml);
    // Neighbours lie half a side apart: correlation 1/e; corners opposite, e^{−√2}. Of a field that is constant C⁻¹ is the
    // reciprocal of the row sum; ln det C from the characters of the square.
    let (a, b) = ((-1f64).exp(), (-(2f64.sqrt())).exp());
    let eigenvalues = [1.0 + 2.0 * a + b, 1.0 - 2.0 * a + b, 1.0 - b, 1.0 - b].map(|x| 2.0 * x);
    let log_det: f64 = eigenvalues.iter().map(|x| x.ln()).sum();
    let (level, shift) = (0.8f64, 0.3f64);
    let quadratic = 4.0 * shift * shift / eigenvalues[0];
    let prior = -0.5 * (quadratic + log_det + 4.0 * std::f64::consts::TAU.ln());
    let known = prior + 3.0 * level - level.exp();
    assert_close(value(&density, &[level; 4]), known, 1e-12); // rounding
    // Two points lie in the cell of the second row and the first column.
    let raised = value(&density, &[0.8, 0.8, 0.8 + 1e-6, 0.8]) - value(&density, &[0.8; 4]);
    let lowered = value(&density, &[0.8, 0.8 + 1e-6, 0.8, 0.8]) - value(&density, &[0.8; 4]);
    assert_close((raised - lowered) / 1e-6, 2.0, 1e-6); // rounding over the step
}

#[test]
fn a_regression_of_a_file_is_the_sum_by_hand() {
    let folder = Folder::new();
    folder.write("t.csv", "age,bought,income\n1,0,10\n2,1,30\n3,1,20\n4,0,40\n");
    let density = folder.opened(
        "kind = \"logistic-regression\"\ndata = \"t.csv\"\nlabel = \"bought\"\nprior_sd = 2\nstandardise = false\n",
    );
    assert_eq!(density.target.names(), ["intercept", "age", "income"]);
    let weights = [0.3, -0.2, 0.05];
    let rows = [
        ([1.0, 1.0, 10.0], false),
        ([1.0, 2.0, 30.0], true),
        ([1.0, 3.0, 20.0], true),
        ([1.0, 4.0, 40.0], false),
    ];
    let prior: f64 = weights.iter().map(|w| -0.5 * (w * w / 4.0 + (8.0 * std::f64::consts::PI).ln())).sum();
    let likelihood: f64 = rows
        .iter()
        .map(|(x, is_one)| {
            let logit: f64 = x.iter().zip(weights).map(|(x, w)| x * w).sum();
            let chance = 1.0 / (1.0 + (-logit).exp());
            if *is_one { chance.ln() } else { (1.0 - chance).ln() }
        })
        .sum();
    assert_close(value(&density, &weights), prior + likelihood, 1e-12); // rounding
    let digests: Vec<&str> = density.files.iter().map(|file| file.sha256.as_str()).collect();
    assert!(digests.len() == 2 && digests[0] != digests[1]);
    // Some of the columns, standardised, without intercept: ages are ∓1.5 and ∓0.5 of their spread √1.25.
    let density = folder.opened(
        "kind = \"logistic-regression\"\ndata = \"t.csv\"\nlabel = \"bought\"\nfeatures = [\"age\"]\nprior = \"flat\"\n\
         intercept = false\n",
    );
    let margin = |x: f64| -(-x / 1.25f64.sqrt()).exp().ln_1p();
    let known = margin(1.5) + margin(-0.5) + margin(0.5) + margin(-1.5);
    assert_close(value(&density, &[1.0]), known, 1e-12);
}

#[test]
fn a_mixture_of_a_file_is_the_sum_by_hand() {
    let folder = Folder::new();
    let density = folder.opened(
        "kind = \"gaussian-mixture\"\nmeans = [[0.0, 0.0], [20.0, 0.0]]\nweights = [3, 1]\n\
         covariances = [[[1.0, 0.5], [0.5, 2.0]], [[1.0, 0.0], [0.0, 1.0]]]\n",
    );
    // Of the first: det 1.75, inverse [[2, −½], [−½, 1]]/1.75; the second is e^{−180} there.
    let (x, y) = (0.7, -0.4);
    let quadratic = (2.0 * x * x - x * y + y * y) / 1.75;
    let known = 0.75f64.ln() - 0.5 * quadratic - 0.5 * 1.75f64.ln() - std::f64::consts::TAU.ln();
    assert_close(value(&density, &[x, y]), known, 1e-12); // rounding
    assert_eq!(density.target.modes().unwrap().shares, [0.75, 0.25]);
    // Gaussians that overlap are no modes.
    let near = "kind = \"gaussian-mixture\"\nmeans = [[0.0], [2.0]]\nsd = 1\n";
    assert!(folder.opened(near).target.modes().is_none());
}

#[test]
fn files_that_say_something_else_are_refused_with_words() {
    let folder = Folder::new();
    folder.write("t.csv", "a,b,y\n1,2,0\n2,1,1\n3,3,0\n");
    folder.write("three.csv", "a,b\n1,0\n2,1\n3,2\n");
    folder.write("wide.csv", "a,b,c\n0.1,0.2,0.3\n0.4,0.5,0.6\n");
    folder.write("far.csv", "x,y\n1,0\n2,1\n");
    let logistic = "kind = \"logistic-regression\"\ndata = \"t.csv\"\n";
    for (text, word) in [
        ("", "has to say kind"),
        ("kind = \"logistic\"", "has to say kind"),
        ("kind = logistic", "does not parse as TOML in line 1"),
        ("kind = \"logistic-regression\"\nprior_sd = 1\n", "has to say data"),
        (logistic, "has to say prior_sd"),
        (&format!("{logistic}prior_sd = 0\n"), "above zero"),
        (&format!("{logistic}prior = \"normal\"\n"), "can be \"flat\""),
        (&format!("{logistic}prior_sd = 1\nstandardize = true\n"), "standardize"),
        (&format!("{logistic}prior_sd = 1\nlabel = \"z\"\n"), "has no column z"),
        (&format!("{logistic}prior_sd = 1\nlabel = \"a\"\n"), "has labels besides a"),
        (&format!("{logistic}prior_sd = 1\nfeatures = [\"c\"]\n"), "has no column c"),
        ("kind = \"logistic-regression\"\ndata = \"three.csv\"\nprior_sd = 1\n", "outcomes have two values"),
        ("kind = \"logistic-regression\"\ndata = \"not.csv\"\nprior_sd = 1\n", "no such file"),
        ("kind = \"log-gaussian-cox\"\npoints = \"far.csv\"\n", "unit square"),
        ("kind = \"log-gaussian-cox\"\npoints = \"wide.csv\"\n", "points of the plane"),
        ("kind = \"gaussian-mixture\"\nmeans = []\nsd = 1\n", "means"),
        ("kind = \"gaussian-mixture\"\nmeans = [[1.0], [2.0, 3.0]]\nsd = 1\n", "means"),
        ("kind = \"gaussian-mixture\"\nmeans = [[1.0]]\n", "has to say sd"),
        ("kind = \"gaussian-mixture\"\nmeans = [[1.0]]\nsd = -1\n", "above zero"),
        ("kind = \"gaussian-mixture\"\nmeans = [[1.0]]\nsd = [1, 2]\n", "or 1 of them"),
        ("kind = \"gaussian-mixture\"\nmeans = [[1.0]]\nsd = 1\nweights = [0]\n", "above zero"),
        ("kind = \"gaussian-mixture\"\nmeans = [[1.0]]\nsd = 1\nweights = [1, 1]\n", "weights"),
        (
            "kind = \"gaussian-mixture\"\nmeans = [[0.0, 0.0]]\ncovariances = [[[1, 2], [2, 1]]]\n",
            "positive definite",
        ),
        (
            "kind = \"gaussian-mixture\"\nmeans = [[0.0, 0.0]]\ncovariances = [[[1, 2], [0, 1]]]\n",
            "symmetric",
        ),
        ("kind = \"gaussian-mixture\"\nmeans = [[0.0, 0.0]]\ncovariances = [[[1, 2]]]\n", "covarianc"),
    ] {
        let message = refusal(&folder.write("d.toml", text), None);
        assert!(message.contains(word), "{text}\n{message}");
    }
    let smooth = "kind = \"log-gaussian-cox\"\ngrid = 65\n";
    let points = folder.write("p.csv", "x,y\n0.1,0.2\n");
    assert!(refusal(&folder.write("d.toml", smooth), Some(&points)).contains("at most 64"));
    let both = folder.write("d.toml", &format!("{logistic}prior_sd = 1\n"));
    assert!(refusal(&both, Some("t.csv")).contains("leave one of them out"));
}

/// A folder with files of a test.
struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn opened(&self, text: &str) -> OpenDensity {
        opened(&self.write("density.toml", text), None)
    }
}
