//! A task written against the public face alone: it starts, is killed, goes on, is judged and reported like any other.
#![allow(clippy::unwrap_used, missing_docs)]

mod compression;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compression::Compression;
use sbridge_run::watch::{Step, Watch};
use sbridge_run::{Context, Overrides, Registry, RunError};

/// Where the killed run is made, for the process that is killed.
const KILLED: &str = "SBRIDGE_TEST_KILLED_RUN";

fn registry() -> Registry {
    Registry::default().with::<Compression>()
}

fn overrides(steps: usize) -> Overrides {
    let mut overrides = Overrides::of(&["autoencoder.fit.batch_size=64", "output.checkpoint_seconds=0"]);
    overrides.assignments.push(format!("autoencoder.fit.steps={steps}"));
    overrides.text = "target.source = \"builtin:scurve?n=400\"".into();
    overrides
}

fn read(run: &Path, name: &str) -> Vec<u8> {
    fs::read(run.join(name)).unwrap()
}

/// Waits until `is_there`, a minute at most.
fn wait_until(is_there: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "is started, and killed, by another test"]
fn killed_while_it_learns() {
    let Some(out) = std::env::var_os(KILLED).map(PathBuf::from) else { return };
    let _ = registry().start("compress", &overrides(3000), &out, &Context::default());
}

#[test]
fn a_run_that_was_killed_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    registry().start("compress", &overrides(3000), &whole, &Context::default()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed_while_it_learns", "--ignored"])
        .env(KILLED, &killed)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| killed.join("checkpoints/autoencoder.safetensors").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!killed.join("codec.safetensors").exists(), "it was done before it was killed");
    let opened = registry().open(&killed, &Context::default());
    assert!(
        opened.err().unwrap().to_string().contains("not finished (continue it with sbridge fit compress")
    );

    let mut run = registry().resume("compress", &killed, &Context::default()).unwrap();
    assert_eq!(read(&whole, "codec.safetensors"), read(&killed, "codec.safetensors"));
    let found = run.finish().unwrap();
    assert!(found.to_string().contains("the mean alone"));
    let page = String::from_utf8(read(&killed, "report.html")).unwrap();
    for part in ["Compression of builtin:scurve", "Error of the codec", "Loss, autoencoder", "fit compress"] {
        assert!(page.contains(part), "the page lacks {part}");
    }
    let samples = registry().open(&killed, &Context::default()).unwrap();
    assert_eq!(samples.generator().unwrap().generate(7, &[], 1).unwrap().dims(), [7, 2]);
    assert!(
        samples.carrier().err().unwrap().to_string().contains("does not carry samples (use sbridge sample")
    );
}

/// Remembers the stages it saw, and asks for a stop after a hundred steps.
struct Impatient {
    stages: Mutex<Vec<String>>,
    context: Context,
}

impl Watch for Impatient {
    fn step(&self, step: &Step<'_>) {
        self.stages.lock().unwrap().push(step.stage.into());
        if step.done >= 100 {
            self.context.cancel.request();
        }
    }
}

#[test]
fn whoever_watches_may_stop_a_run_and_the_next_one_is_not_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let inner = Context::default();
    let watch = Arc::new(Impatient { stages: Mutex::default(), context: inner.clone() });
    let context = Context { watch: watch.clone(), ..inner };
    let stopped = registry().start("compress", &overrides(100_000), &out, &context).err().unwrap();
    assert!(matches!(&stopped, RunError::Interrupted { folder, .. } if *folder == out), "{stopped}");
    assert_eq!(stopped.exit_code(), 130);
    assert!(watch.stages.lock().unwrap().iter().all(|stage| stage == "autoencoder"));
    // Another context has another wish to stop.
    registry().start("compress", &overrides(20), &folder.path().join("next"), &Context::default()).unwrap();
}

#[test]
fn other_methods_are_named_where_one_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = registry().start("compres", &overrides(1), &folder.path().join("x"), &Context::default());
    let message = unknown.err().unwrap().to_string();
    assert!(message.contains("latent") && message.contains("compress"), "{message}");
    let wrong =
        registry().start("compress", &Overrides::of(&["seeed=1"]), folder.path(), &Context::default());
    assert!(wrong.err().unwrap().to_string().contains("nearest setting is seed"));
}
