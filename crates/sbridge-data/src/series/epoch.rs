//! Times written as one number: seconds since 1970 in some unit, or a date without dashes.

use chrono::NaiveDate;

use super::date::seconds_of;

/// Times that were read from numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Numbered {
    pub(super) stamps: Vec<i64>,
    pub(super) is_calendar: bool,
    /// Whether they count from 1970, and so stand at UTC.
    pub(super) is_universal: bool,
    pub(super) note: String,
}

/// Counts, at most: their differences are computed.
const MOST_COUNTED: u64 = 1 << 60;

/// Seconds since 1970 in 1990 and in 2030: what lies between is hardly a count.
const SECONDS: std::ops::Range<i64> = 631_152_000..1_893_456_000;

/// Units of a count since 1970, and how many make a second.
const UNITS: [(&str, i64); 4] =
    [("seconds", 1), ("milliseconds", 1000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000)];

/// Reads `cells` if all are whole numbers, those that end in `.0` among them.
///
/// # Errors
/// Words about seconds since 1970 with parts, which are not read.
pub(super) fn numbered(cells: &[&str]) -> Option<Result<Numbered, String>> {
    let numbers: Option<Vec<i64>> = cells.iter().map(|cell| whole(cell)).collect();
    let Some(numbers) = numbers else {
        let is_second = |cell: &&str| cell.parse::<f64>().is_ok_and(|x| SECONDS.contains(&(x as i64)));
        return cells.iter().all(is_second).then(|| {
            Err("these are seconds since 1970 with parts of a second, and steps of whole seconds are read".into())
        });
    };
    let found = since_1970(&numbers).or_else(|| without_dashes(cells)).unwrap_or_else(|| Numbered {
        stamps: numbers,
        is_calendar: false,
        is_universal: false,
        note: "times are whole numbers: counted, without a calendar".into(),
    });
    Some(Ok(found))
}

fn whole(cell: &str) -> Option<i64> {
    let digits = match cell.split_once('.') {
        Some((digits, rest)) if rest.bytes().all(|byte| byte == b'0') => digits,
        _ => cell,
    };
    digits
        .parse::<i64>()
        .ok()
        .filter(|count| count.unsigned_abs() <= MOST_COUNTED)
        .or_else(|| digits.parse::<i64>().ok().filter(|count| SECONDS.contains(&(count / UNITS[3].1))))
}

/// Seconds since 1970, if all `numbers` are that in one unit. Parts of a second leave them counts.
fn since_1970(numbers: &[i64]) -> Option<Numbered> {
    let (unit, size) = UNITS
        .into_iter()
        .find(|(_, size)| numbers.iter().all(|number| SECONDS.contains(&number.div_euclid(*size))))?;
    if numbers.iter().any(|number| number % size != 0) {
        return Some(Numbered {
            stamps: numbers.to_vec(),
            is_calendar: false,
            is_universal: false,
            note: format!("times are {unit} since 1970 with parts of a second: counted, without a calendar"),
        });
    }
    Some(Numbered {
        stamps: numbers.iter().map(|number| number / size).collect(),
        is_calendar: true,
        is_universal: true,
        note: format!("times are {unit} since 1970: taken as such, and written as dates at UTC"),
    })
}

/// Dates as `20220131`, `202201`, `2022013105`, `202201310530` or `20220131053000`.
fn without_dashes(cells: &[&str]) -> Option<Numbered> {
    let stamps = cells.iter().map(|cell| compact(cell)).collect::<Option<Vec<i64>>>()?;
    let note = format!("times are dates without dashes: '{}' is read as {}", cells[0], date_of(stamps[0]));
    Some(Numbered { stamps, is_calendar: true, is_universal: false, note })
}

fn compact(cell: &str) -> Option<i64> {
    let cell = cell.trim_end_matches(".0");
    let part =
        |from: usize, to: usize| cell.get(from..to).map_or(Some(0), |digits| digits.parse::<u32>().ok());
    if ![6, 8, 10, 12, 14].contains(&cell.len()) || !cell.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let [hour, minute, second] = [part(8, 10)?, part(10, 12)?, part(12, 14)?];
    let day = if cell.len() == 6 { 1 } else { part(6, 8)? };
    let year = i32::try_from(part(0, 4)?).ok().filter(|year| (1900..2100).contains(year))?;
    let midnight = seconds_of(NaiveDate::from_ymd_opt(year, part(4, 6)?, day)?)?;
    let is_time = hour < 24 && minute < 60 && second < 60;
    is_time.then_some(midnight + i64::from(hour * 3600 + minute * 60 + second))
}

fn date_of(stamp: i64) -> String {
    super::zone::date(stamp).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(cells: &[&str]) -> Numbered {
        numbered(cells).unwrap().unwrap()
    }

    #[test]
    fn seconds_since_1970_are_known_by_their_size() {
        for cells in [
            ["1667000000", "1667003600"],
            ["1667000000.0", "1667003600.0"],
            ["1667000000000", "1667003600000"],
            ["1667000000000000", "1667003600000000"],
            ["1667000000000000000", "1667003600000000000"],
        ] {
            let found = of(&cells);
            assert_eq!(
                (found.stamps, found.is_universal),
                (vec![1_667_000_000, 1_667_003_600], true),
                "{cells:?}"
            );
        }
        let quick = of(&["1667000000000", "1667000000004"]);
        assert!(!quick.is_calendar && quick.note.contains("parts of a second"));
        assert!(numbered(&["1667000000.5", "1667000001.0"]).unwrap().is_err());
    }

    #[test]
    fn dates_without_dashes_are_dates() {
        let at = |cell: &str| date_of(of(&[cell, cell]).stamps[0]);
        assert_eq!(at("20220131"), "2022-01-31 00:00:00");
        assert_eq!(at("202202"), "2022-02-01 00:00:00");
        assert_eq!(at("2022013105"), "2022-01-31 05:00:00");
        assert_eq!(at("20220131053007"), "2022-01-31 05:30:07");
        assert!(of(&["20220131"]).note.contains("'20220131' is read as 2022-01-31"));
        assert!(!of(&["20220132", "20220133"]).is_calendar, "there is no such day");
    }

    #[test]
    fn other_numbers_count() {
        assert_eq!(of(&["1990", "1991"]).stamps, [1990, 1991]);
        assert!(!of(&["-3", "0"]).is_calendar);
        assert!(numbered(&["1", "x"]).is_none() && numbered(&["0.5", "1"]).is_none());
    }
}
