//! What lies between one row of a series and the next.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::frequency::Frequency;
use super::week::Week;

pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 24 * HOUR;

/// What lies between one row and the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// So many seconds.
    Seconds(i64),
    /// Monday to Friday.
    BusinessDays,
    /// So many months of the calendar; from the last day of a month to the last day of another.
    Months(u32),
    /// From one time of a week to the next, the same in every week: Monday to Saturday, or the hours of trading.
    Weekly(Week),
    /// So much on a scale without a calendar.
    Counts(i64),
}

impl Step {
    /// The step people write as `H`, `15min`, `D`, `B`, `W`, `M`, `Q` or `Y`, with or without a number before it, as
    /// pandas spells them now or did before.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::named(name).ok()
    }

    /// As [`of_name`](Self::of_name).
    ///
    /// # Errors
    /// Words to stand behind the name of what was set: that it must be a step, or may be two.
    pub fn named(name: &str) -> Result<Self, String> {
        Frequency::of_name(name).map(|frequency| frequency.step)
    }

    /// Whether it leads on, and not back or nowhere.
    pub fn leads_on(&self) -> bool {
        match self {
            Self::Seconds(step) | Self::Counts(step) => *step > 0,
            Self::Months(step) => *step > 0,
            Self::BusinessDays | Self::Weekly(_) => true,
        }
    }

    /// Whether several rows may lie in one day.
    pub(super) fn is_within_a_day(&self) -> bool {
        match self {
            Self::Seconds(step) => *step < DAY,
            Self::Weekly(week) => week.is_within_a_day(),
            Self::BusinessDays | Self::Months(_) | Self::Counts(_) => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(7 * DAY, "week"), (DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
        match self {
            Self::Seconds(step) => {
                let (of_one, unit) = units.into_iter().find(|(size, _)| step % size == 0).unwrap_or(units[4]);
                counted(f, step / of_one, unit)
            }
            Self::Months(step) => {
                let (of_one, unit) = match step {
                    step if step % 12 == 0 => (12, "year"),
                    step if step % 3 == 0 => (3, "quarter"),
                    _ => (1, "month"),
                };
                counted(f, i64::from(step / of_one), unit)
            }
            Self::BusinessDays => write!(f, "Monday to Friday"),
            Self::Weekly(week) => write!(f, "{week}"),
            Self::Counts(step) => write!(f, "{step} without a calendar"),
        }
    }
}

fn counted(f: &mut fmt::Formatter<'_>, count: i64, unit: &str) -> fmt::Result {
    write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn steps_are_said_in_words() {
        let said = |name: &str| Step::of_name(name).unwrap().to_string();
        assert_eq!(
            ["h", "15min", "D", "2W", "QE", "YE", "B", "90s"].map(said),
            [
                "1 hour",
                "15 minutes",
                "1 day",
                "2 weeks",
                "1 quarter",
                "1 year",
                "Monday to Friday",
                "90 seconds"
            ]
        );
    }
}
