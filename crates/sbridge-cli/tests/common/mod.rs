//! What the tests of the command share.

#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub)]

use std::path::Path;
use std::time::{Duration, Instant};

use assert_cmd::Command;

/// The built binary.
pub fn sbridge() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sbridge"))
}

/// Settings that make a run take a second or two.
pub const TINY: &[&str] = &[
    "--set",
    "autoencoder.fit.steps=30",
    "--set",
    "autoencoder.fit.batch_size=32",
    "--set",
    "autoencoder.net.channels=4",
    "--set",
    "autoencoder.net.hidden=32",
    "--set",
    "bridge.fit.steps=60",
    "--set",
    "bridge.fit.batch_size=64",
    "--set",
    "bridge.score.net.width=32",
    "--set",
    "bridge.score.net.blocks=1",
    "--set",
    "sampler.steps=20",
    "--set",
    "output.samples=60",
    "--set",
    "output.held_out=0.2",
];

/// Makes the finished run in `run` one that was stopped.
pub fn interrupt(run: &Path) {
    let path = run.join("manifest.json");
    let finished = std::fs::read_to_string(&path).unwrap();
    let interrupted = finished.replace("\"finished\"", "\"interrupted\"");
    assert_ne!(finished, interrupted);
    std::fs::write(path, interrupted).unwrap();
}

/// A small run on built-in vectors.
pub fn fit_moons(out: &Path) -> Command {
    let mut command = sbridge();
    command.args(["fit", "latent", "--target", "builtin:moons?n=400", "--encoder", "identity", "--out"]);
    command.arg(out).args(TINY);
    command
}

/// A small run on built-in images without labels to train a judge on: the images as an array.
pub fn fit_images(out: &Path, images: &Path) -> Command {
    let mut command = sbridge();
    command
        .args(["fit", "latent", "--latent-dim", "4", "--target"])
        .arg(images)
        .arg("--out")
        .arg(out)
        .args(TINY);
    command
}

/// Steps enough for both networks to be killed while they train, and as many checkpoints as there can be.
pub const LONGER: &[&str] = &[
    "--set",
    "autoencoder.fit.steps=300",
    "--set",
    "bridge.fit.steps=800",
    "--set",
    "bridge.fit.patience=0",
    "--set",
    "output.checkpoint_seconds=0",
];

/// A list of numbers in [0, 1) that look random and are the same every time.
pub fn shares(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64
    })
}

/// Waits for something to happen, a minute at most.
pub fn wait_until(done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing happened for a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Copies the folder `from`, with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            std::fs::copy(&path, &copied).unwrap();
        }
    }
}

/// Writes `count` 8 × 8 images of bright squares as .npy.
pub fn write_images(path: &Path, count: usize) {
    let mut values = Vec::new();
    for i in 0..count {
        let (row, column) = (i % 5, i / 5 % 5);
        let bright = |p: usize| (row..row + 3).contains(&(p / 8)) && (column..column + 3).contains(&(p % 8));
        values.extend((0..64).map(|p| if bright(p) { 0.5 + 0.5 * (i % 7) as f32 / 7.0 } else { 0.0 }));
    }
    sbridge_data::write_npy(path, &values, &[count, 8, 8]).unwrap();
}
