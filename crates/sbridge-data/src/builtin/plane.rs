//! Sets of points in the plane, at the scale at which bridges between them are usually matched.
//!
//! Where the literature on bridge matching fixes a scale it is kept: eight Gaussians of radius 5,
//! moons doubled and moved by −1, the S-curve times 1.5. The other sets are scaled to reach about
//! as far, so that any two of them make a sensible bridge. The tests pin down the geometry.

use std::f32::consts::{PI, TAU};

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::request::Request;
use super::stream;
use crate::element::ElementType;
use crate::layout::Contents;
use crate::reading::Reading;
use crate::{Result, SampleShape};

/// A distribution in the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaneSet {
    Moons,
    EightGaussians,
    SwissRoll,
    Checkerboard,
    SCurve,
    Circles,
    Pinwheel,
}

/// A point and its part of the set; sets of one part have no labels.
type Point = ([f32; 2], u32);

impl PlaneSet {
    fn draw(self, rng: &mut impl Rng) -> Point {
        match self {
            Self::Moons => moons(rng),
            Self::EightGaussians => eight_gaussians(rng),
            Self::SwissRoll => swiss_roll(rng),
            Self::Checkerboard => checkerboard(rng),
            Self::SCurve => s_curve(rng),
            Self::Circles => circles(rng),
            Self::Pinwheel => pinwheel(rng),
        }
    }

    fn has_parts(self) -> bool {
        matches!(self, Self::Moons | Self::EightGaussians | Self::Circles | Self::Pinwheel)
    }
}

/// Draws as many points as requested.
///
/// # Errors
/// When they pass the limits.
pub(crate) fn generate(set: PlaneSet, request: &Request, reading: &Reading) -> Result<Contents> {
    reading.admit(&[request.count as u64, 2])?;
    let points: Vec<Point> =
        (0..request.count).into_par_iter().map(|index| set.draw(&mut stream(request.seed, index))).collect();
    let values: Vec<f32> = points.iter().flat_map(|(point, _)| *point).collect();
    let mut contents = Contents::new(SampleShape::Vector { dim: 2 }, values, ElementType::F32);
    contents.labels = set.has_parts().then(|| points.iter().map(|(_, part)| *part).collect());
    Ok(contents)
}

/// Two interleaved half circles of radius 2, noise 0.1: unit moons with noise 0.05, times 2, x − 1.
fn moons(rng: &mut impl Rng) -> Point {
    let part = rng.random_range(0..2);
    let angle = PI * rng.random::<f32>();
    let [x, y] = if part == 0 { [angle.cos(), angle.sin()] } else { [1.0 - angle.cos(), 0.5 - angle.sin()] };
    let [x, y] = blurred([x, y], 0.05, rng);
    ([2.0 * x - 1.0, 2.0 * y], part)
}

/// Eight clusters of standard deviation 0.1^¼ ≈ 0.562 on a circle of radius 5.
fn eight_gaussians(rng: &mut impl Rng) -> Point {
    let part = rng.random_range(0..8);
    let centre = on_circle(5.0, TAU * part as f32 / 8.0);
    (blurred(centre, 0.1f32.powf(0.25), rng), part)
}

/// A spiral of one and a half turns from radius 1.35 to 4.04, noise 0.07.
fn swiss_roll(rng: &mut impl Rng) -> Point {
    let angle = 1.5 * PI * (1.0 + 2.0 * rng.random::<f32>());
    (blurred(on_circle(angle / 3.5, angle), 0.07, rng), 0)
}

/// Eight of the sixteen squares of side 2 in [−4, 4]².
fn checkerboard(rng: &mut impl Rng) -> Point {
    let x: f32 = rng.random_range(-2.0..2.0);
    let row = 2.0 * rng.random_range(0..2) as f32;
    let y = rng.random::<f32>() - row + x.floor().rem_euclid(2.0);
    ([2.0 * x, 2.0 * y], 0)
}

/// An S of height 6, noise 0.075: the unit S-curve seen from the front with noise 0.05, times 1.5.
fn s_curve(rng: &mut impl Rng) -> Point {
    let angle = 3.0 * PI * (rng.random::<f32>() - 0.5);
    let point = [angle.sin(), angle.signum() * (angle.cos() - 1.0)];
    (blurred(point, 0.05, rng).map(|x| 1.5 * x), 0)
}

