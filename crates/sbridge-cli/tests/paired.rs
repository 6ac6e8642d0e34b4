//! Bridges between pairs, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{interrupt, sbridge};
use predicates::prelude::*;
use predicates::str::contains;

/// Little work: a fit of a second or two.
const TINY: &[&str] =
    &["bridge.fit.steps=40", "bridge.net.unet.width=4", "bridge.net.mlp.width=32", "output.calls=[1]"];

fn fit(out: &Path, options: &[&str], sets: &[&str]) -> Command {
    let mut command = sbridge();
    command.args(["fit", "paired", "--out"]).arg(out).args(options);
    for set in sets {
        command.args(["--set", set]);
    }
    command
}

fn restore(run: &Path, input: &str, out: &Path, options: &[&str]) -> Command {
    let mut command = sbridge();
    command.arg("restore").arg(run).args(["--input", input, "--out"]).arg(out).args(options);
    command
}

/// `count` rows of two numbers that spread evenly, and the same turned and halved.
fn write_pairs(folder: &Path, count: usize) -> [String; 2] {
    let place = |i: usize, step: f64| 2.0 * (i as f64 * step).fract() - 1.0;
    let (mut clean, mut degraded) = (String::new(), String::new());
    for i in 0..count {
        let (x, y) = (place(i, 0.618), place(i, 0.414));
        clean += &format!("{x},{y}\n");
        degraded += &format!("{},{}\n", 0.5 * y, -0.5 * x);
    }
    [("clean.csv", clean), ("degraded.csv", degraded)].map(|(name, text)| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    })
}

fn numbers(path: &Path) -> Vec<f64> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .flat_map(|line| line.split(',').filter_map(|cell| cell.parse().ok()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn vectors_are_brought_back_by_what_their_pairs_have_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let [clean, degraded] = write_pairs(folder.path(), 2000);
    let run = folder.path().join("run");
    let enough = ["bridge.fit.steps=600", "bridge.net.mlp.width=64", "output.calls=[1]"];
    fit(&run, &["--clean", &clean, "--degraded", &degraded, "--ode"], &enough).assert().success().stdout(
        contains("100 held-out pairs").and(contains("regression")).and(contains("degraded, as it is")),
    );
    let out = folder.path().join("out.csv");
    restore(&run, &degraded, &out, &["--draws", "2"]).assert().success().stdout(contains("4000 samples"));
    let (found, exact) = (numbers(&out), numbers(Path::new(&clean)));
    assert_eq!(found.len(), 2 * exact.len());
    let error = |found: &[f64]| {
        let squares = found.iter().zip(&exact).map(|(x, y)| (x - y).powi(2));
        (squares.sum::<f64>() / exact.len() as f64).sqrt()
    };
    // Of a deviation of 0.58; what a short training leaves. As they are they are off by 0.65.
    assert!(error(&found) < 0.1, "{}", error(&found));
    assert!(error(&numbers(Path::new(&degraded))) > 0.5);
    for file in ["paired.safetensors", "evaluation.json", "report.html"] {
        assert!(fs::metadata(run.join(file)).unwrap().len() > 0, "{file}");
    }
    sbridge().arg("eval").arg(&run).arg("--json").assert().success().stdout(contains("\"psnr\""));
    sbridge()
        .arg("transport")
        .arg(&run)
        .args(["--input", &degraded, "--out", "x.csv"])
        .assert()
        .code(2)
        .stderr(contains("sbridge restore"));
    // What was learned without noise is no bridge with noise.
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), config.replace("paths = \"ode\"", "paths = \"stochastic\"")).unwrap();
    restore(&run, &degraded, &out, &[]).assert().code(2).stderr(contains("was trained on ode paths"));
}

