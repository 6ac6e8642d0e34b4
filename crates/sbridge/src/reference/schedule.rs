//! Noise schedules: β(t) = β_min + tʳ (β_max − β_min), with the clock u(t) = ∫₀ᵗ β.                       \[VSDM; Song21\]

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, require_positive};

/// How fast a diffusion runs at each time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// β at t = 0. Published 0.1; 2 for even paths.
    pub beta_min: f64,
    /// β at t = 1. Published 10 to 30, 20 for even paths. More noise forgets the data better, along less straight paths.
    pub beta_max: f64,
    /// r. Published 1.7, 3 for even paths; 0 keeps β at its largest.
    pub power: f64,
}

/// As published.
impl Default for Schedule {
    fn default() -> Self {
        Self { beta_min: 0.1, beta_max: 10.0, power: 1.7 }
    }
}

impl Schedule {
    /// One along which the probability flow of Gaussian data runs evenly: for variances from 5 to 500 its straightness is
    /// 0.39 to 0.52 of that of β from 0.1 to 20, at nearly as much noise: 6.5 beside 7.5 on the clock.
    pub const EVEN: Self = Self { beta_min: 2.0, beta_max: 20.0, power: 3.0 };

    /// # Errors
    /// [`Error::Setting`] for rates that are not positive, or fall with time.
    pub fn check(&self) -> Result<()> {
        require_positive("beta_min", self.beta_min, "0.1 is usual")?;
        require_positive("beta_max", self.beta_max, "10 is usual")?;
        if self.beta_max < self.beta_min {
            let requirement = format!("at least beta_min, {}", self.beta_min);
            return Err(Error::setting("beta_max", requirement, self.beta_max, "10 is usual"));
        }
        if !(self.power.is_finite() && self.power >= 0.0) {
            return Err(Error::setting("power", "a finite number >= 0", self.power, "1.7 is usual"));
        }
        Ok(())
    }

    /// β(t).
    pub fn rate(&self, t: f64) -> f64 {
        self.beta_min + t.powf(self.power) * (self.beta_max - self.beta_min)
    }

    /// u(t).
    pub fn elapsed(&self, t: f64) -> f64 {
        let power = self.power + 1.0;
        self.beta_min * t + (self.beta_max - self.beta_min) * t.powf(power) / power
    }

    /// U = u(1).
    pub fn total(&self) -> f64 {
        self.elapsed(1.0)
    }

    /// The time at which the clock shows `u`, in [0, U].
    pub fn time(&self, u: f64) -> f64 {
        // u is increasing in t, so halving finds the last bit.
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.elapsed(middle) < u { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    /// `count` + 1 times from `first` to 1, equally spaced.
    pub fn nodes_in_time(&self, first: f64, count: usize) -> Vec<f64> {
        (0..=count).map(|k| first + (1.0 - first) * k as f64 / count as f64).collect()
    }

    /// `count` + 1 times from `first` to 1, at which the noise over the signal of the plain process, σ = (eᵘ − 1)^½, has
    /// equally spaced seventh roots: the grid for few steps.                                        \[EDM, Eq. 5\]
    pub fn nodes_in_noise(&self, first: f64, count: usize) -> Vec<f64> {
        let root = |u: f64| u.exp_m1().powf(0.5 / 7.0);
        let (start, end) = (root(self.elapsed(first)), root(self.total()));
        self.nodes(first, count, |share| (start + (end - start) * share).powi(14).ln_1p())
    }

    /// `count` + 1 times from `first` to 1, equally spaced on the clock.
    pub fn nodes_in_clock(&self, first: f64, count: usize) -> Vec<f64> {
        let (start, end) = (self.elapsed(first), self.total());
        self.nodes(first, count, |share| start + (end - start) * share)
    }

    /// `first`, 1, and between them the times at which the clock shows `elapsed` of equally spaced shares.
    fn nodes(&self, first: f64, count: usize, elapsed: impl Fn(f64) -> f64) -> Vec<f64> {
        let inner = (1..count).map(|k| self.time(elapsed(k as f64 / count as f64)));
        [first].into_iter().chain(inner).chain([1.0]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_show_their_tabulated_totals_and_run_backward_to_the_bit() {
        for (beta_max, known) in [(10.0, 3.766_67), (20.0, 7.470_37), (30.0, 11.174_07)] {
            let schedule = Schedule { beta_max, ..Schedule::default() };
            assert!((schedule.total() - known).abs() < 5e-6, "{}", schedule.total()); // five digits
            for t in [0.001, 0.3, 0.99] {
                assert!((schedule.time(schedule.elapsed(t)) - t).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn rates_that_cannot_be_are_refused() {
        let refused = |schedule: Schedule| schedule.check().map_err(|e| e.to_string()).err();
        let with = |beta_min, beta_max, power| refused(Schedule { beta_min, beta_max, power });
        assert!(with(0.0, 1.0, 1.0).is_some_and(|m| m.contains("beta_min")));
        assert!(with(2.0, 1.0, 1.0).is_some_and(|m| m.contains("at least beta_min, 2, got 1")));
        assert!(with(0.1, 1.0, f64::NAN).is_some_and(|m| m.contains("power")));
        assert!(with(0.1, 10.0, 0.0).is_none());
    }
}
