//! Generate samples like those of a set: fit in a few lines, then open the run and draw.
//!
//! `cargo run --release -p sbridge-run --example generate -- FOLDER`

use std::path::PathBuf;

use sbridge::tensor::to_vec;
use sbridge_run::{Context, Overrides, Registry, Result};

fn main() -> Result<()> {
    let out = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "runs/generate".into()));
    let (registry, context) = (Registry::default(), Context::default());
    let settings = Overrides::of(&[
        "target.source=builtin:moons?n=1000",
        "autoencoder.encoder=identity",
        "bridge.fit.steps=300",
        "bridge.fit.batch_size=128",
        "output.samples=500",
    ]);
    let found = registry.start("latent", &settings, &out, &context)?.finish()?;
    println!("{found}");

    let run = registry.open(&out, &context)?;
    let samples = run.generator()?.generate(5, &["sampler.steps=20".into()], 1)?;
    for row in to_vec(samples).chunks(2) {
        println!("{row:?}");
    }
    Ok(())
}
