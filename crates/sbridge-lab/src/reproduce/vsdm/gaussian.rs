//! A correlated Gaussian off the origin: where D and b rest is known in closed form, and so is the law of samples.
//!
//! The score of Gaussian data is known from their moments, and a network has nothing to add. What is decided here is the forward
//! score, by simulated paths: a constant one begins where it rests and has to stay, one that changes begins at zero. The control
//! stays at zero: a score model, drawn from N(0, I).

use faer::mat;
use sbridge::fit::FitSettings;
use sbridge::net::ResidualMlpSettings;
use sbridge::reference::Schedule;
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{FlowSettings, Initial, StartLaw, VariationalModel, Vsdm, VsdmSettings};
use sbridge::tensor::{DType, Device, Tensor, from_rows_f64, points};
use sbridge_ot::Gaussian;

use crate::problem::stream;
use crate::reproduce::{Effort, Estimate, Result, Study};

/// Samples learned from, and samples drawn.
const COUNT: usize = 50_000;

/// D and b at rest, for β = 4 throughout.
const MATRIX: [[f64; 2]; 2] = [[0.999185, 0.015463], [0.015463, 1.061037]];
const OFFSET: [f64; 2] = [0.62992, -0.15671];

/// Cost of the Schrödinger bridge to the prior.
const COST: f64 = 0.63573;

/// Entries of a symmetric matrix.
const ENTRIES: [(usize, usize); 3] = [(0, 0), (0, 1), (1, 1)];

/// Paths that decide a step of D and b.
const PATHS: usize = 10_000;

/// What the checks have to refuse.
const CONTROL: &str = "D = I, b = 0";

/// Nodes between which the cost of a learned process is integrated.
const COST_NODES: usize = 1000;

pub(super) fn gaussian_study(effort: Effort, rng: &Rng) -> Result<Study> {
    let data = Gaussian::new(vec![-8.0, 2.0], mat![[1.0, 1.0], [1.0, 5.0]])?;
    let runs = (0..effort.pick(1, 3)).map(|k| measure(&data, effort, &rng.fork(&format!("run {k}"))));
    let runs: Vec<Run> = runs.collect::<Result<_>>()?;
    let mut study = Study::new(
        "D and b with a learned score, and samples",
        format!(
            "N((−8, 2), [[1, 1], [1, 5]]), β = 4, {COUNT} samples learned from and as many drawn, ζ = 1; n counts fits, and \
             nothing but their length ends them. First D is constant: it begins where it rests in closed form and has to stay. \
             Then it begins at zero, changes with time in 50 intervals and goes the whole way at each step, half-bridge by \
             half-bridge: what the Schrödinger bridge costs is known too. Errors are the largest over entries; those of samples \
             in standard deviations of the data. The network has nothing to add to the score of a Gaussian and is not what is \
             checked: the control is a score model, drawn from N(0, I)."
        ),
        format!(
            "A step of D and b is decided by {PATHS} paths from N(0, I) under the learned score: a variance of as many has a \
             standard error of 0.014. Means of samples within 0.1 and covariances within a twentieth of the deviations' \
             product, as published runs without the offset are off by up to 0.7. The cost within a tenth: intervals \
             and noise of A add to it, and a constant D costs 0.83."
        ),
    );
    let mut near = |name: &str, of: fn(&Found) -> f64, value: f64, tolerance: f64| {
        let found: Vec<f64> = runs.iter().map(|run| of(&run.found)).collect();
        study.near(name, Estimate::mean(&found).beside(CONTROL, of(&runs[0].control)), value, tolerance);
    };
    near("error of D, constant", |found| found.matrix, 0.0, 0.05);
    near("error of b, constant", |found| found.offset, 0.0, 0.05);
    near("mismatch of the prior, constant D", |found| found.constant_mismatch, 0.0, 0.01);
    near("mismatch of the prior, half-bridges", |found| found.bridged_mismatch, 0.0, 0.01);
    near("cost of the half-bridges", |found| found.cost, COST, 0.1 * COST);
    near("error of the mean of samples", |found| found.means, 0.0, 0.1);
    near("error of the covariance of samples", |found| found.covariances, 0.0, 0.05);
    Ok(study)
}

