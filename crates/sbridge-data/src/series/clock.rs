//! Times of a regular series: the step between stamps, the stamp of every row, and its place in the calendar.

use std::collections::HashMap;
use std::f64::consts::TAU;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, Timelike};
use serde::{Deserialize, Serialize};

const DAY: i64 = 86_400;

/// What lies between one row and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// So many seconds.
    Seconds(i64),
    /// Monday to Friday.
    BusinessDays,
    /// So many months of the calendar; from the last day of a month to the last day of another.
    Months(u32),
    /// So much on a scale without a calendar.
    Counts(i64),
}

impl Step {
    /// The step people write as `H`, `15min`, `D`, `B`, `W`, `M`, `Q` or `Y`, with or without a number before it.
    pub fn of_name(name: &str) -> Option<Self> {
        let at = name.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = if at == 0 { 1 } else { name[..at].parse().ok()? };
        let seconds = |of_one: i64| count.checked_mul(of_one).map(Self::Seconds);
        let months = |of_one: u32| of_one.checked_mul(u32::try_from(count).ok()?).map(Self::Months);
        // Weeks and quarters may name the day or month they end in.
        let unit = name[at..].split('-').next()?.to_ascii_lowercase();
        let step = match unit.as_str() {
            "s" | "sec" | "second" | "seconds" => seconds(1),
            "t" | "min" | "minute" | "minutes" => seconds(60),
            "h" | "hour" | "hours" => seconds(3600),
            "d" | "day" | "days" => seconds(DAY),
            "w" | "week" | "weeks" => seconds(7 * DAY),
            "b" if count == 1 => Some(Self::BusinessDays),
            "m" | "me" | "ms" | "month" | "months" => months(1),
            "q" | "qe" | "qs" | "quarter" | "quarters" => months(3),
            "a" | "y" | "ye" | "ys" | "year" | "years" => months(12),
            _ => None,
        };
        step.filter(|_| count > 0)
    }
}

/// The stamps of a regular series: seconds since 1970, or counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    start: i64,
    step: Step,
}

/// Numbers that [`Clock::calendar`] gives.
pub const CALENDAR: usize = 6;

impl Clock {
    /// Row 0 at `start`, in seconds since 1970, or counts.
    pub(crate) fn new(start: i64, step: Step) -> Self {
        Self { start, step }
    }

    /// The regular clock on which all of `stamps` lie, which rise; none if there is no such clock.
    pub(crate) fn fitting(stamps: &[i64], is_calendar: bool) -> Option<Self> {
        let start = *stamps.first()?;
        let usual = usual_step(stamps)?;
        let mut steps = Vec::new();
        if !is_calendar {
            steps.push(Step::Counts(usual));
        } else {
            let is_weekend = |t: &i64| date(*t).weekday().num_days_from_monday() >= 5;
            let spans_weekends = stamps[stamps.len() - 1] - start >= 7 * DAY;
            if usual == DAY && spans_weekends && !stamps.iter().any(is_weekend) {
                steps.push(Step::BusinessDays);
            }
            if usual >= 28 * DAY {
                steps.extend([12, 3, 1].map(Step::Months));
            }
            steps.push(Step::Seconds(usual));
        }
        let mut clocks = steps.into_iter().map(|step| Self { start, step });
        clocks.find(|clock| stamps.iter().all(|t| clock.index_of(*t).is_some()))
    }

    /// The step between two rows.
    pub fn step(&self) -> Step {
        self.step
    }

    /// The same clock from row `row` on.
    #[must_use]
    pub fn from_row(&self, row: usize) -> Self {
        Self { start: self.at(row), ..*self }
    }

    /// The stamp of row `row`.
    pub(crate) fn at(&self, row: usize) -> i64 {
        let k = row as i64;
        match self.step {
            Step::Seconds(step) | Step::Counts(step) => self.start.saturating_add(k.saturating_mul(step)),
            Step::BusinessDays => {
                let weekday = i64::from(date(self.start).weekday().num_days_from_monday());
                self.start + DAY * (k + 2 * ((weekday + k) / 5))
            }
            Step::Months(step) => {
                let start = date(self.start);
                let months = Months::new(step.saturating_mul(row as u32));
                let moved = start.checked_add_months(months).unwrap_or(start);
                let moved = if is_month_end(start) { month_end(moved) } else { moved };
                moved.and_utc().timestamp()
            }
        }
    }

