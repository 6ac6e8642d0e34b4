//! The report of a planner.

use sbridge::planning::{Layout, Maze, Outcome, episodes};
use sbridge_report::{Block, Plot, Row, Section, Series, SeriesStyle, Table};

use super::judge::COLUMNS;
use super::{Drawn, PlanData, PlanEvaluation, PlanRow, Planning};
use crate::error::Result;
use crate::task::{Page, Run};

/// Episodes drawn.
const SHOWN: usize = 8;

/// What the report says.
///
/// # Errors
/// [`RunError`](crate::RunError) if something cannot be drawn.
pub(super) fn page(run: &Run<Planning>, data: &PlanData, found: &PlanEvaluation) -> Result<Page> {
    let maze = Maze::new(data.maze.layout.clone());
    let rng = run.rng("report");
    let some = episodes(&maze, run.settings.output.goal, SHOWN, &rng.fork("episodes"))?;
    let drawn = Drawn::Bridge(run.settings.sampler.nfe);
    let outcomes = run.learned.outcomes(drawn, &some, &run.settings, &mut rng.fork("plans"))?;
    let ways = Section {
        title: "Ways".into(),
        text: "What came of plans for episodes drawn at random; the cells of walls are outlined.".into(),
        blocks: vec![Block::Plot(ways(&data.maze.layout, &outcomes))],
    };
    Ok(Page {
        title: format!("Plans through {} from the prior {}", found.maze, found.prior),
        summary: summary(found),
        facts: vec![
            ("rows of a plan".into(), run.settings.horizon.to_string()),
            ("windows learned from".into(), data.windows.count().to_string()),
            ("S, variance from prior to plan".into(), format!("{:.4}", run.learned.schedule.whole())),
        ],
        sections: vec![table(found), ways],
    })
}

fn summary(found: &PlanEvaluation) -> String {
    let said = |row: &PlanRow| {
        let [calls, success, score, ..] = row.cells();
        let calls = if row.calls.is_some() { format!(" in {calls} calls") } else { String::new() };
        format!("{}{calls}: success {success}, score {score}", row.name)
    };
    let rows: Vec<String> = found.rows.iter().map(said).collect();
    format!("{}.", rows.join("; "))
}

fn table(found: &PlanEvaluation) -> Section {
    let row = |row: &PlanRow| Row {
        label: row.name.clone(),
        cells: row.cells().to_vec(),
        emphasis: row.kind.into(),
    };
    let table = Table {
        caption: format!("Episodes of {} steps, the same for every row", found.steps),
        columns: COLUMNS.map(String::from).to_vec(),
        rows: found.rows.iter().map(row).collect(),
        note: "Success: within 0.5 cells of the goal at any time. Time: steps until then. Score: 0 is a random policy, 100 a \
               controller that is not reset; the sum of rewards where neither is known."
            .into(),
    };
    let text = "A learned planner has to lead farther than the straight line, and is judged beside the polyline, which knows the maze.";
    Section { title: "Episodes".into(), text: text.into(), blocks: vec![Block::Table(table)] }
}

/// Walls and ways, with rows of the maze upward.
fn ways(layout: &Layout, outcomes: &[Outcome]) -> Plot {
    let [rows, columns] = layout.shape();
    let mut walls = Vec::new();
    for x in 0..rows {
        for y in 0..columns {
            if !layout.is_free([x as i64, y as i64]) {
                let (x, y) = (x as f64 - 0.7, y as f64 - 0.7);
                let corners = [(y, x), (y + 1.0, x), (y + 1.0, x + 1.0), (y, x + 1.0), (y, x)];
                walls.extend(corners.into_iter().chain([(f64::NAN, f64::NAN)]));
            }
        }
    }
    let way = |outcome: &Outcome| Series {
        name: "executed".into(),
        style: SeriesStyle::Line,
        points: outcome.states.iter().map(|state| (state[1], state[0])).collect(),
    };
    let goals = outcomes.iter().map(|outcome| (outcome.goal[1], outcome.goal[0])).collect();
    let mut series = vec![Series { name: "walls".into(), style: SeriesStyle::Line, points: walls }];
    series.extend(outcomes.iter().map(way));
    series.push(Series { name: "goals".into(), style: SeriesStyle::Points, points: goals });
    Plot {
        caption: "Executed ways".into(),
        x_label: "column".into(),
        y_label: "row".into(),
        series,
        ..Plot::default()
    }
}
