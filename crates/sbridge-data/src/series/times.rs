//! A column of times: the order of their numbers, their offset from UTC, and the stamps they are.

use std::collections::HashMap;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::date::{DateOrder, ThreeNumbers, WrittenDate, WrittenTime, seconds_of, written, zone_in_letters};
use super::epoch::numbered;
use super::fitting::fitted;
use super::scale::{Notation, Scale};
use super::step::{DAY, Step};
use super::zone::{Zone, offset_at, place_of, universal_times};
use crate::shown::shown;

/// Times, and what they count.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) stamps: Vec<i64>,
    pub(super) scale: Scale,
    pub(super) notation: Notation,
    pub(super) notes: Vec<String>,
}

impl Times {
    /// Time number `at` as people write it.
    pub(super) fn label(&self, at: usize) -> String {
        let are_days = self.stamps.iter().all(|stamp| stamp % DAY == 0);
        self.scale.label(self.stamps[at], if are_days { Notation::Date } else { Notation::DateAndTime })
    }
}

/// What a user says of times beside what stands in the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) order: Option<DateOrder>,
    pub(super) place: Option<Tz>,
}

/// Why times cannot be read.
#[derive(Debug)]
pub(super) struct Refused {
    /// Which of them.
    pub(super) at: Option<usize>,
    pub(super) what: String,
    pub(super) fix: String,
}

impl Refused {
    fn at(at: usize, what: String, fix: impl Into<String>) -> Self {
        Self { at: Some(at), what, fix: fix.into() }
    }
}

/// What a time may look like.
pub(super) const EXAMPLES: &str = "write 2024-03-01 or 2024-03-01 12:00:00, or count with whole numbers";

/// Reads the times in `cells`, of which those with the same of `keys` are of one series.
///
/// # Errors
/// What cannot be read, or can be read in two ways.
pub(super) fn read(cells: &[&str], keys: Option<&[&str]>, told: Told) -> Result<Times, Refused> {
    if let Some(found) = numbered(cells) {
        let fix = "count them with a column of whole numbers, such as milliseconds, and name it with --time";
        let found = found.map_err(|what| Refused { at: None, what, fix: fix.into() })?;
        let scale = match (found.is_calendar, found.is_universal) {
            (false, _) => Scale::Counts,
            (true, true) => told.place.map_or(Scale::Wall(Zone::Universal), Scale::Universal),
            (true, false) => Scale::Wall(Zone::Unsaid),
        };
        let times = Times { stamps: found.stamps, scale, notation: Notation::Date, notes: vec![found.note] };
        return match (told.place, scale) {
            (Some(place), Scale::Wall(Zone::Unsaid)) => at_place(times, place, cells, keys),
            _ => Ok(times),
        };
    }
    let parsed: Vec<WrittenTime> =
        cells.iter().enumerate().map(|(k, cell)| parse(k, cell)).collect::<Result<_, _>>()?;
    let mut notes = Vec::new();
    let days = days(cells, &parsed, told.order, &mut notes)?;
    let stamps = days.iter().zip(&parsed).map(|(day, time)| day + time.seconds).collect();
    let times = Times { stamps, scale: Scale::Wall(Zone::Unsaid), notation: notation(&parsed), notes };
    let offsets = offsets(cells, &parsed)?;
    match (offsets, told.place) {
        (None, None) => Ok(times),
        (None, Some(place)) => at_place(times, place, cells, keys),
        (Some(offsets), place) => with_offsets(times, &offsets, place, cells),
    }
}

fn parse(k: usize, cell: &str) -> Result<WrittenTime, Refused> {
    let what = format!("'{}' is no time", shown(cell));
    match written(cell) {
        Some(time) if time.has_fraction => Err(Refused::at(
            k,
            format!("'{}' has a part of a second, and steps of whole seconds are read", shown(cell)),
            "count them with a column of whole numbers, such as milliseconds, and name it with --time",
        )),
        Some(time) => Ok(time),
        None if zone_in_letters(cell).is_some() => Err(Refused::at(
            k,
            format!("'{}' names its zone by letters that several places share", shown(cell)),
            "write the offset instead, as +01:00, or leave the letters out and name the place with --zone",
        )),
        None if cell.is_empty() => {
            Err(Refused::at(k, "there is no time".into(), "write it, or remove the line"))
        }
        None => Err(Refused::at(k, what, EXAMPLES)),
    }
}

