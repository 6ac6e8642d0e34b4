//! The linear forward score on Gaussian data, where everything is known: minimisers, fixed points, the optimal bridge.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::assert_close;
use faer::{Mat, mat};
use rayon::prelude::*;
use sbridge::reference::{LinearDiffusion, LinearDrift, Schedule};
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Family, StepMoments, moment_matched};
use sbridge_ot::{Affine, Gaussian, PriorBridge};

fn line(mean: f64, var: f64) -> Gaussian {
    Gaussian::isotropic(vec![mean], var).unwrap()
}

fn moments(s: Mat<f64>, g: Mat<f64>) -> StepMoments {
    StepMoments { state: vec![0.0; 2], score: vec![0.3, -0.1], state_state: s, score_state: g }
}

#[test]
fn minimisers_are_those_tabulated() {
    // R = G + ζI with ζ = 1.
    let found = moments(mat![[2.0, 0.5], [0.5, 1.0]], mat![[-1.4, 0.2], [-0.1, -0.7]]);
    let table = [
        (Family::Full, mat![[0.285714, -0.342857], [0.142857, -0.371429]]),
        (Family::Symmetric, mat![[0.204762, -0.019048], [-0.019048, -0.290476]]),
        (Family::Diagonal, mat![[0.2, 0.0], [0.0, -0.3]]),
    ];
    for (family, known) in table {
        let change = family.minimiser(&found, 1.0).unwrap();
        for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert_close(change.matrix[(i, j)], known[(i, j)], 6e-7, &format!("{family:?} ({i}, {j})")); // six digits
        }
        assert_eq!(change.offset, [-0.3, 0.1]);
    }
}

#[test]
fn minimisers_cannot_be_improved_within_their_family() {
    let law = Gaussian::new(vec![0.5, -1.0], mat![[2.0, 0.4], [0.4, 0.9]]).unwrap();
    let states = Gaussian::new(vec![0.2, 0.3], mat![[1.0, -0.2], [-0.2, 1.4]]).unwrap();
    let found = StepMoments::of_gaussians(&states, &law).unwrap();
    for family in [Family::Full, Family::Symmetric, Family::Diagonal] {
        for zeta in [0.75, 1.0] {
            let best = family.minimiser(&found, zeta).unwrap();
            let least = found.objective(&best, zeta);
            let step = 1e-3;
            for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let allowed = match family {
                    Family::Diagonal => i == j,
                    _ => true,
                };
                for sign in [-1.0, 1.0] {
                    let mut moved = best.clone();
                    moved.matrix[(i, j)] += sign * step;
                    if family == Family::Symmetric && i != j {
                        moved.matrix[(j, i)] += sign * step;
                    }
                    // A quadratic rises by half its curvature times the step squared; the curvature is about one.
                    assert!(
                        !allowed || found.objective(&moved, zeta) > least + 1e-8,
                        "{family:?} ({i}, {j})"
                    );
                }
            }
            for i in 0..2 {
                let mut moved = best.clone();
                moved.offset[i] += step;
                assert!(found.objective(&moved, zeta) > least + 1e-8, "{family:?} offset {i}");
            }
        }
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let law = Gaussian::new(vec![0.5, -1.0], mat![[2.0, 0.4], [0.4, 0.9]]).unwrap();
    let states = Gaussian::new(vec![0.2, 0.3], mat![[1.0, -0.2], [-0.2, 1.4]]).unwrap();
    let found = StepMoments::of_gaussians(&states, &law).unwrap();
    let zeta = 0.75;
    for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let at = |step: f64| {
            let mut change = Affine { matrix: Mat::zeros(2, 2), offset: vec![0.0; 2] };
            change.matrix[(i, j)] = step;
            found.objective(&change, zeta)
        };
        let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
        let known = found.score_state[(i, j)] + if i == j { zeta } else { 0.0 };
        assert_close(slope, known, 1e-9, "gradient"); // central differences of a quadratic are exact but for rounding
    }
}

