//! JSON lines as GluonTS writes them: one object for every series, with `start` and `target`.
//!
//! A file may also hold one array of such objects. `NaN`, as Python writes it, is a missing value; what else an object
//! holds besides `item_id` and `freq` is said to be unused.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::assemble::{Found, TimedRow};
use super::clock::Clock;
use super::frequency::{Anchor, Frequency};
use super::scale::Scale;
use super::step::DAY;
use super::times::{self, Times, Told};
use super::zone::date;
use super::{Series, SeriesLayout};
use crate::Result;
use crate::format::cell::{Cell, DecimalMark};
use crate::format::table::utf8;
use crate::reading::Reading;
use crate::shown::{listed, shown};

/// One series, or several with one start.
#[derive(Deserialize)]
struct Line {
    start: Value,
    target: Target,
    item_id: Option<Value>,
    freq: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// The values of one series, or of several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    One(Vec<Entry>),
    Several(Vec<Vec<Entry>>),
}

/// A number, or what stands for a missing one.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Entry {
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
pub(super) fn read(
    bytes: &[u8],
    path: &Path,
    layout: &SeriesLayout,
    told: Told,
    reading: &Reading,
) -> Result<Series> {
    let text = with_missing(utf8(bytes, reading)?);
    let lines = lines(&text, reading)?;
    let mut notes = Vec::new();
    notes.extend(unused(&lines));
    let frequency = frequency(&lines, reading)?;
    let times = starts(&lines, told, reading)?;
    let mut all: Vec<Single> = Vec::new();
    for ((line, at), start) in lines.into_iter().zip(&times.stamps) {
        all.extend(line.series(at, *start, all.len(), reading)?);
    }
    let all = without_beginnings(all, &mut notes);
    require_names(&all, reading)?;
    let frequency = match &layout.every {
        Some(step) => Frequency { step: step.clone(), anchor: None },
        None => found_frequency(path, frequency, &mut notes, reading)?,
    };
    let all = rolled(all, &frequency, &mut notes);
    let layout = SeriesLayout { keep: kept(&all, layout), ..layout.clone() };
    rows(all, times, &frequency, notes, reading)?.assemble(&layout, reading)
}

/// The text with `null` for every bare `NaN`, and infinities as words, as Python's `json` writes them.
fn with_missing(text: &str) -> Cow<'_, str> {
    if !text.contains("NaN") && !text.contains("Infinity") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    // Every other part between quotes that are not escaped is a string, and stays as it is.
    let (mut is_string, mut rest) = (false, text);
    while let Some(at) = rest.find(['"', '\\']) {
        let (before, after) = rest.split_at(at);
        let is_quote = after.starts_with('"');
        let length = if is_quote { 1 } else { 1 + after[1..].chars().next().map_or(0, char::len_utf8) };
        push_plain(&mut plain, before, is_string);
        plain.push_str(&after[..length]);
        is_string ^= is_quote;
        rest = &after[length..];
    }
    push_plain(&mut plain, rest, is_string);
    Cow::Owned(plain)
}

fn push_plain(plain: &mut String, part: &str, is_string: bool) {
    if is_string {
        plain.push_str(part);
    } else {
        let part = part.replace("-NaN", "null").replace("NaN", "null");
        plain.push_str(&part.replace("-Infinity", "\"-Infinity\"").replace(" Infinity", " \"Infinity\""));
    }
}

/// The objects, each with the number of its line; in an array, its place.
fn lines(text: &str, reading: &Reading) -> Result<Vec<(Line, u64)>> {
    let fix = "a line is {\"start\": \"2024-01-01 00:00:00\", \"target\": [1.5, null, …]}";
    if text.trim_start().starts_with('[') {
        let lines: Vec<Line> =
            serde_json::from_str(text).map_err(|cause| reading.malformed(cause.to_string(), fix))?;
        return Ok(lines.into_iter().zip(1..).collect());
    }
    let is_filled = |(_, text): &(usize, &str)| !text.trim().is_empty();
    let line = |(k, text): (usize, &str)| {
        let at = k as u64 + 1;
        let line = serde_json::from_str(text)
            .map_err(|cause| reading.malformed(format!("line {at}: {cause}"), fix))?;
        Ok((line, at))
    };
    text.lines().enumerate().filter(is_filled).map(line).collect()
}

/// Says which parts of the objects are not used.
fn unused(lines: &[(Line, u64)]) -> Option<String> {
    // An empty one, and the series' own description, say nothing that could be missed.
    let is_said = |(name, value): &(&String, &Value)| !value.is_null() && *name != "source";
    let names: BTreeSet<String> = lines
        .iter()
        .flat_map(|(line, _)| line.others.iter().filter(is_said))
        .map(|(name, _)| name.clone())
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    (!names.is_empty()).then(|| {
        format!(
            "{} not used: forecasts here are made from the series alone",
            listed(&names) + if names.len() == 1 { " is" } else { " are" }
        )
    })
}

