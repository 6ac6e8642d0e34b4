//! The report of a forecast: fans over what came, scores beside what anyone can forecast.

use std::borrow::Cow;

use sbridge_ot::Outcome;
use sbridge_report::{Block, Emphasis, Plot, Row, Section, Series, SeriesStyle, Table, digits};

use super::judge::drawn_again;
use super::naive::Paths;
use super::scoring::first_row;
use super::{Backtest, Forecasting, Row as Candidate, SeriesData};
use crate::error::Result;
use crate::quality::RowKind;
use crate::task::{Page, Run};

/// Series drawn, at most.
const DRAWN: usize = 12;

/// Horizons of the past that are drawn before the first window.
const BEFORE: usize = 2;

/// What the report says.
///
/// # Errors
/// [`RunError`](crate::RunError) for paths that diverge.
pub(super) fn page(run: &Run<Forecasting>, data: &SeriesData, backtest: &Backtest) -> Result<Page> {
    let drawn = match backtest.drawn.is_empty() {
        true => Cow::Owned(drawn_again(run, data)?),
        false => Cow::Borrowed(&backtest.drawn),
    };
    let first_rows = (0..drawn.len()).map(|k| first_row(&run.settings, data, k));
    let windows: Vec<(usize, &Paths)> = first_rows.zip(drawn.iter()).collect();
    Ok(Page {
        title: format!("Forecast of {}", data.series.source()),
        summary: summary(backtest),
        facts: facts(data, backtest),
        sections: vec![
            fans(data, &windows, backtest)?,
            scores(backtest),
            calibration(backtest),
            series_section(data, backtest),
        ],
    })
}

fn summary(backtest: &Backtest) -> String {
    let model = &backtest.rows[0];
    let (name, score) = model.headline();
    let naive = backtest.rows[1..].iter().filter(|row| row.kind == RowKind::Baseline);
    let scored = naive.filter_map(|row| Some((&row.name, score(row)?)));
    let best = scored.min_by(|a, b| a.1.total_cmp(&b.1));
    let beside = best.map_or(String::new(), |(name, score)| {
        format!("; the best of the others, {name}: {}", digits(score))
    });
    format!("{name} {}{beside}.", shown(score(model)))
}

/// A score, or a dash where there is none.
fn shown(score: Option<f64>) -> String {
    score.map_or("–".into(), digits)
}

fn facts(data: &SeriesData, backtest: &Backtest) -> Vec<(String, String)> {
    let series = &data.series;
    let times = format!(
        "{} from {} to {}",
        series.len(),
        series.clock().label(0),
        series.clock().label(series.len() - 1)
    );
    let mut facts = vec![
        ("series".into(), series.dim().to_string()),
        ("times".into(), times),
        ("horizon".into(), backtest.horizon.to_string()),
        ("past".into(), format!("{} times", data.context)),
        ("mismatch of the prior".into(), format!("{:.2e}", backtest.mismatch)),
    ];
    facts.extend(series.notes().iter().map(|note| ("note".into(), note.clone())));
    facts
}

fn fans(data: &SeriesData, windows: &[(usize, &Paths)], backtest: &Backtest) -> Result<Section> {
    let dim = data.series.dim();
    let plots = (0..dim.min(DRAWN)).map(|j| fan(data, windows, backtest.horizon, j));
    Ok(Section {
        title: "Forecasts and what came".into(),
        text: format!(
            "Each window of {} times is forecast from what came before it: the median, and the intervals of 50 and 90 % of \
             the paths. Drawn are {} of {dim} series.",
            backtest.horizon,
            dim.min(DRAWN)
        ),
        blocks: plots.collect::<Result<_>>()?,
    })
}

