//! Both ends of a crowd and the cost between them, checked against each other.

use sbridge::crowd::{Costs, Crowd, Mixture};
use sbridge::rng::Rng;
use sbridge::tensor::to_vec_f64;
use sbridge_data::Dataset;

use super::scene::{BLUR, Scene};
use super::settings::CrowdConfig;
use crate::context::Context;
use crate::data::rows;
use crate::error::{Result, RunError};
use crate::models::bridge::PairData;

/// Two sets and a cost.
pub struct CrowdData {
    /// The sets.
    pub pair: PairData,
    /// The cost.
    pub scene: Scene,
    /// Deviation by which the law of the crowd is blurred where what it pays is measured, in data units.
    pub blur: f64,
    /// Samples of source and target that are inside of an obstacle.
    pub(super) inside: [usize; 2],
}

/// Samples that are each other's crowd where a cost is tried.
const TRIED_TOGETHER: usize = 1000;

impl CrowdData {
    /// Reads the cost and both sets.
    ///
    /// # Errors
    /// [`RunError`] for what cannot be used, alone or together.
    pub fn read(settings: &mut CrowdConfig, context: &Context) -> Result<Self> {
        if context.sources.origin().is_some() {
            let problem = "coordinates lie so far from zero, beside their spread, that they would have to be counted from elsewhere, \
                           and those of the cost would not (subtract a constant from both)";
            return Err(RunError::Input(problem.into()));
        }
        let scene = Scene::open(settings, &context.sources)?;
        let pair = PairData::read(&settings.pair(), context)?;
        let dim = pair.target.shape().size();
        if pair.target.shape().is_image() {
            let problem = "holds images, and places are vectors (give a table or an array of rows)";
            return Err(RunError::Input(format!("{} {problem}", pair.target.source())));
        }
        scene.problem.cost.require_dim(dim)?;
        let scene = scene.with_drift(settings, dim)?;
        let blur = if scene.is_builtin { BLUR } else { usual_blur(&pair) };
        let inside = [try_at(&pair.source, 0.0, &scene, blur)?, try_at(&pair.target, 1.0, &scene, blur)?];
        Ok(Self { pair, scene, blur, inside })
    }

    /// What may be wrong, in words.
    pub(super) fn doubts(&self) -> Vec<String> {
        let sets = [&self.pair.source, &self.pair.target];
        let inside = sets.into_iter().zip(self.inside).filter(|(_, inside)| *inside > 0);
        let doubts = inside.map(|(set, inside)| {
            format!(
                "{inside} of {} samples of {} are inside of an obstacle, where paths have to begin or end all the same",
                set.len(),
                set.source()
            )
        });
        self.pair.doubts().into_iter().chain(doubts).collect()
    }
}

/// Silverman's deviation for a thousand particles spread like both ends.
fn usual_blur(pair: &PairData) -> f64 {
    let variances = pair.ends.variances();
    let dim = variances.len() as f64;
    let deviation = (variances.iter().sum::<f64>() / dim).sqrt();
    deviation.max(f64::MIN_POSITIVE) * 1000f64.powf(-1.0 / (dim + 4.0))
}

/// Evaluates the cost at all samples of `set`, which are there at time `t`: how many are inside of an obstacle.
fn try_at(set: &Dataset, t: f64, scene: &Scene, blur: f64) -> Result<usize> {
    let dim = set.shape().size();
    let all = to_vec_f64(rows(set, &sbridge::tensor::Device::flex()));
    let input = |problem: String| Err(RunError::Input(problem));
    for (name, [low, high]) in &scene.extents {
        let is_outside = |x: &&[f64]| (0..2).any(|k| x[k] < low[k] || x[k] > high[k]);
        if let Some(x) = all.chunks_exact(dim).find(is_outside) {
            return input(format!(
                "{name} covers {low:?} to {high:?}, and a sample of {} is at [{}, {}] (give a map of the whole extent)",
                set.source(),
                x[0],
                x[1]
            ));
        }
    }
    for (part, x) in all.chunks(TRIED_TOGETHER * dim).enumerate() {
        let count = x.len() / dim;
        let deviations = vec![blur; count];
        let (mut values, mut slopes) = (vec![0.0; count], vec![0.0; x.len()]);
        let crowd = Crowd { t, x, dim, law: Mixture { means: x, deviations: &deviations } };
        let mut costs = Costs { values: &mut values, slopes: &mut slopes };
        scene.problem.cost.evaluate(&crowd, &mut Rng::new(0), &mut costs);
        let is_bad = |i: &usize| {
            !values[*i].is_finite() || slopes[i * dim..(i + 1) * dim].iter().any(|slope| !slope.is_finite())
        };
        if let Some(i) = (0..count).find(is_bad) {
            return input(format!(
                "the cost is {} at sample {} of {}, with slope {:?} (make it finite wherever data lie)",
                values[i],
                part * TRIED_TOGETHER + i + 1,
                set.source(),
                &slopes[i * dim..((i + 1) * dim).min(i * dim + 3)]
            ));
        }
    }
    let inside = all.chunks_exact(dim).filter(|x| scene.problem.cost.depth(x) > 0.0).count();
    if inside == set.len() {
        return input(format!(
            "an obstacle contains all {} samples of {} (move the obstacle, or check its units)",
            set.len(),
            set.source()
        ));
    }
    Ok(inside)
}