#[test]
fn a_hole_is_filled_and_nothing_else_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (run, glyphs) = (folder.path().join("run"), "builtin:glyphs?n=120");
    fit(&run, &["--clean", glyphs, "--degrade", "hole", "--compare", "regression"], TINY).assert().success();
    let draw = |name: &str, seed: &str| {
        let out = folder.path().join(name);
        restore(&run, glyphs, &out, &["--nfe", "2", "--seed", seed]).assert().success();
        numbers(&out)
    };
    let (first, again, other) = (draw("a.csv", "1"), draw("b.csv", "1"), draw("c.csv", "2"));
    assert_eq!(first, again);
    let side = ((first.len() / 120) as f64).sqrt() as usize;
    let is_lost = |i: usize| {
        let (y, x) = (i % (side * side) / side, i % side);
        [y, x].iter().all(|at| (side / 4..side / 4 + side / 2).contains(at))
    };
    let differ = |lost: bool| {
        (0..first.len()).filter(|i| is_lost(*i) == lost && first[*i] != other[*i]).count() as f64
    };
    assert_eq!(differ(false), 0.0);
    assert!(differ(true) > 0.5 * first.len() as f64 / 4.0, "{}", differ(true));
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit(&run, &["--clean", "builtin:glyphs?n=120", "--degrade", "free-form"], TINY).assert().success();
    let learned = fs::read(run.join("paired.safetensors")).unwrap();
    interrupt(&run);
    fs::remove_file(run.join("checkpoints/regression.safetensors")).unwrap();
    sbridge().args(["fit", "paired", "--resume"]).arg(&run).assert().success();
    assert!(learned == fs::read(run.join("paired.safetensors")).unwrap());
    let out = run.join("x.npy");
    restore(&run, "builtin:glyphs?n=120", &out, &[]).assert().code(2).stderr(contains("--mask"));
    restore(&run, "builtin:glyphs?n=120", &out, &["--mask", "builtin:glyphs?n=120"]).assert().success();
    restore(&run, "builtin:glyphs?n=120", &out, &["--mask", "builtin:glyphs?n=12"]).assert().code(2);
}

/// Coordinates of the joint law below, inputs whose law is looked at, and draws of each.
const DIM: usize = 10;
const INPUTS: usize = 20;
const DRAWS: usize = 4000;

/// Of x₀ = K x₁ + M n: what the input, and what noise adds to coordinate i of the clean vector.
fn joined(input: &[f64], noise: &[f64], i: usize) -> f64 {
    let of = |values: &[f64], k: usize| values[k % DIM];
    0.7 * of(input, i + 3) - 0.5 * of(input, i + 1) + 0.4 * of(noise, i) + 0.2 * of(noise, i + 1)
}

/// Standard normal vectors, by pairs of uniform numbers.
fn normals(count: usize, mut state: u64) -> Vec<Vec<f64>> {
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    let mut normal = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (0..count).map(|_| (0..DIM).map(|_| normal()).collect()).collect()
}

