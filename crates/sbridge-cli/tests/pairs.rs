//! Bridges between two data sets, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::sbridge;
use predicates::prelude::*;
use predicates::str::contains;

const SOURCE: &str = "builtin:moons?n=400";
const TARGET: &str = "builtin:8gaussians?n=300";

/// Settings that train networks for a second.
const FEW_STEPS: &[&str] = &[
    "--set",
    "networks.half_bridges=2",
    "--set",
    "networks.fit.steps=30",
    "--set",
    "networks.fit.batch_size=32",
    "--set",
    "networks.steps=5",
    "--set",
    "networks.net.mlp.width=16",
    "--set",
    "networks.cache.rows=64",
];

/// A fit of little work.
fn fit(out: &Path) -> Command {
    let mut command = sbridge();
    command.args(["fit", "light-sb", "--source", SOURCE, "--target", TARGET, "--set", "light_sb.steps=300"]);
    command.arg("--out").arg(out);
    command
}

fn carry(run: &Path, out: &Path) -> Command {
    let mut command = sbridge();
    command.arg("transport").arg(run).args(["--input", SOURCE, "--out"]).arg(out);
    command
}

#[test]
fn a_bridge_is_fitted_judged_reported_and_used_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit(&run)
        .assert()
        .success()
        .stdout(contains("carried").and(contains("floor")))
        .stderr(contains("epsilon 0.4"));
    for file in [
        "config.toml",
        "manifest.json",
        "bridge.safetensors",
        "metrics.jsonl",
        "evaluation.json",
        "report.html",
    ] {
        assert!(fs::metadata(run.join(file)).unwrap().len() > 0, "{file}");
    }
    let found: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("evaluation.json")).unwrap()).unwrap();
    for end in found["ends"].as_array().unwrap() {
        let energy = |row: &str| end[row]["energy"].as_f64().unwrap();
        // Even a short fit covers most of the way; thirty points are enough to see that.
        assert!(energy("carried") < 0.3 * energy("untouched"), "{end}");
    }
    // Drift and ends of light-sb are one formula: 32 paths from each of 30 rows leave a few per cent of noise.
    assert!(found["mean_gap"].as_f64().unwrap() < 0.1, "{}", found["mean_gap"]);
    let names = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("events.out.tfevents.")).count(), 1);
    let (ends, paths) = (folder.path().join("y.npy"), folder.path().join("p.npy"));
    carry(&run, &ends).args(["--draws", "2"]).assert().success().stdout(contains("800 samples"));
    assert_eq!(sbridge_data::load(ends.to_str().unwrap()).unwrap().len(), 800);
    carry(&run, &ends).arg("--paths").arg(&paths).assert().success();
    let header = fs::read(&paths).unwrap();
    assert!(String::from_utf8_lossy(&header[..128]).contains("(101, 400, 2"));
    carry(&run, &ends).args(["--direction", "backward"]).assert().success();
    fs::remove_file(run.join("report.html")).unwrap();
    sbridge().arg("report").arg(&run).assert().success();
    assert!(fs::read_to_string(run.join("report.html")).unwrap().contains("Paths from source to target"));
    sbridge().arg("eval").arg(&run).arg("--json").assert().success().stdout(contains("\"entropic_cost\""));
}

