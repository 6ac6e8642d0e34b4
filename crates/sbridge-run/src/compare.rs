//! Two data sets compared by optimal transport, on one screen.

use std::fmt;
use std::path::Path;

use sbridge::rng::Rng;
use sbridge_data::{Dataset, NamedArray, write_npz};
use sbridge_ot::{
    MAX_ASSIGNMENT, Points, SinkhornPlan, SinkhornSettings, optimal_matching, self_value, sinkhorn,
};
use sbridge_report::digits;
use serde::Serialize;

use crate::context::Context;
use crate::data::require_same_shape;
use crate::epsilon::{AUTO_SHARE, auto_epsilon, cost_spread};
use crate::error::{Result, RunError};
use crate::samples::require_ending;

/// How two data sets are compared.
#[derive(Clone, Debug)]
pub struct OtSettings {
    /// Entropic regularisation ε for the cost ½‖x − y‖²; chosen from the data if absent.
    pub epsilon: Option<f64>,
    /// Whether exact W2 is wanted on as many points as can be matched, however long it takes.
    pub exact: bool,
    /// Points used of each set, at most; a random part is taken of larger ones.
    pub limit: usize,
    /// Seed of that choice.
    pub seed: u64,
}

/// Points matched exactly unless more are asked for; the time grows with the cube.
const QUICK_MATCH: usize = 2000;

/// Total error of the marginals at which an entropic plan is good enough for two digits and more.
const TOLERANCE: f64 = 1e-4;

/// Sweeps after which an entropic plan is given up.
const MAX_SWEEPS: usize = 2000;

/// Values of a plan that may be written, 1 GiB of them.
const MAX_PLAN: usize = 1 << 28;

/// What the comparison found.
#[derive(Clone, Debug, Serialize)]
pub struct OtReport {
    /// Both sets: as typed, samples in it, samples used.
    pub sets: [(String, usize, usize); 2],
    /// Values of a sample.
    pub dim: usize,
    /// Exact W2, and the points it was matched on.
    pub exact_w2: f64,
    /// Points on each side of the exact matching.
    pub matched: usize,
    /// Regularisation used.
    pub epsilon: f64,
    /// Whether it was chosen here.
    pub epsilon_is_auto: bool,
    /// Standard deviation of the cost ½‖x − y‖² over random pairs.
    pub cost_spread: f64,
    /// Entropic value min ⟨c, π⟩ + ε KL(π ‖ a⊗b).
    pub entropic_value: f64,
    /// Cost ⟨c, π⟩ of the entropic plan.
    pub transport_cost: f64,
    /// Sinkhorn divergence: the entropic value without its bias.
    pub sinkhorn_divergence: f64,
    /// Total error of the marginals of the plan.
    pub marginal_error: f64,
    /// Sweeps taken.
    pub sweeps: usize,
    /// Whether all three plans reached the tolerance.
    pub converged: bool,
}

/// Compares `source` with `target`, and writes the plan to `plan` if asked.
///
/// # Errors
/// [`RunError`] for data that cannot be compared, or a plan that cannot be written.
pub fn compare(
    source: &str,
    target: &str,
    settings: &OtSettings,
    plan: Option<&Path>,
    context: &Context,
) -> Result<OtReport> {
    if settings.limit == 0 {
        return Err(RunError::Input("--limit must be at least 1, got 0".into()));
    }
    plan.map_or(Ok(()), |path| require_ending("--plan", path, "npz", "several arrays"))?;
    let sets = [context.sources.set(source)?, context.sources.set(target)?];
    require_same_shape(&sets[0], &sets[1])?;
    let rng = Rng::new(settings.seed).fork("ot");
    let x = points(&sets[0], settings.limit, &mut rng.fork("source"))?;
    let y = points(&sets[1], settings.limit, &mut rng.fork("target"))?;
    plan.map_or(Ok(()), |_| require_writable(x.len(), y.len()))?;
    let (exact_w2, matched) = exact(&x, &y, settings.exact)?;
    let cost_spread = cost_spread(&x, &y, &mut rng.fork("pairs"));
    let epsilon = settings.epsilon.map_or_else(|| auto_epsilon(cost_spread), Ok)?;
    let sinkhorn_settings = SinkhornSettings { epsilon, tolerance: TOLERANCE, max_iterations: MAX_SWEEPS };
    let across = sinkhorn(&x, &y, &sinkhorn_settings)?;
    let own = [self_value(&x, &sinkhorn_settings)?, self_value(&y, &sinkhorn_settings)?];
    plan.map_or(Ok(()), |path| write_plan(path, &across))?;
    let described = |(data, used): (&Dataset, &Points)| (data.source().into(), data.len(), used.len());
    Ok(OtReport {
        sets: [(&sets[0], &x), (&sets[1], &y)].map(described),
        dim: x.dim(),
        exact_w2,
        matched,
        epsilon,
        epsilon_is_auto: settings.epsilon.is_none(),
        cost_spread,
        entropic_value: across.value,
        transport_cost: across.transport_cost,
        sinkhorn_divergence: across.value - 0.5 * (own[0].value + own[1].value),
        marginal_error: across.marginal_error,
        sweeps: across.iterations,
        converged: across.converged && own.iter().all(|own| own.converged),
    })
}

