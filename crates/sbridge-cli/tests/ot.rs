//! `sbridge ot`, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::sbridge;
use predicates::prelude::*;
use predicates::str::contains;

fn json(arguments: &[&str]) -> serde_json::Value {
    let output = sbridge().arg("ot").args(arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Writes points as CSV and returns the path.
fn table(folder: &tempfile::TempDir, name: &str, points: &[[f32; 2]]) -> String {
    let path = folder.path().join(name);
    let text: String = points.iter().map(|[x, y]| format!("{x},{y}\n")).collect();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn a_shifted_cloud_costs_its_shift() {
    let folder = tempfile::tempdir().unwrap();
    let points: Vec<[f32; 2]> = (0..40).map(|i| [(i % 8) as f32, (i / 8) as f32 * 1.5]).collect();
    let shifted: Vec<[f32; 2]> = points.iter().map(|[x, y]| [x + 3.0, y - 4.0]).collect();
    let (a, b) = (table(&folder, "a.csv", &points), table(&folder, "b.csv", &shifted));
    let found = json(&[&a, &b]);
    let value = |name: &str| found[name].as_f64().unwrap();
    assert!((value("exact_w2") - 5.0).abs() < 1e-6); // coordinates are exact in f32
    // The divergence of a shift is exactly its cost, up to marginals wrong by 1e-4 of potentials of order ten.
    assert!((value("sinkhorn_divergence") - 12.5).abs() < 1e-2);
    assert_eq!(found["converged"], true);
    assert!((value("epsilon") - 0.05 * value("cost_spread")).abs() < 1e-9);
}

#[test]
fn the_plan_has_the_weights_of_the_points_as_marginals() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.npz");
    let plan = plan.to_str().unwrap();
    sbridge()
        .args(["ot", "builtin:moons?n=30", "builtin:circles?n=50", "--epsilon", "1.0", "--plan", plan])
        .assert()
        .success()
        .stdout(contains("given; the cost's standard deviation"));
    let masses = sbridge_data::load(&format!("{plan}#plan")).unwrap();
    assert_eq!((masses.len(), masses.shape().size()), (30, 50));
    for row in masses.rows() {
        // The source marginal is right to the tolerance 1e-4 in total.
        assert!((row.iter().sum::<f32>() - 1.0 / 30.0).abs() < 1e-4);
    }
    let column: f32 = masses.rows().map(|row| row[7]).sum();
    assert!((column - 0.02).abs() < 1e-6); // the target marginal is exact, to f32
    assert_eq!(sbridge_data::load(&format!("{plan}#g")).unwrap().values().len(), 50);
}

#[test]
fn an_epsilon_too_small_is_said_in_words_with_a_better_one_beside_the_exact_distance() {
    sbridge()
        .args(["ot", "builtin:moons?n=300", "builtin:8gaussians?n=300", "--epsilon", "1e-20"])
        .assert()
        .success()
        .stdout(contains("exact W2").and(contains("a trillionth of the largest cost")))
        .stdout(contains("--epsilon 0.40").and(contains("is usual here")));
}

#[test]
fn sets_of_different_sizes_are_transported_whole() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<[f32; 2]> = (0..300).map(|i| [(i % 2) as f32, 0.0]).collect();
    let (a, b) = (table(&folder, "a.csv", &many), table(&folder, "b.csv", &[[0.0, 1.0], [1.0, 1.0]]));
    let found = json(&[&a, &b]);
    for name in ["exact_w1", "exact_w2"] {
        assert!((found[name].as_f64().unwrap() - 1.0).abs() < 1e-12, "{found}"); // a sum of 300 shares
    }
    assert_eq!(found["exact_points"], serde_json::json!([300, 2]));
    // One point has but one plan.
    sbridge().args(["ot", &b, &b]).assert().success();
    let one = table(&folder, "one.csv", &[[3.0, 4.0]]);
    let other = table(&folder, "other.csv", &[[0.0, 0.0]]);
    sbridge()
        .args(["ot", &one, &other])
        .assert()
        .success()
        .stdout(contains("exact W2               5.000000").and(contains("all pairs cost the same")));
}

#[test]
fn a_column_of_weights_is_doubted_and_used_when_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let a = write("a.csv", "x,weight\n0,3\n4,1\n");
    let b = write("b.csv", "x,mass\n1,0.5\n3,0.5\n");
    sbridge().args(["ot", &a, &b]).assert().success().stdout(contains("looks like weights"));
    // ¾ at 0 and ¼ at 4 go to ½ at 1 and ½ at 3: a quarter of the mass goes 3, the rest 1.
    let found = json(&[&a, &b, "--weights", "weight,mass"]);
    assert_eq!(found["exact_w1"].as_f64(), Some(1.5));
    let refused = |weights: &str, message: &str| {
        sbridge().args(["ot", &a, &b, "--weights", weights]).assert().code(2).stderr(contains(message));
    };
    refused("weight", "its columns are x, mass");
    refused("a,b,c", "one name for both sides or SOURCE,TARGET");
}

#[test]
fn a_difference_of_rounding_is_called_that() {
    let folder = tempfile::tempdir().unwrap();
    let a = table(&folder, "a.csv", &[[1.0, 2.0], [3.0, 4.5], [0.5, 1e16]]);
    let b = table(&folder, "b.csv", &[[1.25, 2.5], [3.5, 4.0], [2.5, 1e16]]);
    sbridge().args(["ot", &a, &b]).assert().success().stdout(
        contains("rounding: not told from 0")
            .and(contains("says nothing of the other points"))
            .and(contains(format!("exact W2               {:.6}", ((0.3125 + 0.5 + 4.0) / 3.0_f64).sqrt()))),
    );
}

#[test]
fn large_sets_are_sampled_and_the_screen_says_so() {
    sbridge()
        .args(["ot", "builtin:moons?n=900", "builtin:moons?n=700&seed=1", "--limit", "200"])
        .assert()
        .success()
        .stdout(
            contains("a random 200 of them (22 %) used")
                .and(contains("200 points of each of 900 and 700, matched")),
        );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let refused = |arguments: &[&str], message: &str| {
        sbridge().arg("ot").args(arguments).assert().code(2).stderr(contains(message));
    };
    refused(&["builtin:moons", "builtin:digits?n=20"], "compare data of one shape");
    refused(&["builtin:moons", "missing.npy"], "missing.npy");
    refused(&["builtin:moons", "builtin:moons", "--epsilon=-1"], "finite number > 0, or auto");
    refused(&["builtin:moons", "builtin:moons", "--epsilon", "nan"], "finite number > 0, or auto");
    refused(
        &["builtin:moons", "builtin:moons", "--epsilon", "1e-20", "--plan", "p.npz"],
        "there is no plan to write",
    );
    refused(&["builtin:moons", "builtin:moons", "--limit", "0"], "at least 1");
    refused(&["builtin:moons", "builtin:moons", "--plan", "plan.csv"], "must end in .npz");
}