#[test]
fn draws_stream_to_the_file_and_never_over_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let [run, input, ends] = ["run", "x.npy", "y.npy"].map(|name| folder.path().join(name));
    fit(&run).assert().success();
    sbridge_data::write_npy(&input, &[0.5, 0.25, -0.5, 0.0, 1.0, 0.5], &[3, 2]).unwrap();
    let transport = |out: &Path, more: &[&str]| {
        let mut command = sbridge();
        command.arg("transport").arg(&run).arg("--input").arg(&input).arg("--out").arg(out).args(more);
        command.assert()
    };
    let means = |more: &[&str]| -> Vec<f32> {
        transport(&ends, more).success();
        let carried = sbridge_data::load(ends.to_str().unwrap()).unwrap();
        let draws = carried.len() / 3;
        (0..6).map(|k| carried.values().iter().skip(k).step_by(6).sum::<f32>() / draws as f32).collect()
    };
    // More than one block of draws: all samples once, then again.
    let drawn = means(&["--draws", "300000"]);
    let (averaged, worked_out) = (means(&["--mean", "--draws", "20000"]), means(&["--mean"]));
    for ((drawn, averaged), worked_out) in drawn.iter().zip(&averaged).zip(&worked_out) {
        // Ends have a spread of about 3: five standard errors of 20,000 draws are 0.11, sums in f32 another 0.01.
        assert!((averaged - worked_out).abs() < 0.12 && (drawn - worked_out).abs() < 0.05);
    }
    transport(&input, &[]).code(2).stderr(contains("would be written over"));
    let far_too_many = ["--draws", "100000000000"];
    transport(&ends, &far_too_many).code(2).stderr(contains("would take 2400.0 GB"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn networks_join_two_sets_with_every_method() {
    let folder = tempfile::tempdir().unwrap();
    for method in ["light-sb-m", "dsbm", "sf2m", "dsb", "sdsb", "sgm"] {
        let (run, ends) = (folder.path().join(method), folder.path().join(format!("{method}.npy")));
        let mut command = sbridge();
        command
            .args(["fit", method, "--source", SOURCE, "--target", TARGET, "--out"])
            .arg(&run)
            .args(FEW_STEPS);
        command
            .assert()
            .success()
            .stdout(contains("carried").and(contains("floor")))
            .stderr(contains("about"));
        let found = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        assert!(found.contains("\"coupling_cost\"") && found.contains("backward-1"), "{method}");
        assert!(!run.join("checkpoints/backward-1.safetensors").exists(), "{method}");
        carry(&run, &ends).assert().success().stdout(contains("400 samples"));
        carry(&run, &ends).args(["--direction", "backward", "--time", "0.33"]).assert().success();
        sbridge().arg("report").arg(&run).assert().success();
        let finished = fs::read(run.join("bridge.safetensors")).unwrap();
        sbridge().args(["fit", method, "--resume"]).arg(&run).assert().success();
        assert_eq!(fs::read(run.join("bridge.safetensors")).unwrap(), finished, "{method}");
        sbridge()
            .args(["fit", "light-sb", "--resume"])
            .arg(&run)
            .assert()
            .code(2)
            .stderr(contains("not light-sb"));
    }
}

#[test]
fn images_are_joined_by_a_network_of_images() {
    let folder = tempfile::tempdir().unwrap();
    let (run, images) = (folder.path().join("run"), folder.path().join("images.npy"));
    common::write_images(&images, 120);
    let mut command = sbridge();
    command
        .args(["fit", "dsbm", "--source"])
        .arg(&images)
        .arg("--target")
        .arg(&images)
        .arg("--out")
        .arg(&run);
    command.args(FEW_STEPS).args(["--set", "networks.net.unet.width=8"]).assert().success();
    let picture = folder.path().join("y.png");
    let mut command = sbridge();
    command.arg("transport").arg(&run).arg("--input").arg(&images).arg("--out").arg(&picture);
    command.assert().success().stdout(contains("120 samples"));
}

#[test]
fn an_epsilon_far_from_the_data_is_said_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str, epsilon: &str, words: &str| {
        fit(&folder.path().join(name))
            .args(["--epsilon", epsilon])
            .assert()
            .success()
            .stderr(contains(words));
    };
    said("small", "1e-5", "is tiny beside the spread of the cost");
    said("large", "1000", "paths forget where they started");
}

#[test]
fn the_way_between_starts_at_the_source_and_ends_at_the_target() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (folder.path().join("run"), folder.path().join("x.npy"));
    fit(&run).assert().success();
    let at = |time: &str| {
        carry(&run, &out).args(["--time", time]).assert().success();
        sbridge_data::load(out.to_str().unwrap()).unwrap()
    };
    let source = sbridge_data::load(SOURCE).unwrap();
    assert_eq!(at("0").values(), source.values());
    // Half-way, points lie between their ends give or take √(ε/4) = 0.3, and eight clusters are still half of theirs.
    let spread = |data: &sbridge_data::Dataset| data.values().iter().map(|x| f64::from(x * x)).sum::<f64>();
    let (middle, end) = (at("0.5"), at("1"));
    assert!(spread(&source) < spread(&middle) && spread(&middle) < spread(&end));
    carry(&run, &out)
        .args(["--time", "1.5"])
        .assert()
        .code(2)
        .stderr(contains("--time must be in [0, 1], got 1.5"));
}

