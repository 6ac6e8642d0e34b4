//! JSON lines as GluonTS writes them: one object for every series, with `start` and `target`.

use std::path::Path;

use serde::Deserialize;

use super::assemble::{Found, TimedRow};
use super::clock::{Clock, Step, parse_date};
use super::{Series, SeriesLayout};
use crate::Result;
use crate::format::table::utf8;
use crate::reading::Reading;
use crate::shown::shown;

/// One line.
#[derive(Deserialize)]
struct Line {
    start: String,
    target: Target,
    item_id: Option<serde_json::Value>,
    freq: Option<String>,
}

/// The values of one series, or of several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    One(Vec<Cell>),
    Several(Vec<Vec<Cell>>),
}

/// A number, or what stands for a missing one.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Cell {
    Number(f64),
    Missing(Option<String>),
}

/// What tells the step of all series in a folder of such files.
#[derive(Deserialize)]
struct Metadata {
    freq: Option<String>,
    time_granularity: Option<String>,
}

/// One series.
struct Single {
    name: String,
    start: i64,
    values: Vec<f64>,
    line: u64,
}

/// Reads the lines of the file at `path`.
///
/// # Errors
/// When a line is not such an object, or nothing tells the step in time.
pub(super) fn read(bytes: &[u8], path: &Path, layout: &SeriesLayout, reading: &Reading) -> Result<Series> {
    let mut notes = Vec::new();
    let mut frequency = None;
    let mut all: Vec<Single> = Vec::new();
    for (k, text) in utf8(bytes, reading)?.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let line: Line = serde_json::from_str(text).map_err(|cause| {
            let fix = "a line is {\"start\": \"2024-01-01 00:00:00\", \"target\": [1.5, null, …]}";
            reading.malformed(format!("line {}: {cause}", k + 1), fix)
        })?;
        frequency = frequency.or(line.freq.clone());
        all.extend(line.series(k as u64 + 1, all.len(), reading)?);
    }
    let before = all.len();
    let mut all = without_beginnings(all);
    if all.len() < before {
        notes.push(format!(
            "{} series that repeat the beginning of a longer one are left out",
            before - all.len()
        ));
    }
    let is_unnamed = |single: &Single| single.name.starts_with("series ");
    if all.iter().all(is_unnamed) {
        all.iter_mut().enumerate().for_each(|(k, single)| single.name = format!("series {}", k + 1));
    }
    if let Some(twice) =
        all.iter().enumerate().find(|(k, one)| all[..*k].iter().any(|other| other.name == one.name))
    {
        return Err(reading.malformed(
            format!("line {}: there are two series '{}'", twice.1.line, shown(&twice.1.name)),
            "give every series an item_id of its own",
        ));
    }
    let step = step(path, layout.every, frequency, &mut notes, reading)?;
    rows(all, step, notes, reading)?.assemble(&SeriesLayout { every: Some(step), ..layout.clone() }, reading)
}

impl Line {
    fn series(self, line: u64, known: usize, reading: &Reading) -> Result<Vec<Single>> {
        let start = parse_date(&self.start).ok_or_else(|| {
            reading.malformed(
                format!("line {line}: start '{}' is no time", shown(&self.start)),
                "write 2024-01-01 00:00:00",
            )
        })?;
        let targets = match self.target {
            Target::One(values) => vec![values],
            Target::Several(all) => all,
        };
        let name = |k: usize, of: usize| match &self.item_id {
            None => format!("series {}", known + k + 1),
            Some(id) => {
                let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                if of == 1 { id } else { format!("{id} {}", k + 1) }
            }
        };
        let of = targets.len();
        let single = |(k, cells): (usize, Vec<Cell>)| {
            let values =
                cells.into_iter().map(|cell| number(cell, line, reading)).collect::<Result<Vec<f64>>>()?;
            if values.is_empty() {
                return Err(
                    reading.malformed(format!("line {line}: the target is empty"), "give at least one value")
                );
            }
            Ok(Single { name: name(k, of), start, values, line })
        };
        targets.into_iter().enumerate().map(single).collect()
    }
}

fn number(cell: Cell, line: u64, reading: &Reading) -> Result<f64> {
    match cell {
        Cell::Number(value) => Ok(value),
        Cell::Missing(None) => Ok(f64::NAN),
        Cell::Missing(Some(text)) if text.eq_ignore_ascii_case("nan") => Ok(f64::NAN),
        Cell::Missing(Some(text)) => Err(reading.malformed(
            format!("line {line}: '{}' is not a number", shown(&text)),
            "write null for a missing value",
        )),
    }
}

/// Test sets hold a series once for every window, each longer than the one before.
fn without_beginnings(all: Vec<Single>) -> Vec<Single> {
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    let begins = |short: &Single, long: &Single| {
        short.start == long.start
            && short.values.len() < long.values.len()
            && short.values.iter().zip(&long.values).all(|(a, b)| same(*a, *b))
    };
    let is_whole: Vec<bool> = all.iter().map(|one| !all.iter().any(|other| begins(one, other))).collect();
    all.into_iter().zip(is_whole).filter_map(|(one, whole)| whole.then_some(one)).collect()
}

