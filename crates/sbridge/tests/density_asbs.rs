//! The adjoint sampler between Gaussians, of which the bridge is known.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{assert_close, device};
use sbridge::density::targets::GaussianMixture;
use sbridge::net::{DriftNetSettings, MlpSettings};
use sbridge::solver::NeuralBridge;
use sbridge::solver::density::{Asbs, AsbsSettings};
use sbridge::tensor::{Tensor, to_vec_f64};
use sbridge::{Bridge as _, Direction, PairBridge as _, Rng};
use sbridge_ot::{Gaussian, GaussianBridge};

const COUNT: usize = 8000;

fn learned(density: GaussianMixture, source: &Tensor<2>, epsilon: f64, half_bridges: usize) -> NeuralBridge {
    let mut settings = AsbsSettings { half_bridges, paths: 4096, ..AsbsSettings::default() };
    settings.net =
        DriftNetSettings { mlp: MlpSettings { width: 64, ..MlpSettings::default() }, ..settings.net };
    settings.fit.steps = 150;
    Asbs::new(Arc::new(density), source.clone(), epsilon, settings, Rng::new(3)).unwrap().run().unwrap()
}

/// Means of both, variances of both, and their covariance, of the first coordinate.
fn joint(x0: &Tensor<2>, x1: &Tensor<2>) -> [f64; 5] {
    let first = |rows: &Tensor<2>| to_vec_f64(rows.clone().narrow(1, 0, 1));
    let (x, y) = (first(x0), first(x1));
    let mean = |of: &dyn Fn(usize) -> f64| (0..x.len()).map(of).sum::<f64>() / x.len() as f64;
    let (mx, my) = (mean(&|i| x[i]), mean(&|i| y[i]));
    [
        mx,
        my,
        mean(&|i| (x[i] - mx).powi(2)),
        mean(&|i| (y[i] - my).powi(2)),
        mean(&|i| (x[i] - mx) * (y[i] - my)),
    ]
}

#[test]
fn between_gaussians_it_is_the_bridge() {
    let (var0, var1, gap) = (0.5, 0.3, 1.5);
    let source = Rng::new(1).normal::<2>([COUNT, 2], &device()) * f64::sqrt(var0);
    let density = || GaussianMixture::new(vec![gap, 0.0], 2, var1);
    let law = |mean: f64, var: f64| Gaussian::isotropic(vec![mean], var).unwrap();
    let known = GaussianBridge::new(&law(0.0, var0), &law(gap, var1), 1.0).unwrap();
    let covariance: f64 = known.cross_covariance()[(0, 0)];
    let bridge = learned(density(), &source, 1.0, 16);
    let ends = bridge.transport(Direction::Forward, &source, &mut Rng::new(5));
    let [_, mean, _, var, cross] = joint(&source, &ends);
    // Four standard errors of as many draws, fifty steps, and what networks of a few hundred steps leave.
    assert_close(mean, gap, 0.05, "mean");
    assert_close(var, var1, 0.03, "variance");
    assert_close(cross, covariance, 0.04, "covariance of the ends");
    let back = bridge.transport(Direction::Backward, &ends, &mut Rng::new(6));
    let [_, mean, _, var, cross] = joint(&ends, &back);
    assert_close(mean, 0.0, 0.06, "mean of the source");
    assert_close(var, var0, 0.05, "variance of the source");
    assert_close(cross, covariance, 0.04, "covariance of the ends, backward");
    assert_eq!(bridge.dim(), 2);
    // Without the backward drift nothing ties an end to its start.
    let alone = learned(density(), &source, 1.0, 1).transport(Direction::Forward, &source, &mut Rng::new(5));
    let [.., cross] = joint(&source, &alone);
    assert!((cross - covariance).abs() > 0.08, "{cross}");
}

#[test]
fn a_source_of_another_space_is_refused() {
    let source = Tensor::<2>::zeros([10, 3], &device());
    let density = Arc::new(GaussianMixture::nine());
    let refused = Asbs::new(density, source, 1.0, AsbsSettings::default(), Rng::new(0)).err().unwrap();
    assert!(refused.to_string().contains("dimension of the source"), "{refused}");
}