/// Moments of backward paths from `start` under the exact scores of `diffusion` from `data`, averaged over the clock.
fn pooled(diffusion: &LinearDiffusion, data: &Gaussian, start: Gaussian) -> StepMoments {
    let marginals = diffusion.marginals(data).unwrap();
    let states = diffusion.reversed_marginals(&marginals, start).unwrap();
    let clock: Vec<f64> = diffusion.nodes().iter().map(|t| diffusion.schedule.elapsed(*t)).collect();
    let mut total = StepMoments::zero(data.dim());
    for k in 0..clock.len() {
        let width = 0.5 * (clock[(k + 1).min(clock.len() - 1)] - clock[k.saturating_sub(1)]);
        let found = StepMoments::of_gaussians(&states[k], &marginals[k]).unwrap();
        total.add(width / (clock[clock.len() - 1] - clock[0]), &found);
    }
    total
}

fn constant(drift: LinearDrift, intervals: usize) -> LinearDiffusion {
    let schedule = Schedule::default();
    LinearDiffusion::new(schedule, schedule.nodes_in_clock(0.0, intervals), vec![drift]).unwrap()
}

fn scalar(d: f64) -> LinearDrift {
    LinearDrift { matrix: mat![[d]], offset: vec![0.0] }
}

#[test]
fn started_from_the_end_of_the_forward_process_there_is_nothing_to_learn() {
    let data = line(0.0, 5.2);
    for a in [-0.5, 0.0, 0.3] {
        let diffusion = constant(scalar(1.0 - 2.0 * a), 200);
        let end = diffusion.marginals(&data).unwrap().pop().unwrap();
        let found = pooled(&diffusion, &data, end);
        let gradient = |zeta: f64| diffusion.schedule.total() * (found.score_state[(0, 0)] + zeta);
        assert_close(gradient(1.0), 0.0, 1e-8, "ζ = 1");
        assert_close(gradient(0.75), -0.941_667, 1e-6, "ζ = 0.75");
    }
}

#[test]
fn constant_scores_rest_where_they_are_tabulated_to() {
    // Second moment of the data; D, Σ_T, p_T for ζ = 0.75, 0.85; D, Σ_T for ζ = 1.
    let table = [
        (5.2, [[0.6099, 1.4748, 1.9977], [0.7584, 1.2429, 1.5417], [1.0792, 0.9107, 1.0]]),
        (13.2, [[0.7923, 1.1983, 1.8658], [0.9172, 1.0558, 1.4728], [1.1741, 0.8415, 1.0]]),
        (345.0, [[1.5621, 0.6384, 1.5988], [1.6404, 0.6083, 1.3234], [1.7716, 0.5637, 1.0]]),
        (477.0, [[1.6435, 0.6072, 1.5843], [1.7193, 0.5807, 1.3152], [1.8445, 0.5416, 1.0]]),
    ];
    for (c, rows) in table {
        let data = line(0.0, c);
        for (zeta, known) in [0.75, 0.85, 1.0].into_iter().zip(rows) {
            let mut d = moment_matched(&data, Schedule::default().total()).unwrap().matrix[(0, 0)];
            let at_start = d;
            // The slowest contracts by 0.97 a sweep: what is left of a first step of one is below 10⁻³ after 300.
            for _ in 0..300 {
                let found = pooled(&constant(scalar(d), 400), &data, line(0.0, 1.0));
                let change = Family::Symmetric.minimiser(&found, zeta).unwrap().matrix[(0, 0)];
                d -= 2.0 * change;
                if change.abs() < 1e-7 {
                    break;
                }
            }
            let kernel = scalar(d).kernel(Schedule::default().total()).unwrap();
            let end = kernel.push(&data).unwrap().cov()[(0, 0)];
            let what = |quantity: &str| format!("c = {c}, ζ = {zeta}: {quantity}");
            // Four digits, and the trapezoidal rule over 400 intervals.
            assert_close(d, known[0], 1e-3, &what("D"));
            assert_close(kernel.covariance[(0, 0)], known[1], 1e-3, &what("Σ"));
            assert_close(end, known[2], 2e-3, &what("p"));
            if zeta == 1.0 {
                assert_close(at_start, known[0], 1e-4, &what("matched D"));
            }
        }
    }
}

