//! The over-relaxation factor of an alternating minimisation, learned from its errors.
//!
//! If plain sweeps shrink the error by η, sweeps that overshoot by ω shrink it by the λ of
//!
//! (λ + ω − 1)² = λ ω² η,   least at ω = 2 / (1 + √(1−η)), where λ = ω − 1                              [You71, §6.2]
//!
//! so the observed λ tells η, and η the best ω: about √ as many sweeps. Near its solution Sinkhorn's iteration is of
//! this kind \[TCDP21\]; far from it a factor above 1 may diverge, hence the start and the retreat to ω = 1.
//!
//! Tests: on a two-variable quadratic the learned factor is the best one.

/// Least number of sweeps over which a rate is measured.
const WINDOW: usize = 20;

/// A factor past its best widens its distance from 2 by this: the rate then changes little, and can be read again.
const RETREAT: f64 = 1.25;

/// Growth of the error over a window, in units of 1/(2 − ω), that counts as divergence; less is the hump of a good factor.
const DIVERGENCE: f64 = 10.0;

/// Largest rate believed, which bounds ω by 1.9998: an estimate beyond would rest on rounding.
const SLOWEST: f64 = 1.0 - 1e-8;

/// Total error of the marginals, of 2 at most, above which the iteration is too far from its solution to be of this
/// kind: a factor above 1 then leads away from it.
const NEAR: f64 = 0.2;

/// A factor that follows the observed rate.
pub(crate) struct Relaxation {
    omega: f64,
    first_error: f64,
    sweeps: usize,
}

impl Relaxation {
    /// The factor `omega`, learned on a problem like this, until the first window has been seen; 1 where nothing has.
    pub(crate) fn new(omega: f64) -> Self {
        Self { omega, first_error: f64::NAN, sweeps: 0 }
    }

    /// The factor for the next sweep.
    pub(crate) fn omega(&self) -> f64 {
        self.omega
    }

    /// Learn from the error before the next sweep.
    pub(crate) fn observe(&mut self, error: f64) {
        if error > NEAR {
            *self = Self::new(1.0);
            return;
        }
        if self.sweeps == 0 {
            self.first_error = error;
        }
        let seen = self.sweeps;
        self.sweeps += 1;
        if seen >= window(self.omega) {
            self.omega = updated(self.omega, error / self.first_error, seen);
            self.sweeps = 0;
        }
    }
}

/// Sweeps to watch: near its best a factor lets the error rise before it falls, for about 1/(2 − ω) sweeps.
fn window(omega: f64) -> usize {
    WINDOW.max((4.0 / (2.0 - omega)) as usize)
}

/// The factor to use after `sweeps` under `omega` multiplied the error by `growth`.
fn updated(omega: f64, growth: f64, sweeps: usize) -> f64 {
    if growth > DIVERGENCE / (2.0 - omega) || !growth.is_finite() {
        return 1.0;
    }
    let rate = growth.powf(1.0 / sweeps as f64);
    // At or below ω − 1 the rates of all modes are complex, of modulus ω − 1, and say nothing about η.
    if rate >= 1.0 || rate <= omega - 1.0 {
        return (2.0 - RETREAT * (2.0 - omega)).max(1.0);
    }
    let plain_rate = ((rate + omega - 1.0).powi(2) / (rate * omega * omega)).min(SLOWEST);
    2.0 / (1.0 + (1.0 - plain_rate).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sweeps of ½x² + ½y² + c·xy from (0.1, 0.1) until the error is 1e-12; η = c².
    fn sweeps(c: f64, mut omega: impl FnMut(f64) -> f64) -> usize {
        let (mut x, mut y) = (0.1_f64, 0.1_f64);
        for sweep in 0..100_000 {
            let error = x.abs().max(y.abs());
            if error < 1e-12 {
                return sweep;
            }
            let factor = omega(error);
            x += factor * (-c * y - x);
            y += factor * (-c * x - y);
        }
        100_000
    }

    #[test]
    fn a_slow_quadratic_needs_about_as_few_sweeps_as_with_the_best_factor() {
        let c: f64 = 0.999;
        let best = 2.0 / (1.0 + (1.0 - c * c).sqrt());
        let mut relaxation = Relaxation::new(1.0);
        let learned = sweeps(c, |error| {
            relaxation.observe(error);
            relaxation.omega()
        });
        let (with_best, plain) = (sweeps(c, |_| best), sweeps(c, |_| 1.0));
        // Three windows to learn in, and a factor slightly off its best.
        assert!(learned < 2 * with_best + 3 * WINDOW, "{learned} {with_best}");
        assert!(learned < plain / 10, "{learned} {plain}");
    }

    #[test]
    fn far_from_the_solution_sweeps_are_plain() {
        let mut relaxation = Relaxation::new(1.0);
        (0..100).for_each(|_| relaxation.observe(0.5));
        assert_eq!(relaxation.omega(), 1.0);
    }

    #[test]
    fn divergence_brings_back_plain_sweeps() {
        assert_eq!(updated(1.9, 1000.0, 40), 1.0);
        assert_eq!(updated(1.9, f64::NAN, 40), 1.0);
    }
}
