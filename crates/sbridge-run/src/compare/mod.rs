//! Two data sets compared by optimal transport, on one screen.

mod entropic;
mod exact;
mod screen;
mod weighted;

pub use entropic::Entropic;
pub use exact::Exact;
pub use weighted::WeightSources;

use std::path::Path;

use sbridge::rng::Rng;
use sbridge_data::{NamedArray, write_npz};
use sbridge_ot::{MAX_COSTS, SinkhornPlan};
use sbridge_report::digits;
use serde::Serialize;

use self::entropic::entropic;
use self::exact::{Weighted, exact};
use self::weighted::Side;
use crate::context::Context;
use crate::data::require_same_shape;
use crate::epsilon::{AUTO_SHARE, Costs};
use crate::error::{Result, RunError};
use crate::samples::{require_ending, require_other_file};

/// How two data sets are compared.
#[derive(Clone, Debug)]
pub struct OtSettings {
    /// Entropic regularisation ε for the cost ½‖x − y‖²; chosen from the data if absent.
    pub epsilon: Option<f64>,
    /// Whether exact W1 and W2 are wanted on as many points as can be, however long it takes.
    pub exact: bool,
    /// Where the weights of points are; equal ones if nowhere.
    pub weights: WeightSources,
    /// Points used of each set, at most; a random part is taken of larger ones.
    pub limit: usize,
    /// Seed of that choice.
    pub seed: u64,
}

/// Values of a plan that may be written, 1 GiB of them.
const MAX_PLAN: usize = 1 << 28;

/// What the comparison found.
#[derive(Clone, Debug, Serialize)]
pub struct OtReport {
    /// Both sets: as typed, samples in it, samples used.
    pub sets: [(String, usize, usize); 2],
    /// Coordinates of a sample.
    pub dim: usize,
    /// Exact distances.
    #[serde(flatten)]
    pub exact: Exact,
    /// Standard deviation of the cost ½‖x − y‖² over random pairs.
    pub cost_spread: f64,
    /// What the entropic plan says, unless there is none to speak of.
    #[serde(flatten)]
    pub entropic: Option<Entropic>,
    /// What to know about these numbers.
    pub notes: Vec<String>,
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
    for path in plan {
        require_ending("--plan", path, "npz", "several arrays")?;
        [source, target].into_iter().try_for_each(|read| require_other_file("--plan", path, read))?;
    }
    let sides = sides([source, target], &settings.weights, context)?;
    let rng = Rng::new(settings.seed).fork("ot");
    let parts = [
        sides[0].part(settings.limit, &mut rng.fork("source"))?,
        sides[1].part(settings.limit, &mut rng.fork("target"))?,
    ];
    plan.map_or(Ok(()), |_| require_writable(parts[0].1.len(), parts[1].1.len()))?;
    let exact = exact(&sides, &parts, settings.exact.then_some(MAX_COSTS))?;
    let costs = Costs::between(&parts[0].0, &parts[1].0, &mut rng.fork("pairs"));
    let mut notes: Vec<String> = sides.iter().filter_map(|side| side.doubt.clone()).collect();
    notes.dedup();
    let entropic = regularised(&parts, settings.epsilon, &costs, &mut notes, plan)?;
    let described = |(side, part): (&Side, &Weighted)| (side.name.clone(), side.points.len(), part.1.len());
    Ok(OtReport {
        sets: [(&sides[0], &parts[0]), (&sides[1], &parts[1])].map(described),
        dim: sides[0].points.dim(),
        exact,
        cost_spread: costs.spread,
        entropic,
        notes,
    })
}

/// Both sets with their weights, checked to lie in one space.
fn sides(sources: [&str; 2], weights: &WeightSources, context: &Context) -> Result<[Side; 2]> {
    let sets = [context.sources.set(sources[0])?, context.sources.set(sources[1])?];
    if *weights == WeightSources::default() {
        require_same_shape(&sets[0], &sets[1])?;
    }
    let [x, y] = [(&sets[0], &weights.source), (&sets[1], &weights.target)]
        .map(|(set, name)| Side::new(set, name.as_deref(), context));
    let sides = [x?, y?];
    if sides[0].points.dim() == sides[1].points.dim() {
        return Ok(sides);
    }
    Err(RunError::Input(format!(
        "beside its weights {} has {} coordinates, {} has {} (name the weights of both: --weights SOURCE,TARGET)",
        sides[0].name,
        sides[0].points.dim(),
        sides[1].name,
        sides[1].points.dim()
    )))
}

/// The entropic plan, written to `path` if asked; nothing, and a note why, where there is none to speak of.
fn regularised(
    parts: &[Weighted; 2],
    epsilon: Option<f64>,
    costs: &Costs,
    notes: &mut Vec<String>,
    path: Option<&Path>,
) -> Result<Option<Entropic>> {
    let skipped = |problem: String| match path {
        Some(_) => Err(RunError::Input(format!("there is no plan to write: {problem}"))),
        None => Ok(problem),
    };
    if epsilon.is_none() && costs.are_equal() {
        let why = "all pairs cost the same, so every plan is as good as another and there is nothing to regularise (give \
                   --epsilon for the entropic numbers all the same)";
        notes.push(skipped(why.into())?);
        return Ok(None);
    }
    let chosen = epsilon.unwrap_or(AUTO_SHARE * costs.spread);
    match entropic([&parts[0], &parts[1]], chosen, epsilon.is_none()) {
        Ok((found, plan)) => {
            path.map_or(Ok(()), |path| write_plan(path, &plan))?;
            notes.extend(doubts(&found, costs));
            Ok(Some(found))
        }
        Err(RunError::Transport(error)) => {
            let usual = digits(AUTO_SHARE * costs.spread);
            notes.push(skipped(format!("no entropic plan: {error}; --epsilon {usual} is usual here"))?);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What speaks against the entropic numbers.
fn doubts(found: &Entropic, costs: &Costs) -> Vec<String> {
    let far = costs.is_ruled_by_few().then(|| {
        format!(
            "a few points far from the others make the spread of the cost, {}, where half of all pairs cost less than {}: \
             {} epsilon says nothing of the other points, and neither do the entropic numbers (W1 and W2 do; leave \
             the far points out to see more)",
            digits(costs.spread),
            digits(costs.median),
            if found.epsilon_is_auto { "the automatic" } else { "a usual" }
        )
    });
    let unfinished = (!found.converged).then(|| {
        format!(
            "not converged: after {} sweeps the marginals are wrong by {:.1e} in total, so the entropic numbers are rough. \
             A sweep moves potentials by about ε, which is {:.1e} of the cost's spread; a larger one converges faster, \
             for example --epsilon {}",
            found.sweeps,
            found.marginal_error,
            found.epsilon / costs.spread,
            digits((4.0 * found.epsilon).max(AUTO_SHARE * costs.spread))
        )
    });
    far.into_iter().chain(unfinished).collect()
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
