//! A step of the forward score, decided by backward paths: moments in every interval, then the way to their minimiser.

use faer::Mat;
use sbridge_ot::Affine;
use sbridge_ot::matrix::{symmetric_eigen, symmetric_part};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::reference::{LinearDiffusion, LinearDrift};
use crate::rng::Rng;
use crate::solver::vsdm::{
    BackwardPaths, Part, ScoreData, StepMoments, Update, VariationalModel, VsdmSettings, ZetaOn,
};
use crate::tensor::{DType, Module, Tensor, to_vec, to_vec_f64};

/// Nodes of the paths, equally spaced on the clock: at least so many, and so many in every interval.
const NODES: usize = 100;
const NODES_AN_INTERVAL: usize = 2;

/// Eigenvalues that D is kept between.
const SPECTRUM: (f64, f64) = (0.05, 20.0);

/// Means of covariances of states, of each interval and part.
pub type Curvatures = Vec<Vec<Mat<f64>>>;

/// The forward score at the start of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// KL of what the forward process ends in from the prior.
    pub mismatch: f32,
    /// ‖dA‖/(1 + ‖A‖) of the step before it, in Frobenius norms, root mean squares over the clock.
    pub change: f32,
    /// The least and the largest eigenvalue of the symmetric part of D.
    pub least: f32,
    /// See `least`.
    pub largest: f32,
}

impl StageRecord {
    /// Of `model`, after a change of `change`.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) if the law at the end cannot be computed.
    pub fn of<N: Module>(model: &VariationalModel<N>, change: f64) -> Result<Self> {
        let (mut least, mut largest) = (f64::MAX, f64::MIN);
        for drift in model.parts.iter().flat_map(|part| part.diffusion.drifts()) {
            for value in spectrum(&drift.matrix)?.0 {
                (least, largest) = (least.min(value), largest.max(value));
            }
        }
        let [mismatch, change, least, largest] =
            [model.mismatch()?, change, least, largest].map(|x| x as f32);
        Ok(Self { mismatch, change, least, largest })
    }
}

/// Moments of states and scores of backward paths of `model`, of each interval and part, averaged over the clock.
///
/// # Errors
/// [`Error::Transport`](crate::Error::Transport) if a law on the way cannot be computed.
pub(super) fn moments_of_paths<D: ScoreData>(
    model: &VariationalModel<D::Net>,
    data: &D,
    settings: &VsdmSettings,
    rng: &mut Rng,
) -> Result<Vec<Vec<StepMoments>>> {
    let states = data.states();
    let device = states.device();
    let nodes = NODES.max(NODES_AN_INTERVAL * settings.intervals);
    let parts = model.with_nodes(&model.schedule().nodes_in_clock(model.t_min, nodes))?;
    let backward = BackwardPaths::new(&parts, &device)?;
    let condition = data.condition(&model.net, &rng.indices(settings.paths, states.dims()[0]), &device);
    let net = |x, level| D::call(&model.net, &condition, x, level);
    let start = model.start(settings.paths_from)?.draw(settings.paths, rng);
    let mut pooled = Pooled::new(&parts);
    backward.simulate(&net, start, rng, &mut |k, x, correction| {
        pooled.add(k, &moments_of(x, &backward.frames()[k].score(x, correction), &parts));
    });
    Ok(pooled.mean())
}

/// Moments that are averaged over the clock by the trapezoidal rule, in each interval alone.
struct Pooled<'a> {
    diffusion: &'a LinearDiffusion,
    clock: Vec<f64>,
    moments: Vec<Vec<StepMoments>>,
    weights: Vec<f64>,
}

impl<'a> Pooled<'a> {
    fn new(parts: &'a [Part]) -> Self {
        let diffusion = &parts[0].diffusion;
        let intervals = diffusion.drifts().len();
        let none = || parts.iter().map(|part| StepMoments::zero(part.data.dim())).collect();
        Self {
            diffusion,
            clock: diffusion.clock(),
            moments: (0..intervals).map(|_| none()).collect(),
            weights: vec![0.0; intervals],
        }
    }

    /// Adds the moments at node `k`, half to the step before it and half to the one after.
    fn add(&mut self, k: usize, moments: &[StepMoments]) {
        for step in [k.checked_sub(1), (k + 1 < self.clock.len()).then_some(k)].into_iter().flatten() {
            let (from, to) = (self.clock[step], self.clock[step + 1]);
            let (interval, weight) = (self.diffusion.interval_at(0.5 * (from + to)), 0.5 * (to - from));
            self.weights[interval] += weight;
            self.moments[interval].iter_mut().zip(moments).for_each(|(total, one)| total.add(weight, one));
        }
    }

    fn mean(mut self) -> Vec<Vec<StepMoments>> {
        for (moments, weight) in self.moments.iter_mut().zip(self.weights) {
            moments.iter_mut().for_each(|of_part| of_part.scale(1.0 / weight));
        }
        self.moments
    }
}

/// Moments of states and scores, row by row, of each part.
fn moments_of(x: &Tensor<2>, scores: &Tensor<2>, parts: &[Part]) -> Vec<StepMoments> {
    match parts {
        [_] => vec![moments_together(x, scores)],
        _ => moments_one_by_one(x, scores),
    }
}

