//! Steps in time as pandas and GluonTS name them, with the day they fall on.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::month::{DayOfMonth, is_working};
use super::step::{DAY, Step};
use super::week::Week;

/// What a name says of the step and of the days it falls on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frequency {
    pub(super) step: Step,
    /// The day it falls on, where the name tells.
    pub(super) anchor: Option<Anchor>,
}

/// The day that a period is written by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    /// The day of the week.
    Weekday(Weekday),
    /// One of Monday to Friday.
    WorkingDay,
    /// A day of the first or last month of a period of so many months, which ends in the month of this number.
    Month { months: u32, is_first: bool, ends_in: u32, day: DayOfMonth },
}

/// What can be asked for.
pub(super) const KNOWN: &str = "s, min, h, D, B, W (W-WED), M (MS, ME, BME), Q (QS, QE) or Y (YS, YE), with a number \
                                before it as in 15min";

impl Frequency {
    /// The step called `name`.
    ///
    /// # Errors
    /// Words about a name that is none, or may mean two steps.
    pub(super) fn of_name(name: &str) -> Result<Self, String> {
        let (count, unit) = counted(name.trim()).ok_or_else(|| format!("must be {KNOWN}, got {name:?}"))?;
        if unit == "m" {
            return Err(format!("{name:?} may be minutes or months: write {count}min or {count}M"));
        }
        if ["ms", "milli", "L", "l", "us", "U", "u", "ns", "N", "n"].contains(&unit) {
            return Err(format!("{name:?} is less than a second (count with whole numbers instead)"));
        }
        Self::of_unit(count, unit).ok_or_else(|| format!("must be {KNOWN}, got {name:?}"))
    }

    fn of_unit(count: i64, unit: &str) -> Option<Self> {
        let (base, anchor) = unit.split_once('-').map_or((unit, None), |(base, anchor)| (base, Some(anchor)));
        // Capitals tell MS, the start of a month, from ms.
        let base = if base.len() <= 4 { base.to_ascii_uppercase() } else { base.to_ascii_lowercase() };
        let of = |step: Option<Step>| step.map(|step| Self { step, anchor: None });
        let seconds = |of_one: i64| of(count.checked_mul(of_one).map(Step::Seconds));
        match base.as_str() {
            "S" | "SEC" | "second" | "seconds" | "secondly" => seconds(1),
            "T" | "MIN" | "MINS" | "minute" | "minutes" | "minutely" => seconds(60),
            "H" | "HOUR" | "hours" | "hourly" => seconds(3600),
            "D" | "DAY" | "DAYS" | "daily" => seconds(DAY),
            "W" | "WEEK" | "weeks" | "weekly" => {
                let weekday = anchor.map(|day| day.parse::<Weekday>()).transpose().ok()?;
                let step = count.checked_mul(7 * DAY).map(Step::Seconds)?;
                Some(Self { step, anchor: weekday.map(Anchor::Weekday) })
            }
            "B" | "C" if count == 1 => {
                Some(Self { step: Step::BusinessDays, anchor: Some(Anchor::WorkingDay) })
            }
            "BH" | "CBH" if count == 1 => {
                let hours: Vec<i64> = (9..17).map(|hour| hour * 3600).collect();
                of(Some(Step::Weekly(Week::of(&[0, 1, 2, 3, 4], &hours))))
            }
            _ => months(count, &base, anchor),
        }
    }

    /// The first day of this kind that stands for the period `day` lies in.
    pub(super) fn rolled(&self, day: NaiveDate) -> Option<NaiveDate> {
        match self.anchor {
            None => Some(day),
            Some(Anchor::Weekday(weekday)) => {
                let ahead = (7 + weekday.num_days_from_monday() - day.weekday().num_days_from_monday()) % 7;
                day.checked_add_days(Days::new(u64::from(ahead)))
            }
            Some(Anchor::WorkingDay) => {
                (0..3).find_map(|ahead| day.checked_add_days(Days::new(ahead)).filter(|day| is_working(*day)))
            }
            Some(Anchor::Month { months, is_first, ends_in, day: kind }) => {
                let left = (12 + ends_in - day.month()) % months;
                let first = day.with_day(1)?.checked_sub_months(chrono::Months::new(months - 1 - left))?;
                kind.after(first, if is_first { 0 } else { months - 1 })
            }
        }
    }
}

/// The number in front, 1 if there is none, and what it counts.
fn counted(name: &str) -> Option<(i64, &str)> {
    let at = name.find(|c: char| !c.is_ascii_digit())?;
    let count = if at == 0 { 1 } else { name[..at].parse().ok()? };
    let unit = name[at..].trim_start_matches(['_', ' ']);
    match unit.strip_prefix("half").map(|rest| rest.trim_start_matches(['_', '-', ' '])) {
        Some("hourly" | "hour") if count == 1 => Some((30, "min")),
        _ => (count > 0).then_some((count, unit)),
    }
}

