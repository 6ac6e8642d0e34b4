//! Gaps in series: straight lines within, steps of the series' own before it begins and after it ends.
//!
//! A straight line says what a value was about; a series that has not begun, or has ended, has no value to be about, and a
//! line at its first or last would say that it stood still. There the steps that are known are drawn again, so that what is
//! learned is the law of these.

use crate::rng::Rng;

/// Steps between neighbours of which both are known, of series `j` of `values`, `[times, dim]` row by row.
fn known_steps(values: &[f64], dim: usize, j: usize) -> Vec<f64> {
    let column: Vec<f64> = values.iter().skip(j).step_by(dim).copied().collect();
    column.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| !step.is_nan()).collect()
}

/// Root mean square of the steps of each series between neighbours of which both are known; 0 where there is none.
pub fn step_spread(values: &[f64], dim: usize) -> Vec<f64> {
    let of = |j: usize| {
        let steps = known_steps(values, dim, j);
        (steps.iter().map(|step| step * step).sum::<f64>() / steps.len().max(1) as f64).sqrt()
    };
    (0..dim).map(of).collect()
}

/// Values, `[times, dim]` row by row, with gaps (NaN) between two values filled on a straight line between these. What
/// comes before the first value of a series and after its last stays a gap.
fn interpolate_gaps(values: &[f64], dim: usize) -> Vec<f64> {
    let mut whole = values.to_vec();
    let times = values.len() / dim;
    for j in 0..dim {
        let known: Vec<usize> = (0..times).filter(|k| !values[k * dim + j].is_nan()).collect();
        for pair in known.windows(2) {
            let [a, b] = [values[pair[0] * dim + j], values[pair[1] * dim + j]];
            let gap = (pair[1] - pair[0]) as f64;
            (pair[0] + 1..pair[1])
                .for_each(|k| whole[k * dim + j] = a + (b - a) * (k - pair[0]) as f64 / gap);
        }
    }
    whole
}

/// The first row from which on some series has no value any more, but one before; the number of rows if there is none.
pub fn end_of_known(values: &[f64], dim: usize) -> usize {
    let times = values.len() / dim;
    let last = |j: usize| (0..times).rev().find(|k| !values[k * dim + j].is_nan());
    (0..dim).filter_map(last).min().map_or(times, |last| last + 1)
}

/// Values without gaps: straight lines between two values; before the first and after the last value of a series its own steps
/// from `rng`'s choice, drawn again. A series without any value stays a gap.
pub fn fill_gaps(values: &[f64], dim: usize, rng: &Rng) -> Vec<f64> {
    let mut whole = interpolate_gaps(values, dim);
    let times = values.len() / dim;
    for j in 0..dim {
        let at = |k: usize| k * dim + j;
        let Some(first) = (0..times).find(|k| !whole[at(*k)].is_nan()) else { continue };
        let last = (first..times).rev().find(|k| !whole[at(*k)].is_nan()).unwrap_or(first);
        if (first, last + 1) == (0, times) {
            continue;
        }
        let steps = known_steps(values, dim, j);
        let mut rng = rng.fork(&format!("gap {j}"));
        let mut step = || steps.get(rng.indices(1, steps.len().max(1))[0]).copied().unwrap_or(0.0);
        (0..first).rev().for_each(|k| whole[at(k)] = whole[at(k + 1)] - step());
        (last + 1..times).for_each(|k| whole[at(k)] = whole[at(k - 1)] + step());
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;

    #[test]
    fn gaps_within_are_filled_from_their_neighbours() {
        let values = [GAP, 1.0, 2.0, GAP, GAP, GAP, 8.0, 4.0, GAP, GAP];
        let whole = interpolate_gaps(&values, 2);
        assert_eq!(whole[1..8], [1.0, 2.0, 2.0, 5.0, 3.0, 8.0, 4.0]);
        assert!(whole[0].is_nan() && whole[8].is_nan());
        assert_eq!((end_of_known(&values, 2), end_of_known(&[1.0, 2.0], 1)), (4, 2));
    }

    #[test]
    fn a_series_that_begins_late_moves_before_as_it_does_later() {
        // Steps of one up and down; the first half is not known.
        let walk: Vec<f64> = (0..2000).map(|k| if k < 1000 { GAP } else { f64::from(k / 2 % 2) }).collect();
        let whole = fill_gaps(&walk, 1, &Rng::new(1));
        assert_eq!(whole[1000..], walk[1000..]);
        assert_eq!(step_spread(&walk, 1), [(500.0f64 / 999.0).sqrt().min(1.0)]);
        // Half of the steps are one: 999 of them give their share within four standard errors, 4·½/√999 = 0.063.
        let moved = whole[..1000].windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f64>() / 999.0;
        assert!((moved - 0.5).abs() < 0.063, "{moved}");
        assert!(fill_gaps(&[GAP, GAP, 1.0, GAP], 2, &Rng::new(1))[1].is_nan(), "no value at all");
    }
}
