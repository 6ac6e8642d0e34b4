//! The report of a chain.

use sbridge::Direction;
use sbridge::tensor::{Tensor, head, points, select_rows, to_vec_f64};
use sbridge_report::{Block, Plane, Row, Section, Table, digits};

use super::data::rows;
use super::{ChainEvaluation, HeldOut, Snapshots};
use crate::error::Result;
use crate::models::bridge::Leg;
use crate::task::{Page, Run};

/// Paths drawn.
const PATHS: usize = 40;

/// Samples of each snapshot drawn behind them.
const SCATTER: usize = 400;

/// What the report says.
///
/// # Errors
/// [`RunError`](crate::RunError) if data cannot be read any more.
pub(super) fn page<L: Leg>(run: &Run<Snapshots<L>>, evaluation: &ChainEvaluation) -> Result<Page> {
    let times: Vec<String> = run.learned.chain().knots.iter().map(ToString::to_string).collect();
    let unit = run.settings.epsilon_unit();
    let epsilon = format!("{} for a unit of time ({unit})", digits(evaluation.epsilon));
    Ok(Page {
        title: format!("Bridge through {} snapshots", times.len()),
        summary: summary(evaluation),
        facts: vec![("times".into(), times.join(", ")), ("epsilon".into(), epsilon)],
        sections: vec![paths_section(run)?, held_out_section(evaluation)],
    })
}

fn summary(evaluation: &ChainEvaluation) -> String {
    let held_out = evaluation.held_out.iter().map(|held_out| {
        format!(
            "held-out time {}: W1 {:.3}, straight lines {:.3}, nearest snapshot {:.3}",
            held_out.time, held_out.carried.w1, held_out.straight.w1, held_out.nearest.w1
        )
    });
    let held_out: Vec<String> = held_out.collect();
    if held_out.is_empty() { "No snapshot was held out.".into() } else { format!("{}.", held_out.join("; ")) }
}

fn paths_section<L: Leg>(run: &Run<Snapshots<L>>) -> Result<Section> {
    let snapshots = run.learned.data.knots.iter().chain(&run.learned.data.held_out);
    let mut drawn = run.rng("scatter");
    let mut some = |rows: Tensor<2>| {
        let mut order = drawn.permutation(rows.dims()[0]);
        order.truncate(SCATTER);
        select_rows(&rows, &order)
    };
    let clouds = snapshots
        .map(|snapshot| Ok((snapshot.time, some(rows(snapshot, &run.context, &run.device)?))))
        .collect::<Result<Vec<(f64, Tensor<2>)>>>()?;
    let all = Tensor::cat(clouds.iter().map(|(_, rows)| rows.clone()).collect(), 0);
    let plane = Plane::of(&points(&all)?)?;
    let scatter = clouds.iter().map(|(time, rows)| {
        let is_held_out = run.settings.hold_out.contains(time);
        let name = format!("time {time}{}", if is_held_out { ", held out" } else { "" });
        plane.dots(&name, &to_vec_f64(rows.clone()))
    });
    let (start, mut rng, mut paths) = (head(&clouds[0].1, PATHS), run.rng("report"), plane.paths());
    for (_, state) in run.learned.chain().paths(clouds[0].0, Direction::Forward, &start, &mut rng)? {
        paths.pass(&to_vec_f64(state));
    }
    // Paths first: they get the darkest ink.
    let plot = Plane::plot("Paths through all snapshots", paths.lines().chain(scatter).collect());
    let text = "The most likely random motion through all snapshots, given Brownian motion of variance ε for a unit of \
                time: a chain of bridges between neighbours. Each has a report of its own in the folder legs.";
    Ok(Section { title: "Paths".into(), text: text.into(), blocks: vec![plot] })
}

fn held_out_section(evaluation: &ChainEvaluation) -> Section {
    let table = |held_out: &HeldOut| {
        let rows = held_out.rows().into_iter().map(|(label, kind, distance)| Row {
            label: label.into(),
            cells: vec![digits(distance.w1), digits(distance.energy)],
            emphasis: kind.into(),
        });
        Block::Table(Table {
            caption: format!(
                "Distances to the snapshot of time {}, {} samples",
                held_out.time, held_out.count
            ),
            columns: vec!["W1".into(), "energy distance".into()],
            rows: rows.collect(),
            note: "Half against half compares half as many samples, which alone makes W1 larger. Means of paths have less \
                   spread than samples: the energy distance sees it, W1 in many dimensions hardly does."
                .into(),
        })
    };
    let text = match evaluation.held_out.is_empty() {
        true => "None was held out (see --hold-out).",
        false => "How near the bridge comes to snapshots it has not seen, beside what needs no bridge.",
    };
    Section {
        title: "Held-out snapshots".into(),
        text: text.into(),
        blocks: evaluation.held_out.iter().map(table).collect(),
    }
}