/// Months, quarters and years, by their first or last days.
fn months(count: i64, base: &str, anchor: Option<&str>) -> Option<Frequency> {
    use DayOfMonth::{FirstWorking, LastWorking, Number};
    let (of_one, day) = match base {
        "M" | "MONTH" | "months" | "monthly" => (1, None),
        "ME" => (1, Some((false, Number(31)))),
        "MS" => (1, Some((true, Number(1)))),
        "BM" | "BME" | "CBM" | "CBME" => (1, Some((false, LastWorking))),
        "BMS" | "CBMS" => (1, Some((true, FirstWorking))),
        "Q" | "quarter" | "quarters" | "quarterly" => (3, None),
        "QE" => (3, Some((false, Number(31)))),
        "QS" => (3, Some((true, Number(1)))),
        "BQ" | "BQE" => (3, Some((false, LastWorking))),
        "BQS" => (3, Some((true, FirstWorking))),
        "A" | "Y" | "YEAR" | "years" | "yearly" => (12, None),
        "YE" => (12, Some((false, Number(31)))),
        "AS" | "YS" => (12, Some((true, Number(1)))),
        "BA" | "BY" | "BYE" => (12, Some((false, LastWorking))),
        "BAS" | "BYS" => (12, Some((true, FirstWorking))),
        _ => return None,
    };
    let month = |name: &str| name.parse::<chrono::Month>().ok().map(|month| month.number_from_month());
    let named = match anchor {
        Some(name) => Some(month(name).filter(|_| of_one > 1)?),
        None => None,
    };
    // A name of old, as A-DEC, means last days; one of first days names its first month.
    let day = day.or(named.map(|_| (false, Number(31))));
    let anchor = day.map(|(is_first, day)| {
        let ends_in = named.map_or(12, |month| if is_first { (month + of_one + 10) % 12 + 1 } else { month });
        Anchor::Month { months: of_one, is_first, ends_in, day }
    });
    let step = u32::try_from(count).ok().and_then(|count| count.checked_mul(of_one)).map(Step::Months)?;
    Some(Frequency { step, anchor })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rolled(name: &str) -> String {
        Frequency::of_name(name).unwrap().rolled("2015-01-07".parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn steps_have_old_and_new_names() {
        for (names, step) in [
            (&["h", "H", "1H", "hourly"][..], Step::Seconds(3600)),
            (&["30T", "30min", "half_hourly", "30 minutes"], Step::Seconds(1800)),
            (&["W", "W-WED", "weekly"], Step::Seconds(7 * DAY)),
            (&["B", "C"], Step::BusinessDays),
            (&["M", "MS", "ME", "BM", "BME", "monthly"], Step::Months(1)),
            (&["Q", "QS", "QE-DEC", "Q-MAR", "BQE"], Step::Months(3)),
            (&["A-DEC", "YE", "Y", "AS", "YS-APR", "yearly"], Step::Months(12)),
            (&["10_minutes"], Step::Seconds(600)),
        ] {
            assert!(names.iter().all(|name| Step::of_name(name) == Some(step.clone())), "{names:?}");
        }
    }

    #[test]
    fn a_start_is_moved_to_the_day_that_the_name_tells() {
        // As `pandas.Period` and `pandas.tseries.offsets` place 7 January 2015, a Wednesday.
        let cases = [
            ("D", "2015-01-07"),
            ("W", "2015-01-07"),
            ("W-WED", "2015-01-07"),
            ("W-TUE", "2015-01-13"),
            ("ME", "2015-01-31"),
            ("MS", "2015-01-01"),
            ("BME", "2015-01-30"),
            ("QS", "2015-01-01"),
            ("QE", "2015-03-31"),
            ("QE-JAN", "2015-01-31"),
            ("QS-FEB", "2014-11-01"),
            ("A-DEC", "2015-12-31"),
            ("YE-MAR", "2015-03-31"),
            ("YS-APR", "2014-04-01"),
            ("M", "2015-01-07"),
        ];
        for (name, day) in cases {
            assert_eq!(rolled(name), day, "{name}");
        }
    }

    #[test]
    fn what_is_no_step_or_two_is_said() {
        let refused = |name: &str| Frequency::of_name(name).unwrap_err();
        assert!(refused("15m").contains("write 15min or 15M"));
        assert!(refused("5ms").contains("less than a second"));
        for name in ["soon", "", "15", "0D", "W-XXX", "M-DEC", "2B", "9999999999999999999D", "SM"] {
            assert!(refused(name).contains("must be s, min"), "{name}");
        }
    }
}
