//! Bridges that pay for where they go: the parts against closed forms and finite differences, the whole against the bridge of
//! a quadratic cost on a grid.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{assert_close, device};
use sbridge::crowd::{
    BaseDrift, Congestion, Costs, Crowd, Descent, DescentSettings, Entropy, GaussianPaths, HeightGrid,
    KernelDensity, LinearDrift, Mixture, NearestData, Obstacle, OccupancyMap, Optimiser, Problem, Quadratic,
    Rates, Shape, StateCost, Surface, SurfaceSettings, Terms, Variant, gmm, opinion, resampled, spider,
    stunnel, vneck,
};
use sbridge::solver::Gsbm;
use sbridge::solver::alternation::{Alternation, AlternationMethod as _, AlternationSettings};
use sbridge::tensor::{Tensor, to_vec_f64};
use sbridge::{Direction, PairBridge as _, Rng};

/// One pair on the line from `x0` to `x1` for σ = 1.
fn pair(x0: f64, x1: f64, knots: [usize; 2]) -> GaussianPaths {
    GaussianPaths::straight(&[x0], &[x1], 1, knots, 1.0)
}

fn quadratic(alpha: f64) -> Problem {
    let cost = Terms::default().with("quadratic", alpha, Quadratic { centre: None }).unwrap();
    Problem { cost: Arc::new(cost), base: None }
}

/// Paths of three pairs in the plane with knots that are anywhere.
fn anywhere(seed: u64) -> GaussianPaths {
    let mut rng = Rng::new(seed);
    let means = rng.uniform(3 * 6 * 2, -1.0, 1.0);
    let paths = GaussianPaths::through(means, 2, [6, 5], 0.8);
    paths.with_widths(rng.uniform(3 * 5, -0.5, 1.5))
}

#[test]
fn a_path_without_cost_starts_as_the_brownian_bridge_and_stays() {
    let paths = pair(-1.0, 2.0, [15, 30]);
    for t in [0.01, 0.3, 0.5, 0.77, 0.99] {
        let Rates { forward, backward } = paths.rates(0, t);
        assert_close(forward, -1.0 / (1.0 - t), 1e-6, "a₊");
        assert_close(backward, -1.0 / t, 1e-6, "a₋");
    }
    let (settings, problem) = (DescentSettings::default(), Problem::none());
    let descent = Descent::new(&settings, &problem, 1.0).unwrap();
    let (loss, means, widths) = descent.slopes(&paths, &Rng::new(1));
    let steepest = means.iter().chain(&widths).fold(0.0, |most: f64, slope| most.max(slope.abs()));
    assert!(loss < 1e-20 && steepest < 1e-9, "loss {loss:e}, steepest slope {steepest:e}");
    // A control: the variant with widths of ln 2 at the ends does not start where it stays.
    let faithful = DescentSettings { variant: Variant::Faithful, ..DescentSettings::default() };
    let (_, _, widths) = Descent::new(&faithful, &problem, 1.0).unwrap().slopes(&paths, &Rng::new(1));
    assert!(widths.iter().any(|slope| slope.abs() > 1e-3));
}

#[test]
fn the_drifts_of_a_path_have_its_score_and_its_width() {
    let paths = anywhere(4);
    for (b, t) in [(0, 0.13), (1, 0.41), (2, 0.87)] {
        let (x, mut both) = ([0.3, -0.7], [[0.0; 2]; 2]);
        paths.drift(Direction::Forward, b, t, &x, &mut both[0]);
        paths.drift(Direction::Backward, b, t, &x, &mut both[1]);
        let variance = |t: f64| paths.deviation(b, t).powi(2);
        let mean = paths.mean(b, t).0;
        for k in 0..2 {
            let score = -0.64 * (x[k] - mean[k]) / variance(t);
            assert_close(both[0][k] + both[1][k], score, 1e-9 * score.abs().max(1.0), "v₊ + v₋");
        }
        let h = 1e-6;
        let growth = (variance(t + h) - variance(t - h)) / (2.0 * h);
        // The rounding of differences of numbers about 1, over h.
        assert_close(2.0 * paths.rates(b, t).forward * variance(t) + 0.64, growth, 1e-7, "d γ²/dt");
    }
}