    /// The row of `stamp`, if it is that of one.
    pub(crate) fn index_of(&self, stamp: i64) -> Option<usize> {
        let past = stamp.checked_sub(self.start).filter(|past| *past >= 0)?;
        let row = match self.step {
            Step::Seconds(step) | Step::Counts(step) => past / step,
            Step::BusinessDays => {
                let weekday = i64::from(date(self.start).weekday().num_days_from_monday());
                past / DAY - 2 * ((weekday + past / DAY) / 7)
            }
            Step::Months(step) => {
                let [from, to] = [self.start, stamp].map(date);
                let months =
                    i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month());
                months / i64::from(step)
            }
        };
        let row = usize::try_from(row).ok()?;
        (self.at(row) == stamp).then_some(row)
    }

    /// The time of row `row` as people write it.
    pub fn label(&self, row: usize) -> String {
        label(self.at(row), !matches!(self.step, Step::Counts(_)))
    }

    /// Where row `row` stands in the day, the week and the year: sine and cosine of each; zero where the step is longer,
    /// or there is no calendar.
    pub fn calendar(&self, row: usize) -> [f32; CALENDAR] {
        if matches!(self.step, Step::Counts(_)) {
            return [0.0; CALENDAR];
        }
        let at = date(self.at(row));
        let within_day = matches!(self.step, Step::Seconds(step) if step < DAY);
        let within_week =
            matches!(self.step, Step::BusinessDays | Step::Seconds(..)) && self.rows_of_a_week() > 1;
        let turn = |used: bool, share: f64| {
            let (sine, cosine) = (TAU * share).sin_cos();
            if used { [sine as f32, cosine as f32] } else { [0.0; 2] }
        };
        let day = turn(within_day, f64::from(at.num_seconds_from_midnight()) / DAY as f64);
        let week = turn(within_week, f64::from(at.weekday().num_days_from_monday()) / 7.0);
        let year = turn(true, f64::from(at.ordinal0()) / 365.25);
        [day[0], day[1], week[0], week[1], year[0], year[1]]
    }

    /// Rows of a week; 1 where the step is longer than a day.
    pub fn rows_of_a_week(&self) -> usize {
        match self.step {
            Step::BusinessDays => 5,
            Step::Seconds(step) => (7 * DAY / step).max(1) as usize,
            _ => 1,
        }
    }

    /// Rows after which the shortest period of the calendar comes round: a day, a week, a year; 1 if there is none.
    pub fn season(&self) -> usize {
        match self.step {
            Step::Seconds(step) if step < DAY && DAY % step == 0 => (DAY / step) as usize,
            Step::Seconds(DAY) => 7,
            Step::Seconds(step) if step == 7 * DAY => 52,
            Step::BusinessDays => 5,
            Step::Months(step) if step < 12 && 12 % step == 0 => (12 / step) as usize,
            _ => 1,
        }
    }
}

/// The most frequent difference of neighbours, the shorter of two.
fn usual_step(stamps: &[i64]) -> Option<i64> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    stamps.windows(2).for_each(|pair| *counts.entry(pair[1] - pair[0]).or_default() += 1);
    counts.into_iter().max_by_key(|(step, count)| (*count, -step)).map(|(step, _)| step)
}