fn notation(parsed: &[WrittenTime]) -> Notation {
    match parsed.first().map(|time| &time.date) {
        Some(WrittenDate::Month(_))
            if parsed.iter().all(|time| matches!(time.date, WrittenDate::Month(_))) =>
        {
            Notation::Month
        }
        Some(WrittenDate::Quarter(_)) => Notation::Quarter,
        _ => Notation::Date,
    }
}

/// Midnights of the days.
fn days(
    cells: &[&str],
    parsed: &[WrittenTime],
    told: Option<DateOrder>,
    notes: &mut Vec<String>,
) -> Result<Vec<i64>, Refused> {
    let numbers: Vec<(usize, ThreeNumbers)> = parsed
        .iter()
        .enumerate()
        .filter_map(|(k, time)| match time.date {
            WrittenDate::Numbers(three) => Some((k, three)),
            _ => None,
        })
        .collect();
    let (order, why) = match numbers.first() {
        None => (DateOrder::YearFirst, ""),
        Some(_) => order_of(cells, parsed, &numbers, told)?,
    };
    if let Some((k, three)) = numbers.first() {
        let day = three.day(order).map_or(String::new(), |day| day.to_string());
        notes.push(format!("dates are read {}{why}: '{}' is {day}", order.name(), shown(cells[*k])));
    }
    let midnight = |(k, time): (usize, &WrittenTime)| {
        let far = || Refused::at(k, format!("'{}' is too far from now", shown(cells[k])), "correct the year");
        day_of(time, order).and_then(seconds_of).ok_or_else(far)
    };
    parsed.iter().enumerate().map(midnight).collect()
}

fn day_of(time: &WrittenTime, order: DateOrder) -> Option<NaiveDate> {
    match time.date {
        WrittenDate::Day(day) | WrittenDate::Month(day) | WrittenDate::Quarter(day) => Some(day),
        WrittenDate::Numbers(three) => three.day(order),
    }
}

/// The only order in which all dates are days, or else the only one in which they are regular, and words on that.
fn order_of(
    cells: &[&str],
    parsed: &[WrittenTime],
    numbers: &[(usize, ThreeNumbers)],
    told: Option<DateOrder>,
) -> Result<(DateOrder, &'static str), Refused> {
    let (first, three) = numbers[0];
    let asked: Vec<DateOrder> = told.map_or(DateOrder::ALL.to_vec(), |order| vec![order]);
    let is_possible = |order: &DateOrder| numbers.iter().all(|(_, three)| three.day(*order).is_some());
    let possible: Vec<DateOrder> = asked.iter().copied().filter(is_possible).collect();
    // Dots with a year of four digits are written with the day in front wherever they are written.
    let dotted = three.separator == '.' && !three.is_short() && possible.contains(&DateOrder::DayFirst);
    let named = three.separator == 'M' && possible.contains(&DateOrder::DayFirst);
    if dotted || named {
        return Ok((DateOrder::DayFirst, ""));
    }
    if possible.is_empty() {
        return Err(impossible(cells, numbers, told));
    }
    let regular: Vec<DateOrder> =
        possible.iter().copied().filter(|order| is_regular(parsed, *order)).collect();
    match (&possible[..], &regular[..]) {
        ([order], _) => Ok((*order, "")),
        (_, [order]) => Ok((*order, ", the only order in which they are regular")),
        _ => Err(Refused::at(
            first,
            format!("'{}' may be {}", shown(cells[first]), readings(&three, &possible)),
            "say which with --dates day-first, --dates month-first or --dates year-first",
        )),
    }
}

