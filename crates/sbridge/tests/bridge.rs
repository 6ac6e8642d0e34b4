//! The bridge from a smoothed law to the law itself: its drifts, Nelson's identity, and the closed
//! form between Gaussians.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{assert_close, derivative, device, line, two_bumps, two_bumps_density};
use faer::mat;
use sbridge::marginal::Gaussian;
use sbridge::reference::Brownian;
use sbridge::solver::SmoothingBridge;
use sbridge::tensor::{DType, Tensor, from_rows_f64, per_row, to_vec_f64};
use sbridge::{Bridge, Direction};
use sbridge_ot::GaussianBridge;

const EPSILON: f64 = 1.7;
const TIMES: [f64; 4] = [0.0, 0.3, 0.75, 0.95];
const STATES: [f64; 5] = [-2.0, -0.4, 0.0, 0.7, 3.0];

fn two_bump_bridge() -> SmoothingBridge<sbridge::marginal::Mixture> {
    SmoothingBridge::new(two_bumps(), Brownian::with_epsilon(EPSILON).unwrap())
}

/// ∇log of the marginal density at time t, by differences.
fn marginal_score(t: f64, x: f64) -> f64 {
    derivative(|x| two_bumps_density(x, EPSILON * (1.0 - t)).ln(), x)
}

#[test]
fn the_reversed_process_is_brownian() {
    let x = line(&STATES);
    for t in TIMES {
        let drift = two_bump_bridge().drift(Direction::Backward, per_row(t, &x), x.clone());
        assert_eq!(to_vec_f64(drift), [0.0; 5]);
    }
}

#[test]
fn drifts_add_up_to_the_scaled_score_and_subtract_to_twice_the_velocity() {
    let (bridge, x) = (two_bump_bridge(), line(&STATES));
    for t in TIMES {
        let time = || per_row(t, &x);
        let drift = |direction| bridge.drift(direction, time(), x.clone());
        let sum = to_vec_f64(drift(Direction::Forward) + drift(Direction::Backward));
        let velocity = to_vec_f64(bridge.velocity(time(), x.clone()));
        let score = to_vec_f64(bridge.score(time(), x.clone()));
        for (i, &at) in STATES.iter().enumerate() {
            let expected = marginal_score(t, at);
            let what = format!("t = {t}, x = {at}");
            // The differences are good to 10⁻¹⁰ at these variances.
            assert_close(sum[i], EPSILON * expected, 1e-9, &what);
            assert_close(velocity[i], 0.5 * EPSILON * expected, 1e-9, &what);
            assert_close(score[i], expected, 1e-9, &what);
        }
    }
}

/// The same drifts, with the methods the trait provides.
struct Plain<B>(B);

impl<B: Bridge> Bridge for Plain<B> {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        self.0.drift(direction, t, x)
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        self.0.diffusion(t)
    }
}

#[test]
fn nelsons_identity_gives_the_same_score_as_the_shortcut() {
    let (x, bridge) = (line(&STATES), two_bump_bridge());
    let shortcut = to_vec_f64(bridge.score(per_row(0.6, &x), x.clone()));
    assert_eq!(to_vec_f64(Plain(bridge).score(per_row(0.6, &x), x)), shortcut);
}

#[test]
fn diffusion_and_variance_are_those_of_the_reference() {
    let (bridge, x) = (two_bump_bridge(), line(&STATES));
    for t in TIMES {
        let diffusion = to_vec_f64(bridge.diffusion(per_row(t, &x)));
        let variance = to_vec_f64(bridge.variance(per_row(t, &x)));
        for (g, v) in diffusion.into_iter().zip(variance) {
            assert_close(g * g, EPSILON, 1e-14, "g²"); // a root and a square
            assert_close(v / (1.0 - t), EPSILON, 1e-14, "v/(1 − t)"); // one product, one quotient
        }
    }
}

/// The static problem between q_ε and p, solved by other means, has the same dynamics.
#[test]
fn the_bridge_of_a_gaussian_is_the_schroedinger_bridge_between_its_ends() {
    let mean = vec![0.5, -1.0];
    let law = |v: f64| sbridge_ot::Gaussian::new(mean.clone(), mat![[1.0 + v, 0.6], [0.6, 0.5 + v]]).unwrap();
    let exact = GaussianBridge::new(&law(EPSILON), &law(0.0), EPSILON).unwrap();
    let score = Gaussian::new(&law(0.0), DType::F64, &device()).unwrap();
    let bridge = SmoothingBridge::new(score, Brownian::with_epsilon(EPSILON).unwrap());
    let state = [1.3, 0.4];
    let x = from_rows_f64(&state, 2, &device());
    for t in [0.0, 0.3, 0.75, 1.0] {
        let time = || per_row(t, &x);
        let pairs = [
            (bridge.drift(Direction::Forward, time(), x.clone()), exact.forward_drift(t)),
            (bridge.drift(Direction::Backward, time(), x.clone()), exact.backward_drift(t)),
            (bridge.velocity(time(), x.clone()), exact.probability_flow(t)),
        ];
        for (got, expected) in pairs {
            for (got, expected) in to_vec_f64(got).into_iter().zip(expected.apply(&state)) {
                // A few decompositions of 2 × 2 matrices of order one.
                assert_close(got, expected, 1e-11, &format!("t = {t}"));
            }
        }
    }
}
