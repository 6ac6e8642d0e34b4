//! Weights of the paths of samplers: published values, exactness for any control, and controls that are right.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{assert_close, device, line};
use sbridge::Rng;
use sbridge::density::PointDensity;
use sbridge::simulate::Noise;
use sbridge::solver::density::chain::{Base, Knot};
use sbridge::solver::density::losses::log_variance;
use sbridge::solver::density::{
    Chain, Control, Dds, Estimate, cosine_grid, dds_euler, dis, pis, ratio_grid, two_sided,
};
use sbridge::tensor::{DType, Tensor, to_vec_f64};

/// ln ρ of one variable, and its slope.
struct Line<F>(F);

impl<F: Fn(f64) -> (f64, f64) + Send + Sync> PointDensity for Line<F> {
    fn dim(&self) -> usize {
        1
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (value, slope) = (self.0)(x[0]);
        gradient[0] = slope;
        value
    }
}

/// A control by a formula.
struct By<F>(F);

impl<F: Fn(&Knot, f64) -> f64 + Sync> Control for By<F> {
    fn uses_score(&self) -> bool {
        false
    }

    fn forward(&self, _k: usize, knot: &Knot, states: &Tensor<2>, _score: Option<&Tensor<2>>) -> Tensor<2> {
        every(states, |x| (self.0)(knot, x))
    }
}

/// Two controls by formulas.
struct Both<F, G>(F, G);

impl<F: Fn(&Knot, f64) -> f64 + Sync, G: Fn(&Knot, f64) -> f64 + Sync> Control for Both<F, G> {
    fn uses_score(&self) -> bool {
        false
    }

    fn forward(&self, _k: usize, knot: &Knot, states: &Tensor<2>, _score: Option<&Tensor<2>>) -> Tensor<2> {
        every(states, |x| (self.0)(knot, x))
    }

    fn backward(&self, _k: usize, knot: &Knot, states: &Tensor<2>) -> Option<Tensor<2>> {
        Some(every(states, |x| (self.1)(knot, x)))
    }
}

fn every(states: &Tensor<2>, of: impl Fn(f64) -> f64) -> Tensor<2> {
    line(&to_vec_f64(states.clone()).into_iter().map(of).collect::<Vec<f64>>())
}

/// Draws decided beforehand, one number a step.
struct Given(std::vec::IntoIter<f64>);

impl Noise for Given {
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2> {
        like.full_like(self.0.next().unwrap())
    }
}

fn on_one_path(chain: &Chain, start: f64) -> (f64, f64) {
    let double_well = Line(|x: f64| (-(x * x - 2.0).powi(2), -4.0 * x * (x * x - 2.0)));
    let control = By(|knot: &Knot, x: f64| 0.3 - 0.5 * x + 0.2 * knot.time);
    let mut noise = Given(vec![0.5, -1.0].into_iter());
    let paths = chain.simulate(&control, &double_well, line(&[start]), &mut noise).unwrap();
    (paths.action[0], to_vec_f64(paths.states[2].clone())[0])
}

#[test]
fn paths_of_two_steps_weigh_what_is_published() {
    let dds = Dds { spread: 1.0, rate: 1.0 };
    for (name, chain, start, action, end) in [
        ("pis", pis(2), 0.0, 1.942_562, 0.491_142),
        ("dds", dds.chain(&[0.36, 0.16]), 0.4, 2.902_097, 0.208_274),
        ("dis", dis(2), 0.4, 90.780_728, 3.411_730),
    ] {
        let found = on_one_path(&chain, start);
        assert_close(found.0, action, 1e-6, &format!("A of {name}")); // six decimals
        assert_close(found.1, end, 1e-6, &format!("end of {name}"));
    }
}

#[test]
fn a_path_of_two_controls_weighs_what_is_published() {
    let double_well = Line(|x: f64| (-(x * x - 2.0).powi(2), -4.0 * x * (x * x - 2.0)));
    let control = Both(
        |knot: &Knot, x: f64| 0.3 - 0.5 * x + 0.2 * knot.time,
        |knot: &Knot, x: f64| 0.1 * x - 0.2 * knot.time,
    );
    let mut noise = Given(vec![0.5, -1.0].into_iter());
    let paths = two_sided(2).simulate(&control, &double_well, line(&[0.4]), &mut noise).unwrap();
    assert_close(paths.action[0], 3.139_801, 1e-6, "A"); // six decimals
    assert_close(to_vec_f64(paths.ends().clone())[0], 0.095_558, 1e-6, "end");
}

