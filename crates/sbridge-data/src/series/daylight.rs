//! Traces of daylight saving time in times without an offset: an hour that comes twice, one that is left out.

use chrono::{Datelike, NaiveDateTime, Timelike, Weekday};

use super::step::HOUR;
use super::zone::date;

/// What to do about an hour that comes twice.
pub(super) const WHERE: &str =
    "say where the clock stands, as with --zone Europe/Berlin or --zone America/New_York";

/// What to do about an hour left out.
pub(super) const WHERE_IF_ANYWHERE: &str =
    "say where the clock stands, as with --zone Europe/Berlin, or --zone UTC if it is never turned";

/// Words about times that come `twice`, if they all lie in the early hours of a Sunday of autumn, as where clocks are
/// turned back.
pub(super) fn turned_back(twice: &[i64]) -> Option<String> {
    let times: Vec<NaiveDateTime> = twice.iter().map(|stamp| date(*stamp)).collect();
    let first = times.first()?;
    times.iter().all(|at| at.hour() > 0 && is_turn(at)).then(|| {
        let at = first.format("%Y-%m-%d %H:%M");
        format!("{at} comes twice, as where clocks are turned back from daylight saving time")
    })
}

/// Words about the times left out between the neighbours `last` and `next`, one `step` apart otherwise, if they are an hour
/// of a night from Saturday to Sunday in spring, as where clocks are put forward.
pub(super) fn put_forward(last: i64, next: i64, step: i64) -> Option<String> {
    let first = date(last + step);
    let is_hour = step <= HOUR && next - last == HOUR + step;
    let is_shifted = step > HOUR && (next - last - step).abs() == HOUR;
    let is_near = date(last).date().iter_days().take(2).any(|day| day.weekday() == Weekday::Sun);
    let is_change = is_near && TURNS.contains(&first.month());
    ((is_hour && is_turn(&first)) || (is_shifted && is_change)).then(|| {
        let at = first.format("%Y-%m-%d %H:%M");
        format!("{at} is left out, as where clocks are put forward to daylight saving time")
    })
}

/// Months in which clocks are turned somewhere.
const TURNS: [u32; 5] = [3, 4, 9, 10, 11];

/// Whether clocks are turned somewhere at such a time: in the night to a Sunday, in spring or autumn.
fn is_turn(at: &NaiveDateTime) -> bool {
    at.hour() < 4 && at.weekday() == Weekday::Sun && TURNS.contains(&at.month())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp()
    }

    #[test]
    fn an_hour_that_comes_twice_in_a_night_is_daylight_saving_time() {
        assert!(turned_back(&[at("2022-10-30 02:00")]).unwrap().contains("2022-10-30 02:00 comes twice"));
        assert!(turned_back(&[at("2021-10-31 02:00"), at("2022-10-30 02:00")]).is_some());
        assert!(turned_back(&[at("2022-10-30 12:00")]).is_none());
        assert!(
            turned_back(&[at("2022-01-01 00:00"), at("2022-01-02 00:00"), at("2022-01-03 00:00")]).is_none()
        );
    }

    #[test]
    fn an_hour_left_out_on_a_sunday_in_spring_is_daylight_saving_time() {
        let hours = |last: &str, next: &str, step: i64| put_forward(at(last), at(next), step);
        assert!(
            hours("2022-03-27 01:00", "2022-03-27 03:00", HOUR)
                .unwrap()
                .contains("2022-03-27 02:00 is left out")
        );
        assert!(hours("2022-03-27 01:45", "2022-03-27 03:00", HOUR / 4).is_some());
        assert!(hours("2022-03-26 18:00", "2022-03-27 01:00", 6 * HOUR).is_some());
        assert!(hours("2022-03-26 01:00", "2022-03-26 03:00", HOUR).is_none(), "a Saturday");
        assert!(hours("2022-03-27 01:00", "2022-03-27 04:00", HOUR).is_none(), "two hours");
        assert!(hours("2022-06-26 01:00", "2022-06-26 03:00", HOUR).is_none(), "in June");
    }
}
