//! The regular clock on which the times of a file lie: a step, a day of the months, or a pattern of the week.

use std::collections::{BTreeSet, HashMap};

use super::clock::Clock;
use super::month::DayOfMonth;
use super::scale::Scale;
use super::step::{DAY, Step};
use super::week::Week;
use super::zone::date;

/// A time of the week at which nothing came was due at least so often, or it may be chance.
const LEAST_DUE: usize = 2;

/// The chance that gaps make a pattern where there is none, at most.
const CHANCE: f64 = 1e-3;

/// Shares of a pattern's times that are there, at least.
const LEAST_THERE: f64 = 0.5;

/// The regular clock on which all of `stamps` lie, which rise; none if there is no such clock.
pub(super) fn fitted(stamps: &[i64], scale: Scale) -> Option<Clock> {
    let start = *stamps.first()?;
    let usual = usual_step(stamps)?;
    let of = |step: Step| Clock::on(scale, start, step);
    let fits = |clock: &Clock| stamps.iter().all(|t| clock.index_of(*t).is_some());
    if scale == Scale::Counts {
        return Some(of(Step::Counts(usual))).filter(fits);
    }
    if usual >= 28 * DAY
        && let Some(clock) = in_months(stamps, scale)
    {
        return Some(clock);
    }
    if let Some(week) = pattern(stamps, usual) {
        let is_business = week == Week::of(&[0, 1, 2, 3, 4], &[start.rem_euclid(DAY)]);
        let clock = of(if is_business { Step::BusinessDays } else { Step::Weekly(week) });
        if fits(&clock) {
            return Some(clock);
        }
    }
    Some(of(Step::Seconds(usual))).filter(fits)
}

/// The clock of `step` on which all of `stamps` lie, which rise; none if they do not.
pub(super) fn with_step(stamps: &[i64], step: &Step, scale: Scale) -> Option<Clock> {
    let clock = Clock::on(scale, *stamps.first()?, step.clone());
    let days: Vec<_> = stamps.iter().map(|stamp| date(*stamp).date()).collect();
    let clock = match step {
        Step::Months(_) => clock.falling_on(DayOfMonth::of_all(&days)?),
        _ => clock,
    };
    stamps.iter().all(|t| clock.index_of(*t).is_some()).then_some(clock)
}

/// Whether all of `stamps` have one time of day.
fn is_daily(stamps: &[i64]) -> bool {
    stamps.windows(2).all(|pair| pair[0].rem_euclid(DAY) == pair[1].rem_euclid(DAY))
}

fn in_months(stamps: &[i64], scale: Scale) -> Option<Clock> {
    is_daily(stamps).then_some(())?;
    [12, 6, 3, 2, 1].into_iter().find_map(|step| with_step(stamps, &Step::Months(step), scale))
}

/// The most frequent difference of neighbours, the shorter of two.
pub(super) fn usual_step(stamps: &[i64]) -> Option<i64> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    stamps.windows(2).for_each(|pair| *counts.entry(pair[1] - pair[0]).or_default() += 1);
    counts.into_iter().max_by_key(|(step, count)| (*count, -step)).map(|(step, _)| step)
}

