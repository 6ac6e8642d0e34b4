//! Wrong input: exit code 2, one message with the value and the fix, nothing written.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use common::{TINY, fit_moons, sbridge};
use predicates::prelude::*;
use predicates::str::contains;

/// Runs `fit latent` with `arguments` and checks that it is refused with `words`, leaving nothing.
fn refused(arguments: &[&str], words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut assert =
        sbridge().args(["fit", "latent"]).args(arguments).arg("--out").arg(&out).args(TINY).assert().code(2);
    for word in words {
        assert = assert.stderr(contains(*word));
    }
    assert.stderr(contains("panicked").not());
    assert!(!out.exists(), "{arguments:?} left a folder behind");
}

#[test]
fn data_that_cannot_be_used() {
    refused(&["--target", "nowhere.npy"], &["nowhere.npy"]);
    refused(&["--target", "builtin:digitz"], &["digits"]);
    refused(&["--target", "builtin:moons", "--pretrain", "builtin:digits?n=50"], &["28", "one shape"]);
    refused(&["--target", "builtin:digits?n=50", "--encoder", "identity"], &["identity", "vectors"]);
    refused(&["--target", "builtin:moons?n=100", "--target-limit", "500"], &["limit", "100", "500"]);
    refused(&["--target", "builtin:moons?n=8"], &["samples"]);
    refused(&[], &["--target"]);
}

#[test]
fn settings_that_cannot_be_used() {
    let moons = ["--target", "builtin:moons?n=100", "--encoder", "identity"];
    let with = |more: &[&str], words: &[&str]| refused(&[&moons[..], more].concat(), words);
    with(&["--set", "bridge.score.epsilom=3"], &["bridge.score.epsilon"]);
    with(&["--set", "bridge.score.epsilon=-3"], &["epsilon", "got -3"]);
    with(&["--set", "sampler.start={kind=\"nothing\"}"], &["nothing"]);
    with(&["--set", "sampler.one_minus_t=0.9"], &["one_minus_t", "0.9"]);
    with(
        &["--set", "sampler.start={kind=\"density-ratio\", tau_over_epsilon=0.1, draws=16, steps=100}"],
        &["0.1"],
    );
    with(&["--set", "sampler.grid={kind=\"uniform\", rho=3}"], &["no setting sampler.grid.rho"]);
    with(&["--set", "nonsense"], &["key=value"]);
    with(&["--device", "quantum"], &["quantum", "cpu"]);
    with(&["--device", "cuda"], &["cuda"]);
    with(&["--target-labels", "a-b"], &["a-b"]);
    with(&["--target-labels", "0-4000000000"], &["ranges of up to 10000", "0-4000000000"]);
    with(&["--pretrain-labels", "1"], &["--pretrain"]);
    refused(&["--target", "builtin:moons?n=100", "--latent-dim", "7"], &["latent_dim", "7", "2"]);
}

#[test]
fn settings_files_that_cannot_be_used_are_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let with = |text: &str, words: &[&str]| {
        fs::write(&file, text).unwrap();
        let config = ["--target", "builtin:moons?n=100", "--config", file.to_str().unwrap()];
        refused(&config, words);
    };
    with("seed = 1\n[bridge.score]\nepsilom = 2", &["line 3", "nearest setting is bridge.score.epsilon"]);
    with("seed = 1\nseed = 2", &["line 2", "duplicate key"]);
    with("[bridge.fit]\nlearning_rate = -1", &["line 2", "bridge.fit.learning_rate", "got -1"]);
    with("[bridge.fit]\nlearning_rate = \"fast\"", &["line 2", "bridge.fit.learning_rate", "fast"]);
    with("seed = ", &["line 1"]);
    refused(&["--target", "builtin:moons", "--config", "nowhere.toml"], &["nowhere.toml", "--config"]);
}

#[test]
fn places_a_run_cannot_be_made_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    fit_moons(&file).assert().code(2).stderr(contains("exists already"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    for place in [file.join("run"), "/proc/run".into(), "/dev/null/run".into()] {
        let assert = fit_moons(&place).assert().code(2);
        assert.stderr(contains("cannot be made").and(contains("choose another --out")));
    }
}

#[test]
fn fewer_samples_than_a_batch_are_used_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    fit_moons(&folder.path().join("run"))
        .args(["--target-limit", "120", "--set", "bridge.fit.batch_size=200"])
        .assert()
        .success()
        .stderr(contains("fewer than a batch of 200"));
}

#[test]
fn training_that_diverges_says_at_which_step_and_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    fit_moons(&folder.path().join("run"))
        .args(["--set", "bridge.fit.learning_rate=1e30"])
        .assert()
        .code(3)
        .stderr(contains("going on from step 0 with half the step size"))
        .stderr(contains("at step 2: the loss is inf"))
        .stderr(contains("a third of bridge.fit.learning_rate"));
}

#[test]
fn folders_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit_moons(&run).assert().success();
    fit_moons(&run).assert().code(2).stderr(contains("--resume"));
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("thesis.txt"), "mine").unwrap();
    fit_moons(&full).assert().code(2).stderr(contains("exists already"));
    assert_eq!(fs::read_to_string(full.join("thesis.txt")).unwrap(), "mine");
    sbridge().arg("eval").arg(&full).assert().code(2).stderr(contains("not a run folder"));
    sbridge().args(["fit", "latent", "--resume"]).arg(&full).assert().code(2);
    sample(&run, "x.txt").stderr(contains(".npy, .csv or .png"));
    sample(&run, "x.png").stderr(contains("vectors"));
    sbridge()
        .arg("sample")
        .arg(&run)
        .args(["-n", "0", "--out", "x.npy"])
        .assert()
        .code(2)
        .stderr(contains("got 0"));
    damage(&run);
}

fn sample(run: &Path, out: &str) -> assert_cmd::assert::Assert {
    sbridge().arg("sample").arg(run).args(["--out", out]).assert().code(2)
}

/// A damaged model or manifest is named, not misread; the model can be had again.
fn damage(run: &Path) {
    let model = run.join("model.safetensors");
    let whole = fs::read(&model).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&model, damaged).unwrap();
    sample(run, "x.npy").stderr(contains("model.safetensors").and(contains("--resume")));
    sbridge().args(["fit", "latent", "--resume"]).arg(run).assert().success();
    assert!(fs::read(&model).unwrap() == whole, "the model was not written again");
    fs::write(run.join("manifest.json"), "{").unwrap();
    sample(run, "x.npy").stderr(contains("manifest.json"));
}

#[test]
fn evaluation_of_data_that_do_not_fit() {
    let eval = |samples: &str, reference: &str| {
        sbridge().args(["eval", "--samples", samples, "--reference", reference]).assert().code(2)
    };
    eval("builtin:moons?n=100", "builtin:digits?n=100").stderr(contains("one shape"));
    eval("builtin:moons?n=100", "builtin:moons?n=10").stderr(contains("needed"));
    sbridge().arg("eval").assert().code(2);
    sbridge().args(["eval", "--samples", "builtin:moons"]).assert().code(2);
}

#[test]
fn inspect_says_what_data_is_and_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.csv");
    fs::write(&file, "a,b\n1,2\n3,nan\n").unwrap();
    sbridge().arg("inspect").arg(&file).assert().success().stdout(contains("non-finite"));
    sbridge()
        .args(["inspect", "--json", "builtin:digits?n=30"])
        .assert()
        .success()
        .stdout(contains("\"count\": 30"));
    sbridge().args(["inspect", "nowhere"]).assert().code(2).stderr(contains("nowhere"));
}
