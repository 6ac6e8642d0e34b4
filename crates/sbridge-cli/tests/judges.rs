//! Judges see what they judge by and nothing else sees it; what small sets lose is said before the work.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{TINY, sbridge, shares};
use predicates::prelude::*;
use predicates::str::contains;

/// Writes `count` rows of three columns.
fn write_rows(path: &Path, count: usize) {
    let mut share = shares(1);
    let mut row = |_| (0..3).map(|_| share.next().unwrap().to_string()).collect::<Vec<_>>().join(",");
    let rows: Vec<String> = (0..count).map(&mut row).collect();
    fs::write(path, format!("a,b,c\n{}\n", rows.join("\n"))).unwrap();
}

/// A fit of little work on `data`, with `settings`.
fn fit_latent(data: &Path, out: &Path, settings: &[&str]) -> Command {
    let mut command = sbridge();
    command.args(["fit", "latent", "--encoder", "identity", "--target"]).arg(data).arg("--out").arg(out);
    command.args(TINY);
    settings.iter().for_each(|set| {
        command.args(["--set", set]);
    });
    command
}

fn evaluation(run: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(run.join("evaluation.json")).unwrap()).unwrap()
}

#[test]
fn a_hundred_samples_are_judged_by_twenty_with_the_error_said() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("a.csv"), folder.path().join("run"));
    write_rows(&data, 100);
    fit_latent(&data, &run, &["output.held_out=0.05"])
        .assert()
        .success()
        .stderr(contains("75 to train on, 5 for validation, 20 to judge by").and(contains("wide errors")))
        .stdout(contains("±").and(contains("samples held out")));
    assert!(fs::read_to_string(run.join("config.toml")).unwrap().contains("held_out = 0.2"));
    let found = evaluation(&run);
    assert!(found["rows"][0]["quality"]["frechet_error"].as_f64().unwrap() > 0.0);
    // Training samples are among the training samples: how near they are says nothing.
    assert_eq!(found["rows"][1]["label"], "training data");
    assert!(found["rows"][1]["quality"]["neighbour_ratio"].is_null());
    // Judged again, the run stands by the same samples.
    sbridge().arg("eval").arg(&run).assert().success();
    assert_eq!(evaluation(&run), found);
}

#[test]
fn what_cannot_be_judged_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("a.csv"), folder.path().join("run"));
    write_rows(&data, 19);
    fit_latent(&data, &run, &["output.held_out=0.05"])
        .assert()
        .code(2)
        .stderr(contains("19 samples, of which 2 can be held out; 4 are needed to judge by"));
    assert!(!run.exists());
    let heldout_start = ["output.validation=0", "sampler.start.kind=convolve-heldout"];
    write_rows(&data, 200);
    fit_latent(&data, &run, &heldout_start).assert().code(2).stderr(contains("raise output.validation"));
    assert!(!run.exists());
}

#[test]
fn without_held_out_samples_halves_are_compared_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("a.csv"), folder.path().join("run"));
    write_rows(&data, 60);
    fit_latent(&data, &run, &["output.held_out=0", "output.validation=0"])
        .assert()
        .success()
        .stderr(
            contains("judged by halves of those it was trained on")
                .and(contains("bridge.fit.patience has nothing to watch")),
        )
        .stdout(contains("half of the training samples"));
    let run = folder.path().join("vsdm");
    let mut command = sbridge();
    command.args(["fit", "vsdm", "--target"]).arg(&data).arg("--out").arg(&run);
    for set in [
        "vsdm.stages=1",
        "vsdm.fit.steps=20",
        "vsdm.cooldown_steps=10",
        "output.samples=50",
        "output.held_out=0",
    ] {
        command.args(["--set", set]);
    }
    command.assert().success().stdout(contains("30 samples beside half of those trained on"));
    let found = evaluation(&run);
    let rows = found["rows"].as_array().unwrap();
    let floor = rows.iter().find(|row| row["name"] == "training data").unwrap();
    assert_eq!(found["judged_by"], "training");
    assert!(
        floor["distances"]["w2"].as_f64().unwrap() > 0.05,
        "the floor is no distance of rows from themselves"
    );
}

#[test]
fn a_sampler_ends_where_a_thousand_levels_end() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("a.csv"), folder.path().join("run"));
    write_rows(&data, 200);
    fit_latent(&data, &run, &["bridge.score.noise_sampling=levels1000"])
        .assert()
        .success()
        .stderr(contains("sampler.one_minus_t raised from 0.0001 to 0.001"));
    assert!(fs::read_to_string(run.join("config.toml")).unwrap().contains("one_minus_t = 0.001"));
}

#[test]
fn a_reference_sorted_by_class_shows_every_class_to_the_judge() {
    let folder = tempfile::tempdir().unwrap();
    // Two classes of vectors far apart, one after the other, as a file sorted by class has them.
    let mut share = shares(3);
    let mut row = |k: usize| {
        let centre = if k < 600 { 0.0 } else { 50.0 };
        format!("{},{}", centre + share.next().unwrap(), share.next().unwrap())
    };
    let rows: Vec<String> = (0..1200).map(&mut row).collect();
    let sorted = folder.path().join("sorted.csv");
    fs::write(&sorted, format!("x,y\n{}\n", rows.join("\n"))).unwrap();
    let few: Vec<String> = rows.iter().step_by(6).cloned().collect();
    let samples = folder.path().join("samples.csv");
    fs::write(&samples, format!("x,y\n{}\n", few.join("\n"))).unwrap();
    let mut command = sbridge();
    command.args(["eval", "--json", "--samples"]).arg(&samples).arg("--reference").arg(&sorted);
    let out = command.assert().success().get_output().stdout.clone();
    let found: serde_json::Value = serde_json::from_slice(&out).unwrap();
    // In scaled values: the first 200 rows are one class only, a squared distance of one from a mixture of both.
    for row in 0..2 {
        assert!(found["rows"][row]["quality"]["frechet"].as_f64().unwrap() < 0.1, "{found}");
    }
    assert_eq!(found["rows"][1]["label"], "other third of the reference");
}
