//! Bridges through samples taken at several times, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::sbridge;
use predicates::prelude::*;
use predicates::str::contains;

/// A cloud of 300 points about (`centre`, 0), written to `path`.
fn write_cloud(path: &Path, centre: f32, seed: u64) {
    let mut values = vec![0f32; 600];
    sbridge::Rng::new(seed).fill_normal(&mut values);
    values.iter_mut().step_by(2).for_each(|x| *x += centre);
    sbridge_data::write_npy(path, &values, &[300, 2]).unwrap();
}

/// Four clouds that move along a line, at times 1, 2, 4 and 5, as an argument.
fn clouds(folder: &Path) -> String {
    let at = |(seed, time): (u64, f32)| {
        let path = folder.join(format!("cloud-{time}.npy"));
        write_cloud(&path, 5.0 * time, seed);
        format!("{}@{time}", path.display())
    };
    [(1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0)].map(at).join(",")
}

fn fit(folder: &Path, out: &Path) -> Command {
    let mut command = sbridge();
    command.args(["fit", "light-sb", "--snapshots", &clouds(folder), "--set", "light_sb.steps=300", "--out"]);
    command.arg(out);
    command
}

fn mean(path: &Path) -> f32 {
    let data = sbridge_data::load(path.to_str().unwrap()).unwrap();
    data.values().iter().step_by(2).sum::<f32>() / data.len() as f32
}

#[test]
fn one_bridge_goes_through_all_snapshots_and_near_the_one_held_out() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (folder.path().join("run"), folder.path().join("x.npy"));
    fit(folder.path(), &run).args(["--hold-out", "2"]).assert().success().stdout(
        contains("held-out time 2").and(contains("straight lines")).and(contains("nearest snapshot")),
    );
    let found: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("evaluation.json")).unwrap()).unwrap();
    let w1 = |row: &str| found["held_out"][0][row]["w1"].as_f64().unwrap();
    // The nearest snapshot is five away; 150 points against 150 alone give 0.5 or so.
    assert!(w1("carried") < 1.0 && w1("nearest") > 4.0, "{found}");
    let carry = |options: &[&str]| {
        let mut command = sbridge();
        command.arg("transport").arg(&run).arg("--out").arg(&out).args(options);
        command
    };
    let first = folder.path().join("cloud-1.npy");
    let first = first.to_str().unwrap();
    // 4.5 standard errors of a mean of 300 points, and the fit; noise on the way adds less than that.
    let near = |time: &str, expected: f32| {
        carry(&["--input", first, "--time", time]).assert().success();
        let found = mean(&out);
        assert!((found - expected).abs() < 0.5, "time {time}: {found}");
    };
    near("1", 5.0);
    near("2.5", 12.5);
    near("4", 20.0);
    near("4.8", 24.0);
    carry(&["--input", first, "--time", "2.5", "--mean"]).assert().success();
    assert!((mean(&out) - 12.5).abs() < 0.5, "means: {}", mean(&out));
    carry(&["--input", first, "--direction", "backward", "--from", "5", "--time", "4"]).assert().success();
    let paths = folder.path().join("paths.npy");
    carry(&["--input", first, "--paths", paths.to_str().unwrap()]).assert().success();
    // Twenty steps for each of two legs.
    assert!(String::from_utf8_lossy(&fs::read(&paths).unwrap()[..128]).contains("(41, 300, 2"));
    assert!((mean(&out) - 25.0).abs() < 0.5);
    let refused = |options: &[&str], message: &str| {
        carry(&[&["--input", first], options].concat()).assert().code(2).stderr(contains(message));
    };
    refused(&["--time", "6"], "--time 6 lies outside the snapshots, from 1 to 5");
    refused(&["--time", "4.8", "--mean"], "--mean goes as far as the next snapshot, from 1 not to 4.8");
    carry(&["--input", first, "--time", "4", "--mean", "--draws", "3"]).assert().success();
    refused(&["--mean", "--flow"], "cannot be used with");
    refused(&["--from", "2"], "--from 2 is not the time of a snapshot of the bridge");
    fs::remove_file(run.join("report.html")).unwrap();
    sbridge().arg("report").arg(&run).assert().success();
    assert!(fs::read_to_string(run.join("report.html")).unwrap().contains("Paths through all snapshots"));
    assert!(fs::read_to_string(run.join("report.html")).unwrap().contains("half against half"));
    sbridge()
        .arg("transport")
        .arg(run.join("legs/4-5"))
        .args(["--input", first, "--out"])
        .arg(&out)
        .assert()
        .success();
}