/// 2.5 [0.3 N(1.5, 0.25) + 0.7 N(−1, 0.49)].
fn bumps() -> Line<impl Fn(f64) -> (f64, f64) + Send + Sync> {
    Line(|x: f64| {
        let parts = [(0.3, 1.5, 0.25), (0.7, -1.0, 0.49)].map(|(share, mean, var)| {
            let density = 2.5 * share * common::normal_density(x - mean, var);
            (density, -density * (x - mean) / var)
        });
        let [density, slope] = [parts[0].0 + parts[1].0, parts[0].1 + parts[1].1];
        (density.ln(), slope / density)
    })
}

/// ln of the mean weight of many paths, and its standard error.
fn estimate(chain: &Chain, control: &dyn Control, count: usize) -> Estimate {
    let like = Tensor::<2>::zeros([count, 1], (&device(), DType::F64));
    let mut rng = Rng::new(17);
    let start = chain.start(&like, &mut rng);
    Estimate::of(&chain.simulate(control, &bumps(), start, &mut rng).unwrap().action).unwrap()
}

#[test]
fn the_mean_weight_is_the_normaliser_for_any_control_and_any_number_of_steps() {
    let wild = |knot: &Knot, x: f64| (2.0 * x + knot.time).sin() - 0.3 * x;
    for steps in [3, 10, 50] {
        let even = vec![2.0 / steps as f64; steps];
        let other = |_: &Knot, x: f64| 0.2 * x.cos() - 0.3 * x;
        let chains: [(&str, Chain, Box<dyn Control>); 5] = [
            ("two-sided", two_sided(steps), Box::new(Both(wild, other))),
            ("pis", pis(steps), Box::new(By(move |knot: &Knot, x: f64| 0.5 * wild(knot, x)))),
            ("dds", Dds { spread: 1.0, rate: 1.0 }.chain(&even), Box::new(By(wild))),
            ("dds by Euler", dds_euler(steps, 1.0), Box::new(By(wild))),
            ("dis", dis(steps), Box::new(By(move |knot: &Knot, x: f64| wild(knot, x) - knot.diffusion * x))),
        ];
        for (name, chain, control) in chains {
            let found = estimate(&chain, control.as_ref(), 200_000);
            let allowed = 4.5 * found.log_z_error;
            assert!(allowed < 0.1, "{name}, {steps} steps: {found:?}");
            assert_close(found.log_z, 2.5f64.ln(), allowed, &format!("ln Z by {name}, {steps} steps"));
            assert!(found.elbo < found.log_z, "{name}: {found:?}");
        }
    }
}

#[test]
fn draws_of_the_law_noised_say_one_over_the_normaliser() {
    let (count, mut rng) = (200_000, Rng::new(23));
    let draws: Vec<f64> = (0..count)
        .map(|_| {
            let z = to_vec_f64(rng.normal::<1>([1], &device()))[0];
            if rng.uniform(1, 0.0, 1.0)[0] < 0.3 { 1.5 + 0.5 * z } else { -1.0 + 0.7 * z }
        })
        .collect();
    // A control that leads there roughly, so that the mean of e^A is finite in practice.
    let towards = |_: &Knot, x: f64| -0.2 * x.sin();
    let chains: [(&str, Chain, Box<dyn Control>); 4] = [
        ("pis", pis(10), Box::new(By(towards))),
        ("dds", Dds { spread: 1.0, rate: 1.0 }.chain(&[0.2; 10]), Box::new(By(towards))),
        ("dis", dis(40), Box::new(By(move |knot: &Knot, x: f64| towards(knot, x) - knot.diffusion * x))),
        ("two-sided", two_sided(10), Box::new(Both(towards, |_: &Knot, x: f64| -0.3 * x))),
    ];
    for (name, chain, control) in chains {
        let paths = chain.noised(control.as_ref(), &bumps(), line(&draws), &mut rng).unwrap();
        // ln of the mean of e^A is −ln Z.
        let back = Estimate::of(&paths.action.iter().map(|a| -a).collect::<Vec<f64>>()).unwrap();
        let allowed = 4.5 * back.log_z_error;
        assert!(allowed < 0.2, "{name}: {back:?}");
        assert_close(-back.log_z, 2.5f64.ln(), allowed, &format!("ln Z by {name}"));
        // E[−A] over π is an upper bound, as that over paths of the control is a lower one.
        assert!(-back.elbo > 2.5f64.ln(), "{name}: {back:?}");
    }
}

#[test]
fn weights_against_a_base_that_is_none_are_wrong() {
    // The variance of the start in place of that of the end, as the limit of small steps has it.
    let mut chain = dds_euler(10, 1.0);
    chain.base = Base::OfEnd { var: 1.0 };
    let found = estimate(&chain, &By(|_: &Knot, x: f64| 0.3 * x.sin()), 200_000);
    assert!((found.log_z - 2.5f64.ln()).abs() > 9.0 * found.log_z_error, "{found:?}");
}

