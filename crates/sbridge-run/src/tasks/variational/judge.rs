//! How good samples are at several numbers of network calls, and how straight their paths; beside floors, and beside score
//! models of the same network and training.

use std::fmt;

use faer::Mat;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{MAX_DIM, ProbabilityFlow, StartLaw, VariationalModel};
use sbridge::tensor::{Tensor, from_rows_f64, head, points, to_vec_f64};
use sbridge::{Direction, eval};
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::symmetric_eigen;
use serde::{Deserialize, Serialize};

use super::{METHOD, Variational, VariationalData};
use crate::error::Result;
use crate::models::variational::{SCORE_MODEL, WHITENED, Whitening, file};
use crate::quality::distances::Distances;
use crate::quality::{Headline, JudgedBy, Judgement, RowKind};
use crate::task::Run;

/// Samples compared, at most; exact distances grow with the cube.
const MAX_COMPARED: usize = 2000;

/// Network calls for a sample that are compared: two for each step.
const CALLS: [usize; 3] = [10, 20, 100];

/// Steps of the flow along which densities are computed.
const LIKELIHOOD_STEPS: usize = 50;

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
    /// Total variance over that of the samples judged by.
    pub variance: f64,
    /// From the samples judged by.
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
    /// Total variance of where they end over that of the samples judged by. Shrunken samples look straight.
    pub variance: f64,
}

/// How likely samples held out are, with a little noise: the least that the backward process of any candidate leaves, in
/// each principal direction of the data. All candidates are judged by the same rows, in the units of the data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Likelihood {
    /// Name for people.
    pub name: String,
    /// Mean of ln p, in nats.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
    /// The same in bits for each coordinate, −ln p/(d ln 2).
    pub bits: f64,
}

/// The evaluation of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VariationalEvaluation {
    /// Samples compared.
    pub count: usize,
    /// What kind of samples it is judged by.
    #[serde(default)]
    pub judged_by: JudgedBy,
    /// KL of the law the forward process ends in from the prior.
    pub mismatch: f64,
    /// The candidates.
    pub rows: Vec<Row>,
    /// How they travel.
    pub travels: Vec<Travel>,
    /// How likely the samples judged by are, for few coordinates.
    pub likelihoods: Vec<Likelihood>,
    /// Which baselines do as well, in words.
    pub remarks: Vec<String>,
}

/// A model as it is used: where its paths start, and what comes after.
pub struct Candidate {
    /// Name for people.
    pub name: &'static str,
    /// Forward process and network.
    pub model: VariationalModel,
    /// Where paths start.
    pub start: StartLaw,
    /// What the model sees the data through, if anything.
    pub whitening: Option<Whitening>,
}

/// Judges the model of `run` by the samples that were held out, or by half of those trained on where none were.
///
/// # Errors
/// [`RunError`](crate::RunError) for numerics that went bad, or baselines that were not learned.
pub(super) fn judge(run: &Run<Variational>, data: &VariationalData) -> Result<VariationalEvaluation> {
    let rng = run.rng("evaluation");
    let [truth, others] = data.split.judges_and_others();
    let count = truth.dims()[0].min(others.dims()[0]).min(MAX_COMPARED);
    let truth = head(&truth, count);
    let judge = Judge::new(&truth, &rng)?;
    let (mut rows, mut travels) = (Vec::new(), Vec::new());
    let candidates = candidates(run, data)?;
    for candidate in &candidates {
        for calls in CALLS {
            rows.push(judge.candidate(candidate, calls)?);
        }
        travels.push(judge.travel(candidate)?);
    }
    let same = Gaussian::fit(&points(&data.split.train)?)?;
    let likelihoods = judge.likelihoods(&candidates, &same)?;
    let mut stream = ChaCha8Rng::seed_from_u64(rng.fork("gaussian").seed());
    let drawn = same.sample(count, &mut stream)?;
    let drawn = from_rows_f64(drawn.as_slice(), drawn.dim(), &truth.device()).cast(truth.dtype());
    rows.push(judge.row("training data", RowKind::Floor, None, &head(&others, count))?);
    rows.push(judge.row(MATCHED, RowKind::Baseline, None, &drawn)?);
    let (remarks, mismatch) = (remarks(&rows), run.learned.model.mismatch()?);
    let judged_by = JudgedBy::of(data.split.held_out.is_some());
    Ok(VariationalEvaluation { count, judged_by, mismatch, rows, travels, likelihoods, remarks })
}

/// The Gaussian that knows mean and covariance, and no more.
const MATCHED: &str = "Gaussian of the same moments";

