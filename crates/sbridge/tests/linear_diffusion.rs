//! Linear diffusions: kernels against tabulated values, against each other, and against simulated paths.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::assert_close;
use faer::{Mat, mat};
use sbridge::reference::{Kernel, LinearDiffusion, LinearDrift, Schedule};
use sbridge::rng::Rng;
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::{expm, lyapunov, symmetric_eigen};

fn drift(matrix: Mat<f64>) -> LinearDrift {
    let dim = matrix.nrows();
    LinearDrift { matrix, offset: vec![0.0; dim] }
}

fn assert_matrix(found: &Mat<f64>, known: &Mat<f64>, allowed: f64, what: &str) {
    for i in 0..known.nrows() {
        for j in 0..known.ncols() {
            assert_close(found[(i, j)], known[(i, j)], allowed, &format!("{what} ({i}, {j})"));
        }
    }
}

/// Published values have six digits.
const SIX: f64 = 6e-7;

#[test]
fn kernels_of_constant_drifts_are_those_tabulated() {
    let total = Schedule::default().total();
    let table = [
        (mat![[0.1]], mat![[0.828339]], mat![[3.138552]]),
        (mat![[0.5]], mat![[0.389977]], mat![[1.695835]]),
        (mat![[1.0]], mat![[0.152082]], mat![[0.976871]]),
        (
            mat![[1.0, 0.4], [0.4, 0.6]],
            mat![[0.211309, -0.187428], [-0.187428, 0.398738]],
            mat![[1.150899, -0.576699], [-0.576699, 1.727597]],
        ),
        (
            mat![[1.2, 0.5], [-0.3, 0.8]],
            mat![[0.069735, -0.134078], [0.080447, 0.176997]],
            mat![[0.872109, -0.138743], [-0.138743, 1.150722]],
        ),
    ];
    for (matrix, map, covariance) in table {
        let kernel = drift(matrix).kernel(total).unwrap();
        assert_matrix(&kernel.map, &map, SIX, "M");
        assert_matrix(&kernel.covariance, &covariance, SIX, "Σ");
    }
}

#[test]
fn kernels_of_fast_drifts_that_are_not_symmetric_have_the_covariance_of_the_lyapunov_equation() {
    // Σ = X − M X Mᵀ, where X is the stationary covariance: D X + X Dᵀ = 2 I.
    let matrix = mat![[12.0, 4.0], [-2.0, 0.3]];
    let stationary =
        lyapunov(matrix.as_ref(), Mat::from_fn(2, 2, |i, j| 2.0 * f64::from(i == j)).as_ref()).unwrap();
    for u in [0.02, 0.5, 7.47, 11.17, 40.0] {
        let kernel = drift(matrix.clone()).kernel(u).unwrap();
        let map = expm(Mat::from_fn(2, 2, |i, j| -0.5 * u * matrix[(i, j)]).as_ref()).unwrap();
        let covariance = &stationary - &map * &stationary * map.transpose();
        // Rounding of a few doublings, of numbers up to 2.
        assert_matrix(&kernel.map, &map, 1e-12, "M");
        assert_matrix(&kernel.covariance, &covariance, 1e-12, "Σ");
    }
    let known = drift(matrix).kernel(7.47).unwrap().covariance[(0, 0)];
    assert_close(known, 0.194, 5e-4, "Σ₁₁");
}

#[test]
fn kernels_of_drifts_that_change_are_those_tabulated() {
    let pieces = |intervals: usize, matrix: &dyn Fn(f64) -> f64| {
        let nodes = Schedule::default().nodes_in_time(0.0, intervals);
        let middle = |pair: &[f64]| drift(mat![[matrix(0.5 * (pair[0] + pair[1]))]]);
        let drifts = nodes.windows(2).map(middle).collect();
        LinearDiffusion::new(Schedule::default(), nodes, drifts).unwrap().kernels().unwrap()
    };
    for (matrix, map, covariance) in [
        (&(|t: f64| 0.5 + t) as &dyn Fn(f64) -> f64, 0.099808, 0.700086),
        (&|t: f64| 1.0 + 2.0 * t.powi(4), 0.034015, 0.372397),
    ] {
        let last = pieces(4000, matrix).pop().unwrap();
        // Middles of 4000 intervals: off by their square.
        assert_close(last.map[(0, 0)], map, 1e-6, "M");
        assert_close(last.covariance[(0, 0)], covariance, 1e-6, "Σ");
    }
    let drifts = vec![drift(mat![[1.2, 0.5], [-0.3, 0.8]]), drift(mat![[0.6, 0.0], [0.4, 1.5]])];
    let two = LinearDiffusion::new(Schedule::default(), vec![0.0, 0.5, 1.0], drifts).unwrap();
    let last = two.kernels().unwrap().pop().unwrap();
    assert_matrix(&last.map, &mat![[0.266688, -0.043797], [-0.083477, 0.087789]], SIX, "M");
    assert_matrix(&last.covariance, &mat![[1.481003, -0.243857], [-0.243857, 0.720444]], SIX, "Σ");
}

