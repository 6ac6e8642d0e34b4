//! Gradients of the losses of samplers: against differences along the same draws, and what they train.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{assert_close, device};
use sbridge::Rng;
use sbridge::density::targets::GaussianMixture;
use sbridge::density::{LogDensity, Target as _};
use sbridge::fit::{FitSettings, Trainer};
use sbridge::net::{load_weights, weights_of};
use sbridge::objective::Objective as _;
use sbridge::solver::density::{
    Control as _, Controls, Estimate, Examples, Guided, Loss, Method, PathObjective, Sampler,
};
use sbridge::tensor::{Gradients, Module as _, ModuleVisitor, Param, Tensor, to_vec_f64};

const METHODS: [Method; 4] = [Method::Pis, Method::Dis, Method::Dds, Method::Bridge];

fn fit(steps: usize) -> FitSettings {
    FitSettings {
        steps,
        batch_size: 256,
        learning_rate: 3e-3,
        weight_decay: 0.0,
        clip_norm: 1.0,
        ema_decay: 0.0,
        patience: 0,
    }
}

fn objective(method: Method, steps: usize, loss: Loss, density: &dyn LogDensity) -> PathObjective<'_> {
    PathObjective::new(Sampler::new(method, steps, density, device()), loss)
}

/// Controls after a few steps, in general position.
fn trained(objective: &mut PathObjective<'_>, steps: usize, density: &dyn LogDensity) -> Controls {
    let mut rng = Rng::new(3);
    let nets = objective.sampler.method.controls(density.dim(), 1e4, &mut rng, &device());
    let mut trainer = Trainer::new(nets, fit(steps), rng.fork("fit")).unwrap();
    while !trainer.is_done() {
        trainer.step(objective);
    }
    trainer.finished()
}

/// The mean of A without the stochastic integral of u, and with it, of eight paths with the draws of one seed.
fn mean_action(objective: &PathObjective<'_>, nets: &Controls) -> (f64, f64) {
    let count = 8;
    let paths = objective.sampler.paths(nets, count, &mut Rng::new(11)).unwrap();
    let guided = Guided::new(objective.sampler.method, nets, &objective.sampler.chain, &device());
    let dim = objective.sampler.density.dim();
    let chain = &objective.sampler.chain;
    let states = chain.knots.iter().enumerate().zip(&paths.states).zip(&paths.scores);
    let u: Vec<f64> = states
        .flat_map(|(((k, knot), x), score)| to_vec_f64(guided.forward(k, knot, x, Some(score))))
        .collect();
    let noise: Vec<f64> = paths.noise.iter().flat_map(|xi| to_vec_f64(xi.clone())).collect();
    let integral: f64 =
        (0..u.len()).map(|i| chain.steps[i / (count * dim)].ratio() * u[i] * noise[i]).sum::<f64>()
            / count as f64;
    let mean = paths.action.iter().sum::<f64>() / count as f64;
    (mean - integral, mean)
}

/// Finds the gradient of the parameter of a name.
struct Named<'a> {
    name: &'a str,
    path: Vec<String>,
    gradients: &'a Gradients,
    found: Vec<f64>,
}

impl ModuleVisitor for Named<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.path.join(".") == self.name {
            self.found = to_vec_f64(param.val().grad(self.gradients).unwrap());
        }
    }
}

#[test]
fn the_adjoint_is_the_slope_of_the_mean_along_the_path() {
    let density = GaussianMixture::new(vec![-1.0, 0.3, 1.2, -0.4], 2, 0.5);
    for method in METHODS {
        let mut objective = objective(method, 12, Loss::LogVariance, &density);
        let nets = trained(&mut objective, 10, &density);
        objective.loss = Loss::Divergence;
        let tracked = nets.clone().train();
        let gradients = objective.loss(&tracked, 0..8, &mut Rng::new(11)).backward();
        let name = "forward.output.weight";
        let weights = weights_of(&nets);
        let slope = to_vec_f64(objective.loss(&tracked, 0..8, &mut Rng::new(11)))[0];
        assert!(slope.is_finite());
        let mut named = Named { name, path: Vec::new(), gradients: &gradients, found: Vec::new() };
        tracked.visit(&mut named);
        let gradient = named.found;
        for index in [0, 17, 63, 90] {
            let moved = |h: f32| {
                let mut weights = weights.clone();
                weights.get_mut(name).unwrap().1[index] += h;
                let nets = load_weights(nets.clone(), weights).unwrap();
                mean_action(&objective, &nets).0
            };
            let difference = (moved(2e-3) - moved(-2e-3)) / 4e-3;
            // f32 along twelve steps, over 4e-3.
            let allowed = 0.01 * difference.abs().max(0.3);
            assert_close(gradient[index], difference, allowed, &format!("{method:?}, weight {index}"));
        }
    }
}

