//! Times of a week that come again in every week: Monday to Saturday, or half past nine to four on working days.

use std::fmt;

use chrono::Weekday;
use serde::{Deserialize, Serialize};

use super::step::DAY;

/// Seconds of a week.
const WEEK: i64 = 7 * DAY;

/// Seconds from the Monday before 1970 to its first day, a Thursday.
const MONDAY: i64 = 3 * DAY;

/// Times of a week, in seconds after Monday's midnight, which rise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<i64>", into = "Vec<i64>")]
pub struct Week(Vec<i64>);

impl TryFrom<Vec<i64>> for Week {
    type Error = &'static str;

    fn try_from(times: Vec<i64>) -> Result<Self, Self::Error> {
        let rise = times.windows(2).all(|pair| pair[0] < pair[1]);
        let is_week =
            rise && times.first().is_some_and(|t| *t >= 0) && times.last().is_some_and(|t| *t < WEEK);
        if is_week {
            Ok(Self(times))
        } else {
            Err("times of a week must rise, from 0 to less than 604800 seconds")
        }
    }
}

impl From<Week> for Vec<i64> {
    fn from(week: Week) -> Self {
        week.0
    }
}

impl Week {
    /// Every one of `hours`, in seconds after midnight, on every one of `days`, counted from Monday.
    pub(super) fn of(days: &[i64], hours: &[i64]) -> Self {
        let mut times: Vec<i64> =
            days.iter().flat_map(|day| hours.iter().map(move |at| day * DAY + at)).collect();
        times.sort_unstable();
        times.dedup();
        Self(times)
    }

    /// The times of a week that some of `stamps` have.
    pub(super) fn of_stamps(stamps: &[i64]) -> Self {
        let mut times: Vec<i64> = stamps.iter().map(|stamp| place(*stamp).1).collect();
        times.sort_unstable();
        times.dedup();
        Self(times)
    }

    /// How many times it has.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Times of a day, if every day that has any has as many.
    pub(super) fn of_a_day(&self) -> Option<usize> {
        let days = self.days();
        let of = |day: &i64| self.0.iter().filter(|at| *at / DAY == *day).count();
        let first = days.first().map(of)?;
        days.iter().all(|day| of(day) == first).then_some(first)
    }

    /// Whether several times lie in one day.
    pub(super) fn is_within_a_day(&self) -> bool {
        self.days().len() < self.count()
    }

    /// The stamp `ahead` times after `start`, which is one of its times.
    pub(super) fn at(&self, start: i64, ahead: i64) -> i64 {
        let (monday, within) = place(start);
        let first = self.0.partition_point(|at| *at < within) as i64;
        let (count, row) = (self.0.len() as i64, first.saturating_add(ahead));
        let weeks = row.div_euclid(count).saturating_mul(WEEK);
        monday.saturating_add(weeks).saturating_add(self.0[row.rem_euclid(count) as usize])
    }

    /// How many times lie between `start` and `stamp`, if `stamp` is one of them.
    pub(super) fn rows_between(&self, start: i64, stamp: i64) -> Option<i64> {
        let row = |stamp: i64| {
            let (monday, within) = place(stamp);
            let at = self.0.binary_search(&within).ok()? as i64;
            Some(monday.div_euclid(WEEK) * self.0.len() as i64 + at)
        };
        Some(row(stamp)? - row(start)?)
    }

    fn days(&self) -> Vec<i64> {
        let mut days: Vec<i64> = self.0.iter().map(|at| at / DAY).collect();
        days.dedup();
        days
    }
}

/// Midnight of the Monday before `stamp`, and the seconds since.
fn place(stamp: i64) -> (i64, i64) {
    let within = stamp.saturating_add(MONDAY).rem_euclid(WEEK);
    (stamp.saturating_sub(within), within)
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.days();
        let name = |day: &i64| {
            let day = u8::try_from(*day).ok().and_then(|day| Weekday::try_from(day).ok());
            day.map_or(String::new(), |day| day.to_string())
        };
        let is_run = days.windows(2).all(|pair| pair[1] == pair[0] + 1);
        match &days[..] {
            [first, .., last] if is_run && days.len() > 2 => write!(f, "{} to {}", name(first), name(last))?,
            _ => f.write_str(&days.iter().map(name).collect::<Vec<_>>().join(", "))?,
        }
        let hours: Vec<i64> = self.0.iter().map(|at| at % DAY).collect();
        match (hours.iter().min(), hours.iter().max()) {
            (Some(first), Some(last)) if first < last => {
                let clock = |at: &i64| format!("{:02}:{:02}", at / 3600, at / 60 % 60);
                write!(f, ", {} to {}", clock(first), clock(last))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_time_of_a_week_is_followed_by_the_next() {
        // 1970-01-05 was a Monday.
        let monday = 4 * DAY;
        let saturdays = Week::of(&[0, 1, 2, 3, 4, 5], &[0]);
        assert_eq!([0, 5, 6, 12].map(|k| (saturdays.at(monday, k) - monday) / DAY), [0, 5, 7, 14]);
        assert_eq!(saturdays.rows_between(monday, monday + 14 * DAY), Some(12));
        assert_eq!(saturdays.rows_between(monday, monday + 6 * DAY), None);
        let trading = Week::of(&[0, 1, 2, 3, 4], &[34_200, 36_000]);
        let start = monday - 3 * DAY + 36_000;
        assert_eq!(trading.at(start, 1), monday + 34_200, "after Friday comes Monday");
        assert!((0..100).all(|k| trading.rows_between(start, trading.at(start, k)) == Some(k)));
        assert_eq!((trading.of_a_day(), trading.count()), (Some(2), 10));
    }

    #[test]
    fn a_week_is_said_in_words_and_survives_a_round_trip() {
        let trading = Week::of(&[0, 1, 2, 3, 4], &[34_200, 57_600]);
        assert_eq!(trading.to_string(), "Mon to Fri, 09:30 to 16:00");
        assert_eq!(Week::of(&[0, 2, 4], &[0]).to_string(), "Mon, Wed, Fri");
        assert_eq!(Week::try_from(Vec::from(trading.clone())), Ok(trading));
        assert!(Week::try_from(vec![5, 3]).is_err() && Week::try_from(vec![]).is_err());
    }
}