#[test]
fn both_ways_to_a_kernel_agree_and_spans_add_up() {
    let matrix = mat![[1.3, 0.4, -0.2], [0.4, 0.7, 0.1], [-0.2, 0.1, 2.1]];
    let symmetric = LinearDrift { matrix: matrix.clone(), offset: vec![0.3, -0.5, 1.0] };
    // The last bit makes it another path through the code.
    let mut tilted = symmetric.clone();
    tilted.matrix[(0, 1)] += 1e-15;
    let [a, b] = [&symmetric, &tilted].map(|drift| drift.kernel(3.7).unwrap());
    let halves = symmetric.kernel(1.2).unwrap().then(&symmetric.kernel(2.5).unwrap());
    for other in [b, halves] {
        assert_matrix(&a.map, &other.map, 1e-12, "M");
        assert_matrix(&a.covariance, &other.covariance, 1e-12, "Σ");
        (0..3).for_each(|i| assert_close(a.shift[i], other.shift[i], 1e-12, "h"));
    }
    // Eigenvalues at and near zero are no special case.
    let variance = |l: f64| drift(mat![[l]]).kernel(2.0).unwrap().covariance[(0, 0)];
    for l in [0.0, 1e-12, 4.9e-5, 5.1e-5] {
        assert_close(variance(l), 2.0 * (1.0 - l), 1e-8, "φ near zero"); // next term 4 l²/3
    }
}

#[test]
fn simulated_paths_have_the_kernel() {
    let linear = LinearDrift { matrix: mat![[1.2, 0.5], [-0.3, 0.8]], offset: vec![0.4, -0.2] };
    let (paths, steps, total) = (20_000, 400, 1.5);
    let h = total / f64::from(steps);
    let Kernel { map, shift, covariance } = linear.kernel(total).unwrap();
    let start = [1.0, -2.0];
    let mut rng = Rng::new(3);
    let mut states = vec![start; paths];
    for _ in 0..steps {
        let mut noise = vec![0f32; 2 * paths];
        rng.fill_normal(&mut noise);
        for (x, z) in states.iter_mut().zip(noise.chunks_exact(2)) {
            let pulled = |i: usize| {
                linear.offset[i] - 0.5 * (linear.matrix[(i, 0)] * x[0] + linear.matrix[(i, 1)] * x[1])
            };
            *x = [0, 1].map(|i| x[i] + h * pulled(i) + h.sqrt() * f64::from(z[i]));
        }
    }
    let n = paths as f64;
    let mean = [0, 1].map(|i| states.iter().map(|x| x[i]).sum::<f64>() / n);
    for i in 0..2 {
        let known = map[(i, 0)] * start[0] + map[(i, 1)] * start[1] + shift[i];
        // 4.5 standard errors, and a step's worth of bias.
        assert_close(mean[i], known, 4.5 * (covariance[(i, i)] / n).sqrt() + h, "mean");
        for j in 0..2 {
            let found = states.iter().map(|x| (x[i] - mean[i]) * (x[j] - mean[j])).sum::<f64>() / n;
            let error = 4.5 * (2.0 * covariance[(i, i)] * covariance[(j, j)] / n).sqrt() + h;
            assert_close(found, covariance[(i, j)], error, "covariance");
        }
    }
}

#[test]
fn nodes_that_make_no_diffusion_are_refused() {
    let refused = |nodes: Vec<f64>, drifts: usize| {
        let drifts = vec![LinearDrift::standard(1); drifts];
        LinearDiffusion::new(Schedule::default(), nodes, drifts).unwrap_err().to_string()
    };
    assert!(refused(vec![0.0, 0.5], 1).contains("nodes must be times that rise"));
    assert!(refused(vec![0.5, 0.2, 1.0], 1).contains("nodes must be"));
    assert!(refused(vec![0.0, 0.5, 1.0], 3).contains("expected 1 or 2, got 3"));
}

#[test]
fn a_kernel_back_keeps_a_covariance_where_little_noise_meets_a_wide_law() {
    // A law 10⁴ wide, seen through noise of a hundredth in a direction askew: in P − J M P the digits of the answer cancel.
    let before = Gaussian::new(vec![1.0, -1.0], mat![[1e8, 3e3], [3e3, 1.0]]).unwrap();
    let kernel = Kernel {
        map: mat![[0.9, 0.1], [-0.2, 0.8]],
        shift: vec![0.5, 0.0],
        covariance: mat![[1e-4, 0.0], [0.0, 1e-4]],
    };
    let after = kernel.push(&before).unwrap();
    let back = kernel.reversed(&before, &after).unwrap();
    let (values, _) = symmetric_eigen("covariance", back.covariance.as_ref()).unwrap();
    assert!(values[0] > 0.0, "{values:?}");
    // The noise, as it looks through M⁻¹, is all that is unknown where the law before is wide; the thinnest direction of
    // that has variance 0.9, so what it adds is a ten-thousandth.
    let inverse = mat![[0.8, -0.1], [0.2, 0.9]] * faer::Scale(1.0 / 0.74);
    let known = &inverse * &kernel.covariance * inverse.transpose();
    assert_matrix(&back.covariance, &known, 1e-3 * known[(0, 0)], "covariance back");
}

#[test]
fn a_law_that_is_a_point_has_no_kernel_back() {
    let point = Gaussian::new(vec![1.0, 2.0], mat![[1.0, 1.0], [1.0, 1.0]]).unwrap();
    let still = Kernel { map: Mat::identity(2, 2), shift: vec![0.0; 2], covariance: Mat::zeros(2, 2) };
    let refused = still.reversed(&point, &point).unwrap_err().to_string();
    assert!(refused.contains("positive definite"), "{refused}");
}