fn is_regular(parsed: &[WrittenTime], order: DateOrder) -> bool {
    let stamp = |time: &WrittenTime| Some(seconds_of(day_of(time, order)?)? + time.seconds);
    let Some(mut stamps) = parsed.iter().map(stamp).collect::<Option<Vec<i64>>>() else { return false };
    stamps.sort_unstable();
    stamps.dedup();
    let clock = fitted(&stamps, Scale::Wall(Zone::Unsaid));
    // A clock with many more times than there are is none that anybody meant.
    clock
        .and_then(|clock| clock.index_of(stamps[stamps.len() - 1]))
        .is_some_and(|last| last < 2 * stamps.len())
}

fn readings(three: &ThreeNumbers, orders: &[DateOrder]) -> String {
    let mut known: Vec<String> =
        orders.iter().filter_map(|order| three.day(*order)).map(|day| day.to_string()).collect();
    known.dedup();
    known.join(" or ")
}

fn impossible(cells: &[&str], numbers: &[(usize, ThreeNumbers)], told: Option<DateOrder>) -> Refused {
    let orders = told.map_or(DateOrder::ALL.to_vec(), |order| vec![order]);
    let century =
        |(_, three): &&(usize, ThreeNumbers)| orders.iter().any(|order| three.lacks_a_century(*order));
    if let Some((k, _)) = numbers.iter().find(century) {
        let what = format!("'{}' has a year of two digits that may be of two centuries", shown(cells[*k]));
        return Refused::at(*k, what, "write years with four digits");
    }
    let lacks = |(_, three): &&(usize, ThreeNumbers)| orders.iter().all(|order| three.day(*order).is_none());
    if let Some((k, _)) = numbers.iter().find(lacks) {
        let said = told.map_or(String::new(), |order| format!(" {}", order.name()));
        return Refused::at(*k, format!("'{}' is no date{said}", shown(cells[*k])), EXAMPLES);
    }
    let (first, three) = numbers[0];
    let order = orders.iter().find(|order| three.day(**order).is_some());
    let other = numbers.iter().find(|(_, other)| order.is_some_and(|order| other.day(*order).is_none()));
    let other = other.map_or(first, |(k, _)| *k);
    let what =
        format!("'{}' and '{}' cannot be dates in one order", shown(cells[first]), shown(cells[other]));
    Refused::at(other, what, "write all dates alike, as 2024-03-01")
}

/// The offset of every time, if they have any.
fn offsets(cells: &[&str], parsed: &[WrittenTime]) -> Result<Option<Vec<i32>>, Refused> {
    let found: Option<Vec<i32>> = parsed.iter().map(|time| time.offset).collect();
    let odd = parsed.iter().position(|time| time.offset.is_none());
    match odd {
        Some(odd) if parsed.iter().any(|time| time.offset.is_some()) => Err(Refused::at(
            odd,
            format!("'{}' has no offset from UTC, and others have one", shown(cells[odd])),
            "give every time an offset, or none",
        )),
        _ => Ok(found),
    }
}

/// Times with offsets, on the clock that has these.
fn with_offsets(times: Times, offsets: &[i32], told: Option<Tz>, cells: &[&str]) -> Result<Times, Refused> {
    let is_one = offsets.iter().all(|offset| *offset == offsets[0]);
    let universal: Vec<i64> =
        times.stamps.iter().zip(offsets).map(|(at, offset)| at - i64::from(*offset)).collect();
    if is_one && told.is_none() {
        let is_utc = offsets[0] == 0 && cells[0].ends_with(['Z', 'z']);
        let zone = if is_utc { Zone::Universal } else { Zone::Fixed(offsets[0]) };
        return Ok(Times { scale: Scale::Wall(zone), ..times });
    }
    let pairs: Vec<(i64, i32)> = universal.iter().copied().zip(offsets.iter().copied()).collect();
    let place = told.or_else(|| place_of(&pairs)).ok_or_else(|| {
        let at = offsets.windows(2).position(|pair| pair[0] != pair[1]).map_or(0, |at| at + 1);
        let what = format!("the offset from UTC changes at '{}' as at no place known", shown(cells[at]));
        Refused::at(at, what, "write all times at UTC, or with one offset")
    })?;
    let mut notes = times.notes;
    if told.is_none() {
        notes.push(format!(
            "offsets change as in {place}: times after the end are written as there (--zone names another)"
        ));
    }
    // In whole days the clock of the place is regular; in hours it is UTC, of which no hour is left out or comes twice.
    let walls: Vec<i64> = universal.iter().map(|at| at + offset_at(place, *at)).collect();
    let wall = on_walls(&walls, &universal, place);
    let (stamps, scale) = wall.map_or((universal, Scale::Universal(place)), |scale| (walls, scale));
    Ok(Times { stamps, scale, notation: times.notation, notes })
}

