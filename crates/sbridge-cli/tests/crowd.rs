//! Bridges that pay for where they go, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::sbridge;
use predicates::prelude::*;
use predicates::str::contains;

/// Little work: a fit of a second or two.
const TINY: &[&str] = &[
    "networks.half_bridges=2",
    "networks.steps=20",
    "networks.net.mlp.width=16",
    "networks.net.mlp.layers=2",
    "networks.fit.steps=40",
    "networks.fit.batch_size=64",
    "networks.cache.rows=64",
    "networks.paths.descent.iterations=20",
    "networks.paths.descent.times=20",
    "plain=2",
];

fn fit(out: &Path, options: &[&str]) -> Command {
    let mut command = sbridge();
    command.args(["fit", "crowd", "--out"]).arg(out).args(options);
    for set in TINY {
        command.args(["--set", set]);
    }
    command
}

/// A cost in a file of `folder`, and two clouds beside it.
fn with_cost(folder: &Path, text: &str) -> Vec<String> {
    fs::write(folder.join("cost.toml"), text).unwrap();
    let cloud = |x: f64| {
        let row = |k: usize| {
            let (a, b) = ((k % 10) as f64 / 10.0, (k / 10) as f64 / 10.0);
            format!("{},{}\n", x + a, b - 0.5)
        };
        (0..100).map(row).collect::<String>()
    };
    fs::write(folder.join("from.csv"), cloud(-4.0)).unwrap();
    fs::write(folder.join("to.csv"), cloud(4.0)).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let options = [
        "--source".into(),
        path("from.csv"),
        "--target".into(),
        path("to.csv"),
        "--cost".into(),
        path("cost.toml"),
    ];
    options.to_vec()
}

/// What is said to `text` as a cost: exit code 2, one line, nothing written.
fn refused(text: &str, extra: &[&str], message: &str) {
    let folder = tempfile::tempdir().unwrap();
    let options = with_cost(folder.path(), text);
    let options: Vec<&str> = options.iter().map(String::as_str).chain(extra.iter().copied()).collect();
    let out = folder.path().join("run");
    let found = fit(&out, &options).assert().code(2).stdout("").stderr(contains(message));
    let said = String::from_utf8(found.get_output().stderr.clone()).unwrap();
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(!out.exists());
}

#[test]
fn a_crowd_is_fitted_judged_reported_carried_and_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let sets = ["--source", "builtin:vneck-source?n=400", "--target", "builtin:vneck-target?n=400"];
    let options: Vec<&str> = ["--cost", "builtin:vneck"].into_iter().chain(sets).collect();
    fit(&out, &options).assert().success().stdout(
        contains("without the cost").and(contains("objective")).and(contains("collisions of 10000 paths")),
    );
    let found: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("evaluation.json")).unwrap()).unwrap();
    assert!(found["crowd"]["kinetic"].as_f64().unwrap() > 0.0);
    assert_eq!(found["crowd"]["spreads"].as_array().unwrap().len(), 21);
    // Straight ways from side to side of the neck touch its walls.
    assert!(found["plain"]["collided"].as_f64().unwrap() > 0.05, "{found}");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for part in ["The crowd on its way", "obstacles", "the plain bridge", "Spread on the way", "kinetic"] {
        assert!(page.contains(part), "{part}");
    }
    let carried = folder.path().join("there.npy");
    let mut transport = sbridge();
    transport
        .args(["transport"])
        .arg(&out)
        .args(["--input", "builtin:vneck-source?n=5", "--out"])
        .arg(&carried);
    transport.assert().success();
    assert!(carried.exists());

    // Without its last half-bridges the run makes them again, to the bit.
    let again = folder.path().join("again");
    common::copy(&out, &again);
    for name in ["plain.safetensors", "evaluation.json", "report.html"] {
        fs::remove_file(again.join(name)).unwrap();
    }
    let manifest = again.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap().replace("\"finished\"", "\"interrupted\"");
    fs::write(&manifest, text).unwrap();
    sbridge().args(["fit", "crowd", "--resume"]).arg(&again).assert().success();
    for name in ["bridge.safetensors", "plain.safetensors"] {
        assert_eq!(fs::read(again.join(name)).unwrap(), fs::read(out.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn terms_of_a_file_add_up_and_stay_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let square = r#"{"type": "Feature", "geometry": {"type": "Polygon", "coordinates":
        [[[-0.5, 1.0], [0.5, 1.0], [0.5, 2.0], [-0.5, 2.0], [-0.5, 1.0]]]}}"#;
    fs::write(folder.path().join("walls.geojson"), square).unwrap();
    let heights: String = (0..4).map(|k| format!("{k},1,2,1,0\n")).collect();
    fs::write(folder.path().join("heights.csv"), heights).unwrap();
    let text = r#"
        [[term]]
        kind = "obstacle"
        weight = 100
        discs = [[0, -1.5, 1]]
        ellipses = [[0, 4, 1, 0.5]]
        boxes = [[-1, 5, 1, 6]]
        file = "walls.geojson"
        [[term]]
        kind = "height"
        weight = 2
        grid = "heights.csv"
        extent = [[-6, -6], [6, 6]]
        [[term]]
        kind = "congestion"
        weight = 1
        [[term]]
        kind = "entropy"
        weight = 1
        [[term]]
        kind = "quadratic"
        weight = 0.1
        centre = [0, 0]
        [[term]]
        kind = "data"
        weight = 0.1
        source = "from.csv"
        bandwidth = 2
        [drift]
        rate = 0.2
    "#;
    let options = with_cost(folder.path(), text);
    let options: Vec<&str> = options.iter().map(String::as_str).chain(["--epsilon", "1"]).collect();
    let out = folder.path().join("run");
    fit(&out, &options).assert().success();
    // The file may go: the run has what it said.
    fs::remove_file(folder.path().join("cost.toml")).unwrap();
    fs::remove_file(folder.path().join("walls.geojson")).unwrap();
    sbridge().arg("eval").arg(&out).assert().success();
    let kept = fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(kept.contains("polygons") && kept.contains("sha256") && kept.contains("rate = 0.2"), "{kept}");
    // What it refers to may not change.
    fs::write(folder.path().join("heights.csv"), "0,1\n2,3\n").unwrap();
    sbridge().arg("eval").arg(&out).assert().code(2).stderr(contains("has changed since the run began"));
}