/// The step that lines name, which must be the same in all.
fn frequency(lines: &[(Line, u64)], reading: &Reading) -> Result<Option<String>> {
    let mut named = lines.iter().filter_map(|(line, at)| line.freq.as_ref().map(|name| (name, at)));
    let Some((first, _)) = named.next() else { return Ok(None) };
    match named.find(|(name, _)| *name != first) {
        None => Ok(Some(first.clone())),
        Some((other, at)) => Err(reading.malformed(
            format!("line {at}: freq is '{}', and '{}' before", shown(other), shown(first)),
            "put series of one step into one file",
        )),
    }
}

/// When the series start.
fn starts(lines: &[(Line, u64)], told: Told, reading: &Reading) -> Result<Times> {
    let texts: Vec<String> = lines
        .iter()
        .map(|(line, _)| match &line.start {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(|text| text.trim()).collect();
    if texts.is_empty() {
        return Err(reading.malformed("there is no line", "write one line for every series"));
    }
    let found = times::read(&texts, None, told).map_err(|refused| {
        let (line, text) = refused.at.map_or((1, ""), |at| (lines[at].1, texts[at]));
        let what = refused.what.replace(&format!("'{}'", shown(text)), &format!("start '{}'", shown(text)));
        reading.malformed(format!("line {line}: {what}"), refused.fix)
    })?;
    if found.scale == Scale::Counts {
        return Err(reading.malformed(
            format!("line {}: start '{}' is no time", lines[0].1, shown(texts[0])),
            "write 2024-01-01 00:00:00",
        ));
    }
    Ok(found)
}

impl Line {
    fn series(self, line: u64, start: i64, known: usize, reading: &Reading) -> Result<Vec<Single>> {
        let targets = match self.target {
            Target::One(values) => vec![values],
            Target::Several(all) => all,
        };
        let name = |k: usize, of: usize| match &self.item_id {
            None | Some(Value::Null) => format!("series {}", known + k + 1),
            Some(id) => {
                let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                if of == 1 { id } else { format!("{id} {}", k + 1) }
            }
        };
        let of = targets.len();
        let single = |(k, entries): (usize, Vec<Entry>)| {
            let values = entries
                .into_iter()
                .map(|entry| number(entry, line, reading))
                .collect::<Result<Vec<f64>>>()?;
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

fn number(entry: Entry, line: u64, reading: &Reading) -> Result<f64> {
    match entry {
        Entry::Number(value) => Ok(value),
        Entry::Missing(None) => Ok(f64::NAN),
        Entry::Missing(Some(text)) => match Cell::read(&text, DecimalMark::Point) {
            Cell::Missing => Ok(f64::NAN),
            Cell::Number(value) | Cell::Infinite(value) => Ok(value),
            _ => Err(reading.malformed(
                format!("line {line}: '{}' is not a number", shown(&text)),
                "write null for a missing value",
            )),
        },
    }
}

/// Test sets hold a series once for every window, each longer than the one before: only the longest is kept.
fn without_beginnings(all: Vec<Single>, notes: &mut Vec<String>) -> Vec<Single> {
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    let begins = |short: &Single, long: &Single| {
        short.start == long.start
            && short.values.len() < long.values.len()
            && short.values.iter().zip(&long.values).all(|(a, b)| same(*a, *b))
    };
    let is_whole: Vec<bool> = all.iter().map(|one| !all.iter().any(|other| begins(one, other))).collect();
    let before = all.len();
    let mut all: Vec<Single> =
        all.into_iter().zip(is_whole).filter_map(|(one, whole)| whole.then_some(one)).collect();
    if all.len() < before {
        notes.push(format!(
            "{} series that repeat the beginning of a longer one are left out",
            before - all.len()
        ));
    }
    if all.iter().all(|single| single.name.starts_with("series ")) {
        all.iter_mut().enumerate().for_each(|(k, single)| single.name = format!("series {}", k + 1));
    }
    all
}

fn require_names(all: &[Single], reading: &Reading) -> Result<()> {
    let twice = all.iter().enumerate().find(|(k, one)| all[..*k].iter().any(|other| other.name == one.name));
    match twice {
        None => Ok(()),
        Some((_, twice)) => Err(reading.malformed(
            format!("line {}: there are two series '{}'", twice.line, shown(&twice.name)),
            "give every series an item_id of its own",
        )),
    }
}

/// The step as a line says, or as `metadata.json` beside the file or above it says.
fn found_frequency(
    path: &Path,
    named: Option<String>,
    notes: &mut Vec<String>,
    reading: &Reading,
) -> Result<Frequency> {
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
    let name = named.or_else(|| places.iter().find_map(of_file)).ok_or_else(|| {
        reading.malformed(
            "nothing tells the step in time",
            "give it with --every, for example --every H or --every B",
        )
    })?;
    let found = Frequency::of_name(&name).map_err(|problem| {
        reading.malformed(format!("the step in time, freq, {problem}"), "give it with --every")
    })?;
    let working = if name == "C" { ", Monday to Friday" } else { "" };
    notes.push(format!("step in time: {}{working}", shown(&name)));
    Ok(found)
}

/// The series with starts on the days that the step falls on.
fn rolled(mut all: Vec<Single>, frequency: &Frequency, notes: &mut Vec<String>) -> Vec<Single> {
    let mut moved = None;
    for single in &mut all {
        let day = date(single.start).date();
        let to = frequency.rolled(day).filter(|to| *to != day);
        if let Some(to) = to {
            single.start += (to - day).num_days() * DAY;
            moved = moved.or(Some((day, to)));
        }
    }
    notes.extend(moved.map(|(from, to)| format!("start {from} is taken as {to}, on which the step falls")));
    all
}

/// The series to keep: those asked for, or all but those to leave out.
fn kept(all: &[Single], layout: &SeriesLayout) -> Vec<String> {
    let is_dropped = |single: &&Single| layout.drop.contains(&single.name);
    match layout.drop.is_empty() || !layout.keep.is_empty() {
        true => layout.keep.clone(),
        false => all.iter().filter(|single| !is_dropped(single)).map(|single| single.name.clone()).collect(),
    }
}

/// One row for every time from the earliest start to the latest end.
fn rows(
    all: Vec<Single>,
    times: Times,
    frequency: &Frequency,
    notes: Vec<String>,
    reading: &Reading,
) -> Result<Found> {
    let first = all.iter().map(|single| single.start).min().unwrap_or(0);
    let clock = Clock::on(times.scale, first, frequency.step.clone()).written_as(times.notation);
    let clock = match frequency.anchor {
        Some(Anchor::Month { day, .. }) => clock.falling_on(day),
        _ => clock,
    };
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
        values: all.iter().zip(&places).map(|series| value(k, series)).collect(),
    };
    let rows = (0..end).map(row).collect();
    let found = Found::new(all.into_iter().map(|single| single.name).collect(), rows, times, notes);
    Ok(Found { clock: Some(clock), ..found })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Limits, Step};

    fn read_text(text: &str, every: Option<Step>) -> Result<Series> {
        let limits = Limits { max_bytes: 1 << 20 };
        let layout = SeriesLayout { every, ..SeriesLayout::default() };
        read(
            text.as_bytes(),
            Path::new("nowhere/x.json"),
            &layout,
            Told::default(),
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
        assert!(series.notes().iter().any(|note| note.contains("2 series that repeat the beginning")));
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
    fn what_python_writes_is_read() {
        let text = "{\"start\": \"2020-01-01\", \"target\": [1.0, NaN, -NaN, 4], \"item_id\": \"NaN \\\" NaN\", \"freq\": \"D\"}";
        let series = read_text(text, None).unwrap();
        assert_eq!((series.names()[0].as_str(), series.values()[3]), ("NaN \" NaN", 4.0));
        assert!(series.values()[1].is_nan() && series.values()[2].is_nan());
        let infinite = read_text(&text.replace("4]", "Infinity]"), None).unwrap_err().to_string();
        assert!(infinite.contains("is infinite at 2020-01-04"), "{infinite}");
        let array = read_text(&format!("[{text}]"), None).unwrap();
        assert_eq!(array.values()[0], 1.0);
        let several =
            text.replace("[1.0, NaN, -NaN, 4]", "[[1, 2], [3, NaN]], \"feat_dynamic_real\": [[1, 2]]");
        let several = read_text(&several, None).unwrap();
        assert_eq!((several.dim(), several.values()[1]), (2, 3.0));
        assert!(several.notes().iter().any(|note| note.contains("feat_dynamic_real is not used")));
    }

    #[test]
    fn starts_keep_their_offset_and_fall_on_the_days_of_the_step() {
        let label = |start: &str, freq: &str| {
            let line = format!("{{\"start\": \"{start}\", \"target\": [1, 2], \"freq\": \"{freq}\"}}");
            read_text(&line, None).unwrap().clock().label(1)
        };
        assert_eq!(label("2020-01-01T00:00:00+02:00", "h"), "2020-01-01 01:00:00+02:00");
        assert_eq!(label("2015-01-07 00:00", "BME"), "2015-02-27");
        assert_eq!(label("2015-01-07 00:00", "QS"), "2015-04-01");
        assert_eq!(label("2015-01-03", "B"), "2015-01-06");
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
        assert_eq!((series.dim(), series.len(), series.clock().step()), (8, 6221, &Step::BusinessDays));
        assert_eq!((series.values()[0], series.values()[8]), (0.7855, 0.7818));
    }
}
