//! Stages: the backward score on the kernels of the moment, then a step of the forward score on backward paths.  \[VSDM\]
//!
//! The forward score starts where its updates rest on Gaussian data with the moments of ours (see
//! [`moment_matched`]), so that no warm-up is needed; later stages move it by what the learned score says. The network
//! goes on from stage to stage.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, require_positive};
use crate::executor::run_silently;
use crate::fit::{FitSettings, Trainer};
use crate::net::ResidualMlpSettings;
use crate::reference::{LinearDrift, Schedule};
use crate::rng::Rng;
use crate::solver::vsdm::{
    BackwardPaths, Family, Frame, ScoreData, ScoreMatching, StepMoments, VariationalModel, moment_matched,
};
use crate::tensor::{DType, Tensor, points, to_vec_f64};
use faer::Mat;
use sbridge_ot::{Affine, Gaussian};

/// How a variational diffusion is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VsdmSettings {
    /// The noise schedule.
    pub schedule: Schedule,
    /// The first node: what noise is left at the data. Default 1e-3; 1e-4 to 1e-2.
    pub t_min: f64,
    /// Nodes of the training, equally spaced in time. Default 100.
    pub nodes: usize,
    /// Stages; each but the first begins with a step of the forward score. Default 5.
    pub stages: usize,
    /// What the matrix of the forward score may be. Default `symmetric`.
    pub family: Family,
    /// Weight ζ of the divergence in the step of the forward score. Default 1; below, the forward process is noised less,
    /// and what it ends in is off the prior.
    pub zeta: f64,
    /// Share of the way to the minimiser that a step of the forward score goes. Default 0.5.
    pub damping: f64,
    /// Paths simulated for a step of the forward score. Default 3000.
    pub paths: usize,
    /// The network.
    pub net: ResidualMlpSettings,
    /// Training of a stage.
    pub fit: FitSettings,
}

impl Default for VsdmSettings {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            t_min: 1e-3,
            nodes: 100,
            stages: 5,
            family: Family::Symmetric,
            zeta: 1.0,
            damping: 0.5,
            paths: 3000,
            net: ResidualMlpSettings { width: 128, blocks: 3, time_features: 64 },
            fit: FitSettings {
                steps: 4000,
                batch_size: 512,
                learning_rate: 2e-3,
                weight_decay: 0.0,
                clip_norm: 1.0,
                ema_decay: 0.995,
                patience: 0,
            },
        }
    }
}

/// Nodes of the paths that decide a step of the forward score, equally spaced on the clock.
const STEP_NODES: usize = 100;

/// Eigenvalues that D is kept between.
const SPECTRUM: (f64, f64) = (0.05, 20.0);

impl VsdmSettings {
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn check(&self) -> Result<()> {
        self.schedule.check()?;
        self.net.check()?;
        self.fit.check()?;
        require_positive("zeta", self.zeta, "1 is the default, 0.5 to 1 is usual")?;
        if !(self.t_min > 0.0 && self.t_min < 0.5) {
            return Err(Error::setting("t_min", "in (0, 0.5)", self.t_min, "1e-3 is the default"));
        }
        if !(self.damping > 0.0 && self.damping <= 1.0) {
            return Err(Error::setting("damping", "in (0, 1]", self.damping, "0.5 is the default"));
        }
        for (name, value, least) in
            [("nodes", self.nodes, 2), ("stages", self.stages, 1), ("paths", self.paths, 2)]
        {
            if value < least {
                return Err(Error::setting(name, format!("at least {least}"), value, "see the defaults"));
            }
        }
        Ok(())
    }
}

/// A variational diffusion between two stages.
pub struct Vsdm<D: ScoreData = Tensor<2>> {
    settings: VsdmSettings,
    data: D,
    held_out: Option<D>,
    model: VariationalModel<D::Net>,
    /// Whether the forward score stays zero.
    is_score_model: bool,
    learned: usize,
    rng: Rng,
}

impl<D: ScoreData> Vsdm<D> {
    /// Prepares to learn the law of the states of `data`.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, [`Error::Transport`] for states that are not finite, or fewer
    /// than two.
    pub fn new(data: D, settings: VsdmSettings, rng: Rng) -> Result<Self> {
        settings.check()?;
        let moments = Gaussian::fit(&points(&data.states())?)?;
        let drift = in_single_precision(moment_matched(&moments, settings.schedule.total())?);
        let (schedule, t_min) = (settings.schedule, settings.t_min);
        let net = data.network(&settings.net, &mut rng.fork("init"));
        let model = VariationalModel { schedule, t_min, drift, data: moments, net };
        Ok(Self { settings, data, held_out: None, model, is_score_model: false, learned: 0, rng })
    }

