//! The ends of crowds, mixtures of Gaussians, and the hills that one of them walks over.
//!
//! Centres and variances are those in print, but for `spider`, of which none were published, and the hills, which stand for a
//! scanned landscape.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::request::Request;
use super::stream;
use crate::element::ElementType;
use crate::layout::Contents;
use crate::reading::Reading;
use crate::{Result, SampleShape};

/// An end of a crowd.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum CrowdSet {
    /// Equal parts of one variance about centres in the plane.
    Plane(&'static [[f32; 2]], f32),
    /// The same, lifted onto the hills.
    OnHills(&'static [[f32; 2]], f32),
    /// Points of the hills.
    Hills,
    /// A Gaussian about zero in so many dimensions: variance of the first coordinate and of the others.
    Opinions(usize, [f32; 2]),
}

pub(crate) const STUNNEL: [CrowdSet; 2] =
    [CrowdSet::Plane(&[[-11.0, -1.0]], 0.5), CrowdSet::Plane(&[[11.0, 1.0]], 0.5)];
pub(crate) const VNECK: [CrowdSet; 2] =
    [CrowdSet::Plane(&[[-7.0, 0.0]], 0.2), CrowdSet::Plane(&[[7.0, 0.0]], 0.2)];
pub(crate) const SPIDER: [CrowdSet; 2] =
    [CrowdSet::Plane(&[[-10.0, 0.0]], 0.5), CrowdSet::Plane(&[[10.0, 0.0]], 0.5)];
/// 16/√2.
const FAR: f32 = 11.313_708;
pub(crate) const GMM: [CrowdSet; 2] = [
    CrowdSet::Plane(&[[4.0, 0.0], [0.0, 4.0], [-4.0, 0.0], [0.0, -4.0]], 1.0),
    CrowdSet::Plane(
        &[
            [16.0, 0.0],
            [FAR, FAR],
            [0.0, 16.0],
            [-FAR, FAR],
            [-16.0, 0.0],
            [-FAR, -FAR],
            [0.0, -16.0],
            [FAR, -FAR],
        ],
        1.0,
    ),
];
pub(crate) const LIDAR: [CrowdSet; 2] = [
    CrowdSet::OnHills(&[[-4.0, -2.0], [-3.75, -1.125], [-3.5, -0.25], [-3.25, 0.675], [-3.0, 1.5]], 0.02),
    CrowdSet::OnHills(&[[2.0, -2.0], [2.6, -1.25], [3.2, -0.5]], 0.03),
];

/// Heights and centres of two hills, and twice their squared widths.
const HILLS: [([f32; 2], f32, f32); 2] = [([0.3, -2.2], 1.8, 2.4), ([-0.6, 1.6], 1.4, 1.8)];

/// Height of the landscape over a point, in [0, 2].
fn height([x, y]: [f32; 2]) -> f32 {
    let hill = |(centre, height, width): &([f32; 2], f32, f32)| {
        height * (-((x - centre[0]).powi(2) + (y - centre[1]).powi(2)) / width).exp()
    };
    HILLS.iter().map(hill).sum()
}

impl CrowdSet {
    fn dim(self) -> usize {
        match self {
            Self::Plane(..) => 2,
            Self::OnHills(..) | Self::Hills => 3,
            Self::Opinions(dim, _) => dim,
        }
    }

    /// A sample, and its part.
    fn draw(self, rng: &mut impl Rng) -> (Vec<f32>, u32) {
        match self {
            Self::Plane(centres, variance) => {
                let (point, part) = about(centres, variance, rng);
                (point.to_vec(), part)
            }
            Self::OnHills(centres, variance) => {
                let (point, part) = about(centres, variance, rng);
                (lifted(point), part)
            }
            Self::Hills => (lifted([rng.random_range(-5.0..5.0), rng.random_range(-5.0..5.0)]), 0),
            Self::Opinions(dim, [first, others]) => {
                let deviation = |k: usize| if k == 0 { first.sqrt() } else { others.sqrt() };
                ((0..dim).map(|k| deviation(k) * normal(rng)).collect(), 0)
            }
        }
    }

    fn has_parts(self) -> bool {
        matches!(self, Self::Plane(centres, _) | Self::OnHills(centres, _) if centres.len() > 1)
    }
}

/// Draws as many samples as requested.
///
/// # Errors
/// When they pass the limits.
pub(crate) fn generate(set: CrowdSet, request: &Request, reading: &Reading) -> Result<Contents> {
    let dim = set.dim();
    reading.admit(&[request.count as u64, dim as u64])?;
    let samples: Vec<(Vec<f32>, u32)> =
        (0..request.count).into_par_iter().map(|index| set.draw(&mut stream(request.seed, index))).collect();
    let values: Vec<f32> = samples.iter().flat_map(|(sample, _)| sample.iter().copied()).collect();
    let mut contents = Contents::new(SampleShape::Vector { dim }, values, ElementType::F32);
    contents.labels = set.has_parts().then(|| samples.iter().map(|(_, part)| *part).collect());
    Ok(contents)
}

fn about(centres: &[[f32; 2]], variance: f32, rng: &mut impl Rng) -> ([f32; 2], u32) {
    let part = rng.random_range(0..centres.len());
    (centres[part].map(|x| x + variance.sqrt() * normal(rng)), part as u32)
}

fn lifted(point: [f32; 2]) -> Vec<f32> {
    vec![point[0], point[1], height(point)]
}

fn normal(rng: &mut impl Rng) -> f32 {
    rng.sample(StandardNormal)
}
