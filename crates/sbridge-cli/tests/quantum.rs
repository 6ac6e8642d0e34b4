//! Quantum states, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{interrupt, sbridge};
use predicates::prelude::*;
use predicates::str::contains;
use sbridge::quantum::{Validity, c64};
use sbridge_data::{load_matrices, write_npy, write_npy_complex};

/// Little work: a fit of a second or two.
const TINY: &[&str] = &[
    "networks.fit.steps=40",
    "networks.fit.batch_size=64",
    "networks.net.mlp.width=16",
    "networks.steps=5",
    "output.samples=60",
];

fn fit(out: &Path, options: &[&str]) -> Command {
    let mut command = sbridge();
    command.args(["fit", "quantum", "--out"]).arg(out).args(options);
    for set in TINY {
        command.args(["--set", set]);
    }
    command
}

/// Whether all matrices in a file are states to the last bit, and how many there are.
fn states(path: &Path) -> (usize, usize) {
    let found = load_matrices(path.to_str().unwrap()).unwrap();
    let values: Vec<c64> = found.values().chunks_exact(2).map(|z| c64::new(z[0], z[1])).collect();
    let validity = Validity::of(&values, found.dim());
    (validity.valid, validity.count)
}

#[test]
fn states_are_generated_sampled_judged_and_continued() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let said = contains("matrices that are states to the last bit: generated: generated 60 of 60")
        .and(contains("not physical distances"))
        .and(contains("the same on entries"))
        .and(contains("two samples of the data"));
    fit(&run, &["--target", "builtin:mixture?n=300"]).assert().success().stdout(said);
    assert_eq!(states(&run.join("samples.npy")), (60, 60));
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("Are they states?") && report.contains("Negativity"));

    let out = folder.path().join("more.npy");
    let sample = |out: &Path, options: &[&str]| {
        let mut command = sbridge();
        command.arg("sample").arg(&run).args(["-n", "500", "--out"]).arg(out).args(options);
        command
    };
    sample(&out, &[]).assert().success().stdout(contains("500 states"));
    assert_eq!(states(&out), (500, 500));
    sbridge()
        .arg("inspect")
        .arg(&out)
        .assert()
        .success()
        .stdout(contains("4×4").and(contains("to the last bit")));
    sample(&folder.path().join("x.csv"), &[]).assert().code(2).stderr(contains(".npy"));
    sample(&folder.path().join("x.npy"), &["--set", "sampler.steps=3"]).assert().code(2);
    sbridge().arg("eval").arg(&run).arg("--json").assert().success().stdout(contains("\"least_eigenvalue\""));
    sbridge().arg("report").arg(&run).assert().success();
    let carry = ["--input", "builtin:product?n=3", "--out", "y.npy"];
    sbridge().arg("transport").arg(&run).args(carry).assert().code(2).stderr(contains("sbridge sample"));

    // A run that was stopped goes on and ends with the same bytes.
    let before = fs::read(run.join("samples.npy")).unwrap();
    fs::remove_file(run.join("samples.npy")).unwrap();
    interrupt(&run);
    sbridge().args(["fit", "quantum", "--resume"]).arg(&run).assert().success();
    assert_eq!(fs::read(run.join("samples.npy")).unwrap(), before);
}

#[test]
fn ensembles_are_joined_by_a_method_of_choice_and_states_are_carried() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let ends = ["--source", "builtin:product?n=200", "--target", "builtin:werner?n=200&seed=1"];
    let options = [&ends[..], &["--method", "sf2m", "--gauge", "traceless"]].concat();
    let said = contains("forward").and(contains("backward")).and(contains("t = 0.5: 20 of 20 are states"));
    fit(&run, &options).assert().success().stdout(said.and(contains("cost")));
    let (out, paths) = (folder.path().join("y.npy"), folder.path().join("paths.npy"));
    let mut command = sbridge();
    command.arg("transport").arg(&run).args([
        "--input",
        "builtin:product?n=30&seed=5",
        "--draws",
        "2",
        "--out",
    ]);
    command.arg(&out).arg("--paths").arg(&paths).assert().success().stdout(contains("60 states"));
    assert_eq!(states(&out), (60, 60));
    assert!(paths.exists());
    for way in [&["--flow"][..], &["--mean"], &["--time", "0.3"], &["--direction", "backward"]] {
        let mut command = sbridge();
        command.arg("transport").arg(&run).args(["--input", "builtin:werner?n=20", "--out"]).arg(&out);
        command.args(way).assert().success();
        assert_eq!(states(&out), (20, 20), "{way:?}");
    }
    let mut command = sbridge();
    command.arg("transport").arg(&run).args(["--input", "builtin:product?n=5&qubits=1", "--out"]).arg(&out);
    command.assert().code(2).stderr(contains("states of 2 rows").and(contains("of 4")));
    let new = folder.path().join("x.npy");
    sbridge()
        .arg("sample")
        .arg(&run)
        .arg("--out")
        .arg(&new)
        .assert()
        .code(2)
        .stderr(contains("sbridge transport"));
    assert!(!new.exists());
    sbridge().args(["runs"]).arg(folder.path()).assert().success().stdout(contains("quantum-sf2m"));
}

