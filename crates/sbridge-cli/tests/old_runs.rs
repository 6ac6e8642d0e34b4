//! Runs that an earlier program made are opened, used and continued.
//!
//! The folders in `golden/runs` stay as they were made, without what the program does not need to open them. A program
//! that cannot read them any more has another format of run folders, and has to say so.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs};

use common::copy;
use serde_json::Value;
use tempfile::TempDir;

/// A copy of an old run, in which commands are given.
struct OldRun(TempDir);

impl OldRun {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/runs");
        copy(&runs.join(name), folder.path());
        Self(folder)
    }

    /// Runs the program with arguments separated by spaces.
    fn command(&self, arguments: &str) -> Output {
        let program = env::var_os("SBRIDGE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sbridge").into());
        Command::new(program).args(arguments.split(' ')).current_dir(self.0.path()).output().unwrap()
    }

    /// What the program prints where it does what it is asked to.
    fn done(&self, arguments: &str) -> String {
        let output = self.command(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap()
    }

    /// How many numbers `arguments` write into x.csv, all of them finite.
    fn numbers(&self, arguments: &str) -> usize {
        self.done(&format!("{arguments} --out x.csv"));
        let numbers = |line: &str| line.split(',').filter_map(|cell| cell.parse().ok()).collect::<Vec<f64>>();
        let found: Vec<f64> = self.read("x.csv").lines().flat_map(numbers).collect();
        assert!(found.iter().all(|x| x.is_finite()), "{arguments}");
        found.len()
    }

    /// Judges the run and writes its report.
    fn is_judged_and_reported(&self) {
        let found: Value = serde_json::from_str(&self.done("eval . --json")).unwrap();
        assert_eq!(found, serde_json::from_str::<Value>(&self.read("evaluation.json")).unwrap());
        fs::remove_file(self.0.path().join("report.html")).unwrap();
        self.done("report .");
        assert!(self.read("report.html").contains("<svg"));
    }

    /// Continues the run with the command `fit`, from its checkpoint and not from the start of the stage.
    fn goes_on(&self, fit: &str) {
        let before = self.read("metrics.jsonl");
        let last = before.lines().last().unwrap();
        let first = before.lines().find(|line| stage_of(line) == stage_of(last)).unwrap();
        // Whoever trains the stage from its start writes this line again.
        fs::write(self.0.path().join("metrics.jsonl"), before.replace(&format!("{first}\n"), "")).unwrap();
        self.done(&format!("{fit} --resume ."));
        let after = self.read("metrics.jsonl");
        assert!(after.len() > before.len() && !after.contains(first), "{after}");
    }
}

fn stage_of(line: &str) -> String {
    serde_json::from_str::<Value>(line).unwrap()["stage"].to_string()
}

const POINTS: &str = "--input builtin:pinwheel?n=20";

#[test]
fn an_old_latent_run_draws_samples() {
    let run = OldRun::new("latent");
    assert_eq!(run.numbers("sample . -n 30"), 30 * 2);
    run.is_judged_and_reported();
}

#[test]
fn old_bridges_carry_both_ways() {
    for method in ["light-sb", "dsbm"] {
        let run = OldRun::new(method);
        assert_eq!(run.numbers(&format!("transport . {POINTS}")), 20 * 2, "{method}");
        assert_eq!(run.numbers(&format!("transport . {POINTS} --direction backward --time 0.3")), 20 * 2);
        assert_eq!(run.numbers(&format!("transport . {POINTS} --flow")), 20 * 2, "{method}");
        run.is_judged_and_reported();
    }
}

#[test]
fn an_old_chain_carries_through_its_snapshots() {
    let run = OldRun::new("chain");
    assert_eq!(run.numbers(&format!("transport . {POINTS}")), 20 * 2);
    assert_eq!(run.numbers(&format!("transport . {POINTS} --from 4 --time 1.5 --draws 2")), 2 * 20 * 2);
    assert_eq!(run.numbers(&format!("transport legs/2-4 {POINTS}")), 20 * 2);
    run.is_judged_and_reported();
}

#[test]
fn an_old_variational_diffusion_draws_samples() {
    let run = OldRun::new("vsdm");
    assert_eq!(run.numbers("sample . -n 30"), 30 * 2);
    run.is_judged_and_reported();
}

#[test]
fn an_old_forecast_draws_paths() {
    let run = OldRun::new("forecast");
    // Each value stands beside the number of its path; two series, four times.
    assert_eq!(run.numbers("forecast predict . --samples 5"), 2 * 5 * 4 * 2);
    run.is_judged_and_reported();
}

#[test]
fn an_old_latent_run_that_was_stopped_goes_on() {
    let run = OldRun::new("latent-interrupted");
    assert_eq!(run.command("sample . --out x.csv").status.code(), Some(2));
    run.goes_on("fit latent");
    assert_eq!(run.numbers("sample . -n 30"), 30 * 2);
    run.is_judged_and_reported();
}

#[test]
fn an_old_bridge_that_was_stopped_goes_on() {
    let run = OldRun::new("dsbm-interrupted");
    assert_eq!(run.command(&format!("transport . {POINTS} --out x.csv")).status.code(), Some(2));
    run.goes_on("fit dsbm");
    assert_eq!(run.numbers(&format!("transport . {POINTS}")), 20 * 2);
    run.is_judged_and_reported();
}
