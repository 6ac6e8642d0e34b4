//! Rows with stamps, in any order and with gaps, become a regular series; every repair is noted.

use super::clock::{Clock, Step, label};
use super::{Series, SeriesLayout};
use crate::Result;
use crate::reading::Reading;
use crate::shown::{listed, shown};
use crate::suggest::did_you_mean;

/// Values of all series at one time.
pub(super) struct TimedRow {
    pub(super) stamp: i64,
    /// Where it stands in the file.
    pub(super) line: u64,
    pub(super) values: Vec<f64>,
}

/// What a file holds.
pub(super) struct Found {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<TimedRow>,
    /// Whether stamps are seconds since 1970, and not counts.
    pub(super) is_calendar: bool,
    pub(super) notes: Vec<String>,
}

/// At most so many rows are made for every one in the file: what is missing beyond that was never there.
const FILLED: usize = 2;

impl Found {
    /// The regular series of these rows.
    ///
    /// # Errors
    /// When two rows have one time, times are not regular, or a series has no values or infinite ones.
    pub(super) fn assemble(mut self, layout: &SeriesLayout, reading: &Reading) -> Result<Series> {
        self.sort(reading)?;
        let clock = self.clock(layout.every, reading)?;
        let (last, dim) = (self.rows[self.rows.len() - 1].stamp, self.names.len());
        let count = clock.index_of(last).expect("the clock fits all stamps") + 1;
        if count > FILLED * self.rows.len().max(2) {
            return Err(reading.malformed(
                format!(
                    "of {count} times from {} to {} only {} are there",
                    clock.label(0),
                    clock.label(count - 1),
                    self.rows.len()
                ),
                "give the times in between, or the step in time with --every",
            ));
        }
        let mut values = vec![f64::NAN; count * dim];
        let mut is_there = vec![false; count];
        for row in &self.rows {
            let at = clock.index_of(row.stamp).expect("the clock fits all stamps");
            values[at * dim..][..dim].copy_from_slice(&row.values);
            is_there[at] = true;
        }
        if let Some(gap) = is_there.iter().position(|there| !there) {
            let left_out = is_there.iter().filter(|there| !**there).count();
            self.notes.push(format!(
                "{left_out} times are left out, the first {}: taken as missing values",
                clock.label(gap)
            ));
        }
        let names = std::mem::take(&mut self.names);
        let series = Series {
            source: reading.source.into(),
            sha256: String::new(),
            names,
            clock,
            values,
            notes: self.notes,
        };
        series.keeping(&layout.keep, reading)?.checked(reading)
    }

    fn sort(&mut self, reading: &Reading) -> Result<()> {
        if !self.rows.is_sorted_by_key(|row| row.stamp) {
            self.rows.sort_by_key(|row| row.stamp);
            self.notes.push("rows are not in the order of time: sorted".into());
        }
        let twice = self.rows.windows(2).find(|pair| pair[0].stamp == pair[1].stamp);
        match twice {
            None => Ok(()),
            Some(pair) => Err(reading.malformed(
                format!("lines {} and {} have the same time {}", pair[0].line, pair[1].line, label(pair[0].stamp, self.is_calendar)),
                "remove one of them; if they are of different series, name the column that tells them apart with --series",
            )),
        }
    }

    fn clock(&self, every: Option<Step>, reading: &Reading) -> Result<Clock> {
        let stamps: Vec<i64> = self.rows.iter().map(|row| row.stamp).collect();
        if stamps.len() < 2 && every.is_none() {
            return Err(reading.malformed("there is one time only", "give at least two rows"));
        }
        let Some(step) = every else {
            return Clock::fitting(&stamps, self.is_calendar).ok_or_else(|| self.irregular(&stamps, reading));
        };
        let clock = Clock::new(stamps[0], step);
        match stamps.iter().find(|t| clock.index_of(**t).is_none()) {
            None => Ok(clock),
            Some(off) => Err(reading.malformed(
                format!(
                    "{} does not lie on the steps of --every from {}",
                    label(*off, self.is_calendar),
                    clock.label(0)
                ),
                "correct the time, or the step",
            )),
        }
    }

    fn irregular(&self, stamps: &[i64], reading: &Reading) -> crate::DataError {
        let mut steps: Vec<i64> = stamps.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let odd = steps.iter().enumerate().min_by_key(|(_, step)| **step).map_or(0, |(k, _)| k);
        steps.sort_unstable();
        let (short, usual) = (steps[0], steps[steps.len() / 2]);
        let unit = if self.is_calendar { " seconds" } else { "" };
        let [a, b] = [stamps[odd], stamps[odd + 1]].map(|t| label(t, self.is_calendar));
        reading.malformed(
            format!("times are not regular: steps of {short}{unit} (from {a} to {b}) and of {usual}{unit}"),
            "resample to equal steps; gaps of whole steps may stay",
        )
    }
}

impl Series {
    fn keeping(self, keep: &[String], reading: &Reading) -> Result<Self> {
        if keep.is_empty() {
            return Ok(self);
        }
        let column = |name: &String| {
            let found = self.names.iter().position(|known| known == name);
            found.ok_or_else(|| {
                let near = did_you_mean(name, self.names.iter().map(String::as_str));
                reading.unknown(
                    format!("there is no series '{}'", shown(name)),
                    format!("{near}there is {}", listed(&self.names)),
                )
            })
        };
        let columns = keep.iter().map(column).collect::<Result<Vec<usize>>>()?;
        let values =
            self.values.chunks(self.dim()).flat_map(|row| columns.iter().map(move |j| row[*j])).collect();
        Ok(Self { names: keep.to_vec(), values, ..self })
    }

    /// Refuses what cannot be learned from; notes what is missing.
    pub(super) fn checked(mut self, reading: &Reading) -> Result<Self> {
        let dim = self.dim();
        if let Some(at) = self.values.iter().position(|x| x.is_infinite()) {
            return Err(reading.malformed(
                format!(
                    "series '{}' is infinite at {}",
                    shown(&self.names[at % dim]),
                    self.clock.label(at / dim)
                ),
                "leave the cell empty if the value is not known",
            ));
        }
        let observed = |j: usize| self.values.iter().skip(j).step_by(dim).filter(|x| !x.is_nan()).count();
        if let Some(j) = (0..dim).find(|j| observed(*j) == 0) {
            return Err(reading.malformed(
                format!("series '{}' has no values", shown(&self.names[j])),
                "leave it out, or name the series to keep with --keep",
            ));
        }
        let missing = self.values.iter().filter(|x| x.is_nan()).count();
        if let Some(first) = self.values.iter().position(|x| x.is_nan()) {
            let (name, at) = (shown(&self.names[first % dim]), self.clock.label(first / dim));
            self.notes.push(format!(
                "{missing} of {} values are missing, the first of '{name}' at {at}",
                self.values.len()
            ));
        }
        Ok(self)
    }
}
