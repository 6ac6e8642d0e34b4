//! Times of a regular series: the stamp of every row, the row of a stamp, and its place in the calendar.

use std::f64::consts::TAU;

use chrono::{Datelike, NaiveDate, Timelike};

use super::month::DayOfMonth;
use super::scale::{Notation, Scale};
use super::step::{DAY, Step};
use super::zone::{Zone, date};

/// The stamps of a regular series: seconds since 1970, or counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    start: i64,
    step: Step,
    /// The day that months fall on.
    day: DayOfMonth,
    scale: Scale,
    notation: Notation,
}

/// Numbers that [`Clock::calendar`] gives.
pub const CALENDAR: usize = 6;

impl Clock {
    /// Row 0 at `start`, in seconds since 1970 on a clock of which nothing is said, or counts.
    pub(super) fn new(start: i64, step: Step) -> Self {
        let scale = if matches!(step, Step::Counts(_)) { Scale::Counts } else { Scale::Wall(Zone::Unsaid) };
        Self::on(scale, start, step)
    }

    /// Row 0 at `start` on this `scale`.
    pub(super) fn on(scale: Scale, start: i64, step: Step) -> Self {
        let within_a_day = step.is_within_a_day() || scale.has_zone() || start.rem_euclid(DAY) != 0;
        let notation = if within_a_day { Notation::DateAndTime } else { Notation::Date };
        let day = DayOfMonth::of(date(start).date());
        Self { start, step, day, scale, notation }
    }

    /// The same, with months that fall on `day`.
    pub(super) fn falling_on(self, day: DayOfMonth) -> Self {
        Self { day, ..self }
    }

    /// The same, written in months or quarters if `notation` says so and the step allows it.
    pub(super) fn written_as(self, notation: Notation) -> Self {
        match (notation, &self.step) {
            (Notation::Month, Step::Months(_)) => Self { notation, ..self },
            (Notation::Quarter, Step::Months(step)) if step % 3 == 0 => Self { notation, ..self },
            _ => self,
        }
    }

    /// The step between two rows.
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// The same clock from row `row` on.
    #[must_use]
    pub fn from_row(&self, row: usize) -> Self {
        Self { start: self.at(row), ..self.clone() }
    }

    /// The stamp of row `row`.
    pub(super) fn at(&self, row: usize) -> i64 {
        let k = row as i64;
        match &self.step {
            Step::Seconds(step) | Step::Counts(step) => self.start.saturating_add(k.saturating_mul(*step)),
            Step::BusinessDays => {
                let weekday = i64::from(date(self.start).weekday().num_days_from_monday());
                self.start.saturating_add((k + 2 * ((weekday + k) / 5)).saturating_mul(DAY))
            }
            Step::Weekly(week) => week.at(self.start, k),
            Step::Months(step) => {
                let start = date(self.start);
                let months = u32::try_from(row).unwrap_or(u32::MAX).saturating_mul(*step);
                let moved = self.day.after(start.date(), months).unwrap_or(NaiveDate::MAX);
                moved.and_time(start.time()).and_utc().timestamp()
            }
        }
    }