#[test]
fn a_chain_goes_on_from_the_legs_that_are_finished() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit(folder.path(), &run).assert().success();
    let leg = |name: &str| fs::read(run.join("legs").join(name).join("bridge.safetensors")).unwrap();
    let before = [leg("1-2"), leg("2-4"), leg("4-5")];
    fs::remove_dir_all(run.join("legs/4-5")).unwrap();
    let mut judged = sbridge();
    judged.arg("eval").arg(&run).assert().code(2).stderr(contains("4-5"));
    common::interrupt(&run);
    judged.assert().code(2).stderr(contains(format!("--resume {}", run.display())));
    let last = folder.path().join("cloud-5.npy");
    let as_it_was = fs::read(&last).unwrap();
    write_cloud(&last, 7.0, 9);
    let mut resumed = sbridge();
    resumed.args(["fit", "light-sb", "--resume"]).arg(&run);
    resumed.assert().code(2).stderr(contains("changed"));
    fs::write(&last, as_it_was).unwrap();
    sbridge()
        .args(["fit", "light-sb", "--resume"])
        .arg(&run)
        .assert()
        .success()
        .stderr(contains("from 4 to 5"));
    assert_eq!([leg("1-2"), leg("2-4"), leg("4-5")], before);
}

#[test]
fn snapshots_that_make_no_chain_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let list = clouds(folder.path());
    let refused = |options: &[&str], message: &str| {
        let mut command = sbridge();
        command.args(["fit", "light-sb", "--out"]).arg(&out).args(options);
        command.assert().code(2).stderr(contains(message));
        assert!(!out.exists(), "{options:?}");
    };
    refused(&["--snapshots", "builtin:moons@1"], "a bridge needs two snapshots, got 1");
    refused(
        &["--snapshots", "builtin:moons"],
        "snapshots are DATA@TIME, or TABLE.csv#COLUMN with a column of times, separated by commas, got \"builtin:moons\"",
    );
    refused(&["--snapshots", "builtin:moons@1,builtin:circles@1"], "are both of time 1");
    refused(&["--snapshots", "builtin:moons@1,builtin:digits@2"], "one shape");
    refused(&["--snapshots", &list, "--hold-out", "3"], "--hold-out 3 is not the time of a snapshot");
    refused(&["--snapshots", &list, "--hold-out", "5"], "--hold-out 5 lies outside the others");
    refused(&["--snapshots", &list, "--hold-out", "1,2,4,5"], "all are held out");
    refused(&["--snapshots", &list, "--hold-out", "-1,2"], "--hold-out -1 is not the time of a snapshot");
    refused(&["--snapshots", &list, "--epsilon", "1e300"], "which is no bridge at all");
    refused(&["--set", "hold_out=[2.0]"], "hold_out holds out times of snapshots, and there are none");
    refused(&["--snapshots", &list, "--set", "source.limit=5"], "give --snapshots, or --source and --target");
    refused(&["--snapshots", &list, "--hold-out", "nan"], "must be a finite number");
    refused(&["--snapshots", "builtin:moons@nan,builtin:circles@1"], "snapshots are DATA@TIME");
    refused(
        &["--snapshots", "builtin:moons@E8.5,builtin:circles@E9"],
        "where TIME is a number, got \"E8.5\" for builtin:moons (write builtin:moons@8.5)",
    );
    let one = folder.path().join("one.npy");
    sbridge_data::write_npy(&one, &[0.0, 0.0], &[1, 2]).unwrap();
    let with_one = format!("{list},{}@3", one.display());
    refused(&["--snapshots", &with_one, "--hold-out", "3"], "one.npy: 1; 10 are needed to judge by");
    refused(&["--snapshots", &with_one], "one.npy, time 3: 1; 16 are needed to go through it (leave it out");
}

