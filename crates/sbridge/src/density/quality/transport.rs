//! The distance between draws and exact draws.

use sbridge_ot::{PlainSweeps, Points, entropic_distance};

use crate::density::Target;
use crate::error::Result;
use crate::rng::Rng;

/// Draws that are compared at most, at even strides of all: a sweep takes the square of their number, and a hundred sweeps of
/// so many some seconds.
pub const MAX_DRAWS: usize = 2000;

/// How far draws are from exact ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransportError {
    /// Distance to as many exact draws, by a hundred sweeps at ε = 10⁻³.                                 \[LV, Section 4\]
    pub distance: f64,
    /// The same between exact draws and others: what a right sampler has. Both fall with the number of draws.
    pub floor: f64,
    /// Draws compared on either side.
    pub draws: usize,
}

/// Distance of `draws`, `[count, dim]`, to as many exact ones, at most [`MAX_DRAWS`] of them; nothing where there are no exact draws
/// of `target`.
///
/// # Errors
/// [`Error::Transport`](crate::Error::Transport) for no draws, and draws that are not finite.
pub fn distance_to_exact(draws: &[f64], target: &dyn Target, rng: &Rng) -> Result<Option<f64>> {
    let draws = strided(&Points::new(draws.to_vec(), target.dim())?)?;
    let Some(exact) = target.sample(draws.len(), &mut rng.fork("exact draws")) else { return Ok(None) };
    let exact = Points::new(exact, target.dim())?;
    Ok(Some(entropic_distance(&draws, &exact, &PlainSweeps::default())?))
}

impl TransportError {
    /// Of `draws`, `[count, dim]`; nothing where there are no exact draws of `target`.
    ///
    /// # Errors
    /// As [`distance_to_exact`].
    pub fn of(draws: &[f64], target: &dyn Target, rng: &Rng) -> Result<Option<Self>> {
        let compared = (draws.len() / target.dim()).min(MAX_DRAWS);
        let others = target.sample(compared, &mut rng.fork("other exact draws"));
        let floor = others.map(|others| distance_to_exact(&others, target, rng)).transpose()?.flatten();
        let distance = distance_to_exact(draws, target, rng)?;
        Ok(distance.zip(floor).map(|(distance, floor)| Self { distance, floor, draws: compared }))
    }
}

/// At most [`MAX_DRAWS`] of `points`.
fn strided(points: &Points) -> Result<Points> {
    let count = points.len().min(MAX_DRAWS);
    let chosen: Vec<usize> = (0..count).map(|i| i * points.len() / count).collect();
    Ok(points.subset(&chosen)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::density::targets::GaussianMixture;

    #[test]
    fn exact_draws_are_at_the_floor_and_others_above_it() {
        let nine = GaussianMixture::nine();
        let draws = nine.sample(400, &mut Rng::new(1)).unwrap();
        let error = |draws: &[f64]| TransportError::of(draws, &nine, &Rng::new(2)).unwrap().unwrap();
        let right = error(&draws);
        assert_eq!(right.draws, 400);
        // Two clouds of the same law: distances of a few hundred points differ by some tenths of themselves.
        assert!((right.distance / right.floor - 1.0).abs() < 0.5, "{right:?}");
        // Draws of the middle mode alone: eight ninths have at least 5 − 3 · 0.55 to go.
        let middle: Vec<f64> = draws.iter().map(|x| x - 5.0 * (x / 5.0).round()).collect();
        assert!(error(&middle).distance > 3.0, "{:?}", error(&middle));
    }

    #[test]
    fn more_draws_than_can_be_compared_are_thinned_evenly() {
        let points = Points::new((0..5000).map(f64::from).collect(), 1).unwrap();
        let kept = strided(&points).unwrap();
        assert_eq!((kept.len(), kept.row(0)[0], kept.row(1999)[0]), (2000, 0.0, 4997.0));
    }
}