struct Run {
    found: Found,
    control: Found,
}

/// What two models have, of constant D and b and of such as change with time.
struct Found {
    /// Largest errors of a constant D and b.
    matrix: f64,
    offset: f64,
    constant_mismatch: f64,
    /// Of the half-bridges, as all that follows.
    bridged_mismatch: f64,
    cost: f64,
    /// Largest errors of samples, in standard deviations of the data.
    means: f64,
    covariances: f64,
}

fn measure(data: &Gaussian, effort: Effort, rng: &Rng) -> Result<Run> {
    let drawn = data.sample(COUNT, &mut stream(rng, "data"))?;
    let rows = from_rows_f64(drawn.as_slice(), 2, &Device::flex()).cast(DType::F32);
    let fit = FitSettings { steps: effort.pick(100, 500), batch_size: 256, ..VsdmSettings::default().fit };
    let half_bridges = VsdmSettings {
        schedule: Schedule { beta_min: 4.0, beta_max: 4.0, power: 0.0 },
        initial: Initial::Zero,
        intervals: 50,
        damping: 1.0,
        stages: 5,
        paths: PATHS,
        cooldown_steps: effort.pick(500, 5000),
        net: ResidualMlpSettings { width: 64, blocks: 2, time_features: 32 },
        fit,
        ..VsdmSettings::default()
    };
    let constant = VsdmSettings {
        initial: Initial::Matched,
        intervals: 1,
        damping: VsdmSettings::default().damping,
        stages: effort.pick(4, 10),
        ..half_bridges.clone()
    };
    let begin =
        |settings: &VsdmSettings, name: &str| Vsdm::new(rows.clone(), settings.clone(), rng.fork(name));
    let zero = VsdmSettings { intervals: 1, ..half_bridges.clone() };
    let [zero, bridged] = [begin(&zero, "constant")?, begin(&half_bridges, "half-bridges")?];
    let control = judged(data, zero.model(), bridged.model(), StartLaw::Prior, rng)?;
    let (constant, bridged) = (begin(&constant, "constant")?.run()?, bridged.run()?);
    Ok(Run { found: judged(data, &constant, &bridged, StartLaw::Reached, rng)?, control })
}

/// The numbers of a model of constant D and b, and of one that changes with time and is drawn from.
fn judged(
    data: &Gaussian,
    constant: &VariationalModel,
    bridged: &VariationalModel,
    start: StartLaw,
    rng: &Rng,
) -> Result<Found> {
    let rest = &constant.parts[0].diffusion.drifts()[0];
    let sampler = FlowSettings { start, ..FlowSettings::default() };
    let drawn: Tensor<2> = bridged.sample(COUNT, &sampler, &mut rng.fork("samples"))?;
    let samples = Gaussian::fit(&points(&drawn)?)?;
    let fine = bridged.with_nodes(&bridged.schedule().nodes_in_clock(0.0, COST_NODES))?;
    let deviation = |i: usize| data.cov()[(i, i)].sqrt();
    let of_mean = |i: usize| (samples.mean()[i] - data.mean()[i]) / deviation(i);
    let of_covariance =
        |(i, j): (usize, usize)| (samples.cov()[(i, j)] - data.cov()[(i, j)]) / (deviation(i) * deviation(j));
    Ok(Found {
        matrix: largest(ENTRIES.map(|(i, j)| rest.matrix[(i, j)] - MATRIX[i][j])),
        offset: largest([0, 1].map(|i| rest.offset[i] - OFFSET[i])),
        constant_mismatch: constant.mismatch()?,
        bridged_mismatch: bridged.mismatch()?,
        cost: fine[0].diffusion.transport_cost(data)?,
        means: largest([0, 1].map(of_mean)),
        covariances: largest(ENTRIES.map(of_covariance)),
    })
}

/// The largest absolute value.
fn largest<const N: usize>(errors: [f64; N]) -> f64 {
    errors.into_iter().map(f64::abs).fold(0.0, f64::max)
}
