//! A run cannot be lost: killed, stopped, copied or starved at any moment, it ends with the same bytes.

#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{LONGER, TINY, sbridge, shares, wait_until, write_images};
use predicates::prelude::*;
use predicates::str::contains;

/// The command under test, silent.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sbridge"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs of one set of images in one folder, all with the same settings.
struct Runs {
    folder: tempfile::TempDir,
    /// Bytes of the model and the samples of a run that nothing happened to.
    undisturbed: [Vec<u8>; 2],
    /// How long that run took.
    duration: Duration,
}

impl Runs {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_images(&folder.path().join("images.npy"), 300);
        let mut runs = Self { folder, undisturbed: Default::default(), duration: Duration::ZERO };
        let (whole, started) = (runs.path("whole"), Instant::now());
        assert!(runs.go_on(&whole).status().unwrap().success());
        runs.duration = started.elapsed();
        runs.undisturbed = outcome(&whole);
        runs
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments that start a run, or continue it if it exists.
    fn arguments(&self, run: &Path) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let start = ["fit", "latent"].map(String::from);
        if run.join("manifest.json").exists() {
            return [&start[..], &["--resume".into(), text(run)]].concat();
        }
        let images = text(&self.path("images.npy"));
        let data = ["--latent-dim".into(), "4".into(), "--target".into(), images];
        let settings: Vec<String> = TINY.iter().chain(LONGER).map(ToString::to_string).collect();
        [&start[..], &data, &["--out".into(), text(run)], &settings].concat()
    }

    fn go_on(&self, run: &Path) -> Command {
        let mut command = command();
        command.args(self.arguments(run));
        command
    }

    /// Lets `run` come to its end, and compares it with the undisturbed one.
    fn finish(&self, run: &Path) {
        sbridge().args(self.arguments(run)).assert().success();
        assert!(outcome(run) == self.undisturbed, "{} ends with other bytes", run.display());
    }

    /// `run` with a shell's `limit` on it, in front of the arguments that start or continue it.
    fn limited(&self, run: &Path, limit: &str) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::new("sh");
        let script = format!("{limit}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_sbridge")]).args(self.arguments(run));
        command
    }
}

fn outcome(run: &Path) -> [Vec<u8>; 2] {
    ["model.safetensors", "samples.npy"].map(|file| fs::read(run.join(file)).unwrap())
}

/// Kills `child` after `delay`, the hard way. Returns false if it had ended before.
fn kill_after(mut child: Child, delay: Duration) -> bool {
    std::thread::sleep(delay);
    let is_alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    is_alive
}

#[test]
fn killed_runs_resume_to_the_same_bytes() {
    let runs = Runs::new();
    let mut delays = shares(1).map(|share| runs.duration.mul_f64(0.5 * share));
    let (mut kills, mut chains) = (0, 0);
    while kills < 50 {
        let run = runs.path(&format!("killed-{chains}"));
        // Each chain of kills goes on where the last one left the run, until nothing is left to do.
        for delay in delays.by_ref().take(20) {
            if !kill_after(runs.go_on(&run).spawn().unwrap(), delay) {
                break;
            }
            kills += 1;
        }
        runs.finish(&run);
        chains += 1;
    }
    println!("{kills} kills in {chains} runs of {:.1} s", runs.duration.as_secs_f64());
}

#[test]
fn killed_half_bridges_resume_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let start = "fit dsbm --source builtin:moons?n=300 --target builtin:8gaussians?n=300 --set networks.half_bridges=4 \
                 --set networks.fit.steps=250 --set networks.fit.batch_size=32 --set networks.steps=5 --set \
                 networks.net.mlp.width=16 --set networks.cache.rows=640 --set output.checkpoint_seconds=0 --out";
    let go_on = |run: &Path| {
        let mut command = command();
        match run.join("manifest.json").exists() {
            true => command.args(["fit", "dsbm", "--resume"]).arg(run),
            false => command.args(start.split_whitespace()).arg(run),
        };
        command
    };
    let (whole, started) = (folder.path().join("whole"), Instant::now());
    assert!(go_on(&whole).status().unwrap().success());
    let duration = started.elapsed();
    let bytes = |run: &Path| fs::read(run.join("bridge.safetensors")).unwrap();
    let mut delays = shares(3).map(|share| duration.mul_f64(0.5 * share));
    let mut kills = 0;
    while kills < 15 {
        let run = folder.path().join(format!("killed-{kills}"));
        while kill_after(go_on(&run).spawn().unwrap(), delays.next().unwrap()) {
            kills += 1;
        }
        assert!(go_on(&run).status().unwrap().success());
        assert!(bytes(&run) == bytes(&whole), "{} ends with other bytes", run.display());
    }
}