#[test]
fn slopes_of_knots_are_those_of_differences() {
    let cost = Terms::default()
        .with("disc", 3.0, Obstacle::new(Shape::Disc { centre: [0.2, 0.1], radius: 0.5 }, 5.0).unwrap())
        .and_then(|terms| terms.with("congestion", 2.0, Congestion))
        .unwrap();
    let base: Arc<dyn BaseDrift> = Arc::new(LinearDrift::new(0.7, vec![0.5, -0.5]).unwrap());
    let problem = Problem { cost: Arc::new(cost), base: Some(base) };
    for variant in [Variant::Fixed, Variant::Faithful] {
        let settings = DescentSettings {
            variant,
            mean_knots: 6,
            width_knots: 5,
            times: 9,
            ..DescentSettings::default()
        };
        let descent = Descent::new(&settings, &problem, 1.0).unwrap();
        let mut rng = Rng::new(9);
        let (means, widths) = (rng.uniform(3 * 6 * 2, -1.0, 1.0), rng.uniform(3 * 5, -0.5, 1.5));
        let of = |means: &[f64], widths: &[f64]| {
            let paths = GaussianPaths::through(means.to_vec(), 2, [6, 5], 0.8);
            descent.slopes(&paths.with_widths(widths.to_vec()), &Rng::new(2))
        };
        let (_, by_means, by_widths) = of(&means, &widths);
        let h = 1e-6;
        let compare = |what: &str, found: f64, [up, down]: [f64; 2]| {
            // Slopes are each pair's own, the loss a mean over three.
            let expected = 3.0 * (up - down) / (2.0 * h);
            assert_close(found, expected, 2e-4 * expected.abs().max(1.0), what);
        };
        for i in [2, 5, 9, 16, 21, 30] {
            let moved = |by: f64| {
                let mut means = means.clone();
                means[i] += by;
                of(&means, &widths).0
            };
            compare("mean", by_means[i], [moved(h), moved(-h)]);
        }
        for i in [1, 3, 7, 12] {
            let moved = |by: f64| {
                let mut widths = widths.clone();
                widths[i] += by;
                of(&means, &widths).0
            };
            compare("width", by_widths[i], [moved(h), moved(-h)]);
        }
    }
}

#[test]
fn the_optimal_path_of_a_quadratic_cost_has_its_closed_form() {
    for (t, mean, var) in
        [(0.1, -0.67320, 0.07399), (0.3, -0.19715, 0.13304), (0.5, 0.19739, 0.14527), (0.9, 1.42821, 0.07399)]
    {
        let [found_mean, found_var] = Quadratic::optimal_path(5.0, 1.0, [-1.0, 2.0], t);
        assert_close(found_mean, mean, 1e-5, "mean");
        assert_close(found_var, var, 1e-5, "variance");
    }
    // Where there is next to no cost it is the Brownian bridge, and a large one does not overflow.
    assert_close(Quadratic::optimal_path(1e-9, 1.0, [-1.0, 2.0], 0.3)[1], 0.21, 1e-6, "variance");
    assert!(Quadratic::optimal_path(1e7, 1.0, [-1.0, 2.0], 0.3).iter().all(|x| x.is_finite()));
}

#[test]
fn the_optimal_drift_of_a_quadratic_cost_leads_along_that_path() {
    let (h, x1, count, steps) = (10.0_f64.sqrt(), 2.0, 20_000, 2000);
    let (dt, mut rng, mut noise) = (1.0 / steps as f64, Rng::new(6), vec![0f32; 20_000]);
    let mut x = vec![-1.0; count];
    for k in 0..steps {
        let left = h * (1.0 - k as f64 * dt);
        rng.fill_normal(&mut noise);
        for (x, z) in x.iter_mut().zip(&noise) {
            *x += dt * h * (x1 / left.sinh() - *x / left.tanh()) + dt.sqrt() * f64::from(*z);
        }
        let t = (k + 1) as f64 * dt;
        if [200, 600, 1000, 1800].contains(&(k + 1)) {
            let [mean, var] = Quadratic::optimal_path(5.0, 1.0, [-1.0, 2.0], t);
            let n = count as f64;
            let found = x.iter().sum::<f64>() / n;
            let found_var = x.iter().map(|x| (x - found).powi(2)).sum::<f64>() / n;
            // Five standard errors, and a step's length of bias.
            assert_close(found, mean, 5.0 * (var / n).sqrt() + 10.0 * dt, "mean");
            assert_close(found_var, var, 5.0 * var * (2.0 / n).sqrt() + 10.0 * dt * var, "variance");
        }
    }
}

