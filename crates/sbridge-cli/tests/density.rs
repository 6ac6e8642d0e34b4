//! Samplers of densities, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{interrupt, sbridge};
use predicates::prelude::*;
use predicates::str::contains;

/// Little work: a fit of about a second.
const TINY: &[&str] = &["fit.steps=40", "fit.batch_size=64", "sampler.steps=20", "output.samples=400"];

fn fit(out: &Path, options: &[&str], sets: &[&str]) -> Command {
    let mut command = sbridge();
    command.args(["fit", "density", "--out"]).arg(out).args(options);
    for set in sets {
        command.args(["--set", set]);
    }
    command
}

fn evaluation(run: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(run.join("evaluation.json")).unwrap()).unwrap()
}

fn row<'a>(found: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    found["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()
}

#[test]
fn nine_gaussians_are_learned_judged_drawn_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let enough = ["fit.steps=250", "fit.batch_size=256", "sampler.steps=60", "output.samples=2000"];
    fit(&run, &["--target", "builtin:gmm9", "--compare", "smc,laplace"], &enough).assert().success().stdout(
        contains("nine Gaussians in the plane, 2 dimensions")
            .and(contains("ln Z is known: 0.000, exactly"))
            .and(contains("exact draws"))
            .and(contains("laplace"))
            .and(contains("Nothing speaks against these draws")),
    );
    let found = evaluation(&run);
    let sampler = row(&found, "dds");
    let [log_z, error] = [0, 1].map(|k| sampler["log_z"][k].as_f64().unwrap());
    // Four standard errors, and what is asked of a short training.
    assert!(log_z.abs() < 4.0 * error + 0.02, "{sampler}");
    assert_eq!(sampler["draws"]["modes"], serde_json::json!([9, 9]), "{sampler}");
    assert!(sampler["elbo"].as_f64().unwrap() < 0.0 && sampler["eubo"].as_f64().unwrap() > 0.0, "{sampler}");
    for file in
        ["density.safetensors", "baseline-smc.safetensors", "samples.npy", "density.png", "report.html"]
    {
        assert!(fs::metadata(run.join(file)).unwrap().len() > 0, "{file}");
    }
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    for words in ["What was found", "Marginals", "The tail of the weights has the shape", "On the way"] {
        assert!(report.contains(words), "{words}");
    }
    let draw = |name: &str, options: &[&str]| {
        let out = folder.path().join(name);
        sbridge()
            .arg("sample")
            .arg(&run)
            .args(["-n", "300", "--out"])
            .arg(&out)
            .args(options)
            .assert()
            .success();
        fs::read(out).unwrap()
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let plain = text(draw("x.csv", &[]));
    assert!(plain.starts_with("x1,x2\n") && plain.lines().count() == 301, "{plain:.80}");
    assert_eq!(plain, text(draw("again.csv", &[])));
    assert_ne!(plain, text(draw("other.csv", &["--seed", "7"])));
    let weighted = text(draw("w.csv", &["--weights"]));
    assert!(weighted.starts_with("x1,x2,log_weight\n"), "{weighted:.80}");
    let resampled = text(draw("r.csv", &["--resample"]));
    assert!(resampled.lines().skip(1).all(|line| plain.contains(line)), "other draws than those weighed");
    assert_ne!(resampled, plain);
    assert_eq!(&draw("x.parquet", &["--weights"])[..4], b"PAR1");
    assert_eq!(&draw("x.npy", &[])[1..6], b"NUMPY");
    sbridge().arg("eval").arg(&run).assert().success().stdout(contains("Nothing speaks against"));
    sbridge().arg("report").arg(&run).assert().success();
}

#[test]
fn every_method_and_every_loss_comes_to_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let choices = [
        ("pis", "lv"),
        ("dis", "rkl"),
        ("dis", "kl"),
        ("dds", "tb"),
        ("dds", "lv-traj"),
        ("bridge", "lv"),
        ("bridge", "kl"),
    ];
    for (method, loss) in choices {
        let run = folder.path().join(format!("{method}-{loss}"));
        let options = [
            "--target",
            "builtin:gmm9",
            "--method",
            method,
            "--loss",
            loss,
            "--spread",
            "4",
            "--compare",
            "smc",
        ];
        fit(&run, &options, TINY).assert().success().stdout(contains(method).and(contains("these draws")));
    }
}

