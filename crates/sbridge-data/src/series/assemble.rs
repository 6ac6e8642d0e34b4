//! Rows with stamps, in any order and with gaps, become a regular series; every repair is noted.

use super::clock::Clock;
use super::daylight;
use super::fitting::{fitted, with_step};
use super::scale::{Notation, Scale};
use super::step::{DAY, Step};
use super::times::Times;
use super::zone::Zone;
use super::{Series, SeriesLayout};
use crate::reading::Reading;
use crate::shown::{listed, shown};
use crate::suggest::did_you_mean;
use crate::{DataError, Result};

/// Values of all series at one time.
pub(super) struct TimedRow {
    pub(super) stamp: i64,
    pub(super) values: Vec<f64>,
}

/// What a file holds: rows of different times.
pub(super) struct Found {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<TimedRow>,
    /// What stamps count.
    pub(super) scale: Scale,
    pub(super) notation: Notation,
    /// The clock they lie on, where the file says so.
    pub(super) clock: Option<Clock>,
    pub(super) notes: Vec<String>,
}

/// At most so many rows are made for every one in the file: what is missing beyond that was never there.
const FILLED: usize = 2;

impl Found {
    /// `rows` of the series `names`, whose times were read as `times`; `notes` come after what is noted of these.
    pub(super) fn new(names: Vec<String>, rows: Vec<TimedRow>, times: Times, notes: Vec<String>) -> Self {
        let Times { scale, notation, notes: mut all, .. } = times;
        all.extend(notes);
        Self { names, rows, scale, notation, clock: None, notes: all }
    }

    /// The regular series of these rows.
    ///
    /// # Errors
    /// When times are not regular, or a series has no values or infinite ones.
    pub(super) fn assemble(mut self, layout: &SeriesLayout, reading: &Reading) -> Result<Series> {
        if !self.rows.is_sorted_by_key(|row| row.stamp) {
            self.rows.sort_by_key(|row| row.stamp);
            self.notes.push("rows are not in the order of time: sorted".into());
        }
        let clock = match self.clock.take() {
            Some(clock) => clock,
            None => self.found_clock(layout.every.as_ref(), reading)?,
        };
        let count = self.count(&clock, reading)?;
        let (values, is_there) = self.placed(&clock, count);
        self.note_gaps(&clock, &is_there, reading)?;
        if matches!(clock.step(), Step::Weekly(_)) {
            self.notes.push(format!("times are {}", clock.step()));
        }
        let names = std::mem::take(&mut self.names);
        let (source, sha256) = (reading.source.into(), String::new());
        let series = Series { source, sha256, names, clock, values, notes: self.notes };
        series.keeping(&layout.keep, reading)?.checked(reading)
    }

    /// How many times there are from the first to the last.
    fn count(&self, clock: &Clock, reading: &Reading) -> Result<usize> {
        let last = self.rows[self.rows.len() - 1].stamp;
        let count = clock.index_of(last).expect("the clock fits all stamps") + 1;
        if count <= FILLED * self.rows.len().max(2) {
            reading.admit(&[count as u64, self.names.len() as u64])?;
            return Ok(count);
        }
        let (from, to, there) = (clock.label(0), clock.label(count - 1), self.rows.len());
        Err(reading.malformed(
            format!("of {count} times from {from} to {to} only {there} are there"),
            "give the times in between, or the step in time with --every",
        ))
    }

    /// The values on the clock, and which times are in the file.
    fn placed(&self, clock: &Clock, count: usize) -> (Vec<f64>, Vec<bool>) {
        let dim = self.names.len();
        let (mut values, mut is_there) = (vec![f64::NAN; count * dim], vec![false; count]);
        for row in &self.rows {
            let at = clock.index_of(row.stamp).expect("the clock fits all stamps");
            values[at * dim..][..dim].copy_from_slice(&row.values);
            is_there[at] = true;
        }
        (values, is_there)
    }

    fn note_gaps(&mut self, clock: &Clock, is_there: &[bool], reading: &Reading) -> Result<()> {
        self.refuse_daylight(reading)?;
        if let Some(gap) = is_there.iter().position(|there| !there) {
            let left_out = is_there.iter().filter(|there| !**there).count();
            self.notes.push(format!(
                "{left_out} times are left out, the first {}: taken as missing values",
                clock.label(gap)
            ));
        }
        Ok(())
    }