#[test]
fn moment_matching_in_the_plane_is_as_tabulated() {
    let data = Gaussian::new(vec![-8.0, 2.0], mat![[1.0, 1.0], [1.0, 5.0]]).unwrap();
    let drift = moment_matched(&data, 4.0).unwrap();
    for (i, j, known) in [(0, 0, 0.999185), (0, 1, 0.015463), (1, 0, 0.015463), (1, 1, 1.061037)] {
        assert_close(drift.matrix[(i, j)], known, 1e-5, "D");
    }
    assert_close(drift.offset[0], 0.62992, 1e-5, "b");
    assert_close(drift.offset[1], -0.15671, 1e-5, "b");
    let end = drift.kernel(4.0).unwrap().push(&data).unwrap();
    for i in 0..2 {
        assert_close(end.mean()[i], 0.0, 1e-12, "mean at the end");
        for j in 0..2 {
            assert_close(end.cov()[(i, j)], f64::from(i == j), 1e-12, "covariance at the end");
        }
    }
}

/// The diffusion with the optimal score, constant between `intervals` nodes, at their middles on the clock.
fn optimal(data: &Gaussian, prior: &Gaussian, schedule: Schedule, intervals: usize) -> LinearDiffusion {
    let bridge = PriorBridge::new(data, prior, schedule.total()).unwrap();
    let nodes = schedule.nodes_in_clock(0.0, intervals);
    let middle = |pair: &[f64]| {
        let Affine { matrix, offset } =
            bridge.score(0.5 * (schedule.elapsed(pair[0]) + schedule.elapsed(pair[1])));
        LinearDrift::of_score(matrix.as_ref(), offset)
    };
    let drifts = nodes.windows(2).map(middle).collect();
    LinearDiffusion::new(schedule, nodes, drifts).unwrap()
}

#[test]
fn the_optimal_bridge_has_its_tabulated_scores_and_costs() {
    let constant_rate = Schedule { beta_max: 4.0, power: 0.0, ..Schedule::default() };
    let prior = line(0.0, 1.0);
    let rows = [
        (5.0, constant_rate, [-0.00118, -0.00321, -0.00878, -0.02423, -0.06873], 0.0012294),
        (5.0, Schedule::default(), [-0.00183, -0.00204, -0.00338, -0.01073, -0.08557], 0.0019214),
        (345.0, Schedule::default(), [-0.01662, -0.01862, -0.03116, -0.10515, -2.41092], 2.26671),
    ];
    for (c, schedule, known, cost) in rows {
        let data = line(0.0, c);
        let bridge = PriorBridge::new(&data, &prior, schedule.total()).unwrap();
        for (t, known) in [0.0, 0.25, 0.5, 0.75, 1.0].into_iter().zip(known) {
            assert_close(bridge.score(schedule.elapsed(t)).matrix[(0, 0)], known, 6e-6, &format!("t = {t}"));
        }
        let diffusion = optimal(&data, &prior, schedule, 4000);
        // The trapezoidal rule where the score is steep, at the end.
        assert_close(diffusion.transport_cost(&data).unwrap(), cost, 1e-3 * cost, &format!("c = {c}"));
    }
    let data = Gaussian::new(vec![-8.0, 2.0], mat![[1.0, 1.0], [1.0, 5.0]]).unwrap();
    let prior = Gaussian::isotropic(vec![0.0; 2], 1.0).unwrap();
    let bridge = PriorBridge::new(&data, &prior, 4.0).unwrap();
    let half = bridge.score(2.0);
    for (found, known) in [
        (half.matrix[(0, 0)], 0.000071),
        (half.matrix[(0, 1)], -0.002198),
        (half.matrix[(1, 1)], -0.008719),
        (half.offset[0], 0.40734),
        (half.offset[1], -0.10148),
    ] {
        assert_close(found, known, 6e-6, "in the plane");
    }
    assert_close(
        optimal(&data, &prior, constant_rate, 2000).transport_cost(&data).unwrap(),
        0.63573,
        1e-4,
        "cost",
    );
    let matched = LinearDiffusion::new(
        constant_rate,
        constant_rate.nodes_in_clock(0.0, 2000),
        vec![moment_matched(&data, 4.0).unwrap()],
    );
    assert_close(matched.unwrap().transport_cost(&data).unwrap(), 0.83050, 1e-4, "cost of the matched drift");
}