    /// Prepares an ordinary score model of the same network and training: A = 0 and b = 0 throughout.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn score_model(data: D, settings: VsdmSettings, rng: Rng) -> Result<Self> {
        let mut prepared = Self::new(data, settings, rng)?;
        prepared.model.drift = LinearDrift::standard(prepared.model.data.dim());
        Ok(Self { is_score_model: true, ..prepared })
    }

    /// The same, watched on data it does not learn from; with patience, a stage stops when these are learned no better.
    #[must_use]
    pub fn watched_on(self, held_out: D) -> Self {
        Self { held_out: Some(held_out), ..self }
    }

    /// The stage to learn next, counted from 0, if one is left.
    pub fn next(&self) -> Option<usize> {
        (self.learned < self.settings.stages).then_some(self.learned)
    }

    /// The model as far as it is learned.
    pub fn model(&self) -> &VariationalModel<D::Net> {
        &self.model
    }

    /// Continues from what [`model`](Self::model) was after `learned` stages.
    pub fn continue_from(&mut self, model: VariationalModel<D::Net>, learned: usize) {
        // The moments are those of the rows, to the last digit.
        self.model = VariationalModel { data: self.model.data.clone(), ..model };
        self.learned = learned;
    }

    /// Learns the next stage by way of `train`, which is given the network to start from, what to train it on and a
    /// stream of randomness.
    ///
    /// # Errors
    /// What `train` returns; [`Error::Transport`] if paths vary in no direction.
    ///
    /// # Panics
    /// If none is left.
    pub fn learn<E: From<Error>>(
        &mut self,
        train: impl FnOnce(D::Net, &mut ScoreMatching<'_, D>, &Rng) -> std::result::Result<D::Net, E>,
    ) -> std::result::Result<(), E> {
        let stage = self.next().expect("asked only while one is left");
        let rng = self.rng.fork(&format!("stage {stage}"));
        if stage > 0 && !self.is_score_model {
            self.step_forward_score(&mut rng.fork("paths"))?;
        }
        let nodes = self.settings.schedule.nodes_in_time(self.settings.t_min, self.settings.nodes);
        let diffusion = self.model.forward_process(nodes)?;
        let frames = Frame::of(&diffusion, &self.model.data, &self.data.states().device())?;
        let mut matching = ScoreMatching::new(&self.data, self.held_out.as_ref(), frames);
        self.model.net = train(self.model.net.clone(), &mut matching, &rng.fork("fit"))?;
        self.learned += 1;
        Ok(())
    }

    /// Learns the next stage without an observer.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the numbers go bad, and as [`learn`](Self::learn).
    ///
    /// # Panics
    /// If none is left.
    pub fn learn_silently(&mut self) -> Result<()> {
        let fit = self.settings.fit.clone();
        self.learn(|net, matching, rng| run_silently(Trainer::new(net, fit, rng.clone())?, matching))
    }

    /// Learns all stages that are left, without an observer.
    ///
    /// # Errors
    /// As [`learn_silently`](Self::learn_silently).
    pub fn run(mut self) -> Result<VariationalModel<D::Net>> {
        while self.next().is_some() {
            self.learn_silently()?;
        }
        Ok(self.model)
    }

    /// Moves A and b part of the way to what backward paths from N(0, I) say is best.
    fn step_forward_score(&mut self, rng: &mut Rng) -> Result<()> {
        let diffusion = self
            .model
            .forward_process(self.settings.schedule.nodes_in_clock(self.settings.t_min, STEP_NODES))?;
        let states = self.data.states();
        let (device, [count, dim]) = (states.device(), states.dims());
        let backward = BackwardPaths::new(&diffusion, &self.model.data, &device)?;
        let paths = self.settings.paths;
        let told = self.data.condition(&self.model.net, &rng.indices(paths, count), &device);
        let net = |x, level| D::call(&self.model.net, &told, x, level);
        let mut pooled = StepMoments::zero(dim);
        let last = backward.frames().len() - 1;
        let start = rng.normal([paths, dim], &device);
        backward.walk(&net, start, rng, &mut |k, x, correction| {
            // The trapezoidal rule on equal steps.
            let weight = if k == 0 || k == last { 0.5 } else { 1.0 } / last as f64;
            pooled.add(weight, &moments_of(x, &backward.frames()[k].score(x, correction)));
        });
        let change = self.settings.family.minimiser(&pooled, self.settings.zeta)?;
        self.model.drift = moved(&self.model.drift, &change, self.settings.damping)?;
        Ok(())
    }
}

/// Moments of states and scores, row by row.
fn moments_of(x: &Tensor<2>, scores: &Tensor<2>) -> StepMoments {
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

/// D − 2 η dA and b + η db, with the eigenvalues of D kept in their range.
fn moved(drift: &LinearDrift, change: &Affine, damping: f64) -> Result<LinearDrift> {
    let dim = drift.offset.len();
    let matrix = Mat::from_fn(dim, dim, |i, j| drift.matrix[(i, j)] - 2.0 * damping * change.matrix[(i, j)]);
    let offset = drift.offset.iter().zip(&change.offset).map(|(b, db)| b + damping * db).collect();
    let symmetric = Mat::from_fn(dim, dim, |i, j| 0.5 * (matrix[(i, j)] + matrix[(j, i)]));
    let eigen = symmetric
        .self_adjoint_eigen(faer::Side::Lower)
        .map_err(|_| sbridge_ot::OtError::Eigenvalues { what: "the drift matrix" })?;
    let vectors = eigen.U();
    // What clipping adds: zero, as a rule.
    let added = Mat::from_fn(dim, dim, |i, j| {
        let value = eigen.S().column_vector()[j];
        vectors[(i, j)] * (value.clamp(SPECTRUM.0, SPECTRUM.1) - value)
    });
    Ok(in_single_precision(LinearDrift { matrix: matrix + added * vectors.transpose(), offset }))
}

/// The drift as it is saved, so that a run that goes on from a file is the same run.
fn in_single_precision(drift: LinearDrift) -> LinearDrift {
    let rounded = |x: f64| f64::from(x as f32);
    let dim = drift.offset.len();
    LinearDrift {
        matrix: Mat::from_fn(dim, dim, |i, j| rounded(drift.matrix[(i, j)])),
        offset: drift.offset.into_iter().map(rounded).collect(),
    }
}