    /// Refuses an hour left out where clocks are put forward: it never was.
    fn refuse_daylight(&self, reading: &Reading) -> Result<()> {
        let stamps: Vec<i64> = self.rows.iter().map(|row| row.stamp).collect();
        let Some(step) = super::fitting::usual_step(&stamps).filter(|step| *step < DAY) else {
            return Ok(());
        };
        if self.scale != Scale::Wall(Zone::Unsaid) {
            return Ok(());
        }
        let turned = stamps.windows(2).find_map(|pair| daylight::put_forward(pair[0], pair[1], step));
        turned.map_or(Ok(()), |what| Err(reading.malformed(what, daylight::FIX)))
    }

    fn found_clock(&self, every: Option<&Step>, reading: &Reading) -> Result<Clock> {
        let stamps: Vec<i64> = self.rows.iter().map(|row| row.stamp).collect();
        if stamps.len() < 2 && every.is_none() {
            return Err(reading.malformed("there is one time only", "give at least two rows"));
        }
        let clock = match every {
            None => fitted(&stamps, self.scale).ok_or_else(|| self.irregular(&stamps, reading))?,
            Some(step) => {
                let is_counted = matches!(step, Step::Counts(_));
                if is_counted != (self.scale == Scale::Counts) {
                    return Err(reading.malformed(
                        "times are whole numbers, counted without a calendar",
                        "leave --every out, or name a column of dates with --time",
                    ));
                }
                with_step(&stamps, step, self.scale)
                    .ok_or_else(|| self.off_the_steps(&stamps, step, reading))?
            }
        };
        Ok(clock.written_as(self.notation))
    }

    fn label(&self, stamp: i64) -> String {
        self.scale.label(stamp, if stamp % DAY == 0 { Notation::Date } else { Notation::DateAndTime })
    }

    fn off_the_steps(&self, stamps: &[i64], step: &Step, reading: &Reading) -> DataError {
        let clock = Clock::on(self.scale, stamps[0], step.clone());
        let off = stamps.iter().find(|t| clock.index_of(**t).is_none()).unwrap_or(&stamps[0]);
        reading.malformed(
            format!("{} does not lie on steps of {step} from {}", self.label(*off), self.label(stamps[0])),
            "correct the time, or the step given with --every",
        )
    }

    fn irregular(&self, stamps: &[i64], reading: &Reading) -> DataError {
        let mut steps: Vec<i64> = stamps.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let odd = steps.iter().enumerate().min_by_key(|(_, step)| **step).map_or(0, |(k, _)| k);
        steps.sort_unstable();
        let (short, usual) = (steps[0], steps[steps.len() / 2]);
        if self.scale == Scale::Wall(Zone::Unsaid)
            && let Some(what) =
                stamps.windows(2).find_map(|pair| daylight::put_forward(pair[0], pair[1], usual))
        {
            return reading.malformed(what, daylight::FIX);
        }
        let said = |step: i64| match self.scale {
            Scale::Counts => step.to_string(),
            _ => Step::Seconds(step).to_string(),
        };
        let [a, b] = [stamps[odd], stamps[odd + 1]].map(|t| self.label(t));
        reading.malformed(
            format!(
                "times are not regular: steps of {} (from {a} to {b}) and of {}",
                said(short),
                said(usual)
            ),
            "resample to equal steps; gaps of whole steps may stay",
        )
    }
}

impl Series {
    fn keeping(self, keep: &[String], reading: &Reading) -> Result<Self> {
        if keep.is_empty() {
            return Ok(self);
        }
        let columns =
            keep.iter().map(|name| place_of(name, &self.names, reading)).collect::<Result<Vec<usize>>>()?;
        let values =
            self.values.chunks(self.dim()).flat_map(|row| columns.iter().map(move |j| row[*j])).collect();
        Ok(Self { names: keep.to_vec(), values, ..self })
    }

    /// Refuses what cannot be learned from; notes what is missing, and what may stand for that.
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
            let name = shown(&self.names[j]);
            return Err(reading.malformed(
                format!("series '{name}' has no values"),
                format!("leave it out with --drop {}", quoted(&self.names[j])),
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
        self.notes.extend(super::doubts::sentinels(&self));
        Ok(self)
    }
}

/// The place of the series `name` among `names`.
pub(super) fn place_of(name: &str, names: &[String], reading: &Reading) -> Result<usize> {
    names.iter().position(|known| known == name).ok_or_else(|| {
        let near = did_you_mean(name, names.iter().map(String::as_str));
        reading.unknown(
            format!("there is no series '{}'", shown(name)),
            format!("{near}there is {}", listed(names)),
        )
    })
}

/// A name as a shell takes it for one word.
pub(super) fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:".contains(c);
    if !name.is_empty() && name.chars().all(is_plain) {
        name.into()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}
