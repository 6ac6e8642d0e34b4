//! ε beside the spread of the cost: chosen where nobody sets it, refused or doubted where it means nothing.

use sbridge::rng::Rng;
use sbridge_ot::Points;
use sbridge_report::digits;

use crate::error::{Result, RunError};

/// ε is this share of the cost's standard deviation, where the user leaves it to us.
pub const AUTO_SHARE: f64 = 0.05;

/// Pairs of points looked at to learn the spread of the cost.
const PAIRS: usize = 100_000;

/// The cost ½‖x − y‖² over random pairs.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Standard deviation.
    pub spread: f64,
    /// Half of all pairs cost less.
    pub median: f64,
}

/// Standard deviations of the cost in units of its median from which few pairs decide it. It is 1 or 2 for one cloud, and
/// tens where clouds lie in clusters.
const RULED_BY_FEW: f64 = 1e3;

impl Costs {
    /// Of 100,000 pairs.
    pub fn between(x: &Points, y: &Points, rng: &mut Rng) -> Self {
        let mut costs = costs(x, y, rng);
        let spread = spread(&costs);
        Self { spread, median: *costs.select_nth_unstable_by(PAIRS / 2, f64::total_cmp).1 }
    }

    /// Whether all are the same but for rounding.
    pub fn are_equal(&self) -> bool {
        self.spread <= 1e-12 * self.median
    }

    /// Whether a few pairs that are far apart make the spread.
    pub fn is_ruled_by_few(&self) -> bool {
        self.median > 0.0 && self.spread > RULED_BY_FEW * self.median
    }
}

/// Standard deviation of ½‖x − y‖² over random pairs.
pub fn cost_spread(x: &Points, y: &Points, rng: &mut Rng) -> f64 {
    spread(&costs(x, y, rng))
}

fn costs(x: &Points, y: &Points, rng: &mut Rng) -> Vec<f64> {
    let pairs = rng.indices(PAIRS, x.len()).into_iter().zip(rng.indices(PAIRS, y.len()));
    let cost = |(i, j)| 0.5 * x.row(i).iter().zip(y.row(j)).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    pairs.map(cost).collect()
}

fn spread(costs: &[f64]) -> f64 {
    let mean = costs.iter().sum::<f64>() / PAIRS as f64;
    (costs.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / PAIRS as f64).sqrt()
}

/// ε as a share of the cost's standard deviation.
///
/// # Errors
/// [`RunError::Input`] if that is zero.
pub fn auto_epsilon(cost_spread: f64) -> Result<f64> {
    if cost_spread > 0.0 {
        return Ok(AUTO_SHARE * cost_spread);
    }
    let problem =
        "all costs between the sets are equal, so their spread says nothing of epsilon (give --epsilon)";
    Err(RunError::Input(problem.into()))
}

/// Noise half-way along a bridge has this share of the variance of the median axis, at most, where states on the way are
/// what the bridge is for.
const NOISE_SHARE: f64 = 0.1;

/// ε of a bridge whose states on the way are data too: as between sets, but with no more noise half-way, ε/4, than is a small
/// share of the variance of the median axis, if a potential can follow that. The cost is ruled by few axes; noise is the
/// same in all.
///
/// # Errors
/// As [`auto_epsilon`].
pub fn auto_epsilon_on_the_way(cost_spread: f64, variances: &[f64]) -> Result<f64> {
    let mut variances: Vec<f64> = variances.iter().copied().filter(|variance| *variance > 0.0).collect();
    variances.sort_by(f64::total_cmp);
    let median = variances.get(variances.len() / 2).copied().unwrap_or(f64::INFINITY);
    Ok(auto_epsilon(cost_spread)?.min(4.0 * NOISE_SHARE * median).max(TINY_SHARE * cost_spread))
}

/// ε and the standard deviation of the cost, each in units of the other, at most: beyond, rounding is all there is.
const MOST_APART: f64 = 1e6;

/// Refuses an ε that cannot be told from zero, or from infinity, beside the spread of the cost.
///
/// # Errors
/// [`RunError::Input`] for one.
pub fn require_computable(epsilon: f64, spread: f64) -> Result<()> {
    let share = epsilon / spread;
    let limit = match share {
        s if s < 1.0 / MOST_APART => "exact transport to all digits: sbridge ot --exact finds it",
        s if s > MOST_APART && s.is_finite() => {
            "no bridge at all: ends are drawn without regard to each other"
        }
        _ => return Ok(()),
    };
    Err(RunError::Input(format!(
        "epsilon {} is {} of the cost's standard deviation, which is {limit} (take {} to {}; {} is usual)",
        digits(epsilon),
        digits(share),
        digits(spread / MOST_APART),
        digits(spread * MOST_APART),
        digits(AUTO_SHARE * spread)
    )))
}

/// ε is hard to follow for a smooth potential below this share of the cost's standard deviation.
const TINY_SHARE: f64 = 1e-3;

/// What speaks against an ε of so many standard deviations of the cost.
pub fn doubt(share: f64) -> Option<&'static str> {
    match share {
        s if s < TINY_SHARE => Some(
            "is tiny beside the spread of the cost: the bridge is all but exact transport, which a smooth potential \
             cannot follow; expect ends off their floor",
        ),
        s if s > 10.0 && s.is_finite() => {
            Some("is large beside the spread of the cost: paths forget where they started")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epsilon_far_from_the_spread_of_the_cost_is_doubted() {
        assert!(doubt(1e-4).is_some_and(|words| words.contains("tiny")));
        assert!(doubt(20.0).is_some_and(|words| words.contains("forget")));
        assert!(doubt(0.05).is_none() && doubt(f64::INFINITY).is_none());
    }

    #[test]
    fn noise_on_the_way_does_not_drown_the_median_axis() {
        // One wide axis makes the cost, and thirty are narrow.
        let variances: Vec<f64> = std::iter::once(1e4).chain(std::iter::repeat_n(4.0, 30)).collect();
        let chosen = |spread, variances: &[f64]| auto_epsilon_on_the_way(spread, variances).ok();
        assert_eq!(chosen(1e3, &variances), Some(4.0 * NOISE_SHARE * 4.0));
        assert_eq!(chosen(1e4, &variances), Some(TINY_SHARE * 1e4));
        assert_eq!(chosen(1.4, &[1.0, 1.0]), Some(AUTO_SHARE * 1.4));
        assert_eq!(chosen(1.4, &[0.0, 1.0, 0.0]), Some(AUTO_SHARE * 1.4));
        assert_eq!(chosen(0.0, &[1.0]), None);
    }

    #[test]
    fn an_epsilon_that_rounds_to_nothing_or_everything_is_refused_with_what_to_take() {
        let refusal =
            |epsilon| require_computable(epsilon, 2.0).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refusal(1e-300).contains("exact transport") && refusal(1e-300).contains("0.1000 is usual"));
        assert!(refusal(1e300).contains("no bridge"));
        assert!(require_computable(1e-5, 2.0).is_ok() && require_computable(1.0, 0.0).is_ok());
    }
}
