//! Forecast series in memory: fit, judge by windows it did not see, draw paths beyond the end.
//!
//! `cargo run --release -p sbridge-run --example forecast -- FOLDER`

use std::path::PathBuf;

use sbridge_data::{Series, Step};
use sbridge_run::task::Ahead;
use sbridge_run::{Context, Overrides, Registry, Result, Sources};

/// Two waves, hour by hour.
fn waves() -> sbridge_data::Result<Series> {
    let value = |hour: i32| {
        let angle = f64::from(hour) * std::f64::consts::TAU / 24.0;
        [10.0 + angle.sin() + 0.1 * (7.3 * angle).sin(), 5.0 + angle.cos() + 0.1 * (5.1 * angle).cos()]
    };
    let names = vec!["sine".into(), "cosine".into()];
    Series::from_values(names, "2026-01-01 00:00", Step::Seconds(3600), (0..600).flat_map(value).collect())
}

fn main() -> Result<()> {
    let out = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "runs/forecast".into()));
    let context = Context::default().with_sources(Sources::default().with_series("waves", waves()?));
    let settings = Overrides::of(&[
        "series.source=memory:waves",
        "horizon=24",
        "windows=2",
        "samples=20",
        "vsdm.stages=1",
        "vsdm.fit.steps=200",
        "sampler.steps=5",
    ]);
    let mut run = Registry::default().start("forecast", &settings, &out, &context)?;
    println!("{}", run.finish()?);

    let predicted =
        run.forecaster()?.forecast(&Ahead { input: None, horizon: None, samples: 50, seed: 7 })?;
    let (first, last) = (&predicted.times[0], &predicted.times[predicted.times.len() - 1]);
    println!("{} paths of {} from {first} to {last}", predicted.samples, predicted.names.join(" and "));
    predicted.write(&out.join("paths.csv"))
}
