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

/// Series of which some end before the last row, and ways in which they may have gone on.
///
/// After its end a series repeats pieces of what it did before, each from a random place of the same season, on top of
/// where it stands: over a piece it spreads as it always did, whether it wanders or comes back.
#[derive(Clone, Debug)]
pub struct Endings {
    dim: usize,
    /// Without gaps, but for what comes after the ends.
    whole: Vec<f64>,
    /// For each series its first row, and the one after its last.
    spans: Vec<[usize; 2]>,
}

impl Endings {
    /// Of `values`, `[times, dim]` row by row, NaN where missing; before series begin they are filled as by
    /// [`fill_gaps`].
    pub fn new(values: &[f64], dim: usize, rng: &Rng) -> Self {
        let times = values.len() / dim;
        let is_known = |k: &usize, j: usize| !values[k * dim + j].is_nan();
        let span = |j: usize| {
            let first = (0..times).find(|k| is_known(k, j)).unwrap_or(times);
            [first, (first..times).rev().find(|k| is_known(k, j)).map_or(first, |last| last + 1)]
        };
        Self { dim, whole: fill_gaps(values, dim, rng), spans: (0..dim).map(span).collect() }
    }

    /// How many rows the first series to end does so before the last row.
    pub fn gap(&self) -> usize {
        let times = self.whole.len() / self.dim;
        times - self.spans.iter().map(|span| span[1]).min().unwrap_or(times)
    }

    /// The last `count` rows, with ended series at their last value.
    pub fn standing(&self, count: usize) -> Vec<f64> {
        self.last_rows(count, |whole, end, j| {
            (end..whole.len() / self.dim)
                .for_each(|k| whole[k * self.dim + j] = whole[(k - 1) * self.dim + j]);
        })
    }

    /// The last `count` rows, with ended series gone on by pieces of up to `length` rows, each from where the row stands
    /// the same in a `season`.
    pub fn going_on(&self, count: usize, [length, season]: [usize; 2], rng: &mut Rng) -> Vec<f64> {
        let (dim, times) = (self.dim, self.whole.len() / self.dim);
        self.last_rows(count, |whole, end, j| {
            let mut k = end;
            while k < times {
                let piece = length.min(times - k).min(end - 1 - self.spans[j][0]).max(1);
                let from = self.place_before(k, piece, season, j, rng);
                for i in 0..piece {
                    let step = from.map_or(0.0, |from| {
                        self.whole[(from + i + 1) * dim + j] - self.whole[(from + i) * dim + j]
                    });
                    whole[(k + i) * dim + j] = whole[(k + i - 1) * dim + j] + step;
                }
                k += piece;
            }
        })
    }

    /// A row before the end of series `j` that is followed by `piece` rows and stands in the season as the row before `k`.
    fn place_before(&self, k: usize, piece: usize, season: usize, j: usize, rng: &mut Rng) -> Option<usize> {
        let [first, end] = self.spans[j];
        let last = end.checked_sub(piece + 1).filter(|last| *last >= first)?;
        let seasons = (first..=last).filter(|row| (k - 1 - row).is_multiple_of(season.max(1)));
        let places: Vec<usize> = seasons.collect();
        match places.is_empty() {
            true => Some(first + rng.indices(1, last - first + 1)[0]),
            false => Some(places[rng.indices(1, places.len())[0]]),
        }
    }

    fn last_rows(&self, count: usize, mut end: impl FnMut(&mut [f64], usize, usize)) -> Vec<f64> {
        let times = self.whole.len() / self.dim;
        let mut whole = self.whole.clone();
        for (j, span) in
            self.spans.iter().enumerate().filter(|(_, span)| span[0] < span[1] && span[1] < times)
        {
            end(&mut whole, span[1], j);
        }
        whole.split_off((times - count) * self.dim)
    }
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
    }

    #[test]
    fn an_ended_series_goes_on_as_it_moved_before() {
        // Steps of one up or down at random; the second series ended 100 rows before the first.
        let signs = Rng::new(3).uniform(2000, -1.0, 1.0);
        let walk: Vec<f64> = signs
            .iter()
            .scan(0.0, |at, u| {
                *at += u.signum();
                Some(*at)
            })
            .collect();
        let values: Vec<f64> =
            walk.iter().enumerate().flat_map(|(k, x)| [0.0, if k < 1900 { *x } else { GAP }]).collect();
        let endings = Endings::new(&values, 2, &Rng::new(1));
        assert_eq!((endings.gap(), endings.standing(100)[199]), (100, walk[1899]));
        let mut rng = Rng::new(2);
        let ends: Vec<f64> =
            (0..400).map(|_| endings.going_on(1, [20, 1], &mut rng)[1] - walk[1899]).collect();
        let variance = ends.iter().map(|x| x * x).sum::<f64>() / 400.0;
        // 100 steps of variance one, from pieces of 20: of 95 there are, their variance errs by √(2/95) = 15 %, and that of
        // 400 draws by 7 %; three of both together.
        assert!((variance - 100.0).abs() < 50.0, "{variance}");
    }

    #[test]
    fn an_ended_series_keeps_its_season() {
        let wave: Vec<f64> = (0..100).map(|k| if k < 80 { f64::from(k % 7) } else { GAP }).collect();
        let endings = Endings::new(&wave, 1, &Rng::new(1));
        let rows = endings.going_on(20, [5, 7], &mut Rng::new(2));
        assert!(rows.iter().zip(80..).all(|(x, k)| *x == f64::from(k % 7)), "{rows:?}");
    }

    #[test]
    fn a_series_that_begins_late_moves_before_as_it_does_later() {
        // Steps of one up and down; the first half is not known.
        let walk: Vec<f64> = (0..2000).map(|k| if k < 1000 { GAP } else { f64::from(k / 2 % 2) }).collect();
        let whole = fill_gaps(&walk, 1, &Rng::new(1));
        assert_eq!(whole[1000..], walk[1000..]);
        assert_eq!(step_spread(&walk, 1), [(499.0f64 / 999.0).sqrt()]);
        // Half of the steps are one: 999 of them give their share within four standard errors, 4·½/√999 = 0.063.
        let moved = whole[..1000].windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f64>() / 999.0;
        assert!((moved - 0.5).abs() < 0.063, "{moved}");
        assert!(fill_gaps(&[GAP, GAP, 1.0, GAP], 2, &Rng::new(1))[1].is_nan(), "no value at all");
    }
}