/// The model; and the baselines, where they were fitted.
fn candidates(run: &Run<Variational>, data: &VariationalData) -> Result<Vec<Candidate>> {
    let of = |name, model, start, whitening| Candidate { name, model, start, whitening };
    let mut candidates = vec![of(METHOD, run.learned.model.clone(), run.settings.sampler.start, None)];
    if run.settings.baselines {
        let model =
            |name| Ok::<_, crate::RunError>(file::load_model(&run.folder.model_file(name)?, &run.device)?.0);
        let (score_model, whitened) = (model(SCORE_MODEL)?, model(WHITENED)?);
        let whitening = Whitening::of(&data.split.train)?;
        candidates.push(of("score model", score_model.clone(), StartLaw::Prior, None));
        candidates.push(of("score model, matched start", score_model, StartLaw::Reached, None));
        candidates.push(of("whitening, score model", whitened, StartLaw::Prior, Some(whitening)));
    }
    Ok(candidates)
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
pub struct Judge<'a> {
    truth: &'a Tensor<2>,
    reference: sbridge_ot::Points,
    deviations: Vec<f64>,
    rng: &'a Rng,
}

impl<'a> Judge<'a> {
    /// Candidates are compared with `truth`, `[count, dim]`, by paths from streams of `rng`.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for samples that are not finite.
    pub fn new(truth: &'a Tensor<2>, rng: &'a Rng) -> Result<Self> {
        let deviations = variances(truth).into_iter().map(f64::sqrt).collect();
        Ok(Self { truth, reference: points(truth)?, deviations, rng })
    }

    fn candidate(&self, candidate: &Candidate, calls: usize) -> Result<Row> {
        let samples = self.samples(candidate, calls)?;
        let kind = if candidate.name == METHOD { RowKind::Model } else { RowKind::Baseline };
        self.row(candidate.name, kind, Some(calls), &samples)
    }

    /// Samples of `candidate` with so many calls of its network for each, as many as there are to compare with.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for numerics that went bad.
    pub fn samples(&self, candidate: &Candidate, calls: usize) -> Result<Tensor<2>> {
        self.carried(candidate, &candidate.model.flow(calls.div_ceil(2))?, &mut |_, _| {})
    }

    fn row(&self, name: &str, kind: RowKind, calls: Option<usize>, samples: &Tensor<2>) -> Result<Row> {
        let distances = Distances::between(&points(samples)?, &self.reference)?;
        Ok(Row { name: name.into(), kind, calls, variance: self.variance_ratio(samples), distances })
    }

    /// Total variance over that of the samples judged by.
    pub fn variance_ratio(&self, samples: &Tensor<2>) -> f64 {
        variances(samples).iter().sum::<f64>() / variances(self.truth).iter().sum::<f64>()
    }

    /// Samples along the flow, as many as there are to compare with.
    fn carried(
        &self,
        candidate: &Candidate,
        flow: &ProbabilityFlow,
        observe: &mut dyn FnMut(usize, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        let Candidate { model, whitening, .. } = candidate;
        let mut rng = self.rng.fork("start");
        let count = self.truth.dims()[0];
        let start = model.start(candidate.start)?.draw(count, &mut rng);
        let undone = |x: &Tensor<2>| whitening.as_ref().map_or_else(|| x.clone(), |w| w.undo(x));
        let net = |x, level| model.net.forward(x, level);
        let samples = flow.integrate(&net, start, &mut |k, x| observe(k, &undone(x)));
        Ok(undone(&samples))
    }

    /// How likely the truth with a common noise is to `candidates`, and to `same`, the Gaussian of its moments, with that
    /// noise; nothing for many coordinates.
    fn likelihoods(&self, candidates: &[Candidate], same: &Gaussian) -> Result<Vec<Likelihood>> {
        if same.dim() > MAX_DIM {
            return Ok(Vec::new());
        }
        let noises = candidates.iter().map(Candidate::noise_left).collect::<Result<Vec<_>>>()?;
        let noise = Gaussian::new(vec![0.0; same.dim()], least_noise(&noises, same)?)?;
        let mut stream = ChaCha8Rng::seed_from_u64(self.rng.fork("noise").seed());
        let drawn = noise.sample(self.truth.dims()[0], &mut stream)?;
        let drawn =
            from_rows_f64(drawn.as_slice(), drawn.dim(), &self.truth.device()).cast(self.truth.dtype());
        let noised = self.truth.clone() + drawn;
        let of = |candidate: &Candidate| {
            Ok(Likelihood::of(candidate.name, same.dim(), &candidate.log_density(&noised)?))
        };
        let mut likelihoods = candidates.iter().map(of).collect::<Result<Vec<_>>>()?;
        let same = Gaussian::new(same.mean().to_vec(), same.cov() + noise.cov())?;
        likelihoods.push(Likelihood::of(MATCHED, same.dim(), &same.log_density(&points(&noised)?)?));
        Ok(likelihoods)
    }

    /// How samples of `candidate` travel.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for numerics that went bad.
    pub fn travel(&self, candidate: &Candidate) -> Result<Travel> {
        let model = &candidate.model;
        let nodes = model.schedule().nodes_in_time(model.t_min, PATH_STEPS);
        let flow =
            ProbabilityFlow::new(&model.with_nodes(&nodes)?, Direction::Backward, &self.truth.device())?;
        let mut travel = eval::PathStatistics::new((1.0 - model.t_min) / PATH_STEPS as f64);
        let end = self.carried(candidate, &flow, &mut |_, x| travel.observe(x))?;
        let in_deviations = |values: Vec<f64>, power: i32| {
            let scaled = values.iter().zip(&self.deviations).map(|(value, s)| value / s.powi(power));
            scaled.sum::<f64>() / self.deviations.len() as f64
        };
        Ok(Travel {
            name: candidate.name.into(),
            straightness: in_deviations(travel.straightness(), 1),
            kinetic: in_deviations(travel.kinetic_energy(), 2),
            variance: self.variance_ratio(&end),
        })
    }
}

impl Candidate {
    /// The noise that it leaves, in the units of the data, `[dim, dim]`.
    fn noise_left(&self) -> Result<Mat<f64>> {
        let noise = self.model.noise_left()?;
        Ok(self
            .whitening
            .as_ref()
            .map_or_else(|| noise.clone(), |whitening| whitening.undo_covariance(&noise)))
    }