/// The times of a week at which `stamps` lie, if at others, one unit of time apart, nothing ever comes.
fn pattern(stamps: &[i64], usual: i64) -> Option<Week> {
    // The longest time that all steps and a day are whole numbers of.
    let unit = stamps.windows(2).fold(DAY, |unit, pair| greatest_common_divisor(unit, pair[1] - pair[0]));
    if usual >= 7 * DAY {
        return None;
    }
    let hours: Vec<i64> = distinct(stamps.iter().map(|t| t.rem_euclid(DAY)));
    let days: Vec<i64> = distinct(stamps.iter().map(|t| (t.div_euclid(DAY) + 3).rem_euclid(7)));
    let observed: Vec<i64> = distinct(stamps.iter().map(|t| t.div_euclid(DAY)));
    let weeks = ((stamps[stamps.len() - 1] - stamps[0]) / (7 * DAY)) as usize;
    // Where a week's days differ, as with half a Saturday, every time of the week counts for itself.
    let exact = Week::of_stamps(stamps);
    let is_own = weeks >= LEAST_DUE && exact.count() < hours.len() * days.len();
    let within_week = |t: &i64| (t + 3 * DAY).rem_euclid(7 * DAY);
    if is_own && is_followed(&exact, stamps, weeks, unit) && come_again(stamps.iter().map(within_week), weeks)
    {
        return Some(exact);
    }
    // Nights are left out on every day, and some days in every week.
    let lacks_hours = hours.len() < (DAY / unit) as usize && observed.len() > LEAST_DUE;
    let lacks_days = days.len() < 7 && weeks >= if days == [0, 1, 2, 3, 4] { 1 } else { LEAST_DUE };
    let hours_come_again = come_again(stamps.iter().map(|t| t.rem_euclid(DAY)), observed.len());
    let days_come_again =
        !lacks_days || come_again(observed.iter().map(|day| (day + 3).rem_euclid(7)), weeks);
    if (!lacks_hours && !lacks_days) || !hours_come_again || !days_come_again {
        return None;
    }
    let kept = if lacks_days { days } else { (0..7).collect() };
    let due = if lacks_hours { observed.len() } else { weeks };
    Some(Week::of(&kept, &hours)).filter(|week| is_followed(week, stamps, due, unit))
}

