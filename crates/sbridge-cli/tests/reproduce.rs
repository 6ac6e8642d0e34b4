//! `sbridge reproduce`, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;

use common::sbridge;
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;

#[test]
fn what_is_known_of_latent_bridges_is_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("lsbdm");
    let run = || {
        let mut command = sbridge();
        command.args(["reproduce", "lsbdm", "--quick", "--out"]).arg(&out);
        command
    };
    let said = "46 of 46 reproductions passed; 31 of 31 bounds hold";
    run().assert().success().stdout(contains(said).and(contains("every control failed, as it must.")));
    let text = fs::read_to_string(out.join("reproduction.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["effort"], "quick");
    for study in found["studies"].as_array().unwrap() {
        let checks = study["checks"].as_array().unwrap();
        assert!(!checks.is_empty() && checks.iter().all(|check| check["verdict"] == "pass"), "{study}");
        assert!(checks.iter().all(|check| check["control"]["measured"].is_f64()), "{study}");
    }
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("The end-to-end inequality") && page.contains("<svg"));
    assert!(page.contains("bound, used to ") && page.contains("score 30 % too weak"));
    run().assert().code(2).stderr(contains("exists already"));

    // One study alone draws what it draws among the others.
    let alone = folder.path().join("alone");
    let only = |name: &str| {
        let mut command = sbridge();
        command.args(["reproduce", "lsbdm", "--quick", "--only", name, "--out"]).arg(&alone).assert()
    };
    only("spiral")
        .code(2)
        .stderr(contains("no study is named \"spiral\"; this experiment has marginals, steps,"));
    only("steps").success();
    let text = fs::read_to_string(alone.join("reproduction.json")).unwrap();
    let one: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(one["studies"].as_array().unwrap().len(), 1);
    assert_eq!(one["studies"][0]["checks"], found["studies"][1]["checks"]);
}

#[test]
fn what_is_known_of_variational_diffusions_is_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("gaussian");
    let mut command = sbridge();
    command.args(["reproduce", "vsdm-gaussian", "--quick", "--out"]).arg(&out);
    command.assert().success().stdout(contains("7 of 7 reproductions passed; every control failed"));
}

#[test]
fn data_that_an_experiment_is_not_about_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("rates");
    let file = folder.path().join("rates.csv");
    fs::write(&file, "day,a\n2024-01-01,1\n2024-01-02,2\n").unwrap();
    let refused = |options: &[&str], message: &str| {
        let mut command = sbridge();
        command.args(["reproduce", "vsdm-exchange", "--out"]).arg(&out).args(options);
        command.assert().code(2).stderr(contains(message));
        assert!(!out.exists());
    };
    refused(&[], "--data");
    refused(
        &["--data", file.to_str().unwrap()],
        "holds 1 series of 2 times, the exchange rates are 8 of 6221",
    );
}