fn write_rows(path: &Path, rows: &[Vec<f64>]) -> String {
    let line = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    fs::write(path, rows.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn pairs_of_a_gaussian_joint_give_its_conditional_law() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (degraded, noise) = (normals(40_000, 1), normals(40_000, 2));
    let clean: Vec<Vec<f64>> = degraded
        .iter()
        .zip(&noise)
        .map(|(input, noise)| (0..DIM).map(|i| joined(input, noise, i)).collect())
        .collect();
    let inputs = write_rows(&path("inputs.csv"), &degraded[..INPUTS]);
    // Errors of mean and covariance given the input, as shares of the exact ones, where rows are paired with the row so far on.
    let errors = |name: &str, shift: usize| {
        let shifted: Vec<Vec<f64>> = clean.iter().cycle().skip(shift).take(clean.len()).cloned().collect();
        let pairs = [write_rows(&path("clean.csv"), &shifted), write_rows(&path("degraded.csv"), &degraded)];
        let run = path(name);
        let sets = [
            "bridge.net.mlp.width=64",
            "bridge.net.mlp.layers=2",
            "bridge.fit.steps=500",
            "output.calls=[1]",
        ];
        let options = ["--clean", &pairs[0], "--degraded", &pairs[1], "--compare", "regression"];
        fit(&run, &options, &sets).assert().success();
        let out = path("out.csv");
        restore(&run, &inputs, &out, &["--draws", &DRAWS.to_string(), "--nfe", "10"]).assert().success();
        conditional_errors(&numbers(&out), &degraded[..INPUTS])
    };
    let [mean, covariance] = errors("run", 0);
    // Draws leave 0.8 % and 1 %, the moments of 40 000 pairs and a short training as much again.
    assert!(mean < 0.03 && covariance < 0.03, "{mean} {covariance}");
    let shuffled = errors("shuffled", 1);
    assert!(shuffled.iter().all(|error| *error > 0.2), "{shuffled:?}");
}

/// How far means of `drawn` for each of `inputs`, and the covariance about them, are from K x₁ and M Mᵀ.
fn conditional_errors(drawn: &[f64], inputs: &[Vec<f64>]) -> [f64; 2] {
    let draws: Vec<&[f64]> = drawn.chunks_exact(DIM).collect();
    let of_input = |k: usize| draws.iter().skip(k).step_by(INPUTS);
    let mean = |k: usize, i: usize| of_input(k).map(|row| row[i]).sum::<f64>() / DRAWS as f64;
    let means: Vec<Vec<f64>> = (0..INPUTS).map(|k| (0..DIM).map(|i| mean(k, i)).collect()).collect();
    let share = |pairs: Vec<(f64, f64)>| {
        let off: f64 = pairs.iter().map(|(found, exact)| (found - exact).powi(2)).sum();
        (off / pairs.iter().map(|(_, exact)| exact.powi(2)).sum::<f64>()).sqrt()
    };
    let of_means =
        (0..INPUTS * DIM).map(|k| (means[k / DIM][k % DIM], joined(&inputs[k / DIM], &[0.0; DIM], k % DIM)));
    let of_covariance = (0..DIM * DIM).map(|k| {
        let (i, j) = (k / DIM, k % DIM);
        let centred = |row: &[f64], input: usize, i: usize| row[i] - means[input][i];
        let product = |(n, row): (usize, &&[f64])| centred(row, n % INPUTS, i) * centred(row, n % INPUTS, j);
        let found = draws.iter().enumerate().map(product).sum::<f64>() / draws.len() as f64;
        let exact = match (i + DIM - j) % DIM {
            0 => 0.2,
            1 | 9 => 0.08,
            _ => 0.0,
        };
        (found, exact)
    });
    [share(of_means.collect()), share(of_covariance.collect())]
}

#[test]
fn codes_of_samples_of_two_shapes_are_joined() {
    let folder = tempfile::tempdir().unwrap();
    let [clean, degraded] = write_pairs(folder.path(), 2000);
    // The degraded ones in three columns, of which the last is their sum.
    let wide = folder.path().join("wide.csv");
    let rows = numbers(Path::new(&degraded));
    let text: String =
        rows.chunks_exact(2).map(|row| format!("{},{},{}\n", row[0], row[1], row[0] + row[1])).collect();
    fs::write(&wide, text).unwrap();
    let (run, wide) = (folder.path().join("run"), wide.to_str().unwrap());
    let options = ["--clean", &clean, "--degraded", wide, "--latent", "2"];
    let enough = [
        "bridge.fit.steps=1200",
        "bridge.net.mlp.width=64",
        "autoencoder.net.hidden=64",
        "autoencoder.fit.steps=800",
        "output.calls=[1]",
    ];
    fit(&run, &options, &enough)
        .assert()
        .success()
        .stdout(contains("clean, as its code").and(contains("degraded, as it is").not()));
    let learned = fs::read(run.join("paired.safetensors")).unwrap();
    let out = folder.path().join("out.csv");
    restore(&run, wide, &out, &[]).assert().success().stdout(contains("2000 samples"));
    let (found, exact) = (numbers(&out), numbers(Path::new(&clean)));
    let squares: f64 = found.iter().zip(&exact).map(|(x, y)| (x - y).powi(2)).sum();
    let error = (squares / exact.len() as f64).sqrt();
    // Of a deviation of 0.58; what two encoders and a short training leave. The mean of all would be off by 0.58.
    assert!(error < 0.15, "{error}");
    restore(&run, &degraded, &out, &[]).assert().code(2).stderr(contains("the run restores samples of"));
    interrupt(&run);
    for file in ["checkpoints/bridge.safetensors", "codec-degraded.safetensors"] {
        fs::remove_file(run.join(file)).unwrap();
    }
    sbridge().args(["fit", "paired", "--resume"]).arg(&run).assert().success();
    assert!(learned == fs::read(run.join("paired.safetensors")).unwrap());
    fs::remove_file(run.join("codec.safetensors")).unwrap();
    restore(&run, wide, &out, &[]).assert().code(2).stderr(contains("codec.safetensors"));
}

#[test]
fn a_hole_is_filled_by_codes_and_nothing_else_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (run, glyphs) = (folder.path().join("run"), "builtin:glyphs?n=120");
    let sets =
        [TINY, &["autoencoder.fit.steps=20", "autoencoder.net.channels=4", "autoencoder.net.hidden=16"]];
    let options = ["--clean", glyphs, "--degrade", "hole", "--latent", "8"];
    fit(&run, &options, &sets.concat()).assert().success();
    let draw = |name: &str, seed: &str| {
        let out = folder.path().join(name);
        restore(&run, glyphs, &out, &["--nfe", "2", "--seed", seed]).assert().success();
        numbers(&out)
    };
    let (first, other) = (draw("a.csv", "1"), draw("b.csv", "2"));
    let side = ((first.len() / 120) as f64).sqrt() as usize;
    let is_lost = |i: usize| {
        let (y, x) = (i % (side * side) / side, i % side);
        [y, x].iter().all(|at| (side / 4..side / 4 + side / 2).contains(at))
    };
    assert!((0..first.len()).all(|i| is_lost(i) || first[i] == other[i]));
    assert!((0..first.len()).any(|i| is_lost(i) && first[i] != other[i]));
}

