//! Join two sets in memory: start a run, watch it, stop it, continue it, carry samples, judge.
//!
//! `cargo run --release -p sbridge-run --example bridge -- FOLDER`

use std::path::PathBuf;

use sbridge_data::{Dataset, SampleShape};
use sbridge_run::task::Route;
use sbridge_run::watch::{Cancel, Level, Step, Watch};
use sbridge_run::{AnyRun, Context, Overrides, Registry, Result, RunError, Sources};

/// Prints what a run says, and asks for a stop in the middle of the second half-bridge.
struct Printer(Cancel);

impl Watch for Printer {
    fn begin(&self, stage: &str, done: usize, total: usize) {
        println!("{stage}: from {done} to {total}");
    }

    fn step(&self, step: &Step<'_>) {
        if step.stage == "forward-1" && step.done == 100 {
            self.0.request();
        }
    }

    fn say(&self, level: Level, text: &str) {
        println!("{level:?}: {text}");
    }
}

/// A cloud about `centre`, without chance: 400 points of a spiral.
fn cloud(centre: f32) -> sbridge_data::Result<Dataset> {
    let point = |k: i16| {
        let (angle, radius) = (f32::from(k) * 2.4, f32::from(k).sqrt() / 20.0);
        [centre + radius * angle.cos(), radius * angle.sin()]
    };
    Dataset::from_values("cloud", (0..400).flat_map(point).collect(), SampleShape::Vector { dim: 2 })
}

fn main() -> Result<()> {
    let out = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "runs/bridge".into()));
    let (left, right) = (cloud(-2.0)?, cloud(2.0)?);
    let sources = Sources::default().with_set("left", left.clone()).with_set("right", right);
    let quiet = Context::default().with_sources(sources);
    let context = quiet.clone().watched_by(Printer(quiet.cancel.clone()));
    let settings = Overrides::of(&[
        "source.source=memory:left",
        "target.source=memory:right",
        "networks.half_bridges=4",
        "networks.fit.steps=200",
        "networks.net.mlp.width=32",
    ]);

    let registry = Registry::default();
    match registry.start("dsbm", &settings, &out, &context) {
        Err(RunError::Interrupted { folder, .. }) => println!("stopped; {} keeps it", folder.display()),
        other => drop(other?),
    }
    // Nobody asked this one to stop.
    let again = Context { cancel: Cancel::default(), ..quiet };
    let mut run: Box<dyn AnyRun> = registry.resume("dsbm", &out, &again)?;
    println!("{}", run.finish()?);

    let carried = run.carry(&left, &Route::default())?;
    println!(
        "{} samples carried; report: {}",
        carried.ends.dims()[0],
        run.folder().file("report.html").display()
    );
    Ok(())
}
