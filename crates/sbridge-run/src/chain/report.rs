//! The report of a chain.

use sbridge::Direction;
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, head, points, to_vec_f64};

use super::{ChainEvaluation, OpenChain};
use crate::atomic;
use crate::error::Result;
use crate::plane::{self, Plane};
use crate::report::{Block, Report, Row, Section, Series, SeriesStyle, Table};
use crate::shown::digits;

/// Paths drawn.
const PATHS: usize = 40;

/// Samples of each snapshot drawn behind them.
const SCATTER: usize = 400;

/// Writes `report.html` into the folder of `chain`.
///
/// # Errors
/// [`RunError`](crate::RunError) if the page cannot be drawn or written.
pub(super) fn write(chain: &OpenChain, evaluation: &ChainEvaluation) -> Result<()> {
    let knots = chain.knots();
    let named: Vec<String> = knots.iter().map(ToString::to_string).collect();
    let report = Report {
        title: format!("Bridge through {} snapshots", knots.len()),
        summary: summary(evaluation),
        facts: vec![
            ("times".into(), named.join(", ")),
            ("method".into(), chain.manifest.method.clone()),
            (
                "epsilon".into(),
                format!("{} for a unit of time (data units squared)", digits(evaluation.epsilon)),
            ),
            ("seed".into(), chain.config.seed.to_string()),
            ("version".into(), format!("sbridge {}", chain.manifest.version)),
        ],
        sections: vec![paths_section(chain)?, held_out_section(evaluation), settings_section(chain)],
    };
    atomic::write_page(&chain.folder.file("report.html"), &report)
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

fn paths_section(chain: &OpenChain) -> Result<Section> {
    let snapshots = chain.plan.knots.iter().chain(&chain.plan.held_out);
    let clouds = snapshots
        .map(|snapshot| Ok((snapshot.time, head(&chain.rows(snapshot)?, SCATTER))))
        .collect::<Result<Vec<(f64, Tensor<2>)>>>()?;
    let all = Tensor::cat(clouds.iter().map(|(_, rows)| rows.clone()).collect(), 0);
    let plane = Plane::of(&points(&all)?)?;
    let project = |rows: &Tensor<2>| plane.project(&to_vec_f64(rows.clone()));
    let scatter = clouds.iter().map(|(time, rows)| Series {
        name: match chain.config.hold_out.contains(time) {
            true => format!("time {time}, held out"),
            false => format!("time {time}"),
        },
        style: SeriesStyle::Points,
        points: project(rows),
    });
    let start = head(&clouds[0].1, PATHS);
    let mut rng = Rng::new(chain.config.seed).fork("report");
    let mut paths = vec![Vec::new(); start.dims()[0]];
    for (_, state) in chain.paths(clouds[0].0, Direction::Forward, &start, &mut rng)? {
        paths.iter_mut().zip(project(&state)).for_each(|(path, point)| path.push(point));
    }
    // Paths first: they get the darkest ink.
    let path = |points| Series { name: "paths".into(), style: SeriesStyle::PathLine, points };
    let series = paths.into_iter().map(path).chain(scatter).collect();
    let plot = plane::plot("Paths through all snapshots", series);
    let text = "The most likely random motion through all snapshots, given Brownian motion of variance ε for a unit of \
                time: a chain of bridges between neighbours. Each has a report of its own in the folder legs.";
    Ok(Section { title: "Paths".into(), text: text.into(), blocks: vec![plot] })
}

fn held_out_section(evaluation: &ChainEvaluation) -> Section {
    let table = |held_out: &super::HeldOut| {
        let rows = held_out.rows().into_iter().map(|(label, emphasis, distance)| Row {
            label: label.into(),
            cells: vec![digits(distance.w1), digits(distance.energy)],
            emphasis,
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

fn settings_section(chain: &OpenChain) -> Section {
    let command = format!("sbridge fit {} --config config.toml --out ANOTHER_FOLDER", chain.manifest.method);
    Section {
        title: "How to make it again".into(),
        text: "The settings below are complete; the same seed on the same machine gives the same bridge."
            .into(),
        blocks: vec![Block::Code(command), Block::Code(chain.config.to_toml())],
    }
}
