//! The examples do what they say.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;

/// What the example `name` prints when it works in `out`.
fn printed(name: &str, out: &Path) -> String {
    // Tests lie beside the folder of the examples.
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples").join(name);
    let output = Command::new(&program).arg(out).output();
    let output =
        output.unwrap_or_else(|e| panic!("{}: {e} (cargo build --examples makes it)", program.display()));
    let (text, problem) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{text}{problem}");
    assert!(problem.is_empty(), "a library prints nothing: {problem}");
    text
}

fn assert_has(text: &str, parts: &[&str]) {
    parts.iter().for_each(|part| assert!(text.contains(part), "{part} is not in {text}"));
}

#[test]
fn a_bridge_is_watched_stopped_continued_used_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed("bridge", &folder.path().join("run"));
    assert_has(
        &text,
        &["backward-1: from 0 to 200", "Info: epsilon", "stopped; ", "forward, 40 held-out samples"],
    );
    assert_has(&text, &["400 samples carried"]);
    let manifest = std::fs::read_to_string(folder.path().join("run/manifest.json")).unwrap();
    assert_has(&manifest, &["memory:left", "memory:right", "finished"]);
}

#[test]
fn samples_are_generated_from_a_run_that_was_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed("generate", &folder.path().join("run"));
    assert_has(&text, &["Fréchet", "decode(encode(unseen data))"]);
    assert_eq!(text.lines().filter(|line| line.starts_with('[')).count(), 5);
}

#[test]
fn series_in_memory_are_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed("forecast", &folder.path().join("run"));
    assert_has(&text, &["CRPS-sum", "vector autoregression", "50 paths of sine and cosine from 2026-01-26"]);
    let paths = std::fs::read_to_string(folder.path().join("run/paths.csv")).unwrap();
    assert_eq!(paths.lines().count(), 1 + 50 * 24 * 2);
}
