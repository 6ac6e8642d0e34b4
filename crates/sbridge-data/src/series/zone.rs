//! How far the clock of a series is ahead of UTC.

use chrono::{DateTime, NaiveDateTime, Offset as _, TimeZone as _};
use chrono_tz::{TZ_VARIANTS, Tz};

/// Where the clock of a series stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// It is not said.
    Unsaid,
    /// At UTC, written as `Z`.
    Universal,
    /// So many seconds ahead of UTC at all times.
    Fixed(i32),
    /// At a place, where it may be turned forward and back.
    Place(Tz),
}

/// Places whose customs many others share, asked first.
const USUAL: [Tz; 12] = [
    Tz::Europe__Berlin,
    Tz::Europe__London,
    Tz::Europe__Athens,
    Tz::America__New_York,
    Tz::America__Chicago,
    Tz::America__Denver,
    Tz::America__Los_Angeles,
    Tz::America__Halifax,
    Tz::Australia__Sydney,
    Tz::Australia__Adelaide,
    Tz::Pacific__Auckland,
    Tz::America__Santiago,
];

/// Seconds that clocks at `place` are ahead of UTC at the `universal` time.
pub(super) fn offset_at(place: Tz, universal: i64) -> i64 {
    i64::from(place.offset_from_utc_datetime(&date(universal)).fix().local_minus_utc())
}

/// A place whose clocks stand as those of `times`, pairs of a universal time and an offset.
pub(super) fn place_of(times: &[(i64, i32)]) -> Option<Tz> {
    let fits = |place: &Tz| times.iter().all(|(at, offset)| offset_at(*place, *at) == i64::from(*offset));
    USUAL.into_iter().chain(TZ_VARIANTS).find(fits)
}

/// The universal times at which clocks at `place` show `wall`: none, one, or two, the earlier first.
pub(super) fn universal_times(place: Tz, wall: i64) -> Vec<i64> {
    let found = place.offset_from_local_datetime(&date(wall));
    let mut times: Vec<i64> = [found.earliest(), found.latest()]
        .into_iter()
        .flatten()
        .map(|offset| wall - i64::from(offset.fix().local_minus_utc()))
        .collect();
    times.sort_unstable();
    times.dedup();
    times
}

/// `+02:00`
pub(super) fn shown_offset(seconds: i64) -> String {
    let (sign, size) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    format!("{sign}{:02}:{:02}", size / 3600, size / 60 % 60)
}

/// A stamp as date and time.
pub(super) fn date(stamp: i64) -> NaiveDateTime {
    DateTime::from_timestamp(stamp, 0).unwrap_or_default().naive_utc()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// 2022-10-30 01:00 UTC, when clocks in Berlin went from three back to two.
    const TURNED_BACK: i64 = 1_667_091_600;

    #[test]
    fn a_place_is_found_by_when_its_clocks_are_turned() {
        let berlin = [(TURNED_BACK - 1, 7200), (TURNED_BACK, 3600)];
        assert_eq!(place_of(&berlin), Some(Tz::Europe__Berlin));
        let new_york = [(1_667_714_400 - 1, -14_400), (1_667_714_400, -18_000)];
        assert_eq!(place_of(&new_york), Some(Tz::America__New_York));
        assert_eq!(place_of(&[(TURNED_BACK, 7200), (TURNED_BACK + 3600, 3600)]), None);
    }

    #[test]
    fn an_hour_of_autumn_comes_twice_and_one_of_spring_never() {
        let half_past_two = TURNED_BACK + 7200 - 1800;
        assert_eq!(
            universal_times(Tz::Europe__Berlin, half_past_two),
            [TURNED_BACK - 1800, TURNED_BACK + 1800]
        );
        // 2022-03-27 02:30
        assert!(universal_times(Tz::Europe__Berlin, 1_648_348_200).is_empty());
        assert_eq!((shown_offset(-12_600), shown_offset(7200)), ("-03:30".into(), "+02:00".into()));
    }
}