#[test]
fn the_optimal_bridge_lands_on_any_gaussian() {
    let data = Gaussian::new(vec![-1.0, 2.0], mat![[1.0, 0.3], [0.3, 2.0]]).unwrap();
    let prior = Gaussian::new(vec![0.5, -0.7], mat![[0.8, -0.4], [-0.4, 1.5]]).unwrap();
    let error = |intervals: usize| {
        let end =
            optimal(&data, &prior, Schedule::default(), intervals).marginals(&data).unwrap().pop().unwrap();
        let means = (0..2).map(|i| (end.mean()[i] - prior.mean()[i]).abs());
        let covariances = (0..4).map(|k| (end.cov()[(k / 2, k % 2)] - prior.cov()[(k / 2, k % 2)]).abs());
        means.chain(covariances).fold(0.0, f64::max)
    };
    // Middles of intervals: the error falls as their square, to nothing.
    let (coarse, fine) = (error(500), error(4000));
    assert!(fine < 1e-5 && coarse / fine > 40.0, "{coarse} {fine}");
}

#[test]
fn half_bridges_find_the_optimal_bridge() {
    // Largest error of A, variance at the end, and cost after so many sweeps from A = 0, as tabulated.
    let table = [
        (1, 1.52, 2.810, 0.962),
        (3, 0.475, 1.294, 1.950),
        (5, 0.128, 1.067, 2.188),
        (10, 0.004, 1.002, 2.264),
    ];
    let (data, prior, schedule) = (line(0.0, 345.0), line(0.0, 1.0), Schedule::default());
    let intervals = 2000;
    let nodes = schedule.nodes_in_clock(0.0, intervals);
    let exact = PriorBridge::new(&data, &prior, schedule.total()).unwrap();
    let mut scores = vec![0.0; intervals];
    let diffusion = |scores: &[f64]| {
        let drifts = scores.iter().map(|a| scalar(1.0 - 2.0 * a)).collect();
        LinearDiffusion::new(schedule, nodes.clone(), drifts).unwrap()
    };
    let mut sweeps = 0;
    for (until, error, variance, cost) in table {
        while sweeps < until {
            let current = diffusion(&scores);
            let marginals = current.marginals(&data).unwrap();
            let states = current.reversed_marginals(&marginals, prior.clone()).unwrap();
            let change = |k: usize| {
                let found = StepMoments::of_gaussians(&states[k], &marginals[k]).unwrap();
                Family::Symmetric.minimiser(&found, 1.0).unwrap().matrix[(0, 0)]
            };
            let changes: Vec<f64> = (0..=intervals).map(change).collect();
            scores.iter_mut().enumerate().for_each(|(k, a)| *a += 0.5 * (changes[k] + changes[k + 1]));
            sweeps += 1;
        }
        let current = diffusion(&scores);
        let worst = scores.iter().enumerate().map(|(k, a)| {
            let middle = 0.5 * (schedule.elapsed(nodes[k]) + schedule.elapsed(nodes[k + 1]));
            (a - exact.score(middle).matrix[(0, 0)]).abs()
        });
        let end = current.marginals(&data).unwrap().pop().unwrap();
        // Three digits are tabulated, at nodes; here drifts are taken at middles of intervals.
        assert_close(worst.fold(0.0, f64::max), error, 0.02, &format!("A after {until}"));
        assert_close(end.cov()[(0, 0)], variance, 0.005, &format!("variance after {until}"));
        assert_close(current.transport_cost(&data).unwrap(), cost, 0.01, &format!("cost after {until}"));
    }
}