/// The step: as asked for, as a line says, or as `metadata.json` beside the file or above it says.
fn step(
    path: &Path,
    every: Option<Step>,
    frequency: Option<String>,
    notes: &mut Vec<String>,
    reading: &Reading,
) -> Result<Step> {
    if let Some(step) = every {
        return Ok(step);
    }
    let beside = path.parent().unwrap_or(Path::new(""));
    let places = [
        beside.join("metadata.json"),
        beside.join("../metadata/metadata.json"),
        beside.join("../metadata.json"),
    ];
    let of_file = |place: &std::path::PathBuf| {
        let metadata: Metadata = serde_json::from_str(&std::fs::read_to_string(place).ok()?).ok()?;
        metadata.freq.or(metadata.time_granularity)
    };
    let name = frequency.or_else(|| places.iter().find_map(of_file)).ok_or_else(|| {
        reading.malformed(
            "nothing tells the step in time",
            "give it with --every, for example --every H or --every B",
        )
    })?;
    notes.push(format!("step in time: {}", shown(&name)));
    Step::of_name(&name).ok_or_else(|| {
        let fix = "give it with --every: H, 15min, D, B, W, M, Q or Y";
        reading.malformed(format!("the step in time '{}' is not known", shown(&name)), fix)
    })
}

/// One row for every time from the earliest start to the latest end.
fn rows(all: Vec<Single>, step: Step, notes: Vec<String>, reading: &Reading) -> Result<Found> {
    let Some(first) = all.iter().map(|single| single.start).min() else {
        return Err(reading.malformed("there is no line", "write one line for every series"));
    };
    let clock = Clock::new(first, step);
    let place = |single: &Single| {
        clock.index_of(single.start).ok_or_else(|| {
            reading.malformed(
                format!("line {}: the series starts between the steps from {}", single.line, clock.label(0)),
                "let all series start on steps of one clock",
            )
        })
    };
    let places = all.iter().map(place).collect::<Result<Vec<usize>>>()?;
    let end = all.iter().zip(&places).map(|(single, at)| at + single.values.len()).max().unwrap_or(0);
    reading.admit(&[end as u64, all.len() as u64])?;
    let value = |row: usize, (single, at): (&Single, &usize)| {
        row.checked_sub(*at).and_then(|k| single.values.get(k).copied()).unwrap_or(f64::NAN)
    };
    let row = |k: usize| TimedRow {
        stamp: clock.at(k),
        line: 0,
        values: all.iter().zip(&places).map(|series| value(k, series)).collect(),
    };
    let rows = (0..end).map(row).collect();
    Ok(Found { names: all.into_iter().map(|single| single.name).collect(), rows, is_calendar: true, notes })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Limits;

    fn read_text(text: &str, every: Option<Step>) -> Result<Series> {
        let limits = Limits { max_bytes: 1 << 20 };
        let layout = SeriesLayout { every, ..SeriesLayout::default() };
        read(
            text.as_bytes(),
            Path::new("nowhere/x.json"),
            &layout,
            &Reading { source: "x.json", limits: &limits },
        )
    }

    #[test]
    fn rolling_windows_of_a_series_are_one_series() {
        let text = r#"{"start": "2024-01-01", "target": [1, 2]}
{"start": "2024-01-01", "target": [5, 6]}
{"start": "2024-01-01", "target": [1, 2, 3]}
{"start": "2024-01-01", "target": [5, 6, null]}
"#;
        let series = read_text(text, Step::of_name("D")).unwrap();
        assert_eq!(series.values()[..5], [1.0, 5.0, 2.0, 6.0, 3.0]);
        assert!(series.values()[5].is_nan());
        assert_eq!(series.names(), ["series 1", "series 2"]);
        assert!(series.notes()[0].contains("2 series that repeat the beginning"));
    }

    #[test]
    fn series_of_different_starts_share_a_clock() {
        let text = r#"{"start": "2024-01-01", "target": [1, 2], "item_id": "a", "freq": "D"}
{"start": "2024-01-02", "target": ["NaN", 4], "item_id": "b"}
"#;
        let series = read_text(text, None).unwrap();
        assert_eq!((series.len(), series.names()[1].as_str(), series.values()[5]), (3, "b", 4.0));
        assert_eq!(series.values().iter().filter(|x| x.is_nan()).count(), 3);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let refusal = |text: &str| read_text(text, None).unwrap_err().to_string();
        assert!(refusal("{\"start\": \"2024-01-01\"}").contains("line 1: missing field `target`"));
        assert!(refusal("{\"start\": \"soon\", \"target\": [1]}").contains("start 'soon' is no time"));
        assert!(refusal("{\"start\": \"2024-01-01\", \"target\": []}").contains("the target is empty"));
        assert!(
            refusal("{\"start\": \"2024-01-01\", \"target\": [1, \"x\"]}").contains("'x' is not a number")
        );
        assert!(refusal("{\"start\": \"2024-01-01\", \"target\": [1]}").contains("--every"));
        let twice = "{\"start\": \"2024-01-01\", \"target\": [1], \"item_id\": 3, \"freq\": \"D\"}\n";
        assert!(refusal(&format!("{twice}{twice}")).contains("two series '3'"));
    }

    #[test]
    fn the_published_exchange_rates_are_eight_series_of_business_days() {
        let path = "../../../shared/data/exchange_rate_nips/test.json";
        if !Path::new(path).exists() {
            eprintln!("skipped: {path} is not there");
            return;
        }
        let series = crate::load_series(path, &SeriesLayout::default()).unwrap();
        assert_eq!((series.dim(), series.len(), series.clock().step()), (8, 6221, Step::BusinessDays));
        assert_eq!((series.values()[0], series.values()[8]), (0.7855, 0.7818));
    }
}
