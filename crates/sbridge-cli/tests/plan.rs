//! Planning, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{interrupt, sbridge};
use predicates::prelude::*;
use predicates::str::contains;

/// Little work: a fit of a second or two.
const TINY: &[&str] = &[
    "bridge.fit.steps=20",
    "bridge.prior_fit.steps=10",
    "bridge.net.width=8",
    "bridge.net.multipliers=[1,2]",
    "trajectories.rows=6000",
    "output.episodes=20",
    "output.calls=[1]",
];

fn fit(out: &Path, options: &[&str], sets: &[&str]) -> Command {
    let mut command = sbridge();
    command.args(["plan", "fit", "--out"]).arg(out).args(options);
    for set in sets {
        command.args(["--set", set]);
    }
    command
}

fn run(folder: &Path, options: &[&str], out: &Path) -> Command {
    let mut command = sbridge();
    command.args(["plan", "run"]).arg(folder).args(options).arg("--out").arg(out);
    command
}

fn evaluation(run: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(run.join("evaluation.json")).unwrap()).unwrap()
}

fn success(found: &serde_json::Value, name: &str) -> f64 {
    let rows = found["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap();
    row["found"]["success"]["mean"].as_f64().unwrap()
}

/// What an `.npy` of f64 holds.
fn values(path: &Path) -> Vec<f64> {
    let bytes = fs::read(path).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].chunks_exact(8).map(|value| f64::from_le_bytes(value.try_into().unwrap())).collect()
}

#[test]
fn plans_from_the_shortest_way_reach_every_goal_after_a_short_training_and_begin_and_end_where_they_should() {
    let folder = tempfile::tempdir().unwrap();
    let planner = folder.path().join("planner");
    let enough =
        ["bridge.fit.steps=300", "trajectories.rows=50000", "output.episodes=100", "output.calls=[1]"];
    fit(&planner, &["--maze", "builtin:umaze"], &enough).assert().success().stdout(
        contains("umaze, from the prior polyline; 100 episodes of 300 steps to random goals")
            .and(contains("straight line"))
            .and(contains("controller, fresh")),
    );
    let found = evaluation(&planner);
    // All of 100; the straight line stops at walls in about one of ten.
    assert!(success(&found, "bridge") >= 0.97, "{found}");
    assert!(success(&found, "straight line") < 0.97, "{found}");
    let out = folder.path().join("plans.npy");
    let trip = ["--start", "3,1", "--goal", "1,1", "--count", "3", "--seed", "2"];
    run(&planner, &trip, &out).assert().success().stdout(contains("3 of 3 reach the goal"));
    let plans = values(&out);
    assert_eq!(plans.len(), 3 * 128 * 6);
    for plan in plans.chunks_exact(128 * 6) {
        for (row, place) in [(&plan[..6], [3.0, 1.0]), (&plan[127 * 6..], [1.0, 1.0])] {
            let known = [place[0], place[1], 0.0, 0.0];
            // f32, and back from ±1.
            assert!(row[2..].iter().zip(known).all(|(x, y)| (x - y).abs() < 1e-5), "{row:?}");
        }
    }
    assert!(fs::read_to_string(folder.path().join("plans.svg")).unwrap().starts_with("<svg"));
    run(&planner, &[&trip[..], &["--replan", "50", "--nfe", "2"]].concat(), &out).assert().success();
    assert_ne!(values(&out), plans);
    sbridge()
        .args(["plan", "eval"])
        .arg(&planner)
        .arg("--json")
        .assert()
        .success()
        .stdout(contains("\"success\""));
    for (options, problem) in [
        (["--start", "0,1", "--goal", "1,1"], "--start 0,1 is a wall (free are 1,1"),
        (["--start", "1,1", "--goal", "9,1"], "--goal 9,1 is outside of the maze of 5 rows and 5 columns"),
        (["--start", "1", "--goal", "1,1"], "must be a row and a column"),
    ] {
        run(&planner, &options, &out).assert().code(2).stderr(contains(problem));
    }
    for (closed, problem) in [
        ("9,1", "--constrain 9,1 is outside of the maze of 5 rows and 5 columns"),
        ("0,1", "--constrain 0,1 is a wall already"),
        ("1,2;3,1", "--constrain 3,1 closes the cell of --goal"),
        ("2,3", "--goal cannot be reached from --start, only 1,1 1,2 1,3 (close fewer cells"),
        ("2", "must be a row and a column"),
    ] {
        let trip = ["--start", "1,1", "--goal", "3,1", "--constrain", closed];
        run(&planner, &trip, &out).assert().code(2).stderr(contains(problem));
    }
    let trip = ["--start", "1,1", "--goal", "3,1", "--nfe", "16"];
    run(&planner, &trip, &out).assert().code(2).stderr(contains("nfe must be at most 15"));
    let config = fs::read_to_string(planner.join("config.toml")).unwrap();
    fs::write(planner.join("config.toml"), config.replace("\"stochastic\"", "\"ode\"")).unwrap();
    let asked = ["--start", "1,1", "--goal", "3,1"];
    run(&planner, &asked, &out).assert().code(2).stderr(contains("was trained with other bridge.paths"));
}