#[test]
fn zeta_on_the_cross_term_weighs_that() {
    // E over x ~ N(0.4, 0.7), of a backward score s = −(x − 1)/2 and a forward score 0.3 x − 0.2.
    let (law, score, now) = ((0.4, 0.7), (-0.5, 0.5), (0.3, -0.2));
    let states = line(law.0, law.1);
    let found = StepMoments::of_gaussians(&states, &line(1.0, 2.0)).unwrap();
    let drift = LinearDrift::of_score(mat![[now.0]].as_ref(), vec![now.1]);
    for zeta in [0.6, 1.0, 1.4] {
        // J = E[½ Z² + ζ Z (s − Z_now)] + A, of second moments of affine functions.
        let objective = |a: f64, b: f64| {
            let product =
                |(p, q): (f64, f64), (r, s): (f64, f64)| p * r * law.1 + (p * law.0 + q) * (r * law.0 + s);
            let backward = (score.0 - now.0, score.1 - now.1);
            0.5 * product((a, b), (a, b)) + zeta * product((a, b), backward) + a
        };
        let change = Family::Full.minimiser(&found.clone().with_cross_weight(zeta, &drift), 1.0).unwrap();
        let (a, b) = (now.0 + change.matrix[(0, 0)], now.1 + change.offset[0]);
        let step = 1e-4;
        for slope in
            [objective(a + step, b) - objective(a - step, b), objective(a, b + step) - objective(a, b - step)]
        {
            assert_close(slope / (2.0 * step), 0.0, 1e-10, &format!("ζ = {zeta}")); // exact for a quadratic, but for rounding
        }
    }
}

#[test]
fn stochastic_approximation_errs_by_one_over_the_step() {
    // Variance 5, exact scores and steps, 100 nodes; curvature, rate and delay as tabulated.
    let (data, schedule) = (line(0.0, 5.0), Schedule::default());
    let (spread, rate, delay) = (7.22 / schedule.total(), 5.0, 5.0);
    let rest = moment_matched(&data, schedule.total()).unwrap().score_matrix()[(0, 0)];
    // Squared errors after each of 2000 steps, by 16 paths each.
    let run = |repetition: u64| {
        let (mut rng, mut a) = (Rng::new(repetition), 0.0);
        let error = |k: usize| {
            let gradient = 1.0 + mean_of_paths(a, 16, &mut rng).0;
            a -= (rate / (k as f64 + delay)).min(1.0) * gradient / spread;
            (a - rest).powi(2)
        };
        (0..2000).map(error).collect::<Vec<f64>>()
    };
    let repetitions: Vec<Vec<f64>> = (0..200).into_par_iter().map(run).collect();
    let mean = |k: usize| repetitions.iter().map(|errors| errors[k - 1]).sum::<f64>() / 200.0;
    // Tabulated: k E|A − A*|² = 0.17 ± 0.05 from 100 on, and a slope of −1 ± 0.15 in log–log, here over bins that grow by a
    // quarter: the first has a standard error of a tenth, all of them together of 0.03 in the slope.
    let scaled = (100..=2000).map(|k| k as f64 * mean(k)).sum::<f64>() / 1901.0;
    assert_close(scaled, 0.17, 0.05, "16 paths");
    let mut points = Vec::new();
    let mut from = 100;
    while from < 2000 {
        let to = (from * 5 / 4).min(2000);
        let error = (from..to).map(mean).sum::<f64>() / (to - from) as f64;
        points.push(((0.5 * (from + to) as f64).ln(), error.ln()));
        from = to;
    }
    let centre = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (centre(&|p| p.0), centre(&|p| p.1));
    let slope = centre(&|p| (p.0 - x) * (p.1 - y)) / centre(&|p| (p.0 - x).powi(2));
    assert_close(slope, -1.0, 0.15, "slope");
    // The minimiser of few paths is a ratio and off on average: small steps towards it, a fifth of the way, wander about
    // another place, off by −0.115 as tabulated. Twenty thousand steps, correlated over some twenty of them.
    let (mut rng, mut a, mut total, count) = (Rng::new(99), rest, 0.0, 20_000);
    for _ in 0..count {
        let (slope, spread) = mean_of_paths(a, 16, &mut rng);
        a -= 0.2 * (1.0 + slope) / spread;
        total += a - rest;
    }
    assert_close(total / f64::from(count), -0.115, 0.01, "bias of the minimiser");
}

