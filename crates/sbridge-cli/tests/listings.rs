//! What the command says of many runs, and of itself.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;

use common::sbridge;
use predicates::str::contains;

#[test]
fn runs_below_a_folder_are_listed_with_the_number_they_were_judged_by() {
    let folder = tempfile::tempdir().unwrap();
    let (pair, latent) = (folder.path().join("a/pair"), folder.path().join("latent"));
    let mut fit = sbridge();
    fit.args(["fit", "light-sb", "--source", "builtin:moons?n=300", "--target", "builtin:circles?n=300"]);
    fit.args(["--set", "light_sb.components=3", "--set", "light_sb.steps=30", "--out"]).arg(&pair);
    fit.assert().success();
    common::fit_moons(&latent).assert().success();
    fs::create_dir(folder.path().join("damaged")).unwrap();
    fs::write(folder.path().join("damaged/manifest.json"), "{").unwrap();

    let mut runs = sbridge();
    let listed = runs.arg("runs").arg(folder.path()).assert().success();
    let listed = listed.stderr(contains("damaged/manifest.json cannot be read"));
    let table = String::from_utf8(listed.get_output().stdout.clone()).unwrap();
    let words = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = table.lines().map(words).collect();
    assert_eq!(lines[0].join(" "), "run task method data status time judged by");
    assert_eq!(lines[1][1..3], ["between", "light-sb"]);
    assert_eq!(lines[2][1..3], ["latent", "latent"]);
    assert!(table.contains("builtin:moons?n=300 → builtin:circles?n=300  finished"), "{table}");
    assert!(table.contains("W2 ") && table.contains("Fréchet distance "), "{table}");

    let mut runs = sbridge();
    let output =
        runs.args(["runs", "--json"]).arg(folder.path()).assert().success().get_output().stdout.clone();
    let rows: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let evaluation: serde_json::Value =
        serde_json::from_slice(&fs::read(pair.join("evaluation.json")).unwrap()).unwrap();
    assert_eq!(rows[0]["headline"][1], evaluation["ends"][0]["carried"]["w2"]);
    assert_eq!((&rows[0]["task"], &rows[1]["task"]), (&"between".into(), &"latent".into()));
}

#[test]
fn a_folder_without_runs_is_an_empty_table_and_one_that_is_not_there_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut runs = sbridge();
    runs.args(["runs", "--json"]).arg(folder.path()).assert().success().stdout("[]\n");
    let mut runs = sbridge();
    runs.arg("runs").arg(folder.path().join("none")).assert().code(1).stderr(contains("cannot read"));
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let printed = |arguments: &[&str]| {
        let output = sbridge().args(arguments).assert().success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    };
    for shell in ["bash", "zsh", "fish"] {
        let text = printed(&["completions", shell]);
        // Fish writes options without dashes.
        for word in ["transport", "light-sb", "hold-out", "completions"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    let manual = printed(&["man"]);
    for word in [".TH sbridge", "transport", "hold\\-out", "predict"] {
        assert!(manual.contains(word), "{word}");
    }
}