#[test]
fn plans_go_round_walls_that_were_not_there_in_training() {
    let folder = tempfile::tempdir().unwrap();
    let planner = folder.path().join("planner");
    let enough = [
        "bridge.fit.steps=300",
        "bridge.net.width=8",
        "trajectories.rows=20000",
        "output.episodes=20",
        "output.calls=[1]",
        "output.steps=300",
    ];
    fit(&planner, &["--maze", "builtin:open"], &enough).assert().success();
    let out = folder.path().join("plans.npy");
    let trip = ["--start", "2,1", "--goal", "2,5", "--count", "20"];
    // Rows within the squares of cells, larger by the disc: from i − 0.8 to i + 0.4; less what rounding takes.
    let within = |cells: &[[f64; 2]]| {
        let is_in = |row: &[f64]| {
            let inside = |cell: &[f64; 2]| (0..2).all(|k| (row[2 + k] - cell[k] + 0.2).abs() < 0.6 - 1e-5);
            cells.iter().any(inside)
        };
        values(&out).chunks_exact(6).filter(|row| is_in(row)).count()
    };
    let cells = [[2.0, 3.0], [1.0, 3.0]];
    run(&planner, &trip, &out).assert().success().stdout(contains("20 of 20 reach the goal"));
    assert!(within(&cells) > 20 * 5, "the way that is free leads through: {}", within(&cells));
    let drawing = || fs::read_to_string(folder.path().join("plans.svg")).unwrap();
    let walls = |text: &str, colour: &str| text.matches(colour).count();
    let before = drawing();
    for closed in ["2,3", "2,3;1,3"] {
        run(&planner, &[&trip[..], &["--constrain", closed]].concat(), &out)
            .assert()
            .success()
            .stdout(contains("20 of 20 reach the goal"));
        let count = closed.split(';').count();
        assert_eq!(within(&cells[..count]), 0);
        assert_eq!(walls(&drawing(), "#d9822b"), count);
        assert_eq!(walls(&drawing(), "#555"), walls(&before, "#555"));
    }
}

#[test]
fn every_prior_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for prior in ["gaussian", "line", "mlp", "conv"] {
        let planner = folder.path().join(prior);
        let options = ["--maze", "builtin:open", "--prior", prior, "--horizon", "32", "--compare", "ddpm"];
        fit(&planner, &options, TINY).assert().success().stdout(contains("ddpm"));
        let learned = fs::read(planner.join("plan.safetensors")).unwrap();
        interrupt(&planner);
        fs::remove_file(planner.join("checkpoints/bridge.safetensors")).unwrap();
        sbridge().args(["plan", "fit", "--resume"]).arg(&planner).assert().success();
        assert!(learned == fs::read(planner.join("plan.safetensors")).unwrap(), "{prior}");
    }
}

#[test]
fn own_mazes_and_trajectories_are_read_and_wrong_ones_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let maze = write("maze.txt", "#####\n#OOO#\n#####\n");
    let row = |k: usize| {
        let [a, b, c] = [7, 11, 13].map(|m| (k % m) as f64 / 50.0);
        format!("{a},-{b},{},{},{b},{c}\n", 0.89 - 0.1 * a, 0.8 + 0.01 * (k % 200) as f64)
    };
    let along: String = (0..400).map(row).collect();
    let rows = write("rows.csv", &along);
    let run = folder.path().join("run");
    let own = ["--maze", &maze, "--trajectories", &rows, "--horizon", "32", "--prior", "line"];
    fit(&run, &own, TINY).assert().success();
    let none = folder.path().join("none");
    let wrong = [
        (vec![], "no maze"),
        (vec!["--maze", "builtin:umase"], "maze must be one of umaze"),
        (vec!["--maze", "nowhere.txt"], "cannot read the maze nowhere.txt"),
        (vec!["--maze", "builtin:umaze", "--horizon", "30"], "horizon must be a multiple of 4, got 30"),
        (vec!["--maze", "builtin:umaze", "--trajectories", "x.json"], "trajectories are builtin, an .npz"),
    ];
    for (options, problem) in wrong {
        fit(&none, &options, &[]).assert().code(2).stderr(contains(problem));
        assert!(!none.exists(), "{problem}");
    }
    for (text, problem) in [
        ("#####\n#OOO\n#####\n", "open.txt"),
        ("#####\n#OXO#\n#####\n", "open.txt"),
        ("####\n####\n####\n", "open.txt"),
        ("#####\n#O#O#\n#####\n", "must be connected"),
    ] {
        let open = write("open.txt", text);
        fit(&none, &["--maze", &open], &[]).assert().code(2).stderr(contains(problem));
    }
    for (spoil, problem) in [
        (along.replacen("0,-0,0.89", "nan,-0,0.89", 1), "rows.csv"),
        (along.replacen("0,-0,0.89", "0,-0,7.5", 1), "within 3 rows"),
        (along.lines().take(20).map(|line| format!("{line}\n")).collect(), "at least a horizon, 32 rows"),
        ("1,2,3\n".repeat(50), "6 columns are wanted"),
    ] {
        let rows = write("rows.csv", &spoil);
        let options = ["--maze", &maze, "--trajectories", &rows, "--horizon", "32"];
        fit(&none, &options, &[]).assert().code(2).stderr(contains(problem));
        assert!(!none.exists(), "{problem}");
    }
}
