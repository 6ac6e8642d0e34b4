//! Variances of the bridge between the members of a pair, on a grid of N levels.
//!
//! s_k² is the variance from the clean end up to level k, r_k² that from there to the degraded end. β is small at both ends and
//! largest in the middle: √β on a straight line to the middle and back.                                \[I2SB\]

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, require_count, require_positive};
use crate::net::Place;
use crate::rng::Rng;
use crate::tensor::{DType, Device, Tensor, TensorData, column};

/// Where the published program and its paper differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Level N − 1 is the degraded end itself, and the last step ends at the clean one: no noise is left or missing.
    #[default]
    Fixed,
    /// As released: both sums count their own level, so paths start beside the degraded end and stop before the clean one.
    Faithful,
}

/// √β at the ends of the line, in units of the state.
const LOWEST: f64 = 1e-2;

/// Levels, at most.
const MAX_LEVELS: usize = 100_000;

/// Largest β of plans, and their whole variance in units of the normalised plan whatever the number of levels.
const TOP_OF_PLANS: f64 = 2e-2;
const WHOLE_OF_PLANS: f64 = 0.0329;

/// Share of what is learned at the degraded end.
const AT_END: f64 = 0.25;

/// A step from level to level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// What it keeps of the state.
    pub kept: f64,
    /// What it takes of the clean state that is predicted.
    pub taken: f64,
    /// Standard deviation of its noise.
    pub std: f64,
}

/// Variances on a grid of levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// β of every level.
    betas: Vec<f64>,
    /// s², up to every level.
    from_clean: Vec<f64>,
    /// r², from every level on.
    to_degraded: Vec<f64>,
    variant: Variant,
}

impl Schedule {
    /// `levels` levels whose √β rises from 0.01 towards √`top` and falls back.
    ///
    /// # Errors
    /// [`Error::Setting`] for an odd number of levels, which has no middle, or a `top` that is not positive.
    pub fn symmetric(levels: usize, top: f64, variant: Variant) -> Result<Self> {
        require_count("levels", levels, 2..=MAX_LEVELS, "1000 is usual for images, 16 for plans")?;
        require_positive("top", top, "0.3/levels to 1/levels is usual for images")?;
        if levels % 2 == 1 {
            let fix = format!("{} or {}: β rises to the middle and falls back", levels - 1, levels + 1);
            return Err(Error::setting("levels", "even", levels, fix));
        }
        let root = |k: usize| LOWEST + (top.sqrt() - LOWEST) * k as f64 / (levels - 1) as f64;
        let rising: Vec<f64> = (0..levels / 2).map(|k| root(k).powi(2)).collect();
        let betas = rising.iter().chain(rising.iter().rev()).copied().collect();
        Ok(Self::of_betas(betas, variant))
    }

    /// For images: 1000 levels, with the largest β `beta_max`/1000.
    ///
    /// # Errors
    /// As [`symmetric`](Self::symmetric).
    pub fn of_images(beta_max: f64, variant: Variant) -> Result<Self> {
        Self::symmetric(1000, beta_max / 1000.0, variant)
    }

    /// For plans, of `levels` levels. The released one grows with their number, the other has one variance for all.
    ///
    /// # Errors
    /// As [`symmetric`](Self::symmetric).
    pub fn of_plans(levels: usize, variant: Variant) -> Result<Self> {
        let schedule = Self::symmetric(levels, TOP_OF_PLANS, variant)?;
        if variant == Variant::Faithful {
            return Ok(schedule);
        }
        let factor = WHOLE_OF_PLANS / schedule.whole();
        Ok(Self::of_betas(schedule.betas.iter().map(|beta| beta * factor).collect(), variant))
    }

    fn of_betas(betas: Vec<f64>, variant: Variant) -> Self {
        let sum = |sum: &mut f64, beta: &f64| {
            *sum += beta;
            Some(*sum)
        };
        let from_clean: Vec<f64> = betas.iter().scan(0.0, sum).collect();
        let whole = from_clean[from_clean.len() - 1];
        let to_degraded = match variant {
            Variant::Fixed => from_clean.iter().map(|s2| whole - s2).collect(),
            Variant::Faithful => from_clean.iter().zip(&betas).map(|(s2, beta)| whole - s2 + beta).collect(),
        };
        Self { betas, from_clean, to_degraded, variant }
    }