/// A file of as many copies of a matrix of two rows, with real entries.
fn write_matrix(path: &Path, rows: [f64; 4]) -> String {
    let values: Vec<f64> = (0..40).flat_map(|_| rows).flat_map(|x| [x, 0.0]).collect();
    write_npy_complex(path, &values, &[40, 2, 2]).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_is_no_state_is_refused_in_one_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let refused = |target: &str, options: &[&str], problem: &str| {
        let options = [&["--target", target][..], options].concat();
        let assert = fit(&run, &options).assert().code(2).stderr(contains(problem));
        let error = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        assert!(!run.exists(), "{problem}");
    };
    let path = folder.path().join("x.npy");
    let matrix = |rows: [f64; 4]| write_matrix(&path, rows);
    refused(&matrix([0.5, 0.1, 0.3, 0.5]), &[], "2.000e-1 from being conjugate");
    refused(&matrix([0.6, 0.0, 0.0, 0.5]), &[], "trace 1.1");
    refused(&matrix([1.2, 0.0, 0.0, -0.2]), &["--depolarise", "0.001"], "negative eigenvalue -2.000e-1");
    refused(&matrix([1.0, 0.0, 0.0, 0.0]), &[], "set depolarise = 0.001");
    refused(&matrix([f64::NAN, 0.0, 0.0, 1.0]), &[], "at row 0, column 0");
    refused(&matrix([0.5, 0.0, 0.0, 0.5]), &[], "all the same");
    let shaped = |dims: &[usize]| {
        let values = vec![0.0; dims.iter().product()];
        write_npy(&path, &values, dims).unwrap();
        path.to_str().unwrap().to_owned()
    };
    refused(&shaped(&[5, 2, 3]), &[], "not square");
    refused(&shaped(&[5, 4]), &[], "not a list of matrices");
    let third = 1.0 / 3.0;
    let values: Vec<f64> = (0..40u8)
        .flat_map(|k| {
            let shift = 0.001 * f64::from(k);
            let diagonal = [third + shift, third - shift, third];
            (0..9).flat_map(move |at| [if at % 4 == 0 { diagonal[at / 4] } else { 0.0 }, 0.0])
        })
        .collect();
    write_npy_complex(&path, &values, &[40, 3, 3]).unwrap();
    refused(path.to_str().unwrap(), &["--partition", "1"], "power of two");
    refused("builtin:produkt", &[], "did you mean product?");
    refused("builtin:full?qubits=1", &[], "qubits must be at least 2");
    refused("builtin:mixture?n=300", &["--partition", "3"], "some of the qubits 1 to 2");
    refused("builtin:mixture?n=300", &["--depolarise", "2"], "depolarise must be in [0, 1), got 2");
    refused("builtin:mixture?n=5", &[], "training samples");
    refused("builtin:mixture?n=300", &["--source", "builtin:product?qubits=1"], "join states of one size");
    refused("nowhere.npy", &[], "no such file");
}

#[test]
fn repairs_are_made_if_asked_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let values: Vec<f64> = (0..40u8)
        .flat_map(|k| {
            let a = 0.3 + 0.005 * f64::from(k);
            let skew = if k == 0 { 0.2 } else { 0.0 };
            let whole = if k < 2 { 2.0 } else { 1.0 };
            [a, 0.0, 0.1 + skew, 0.05, 0.1, -0.05, 1.0 - a, 0.0].map(|x| whole * x)
        })
        .collect();
    write_npy_complex(&path, &values, &[40, 2, 2]).unwrap();
    let run = folder.path().join("run");
    let target = path.to_str().unwrap();
    fit(&run, &["--target", target]).assert().code(2);
    let options = ["--target", target, "--symmetrise", "--normalise", "--no-compare"];
    let said =
        contains("1 of 40 matrices were not Hermitian").and(contains("2 of 40 matrices had another trace"));
    fit(&run, &options).assert().success().stderr(said);
    assert_eq!(states(&run.join("samples.npy")), (60, 60));
    assert!(!run.join("plain").exists());
}