#[test]
fn right_controls_make_every_path_weigh_the_same() {
    let (z, mean) = (3.0f64, 0.7);
    let normal = move |var: f64| {
        Line(move |x: f64| (z.ln() + common::normal_density(x - mean, var).ln(), -(x - mean) / var))
    };
    let mut rng = Rng::new(5);
    let like = Tensor::<2>::zeros([20, 1], (&device(), DType::F64));
    // Föllmer's process of a shifted end is a constant push.
    let chain = pis(7);
    let push = By(move |knot: &Knot, _: f64| mean / (knot.diffusion * 5.0));
    let paths = chain.simulate(&push, &normal(1.0), like.clone(), &mut rng).unwrap();
    paths.action.iter().for_each(|a| assert_close(*a, -z.ln(), 1e-10, "A of pis")); // roundings of seven steps
    // What is left of a push at every step is what the rest of the steps keep of it.
    let chain = Dds { spread: 1.0, rate: 1.0 }.chain(&cosine_grid(0.4));
    let left: Vec<f64> =
        (0..=chain.steps.len()).map(|k| chain.steps[k..].iter().map(|step| step.kept).product()).collect();
    let times: Vec<f64> = chain.knots.iter().map(|knot| knot.time).collect();
    let after = left.clone();
    let push = By(move |knot: &Knot, _: f64| {
        let k = times.iter().position(|time| *time == knot.time).unwrap();
        mean * after[k + 1]
    });
    let start = chain.start(&like, &mut rng);
    let paths = chain.simulate(&push, &normal(1.0), start.clone(), &mut rng).unwrap();
    for (a, x) in paths.action.iter().zip(to_vec_f64(start)) {
        let known = -z.ln() + 0.5 * (left[0] * mean).powi(2) - left[0] * mean * x;
        assert_close(*a, known, 1e-10, "A of dds");
    }
}

#[test]
fn the_ideal_control_of_dis_has_the_gap_of_its_steps() {
    for (steps, gap, variance) in [(50, 0.170, 0.378), (100, 0.085, 0.179), (200, 0.0425, 0.0865)] {
        let normal = Line(|x: f64| (common::normal_density(x, 1.0).ln(), -x));
        let control = By(|knot: &Knot, x: f64| -knot.diffusion * x);
        let like = Tensor::<2>::zeros([100_000, 1], (&device(), DType::F64));
        let (chain, mut rng) = (dis(steps), Rng::new(8));
        let start = chain.start(&like, &mut rng);
        let found =
            Estimate::of(&chain.simulate(&control, &normal, start, &mut rng).unwrap().action).unwrap();
        // Three digits are known; 100,000 paths give the gap to 0.002 at most, the variance to 2 %.
        assert_close(-found.elbo, gap, 0.005, &format!("gap of {steps} steps"));
        assert_close(found.variance / variance, 1.0, 0.04, &format!("Var A of {steps} steps"));
    }
}

/// The exact control of `dds` for three equal modes on the line: the mean of the next state, noised back from the law.
struct ToThreeModes {
    chain: Chain,
    /// What is left of an end at every knot, ∏ a.
    left: Vec<f64>,
}

const PLACES: [f64; 3] = [-1.2, 0.0, 1.2];
const WIDTH: f64 = 0.133;

impl ToThreeModes {
    fn along(lengths: &[f64]) -> Self {
        let chain = Dds { spread: 1.0, rate: 1.0 }.chain(lengths);
        let left = (0..=chain.steps.len()).map(|k| chain.steps[k..].iter().map(|step| step.kept).product());
        Self { left: left.collect(), chain }
    }
}

impl Control for ToThreeModes {
    fn uses_score(&self) -> bool {
        false
    }

    fn forward(&self, k: usize, _: &Knot, states: &Tensor<2>, _score: Option<&Tensor<2>>) -> Tensor<2> {
        let (step, left) = (&self.chain.steps[k], self.left[k + 1]);
        // x_{k+1} ~ Σ ⅓ N(left place, var), and x_k | x_{k+1} ~ N(a x_{k+1}, n²).
        let var = (left * WIDTH).powi(2) + 1.0 - left * left;
        let of_both = step.kept.powi(2) * var + step.noise.powi(2);
        every(states, |x| {
            let off = PLACES.map(|place| x - step.kept * left * place);
            let chances = off.map(|off| (-0.5 * off * off / of_both).exp());
            let means = [0, 1, 2].map(|i| left * PLACES[i] + var * step.kept * off[i] / of_both);
            let mean = (0..3).map(|i| chances[i] * means[i]).sum::<f64>() / chances.iter().sum::<f64>();
            (mean - step.kept * x) / step.moved
        })
    }
}

