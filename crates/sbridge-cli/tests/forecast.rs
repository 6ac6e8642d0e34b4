//! Forecasts, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use common::{sbridge, shares};
use predicates::prelude::*;
use predicates::str::contains;

/// Two series of the hours of 28 days: waves of a day with noise, the second against the first, with cells left empty.
fn write_waves(folder: &Path) -> PathBuf {
    let mut noise = shares(7).map(|u| u - 0.5);
    let mut text = String::from("when,load,heat\n");
    for k in 0..24 * 28 {
        let wave = (TAU * k as f64 / 24.0).sin();
        let (load, heat) =
            (100.0 + 10.0 * wave + noise.next().unwrap(), 50.0 - 5.0 * wave + noise.next().unwrap());
        let heat = if k % 101 == 7 { String::new() } else { format!("{heat:.3}") };
        writeln!(text, "2024-02-{:02} {:02}:00,{load:.3},{heat}", 1 + k / 24, k % 24).unwrap();
    }
    let path = folder.join("waves.csv");
    fs::write(&path, text.trim_end()).unwrap();
    path
}

/// A line of three cells with the last two the other way round.
fn swap_columns(line: &str) -> String {
    let cells: Vec<&str> = line.split(',').collect();
    [cells[0], cells[2], cells[1]].join(",")
}

/// A fit of little work.
fn fit(series: &Path, out: &Path, options: &[&str]) -> Command {
    let mut command = sbridge();
    command.args(["forecast", "fit"]).arg(series).arg("--out").arg(out);
    for set in [
        "vsdm.stages=2",
        "vsdm.cooldown_steps=50",
        "vsdm.paths=100",
        "vsdm.nodes=20",
        "vsdm.net.width=32",
        "vsdm.fit.batch_size=64",
        "samples=50",
        "sampler.steps=5",
    ] {
        command.args(["--set", set]);
    }
    command.args(options);
    command
}

#[test]
fn waves_are_learned_forecast_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let (series, run) = (write_waves(folder.path()), folder.path().join("run"));
    fit(
        &series,
        &run,
        &["--horizon", "12", "--context", "24", "--windows", "3", "--set", "vsdm.fit.steps=500"],
    )
    .assert()
    .success()
    .stdout(contains("seasonal naive (24)").and(contains("vector autoregression")));
    let found: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("evaluation.json")).unwrap()).unwrap();
    let score = |name: &str| {
        let rows = found["rows"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["crps"].as_f64().unwrap()
    };
    // Half a wave ahead the last value is off by up to two amplitudes; whoever has learned the wave is off by the noise,
    // which is a twentieth of the amplitude. A half says that it was learned.
    assert!(score("forecast") < 0.5 * score("last value"), "{found}");
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(
        page.contains("Forecasts and what came") && page.contains("values are missing"),
        "no fans or notes"
    );

    let predict = |out: &Path, options: &[&str]| {
        let mut command = sbridge();
        command
            .args(["forecast", "predict"])
            .arg(&run)
            .args(["--samples", "7", "--out"])
            .arg(out)
            .args(options);
        command
    };
    let csv = folder.path().join("paths.csv");
    predict(&csv, &[])
        .assert()
        .success()
        .stdout(contains("7 paths from 2024-02-29 00:00:00 to 2024-02-29 11:00:00"));
    let text = fs::read_to_string(&csv).unwrap();
    assert_eq!(text.lines().count(), 1 + 7 * 12 * 2);
    let again = folder.path().join("again.csv");
    predict(&again, &[]).assert().success();
    assert_eq!(text, fs::read_to_string(&again).unwrap(), "the same seed draws the same paths");
    let npy = folder.path().join("paths.npy");
    predict(&npy, &["--seed", "9"]).assert().success();
    let array = sbridge_data::load(npy.to_str().unwrap()).unwrap();
    assert_eq!(array.values().len(), 7 * 12 * 2);
    predict(&folder.path().join("paths.parquet"), &[]).assert().success();
    predict(&folder.path().join("paths.xlsx"), &[]).assert().code(2).stderr(contains(".parquet"));
    let mut many = sbridge();
    many.args(["forecast", "predict"]).arg(&run).args(["--samples", "99999999", "--out", "x.csv"]);
    many.assert().code(2).stderr(contains("lower --samples"));
    let other = folder.path().join("other.csv");
    fs::write(&other, "when,x\n2024-01-01,1\n2024-01-02,2\n").unwrap();
    predict(&csv, &["--input", other.to_str().unwrap()])
        .assert()
        .code(2)
        .stderr(contains("there is no series 'load' (there is x)"));
    let hourly = fs::read_to_string(&series).unwrap();
    let swapped = folder.path().join("swapped.csv");
    fs::write(&swapped, hourly.lines().map(|line| swap_columns(line) + "\n").collect::<String>()).unwrap();
    let levels = folder.path().join("levels.csv");
    predict(&levels, &["--input", swapped.to_str().unwrap(), "--horizon", "30", "--quantiles", "0.2,0.5"])
        .assert()
        .success()
        .stdout(contains("2 quantiles of 7 paths from 2024-02-29 00:00:00 to 2024-03-01 05:00:00"));
    let text = fs::read_to_string(&levels).unwrap();
    assert!(
        text.starts_with("time,series,0.2,0.5\n2024-02-29 00:00:00,load,")
            && text.lines().count() == 1 + 30 * 2
    );
    predict(&levels, &["--quantiles", "0.1"])
        .assert()
        .code(2)
        .stderr(contains("takes 9 paths, and there are 7"));
    let days = folder.path().join("days.csv");
    let daily: String =
        (1..=60).map(|k| format!("2024-{:02}-{:02},{k},{k}\n", 1 + k / 29, 1 + k % 29)).collect();
    fs::write(&days, format!("when,load,heat\n{daily}")).unwrap();
    predict(&csv, &["--input", days.to_str().unwrap()])
        .assert()
        .code(2)
        .stderr(contains("has steps of 1 day, and the forecast has learned steps of 1 hour"));
    sbridge()
        .args(["forecast", "eval"])
        .arg(&run)
        .arg("--json")
        .assert()
        .success()
        .stdout(contains("\"ranks\""));
    sbridge().arg("report").arg(&run).assert().success();
    sbridge().arg("eval").arg(&run).assert().success().stdout(contains("CRPS-sum"));
    // Data that have changed since are not what it was judged by.
    fs::write(
        &series,
        fs::read_to_string(&series).unwrap().replace("2024-02-01 00:00,", "2024-02-01 00:00,9"),
    )
    .unwrap();
    sbridge()
        .args(["forecast", "eval"])
        .arg(&run)
        .assert()
        .code(2)
        .stderr(contains("the digest of the target"));
}