    /// N.
    pub fn levels(&self) -> usize {
        self.betas.len()
    }

    /// S, the variance of the reference from end to end.
    pub fn whole(&self) -> f64 {
        self.from_clean[self.levels() - 1]
    }

    /// s_k: what the network's output is a multiple of.
    pub fn std_from_clean(&self, k: usize) -> f64 {
        self.from_clean[k].sqrt()
    }

    /// The bridge at level `k`: shares of the clean and of the degraded end in its mean, and its standard deviation.
    pub fn bridge(&self, k: usize) -> (f64, f64, f64) {
        let (s2, r2) = (self.from_clean[k], self.to_degraded[k]);
        let whole = s2 + r2;
        (r2 / whole, s2 / whole, (s2 * r2 / whole).sqrt())
    }

    /// A number for each of `levels`, `[levels]`.
    pub(super) fn of_levels(
        &self,
        levels: &[usize],
        (device, dtype): &(Device, DType),
        value: impl Fn(usize) -> f64,
    ) -> Tensor<1> {
        let values: Vec<f64> = levels.iter().map(|k| value(*k)).collect();
        Tensor::from_data(TensorData::new(values, [levels.len()]), (device, *dtype))
    }

    /// Where `levels` are on the way.
    pub(super) fn place(&self, levels: &[usize], like: &(Device, DType)) -> Place {
        let of = |value: &dyn Fn(usize) -> f64| column(self.of_levels(levels, like, value));
        Place {
            clean: of(&|k| self.bridge(k).0),
            degraded: of(&|k| self.bridge(k).1),
            variance: of(&|k| self.from_clean[k]),
        }
    }

    /// Level `k` on the clock of networks, in (0, 1].
    pub fn time(&self, k: usize) -> f64 {
        let first = 1e-4;
        first + (1.0 - first) * k as f64 / (self.levels() - 1) as f64
    }

    /// The step from level `from` to `to`; where there is none, to the clean end.
    pub fn step(&self, from: usize, to: Option<usize>) -> Step {
        let (v, next) = (self.from_clean[from], to.map_or(0.0, |to| self.from_clean[to]));
        Step { kept: next / v, taken: (v - next) / v, std: ((v - next) * next / v).sqrt() }
    }

    /// Levels at which `calls` calls are made, from the degraded end; and where the last step leads.
    ///
    /// # Errors
    /// [`Error::Setting`] unless there are at least as many levels as calls, and one more.
    pub fn visits(&self, calls: usize) -> Result<(Vec<usize>, Option<usize>)> {
        let last = self.levels() - 1;
        require_count("nfe", calls, 1..=last, "as many calls as levels less one are the most there can be")?;
        let level = |i: usize| ((i * last) as f64 / calls as f64).round() as usize;
        let end = match self.variant {
            Variant::Fixed => None,
            Variant::Faithful => Some(level(0)),
        };
        Ok(((1..=calls).rev().map(level).collect(), end))
    }

    /// `count` levels to learn at: even ones; but where all that is not seen has to be guessed, and every path begins, a quarter
    /// of them. Few others are as hard.
    pub fn levels_to_learn(&self, count: usize, rng: &mut Rng) -> Vec<usize> {
        let levels = rng.indices(count, self.levels());
        match self.variant {
            Variant::Faithful => levels,
            Variant::Fixed => {
                let shares = rng.uniform(count, 0.0, 1.0).into_iter();
                levels
                    .into_iter()
                    .zip(shares)
                    .map(|(k, u)| if u < AT_END { self.levels() - 1 } else { k })
                    .collect()
            }
        }
    }