/// The largest errors of mean and relative width of what a descent finds, at times in [0.01, 0.99].
fn errors(alpha: f64, settings: &DescentSettings) -> [f64; 2] {
    let problem = quadratic(alpha);
    let descent = Descent::new(settings, &problem, 1.0).unwrap();
    let (paths, _) = descent.minimise(pair(-1.0, 2.0, settings.knots()), &Rng::new(3));
    (1..100).map(|k| k as f64 / 100.0).fold([0.0; 2], |[of_mean, of_width], t| {
        let [mean, var] = Quadratic::optimal_path(alpha, 1.0, [-1.0, 2.0], t);
        let off = [(paths.mean(0, t).0[0] - mean).abs(), (paths.deviation(0, t) / var.sqrt() - 1.0).abs()];
        [of_mean.max(off[0]), of_width.max(off[1])]
    })
}

#[test]
fn descent_finds_the_optimal_path_of_a_quadratic_cost() {
    // Errors of the fully minimised loss, by an independent prototype.
    for (alpha, mean, width) in [(1.0, 0.0024, 0.0028), (5.0, 0.012, 0.0098), (20.0, 0.043, 0.021)] {
        let settings = DescentSettings { samples: 400, iterations: 800, ..DescentSettings::default() };
        let found = errors(alpha, &settings);
        println!("alpha {alpha}: {found:.4?}");
        // Once and a half of them; four hundred particles on each of three times about a knot of width leave 1/1000.
        assert!(found[0] <= 1.5 * mean && found[1] <= 1.5 * width + 1e-3, "alpha {alpha}: {found:?}");
        let none = errors(alpha, &DescentSettings { iterations: 0, ..settings });
        assert!(none[0] > 10.0 * mean && none[1] > 10.0 * width, "an unmoved path passes: {none:?}");
    }
}

#[test]
fn plain_descent_leads_to_the_same_path() {
    let settings = DescentSettings {
        optimiser: Optimiser::Sgd,
        mean_rate: 0.02,
        width_rate: 0.02,
        samples: 50,
        iterations: 4000,
        ..DescentSettings::default()
    };
    let found = errors(5.0, &settings);
    // As above, and the noise of a descent of constant rate.
    assert!(found[0] < 0.03 && found[1] < 0.05, "{found:?}");
}

fn mean_and_variance(x: &[f64], weights: &[f64]) -> [f64; 2] {
    let mean: f64 = x.iter().zip(weights).map(|(x, w)| x * w).sum();
    [mean, x.iter().zip(weights).map(|(x, w)| w * (x - mean).powi(2)).sum()]
}

#[test]
fn weighted_paths_weigh_alike_where_they_are_optimal_already() {
    let sizes = [2000, 300, 1];
    let plain = resampled(&pair(0.0, 1.0, [15, 30]), &Problem::none(), sizes, &Rng::new(1));
    let exact = -0.5 - 0.5 * (2.0 * std::f64::consts::PI).ln();
    let off = plain.log_weights.iter().fold(0.0, |most: f64, w| most.max((w - exact).abs()));
    // Rounding of three hundred terms of size ten.
    assert!(off < 1e-10, "ln w is off by {off:e}");
    assert!(plain.effective_share() > 0.999_999);
    // The closed form of the optimal path, between knots fine enough not to matter.
    let knots = 801;
    let times = (0..knots).map(|k| k as f64 / (knots - 1) as f64);
    let (mut means, mut widths) = (Vec::new(), Vec::new());
    for t in times {
        let inside = t.clamp(1e-6, 1.0 - 1e-6);
        let [mean, var] = Quadratic::optimal_path(5.0, 1.0, [0.0, 1.0], inside);
        let c = (var / (inside * (1.0 - inside))).sqrt();
        means.push(mean);
        widths.push(c.exp_m1().ln());
    }
    let optimal = GaussianPaths::through(means, 1, [knots, knots], 1.0).with_widths(widths);
    let found = resampled(&optimal, &quadratic(5.0), sizes, &Rng::new(2));
    assert!(found.effective_share() > 0.999, "effective share {}", found.effective_share());
}

