//! How good samples are at several numbers of network calls, and how straight their paths; beside floors, and beside score
//! models of the same network and training.

use std::fmt;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{BackwardFlow, VariationalModel};
use sbridge::tensor::{Tensor, from_rows_f64, head, points, to_vec_f64};
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::{inv_sqrt_pd, sqrt_psd};
use serde::{Deserialize, Serialize};

use super::{METHOD, OpenVsdm, RunData, SCORE_MODEL, WHITENED};
use crate::atomic;
use crate::error::Result;
use crate::evaluate::RowKind;
use crate::pair_evaluation::Distances;

/// Samples compared, at most; exact distances grow with the cube.
const MAX_COMPARED: usize = 2000;

/// Network calls for a sample that are compared: two for each step.
const CALLS: [usize; 3] = [10, 20, 100];

/// Steps in time of the paths whose straightness is measured.
const PATH_STEPS: usize = 99;

/// One candidate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Name for people.
    pub name: String,
    /// What it stands for.
    pub kind: RowKind,
    /// Calls of the network for a sample, if there is one.
    pub calls: Option<usize>,
    /// Total variance over that of the samples set aside.
    pub variance: f64,
    /// From the samples set aside.
    pub distances: Distances,
}

/// How samples travel along the probability flow, averaged over coordinates in units of their standard deviations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Travel {
    /// Name for people.
    pub name: String,
    /// Mean |second difference|/dt²: zero for uniform motion.
    pub straightness: f64,
    /// Mean squared velocity.
    pub kinetic: f64,
    /// Total variance of where they end over that of the samples set aside. Shrunken samples look straight.
    pub variance: f64,
}

/// The evaluation of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VsdmEvaluation {
    /// Samples compared.
    pub count: usize,
    /// KL of the law the forward process ends in from the prior.
    pub mismatch: f64,
    /// The candidates.
    pub rows: Vec<Row>,
    /// How they travel.
    pub travels: Vec<Travel>,
    /// Which baselines do as well, in words.
    pub remarks: Vec<String>,
}

/// A model as it is used: where its paths start, and what comes after.
pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    pub(crate) model: VariationalModel,
    pub(crate) starts_matched: bool,
    pub(crate) whitening: Option<Whitening>,
}

impl OpenVsdm {
    /// Judges the model by the samples that were set aside, and writes `evaluation.json` and the report.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for data that cannot be read any more, or a disk that refuses.
    pub fn judge(&self) -> Result<VsdmEvaluation> {
        let data = RunData::load(&self.config)?;
        let rng = Rng::new(self.config.seed).fork("evaluation");
        let truth = head(data.held_out(), MAX_COMPARED);
        let judge = Judge::new(&truth, &rng)?;
        let (mut rows, mut travels) = (Vec::new(), Vec::new());
        for candidate in self.candidates(&data)? {
            for calls in CALLS {
                rows.push(judge.candidate(&candidate, calls)?);
            }
            travels.push(judge.travel(&candidate)?);
        }
        let count = truth.dims()[0];
        let same = Gaussian::fit(&points(&data.split.train)?)?;
        let mut stream = ChaCha8Rng::seed_from_u64(rng.fork("gaussian").seed());
        let drawn = same.sample(count, &mut stream)?;
        let drawn = from_rows_f64(drawn.as_slice(), drawn.dim(), &truth.device()).cast(truth.dtype());
        rows.push(judge.row("training data", RowKind::Floor, None, &head(&data.split.train, count))?);
        rows.push(judge.row("Gaussian of the same moments", RowKind::Baseline, None, &drawn)?);
        let remarks = remarks(&rows);
        let evaluation = VsdmEvaluation { count, mismatch: self.model.mismatch()?, rows, travels, remarks };
        atomic::write_json(&self.folder.file("evaluation.json"), &evaluation)?;
        super::report::write(self, &data, &evaluation)?;
        Ok(evaluation)
    }

