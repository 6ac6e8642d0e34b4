//! Half-bridges too few for proportional fitting, said in words before it is fitted.

use sbridge::solver::alternation::{AlternationSettings, StartingPairs};
use sbridge::tensor::{Tensor, to_vec_f64};
use sbridge_ot::proportional_fitting;
use sbridge_report::digits;

/// Share of the variance that proportional fitting may be off by without a word, and what is asked for then.
const LEFT_SILENTLY: f64 = 0.1;
const ASKED_FOR: f64 = 0.05;

/// Half-bridges among which enough are looked for.
const MOST_HALF_BRIDGES: usize = 200;

/// Half-bridges after which there is nothing left to fit; even.
const END_OF_FITTING: usize = 10_000;

/// Fewer half-bridges than proportional fitting needs between `ends`, `[count, dim]` each, for `epsilon`.
pub(super) fn of_half_bridges(
    settings: &AlternationSettings,
    ends: [&Tensor<2>; 2],
    epsilon: f64,
) -> Option<String> {
    // One alone is the score-based model, which is not fitted to the other end.
    if settings.start != StartingPairs::Reference || settings.half_bridges < 2 {
        return None;
    }
    let [source, target] = ends.map(|rows| to_vec_f64(rows.clone().var(0)));
    haste(&source, &target, epsilon, settings.half_bridges)
}

/// That even perfect proportional fitting between Gaussians of these variances is not at its end after `half_bridges`.
fn haste(source: &[f64], target: &[f64], epsilon: f64, half_bridges: usize) -> Option<String> {
    let left = variance_left(source, target, epsilon, half_bridges);
    if left <= LEFT_SILENTLY {
        return None;
    }
    let is_enough = |n: &usize| variance_left(source, target, epsilon, *n) < ASKED_FOR;
    let fix = match (half_bridges..=MOST_HALF_BRIDGES).step_by(2).find(is_enough) {
        Some(enough) => format!(
            "{enough} leave {} % (--set networks.half_bridges={enough}, with fewer networks.fit.steps in each)",
            (100.0 * variance_left(source, target, epsilon, enough)).ceil()
        ),
        None => format!("{} are too few (take a larger --epsilon)", half_bridges.max(MOST_HALF_BRIDGES)),
    };
    Some(format!(
        "epsilon {} is small for proportional fitting in {half_bridges} half-bridges: between Gaussians of these variances \
         even a perfect one is off by {} % of the variance; {fix}; dsbm with its own start needs fewer",
        digits(epsilon),
        (100.0 * left).round(),
    ))
}

/// Error of the variance of the free end after `n` half-bridges, coordinate by coordinate, as a share of all variance.
fn variance_left(source: &[f64], target: &[f64], epsilon: f64, n: usize) -> f64 {
    // More do nothing more.
    let n = n.min(END_OF_FITTING + n % 2);
    let free = |[source, target]: [f64; 2]| if n.is_multiple_of(2) { target } else { source };
    let (mut errors, mut total) = (0.0, 0.0);
    for (&source, &target) in source.iter().zip(target) {
        let wanted = free([source, target]);
        // Where there is no variance, there is nothing to fit.
        let reached =
            proportional_fitting([source, target], epsilon).nth(n).map(|iterate| iterate.free_variance);
        errors += reached.filter(|v| v.is_finite()).map_or(0.0, |reached| (reached - wanted).abs());
        total += wanted;
    }
    errors / total.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_bridges_too_few_for_proportional_fitting_are_doubted_with_a_number_that_is_not() {
        let words = haste(&[1.0, 1.0], &[2.0, 0.5], 0.1, 10).unwrap_or_default();
        let enough = words.split("half_bridges=").nth(1).and_then(|rest| rest.split(',').next());
        let enough: usize = enough.and_then(|number| number.parse().ok()).unwrap_or_default();
        assert!(enough > 10, "{words}");
        assert_eq!(haste(&[1.0, 1.0], &[2.0, 0.5], 0.1, enough), None);
        assert_eq!(haste(&[1.0, 1.0], &[2.0, 0.5], 1.0, 10), None);
    }

    #[test]
    fn a_constant_coordinate_does_not_silence_the_others() {
        assert!(haste(&[1.0, 0.0], &[2.0, 0.0], 0.1, 10).is_some());
        assert!(haste(&[0.0], &[0.0], 0.1, 10).is_none());
    }
}