#[test]
fn weighted_brownian_bridges_have_the_law_of_the_optimal_path() {
    let count = 40_000;
    let found = resampled(&pair(0.0, 1.0, [15, 30]), &quadratic(5.0), [count, 300, 1], &Rng::new(5));
    let k = (0..300).min_by_key(|k| ((found.times[*k] - 0.501_67).abs() * 1e6) as i64).unwrap();
    let x: Vec<f64> = found.states[k * count..(k + 1) * count].iter().map(|x| f64::from(*x)).collect();
    let [mean, var] = mean_and_variance(&x, &found.weights);
    println!("mean {mean:.4}, variance {var:.4}, effective share {:.3}", found.effective_share());
    // Of 22,000 that count the mean is known to 0.0026 and the variance to one per cent.
    assert_close(mean, 0.1985, 0.012, "mean");
    assert_close(var, 0.1453, 0.05 * 0.1453, "variance");
    let even = vec![1.0 / count as f64; count];
    assert!(
        (mean_and_variance(&x, &even)[1] / 0.1453 - 1.0).abs() > 0.5,
        "without weights the variance passes"
    );
}

/// V at one place, and at places moved by `h` along each coordinate.
fn value_at(cost: &dyn StateCost, x: &[f64]) -> f64 {
    total(cost, x, x.len()).0
}

/// What a crowd pays together, and its slopes.
fn total(cost: &dyn StateCost, x: &[f64], dim: usize) -> (f64, Vec<f64>) {
    let means = Rng::new(8).uniform(4 * dim, -1.0, 1.0);
    let law = Mixture { means: &means, deviations: &[0.3, 0.5, 0.9, 1.4] };
    let (mut values, mut slopes) = (vec![0.0; x.len() / dim], vec![0.0; x.len()]);
    let mut costs = Costs { values: &mut values, slopes: &mut slopes };
    cost.evaluate(&Crowd { t: 0.4, x, dim, law }, &mut Rng::new(12), &mut costs);
    (values.iter().sum(), slopes)
}

#[test]
fn environments_have_their_values_where_they_are_known() {
    let ln2 = std::f64::consts::LN_2;
    let shape = |centre| Shape::Ellipse { centre, half_axes: [4.5f64.sqrt(), 90.0f64.sqrt()] };
    let ellipse = Obstacle::new(shape([5.0, 6.0]), 90.0).unwrap();
    assert_close(value_at(&ellipse, &[5.0, 6.0]), 90.0, 1e-9, "stunnel centre");
    assert_close(value_at(&ellipse, &[5.0, 6.0 + 90.0f64.sqrt()]), ln2, 1e-9, "stunnel border");
    let neck = Obstacle::new(Shape::Neck, 1.0).unwrap();
    assert_close(value_at(&neck, &[0.0, 0.6]), ln2, 1e-9, "neck border");
    assert!(neck.depth(&[0.0, 0.5]) < 0.0 && neck.depth(&[0.0, 0.7]) > 0.0 && neck.depth(&[2.0, 4.0]) < 0.0);
    let disc = Obstacle::new(Shape::Disc { centre: [6.0, 6.0], radius: 1.5 }, 100.0).unwrap();
    assert_close(value_at(&disc, &[6.0, 6.0]), 150.0, 1e-9, "disc centre");
    assert_close(value_at(&disc, &[6.0, 7.5]), ln2, 1e-6, "disc border");
    assert_close(value_at(&spider().unwrap(), &[0.0, 4.0]), 10.0 * 245.0 * 61.25, 1e-6, "slab centre");
    // Free where paths have to go.
    for (terms, free) in [(stunnel(), [0.0, 0.0]), (vneck(), [0.0, 0.0]), (gmm(), [-6.0, 6.0])] {
        assert!(terms.unwrap().depth(&free) < 0.0);
    }
}

