//! Euler–Maruyama along a bridge: X += h v(t, X) + g √h ξ on equal steps, in the clock of the direction.

use crate::bridge::{Bridge, Direction};
use crate::rng::Rng;
use crate::tensor::{Tensor, column, per_row};

/// Carries `start` along `bridge` in `steps` equal steps, showing `(t, X_t)` to `observe` at every grid point.
///
/// # Shapes
/// `start: [batch, dim]`, result the same.
pub fn simulate(
    bridge: &dyn Bridge,
    direction: Direction,
    start: Tensor<2>,
    steps: usize,
    rng: &mut Rng,
    observe: &mut dyn FnMut(f64, &Tensor<2>),
) -> Tensor<2> {
    let time = |k: usize| match direction {
        Direction::Forward => k as f64 / steps as f64,
        Direction::Backward => 1.0 - k as f64 / steps as f64,
    };
    let h = 1.0 / steps as f64;
    let mut x = start;
    for k in 0..steps {
        observe(time(k), &x);
        let t = per_row(time(k), &x);
        let drift = bridge.drift(direction, t.clone(), x.clone());
        let noise = rng.normal_like(&x) * column(bridge.diffusion(t)) * h.sqrt();
        x = x + drift * h + noise;
    }
    observe(time(steps), &x);
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marginal::{Convolved, Gaussian, Marginal as _};
    use crate::reference::Brownian;
    use crate::solver::SmoothingBridge;
    use crate::tensor::{DType, Device, to_vec_f64};

    #[test]
    fn paths_of_the_smoothing_bridge_run_between_its_laws() {
        let (epsilon, count) = (1.0, 20_000);
        let law = Gaussian::isotropic(&[0.0], 0.25, DType::F32, &Device::flex());
        let reference = Brownian::with_epsilon(epsilon).expect("positive");
        let bridge = SmoothingBridge::new(law.clone(), reference);
        let mut rng = Rng::new(1);
        let var = |x: &Tensor<2>| to_vec_f64(x.clone().powi_scalar(2).mean())[0];
        // 4.5 standard errors of a variance; Euler's bias of about ε/2N at 200 steps.
        let allowed = |var: f64| 4.5 * var * (2.0 / count as f64).sqrt() + 0.0025;
        for (direction, start, end) in [
            (Direction::Forward, Convolved::new(law.clone(), epsilon).sample(count, &mut rng), 0.25),
            (Direction::Backward, law.sample(count, &mut rng), 1.25),
        ] {
            let mut times = Vec::new();
            let out = simulate(&bridge, direction, start, 200, &mut rng, &mut |t, _| times.push(t));
            assert!((var(&out) - end).abs() < allowed(end), "{direction:?}: {}", var(&out));
            assert_eq!(times.len(), 201);
            let (first, last) = (times[0], times[200]);
            assert_eq!((first, last), if direction == Direction::Forward { (0.0, 1.0) } else { (1.0, 0.0) });
        }
    }
}
