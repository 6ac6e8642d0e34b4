//! Which day of a month a series of months, quarters or years falls on.

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

/// The day of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayOfMonth {
    /// The day of this number, or the last one of a shorter month; 31 is the last of every month.
    Number(u32),
    /// The first of Monday to Friday.
    FirstWorking,
    /// The last of Monday to Friday.
    LastWorking,
    /// The day of the week that comes for this time in the month.
    Nth(u32, Weekday),
    /// The last such day of the week.
    Last(Weekday),
}

impl DayOfMonth {
    /// What one day tells: its number, or that it is the last of its month.
    pub(super) fn of(day: NaiveDate) -> Self {
        Self::Number(if is_month_end(day) { 31 } else { day.day() })
    }

    /// What all of `days` have in common, the plainest first; none if nothing.
    pub(super) fn of_all(days: &[NaiveDate]) -> Option<Self> {
        let first = *days.first()?;
        let highest = days.iter().map(|day| day.day()).max()?;
        // Where no month is longer than the last day of a February, all that is known is that months end there.
        let number = if days.iter().all(|day| is_month_end(*day)) { 31 } else { highest };
        let week = (first.day() - 1) / 7 + 1;
        let plain = [
            Self::Number(number),
            Self::LastWorking,
            Self::FirstWorking,
            Self::Nth(week, first.weekday()),
            Self::Last(first.weekday()),
        ];
        plain.into_iter().find(|kind| days.iter().all(|day| kind.within(*day) == Some(*day)))
    }

    /// The day of this kind in the month of `day`.
    pub(super) fn within(self, day: NaiveDate) -> Option<NaiveDate> {
        let length = u32::from(day.num_days_in_month());
        let at = |number: u32| day.with_day(number);
        match self {
            Self::Number(number) => at(number.min(length)),
            Self::FirstWorking => (1..=3).filter_map(at).find(|day| is_working(*day)),
            Self::LastWorking => (length - 2..=length).rev().filter_map(at).find(|day| is_working(*day)),
            Self::Nth(week, weekday) => NaiveDate::from_weekday_of_month_opt(
                day.year(),
                day.month(),
                weekday,
                u8::try_from(week).ok()?,
            ),
            Self::Last(weekday) => (length - 6..=length).filter_map(at).find(|day| day.weekday() == weekday),
        }
    }

    /// The day of this kind `months` after the month of `day`.
    pub(super) fn after(self, day: NaiveDate, months: u32) -> Option<NaiveDate> {
        self.within(day.with_day(1)?.checked_add_months(Months::new(months))?)
    }
}

fn is_month_end(day: NaiveDate) -> bool {
    day.checked_add_days(Days::new(1)).is_none_or(|next| next.day() == 1)
}

pub(super) fn is_working(day: NaiveDate) -> bool {
    day.weekday().num_days_from_monday() < 5
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn common(days: &[&str]) -> Option<DayOfMonth> {
        DayOfMonth::of_all(&days.iter().map(|day| day.parse().unwrap()).collect::<Vec<NaiveDate>>())
    }

    #[test]
    fn the_day_that_months_have_in_common_is_found() {
        assert_eq!(common(&["2024-01-31", "2024-02-29", "2024-04-30"]), Some(DayOfMonth::Number(31)));
        assert_eq!(common(&["2023-02-28", "2023-03-30", "2023-04-30"]), Some(DayOfMonth::Number(30)));
        assert_eq!(common(&["2021-02-28", "2022-02-28", "2024-02-29"]), Some(DayOfMonth::Number(31)));
        assert_eq!(
            common(&["2024-03-29", "2024-04-30", "2024-05-31", "2024-06-28"]),
            Some(DayOfMonth::LastWorking)
        );
        assert_eq!(common(&["2024-06-03", "2024-07-01", "2024-08-01"]), Some(DayOfMonth::FirstWorking));
        assert_eq!(
            common(&["2024-03-15", "2024-04-19", "2024-05-17"]),
            Some(DayOfMonth::Nth(3, Weekday::Fri))
        );
        assert_eq!(common(&["2024-03-03", "2024-04-19", "2024-05-17"]), None);
    }

    #[test]
    fn months_go_on_from_a_short_one() {
        let february: NaiveDate = "2023-02-28".parse().unwrap();
        let after = |kind: DayOfMonth, months| kind.after(february, months).unwrap().to_string();
        assert_eq!([1, 2].map(|k| after(DayOfMonth::Number(30), k)), ["2023-03-30", "2023-04-30"]);
        assert_eq!([1, 12].map(|k| after(DayOfMonth::of(february), k)), ["2023-03-31", "2024-02-29"]);
        assert_eq!(after(DayOfMonth::Last(Weekday::Fri), 1), "2023-03-31");
    }
}