#[test]
fn a_forecast_goes_on_from_its_last_stage_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let series = write_waves(folder.path());
    let options = |stages: &'static str, last: &'static str| {
        ["--horizon", "6", "--set", "vsdm.fit.steps=20", "--set", stages, "--set", last]
    };
    let [one, whole, stopped] = ["one", "whole", "stopped"].map(|name| folder.path().join(name));
    fit(&series, &one, &options("vsdm.stages=1", "vsdm.cooldown_steps=0")).assert().success();
    fit(&series, &whole, &options("vsdm.stages=2", "vsdm.cooldown_steps=20")).assert().success();
    fit(&series, &stopped, &options("vsdm.stages=2", "vsdm.cooldown_steps=20")).assert().success();
    fs::copy(one.join("forecast.safetensors"), stopped.join("forecast.safetensors")).unwrap();
    sbridge().args(["forecast", "fit", "--resume"]).arg(&stopped).assert().success();
    for file in ["forecast.safetensors", "evaluation.json"] {
        assert!(fs::read(stopped.join(file)).unwrap() == fs::read(whole.join(file)).unwrap(), "{file}");
    }
}

#[test]
fn what_cannot_be_forecast_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (series, out) = (write_waves(folder.path()), folder.path().join("run"));
    let refused = |series: &Path, options: &[&str], message: &str| {
        fit(series, &out, options).assert().code(2).stderr(contains(message));
        assert!(!out.exists(), "{options:?}");
    };
    refused(&series, &[], "horizon must be at least 1, got 0 (give --horizon)");
    refused(&series, &["--horizon", "500"], "5 windows of 500 times are kept to judge by, a past has 2");
    refused(&series, &["--horizon", "6", "--context", "650"], "--context to at most 592)");
    refused(&series, &["--horizon", "6", "--time", "whn"], "did you mean when?");
    refused(&series, &["--horizon", "6", "--keep", "lod"], "did you mean load?");
    refused(&series, &["--horizon", "6", "--every", "D"], "does not lie on steps of 1 day from 2024-02-01");
    refused(&series, &["--horizon", "6", "--every", "often"], "series.every must be s, min, h, D");
    refused(&series, &["--horizon", "6", "--set", "vsdm.zeta=-1"], "vsdm.zeta must be a finite number > 0");
    refused(&folder.path().join("none.csv"), &["--horizon", "6"], "no such file");
    let text = fs::read_to_string(&series).unwrap();
    let with = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let still = "when,flat\n".to_owned() + &(0..99).map(|k| format!("{},3\n", 1900 + k)).collect::<String>();
    refused(
        &with("still.csv", &still),
        &["--horizon", "6", "--time", "when"],
        "series 'flat' is 3 at all times",
    );
    refused(&series, &["--horizon", "6", "--at-least", "60"], "series 'heat' of");
    refused(&series, &["--horizon", "6", "--every", "15m"], "write 15min or 15M");
    let twice = format!("{text}\n2024-02-03 05:00,1,1\n");
    refused(&with("twice.csv", &twice), &["--horizon", "6"], "have the same time 2024-02-03 05:00:00");
    let off = format!("{text}\n2024-03-01 05:17,1,1\n");
    refused(&with("off.csv", &off), &["--horizon", "6"], "times are not regular");
    let empty: String = text
        .lines()
        .map(|line| format!("{line},{}\n", if line.starts_with("when") { "none" } else { "" }))
        .collect();
    refused(&with("empty.csv", &empty), &["--horizon", "6"], "series 'none' has no values");
}