/// The samples as points, a random part of them where there are more than `limit`.
fn points(data: &Dataset, limit: usize, rng: &mut Rng) -> Result<Points> {
    let all = Points::from_f32(data.values(), data.shape().size())?;
    if data.len() <= limit {
        return Ok(all);
    }
    Ok(all.subset(&rng.permutation(data.len())[..limit])?)
}

/// Exact W2, and on how many points of each side.
fn exact(x: &Points, y: &Points, in_full: bool) -> Result<(f64, usize)> {
    let most = if in_full { MAX_ASSIGNMENT } else { QUICK_MATCH };
    let matched = x.len().min(y.len()).min(most);
    // Points come in random order where some were left out, else in that of the file.
    let spread = |points: &Points| {
        let indices: Vec<usize> = (0..matched).map(|i| i * points.len() / matched).collect();
        points.subset(&indices)
    };
    let total = optimal_matching(&spread(x)?, &spread(y)?)?.cost;
    Ok(((total / matched as f64).sqrt(), matched))
}

/// Refuses a plan that is too large to be written.
fn require_writable(rows: usize, columns: usize) -> Result<()> {
    if rows * columns <= MAX_PLAN {
        return Ok(());
    }
    Err(RunError::Input(format!(
        "a plan of {rows} × {columns} would take {:.1} GB (lower --limit)",
        4e-9 * rows as f64 * columns as f64
    )))
}

/// Writes `plan`, its potentials `f` and `g`.
fn write_plan(path: &Path, plan: &SinkhornPlan<'_>) -> Result<()> {
    let (rows, columns) = (plan.f.len(), plan.g.len());
    let narrow = |values: &[f64]| values.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    let masses: Vec<f32> = (0..rows).flat_map(|i| narrow(&plan.row(i))).collect();
    let (f, g) = (narrow(&plan.f), narrow(&plan.g));
    let arrays: [NamedArray<'_>; 3] =
        [("plan", &masses, &[rows, columns]), ("f", &f, &[rows]), ("g", &g, &[columns])];
    Ok(write_npz(path, &arrays)?)
}

impl OtReport {
    /// Why the plan is not good, in words, if it is not.
    fn complaint(&self) -> Option<String> {
        (!self.converged).then(|| {
            format!(
                "not converged: after {} sweeps the marginals are wrong by {:.1e} in total, so the entropic numbers \
                 are rough. ε is {:.1e} of the cost's spread; a larger one converges faster, for example \
                 --epsilon {}",
                self.sweeps,
                self.marginal_error,
                self.epsilon / self.cost_spread,
                digits((4.0 * self.epsilon).max(AUTO_SHARE * self.cost_spread))
            )
        })
    }
}

impl fmt::Display for OtReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, (source, count, used)) in ["source", "target"].into_iter().zip(&self.sets) {
            let part = if used < count { format!(", a random {used} of them used") } else { String::new() };
            writeln!(f, "{name:22} {source}: {count} samples of {} values{part}", self.dim)?;
        }
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: f64, note: &str| {
            let size = value.abs();
            let is_plain = size == 0.0 || (1e-3..1e7).contains(&size);
            let shown = if is_plain { format!("{value:.6}") } else { format!("{value:.6e}") };
            writeln!(f, "{name:22} {shown:<12} {note}")
        };
        line(f, "exact W2", self.exact_w2, &format!("{} points of each, matched", self.matched))?;
        let chosen = if self.epsilon_is_auto {
            format!("chosen: {AUTO_SHARE} of the cost's standard deviation {}", digits(self.cost_spread))
        } else {
            format!("given; the cost's standard deviation is {}", digits(self.cost_spread))
        };
        line(f, "epsilon", self.epsilon, &chosen)?;
        line(f, "Sinkhorn divergence", self.sinkhorn_divergence, "½ W2² as ε → 0, zero for equal sets")?;
        line(f, "entropic value", self.entropic_value, "⟨c, π⟩ + ε KL(π ‖ a⊗b), c = ½‖x − y‖²")?;
        line(f, "transport cost", self.transport_cost, "⟨c, π⟩ of the entropic plan")?;
        writeln!(f, "{:22} {:<12.1e} after {} sweeps", "marginal error", self.marginal_error, self.sweeps)?;
        write!(f, "{}", self.complaint().unwrap_or_else(|| "converged".into()))
    }
}