#[test]
fn the_same_seed_carries_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let ends = |name: &str, seed: &str| {
        let (run, out) = (folder.path().join(name), folder.path().join(format!("{name}.npy")));
        fit(&run).args(["--seed", seed]).assert().success();
        carry(&run, &out).assert().success();
        fs::read(out).unwrap()
    };
    let first = ends("a", "1");
    assert_eq!(first, ends("b", "1"));
    assert_ne!(first, ends("c", "2"));
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let refused = |arguments: &[&str], message: &str| {
        let mut command = sbridge();
        command.args(["fit", "light-sb", "--out"]).arg(&out).args(arguments);
        command.assert().code(2).stderr(contains(message));
        assert!(!out.exists(), "{arguments:?}");
    };
    refused(&["--target", TARGET], "no source (give --source DATA)");
    refused(&["--source", SOURCE, "--target", "builtin:digits?n=50"], "compare data of one shape");
    refused(&["--source", "builtin:moons?n=10", "--target", TARGET], "at least 16 are needed");
    refused(&["--source", SOURCE, "--target", TARGET, "--epsilon", "0"], "finite number > 0, or auto");
    let both = |rest: &[&'static str]| [&["--source", SOURCE, "--target", TARGET], rest].concat();
    refused(&both(&["--epsilon", "-1"]), "finite number > 0, or auto");
    refused(&both(&["--epsilon", "1e300"]), "which is no bridge at all");
    refused(&both(&["--epsilon", "1e-300"]), "which is exact transport to all digits");
    refused(&both(&["--hold-out", "3"]), "cannot be used with");
    refused(&both(&["--set", "light_sb.batch_size=100000000000"]), "at most 1048576");
    refused(&both(&["--set", "light_sb.components=5.5"]), "expected a whole number");
    refused(
        &["--source", SOURCE, "--target", TARGET, "--set", "light_sb.k=3"],
        "there is no setting light_sb.k",
    );
    refused(
        &["--source", SOURCE, "--target", TARGET, "--set", "light_sb.components=0"],
        "light_sb.components",
    );
}

#[test]
fn networks_larger_than_memory_and_settings_of_other_methods_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |method: &str, setting: &str, message: &str| {
        let mut command = sbridge();
        command.args(["fit", method, "--source", SOURCE, "--target", TARGET, "--set", setting, "--out"]);
        command.arg(folder.path().join("run")).assert().code(2).stderr(contains(message));
    };
    refused("dsbm", "networks.net.mlp.width=60000", "width × width × layers is at most");
    refused("dsbm", "networks.net.mlp.width=10000000", "networks.net.mlp.width must be at most 65536");
    refused("dsbm", "networks.fit.batch_size=1000000000000", "at most 1048576");
    refused("dsbm", "networks.fit.patience=3", "networks.fit.patience must be 0");
    refused("dsb", "networks.start=\"entropic\"", "\"reference\" with this target");
}

#[test]
fn proportional_fitting_in_too_few_half_bridges_is_said_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = sbridge();
    command.args(["fit", "dsb", "--source", SOURCE, "--target", TARGET, "--epsilon", "0.5"]).args(FEW_STEPS);
    command.arg("--out").arg(folder.path().join("run"));
    command.assert().success().stderr(contains("is small for proportional fitting in 2 half-bridges"));
}

#[test]
fn a_bridge_of_one_step_is_a_bridge() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit(&run).args(["--set", "light_sb.steps=1"]).assert().success();
    carry(&run, &folder.path().join("x.npy")).assert().success();
}

#[test]
fn without_samples_set_aside_halves_of_the_training_samples_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit(&run)
        .args(["--set", "output.held_out=0"])
        .assert()
        .success()
        .stdout(contains("forward, 150 training samples"));
    let found: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("evaluation.json")).unwrap()).unwrap();
    // Of 150 points against 150 others of this law it is about 1; against themselves it would be 0.
    assert!(found["ends"][0]["floor"]["w2"].as_f64().unwrap() > 0.1, "{found}");
}

#[test]
fn a_fit_that_did_not_end_carries_nothing_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (folder.path().join("run"), folder.path().join("x.npy"));
    fit(&run).assert().success();
    common::interrupt(&run);
    carry(&run, &out).assert().code(2).stderr(contains("fit light-sb --resume"));
    assert!(!out.exists());
}