    /// β at time `t` of [0, 1], and s² there: level k ends at (k + 1)/N.
    pub fn at(&self, t: f64) -> (f64, f64) {
        let (count, whole) = (self.levels() as f64, self.levels() - 1);
        let k = ((t * count).ceil() as usize).saturating_sub(1).min(whole);
        let before = if k == 0 { 0.0 } else { self.from_clean[k - 1] };
        (self.betas[k] * count, before + self.betas[k] * (t * count - k as f64))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn totals_and_widest_bridges_are_those_published() {
        let released = [
            (2, 2.0e-4, 0.00816),
            (16, 0.03291, 0.0966),
            (64, 0.13844, 0.1896),
            (256, 0.56017, 0.3761),
            (1000, 2.1943, 0.7416),
        ];
        for (levels, whole, widest) in released {
            let schedule = Schedule::of_plans(levels, Variant::Faithful).unwrap();
            let found = (0..levels).map(|k| schedule.bridge(k).2).fold(0.0, f64::max);
            // Half a unit of the last digit.
            assert!((schedule.whole() / whole - 1.0).abs() < 5e-4, "{levels}: {}", schedule.whole());
            assert!((found / widest - 1.0).abs() < 7e-4, "{levels}: {found}");
            let fixed = Schedule::of_plans(levels, Variant::Fixed).unwrap();
            assert!((fixed.whole() - 0.0329).abs() < 1e-12);
        }
        for (beta_max, whole, middle) in [(0.3, 0.14103, 0.1879), (1.0, 0.24693, 0.2487)] {
            let schedule = Schedule::of_images(beta_max, Variant::Faithful).unwrap();
            assert!((schedule.whole() - whole).abs() < 5e-6, "{}", schedule.whole());
            assert!((schedule.bridge(499).2 - middle).abs() < 1e-4, "{}", schedule.bridge(499).2);
        }
    }

    #[test]
    fn the_fixed_bridge_is_at_its_ends_and_the_released_one_beside_them() {
        let of = |variant| Schedule::of_plans(16, variant).unwrap();
        let (fixed, faithful) = (of(Variant::Fixed), of(Variant::Faithful));
        assert_eq!(fixed.bridge(15), (0.0, 1.0, 0.0));
        assert!(faithful.bridge(15).2 > 0.0);
        assert_eq!(fixed.step(3, None), Step { kept: 0.0, taken: 1.0, std: 0.0 });
        assert_eq!(fixed.visits(15).unwrap().0.last(), Some(&1));
        assert_eq!(fixed.visits(4).unwrap(), (vec![15, 11, 8, 4], None));
        assert_eq!(faithful.visits(1).unwrap(), (vec![15], Some(0)));
    }

    #[test]
    fn a_quarter_of_the_levels_is_the_end_where_paths_begin() {
        let share = |variant| {
            let levels = Schedule::of_plans(16, variant).unwrap().levels_to_learn(20_000, &mut Rng::new(1));
            levels.iter().filter(|level| **level == 15).count() as f64 / 20_000.0
        };
        // Four standard errors.
        assert!((share(Variant::Faithful) - 1.0 / 16.0).abs() < 0.007);
        assert!((share(Variant::Fixed) - (0.25 + 0.75 / 16.0)).abs() < 0.013);
    }

    #[test]
    fn an_odd_number_of_levels_and_too_many_calls_are_refused() {
        let odd = Schedule::of_plans(15, Variant::Fixed).unwrap_err().to_string();
        assert!(odd.contains("levels must be even, got 15 (14 or 16"), "{odd}");
        let many = Schedule::of_plans(16, Variant::Fixed).unwrap().visits(16).unwrap_err().to_string();
        assert!(many.contains("nfe must be at most 15, got 16"), "{many}");
        assert!(Schedule::of_images(-1.0, Variant::Fixed).is_err());
    }

    #[test]
    fn the_clock_of_the_bridge_meets_every_level() {
        let schedule = Schedule::of_images(0.3, Variant::Fixed).unwrap();
        for k in [0, 1, 499, 500, 999] {
            let (_, s2) = schedule.at((k + 1) as f64 / 1000.0);
            assert!((s2 - schedule.std_from_clean(k).powi(2)).abs() < 1e-12, "{k}");
        }
        let integral: f64 = (0..1000).map(|k| schedule.at((k as f64 + 0.5) / 1000.0).0 / 1000.0).sum();
        assert!((integral - schedule.whole()).abs() < 1e-12);
        assert_eq!(schedule.at(0.0).1, 0.0);
    }
}