#[test]
fn slopes_of_costs_are_those_of_differences() {
    let mut rng = Rng::new(21);
    let cloud = rng.uniform(60, -1.0, 1.0);
    let plane: Vec<f64> =
        cloud.chunks_exact(2).flat_map(|p| [p[0], p[1], 0.3 * p[0] - 0.2 * p[1] + 0.1]).collect();
    let obstacle = |shape, sharpness| Box::new(Obstacle::new(shape, sharpness).unwrap());
    let triangle = vec![[-1.0, -0.5], [1.1, -0.4], [0.1, 1.2]];
    let occupied: Vec<bool> = (0..64).map(|k| (k % 8) + (k / 8) > 8).collect();
    let map = OccupancyMap::new([[-2.0; 2], [2.0; 2]], [8, 8], &occupied).unwrap();
    let costs: Vec<(Box<dyn StateCost>, usize)> = vec![
        (obstacle(Shape::Disc { centre: [0.1, 0.0], radius: 0.7 }, 3.0), 2),
        (obstacle(Shape::Ellipse { centre: [0.1, 0.2], half_axes: [0.5, 0.9] }, 2.0), 2),
        (obstacle(Shape::Box { low: [-0.6, -0.5], high: [0.5, 0.4] }, 4.0), 2),
        (obstacle(Shape::Polygon { corners: triangle }, 4.0), 2),
        (obstacle(Shape::Neck, 1.0), 2),
        (obstacle(Shape::Slab { low: [-0.6, -0.5], high: [0.5, 0.4] }, 1.0), 2),
        (obstacle(Shape::Map(map), 2.0), 2),
        (Box::new(HeightGrid::new([[-2.0; 2], [2.0; 2]], [6, 5], &rng.uniform(30, 0.0, 1.0)).unwrap()), 2),
        (Box::new(Congestion), 2),
        (Box::new(Entropy), 2),
        (Box::new(Quadratic { centre: Some(vec![0.5, -0.2]) }), 2),
        (Box::new(NearestData::new(&cloud, 2, 5).unwrap()), 2),
        (Box::new(KernelDensity::new(&cloud, 2, 0.4).unwrap()), 2),
        (
            Box::new(
                Surface::new(&plane, SurfaceSettings { weights: [3.0, 2.0, 1.0], ..Default::default() })
                    .unwrap(),
            ),
            3,
        ),
        (Box::new(stunnel().unwrap()), 2),
    ];
    for (i, (cost, dim)) in costs.iter().enumerate() {
        let x = Rng::new(30).uniform(6 * dim, -0.9, 0.9);
        let (_, slopes) = total(cost.as_ref(), &x, *dim);
        let h = 1e-6;
        for k in 0..x.len() {
            let moved = |by: f64| {
                let mut x = x.clone();
                x[k] += by;
                total(cost.as_ref(), &x, *dim).0
            };
            let expected = (moved(h) - moved(-h)) / (2.0 * h);
            assert_close(
                slopes[k],
                expected,
                1e-5 * expected.abs().max(1.0),
                &format!("cost {i}, slope {k}"),
            );
        }
    }
}

#[test]
fn opinions_polarise_without_control() {
    let (dim, count, steps) = (20, 200, 100);
    let problem = opinion(dim, &Rng::new(1)).unwrap();
    let mut noise = vec![0f32; count * dim];
    let mut rng = Rng::new(2);
    rng.fill_normal(&mut noise);
    let mut x: Vec<f64> = noise.iter().map(|z| 0.5 * f64::from(*z)).collect();
    let similar = |x: &[f64]| {
        let found = sbridge::crowd::directional_similarity(x, dim, 1000, &mut Rng::new(3));
        found.iter().filter(|s| (**s - 0.5).abs() > 0.25).count() as f64 / found.len() as f64
    };
    let before = similar(&x);
    let base = problem.base.unwrap();
    for k in 0..steps {
        let t = k as f64 / steps as f64;
        // The crowd as it is now, at every time.
        let now = base.given(&vec![x.clone(); steps + 1]).unwrap();
        rng.fill_normal(&mut noise);
        let mut f = vec![0.0; dim];
        for (x, z) in x.chunks_exact_mut(dim).zip(noise.chunks_exact(dim)) {
            now.drift(t, x, &mut f);
            for k in 0..dim {
                x[k] += f[k] / steps as f64 + 0.5 * 0.1 * f64::from(z[k]);
            }
        }
    }
    let after = similar(&x);
    println!("pairs far from ½: {before:.3} before, {after:.3} after");
    assert!(before < 0.05 && after > 0.4);
}

#[test]
fn terms_are_refused_below_zero_and_in_the_wrong_space() {
    let negative = Terms::default().with("congestion", -1.0, Congestion).map(drop).unwrap_err().to_string();
    assert!(negative.contains("weight must be a finite number >= 0, got -1"), "{negative}");
    let terms = stunnel().unwrap();
    assert!(terms.require_dim(1).is_err() && terms.require_dim(2).is_ok());
}

/// N(−1, 0.3) and N(1, 0.5) on the line.
const ENDS: [[f64; 2]; 2] = [[-1.0, 0.3], [1.0, 0.5]];