/// The scale of the clock on the wall, if on it `walls` are regular days, or a pattern of hours.
fn on_walls(walls: &[i64], universal: &[i64], place: Tz) -> Option<Scale> {
    let mut pairs: Vec<(i64, i64)> = walls.iter().copied().zip(universal.iter().copied()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let is_unique = pairs.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let stamps: Vec<i64> = pairs.iter().map(|pair| pair.0).collect();
    let scale = Scale::Wall(Zone::Place(place));
    let clock = is_unique.then(|| fitted(&stamps, scale)).flatten()?;
    let is_plain = matches!(clock.step(), Step::Seconds(step) if *step < DAY);
    (!is_plain).then_some(scale)
}

/// Times without offsets, of clocks at `place`. Of an hour that comes twice the first is the earlier.
fn at_place(times: Times, place: Tz, cells: &[&str], keys: Option<&[&str]>) -> Result<Times, Refused> {
    // On whole days, or in a pattern of hours, clocks are turned between two times.
    if let Some(scale) = on_walls(&times.stamps, &times.stamps, place) {
        return Ok(Times { scale, ..times });
    }
    let steps = || times.stamps.windows(2).map(|pair| pair[1] - pair[0]);
    let falls = steps().filter(|step| *step < 0).count() > steps().filter(|step| *step > 0).count();
    let mut seen: HashMap<(i64, &str), usize> = HashMap::new();
    let mut universal = vec![0; times.stamps.len()];
    let order: Vec<usize> = if falls { (0..cells.len()).rev().collect() } else { (0..cells.len()).collect() };
    for k in order {
        let (wall, key) = (times.stamps[k], keys.map_or("", |keys| keys[k]));
        let known = universal_times(place, wall);
        let before = seen.entry((wall, key)).or_default();
        universal[k] = *known.get((*before).min(known.len().saturating_sub(1))).ok_or_else(|| {
            let what = format!(
                "'{}' is left out by the clocks of {place}, which are put forward then",
                shown(cells[k])
            );
            Refused::at(k, what, "name the place where they stand with --zone, or --zone UTC")
        })?;
        *before += 1;
    }
    Ok(Times { stamps: universal, scale: Scale::Universal(place), ..times })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(cells: &[&str]) -> Result<Times, Refused> {
        read(cells, None, Told::default())
    }

    fn refusal(cells: &[&str]) -> String {
        let refused = of(cells).unwrap_err();
        format!("{:?}: {} ({})", refused.at, refused.what, refused.fix)
    }

    fn first(cells: &[&str]) -> String {
        let times = of(cells).unwrap();
        times.scale.label(times.stamps[0], Notation::DateAndTime)
    }

    #[test]
    fn one_date_tells_the_order_of_all() {
        assert_eq!(first(&["01/02/2022", "28/02/2022", "01/03/2022"]), "2022-02-01 00:00:00");
        assert_eq!(first(&["01/02/2022", "12/31/2022"]), "2022-01-02 00:00:00");
        assert_eq!(first(&["01.02.2022", "02.02.2022"]), "2022-02-01 00:00:00");
        let notes = of(&["01/02/2022", "28/02/2022"]).unwrap().notes;
        assert_eq!(notes, ["dates are read day-first: '01/02/2022' is 2022-02-01"]);
    }

    #[test]
    fn an_order_that_is_open_is_settled_by_regular_times_or_asked_for() {
        // The first of every month; as days of January they would leave out eleven months of every year.
        let firsts: Vec<String> =
            (0..30).map(|k| format!("01/{:02}/{}", k % 12 + 1, 2022 + k / 12)).collect();
        let firsts: Vec<&str> = firsts.iter().map(String::as_str).collect();
        let times = of(&firsts).unwrap();
        assert!(
            times.notes[0].contains("day-first, the only order in which they are regular"),
            "{:?}",
            times.notes
        );
        let open = refusal(&["01/02/2022", "01/03/2022", "01/04/2022"]);
        assert!(
            open.contains("'01/02/2022' may be 2022-02-01 or 2022-01-02 (say which with --dates day-first"),
            "{open}"
        );
        let told = Told { order: Some(DateOrder::MonthFirst), place: None };
        assert_eq!(
            read(&["01/02/2022", "01/03/2022"], None, told).unwrap().notes[0],
            "dates are read month-first: '01/02/2022' is 2022-01-02"
        );
        let torn = refusal(&["13/02/2022", "02/14/2022"]);
        assert!(torn.contains("'13/02/2022' and '02/14/2022' cannot be dates in one order"), "{torn}");
    }

    #[test]
    fn years_of_two_digits_are_of_one_century_or_refused() {
        let days: Vec<String> = (1..=31).map(|day| format!("{day:02}.01.22")).collect();
        let days: Vec<&str> = days.iter().map(String::as_str).collect();
        assert_eq!(first(&days), "2022-01-01 00:00:00");
        assert!(
            refusal(&["01.02.45", "02.02.45"])
                .contains("may be of two centuries (write years with four digits)")
        );
    }

    #[test]
    fn offsets_are_kept_and_tell_the_place() {
        let fixed = of(&["2022-01-01T00:00:00+05:30", "2022-01-01T01:00:00+05:30"]).unwrap();
        assert_eq!(fixed.scale, Scale::Wall(Zone::Fixed(19_800)));
        let autumn = [
            "2022-10-30 01:00:00+02:00",
            "2022-10-30 02:00:00+02:00",
            "2022-10-30 02:00:00+01:00",
            "2022-10-30 03:00:00+01:00",
        ];
        let times = of(&autumn).unwrap();
        assert_eq!(times.scale, Scale::Universal(Tz::Europe__Berlin));
        assert!(times.stamps.windows(2).all(|pair| pair[1] - pair[0] == 3600));
        let days = ["2022-10-29 00:00:00+02:00", "2022-10-30 00:00:00+02:00", "2022-10-31 00:00:00+01:00"];
        assert_eq!(of(&days).unwrap().scale, Scale::Wall(Zone::Place(Tz::Europe__Berlin)));
        assert!(refusal(&["2022-01-01 00:00Z", "2022-01-01 01:00"]).contains("has no offset from UTC"));
        assert!(
            refusal(&["2022-01-01 00:00+07:00", "2022-01-01 01:00-02:00"]).contains("as at no place known")
        );
    }

    #[test]
    fn a_place_tells_the_two_hours_of_autumn_apart() {
        let told = Told { order: None, place: Some(Tz::Europe__Berlin) };
        let cells = ["2022-10-30 01:00", "2022-10-30 02:00", "2022-10-30 02:00", "2022-10-30 03:00"];
        let times = read(&cells, None, told).unwrap();
        assert!(times.stamps.windows(2).all(|pair| pair[1] - pair[0] == 3600), "{times:?}");
        let backwards: Vec<&str> = cells.iter().rev().copied().collect();
        assert!(
            read(&backwards, None, told).unwrap().stamps.windows(2).all(|pair| pair[0] - pair[1] == 3600)
        );
        let gone = read(&["2022-03-27 02:30", "2022-03-27 03:00"], None, told).unwrap_err();
        assert!(gone.what.contains("left out by the clocks of Europe/Berlin"), "{}", gone.what);
    }

    #[test]
    fn what_is_no_time_is_named() {
        assert!(refusal(&["2022-01-01", "yesterday"]).starts_with("Some(1): 'yesterday' is no time"));
        assert!(refusal(&["2022-01-01", ""]).contains("there is no time"));
        assert!(refusal(&["2022-01-01 00:00 CET"]).contains("names its zone by letters"));
        assert!(refusal(&["2022-01-01 00:00:00.5", "2022-01-01 00:00:01"]).contains("part of a second"));
        assert!(refusal(&["2022-01-01", "31/31/2022"]).contains("'31/31/2022' is no date"));
    }
}
