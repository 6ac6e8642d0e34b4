//! Runs from start to end, driven through the built binary.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{TINY, fit_images, fit_moons, sbridge, wait_until, write_images};
use predicates::str::contains;

#[test]
fn run_on_images_leaves_everything_a_user_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    let (images, run) = (folder.path().join("images.npy"), folder.path().join("run"));
    write_images(&images, 300);
    fit_images(&run, &images).assert().success().stdout(contains("precision"));
    for file in [
        "config.toml",
        "manifest.json",
        "model.safetensors",
        "metrics.jsonl",
        "samples.npy",
        "samples.png",
        "neighbours.png",
        "evaluation.json",
        "report.html",
    ] {
        assert!(fs::metadata(run.join(file)).unwrap().len() > 0, "{file} is empty");
    }
    let events = fs::read_dir(&run).unwrap().filter_map(Result::ok);
    assert!(events.into_iter().any(|e| e.file_name().to_string_lossy().starts_with("events.out.tfevents")));
    let manifest: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["status"]["state"], "finished");
    let samples = sbridge_data::load(run.join("samples.npy").to_str().unwrap()).unwrap();
    assert_eq!((samples.len(), samples.shape().size()), (60, 64));
    // Samples are in the units of the data, clipped to its range.
    let (low, high) = samples.value_range();
    assert!(low >= 0.0 && high <= 1.0);
    commands_on_a_finished_run(folder.path(), &run, &images);
    report_opens_in_a_browser(folder.path(), &run);
}

/// `sample`, `eval` and `report` on a run.
fn commands_on_a_finished_run(folder: &Path, run: &Path, images: &Path) {
    for name in ["more.npy", "more.csv", "more.png"] {
        let out = folder.join(name);
        sbridge().arg("sample").arg(run).args(["-n", "7", "--out"]).arg(&out).assert().success();
        assert!(out.exists(), "{name}");
    }
    let more = sbridge_data::load(folder.join("more.csv").to_str().unwrap()).unwrap();
    assert_eq!((more.len(), more.shape().size()), (7, 64));
    let images = images.to_str().unwrap();
    sbridge()
        .arg("eval")
        .arg(run)
        .args(["--reference", images])
        .assert()
        .success()
        .stdout(contains("memorising sampler"))
        .stdout(contains("L_D"));
    sbridge()
        .args(["eval", "--json", "--reference", images, "--samples"])
        .arg(run.join("samples.npy"))
        .assert()
        .success()
        .stdout(contains("\"frechet\""));
    fs::remove_file(run.join("report.html")).unwrap();
    sbridge().arg("report").arg(run).assert().success();
    assert!(run.join("report.html").exists());
}

/// Opens the report in headless Chromium where it is installed.
fn report_opens_in_a_browser(folder: &Path, run: &Path) {
    let page = format!("file://{}", run.join("report.html").display());
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--dump-dom"])
        .args([&profile, &page])
        .output();
    let Ok(output) = browser else {
        eprintln!("skipped: chromium is not installed, so the report was not opened in it");
        return;
    };
    let dom = String::from_utf8_lossy(&output.stdout);
    for part in ["Latent Schrödinger bridge", "Where the error comes from", "<svg", "data:image/png"] {
        assert!(dom.contains(part), "the opened report lacks {part}");
    }
}

#[test]
fn same_seed_gives_the_same_bytes_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let samples = |name: &str, seed: &str| {
        let run = folder.path().join(name);
        fit_moons(&run).args(["--seed", seed]).assert().success();
        fs::read(run.join("samples.npy")).unwrap()
    };
    let first = samples("a", "3");
    assert_eq!(first, samples("b", "3"));
    assert_ne!(first, samples("c", "4"));
}

#[test]
fn interrupted_run_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    // Long enough to be interrupted in the middle of the only training stage.
    let long = ["--set", "bridge.fit.steps=1500"];
    fit_moons(&whole).args(long).assert().success();
    let child = Command::new(env!("CARGO_BIN_EXE_sbridge"))
        .args(["fit", "latent", "--target", "builtin:moons?n=400", "--encoder", "identity", "--out"])
        .arg(&broken)
        .args(TINY)
        .args(long)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(|| broken.join("metrics.jsonl").metadata().is_ok_and(|m| m.len() > 2000));
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--resume"));
    assert!(broken.join("checkpoints/score.safetensors").exists());
    sbridge()
        .arg("sample")
        .arg(&broken)
        .args(["--out", "x.npy"])
        .assert()
        .code(2)
        .stderr(contains("--resume"));
    sbridge().args(["fit", "latent", "--resume"]).arg(&broken).assert().success();
    for file in ["samples.npy", "model.safetensors", "metrics.jsonl"] {
        assert!(fs::read(whole.join(file)).unwrap() == fs::read(broken.join(file)).unwrap(), "{file}");
    }
}

#[test]
fn finished_run_resumes_without_training_again() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit_moons(&run).assert().success();
    let before = fs::read(run.join("samples.npy")).unwrap();
    let metrics = fs::read(run.join("metrics.jsonl")).unwrap();
    sbridge().args(["fit", "latent", "--resume"]).arg(&run).assert().success();
    assert_eq!(before, fs::read(run.join("samples.npy")).unwrap());
    assert_eq!(metrics, fs::read(run.join("metrics.jsonl")).unwrap());
}

#[test]
fn every_start_law_and_step_rule_samples_from_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fit_moons(&run)
        .args(["--set", "sampler.start={kind=\"density-ratio\", tau_over_epsilon=2, draws=4, steps=50}"])
        .args(["--set", "bridge.ratio_fit.steps=40", "--set", "bridge.ratio_fit.batch_size=64"])
        .assert()
        .success();
    let starts = ["convolve-train", "convolve-heldout", "gaussian-iso", "gaussian-moment"]
        .map(|kind| format!("{{kind=\"{kind}\"}}"));
    let mixture = ["{kind=\"mixture\", components=3}".to_owned()];
    for start in starts.iter().chain(&mixture) {
        draw_with(&run, folder.path(), &format!("sampler.start={start}"));
    }
    for step in ["euler", "ancestral", "ode-euler", "ode-heun"] {
        draw_with(&run, folder.path(), &format!("sampler.step={step}"));
    }
    for grid in ["{kind=\"geometric\"}", "{kind=\"power\", rho=3}"] {
        draw_with(&run, folder.path(), &format!("sampler.grid={grid}"));
    }
    draw_with(&run, folder.path(), "sampler.end=plain");
}

fn draw_with(run: &Path, folder: &Path, setting: &str) {
    let out = folder.join("drawn.csv");
    sbridge()
        .arg("sample")
        .arg(run)
        .args(["-n", "9", "--set", setting, "--out"])
        .arg(&out)
        .assert()
        .success();
    let drawn = sbridge_data::load(out.to_str().unwrap()).unwrap();
    assert_eq!((drawn.len(), drawn.shape().size()), (9, 2), "{setting}");
}

#[test]
fn shift_between_pretraining_and_target_is_reported_term_by_term() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    sbridge()
        .args(["fit", "latent", "--target", "builtin:digits?n=300", "--target-labels", "5-9"])
        .args([
            "--target-limit",
            "100",
            "--pretrain",
            "builtin:digits?n=300",
            "--pretrain-labels",
            "0,1,2,3,4",
        ])
        .arg("--out")
        .arg(&run)
        .args(TINY)
        .assert()
        .success()
        .stdout(contains("δ = W2(p_data, p̃)"))
        .stdout(contains("R(p̃) + (1 + L_D L_E) δ"));
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("shift between pre-training and target law"));
}