/// Circles of radius 4 and 2, noise 0.2.
fn circles(rng: &mut impl Rng) -> Point {
    let part = rng.random_range(0..2);
    let radius = if part == 0 { 4.0 } else { 2.0 };
    let centre = on_circle(radius, TAU * rng.random::<f32>());
    (blurred(centre, 0.2, rng), part)
}

/// Five arms, radial deviation 0.3, tangential 0.1, bent at a rate of 0.25, times 2.
fn pinwheel(rng: &mut impl Rng) -> Point {
    let part = rng.random_range(0..5);
    let [along, across] = [1.0 + 0.3 * normal(rng), 0.1 * normal(rng)];
    let angle = TAU * part as f32 / 5.0 + 0.25 * along.exp();
    let (sin, cos) = angle.sin_cos();
    ([2.0 * (along * cos - across * sin), 2.0 * (along * sin + across * cos)], part)
}

fn on_circle(radius: f32, angle: f32) -> [f32; 2] {
    [radius * angle.cos(), radius * angle.sin()]
}

fn blurred(point: [f32; 2], std: f32, rng: &mut impl Rng) -> [f32; 2] {
    point.map(|x| x + std * normal(rng))
}

fn normal(rng: &mut impl Rng) -> f32 {
    rng.sample(StandardNormal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Limits;

    fn points(set: PlaneSet) -> Vec<Point> {
        let limits = Limits::default();
        let request = Request { set: 0, count: 4000, seed: 1 };
        let contents = generate(set, &request, &Reading { source: "builtin:…", limits: &limits }).unwrap();
        let labels = contents.labels.unwrap_or(vec![0; 4000]);
        contents.values.as_f32().chunks_exact(2).map(|p| [p[0], p[1]]).zip(labels).collect()
    }

    fn mean(values: impl Iterator<Item = f32>) -> f32 {
        values.sum::<f32>() / 4000.0
    }

    #[test]
    fn eight_gaussians_have_the_published_radius_and_deviation() {
        let squared = mean(points(PlaneSet::EightGaussians).iter().map(|(p, part)| {
            let [x, y] = on_circle(5.0, TAU * *part as f32 / 8.0);
            (p[0] - x).powi(2) + (p[1] - y).powi(2)
        }));
        // Mean of 8000 squares of variance √0.1 = 0.316 each, summed in pairs: 0.632 ± 0.01; five of these.
        assert!((squared - 2.0 * 0.1f32.sqrt()).abs() < 0.05, "{squared}");
    }

    #[test]
    fn moons_are_centred_and_six_wide() {
        let moons = points(PlaneSet::Moons);
        // Uniform on two half circles, symmetric under x → −x with the parts exchanged; sd ≈ 1.7, so five
        // standard errors of the mean of 4000 are 0.14.
        assert!(mean(moons.iter().map(|(p, _)| p[0])).abs() < 0.14);
        // The moons end at ±3; noise 0.1 adds at most five deviations.
        assert!(moons.iter().all(|(p, _)| p[0].abs() < 3.5));
        assert!(moons.iter().any(|(p, _)| p[0] < -2.8) && moons.iter().any(|(p, _)| p[0] > 2.8));
    }

    #[test]
    fn checkerboard_fills_every_other_square() {
        for (p, _) in points(PlaneSet::Checkerboard) {
            let square = (p[0] / 2.0).floor() + (p[1] / 2.0).floor();
            assert_eq!(square.rem_euclid(2.0), 0.0, "{p:?}");
            assert!(p[0].abs() <= 4.0 && p[1].abs() <= 4.0, "{p:?}");
        }
    }

    #[test]
    fn circles_lie_at_their_radii() {
        for (p, part) in points(PlaneSet::Circles) {
            let radius = p[0].hypot(p[1]);
            // Six deviations of 0.2.
            assert!((radius - [4.0, 2.0][part as usize]).abs() < 1.2, "{radius}");
        }
    }

    #[test]
    fn all_sets_reach_about_as_far() {
        use PlaneSet::{Checkerboard, Circles, EightGaussians, Moons, Pinwheel, SCurve, SwissRoll};
        for set in [Moons, EightGaussians, SwissRoll, Checkerboard, SCurve, Circles, Pinwheel] {
            let reach =
                points(set).iter().flat_map(|(p, _)| *p).fold(0.0, |reach: f32, x| reach.max(x.abs()));
            assert!((2.5..8.0).contains(&reach), "{set:?} {reach}");
        }
    }
}
