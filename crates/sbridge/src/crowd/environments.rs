//! The environments that methods are compared in, with their weights.                                          \[GSBM\]

use std::sync::Arc;

use crate::crowd::{
    Congestion, Entropy, Obstacle, Polarising, Problem, Shape, Surface, SurfaceSettings, Terms, party_stream,
};
use crate::error::Result;
use crate::rng::Rng;

/// Two ellipses that leave a way of the form of an S.
///
/// # Errors
/// Never: its numbers are in range.
pub fn stunnel() -> Result<Terms> {
    // sp(90 − 20(x − cₓ)² − (y − c_y)²).
    let half_axes = [(90.0f64 / 20.0).sqrt(), 90.0f64.sqrt()];
    [[5.0, 6.0], [-5.0, -6.0]]
        .into_iter()
        .try_fold(Terms::default(), |terms, centre| {
            terms.with("obstacles", 1500.0, Obstacle::new(Shape::Ellipse { centre, half_axes }, 90.0)?)
        })?
        .with("congestion", 50.0, Congestion)
}

/// A neck that a crowd has to pass.
///
/// # Errors
/// Never: its numbers are in range.
pub fn vneck() -> Result<Terms> {
    Terms::default()
        .with("obstacles", 3000.0, Obstacle::new(Shape::Neck, 1.0)?)?
        .with("entropy", 8.0, Entropy)
}

/// Three discs between four clusters and eight.
///
/// # Errors
/// Never: its numbers are in range.
pub fn gmm() -> Result<Terms> {
    [[6.0, 6.0], [6.0, -6.0], [-6.0, -6.0]]
        .into_iter()
        .try_fold(Terms::default(), |terms, centre| {
            terms.with("obstacles", 1500.0, Obstacle::new(Shape::Disc { centre, radius: 1.5 }, 100.0)?)
        })?
        .with("entropy", 5.0, Entropy)
}

/// Two slabs that leave a corridor; no settings of it were published.
///
/// # Errors
/// Never: its numbers are in range.
pub fn spider() -> Result<Terms> {
    [0.5, -7.5].into_iter().try_fold(Terms::default(), |terms, y| {
        let shape = Shape::Slab { low: [-7.0, y], high: [7.0, y + 7.0] };
        terms.with("obstacles", 10.0, Obstacle::new(shape, 1.0)?)
    })
}

/// The surface through `points`, `[count, 3]`, low ways preferred.
///
/// # Errors
/// As [`Surface::new`].
pub fn lidar(points: &[f64]) -> Result<Terms> {
    Terms::default().with("surface", 1.0, Surface::new(points, SurfaceSettings::default())?)
}

/// A crowd that would polarise, and keeps its distance; the stream of parties is drawn from `rng`.
///
/// # Errors
/// Never: its numbers are in range.
pub fn opinion(dim: usize, rng: &Rng) -> Result<Problem> {
    let rate = if dim > 2 { 6.0 } else { 3.0 };
    let base = Polarising::new(rate, party_stream(dim, &mut rng.fork("parties")), dim);
    Ok(Problem {
        cost: Arc::new(Terms::default().with("congestion", 10.0, Congestion)?),
        base: Some(Arc::new(base)),
    })
}