#[test]
fn a_law_of_which_modes_are_lost_rings() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // Width 0.3 about the middle one of nine modes, five apart.
    let options = ["--target", "builtin:gmm9", "--spread", "0.3", "--loss", "kl"];
    fit(&run, &options, &["fit.steps=150", "fit.batch_size=128", "sampler.steps=40", "output.samples=1000"])
        .assert()
        .success()
        .stdout(
            contains("Do not trust these draws").and(contains("modes are missing")).and(contains("smc says")),
        );
}

#[test]
fn a_fit_that_was_stopped_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, stopped] = ["whole", "stopped"].map(|name| folder.path().join(name));
    let sets: Vec<&str> = [
        "fit.steps=300",
        "fit.batch_size=32",
        "sampler.steps=10",
        "output.samples=200",
        "output.checkpoint_seconds=0",
    ]
    .into();
    let options = ["--target", "builtin:gmm9"];
    fit(&whole, &options, &sets).assert().success();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sbridge"));
    command.args(["fit", "density", "--out"]).arg(&stopped).args(options);
    sets.iter().for_each(|set| {
        command.args(["--set", set]);
    });
    let mut killed =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let checkpoint = stopped.join("checkpoints");
    common::wait_until(|| {
        let has_begun = fs::read_dir(&checkpoint).is_ok_and(|mut files| files.next().is_some());
        has_begun || stopped.join("evaluation.json").exists()
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    if stopped.join("evaluation.json").exists() {
        interrupt(&stopped); // The machine was quicker than the test.
    }
    sbridge().args(["fit", "density", "--resume"]).arg(&stopped).assert().success();
    for file in ["density.safetensors", "samples.npy"] {
        assert!(
            fs::read(whole.join(file)).unwrap() == fs::read(stopped.join(file)).unwrap(),
            "{file} differs"
        );
    }
}

#[test]
fn paths_that_diverge_end_the_fit_with_what_to_turn() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // Ten steps are too few for a score as steep, in units of the law's width, that is not cut.
    let options = ["--target", "builtin:gmm9", "--method", "dis"];
    fit(
        &run,
        &options,
        &[
            "fit.steps=300",
            "fit.batch_size=32",
            "sampler.steps=10",
            "sampler.clip=1e9",
            "objective.examples=0",
        ],
    )
    .assert()
    .code(3)
    .stderr(contains("the loss is NaN").and(contains("more sampler.steps, a sampler.spread nearer")));
    assert!(!run.join("density.safetensors").exists() && run.join("config.toml").exists());
}

#[test]
fn wrong_uses_are_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let wrong: [(&[&str], &[&str], &str); 9] = [
        (&[], &[], "no target"),
        (&["--target", "builtin:gmm8"], &[], "did you mean builtin:gmm9?"),
        (&["--target", "builtin:credit"], &[], "--data"),
        (&["--target", "builtin:gmm9", "--compare", "gibbs"], &[], "compare knows laplace"),
        (&["--target", "builtin:gmm9", "--spread", "-1"], &[], "sampler.spread must be in"),
        (&["--target", "nowhere.toml"], &[], "nowhere.toml"),
        (&["--target", "builtin:gmm9", "--method", "bridge", "--loss", "lv-traj"], &[], "bridge"),
        (&["--target", "builtin:dw-0-0-1"], &[], "dw-0-0-1"),
        (&["--target", "builtin:gmm9"], &["objective.lose=3"], "nearest setting is objective.loss"),
    ];
    for (options, sets, expected) in wrong {
        fit(&run, options, sets).assert().code(2).stderr(contains(expected));
        assert!(!run.exists(), "{options:?} left something behind");
    }
    fit(&run, &["--target", "builtin:gmm9"], TINY).assert().success();
    let sample = |options: &[&str]| {
        let mut command = sbridge();
        command.arg("sample").arg(&run).args(options);
        command
    };
    sample(&["--out", "x.png"]).assert().code(2).stderr(contains(".npy, .csv or .parquet"));
    sample(&["--out", "x.csv", "--set", "sampler.spread=2"])
        .assert()
        .code(2)
        .stderr(contains("sampler.steps alone"));
    sample(&["--out", "x.csv", "--weights", "--resample"]).assert().code(2);
    let resumed = ["fit", "density", "--method", "pis", "--resume"];
    sbridge().args(resumed).arg(&run).assert().code(2).stderr(contains("cannot be used with"));
}