#[test]
fn draws_beyond_memory_and_one_name_for_two_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (folder.path().join("run"), folder.path().join("x.npy"));
    fit(&run).assert().success();
    carry(&run, &out)
        .args(["--draws", "100000000000"])
        .assert()
        .code(2)
        .stderr(contains("ask for fewer samples"));
    carry(&run, &out).arg("--paths").arg(&out).assert().code(2).stderr(contains("choose another name"));
}

#[test]
fn runs_of_one_method_are_not_read_as_another() {
    let folder = tempfile::tempdir().unwrap();
    let (pair, latent) = (folder.path().join("pair"), folder.path().join("latent"));
    fit(&pair).assert().success();
    let mut sample = sbridge();
    sample.arg("sample").arg(&pair).arg("--out").arg(folder.path().join("x.npy"));
    sample.assert().code(2).stderr(contains(
        "is a run of method \"light-sb\", which does not generate samples (use sbridge transport",
    ));
    common::fit_moons(&latent).assert().success();
    carry(&latent, &folder.path().join("y.npy"))
        .assert()
        .code(2)
        .stderr(contains("which does not carry samples (use sbridge sample"));
    let mut predict = sbridge();
    predict.args(["forecast", "predict"]).arg(&pair).arg("--out").arg(folder.path().join("y.csv"));
    predict.assert().code(2).stderr(contains("which does not forecast (use sbridge transport"));
    let mut resume = sbridge();
    resume.args(["fit", "latent", "--resume"]).arg(&pair);
    resume.assert().code(2).stderr(contains("not latent (continue it with: sbridge fit light-sb --resume"));
    let wrong = folder.path().join("y.txt");
    carry(&pair, &wrong).assert().code(2).stderr(contains(".npy, .csv or .png"));
    let mut other = sbridge();
    other.arg("transport").arg(&pair).args(["--input", "builtin:digits?n=20", "--out", "y.npy"]);
    other.assert().code(2).stderr(contains("give data of one shape"));
    fit(&pair).assert().code(2).stderr(contains("holds a run already"));
}

#[test]
fn clouds_a_million_from_zero_keep_their_digits() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Spread 0.01 about a million, four hundredths apart: f32 has steps of a sixteenth there.
    for (name, centre, seed) in [("a.npy", 1e6, 1), ("b.npy", 1e6 + 0.04, 2)] {
        let mut noise = vec![0f32; 800];
        sbridge::Rng::new(seed).fill_normal(&mut noise);
        let cloud: Vec<f64> = noise.iter().map(|x| centre + 0.01 * f64::from(*x)).collect();
        sbridge_data::write_npy_f64(path(name), &cloud, &[400, 2]).unwrap();
    }
    let (run, out) = (path("run"), path("y.npy"));
    let mut command = sbridge();
    command.args(["fit", "light-sb", "--set", "light_sb.steps=200", "--source"]).arg(path("a.npy"));
    command.arg("--target").arg(path("b.npy")).arg("--out").arg(&run);
    command.assert().success().stderr(contains("counted from their mean"));
    let mut command = sbridge();
    command.arg("transport").arg(&run).arg("--input").arg(path("a.npy")).arg("--out").arg(&out);
    command.assert().success();
    let ends = sbridge_data::load(out.to_str().unwrap()).unwrap();
    let from = |x: &f64| x - 1e6;
    let mean = ends.values_f64().iter().map(from).sum::<f64>() / 800.0;
    let std = (ends.values_f64().iter().map(|x| (from(x) - mean).powi(2)).sum::<f64>() / 800.0).sqrt();
    // 800 values of deviation 0.01 have a mean that is off by 0.00035; a short fit is off by more, and far from a sixteenth.
    assert!((mean - 0.04).abs() < 0.003 && (std - 0.01).abs() < 0.003, "{mean} {std}");
}

#[test]
fn images_of_other_sides_are_not_joined() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let values: Vec<f32> = (0..40 * 384).map(|k| (k % 251) as f32).collect();
    sbridge_data::write_npy(path("a.npy"), &values, &[40, 24, 16]).unwrap();
    sbridge_data::write_npy(path("b.npy"), &values, &[40, 16, 24]).unwrap();
    let mut command = sbridge();
    command.args(["fit", "light-sb", "--source"]).arg(path("a.npy")).arg("--target").arg(path("b.npy"));
    command.arg("--out").arg(path("run"));
    command.assert().code(2).stderr(contains("1×24×16 image").and(contains("1×16×24 image")));
}