#[test]
fn what_the_disk_holds_at_any_moment_resumes_to_the_same_bytes() {
    let runs = Runs::new();
    let run = runs.path("running");
    let mut child = runs.go_on(&run).spawn().unwrap();
    let mut copies = Vec::new();
    for share in shares(2).take(6) {
        std::thread::sleep(runs.duration.mul_f64(0.25 * share));
        let copy = runs.path(&format!("copy-{}", copies.len()));
        copy_folder(&run, &copy);
        copies.push(copy);
    }
    assert!(child.wait().unwrap().success());
    copies.iter().for_each(|copy| runs.finish(copy));
}

/// Copies what is there. Files that are renamed meanwhile are missing, as they might be on a disk.
fn copy_folder(from: &Path, to: &Path) {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries.map(Result::unwrap),
        Err(e) if e.kind() == ErrorKind::NotFound => return,
        Err(e) => panic!("{e}"),
    };
    fs::create_dir_all(to).unwrap();
    for entry in entries {
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy_folder(&source, &copy),
            _ => match fs::copy(&source, &copy) {
                Err(e) if e.kind() != ErrorKind::NotFound => panic!("{e}"),
                _ => {}
            },
        }
    }
}

#[test]
fn stopped_runs_say_how_to_go_on_and_end_with_the_same_bytes() {
    let runs = Runs::new();
    for signal in ["-INT", "-TERM"] {
        let run = runs.path(signal);
        let child = runs.go_on(&run).stderr(Stdio::piped()).spawn().unwrap();
        wait_until(|| run.join("checkpoints/score.safetensors").exists());
        let second_writer = sbridge().args(["fit", "latent", "--resume"]).arg(&run).assert().code(2);
        second_writer.stderr(contains("in use by another sbridge (wait until"));
        sbridge().arg("report").arg(&run).assert().code(2);
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--resume"));
        runs.finish(&run);
    }
}

#[test]
fn a_damaged_checkpoint_costs_the_steps_since_the_one_before() {
    let runs = Runs::new();
    let run = runs.path("damaged");
    let child = runs.go_on(&run).spawn().unwrap();
    wait_until(|| run.join("checkpoints/score.previous.safetensors").exists());
    kill_after(child, Duration::ZERO);
    let newest = run.join("checkpoints/score.safetensors");
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let resumed = sbridge().args(runs.arguments(&run)).assert().success();
    resumed.stderr(contains("checksum does not match").and(contains("the checkpoint before it")));
    assert!(outcome(&run) == runs.undisturbed);
}

#[test]
fn a_full_disk_ends_the_run_and_loses_nothing() {
    let runs = Runs::new();
    // In blocks of 512 or 1024 bytes: room for the settings, for the checkpoint of the autoencoder, for
    // neither of them.
    for blocks in [0, 20, 130] {
        let run = runs.path(&format!("full-{blocks}"));
        let assert = runs.limited(&run, &format!("trap '' XFSZ; ulimit -f {blocks}")).assert().code(1);
        assert.stderr(contains("cannot write").and(contains("panicked").not()));
        runs.finish(&run);
    }
}

#[test]
fn too_few_file_handles_end_the_run_and_lose_nothing() {
    let runs = Runs::new();
    let mut refused = 0;
    // Three are open from the start, and the program is loaded through a fourth.
    for handles in 4..8 {
        let run = runs.path(&format!("handles-{handles}"));
        let output = runs.limited(&run, &format!("ulimit -n {handles}")).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            assert!(output.status.code() == Some(1) && message.contains("Too many open files"), "{message}");
            refused += 1;
        }
        assert!(!message.contains("panicked"), "{message}");
        runs.finish(&run);
    }
    assert!(refused > 0, "no limit was low enough to matter");
}

#[test]
fn potentials_of_a_chain_are_stopped_at_once_and_the_chain_is_what_to_go_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("chain");
    let child = Command::new(env!("CARGO_BIN_EXE_sbridge"))
        .args(["fit", "light-sb", "--snapshots", "builtin:moons?n=300@0,builtin:circles?n=300@1"])
        .args(["--set", "light_sb.steps=100000", "--out"])
        .arg(&run)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(|| run.join("legs/0-1/manifest.json").exists());
    std::thread::sleep(Duration::from_millis(500));
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(10), "a fit of minutes went on");
    assert_eq!(output.status.code(), Some(130));
    let message = String::from_utf8(output.stderr).unwrap();
    let expected = format!("interrupted; continue with: sbridge fit light-sb --resume {}\n", run.display());
    assert!(message.ends_with(&expected), "{message}");
    let manifest = fs::read_to_string(run.join("manifest.json")).unwrap();
    assert!(manifest.contains("interrupted"), "{manifest}");
}