/// `objective` with 500 exact draws of `density` to follow.
fn following<'a>(mut objective: PathObjective<'a>, density: &GaussianMixture) -> PathObjective<'a> {
    let states = density.sample(500, &mut Rng::new(21)).unwrap();
    objective.examples = Some(Examples { states, until: usize::MAX });
    objective
}

#[test]
fn following_draws_has_the_slope_of_their_likelihood() {
    let density = GaussianMixture::new(vec![-1.0, 0.3, 1.2, -0.4], 2, 0.5);
    for method in [Method::Pis, Method::Dis, Method::Dds] {
        let nets = trained(&mut objective(method, 12, Loss::LogVariance, &density), 10, &density);
        let objective = following(objective(method, 12, Loss::LogVariance, &density), &density);
        let value =
            |nets: &Controls| to_vec_f64(objective.loss(&nets.clone().train(), 0..8, &mut Rng::new(11)))[0];
        let tracked = nets.clone().train();
        let gradients = objective.loss(&tracked, 0..8, &mut Rng::new(11)).backward();
        let name = "forward.output.weight";
        let mut named = Named { name, path: Vec::new(), gradients: &gradients, found: Vec::new() };
        tracked.visit(&mut named);
        let gradient = named.found;
        for index in [0, 17, 63, 90] {
            let moved = |h: f32| {
                let mut weights = weights_of(&nets);
                weights.get_mut(name).unwrap().1[index] += h;
                value(&load_weights(nets.clone(), weights).unwrap())
            };
            let difference = (moved(2e-3) - moved(-2e-3)) / 4e-3;
            // f32 along twelve steps, over 4e-3.
            let allowed = 0.01 * difference.abs().max(0.3);
            assert_close(gradient[index], difference, allowed, &format!("{method:?}, weight {index}"));
        }
    }
}

#[test]
fn draws_lead_to_a_mode_that_no_path_would_find() {
    let density = GaussianMixture::new(vec![-0.5, 0.0, 8.0, 0.0], 2, 0.3);
    let share_far = |mut objective: PathObjective<'_>| {
        let nets = trained(&mut objective, 150, &density);
        let ends = to_vec_f64(objective.sampler.paths(&nets, 2000, &mut Rng::new(5)).unwrap().ends().clone());
        ends.chunks_exact(2).filter(|x| x[0] > 4.0).count() as f64 / 2000.0
    };
    for method in [Method::Pis, Method::Dds] {
        let alone = share_far(objective(method, 30, Loss::LogVariance, &density));
        let following = share_far(following(objective(method, 30, Loss::LogVariance, &density), &density));
        assert!(alone < 0.01, "{method:?}: {alone}");
        // Half, as far as 150 steps lead.
        assert_close(following, 0.5, 0.1, &format!("{method:?}"));
    }
}

#[test]
fn every_loss_trains_every_method_towards_ln_z() {
    let density = GaussianMixture::new(vec![0.8, -0.5], 2, 0.25);
    let losses = [
        Loss::LogVariance,
        Loss::LogVarianceByStart(8),
        Loss::TrajectoryBalance,
        Loss::ReverseDivergence,
        Loss::Divergence,
    ];
    for method in METHODS {
        for loss in losses {
            if (method, loss) == (Method::Bridge, Loss::LogVarianceByStart(8)) {
                continue; // v makes up for any law of the ends, start by start.
            }
            let mut objective = objective(method, 15, loss, &density);
            let nets = trained(&mut objective, 60, &density);
            let untrained = objective.sampler.method.controls(2, 1e4, &mut Rng::new(3), &device());
            let of = |nets: &Controls| {
                let paths = objective.sampler.paths(nets, 2000, &mut Rng::new(5)).unwrap();
                Estimate::of(&paths.action).unwrap()
            };
            let (found, before) = (of(&nets), of(&untrained));
            assert!(
                found.elbo > 0.5 * before.elbo && found.variance < 0.5 * before.variance,
                "{method:?} {loss:?}"
            );
            assert_close(found.log_z, 0.0, 4.5 * found.log_z_error, &format!("ln Z by {method:?}, {loss:?}"));
        }
    }
}

#[test]
fn a_density_that_fails_ends_training_with_its_reason() {
    struct Failing;
    impl LogDensity for Failing {
        fn dim(&self) -> usize {
            2
        }
        fn values(&self, _states: &[f64]) -> sbridge::Result<Vec<f64>> {
            Err(sbridge::Error::Diverged("the model".into()))
        }
    }
    let objective = objective(Method::Dis, 5, Loss::LogVariance, &Failing);
    let nets = Method::Dis.controls(2, 1e4, &mut Rng::new(1), &device()).train();
    let loss: Tensor<1> = objective.loss(&nets, 0..4, &mut Rng::new(2));
    assert!(to_vec_f64(loss)[0].is_nan());
    assert!(objective.failure().unwrap().to_string().contains("the model"));
}