#[test]
fn a_table_with_a_column_of_times_is_as_many_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let (table, out) = (folder.path().join("cells.csv"), folder.path().join("run"));
    // Points on a ring that grows by one a day.
    let row = |(day, k): (u32, u32)| {
        let (sine, cosine) = (0.7 * f64::from(k)).sin_cos();
        let radius = 1.0 + f64::from(day);
        format!("{:.4},{},{:.4}\n", radius * sine, f64::from(day) / 2.0, radius * cosine)
    };
    let rows: String = (0..3).flat_map(|day| (0..60).map(move |k| (day, k))).map(row).collect();
    fs::write(&table, "a,day,b\n".to_owned() + &rows).unwrap();
    let source = format!("{}#day", table.display());
    let mut command = sbridge();
    command.args([
        "fit",
        "light-sb",
        "--snapshots",
        &source,
        "--hold-out",
        "0.5",
        "--set",
        "light_sb.steps=50",
    ]);
    command.arg("--out").arg(&out).assert().success().stdout(contains("held-out time 0.5, 60 samples"));
    assert!(out.join("legs/0-1/manifest.json").exists());
    let mut command = sbridge();
    command.args(["fit", "light-sb", "--out"]).arg(folder.path().join("x"));
    command.args(["--snapshots", &format!("{}#date", table.display())]);
    command.assert().code(2).stderr(contains("the table has no column 'date'"));
    let mut command = sbridge();
    command.args(["inspect", &format!("{source}=0.5")]).assert().success().stdout(contains("vector of 2"));
}

#[test]
fn noise_chosen_for_snapshots_does_not_drown_narrow_axes() {
    let folder = tempfile::tempdir().unwrap();
    // One axis of spread 40, as a first principal component has, and eight of spread 1.
    let cloud = |time: f32, seed: u64| {
        let mut values = vec![0f32; 9 * 400];
        sbridge::Rng::new(seed).fill_normal(&mut values);
        values.iter_mut().step_by(9).for_each(|x| *x = 40.0 * *x + 30.0 * time);
        let path = folder.path().join(format!("wide-{time}.npy"));
        sbridge_data::write_npy(&path, &values, &[400, 9]).unwrap();
        format!("{}@{time}", path.display())
    };
    let list = [(0.0, 1), (1.0, 2), (2.0, 3)].map(|(time, seed)| cloud(time, seed)).join(",");
    let judged = |name: &str, options: &[&str]| {
        let mut command = sbridge();
        command.args(["fit", "light-sb", "--snapshots", &list, "--hold-out", "1"]).args(options);
        command.arg("--out").arg(folder.path().join(name)).assert().success();
        let found = fs::read_to_string(folder.path().join(name).join("evaluation.json")).unwrap();
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        let w1 = |row: &str| found["held_out"][0][row]["w1"].as_f64().unwrap();
        (w1("carried") / w1("straight"), found.to_string())
    };
    // Matched samples are nearer than others of the same law: of 400 in nine dimensions half are 5.2 from half, and straight
    // lines are at 4.9.
    let (chosen, _) = judged("chosen", &[]);
    assert!(chosen < 1.2, "{chosen}");
    let (scaled, _) = judged("scaled", &["--reference", "scaled"]);
    assert!(scaled < 1.2, "{scaled}");
    // As much noise as suits the wide axis alone drowns the others, and it is said.
    let (drowned, found) = judged("drowned", &["--epsilon", "100"]);
    assert!(drowned > 2.0 && found.contains("than there is in 8 of 9 axes: lower --epsilon"), "{found}");
}
