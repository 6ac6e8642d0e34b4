//! Variational diffusions, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::sbridge;
use predicates::prelude::*;
use predicates::str::contains;

const TARGET: &str = "builtin:moons?n=600";

/// A fit of little work.
fn fit(out: &Path, options: &[&str]) -> Command {
    let mut command = sbridge();
    command.args(["fit", "vsdm", "--out"]).arg(out);
    if !options.contains(&"--target") {
        command.args(["--target", TARGET]);
    }
    for set in [
        "vsdm.stages=2",
        "vsdm.cooldown_steps=50",
        "vsdm.paths=100",
        "vsdm.nodes=20",
        "vsdm.net.width=16",
        "vsdm.net.blocks=1",
        "vsdm.fit.steps=100",
        "vsdm.fit.batch_size=64",
        "output.samples=100",
    ] {
        command.args(["--set", set]);
    }
    command.args(options);
    command
}

#[test]
fn a_set_is_learned_drawn_judged_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (folder.path().join("run"), folder.path().join("x.npy"));
    let mut enough = vec!["--baselines", "--target", "builtin:moons?n=4000"];
    for set in ["vsdm.fit.steps=1000", "vsdm.fit.batch_size=128", "vsdm.net.width=48", "vsdm.nodes=50"] {
        enough.extend(["--set", set]);
    }
    fit(&run, &enough).assert().success().stdout(
        contains("whitening, score model")
            .and(contains("straightness"))
            .and(contains("log-likelihood"))
            .and(contains("mismatch of the prior")),
    );
    for file in [
        "config.toml",
        "manifest.json",
        "vsdm.safetensors",
        "score-model.safetensors",
        "metrics.jsonl",
        "samples.npy",
        "evaluation.json",
        "report.html",
    ] {
        assert!(fs::metadata(run.join(file)).unwrap().len() > 0, "{file}");
    }
    let found: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("evaluation.json")).unwrap()).unwrap();
    let row = |name: &str| {
        let rows = found["rows"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["distances"]["energy"].as_f64().unwrap()
    };
    // The forward process alone gives a Gaussian of the right moments; even a short training does better than that.
    assert!(row("vsdm") < 0.7 * row("Gaussian of the same moments"), "{found}");
    let draw = |options: &[&str]| {
        let mut command = sbridge();
        command.arg("sample").arg(&run).arg("--out").arg(&out).args(options);
        command
    };
    draw(&["-n", "50", "--set", "sampler.steps=3"]).assert().success().stdout(contains("50 samples"));
    let data = sbridge_data::load(out.to_str().unwrap()).unwrap();
    assert_eq!((data.len(), data.shape().size()), (50, 2));
    draw(&["--set", "vsdm.zeta=0.5"]).assert().code(2).stderr(contains("sampler.* settings only"));
    sbridge().arg("eval").arg(&run).arg("--json").assert().success().stdout(contains("\"travels\""));
    fs::remove_file(run.join("report.html")).unwrap();
    sbridge().arg("report").arg(&run).assert().success();
    assert!(fs::read_to_string(run.join("report.html")).unwrap().contains("Paths of the probability flow"));
}