    /// The row of `stamp`, if it is that of one.
    pub(super) fn index_of(&self, stamp: i64) -> Option<usize> {
        let past = stamp.checked_sub(self.start).filter(|past| *past >= 0)?;
        let row = match &self.step {
            Step::Seconds(step) | Step::Counts(step) => past / step,
            Step::BusinessDays => {
                let weekday = i64::from(date(self.start).weekday().num_days_from_monday());
                past / DAY - 2 * ((weekday + past / DAY) / 7)
            }
            Step::Weekly(week) => week.rows_between(self.start, stamp)?,
            Step::Months(step) => {
                let [from, to] = [self.start, stamp].map(date);
                let months =
                    i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month());
                months / i64::from(*step)
            }
        };
        let row = usize::try_from(row).ok()?;
        (self.at(row) == stamp).then_some(row)
    }

    /// The time of row `row` as people write it, with the offset from UTC if the file has one.
    pub fn label(&self, row: usize) -> String {
        self.label_of(self.at(row))
    }

    pub(super) fn label_of(&self, stamp: i64) -> String {
        self.scale.label(stamp, self.notation)
    }

    /// Where row `row` stands in the day, the week and the year: sine and cosine of each; zero where the step is longer,
    /// or there is no calendar.
    pub fn calendar(&self, row: usize) -> [f32; CALENDAR] {
        if self.scale == Scale::Counts {
            return [0.0; CALENDAR];
        }
        let at = self.scale.wall(self.at(row));
        let turn = |used: bool, share: f64| {
            let (sine, cosine) = (TAU * share).sin_cos();
            if used { [sine as f32, cosine as f32] } else { [0.0; 2] }
        };
        let seconds = f64::from(at.num_seconds_from_midnight());
        let day = turn(self.step.is_within_a_day(), seconds / DAY as f64);
        let week = turn(self.rows_of_a_week() > 1, f64::from(at.weekday().num_days_from_monday()) / 7.0);
        let year = turn(true, f64::from(at.ordinal0()) / 365.25);
        [day[0], day[1], week[0], week[1], year[0], year[1]]
    }

    /// Rows of a week; 1 where the step is longer than a day.
    pub fn rows_of_a_week(&self) -> usize {
        match &self.step {
            Step::BusinessDays => 5,
            Step::Weekly(week) => week.count(),
            Step::Seconds(step) => (7 * DAY / step).max(1) as usize,
            Step::Months(_) | Step::Counts(_) => 1,
        }
    }

    /// Rows after which the shortest period of the calendar comes round: a day, a week, a year; 1 if there is none.
    pub fn season(&self) -> usize {
        match &self.step {
            Step::Seconds(step) if *step < DAY && DAY % step == 0 => (DAY / step) as usize,
            Step::Seconds(DAY) => 7,
            Step::Seconds(step) if *step == 7 * DAY => 52,
            Step::BusinessDays => 5,
            Step::Weekly(week) => week.of_a_day().filter(|times| *times > 1).unwrap_or(week.count()),
            Step::Months(step) if *step < 12 && 12 % step == 0 => (12 / step) as usize,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::date::seconds_of;
    use super::*;

    fn stamp(text: &str) -> i64 {
        seconds_of(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn every_row_is_found_where_it_stands() {
        let start = stamp("2024-01-31");
        for name in ["B", "D", "15min", "H", "W", "M", "Q", "Y", "BH"] {
            let step = Step::of_name(name).unwrap();
            let start = if name == "BH" { start + 9 * 3600 } else { start };
            let clock = Clock::new(start, step);
            assert!((0..300).all(|row| clock.index_of(clock.at(row)) == Some(row)), "{name}");
            assert!(clock.index_of(clock.at(7) + 1).is_none() && clock.index_of(start - 1).is_none());
            assert_eq!(clock.from_row(3).at(4), clock.at(7));
        }
    }

    #[test]
    fn month_ends_stay_month_ends_and_friday_is_followed_by_monday() {
        let months = Clock::new(stamp("2024-02-29"), Step::Months(1));
        assert_eq!([1, 2, 12].map(|row| months.label(row)), ["2024-03-31", "2024-04-30", "2025-02-28"]);
        let days = Clock::new(stamp("2024-01-05"), Step::BusinessDays);
        assert_eq!([0, 1, 5].map(|row| days.label(row)), ["2024-01-05", "2024-01-08", "2024-01-12"]);
    }

    #[test]
    fn times_within_days_are_all_written_alike() {
        let hours = Clock::new(stamp("2024-01-05"), Step::Seconds(3600));
        assert_eq!([0, 1].map(|row| hours.label(row)), ["2024-01-05 00:00:00", "2024-01-05 01:00:00"]);
        let quarters = Clock::new(stamp("2024-10-01"), Step::Months(3)).written_as(Notation::Quarter);
        assert_eq!([0, 1].map(|row| quarters.label(row)), ["2024Q4", "2025Q1"]);
    }

    #[test]
    fn a_clock_at_a_place_is_turned_with_the_clocks_there() {
        // 2022-10-29 22:00 UTC is midnight in Berlin; at 01:00 UTC three o'clock becomes two.
        let hours =
            Clock::on(Scale::Universal(chrono_tz::Europe::Berlin), 1_667_080_800, Step::Seconds(3600));
        assert_eq!(
            [2, 3, 4].map(|row| hours.label(row)),
            ["2022-10-30 02:00:00+02:00", "2022-10-30 02:00:00+01:00", "2022-10-30 03:00:00+01:00"]
        );
        assert_eq!(hours.calendar(2)[..2], hours.calendar(3)[..2], "both are two o'clock");
        let place = Scale::Wall(Zone::Place(chrono_tz::Europe::Berlin));
        let days = Clock::on(place, stamp("2022-10-30"), Step::Seconds(DAY));
        assert_eq!(
            [0, 1].map(|row| days.label(row)),
            ["2022-10-30 00:00:00+02:00", "2022-10-31 00:00:00+01:00"]
        );
    }

    #[test]
    fn the_calendar_turns_with_its_periods() {
        let hours = Clock::new(stamp("2024-03-04"), Step::Seconds(3600));
        assert_eq!(hours.calendar(0)[..4], hours.calendar(168)[..4]);
        assert_eq!(hours.calendar(5)[..2], hours.calendar(29)[..2]);
        assert_ne!(hours.calendar(5)[2..4], hours.calendar(29)[2..4]);
        let days = Clock::new(0, Step::Seconds(DAY));
        assert_eq!((days.calendar(3)[0], days.calendar(3)[1]), (0.0, 0.0));
        assert_eq!(Clock::new(0, Step::Counts(1)).calendar(3), [0.0; CALENDAR]);
        assert_eq!(
            ["H", "D", "B", "W", "M", "Q", "Y", "BH"]
                .map(|n| Clock::new(0, Step::of_name(n).unwrap()).season()),
            [24, 7, 5, 52, 12, 4, 1, 8]
        );
    }
}
