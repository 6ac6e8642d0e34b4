//! `sbridge reproduce`, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;

use common::sbridge;
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
    run().assert().success().stdout(contains("checks passed"));
    let text = fs::read_to_string(out.join("reproduction.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["effort"], "quick");
    for study in found["studies"].as_array().unwrap() {
        let checks = study["checks"].as_array().unwrap();
        assert!(!checks.is_empty() && checks.iter().all(|check| check["passed"] == true), "{study}");
    }
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("The end-to-end inequality") && page.contains("<svg"));
    run().assert().code(2).stderr(contains("exists already"));
}
