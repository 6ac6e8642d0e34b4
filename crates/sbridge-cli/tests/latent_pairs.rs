//! Bridges between the codes of two sets, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::sbridge;
use predicates::str::contains;

const SOURCE: &str = "builtin:letters?n=300";
const TARGET: &str = "builtin:digits?n=300";

/// A fit of little work.
fn fit(out: &Path, options: &[&str]) -> Command {
    let mut command = sbridge();
    command.args(["fit", "light-sb", "--source", SOURCE, "--target", TARGET, "--out"]).arg(out).args(options);
    command.args(["--set", "light_sb.steps=100", "--set", "autoencoder.fit.steps=40"]);
    command.args(["--set", "autoencoder.net.channels=4", "--set", "autoencoder.net.hidden=32"]);
    command
}

#[test]
fn images_are_joined_by_their_codes_and_come_back_as_images() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (folder.path().join("run"), folder.path().join("y.npy"));
    fit(&run, &["--latent", "4"]).assert().success().stdout(contains("the same, decoded"));
    for file in ["codec.safetensors", "bridge.safetensors", "forward.png", "backward.png", "report.html"] {
        assert!(fs::metadata(run.join(file)).unwrap().len() > 0, "{file}");
    }
    let carry = |options: &[&str]| {
        let mut command = sbridge();
        command.arg("transport").arg(&run).args(["--input", SOURCE, "--out"]).arg(&out).args(options);
        command.assert().success();
        let data = sbridge_data::load(out.to_str().unwrap()).unwrap();
        assert_eq!((data.len(), data.shape().size()), (300, 784), "{options:?}");
        // Decoded values keep to the range of the data.
        let (low, high) = data.value_range();
        assert!(low >= 0.0 && high <= 255.0 && high > 1.0, "{low} {high}");
    };
    carry(&[]);
    carry(&["--direction", "backward", "--time", "0.4"]);
    carry(&["--flow"]);
    let paths = folder.path().join("paths.npy");
    carry(&["--paths", paths.to_str().unwrap()]);
    // States are decoded as well.
    assert!(String::from_utf8_lossy(&fs::read(&paths).unwrap()[..128]).contains("(101, 300, 784"));
    let bridge = fs::read(run.join("bridge.safetensors")).unwrap();
    fs::remove_file(run.join("bridge.safetensors")).unwrap();
    sbridge().args(["fit", "light-sb", "--resume"]).arg(&run).assert().success();
    assert_eq!(fs::read(run.join("bridge.safetensors")).unwrap(), bridge);
    // The settings written down are those the run was made with, ε included.
    let again = folder.path().join("again");
    let config = run.join("config.toml");
    let mut command = sbridge();
    command.args(["fit", "light-sb", "--config"]).arg(&config).arg("--out").arg(&again).assert().success();
    assert_eq!(fs::read(again.join("bridge.safetensors")).unwrap(), bridge);
}

#[test]
fn the_flow_carries_without_noise() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit(&run, &["--latent", "4"]).assert().success();
    let carried = |seed: &str| {
        let out = folder.path().join(format!("{seed}.npy"));
        let mut command = sbridge();
        command
            .arg("transport")
            .arg(&run)
            .args(["--input", SOURCE, "--flow", "--seed", seed, "--out"])
            .arg(&out);
        command.assert().success();
        fs::read(out).unwrap()
    };
    assert_eq!(carried("1"), carried("2"));
}

#[test]
fn codes_that_cannot_be_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let refused = |options: &[&str], message: &str| {
        fit(&out, options).assert().code(2).stderr(contains(message));
        assert!(!out.exists(), "{options:?}");
    };
    refused(&["--latent", "0"], "0 is not in 1..");
    refused(&["--latent", "1000"], "latent_dim must be between 1 and the size of a sample, 784");
    refused(&[], "autoencoder has settings, and there is no encoder (give --latent N)");
    refused(
        &["--latent", "4", "--set", "autoencoder.encoder=identity"],
        "autoencoder.encoder must be \"trained\"",
    );
}