/// Whether each of `times` comes on at least half of the `due` occasions: what came once is a slip and no pattern.
fn come_again(times: impl Iterator<Item = i64>, due: usize) -> bool {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    times.for_each(|time| *counts.entry(time).or_default() += 1);
    counts.values().all(|count| 2 * count >= due)
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Whether so many of the times of `week` are there that it cannot be by chance that at no other there is any.
fn is_followed(week: &Week, stamps: &[i64], due: usize, unit: i64) -> bool {
    let last = stamps[stamps.len() - 1];
    let Some(rows) = week.rows_between(stamps[0], last) else { return false };
    let there = stamps.len() as f64 / (rows + 1) as f64;
    let others = ((7 * DAY / unit) as usize).saturating_sub(week.count());
    let chance = others as f64 * (1.0 - there).max(0.0).powi(i32::try_from(due).unwrap_or(i32::MAX));
    others > 0 && there >= LEAST_THERE && chance <= CHANCE
}

fn distinct(values: impl Iterator<Item = i64>) -> Vec<i64> {
    values.collect::<BTreeSet<i64>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::date::seconds_of;
    use super::super::step::HOUR;
    use super::super::zone::Zone;
    use super::*;

    const MONDAY: i64 = 4 * DAY;

    fn fit(stamps: &[i64]) -> Option<Clock> {
        fitted(stamps, Scale::Wall(Zone::Unsaid))
    }

    fn step(stamps: &[i64]) -> Option<Step> {
        fit(stamps).map(|clock| clock.step().clone())
    }

    fn days(count: i64, keeps: impl Fn(i64) -> bool) -> Vec<i64> {
        (0..count).filter(|day| keeps(day % 7)).map(|day| MONDAY + day * DAY).collect()
    }

    #[test]
    fn a_series_of_working_days_is_a_clock() {
        assert_eq!(step(&days(30, |day| day < 5)), Some(Step::BusinessDays));
        let mut holidays = days(365, |day| day < 5);
        holidays.remove(100);
        holidays.remove(31);
        assert_eq!(step(&holidays), Some(Step::BusinessDays));
    }

    #[test]
    fn days_of_the_week_that_never_come_are_no_times_of_the_series() {
        let monday_to_saturday = fit(&days(60, |day| day != 6)).unwrap();
        assert_eq!(monday_to_saturday.step().to_string(), "Mon to Sat");
        assert_eq!(monday_to_saturday.label(6), "1970-01-12", "Saturday is followed by Monday");
        assert_eq!(
            step(&days(60, |day| day == 0 || day == 2 || day == 4)).unwrap().to_string(),
            "Mon, Wed, Fri"
        );
        assert_eq!(step(&days(60, |_| true)), Some(Step::Seconds(DAY)));
        // One Sunday left out is a gap and no pattern.
        assert_eq!(step(&days(12, |day| day != 6)), Some(Step::Seconds(DAY)));
    }

    #[test]
    fn hours_of_trading_are_a_clock() {
        let trading: Vec<i64> = days(40, |day| day < 5)
            .iter()
            .flat_map(|day| (0..14).map(move |k| day + 9 * HOUR + HOUR / 2 + k * HOUR / 2))
            .collect();
        let clock = fit(&trading).unwrap();
        assert_eq!(clock.step().to_string(), "Mon to Fri, 09:30 to 16:00");
        assert_eq!(
            (clock.label(13), clock.label(14)),
            ("1970-01-05 16:00:00".into(), "1970-01-06 09:30:00".into())
        );
        let half_saturdays: Vec<i64> = days(60, |day| day < 6)
            .iter()
            .flat_map(|day| {
                (8..if (day - MONDAY) / DAY % 7 == 5 { 12 } else { 17 }).map(move |hour| day + hour * HOUR)
            })
            .collect();
        assert_eq!(fit(&half_saturdays).unwrap().rows_of_a_week(), 5 * 9 + 4);
    }

    #[test]
    fn times_of_day_at_unequal_distances_are_a_clock() {
        let shifts: Vec<i64> =
            days(30, |_| true).iter().flat_map(|day| [6, 14, 19].map(|hour| day + hour * HOUR)).collect();
        let clock = fit(&shifts).unwrap();
        assert_eq!(
            (clock.label(2), clock.label(3)),
            ("1970-01-05 19:00:00".into(), "1970-01-06 06:00:00".into())
        );
    }

    #[test]
    fn gaps_by_chance_are_no_pattern() {
        let mut hours: Vec<i64> = (0..24 * 15).map(|k| MONDAY + k * HOUR).collect();
        hours.retain(|t| (t / HOUR) % 13 != 5);
        assert_eq!(step(&hours), Some(Step::Seconds(HOUR)));
        hours.retain(|t| !(MONDAY + 3 * DAY..MONDAY + 8 * DAY).contains(t));
        assert_eq!(step(&hours), Some(Step::Seconds(HOUR)));
    }

    #[test]
    fn weeks_and_days_of_months_are_clocks() {
        let tuesdays: Vec<i64> = (0..20).map(|k| MONDAY + DAY + k * 7 * DAY).collect();
        assert_eq!(step(&tuesdays), Some(Step::Seconds(7 * DAY)));
        let of = |texts: &[&str]| {
            let at = |text: &&str| seconds_of(text.parse().unwrap()).unwrap();
            fit(&texts.iter().map(at).collect::<Vec<i64>>())
                .map(|clock| (clock.step().clone(), clock.label(texts.len())))
        };
        assert_eq!(
            of(&["2008-01-30", "2008-02-29", "2008-03-30"]),
            Some((Step::Months(1), "2008-04-30".into()))
        );
        assert_eq!(
            of(&["2023-02-28", "2023-03-30", "2023-04-30"]),
            Some((Step::Months(1), "2023-05-30".into()))
        );
        assert_eq!(
            of(&["2022-09-30", "2022-12-31", "2023-03-31"]),
            Some((Step::Months(3), "2023-06-30".into()))
        );
        assert_eq!(
            of(&["2019-02-28", "2020-02-29", "2021-02-28"]),
            Some((Step::Months(12), "2022-02-28".into()))
        );
        assert_eq!(
            of(&["2024-03-29", "2024-04-30", "2024-05-31", "2024-06-28"]),
            Some((Step::Months(1), "2024-07-31".into()))
        );
        assert_eq!(
            of(&["2024-01-31", "2024-02-29", "2024-03-31", "2024-05-31"]),
            Some((Step::Months(1), "2024-05-31".into()))
        );
    }

    #[test]
    fn times_that_follow_nothing_are_no_clock() {
        assert_eq!(step(&[MONDAY, MONDAY + DAY, MONDAY + 2 * DAY, MONDAY + 2 * DAY + 1020]), None);
        let mut slip: Vec<i64> = (0..24 * 29).map(|k| MONDAY + k * HOUR).collect();
        slip.push(slip[slip.len() - 1] + 17 * 60);
        assert_eq!(step(&slip), None, "one time between the hours");
        assert_eq!(fitted(&[3, 5, 9], Scale::Counts).unwrap().step(), &Step::Counts(2));
    }
}
