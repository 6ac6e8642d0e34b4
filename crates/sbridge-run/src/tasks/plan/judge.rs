//! How far plans lead, beside what needs no network, and the diffusion of the same network.

use std::fmt;

use sbridge::planning::{
    GoalKind, Maze, Measure, Outcome, Policy, Query, Summary, episodes, follow_policy, priors,
};
use sbridge::planning::{Row as PlanValues, Variant, execute};
use serde::{Deserialize, Serialize};

use super::settings::DDPM;
use super::{Drawn, PlanData, Planning};
use crate::error::Result;
use crate::quality::{Headline, Judgement, RowKind};
use crate::task::Run;

/// One way to plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanRow {
    /// Name for people.
    pub name: String,
    /// What it stands for.
    pub kind: RowKind,
    /// Calls of the network for a plan.
    pub calls: Option<usize>,
    /// What the episodes came to.
    pub found: Summary,
}

/// The evaluation of a planner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanEvaluation {
    /// The maze.
    pub maze: String,
    /// What the bridge starts from.
    pub prior: String,
    /// Which goals episodes have.
    pub goal: GoalKind,
    /// Steps of an episode.
    pub steps: usize,
    /// The bridge, what stands beside it.
    pub rows: Vec<PlanRow>,
    /// What is not as it should be, in words.
    pub remarks: Vec<String>,
}

impl Judgement for PlanEvaluation {
    fn headline(&self) -> Option<Headline> {
        self.rows.first().map(|row| ("success", row.found.success.mean))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

/// Judges the plans of `run` in the episodes that its settings ask for.
///
/// # Errors
/// [`RunError`](crate::RunError) for a maze without such episodes, or numerics that went bad.
pub(super) fn judge(run: &Run<Planning>, data: &PlanData) -> Result<PlanEvaluation> {
    let (learned, settings) = (&run.learned, &run.settings);
    let (maze, rng) = (Maze::new(data.maze.layout.clone()), run.rng("evaluation"));
    let output = &settings.output;
    let all = episodes(&maze, output.goal, output.episodes, &rng.fork("episodes"))?;
    let range = data.maze.range(output.reward);
    let row = |name: &str, kind: RowKind, calls: Option<usize>, outcomes: &[Outcome]| {
        let found = Summary::of(outcomes, range).expect("there are episodes");
        PlanRow { name: name.into(), kind, calls, found }
    };
    let planned = |drawn: Drawn, name: &str, kind: RowKind, calls: Option<usize>| -> Result<PlanRow> {
        let mut noise = rng.fork(&format!("{name} {calls:?}"));
        Ok(row(name, kind, calls, &learned.outcomes(drawn, &all, settings, &mut noise)?))
    };
    let nfe = settings.sampler.nfe;
    let mut rows = vec![planned(Drawn::Bridge(nfe), "bridge", RowKind::Model, Some(nfe))?];
    for calls in output.calls.iter().filter(|calls| **calls != nfe) {
        rows.push(planned(Drawn::Bridge(*calls), "bridge", RowKind::Model, Some(*calls))?);
    }
    if settings.has_ddpm() {
        rows.push(planned(Drawn::Ddpm, DDPM, RowKind::Baseline, Some(nfe))?);
    }
    rows.push(planned(Drawn::Prior, "prior, as it is", RowKind::Baseline, None)?);
    let (setting, execution) = (&learned.setting, learned.execution(settings));
    type Way<'a> = &'a dyn Fn([f64; 2], [f64; 2]) -> sbridge::Result<Vec<PlanValues>>;
    let straight: Way<'_> = &|start, goal| {
        priors::line(Variant::Fixed, start, goal, setting.horizon, &setting.normaliser)
            .map(|plan| setting.normaliser.raw(&plan))
    };
    let shortest: Way<'_> =
        &|start, goal| priors::shortest_way(&setting.layout, start, goal, setting.horizon);
    for (name, kind, way) in
        [("straight line", RowKind::Baseline, straight), ("polyline", RowKind::Floor, shortest)]
    {
        let mut planner = |queries: &[Query]| {
            let ends = |query: &Query| ([query.start[0], query.start[1]], [query.goal[0], query.goal[1]]);
            queries.iter().map(|query| way(ends(query).0, ends(query).1)).collect()
        };
        rows.push(row(name, kind, None, &execute(&maze, &all, &execution, &mut planner)?));
    }
    let guided = follow_policy(&maze, &all, &execution, Policy::Controller, &rng.fork("controller"))?;
    rows.push(row("controller, fresh", RowKind::Floor, None, &guided));
    let remarks = remarks(&rows);
    let (prior, steps) = (settings.prior.to_string(), execution.steps);
    Ok(PlanEvaluation { maze: data.title.clone(), prior, goal: output.goal, steps, rows, remarks })
}

/// What is not as it should be.
fn remarks(rows: &[PlanRow]) -> Vec<String> {
    let of = |name: &str| rows.iter().find(|row| row.name == name).map(|row| row.found.success);
    let (Some(bridge), Some(line)) = (rows.first().map(|row| row.found.success), of("straight line")) else {
        return Vec::new();
    };
    let error = |measure: Measure| measure.error.unwrap_or(0.0);
    let mut remarks = Vec::new();
    if bridge.mean < line.mean + 2.0 * error(bridge).hypot(error(line)) {
        remarks.push(format!(
            "plans lead no farther than the straight line ({:.2} against {:.2}): train longer (bridge.fit.steps)",
            bridge.mean, line.mean
        ));
    }
    if let Some(prior) = of("prior, as it is")
        && prior.mean > bridge.mean + 2.0 * error(bridge).hypot(error(prior))
    {
        remarks.push(format!(
            "the prior as it is leads farther than the bridge from it ({:.2} against {:.2}): it needs no network",
            prior.mean, bridge.mean
        ));
    }
    remarks
}

/// The columns of the table.
pub(super) const COLUMNS: [&str; 6] = ["calls", "success", "score", "time", "contacts", "length"];

impl PlanRow {
    /// The cells of the table.
    pub(super) fn cells(&self) -> [String; 6] {
        let shown = |measure: Option<Measure>, digits: usize| match measure {
            None => "–".into(),
            Some(Measure { mean, error: None }) => format!("{mean:.digits$}"),
            Some(Measure { mean, error: Some(error) }) => format!("{mean:.digits$}±{error:.digits$}"),
        };
        let found = &self.found;
        [
            self.calls.map_or("–".into(), |calls| calls.to_string()),
            shown(Some(found.success), 2),
            shown(found.score.or(Some(found.total)), 1),
            shown(found.time, 0),
            shown(Some(found.contacts), 1),
            shown(Some(found.length), 1),
        ]
    }
}

impl fmt::Display for PlanEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.rows.first().map_or(0, |row| row.found.episodes);
        let goal = match self.goal {
            GoalKind::Fixed => "the goal of the maze",
            GoalKind::Random => "random goals",
        };
        writeln!(
            f,
            "{}, from the prior {}; {count} episodes of {} steps to {goal}",
            self.maze, self.prior, self.steps
        )?;
        writeln!(f)?;
        let line = |f: &mut fmt::Formatter<'_>, name: &str, cells: &[String; 6]| {
            let [calls, success, score, time, contacts, length] = cells;
            writeln!(f, "{name:20} {calls:>6} {success:>10} {score:>11} {time:>8} {contacts:>10} {length:>9}")
        };
        line(f, "", &COLUMNS.map(String::from))?;
        self.rows.iter().try_for_each(|row| line(f, &row.name, &row.cells()))?;
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}