/// A stamp as people write it.
pub(crate) fn label(stamp: i64, is_calendar: bool) -> String {
    if !is_calendar {
        return stamp.to_string();
    }
    let at = date(stamp);
    let is_midnight = at.num_seconds_from_midnight() == 0;
    at.format(if is_midnight { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
}

fn date(stamp: i64) -> NaiveDateTime {
    DateTime::from_timestamp(stamp, 0).unwrap_or_default().naive_utc()
}

fn is_month_end(at: NaiveDateTime) -> bool {
    (at + Days::new(1)).day() == 1
}

fn month_end(at: NaiveDateTime) -> NaiveDateTime {
    let days = u64::from(at.date().num_days_in_month()) - u64::from(at.day());
    at + Days::new(days)
}

/// Formats of a time with a date; what is left of a time of day is zero.
const TIMES: [&str; 7] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%d.%m.%Y %H:%M",
];

/// Formats of a date.
const DATES: [&str; 3] = ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y"];

/// A time with a date as seconds since 1970, of the clock it was read from; an offset from UTC is taken off.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let seconds = |at: NaiveDateTime| at.and_utc().timestamp();
    let of_date = |text: &str| {
        DATES.iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok())?.and_hms_opt(0, 0, 0)
    };
    let found = of_date(text)
        .or_else(|| TIMES.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()))
        .map(seconds)
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp()))
        .or_else(|| of_date(&format!("{text}-01")).map(seconds));
    // Years far from now are slips, and their arithmetic could overflow.
    found.filter(|stamp| (1..9999).contains(&date(*stamp).year()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stamps(texts: &[&str]) -> Vec<i64> {
        texts.iter().map(|text| parse_date(text).unwrap()).collect()
    }

    #[test]
    fn every_row_is_found_where_it_stands() {
        let start = parse_date("2024-01-31").unwrap();
        let steps = ["B", "D", "15min", "H", "W", "M", "Q", "Y"].map(|name| Step::of_name(name).unwrap());
        for step in steps {
            let clock = Clock::new(start, step);
            assert!((0..300).all(|row| clock.index_of(clock.at(row)) == Some(row)), "{step:?}");
            assert!(clock.index_of(clock.at(7) + 1).is_none() && clock.index_of(start - 1).is_none());
            assert_eq!(clock.from_row(3).at(4), clock.at(7));
        }
    }

    #[test]
    fn steps_are_seen_in_the_stamps() {
        let of = |texts: &[&str]| Clock::fitting(&stamps(texts), true).map(|clock| clock.step());
        assert_eq!(
            of(&["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 03:00"]),
            Some(Step::Seconds(3600))
        );
        assert_eq!(of(&["2024-01-31", "2024-02-29", "2024-03-31", "2024-05-31"]), Some(Step::Months(1)));
        assert_eq!(of(&["2024-01-01", "2024-04-01", "2024-07-01"]), Some(Step::Months(3)));
        let weekdays = ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11"];
        assert_eq!(of(&weekdays), Some(Step::BusinessDays));
        assert_eq!(of(&["2024-01-04", "2024-01-05", "2024-01-06", "2024-01-06 00:17"]), None);
        assert_eq!(Clock::fitting(&[3, 5, 9], false).unwrap().step(), Step::Counts(2));
    }

    #[test]
    fn month_ends_stay_month_ends_and_friday_is_followed_by_monday() {
        let months = Clock::new(parse_date("2024-02-29").unwrap(), Step::Months(1));
        assert_eq!([1, 2, 12].map(|row| months.label(row)), ["2024-03-31", "2024-04-30", "2025-02-28"]);
        let days = Clock::new(parse_date("2024-01-05").unwrap(), Step::BusinessDays);
        assert_eq!([0, 1, 5].map(|row| days.label(row)), ["2024-01-05", "2024-01-08", "2024-01-12"]);
    }

    #[test]
    fn the_calendar_turns_with_its_periods() {
        let hours = Clock::new(parse_date("2024-03-04").unwrap(), Step::Seconds(3600));
        assert_eq!(hours.calendar(0)[..4], hours.calendar(168)[..4]);
        assert_eq!(hours.calendar(5)[..2], hours.calendar(29)[..2]);
        assert_ne!(hours.calendar(5)[2..4], hours.calendar(29)[2..4]);
        let days = Clock::new(0, Step::Seconds(DAY));
        assert_eq!((days.calendar(3)[0], days.calendar(3)[1]), (0.0, 0.0));
        assert_eq!(Clock::new(0, Step::Counts(1)).calendar(3), [0.0; CALENDAR]);
        assert_eq!(
            ["H", "D", "B", "W", "M", "Q", "Y"].map(|n| Clock::new(0, Step::of_name(n).unwrap()).season()),
            [24, 7, 5, 52, 12, 4, 1]
        );
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let same = [
            "2024-03-04 05:00:00",
            "2024-03-04T05:00",
            "2024/03/04 05:00",
            "04.03.2024 05:00",
            "2024-03-04T06:00:00+01:00",
        ];
        assert!(stamps(&same).windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(parse_date("2024-03"), parse_date("2024-03-01"));
        assert!(
            ["", "17", "3/4/2024", "2024-13-01", "yesterday", "99999-01-01"]
                .iter()
                .all(|text| parse_date(text).is_none())
        );
    }
}