#[test]
fn a_run_goes_on_from_its_last_stage_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit(&run, &["--set", "vsdm.stages=1", "--set", "vsdm.cooldown_steps=0"]).assert().success();
    let first = fs::read(run.join("vsdm.safetensors")).unwrap();
    let whole = folder.path().join("whole");
    fit(&whole, &["--set", "vsdm.stages=3"]).assert().success();
    // A run that was stopped after its first stage.
    let stopped = folder.path().join("stopped");
    fit(&stopped, &["--set", "vsdm.stages=3"]).assert().success();
    fs::write(stopped.join("vsdm.safetensors"), first).unwrap();
    sbridge().args(["fit", "vsdm", "--resume"]).arg(&stopped).assert().success();
    for file in ["vsdm.safetensors", "samples.npy"] {
        assert!(fs::read(stopped.join(file)).unwrap() == fs::read(whole.join(file)).unwrap(), "{file}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let refused = |options: &[&str], message: &str| {
        let mut command = sbridge();
        command.args(["fit", "vsdm", "--out"]).arg(&out).args(options);
        command.assert().code(2).stderr(contains(message));
        assert!(!out.exists(), "{options:?}");
    };
    refused(&[], "no target (give --target DATA)");
    refused(&["--target", "builtin:digits?n=100"], "784 values, vsdm takes at most 256");
    refused(&["--target", "builtin:moons?n=12"], "training samples; at least 16 are needed");
    refused(&["--target", TARGET, "--set", "vsdm.zeta=-1"], "vsdm.zeta must be a finite number > 0, got -1");
    refused(&["--target", TARGET, "--set", "vsdm.schedule.beta_min=0"], "vsdm.schedule.beta_min");
    refused(&["--target", TARGET, "--set", "vsdm.family=\"triangular\""], "vsdm.family");
    refused(
        &["--target", TARGET, "--set", "vsdm.initial=\"bridge\""],
        "vsdm.intervals must be at least 2 for a bridge",
    );
    refused(
        &["--target", TARGET, "--set", "vsdm.sa_rate=0"],
        "vsdm.sa_rate must be a finite number > 0, got 0",
    );
    fs::create_dir(&out).unwrap();
    fs::write(out.join("notes.txt"), "mine").unwrap();
    let mut command = sbridge();
    command.args(["fit", "vsdm", "--target", TARGET, "--out"]).arg(&out);
    command.assert().code(2).stderr(contains("exists already"));
}

#[test]
fn forward_scores_of_every_kind_are_learned() {
    let folder = tempfile::tempdir().unwrap();
    let kinds: [&[&str]; 3] = [
        &["vsdm.initial=\"bridge\"", "vsdm.intervals=5", "vsdm.zeta=0.9", "vsdm.zeta_on=\"cross\""],
        &["vsdm.initial=\"zero\"", "vsdm.update=\"stochastic-approximation\"", "vsdm.family=\"full\""],
        &["vsdm.family=\"diagonal\"", "vsdm.paths_from=\"kernel\"", "sampler.start=\"prior\""],
    ];
    for (k, kind) in kinds.into_iter().enumerate() {
        let sets: Vec<&str> = kind.iter().flat_map(|set| ["--set", *set]).collect();
        let run = folder.path().join(k.to_string());
        fit(&run, &sets).assert().success().stderr(contains("of training and"));
        let report = fs::read_to_string(run.join("report.html")).unwrap();
        assert!(report.contains("eigenvalues of D"), "{kind:?}");
    }
}

#[test]
fn many_coordinates_are_learned_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (table, run) = (folder.path().join("wide.csv"), folder.path().join("run"));
    let row = |k: usize| {
        (0..300).map(|j| format!("{:.3}", ((k * (j + 3)) as f64).sin())).collect::<Vec<_>>().join(",")
    };
    fs::write(&table, (0..80).map(|k| row(k) + "\n").collect::<String>()).unwrap();
    let wide = ["--target", table.to_str().unwrap(), "--set"];
    fit(&run, &[&wide[..], &["seed=1"]].concat()).assert().code(2).stderr(contains("vsdm.family=diagonal"));
    assert!(!run.exists());
    fit(&run, &[&wide[..], &["vsdm.family=\"diagonal\""]].concat()).assert().success();
}

#[test]
fn flat_data_are_learned_and_fine_data_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("flat.csv");
    let row = |k: usize| format!("{:.4},2.5,{:.6}\n", (k as f64).sin(), 1e-3 * (0.7 * k as f64).cos());
    fs::write(&table, (0..200).map(row).collect::<String>()).unwrap();
    let run = folder.path().join("run");
    fit(&run, &["--target", table.to_str().unwrap()])
        .assert()
        .success()
        .stderr(contains("along their narrowest direction: what is finer is lost"));
}
