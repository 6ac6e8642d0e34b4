//! `sbridge bench`, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::sbridge;
use predicates::str::contains;

#[test]
fn the_plan_of_an_entropic_benchmark_is_found() {
    let output =
        sbridge().args(["bench", "eot", "--dim", "2", "--epsilon", "1,10", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cells: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for cell in cells.as_array().unwrap() {
        let value = |name: &str| cell[name].as_f64().unwrap();
        // 0.1 % is a thousandth of what ignoring x gives at ε = 1, and about what a thousand exact draws give.
        assert!(value("light_sb") < 0.1, "{cell}");
        assert!(value("independent") > 10.0 && value("floor") > 0.0, "{cell}");
    }
}

#[test]
fn dimensions_and_epsilons_that_cannot_be_are_refused() {
    let refused = |arguments: &[&str], message: &str| {
        sbridge().args(["bench", "eot"]).args(arguments).assert().code(2).stderr(contains(message));
    };
    refused(&["--dim", "1", "--epsilon", "1"], "dim must be at least 2");
    refused(&["--dim", "two"], "--dim takes numbers such as 2,16");
    refused(&["--dim", "2", "--epsilon", "0,1"], "epsilon");
}