/// 2000 points whose axes have the given standard deviations.
fn write_normal(path: &Path, spreads: &[f32], seed: u64) {
    let mut values = vec![0f32; 2000 * spreads.len()];
    sbridge::Rng::new(seed).fill_normal(&mut values);
    values
        .chunks_exact_mut(spreads.len())
        .for_each(|row| row.iter_mut().zip(spreads).for_each(|(x, s)| *x *= s));
    sbridge_data::write_npy(path, &values, &[2000, spreads.len()]).unwrap();
}

/// Variance half-way of the bridge on a line between N(0, a) and N(0, b): cov² + ε cov = ab.
fn variance_half_way(a: f64, b: f64, epsilon: f64) -> f64 {
    let covariance = 0.5 * ((4.0 * a * b + epsilon * epsilon).sqrt() - epsilon);
    0.25 * (a + b + 2.0 * covariance) + 0.25 * epsilon
}

#[test]
fn a_scaled_reference_moves_every_axis_by_one_share_of_its_variance() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_normal(&path("a.npy"), &[50.0, 0.5], 1);
    write_normal(&path("b.npy"), &[70.0, 0.4], 2);
    let half_way = |run: &str, options: &[&str]| {
        let mut fit = sbridge();
        fit.args(["fit", "light-sb", "--set", "light_sb.components=1", "--set", "light_sb.steps=1000"]);
        fit.args(options).arg("--source").arg(path("a.npy")).arg("--target").arg(path("b.npy"));
        fit.arg("--out").arg(path(run)).assert().success();
        let (out, mut carry) = (path(&format!("{run}.npy")), sbridge());
        carry
            .arg("transport")
            .arg(path(run))
            .arg("--input")
            .arg(path("a.npy"))
            .args(["--time", "0.5", "--out"]);
        carry.arg(&out).assert().success();
        let states = sbridge_data::load(out.to_str().unwrap()).unwrap();
        let axis = |k: usize| states.values().iter().skip(k).step_by(2).map(|x| f64::from(*x).powi(2));
        [0, 1].map(|k| axis(k).sum::<f64>() / states.len() as f64)
    };
    // 4.5 standard errors of a variance of 2000 points, at both ends and half-way, are 0.14 each; and the fit.
    let known = |[a, b]: [f64; 2], share: f64| variance_half_way(a * a, b * b, share * 0.5 * (a * a + b * b));
    let expected = [known([50.0, 70.0], 0.5), known([0.5, 0.4], 0.5)];
    let error = |found: [f64; 2], k: usize| (found[k] / expected[k] - 1.0).abs();
    for reference in ["scaled", "covariance"] {
        let found = half_way(reference, &["--reference", reference, "--epsilon", "0.5"]);
        assert!(error(found, 0) < 0.2 && error(found, 1) < 0.2, "{reference}: {found:?} for {expected:?}");
        let config = fs::read_to_string(path(reference).join("config.toml")).unwrap();
        assert!(config.contains(&format!("reference = \"{reference}\"")), "{config}");
        let report = fs::read_to_string(path(reference).join("report.html")).unwrap();
        assert!(report.contains("in variances of"), "{reference}");
    }
    // The same noise in both axes, as much as half the wide one's variance, drowns the narrow one.
    let found = half_way("isotropic", &["--epsilon", "1850"]);
    assert!(error(found, 0) < 0.2 && error(found, 1) > 100.0, "{found:?} for {expected:?}");
}

#[test]
fn every_method_takes_a_scaled_reference_and_codes_take_none() {
    let folder = tempfile::tempdir().unwrap();
    for method in ["light-sb-m", "dsbm", "sf2m", "dsb", "sdsb", "sgm"] {
        let mut command = sbridge();
        command.args(["fit", method, "--source", SOURCE, "--target", TARGET, "--reference", "covariance"]);
        command.args(FEW_STEPS).arg("--out").arg(folder.path().join(method)).assert().success();
        carry(&folder.path().join(method), &folder.path().join(format!("{method}.npy"))).assert().success();
    }
    let mut command = sbridge();
    command.args([
        "fit",
        "light-sb",
        "--source",
        SOURCE,
        "--target",
        TARGET,
        "--set",
        "reference=\"scaled\"",
    ]);
    command.args(["--latent", "1", "--out"]).arg(folder.path().join("codes"));
    command.assert().code(2).stderr(contains("reference must be \"isotropic\" where codes are joined"));
}