    /// The model; and the baselines, where they were fitted.
    fn candidates(&self, data: &RunData) -> Result<Vec<Candidate>> {
        let of =
            |name, model, starts_matched, whitening| Candidate { name, model, starts_matched, whitening };
        let mut candidates = vec![of(METHOD, self.model.clone(), true, None)];
        if self.config.baselines {
            let score_model = Self::model(&self.folder, &self.config, SCORE_MODEL)?;
            let whitened = Self::model(&self.folder, &self.config, WHITENED)?;
            let whitening = Whitening::of(&data.split.train)?;
            candidates.push(of("score model", score_model.clone(), false, None));
            candidates.push(of("score model, matched start", score_model, true, None));
            candidates.push(of("whitening, score model", whitened, false, Some(whitening)));
        }
        Ok(candidates)
    }
}

/// Baselines that come as near as the model with as many calls, or nearer.
fn remarks(rows: &[Row]) -> Vec<String> {
    let nearer = |row: &Row| {
        let model = rows.iter().find(|model| model.kind == RowKind::Model && model.calls == row.calls);
        model.is_some_and(|model| row.distances.w2 <= model.distances.w2)
    };
    let compared: Vec<&Row> =
        rows.iter().filter(|row| row.kind == RowKind::Baseline && row.calls.is_some()).collect();
    let of_one = |of_one: &[&Row]| {
        let calls: Vec<String> =
            of_one.iter().filter(|row| nearer(row)).filter_map(|row| Some(row.calls?.to_string())).collect();
        let name = &of_one[0].name;
        (!calls.is_empty())
            .then(|| format!("{name} does as well or better at {} calls, by W2", calls.join(", ")))
    };
    compared.chunk_by(|a, b| a.name == b.name).filter_map(of_one).collect()
}

/// What candidates are compared with.
pub(crate) struct Judge<'a> {
    truth: &'a Tensor<2>,
    reference: sbridge_ot::Points,
    deviations: Vec<f64>,
    rng: &'a Rng,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(truth: &'a Tensor<2>, rng: &'a Rng) -> Result<Self> {
        let deviations = variances(truth).into_iter().map(f64::sqrt).collect();
        Ok(Self { truth, reference: points(truth)?, deviations, rng })
    }

    fn candidate(&self, candidate: &Candidate, calls: usize) -> Result<Row> {
        let samples = self.samples(candidate, calls)?;
        let kind = if candidate.name == METHOD { RowKind::Model } else { RowKind::Baseline };
        self.row(candidate.name, kind, Some(calls), &samples)
    }

    /// Samples of `candidate` with so many calls of its network for each, as many as there are to compare with.
    pub(crate) fn samples(&self, candidate: &Candidate, calls: usize) -> Result<Tensor<2>> {
        self.carried(candidate, &candidate.model.flow(calls.div_ceil(2))?, &mut |_, _| {})
    }

    fn row(&self, name: &str, kind: RowKind, calls: Option<usize>, samples: &Tensor<2>) -> Result<Row> {
        let distances = Distances::between(&points(samples)?, &self.reference)?;
        Ok(Row { name: name.into(), kind, calls, variance: self.variance_ratio(samples), distances })
    }

    pub(crate) fn variance_ratio(&self, samples: &Tensor<2>) -> f64 {
        variances(samples).iter().sum::<f64>() / variances(self.truth).iter().sum::<f64>()
    }

    /// Samples along the flow, as many as there are to compare with.
    fn carried(
        &self,
        candidate: &Candidate,
        flow: &BackwardFlow,
        observe: &mut dyn FnMut(usize, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        let Candidate { model, whitening, .. } = candidate;
        let mut rng = self.rng.fork("start");
        let [count, dim] = self.truth.dims();
        let start = match candidate.starts_matched {
            true => model.start(count, &mut rng)?,
            false => rng.normal([count, dim], &self.truth.device()),
        };
        let undone = |x: &Tensor<2>| whitening.as_ref().map_or_else(|| x.clone(), |w| w.undo(x));
        let net = |x, level| model.net.forward(x, level);
        let samples = flow.carry(&net, start, &mut |k, x| observe(k, &undone(x)));
        Ok(undone(&samples))
    }

    pub(crate) fn travel(&self, candidate: &Candidate) -> Result<Travel> {
        let model = &candidate.model;
        let nodes = model.schedule.nodes_in_time(model.t_min, PATH_STEPS);
        let flow = BackwardFlow::new(&model.forward_process(nodes)?, &model.data, &self.truth.device())?;
        let mut states = Vec::new();
        let end = self.carried(candidate, &flow, &mut |_, x| states.push(x.clone()))?;
        let dt = (1.0 - model.t_min) / PATH_STEPS as f64;
        let scale = from_rows_f64(&self.deviations, self.deviations.len(), &self.truth.device())
            .cast(self.truth.dtype());
        let mean = |x: Tensor<2>| to_vec_f64(x.mean())[0];
        let velocities: Vec<Tensor<2>> =
            states.windows(2).map(|pair| (pair[1].clone() - pair[0].clone()) / scale.clone() / dt).collect();
        let kinetic = velocities.iter().map(|v| mean(v.clone().powi_scalar(2))).sum::<f64>();
        let bends = velocities.windows(2).map(|pair| mean((pair[1].clone() - pair[0].clone()).abs() / dt));
        Ok(Travel {
            name: candidate.name.into(),
            straightness: bends.sum::<f64>() / (velocities.len() - 1) as f64,
            kinetic: kinetic / velocities.len() as f64,
            variance: self.variance_ratio(&end),
        })
    }
}

