//! Draws and ln Z from a log-density alone: nine Gaussians, of which the sampler is told ln ρ and its gradient.
//!
//! `cargo run --release -p sbridge --example density -- dis lv 2000 3`: a method (`pis`, `dis`, `dds` or `bridge`), a loss (`lv`,
//! `tb`, `rkl` or `kl`), steps to train, and the width of the law in units of which the sampler works.

use sbridge::density::targets::GaussianMixture;
use sbridge::density::{Affine, Coordinates, LogDensity as _, Target as _};
use sbridge::fit::{FitSettings, Trainer};
use sbridge::solver::density::{Estimate, Loss, Method, PathObjective, Sampler};
use sbridge::tensor::Device;
use sbridge::{Result, Rng};

const DRAWS: usize = 6000;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let method = match arguments.next().as_deref() {
        Some("pis") => Method::Pis,
        Some("dds") => Method::Dds,
        Some("bridge") => Method::Bridge,
        _ => Method::Dis,
    };
    let loss = match arguments.next().as_deref() {
        Some("tb") => Loss::TrajectoryBalance,
        Some("rkl") => Loss::ReverseDivergence,
        Some("kl") => Loss::Divergence,
        _ => Loss::LogVariance,
    };
    let steps = arguments.next().and_then(|steps| steps.parse().ok()).unwrap_or(200);
    let spread = arguments.next().and_then(|spread| spread.parse().ok()).unwrap_or(1.0);
    let (nine, device, mut rng) = (GaussianMixture::nine(), Device::flex(), Rng::new(0));
    let coordinates = Coordinates::scaled(2, spread);
    let density = Affine::new(&nine, &coordinates);
    let mut objective = PathObjective::new(Sampler::new(method, 100, &density, device.clone()), loss);
    let net = method.controls(density.dim(), 1e4, &mut rng, &device);
    let settings = FitSettings {
        steps,
        batch_size: 512,
        learning_rate: 1e-3,
        weight_decay: 0.0,
        clip_norm: 1.0,
        ema_decay: 0.0,
        patience: 0,
    };
    let mut trainer = Trainer::new(net, settings, rng.fork("fit"))?;
    while !trainer.is_done() {
        let info = trainer.step(&mut objective);
        if info.step.is_multiple_of((steps / 10).max(1)) {
            println!("step {}: loss {:.3}", info.step, info.loss);
        }
    }
    let draws = objective.sampler.draw(&trainer.finished(), DRAWS, &rng.fork("draws"))?;
    let states = coordinates.outward(&draws.states);
    if let (Some(found), Some(modes)) = (Estimate::of(&draws.action), nine.modes()) {
        let mut shares = vec![0.0; modes.shares.len()];
        (modes.of)(&states).into_iter().for_each(|mode| shares[mode] += 1.0 / DRAWS as f64);
        println!("ln Z {:.3} ± {:.3} (exactly 0), ELBO {:.3}", found.log_z, found.log_z_error, found.elbo);
        println!("effective sample size {:.2}, shares of the modes {shares:.3?}", found.ess);
    }
    Ok(())
}