/// Mean and variance at `times` of the bridge of V = `alpha` x² with σ = 1, from Sinkhorn on a grid whose kernel is that of
/// the harmonic oscillator.
fn moments_on_a_grid(alpha: f64, times: &[f64]) -> Vec<[f64; 2]> {
    let (count, h) = (241, (2.0 * alpha).sqrt());
    let grid: Vec<f64> = (0..count).map(|k| -5.0 + 10.0 * k as f64 / (count - 1) as f64).collect();
    let law = |[mean, var]: [f64; 2]| {
        let density: Vec<f64> = grid.iter().map(|x| (-(x - mean) * (x - mean) / (2.0 * var)).exp()).collect();
        let sum: f64 = density.iter().sum();
        density.into_iter().map(|p| p / sum).collect::<Vec<f64>>()
    };
    let kernel = |x: f64, y: f64| match alpha > 0.0 {
        true => (-h / (2.0 * h.sinh()) * ((x * x + y * y) * h.cosh() - 2.0 * x * y)).exp(),
        false => (-0.5 * (x - y) * (x - y)).exp(),
    };
    let matrix: Vec<f64> = grid.iter().flat_map(|x| grid.iter().map(move |y| kernel(*x, *y))).collect();
    let ([p, q], mut u, mut v) = (ENDS.map(law), vec![1.0; count], vec![1.0; count]);
    for _ in 0..300 {
        for i in 0..count {
            u[i] = p[i] / (0..count).map(|j| matrix[i * count + j] * v[j]).sum::<f64>();
        }
        for j in 0..count {
            v[j] = q[j] / (0..count).map(|i| matrix[i * count + j] * u[i]).sum::<f64>();
        }
    }
    let moments = |t: &f64| {
        let (mut mean, mut square) = (0.0, 0.0);
        for i in 0..count {
            for j in 0..count {
                let mass = u[i] * matrix[i * count + j] * v[j];
                let [m, var] = Quadratic::optimal_path(alpha, 1.0, [grid[i], grid[j]], *t);
                mean += mass * m;
                square += mass * (m * m + var);
            }
        }
        [mean, square - mean * mean]
    };
    times.iter().map(moments).collect()
}

/// The largest KL between Gaussians of the moments of a learned bridge and those of the grid, at inner and outer times.
fn divergence(alpha: f64, weight: f64) -> f64 {
    let mut rng = Rng::new(14);
    let sample = |rng: &mut Rng, [mean, var]: [f64; 2]| -> Tensor<2> {
        rng.normal([10_000, 1], &device()) * var.sqrt() + mean
    };
    let [x, y] = ENDS.map(|end| sample(&mut rng, end));
    let mut settings = AlternationSettings { half_bridges: 4, steps: 40, ..Gsbm.defaults() };
    (settings.net.mlp.width, settings.net.mlp.layers) = (64, 2);
    (settings.fit.steps, settings.cache.rows) = (1000, 4096);
    let descent = &mut settings.paths.as_mut().unwrap().descent;
    (descent.iterations, descent.times) = (150, 60);
    let alternation = Alternation::new(&x, &y, None, 1.0, settings, rng.fork("fit")).unwrap();
    let bridge = alternation.with_problem(&quadratic(weight)).unwrap().run().unwrap();
    let states = bridge.skeleton(Direction::Forward, &x, &mut Rng::new(2));
    let times: Vec<f64> = (0..=10).map(|k| k as f64 / 10.0).collect();
    let of = |([mean, var], k): ([f64; 2], usize)| {
        let x = to_vec_f64(states[4 * k].clone());
        let [found, spread] = mean_and_variance(&x, &vec![1e-4; 10_000]);
        println!(
            "t {:.1}: mean {found:.4}, not {mean:.4}; variance {spread:.4}, not {var:.4}",
            k as f64 / 10.0
        );
        0.5 * (spread / var - 1.0 - (spread / var).ln() + (found - mean).powi(2) / var)
    };
    moments_on_a_grid(alpha, &times).into_iter().zip(0..).map(of).fold(0.0, f64::max)
}

#[test]
fn alternation_finds_the_bridge_of_a_quadratic_cost() {
    // A thousand steps of a small network, and 10,000 samples of both ends.
    let found = divergence(3.0, 3.0);
    assert!(found < 4e-3, "KL {found}");
    let plain = divergence(3.0, 0.0);
    assert!(plain > 4e-2, "the plain bridge passes: KL {plain}");
}