fn fan(data: &SeriesData, windows: &[(usize, &Paths)], horizon: usize, j: usize) -> Result<Block> {
    let dim = data.series.dim();
    let first = windows[0].0.saturating_sub(BEFORE * horizon);
    let at = |row: usize| (row - first) as f64;
    let came = (first..data.series.len()).map(|row| (at(row), data.series.values()[row * dim + j])).collect();
    let line = |name: &str, style, points| Series { name: name.into(), style, points };
    let mut series = Vec::new();
    for (row, paths) in windows {
        let outcome = |k: usize| Outcome::new(paths.iter().map(|path| path[k * dim + j]).collect(), 0.0);
        let outcomes = (0..horizon).map(outcome).collect::<sbridge_ot::Result<Vec<_>>>()?;
        let level = |q: f64| {
            outcomes.iter().enumerate().map(|(k, outcome)| (at(row + k), outcome.level(q))).collect()
        };
        series.extend([0.05, 0.95].map(|q| line("90 %", SeriesStyle::Dashed, level(q))));
        series.extend([0.25, 0.75].map(|q| line("50 %", SeriesStyle::Line, level(q))));
        series.push(line("median", SeriesStyle::Line, level(0.5)));
    }
    series.push(line("came", SeriesStyle::Line, came));
    Ok(Block::Plot(Plot {
        caption: data.series.names()[j].clone(),
        x_label: format!("steps after {}", data.series.clock().label(first)),
        y_label: data.series.names()[j].clone(),
        series,
        ..Plot::default()
    }))
}

fn scores(backtest: &Backtest) -> Section {
    let row = |candidate: &Candidate| {
        let mut cells = vec![shown(candidate.crps_sum), shown(candidate.crps), shown(candidate.energy)];
        let share = |k: usize| {
            candidate.coverage.map_or("–".into(), |shares| format!("{:.0} %", 100.0 * shares[k]))
        };
        cells.extend((0..3).map(share));
        cells.extend(candidate.windows.iter().map(|score| shown(*score)));
        Row { label: candidate.name.clone(), cells, emphasis: Emphasis::from(candidate.kind) }
    };
    let mut columns: Vec<String> =
        ["CRPS-sum", "CRPS", "energy score", "in 50 %", "in 80 %", "in 95 %"].map(String::from).to_vec();
    columns.extend(backtest.origins.iter().map(|origin| format!("from {origin}")));
    Section {
        title: "Scores".into(),
        text: "CRPS-sum is the mean quantile loss of the sum of all series over the mean size of the sum; CRPS the same of \
               single series, averaged. The energy score judges all series at once, each in units of its steps. Less is \
               better; a dash stands where there is nothing to divide by. Shares are those of values within intervals that hold so \
               much of a law, between draws by rank (n + 1)q."
            .into(),
        blocks: vec![Block::Table(Table {
            caption: format!(
                "{} windows of {} times, {} paths, {} calls of the network for each time",
                backtest.origins.len(),
                backtest.horizon,
                backtest.samples,
                backtest.calls
            ),
            columns,
            rows: backtest.rows.iter().map(row).collect(),
            note: "The last columns are CRPS-sum of single windows.".into(),
        })],
    }
}

fn calibration(backtest: &Backtest) -> Section {
    let bins = backtest.ranks.len() as f64;
    let bar = |(k, share): (usize, &f64)| [(k as f64 / bins, *share), ((k + 1) as f64 / bins, *share)];
    let line = |name: &str, style, points| Series { name: name.into(), style, points };
    Section {
        title: "Calibration".into(),
        text: "Where what came stands among the draws of the model: flat if the model is right, a hill if its intervals are \
               too wide, a valley if they are too narrow."
            .into(),
        blocks: vec![Block::Plot(Plot {
            caption: "Ranks of what came".into(),
            x_label: "share of draws below".into(),
            y_label: "share of values".into(),
            series: vec![
                line("model", SeriesStyle::Line, backtest.ranks.iter().enumerate().flat_map(bar).collect()),
                line("right", SeriesStyle::Dashed, vec![(0.0, 1.0 / bins), (1.0, 1.0 / bins)]),
                line("", SeriesStyle::Dashed, vec![(0.0, 0.0)]),
            ],
            ..Plot::default()
        })],
    }
}

fn series_section(data: &SeriesData, backtest: &Backtest) -> Section {
    let row = |j: usize| Row {
        label: data.series.names()[j].clone(),
        cells: backtest.rows.iter().map(|row| shown(row.series[j])).collect(),
        emphasis: Emphasis::Baseline,
    };
    Section {
        title: "Single series".into(),
        text: String::new(),
        blocks: vec![Block::Table(Table {
            caption: "CRPS of each series".into(),
            columns: backtest.rows.iter().map(|row| row.name.clone()).collect(),
            rows: (0..data.series.dim()).map(row).collect(),
            note: String::new(),
        })],
    }
}