fn moments_together(x: &Tensor<2>, scores: &Tensor<2>) -> StepMoments {
    let [count, dim] = x.dims();
    let [x, scores] = [x, scores].map(|rows| rows.clone().cast(DType::F64));
    let mean = |rows: &Tensor<2>| to_vec_f64(rows.clone().mean_dim(0));
    let products = |left: &Tensor<2>| {
        let values = to_vec_f64(left.clone().transpose().matmul(x.clone()) / count as f64);
        Mat::from_fn(dim, dim, |i, j| values[i * dim + j])
    };
    StepMoments {
        state: mean(&x),
        score: mean(&scores),
        state_state: products(&x),
        score_state: products(&scores),
    }
}

fn moments_one_by_one(x: &Tensor<2>, scores: &Tensor<2>) -> Vec<StepMoments> {
    let [count, dim] = x.dims();
    let (x, scores) = (to_vec(x.clone()), to_vec(scores.clone()));
    // Sums of x, s, x² and s x of each coordinate.
    let mut sums = vec![[0.0f64; 4]; dim];
    for (x, scores) in x.chunks_exact(dim).zip(scores.chunks_exact(dim)) {
        for ((sums, x), s) in sums.iter_mut().zip(x).zip(scores) {
            let [x, s] = [f64::from(*x), f64::from(*s)];
            [x, s, x * x, s * x].into_iter().zip(sums).for_each(|(value, sum)| *sum += value);
        }
    }
    let moments = |sums: [f64; 4]| {
        let [state, score, square, product] = sums.map(|sum| sum / count as f64);
        let one = |x: f64| Mat::from_fn(1, 1, |_, _| x);
        StepMoments {
            state: vec![state],
            score: vec![score],
            state_state: one(square),
            score_state: one(product),
        }
    };
    sums.into_iter().map(moments).collect()
}

/// Moves A and b of all `parts` part of the way to what `moments` say is best; how far A moved (see [`StageRecord`]).
///
/// # Errors
/// [`Error::Transport`](crate::Error::Transport) if paths vary in no direction.
pub(super) fn step(
    parts: &mut [Part],
    moments: Vec<Vec<StepMoments>>,
    curvatures: &mut Curvatures,
    k: usize,
    settings: &VsdmSettings,
) -> Result<f64> {
    let share = settings.step_size(k);
    let (mut moved, mut size) = (0.0, 0.0);
    let of_states =
        moments.iter().map(|interval| interval.iter().map(StepMoments::state_covariance).collect()).collect();
    let used = match settings.update {
        Update::Damped => of_states,
        Update::StochasticApproximation => {
            average(curvatures, of_states, k);
            curvatures.clone()
        }
    };
    for (interval, (moments, curvatures)) in moments.into_iter().zip(used).enumerate() {
        for ((part, moments), curvature) in parts.iter_mut().zip(moments).zip(curvatures) {
            let drift = &mut part.diffusion.drifts_mut()[interval];
            let (moments, zeta) = match settings.zeta_on {
                ZetaOn::Divergence => (moments, settings.zeta),
                ZetaOn::Cross => (moments.with_cross_weight(settings.zeta, drift), 1.0),
            };
            let change = settings.family.step(&moments, curvature.as_ref(), zeta)?;
            let before = drift.score_matrix();
            *drift = changed(drift, &change, share)?;
            moved += (drift.score_matrix() - before).squared_norm_l2();
            size += drift.score_matrix().squared_norm_l2();
        }
    }
    let intervals = parts[0].diffusion.drifts().len() as f64;
    Ok((moved / intervals).sqrt() / (1.0 + (size / intervals).sqrt()))
}

/// Updates `means`, of the curvatures of `k` steps, by those of one more.
fn average(means: &mut Curvatures, curvatures: Curvatures, k: usize) {
    if means.is_empty() {
        *means = curvatures.iter().map(|interval| interval.iter().map(single_precision).collect()).collect();
        return;
    }
    let share = faer::Scale(1.0 / (k + 1) as f64);
    for (mean, curvature) in means.iter_mut().flatten().zip(curvatures.into_iter().flatten()) {
        *mean = single_precision(&(&*mean + (curvature - &*mean) * share));
    }
}

/// D − 2 η dA and b + η db, with the eigenvalues of D kept in their range.
fn changed(drift: &LinearDrift, change: &Affine, share: f64) -> Result<LinearDrift> {
    let dim = drift.offset.len();
    let matrix = &drift.matrix - &change.matrix * faer::Scale(2.0 * share);
    let offset = drift.offset.iter().zip(&change.offset).map(|(b, db)| b + share * db).collect();
    let (values, vectors) = spectrum(&matrix)?;
    // What clipping adds: zero, as a rule.
    let added = Mat::from_fn(dim, dim, |i, j| {
        vectors[(i, j)] * (values[j].clamp(SPECTRUM.0, SPECTRUM.1) - values[j])
    });
    Ok(LinearDrift { matrix: matrix + added * vectors.transpose(), offset }.in_single_precision())
}

/// Eigenvalues and eigenvectors of the symmetric part.
fn spectrum(matrix: &Mat<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    Ok(symmetric_eigen("the drift matrix", symmetric_part(matrix.as_ref()).as_ref())?)
}

fn single_precision(a: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| f64::from(a[(i, j)] as f32))
}