/// E s x and E x² over `count` backward paths from N(0, 1) of data of variance 5 under the forward score a x, averaged over
/// 100 steps of equal length on the clock.
fn mean_of_paths(a: f64, count: usize, rng: &mut Rng) -> (f64, f64) {
    const NODES: usize = 100;
    let (drift, du) = (scalar(1.0 - 2.0 * a), Schedule::default().total() / NODES as f64);
    let step = drift.kernel(du).unwrap();
    let (map, noise) = (step.map[(0, 0)], step.covariance[(0, 0)]);
    let mut variances = vec![5.0];
    for k in 0..NODES {
        variances.push(map * map * variances[k] + noise);
    }
    let mut normal = vec![0f32; count];
    rng.fill_normal(&mut normal);
    let mut x: Vec<f64> = normal.iter().map(|z| f64::from(*z)).collect();
    let (mut slope, mut spread) = (0.0, 0.0);
    for k in (0..=NODES).rev() {
        let weight = if k == 0 || k == NODES { 0.5 } else { 1.0 } / (NODES * count) as f64;
        let squares: f64 = x.iter().map(|x| x * x).sum();
        slope -= weight * squares / variances[k];
        spread += weight * squares;
        if k > 0 {
            let back = variances[k - 1] * map / variances[k];
            let deviation = (variances[k - 1] * noise / variances[k]).sqrt();
            rng.fill_normal(&mut normal);
            x.iter_mut().zip(&normal).for_each(|(x, z)| *x = back * *x + deviation * f64::from(*z));
        }
    }
    (slope, spread)
}

#[test]
fn the_bound_of_the_likelihood_is_sharp_for_the_exact_score() {
    // Variance 5, at x₀ = 1, D = 1: ln p₀(x₀) = E ln p_T(X_T) − ∫ E[½ s² + div s + ½ D] du over the forward process from x₀.
    let (data, drift, total) = (line(0.0, 5.0), scalar(1.0), Schedule::default().total());
    let at = |u: f64| {
        let kernel = drift.kernel(u).unwrap();
        let variance = kernel.push(&data).unwrap().cov()[(0, 0)];
        (variance, kernel.map[(0, 0)].powi(2) + kernel.covariance[(0, 0)])
    };
    let rate = |u: f64| {
        let (variance, second) = at(u);
        0.5 * second / (variance * variance) - 1.0 / variance + 0.5
    };
    // Simpson's rule, whose error at 1000 intervals is below 10⁻⁹.
    let n = 1000;
    let h = total / f64::from(n);
    let weight = |k: i32| {
        if k == 0 || k == n {
            1.0
        } else if k % 2 == 1 {
            4.0
        } else {
            2.0
        }
    };
    let integral = (0..=n).map(|k| weight(k) * rate(f64::from(k) * h)).sum::<f64>() * h / 3.0;
    let (variance, second) = at(total);
    let end = -0.5 * (std::f64::consts::TAU * variance).ln() - 0.5 * second / variance;
    assert_close(end - integral, -1.823_657, 1e-5, "bound");
    assert_close(variance, 1.092_516, 1e-6, "variance at the end");
}