#[test]
fn wrong_uses_are_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let [clean, degraded] = write_pairs(folder.path(), 60);
    let short = folder.path().join("short.csv");
    fs::write(&short, "1,2\n".repeat(40)).unwrap();
    let wide = folder.path().join("wide.csv");
    fs::write(&wide, "1,2,3\n".repeat(60)).unwrap();
    let names = |folder: std::path::PathBuf, names: &[&str]| {
        fs::create_dir(&folder).unwrap();
        names.iter().for_each(|name| fs::write(folder.join(name), "").unwrap());
        folder.to_str().unwrap().to_owned()
    };
    let a = names(folder.path().join("a"), &["1.png", "2.png"]);
    let b = names(folder.path().join("b"), &["1.png", "3.png"]);
    let run = folder.path().join("run");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let wrong: Vec<(Vec<String>, &str)> = [
        (vec![], "no clean data"),
        (vec!["--clean", &clean], "no pairs (give --degraded DATA, or --degrade"),
        (vec!["--clean", &clean, "--degraded", &path(&short)], "has 60 samples"),
        (vec!["--clean", &clean, "--degraded", &path(&wide)], "bring both to one shape"),
        (vec!["--clean", &clean, "--degraded", &path(&wide)], "or join codes of them with --latent N"),
        (vec!["--clean", &clean, "--degraded", &path(&wide), "--latent", "3"], "latent_dim"),
        (vec!["--clean", &clean, "--degraded", &path(&wide), "--latent", "2", "--ode"], "leave --ode out"),
        (vec!["--clean", &clean, "--degrade", "blur"], "got vectors"),
        (vec!["--clean", &clean, "--degrade", "fog"], "degrade knows blur"),
        (
            vec!["--clean", "builtin:glyphs?n=100", "--degrade", "hole", "--nfe", "0"],
            "sampler.nfe must be at least 1",
        ),
        (vec!["--clean", &clean, "--degraded", &degraded, "--compare", "gan"], "compare knows regression"),
        (vec!["--clean", &a, "--degraded", &b], "has no file for 2"),
        (vec!["--clean", &degraded, "--degraded", "nowhere.npy"], "nowhere.npy"),
    ]
    .into_iter()
    .map(|(options, problem)| (options.into_iter().map(String::from).collect(), problem))
    .collect();
    for (options, problem) in wrong {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        fit(&run, &options, &[]).assert().code(2).stderr(contains(problem));
        assert!(!run.exists(), "{problem}");
    }
}