    /// ln of the density of data with that noise, at `rows` in the units of the data.
    fn log_density(&self, rows: &Tensor<2>) -> Result<Vec<f64>> {
        let of = |rows: &Tensor<2>| self.model.log_density_of_noised(rows, self.start, LIKELIHOOD_STEPS);
        let Some(whitening) = &self.whitening else { return Ok(of(rows)?) };
        let whitened = of(&whitening.apply(rows))?;
        Ok(whitened.into_iter().map(|one| one + whitening.log_volume).collect())
    }
}

/// The noise with the least of the variances of `noises` in each principal direction of `law`. More of it would blur what
/// one candidate tells apart; less would ask of all what none leaves clean.
fn least_noise(noises: &[Mat<f64>], law: &Gaussian) -> Result<Mat<f64>> {
    let (_, axes) = symmetric_eigen("the covariance of the data", law.cov())?;
    let dim = law.dim();
    let along = |noise: &Mat<f64>, k: usize| (axes.col(k).transpose() * noise) * axes.col(k);
    let least: Vec<f64> =
        (0..dim).map(|k| noises.iter().map(|noise| along(noise, k)).fold(f64::INFINITY, f64::min)).collect();
    Ok(Mat::from_fn(dim, dim, |i, j| (0..dim).map(|k| axes[(i, k)] * least[k] * axes[(j, k)]).sum()))
}

impl Likelihood {
    fn of(name: &str, dim: usize, densities: &[f64]) -> Self {
        let n = densities.len() as f64;
        let mean = densities.iter().sum::<f64>() / n;
        let variance = densities.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        let bits = -mean / (dim as f64 * std::f64::consts::LN_2);
        Self { name: name.into(), mean, error: (variance / n).sqrt(), bits }
    }
}

/// Variances of the columns.
fn variances(rows: &Tensor<2>) -> Vec<f64> {
    let centred = rows.clone() - rows.clone().mean_dim(0);
    to_vec_f64(centred.powi_scalar(2).mean_dim(0))
}

impl Judgement for VariationalEvaluation {
    fn headline(&self) -> Option<Headline> {
        Some(("W2", self.rows.iter().rfind(|row| row.kind == RowKind::Model)?.distances.w2))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

impl fmt::Display for VariationalEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.judged_by {
            JudgedBy::HeldOut => writeln!(f, "{} samples beside as many held out", self.count)?,
            JudgedBy::Training => writeln!(
                f,
                "{} samples beside half of those trained on, since none were held out",
                self.count
            )?,
        }
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
        if !self.likelihoods.is_empty() {
            write!(
                f,
                "\n\n{:28} {:>12} {:>12} {:>10}",
                "log-likelihood, noised", "nats", "± error", "bits/dim"
            )?;
        }
        for Likelihood { name, mean, error, bits } in &self.likelihoods {
            write!(f, "\n{name:28} {mean:>12.4} {error:>12.4} {bits:>10.4}")?;
        }
        write!(f, "\n\nmismatch of the prior {:.2e}", self.mismatch)?;
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}