#[test]
fn steps_in_even_ratios_allow_weights_that_are_more_alike() {
    let law = Line(|x: f64| {
        let parts = PLACES.map(|place| common::normal_density(x - place, WIDTH * WIDTH) / 3.0);
        (parts.iter().sum::<f64>().ln(), 0.0)
    });
    let least = |lengths: &[f64]| {
        let (control, mut rng) = (ToThreeModes::along(lengths), Rng::new(4));
        let start = control.chain.start(&Tensor::zeros([40_000, 1], (&device(), DType::F64)), &mut rng);
        let found = control.chain.simulate(&control, &law, start, &mut rng).unwrap();
        Estimate::of(&found.action).unwrap()
    };
    // Of one coordinate, and the law of two has twice the variance; 40,000 paths know it to 2 %.
    let (even, finer) = (least(&ratio_grid(100, 5.0, 1e-3)), least(&ratio_grid(200, 5.0, 1e-3)));
    // The last of its steps is too short to tell what it moves from rounding.
    let cosine = least(&cosine_grid(4.95)[..99]);
    for (name, found, variance, ess) in
        [("100 even ratios", even, 0.08, 0.93), ("200", finer, 0.04, 0.963), ("cosine", cosine, 0.136, 0.89)]
    {
        assert_close(found.variance, variance, 0.012, &format!("Var A of {name}"));
        assert_close(found.ess, ess, 0.012, &format!("ESS of {name}"));
        assert_close(found.log_z, 0.0, 4.5 * found.log_z_error, &format!("ln Z of {name}"));
    }
}

#[test]
fn the_gradient_without_a_graph_is_that_of_the_variance_with_paths_held_fixed() {
    let double_well = || Line(|x: f64| (-(x * x - 2.0).powi(2), -4.0 * x * (x * x - 2.0)));
    let chain = pis(2);
    let draws = [[0.5, -0.3, 1.2], [-1.0, 0.8, 0.1]];
    // u = a + b x + c t, of which A is scored where paths follow (0.3, −0.5, 0.2).
    let control = By(|knot: &Knot, x: f64| 0.3 - 0.5 * x + 0.2 * knot.time);
    let mut rows = Rows(Vec::from(draws).into_iter());
    let paths = chain.simulate(&control, &double_well(), line(&[0.0; 3]), &mut rows).unwrap();
    let pull = log_variance(&paths.action, f64::INFINITY);
    assert_close(pull.value, 2.678_992, 1e-6, "Var A"); // six decimals
    let mut gradient = [0.0; 3];
    for (k, step) in chain.steps.iter().enumerate() {
        let (x, xi) = (to_vec_f64(paths.states[k].clone()), to_vec_f64(paths.noise[k].clone()));
        for i in 0..3 {
            let at_u = pull.forward[i] * xi[i] * step.ratio();
            gradient
                .iter_mut()
                .zip([1.0, x[i], chain.knots[k].time])
                .for_each(|(sum, basis)| *sum += at_u * basis);
        }
    }
    let known = [-4.568_068, -2.320_381, -9.358_639];
    gradient.iter().zip(known).for_each(|(found, known)| assert_close(*found, known, 1e-6, "gradient"));
    // A of other coefficients along the same paths: c·(w − ½c) dt + c·dW, with w as it was.
    let states: Vec<Vec<f64>> = paths.states.iter().map(|x| to_vec_f64(x.clone())).collect();
    let variance_of = |coefficients: [f64; 3]| {
        let action = |i: usize| {
            let along = chain.steps.iter().enumerate().map(|(k, step)| {
                let at = |[a, b, c]: [f64; 3]| a + b * states[k][i] + c * chain.knots[k].time;
                let (c, w, ratio) = (at(coefficients), at([0.3, -0.5, 0.2]), step.ratio());
                ratio * ratio * c * (w - 0.5 * c) + ratio * c * draws[k][i]
            });
            let x = states[2][i];
            along.sum::<f64>() + common::normal_density(x, 1.0).ln() + (x * x - 2.0).powi(2)
        };
        log_variance(&(0..3).map(action).collect::<Vec<f64>>(), f64::INFINITY).value
    };
    for (k, found) in gradient.iter().enumerate() {
        let moved = |h: f64| {
            let mut coefficients = [0.3, -0.5, 0.2];
            coefficients[k] += h;
            variance_of(coefficients)
        };
        // Rounding of a variance of 3 over the step.
        assert_close((moved(1e-5) - moved(-1e-5)) / 2e-5, *found, 1e-8, "difference");
    }
}

/// Draws decided beforehand, a column a step.
struct Rows(std::vec::IntoIter<[f64; 3]>);

impl Noise for Rows {
    fn draw(&mut self, _like: &Tensor<2>) -> Tensor<2> {
        line(&self.0.next().unwrap())
    }
}