/// Variances of the columns.
fn variances(rows: &Tensor<2>) -> Vec<f64> {
    let centred = rows.clone() - rows.clone().mean_dim(0);
    to_vec_f64(centred.powi_scalar(2).mean_dim(0))
}

/// The linear map that gives data mean zero and covariance one, and its inverse.
pub(crate) struct Whitening {
    mean: Tensor<2>,
    whiten: Tensor<2>,
    unwhiten: Tensor<2>,
}

impl Whitening {
    /// # Errors
    /// [`RunError::Library`](crate::RunError::Library) for data that do not vary along some direction.
    pub(crate) fn of(rows: &Tensor<2>) -> Result<Self> {
        let law = Gaussian::fit(&points(rows)?)?;
        let device = rows.device();
        let dim = law.dim();
        let tensor = |values: Vec<f64>| from_rows_f64(&values, dim, &device).cast(rows.dtype());
        let matrix = |a: faer::Mat<f64>| tensor((0..dim * dim).map(|i| a[(i / dim, i % dim)]).collect());
        Ok(Self {
            mean: tensor(law.mean().to_vec()),
            whiten: matrix(inv_sqrt_pd(law.cov())?),
            unwhiten: matrix(sqrt_psd(law.cov())?),
        })
    }

    pub(crate) fn apply(&self, rows: &Tensor<2>) -> Tensor<2> {
        (rows.clone() - self.mean.clone()).matmul(self.whiten.clone())
    }

    pub(crate) fn undo(&self, rows: &Tensor<2>) -> Tensor<2> {
        rows.clone().matmul(self.unwhiten.clone()) + self.mean.clone()
    }
}

impl fmt::Display for VsdmEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} samples beside as many held out", self.count)?;
        let head = ["calls", "variance", "W1", "W2", "sliced W2", "energy"];
        write!(f, "{:28}", "")?;
        head.iter().try_for_each(|name| write!(f, " {name:>10}"))?;
        for row in &self.rows {
            let (calls, q) = (row.calls.map_or("–".into(), |calls| calls.to_string()), row.distances);
            let variance = row.variance;
            write!(f, "\n{:28} {calls:>10} {variance:>10.3}", row.name)?;
            write!(f, " {:>10.4} {:>10.4} {:>10.4} {:>10.5}", q.w1, q.w2, q.sliced_w2, q.energy)?;
        }
        write!(f, "\n\n{:28} {:>12} {:>12} {:>10}", "paths", "straightness", "kinetic", "variance")?;
        for travel in &self.travels {
            let Travel { name, straightness, kinetic, variance } = travel;
            write!(f, "\n{name:28} {straightness:>12.3} {kinetic:>12.3} {variance:>10.3}")?;
        }
        write!(f, "\n\nmismatch of the prior {:.2e}", self.mismatch)?;
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}