#[test]
fn costs_that_cannot_be_paid_are_refused_before_anything_is_written() {
    let obstacle = |rest: &str| format!("[[term]]\nkind = \"obstacle\"\nweight = 1\n{rest}");
    refused(&obstacle("discs = [[-3.5, 0, 3]]"), &[], "an obstacle contains all 100 samples of");
    refused(
        "[[term]]\nkind = \"congestion\"\nweight = -1",
        &[],
        "weight must be a finite number >= 0, got -1",
    );
    refused("[[term]]\nkind = \"congestion\"\nweight = nan", &[], "weight must be a finite number >= 0");
    refused(
        "[[term]]\nkind = \"obstacel\"\nweight = 1",
        &[],
        "has the unknown kind \"obstacel\" (did you mean obstacle? there are obstacle, height",
    );
    refused(&obstacle("disks = [[0, 0, 1]]"), &[], "unknown field `disks`, expected one of");
    refused(
        &obstacle("polygons = [[[0, 0], [1, 1], [1, 0], [0, 1]]]"),
        &[],
        "polygon must be without crossings, got edges 1 and 3 crossing",
    );
    refused(
        "[[term]]\nkind = \"quadratic\"\nweight = 1e300\ncentre = [1e200, 0]",
        &[],
        "the cost is inf at sample 1 of",
    );
    refused("[[term]]\nkind = \"quadratic\"\nweight = 1\ncentre = [1]", &[], "centre of a quadratic cost");
    refused("[[terms]]\nkind = \"entropy\"", &[], "unknown field `terms`");
    refused("", &[], "has no [[term]]");
    refused(&obstacle("image = \"map.png\""), &[], "map.png");
    let height = "[[term]]\nkind = \"height\"\nweight = 1\ngrid = \"from.csv\"\nextent = [[-1, -1], [1, 1]]";
    refused(height, &[], "covers [-1.0, -1.0] to [1.0, 1.0], and a sample of");
    refused(
        &obstacle("discs = [[0, 0, 1]]"),
        &["--set", "networks.paths.descent.momentum=1"],
        "momentum must be in [0, 1)",
    );
    refused(
        &obstacle("discs = [[0, 0, 1]]"),
        &["--set", "epsilon=-1"],
        "epsilon must be a finite number >= 0",
    );
    let folder = tempfile::tempdir().unwrap();
    fit(&folder.path().join("run"), &["--cost", "builtin:stunel"])
        .assert()
        .code(2)
        .stderr(contains("did you mean stunnel?"));
    fit(&folder.path().join("run"), &[]).assert().code(2).stderr(contains("no cost (give --cost FILE"));
}
