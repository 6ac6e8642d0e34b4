//! One time as written: a date in numbers or words, a time of day, an offset from UTC.

use chrono::{Datelike, NaiveDate, Weekday};

use super::step::{DAY, HOUR};

/// A time as written. In which order its numbers stand is known of some only.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WrittenTime {
    pub(super) date: WrittenDate,
    /// Seconds since midnight.
    pub(super) seconds: i64,
    /// Whether it has a part of a second besides.
    pub(super) has_fraction: bool,
    /// Seconds that its clock is ahead of UTC.
    pub(super) offset: Option<i32>,
}

/// A date as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum WrittenDate {
    /// It can be one day only.
    Day(NaiveDate),
    /// A month, as `2005-01`, by its first day.
    Month(NaiveDate),
    /// A quarter, as `2005Q1`, by its first day.
    Quarter(NaiveDate),
    /// Three numbers, the last or first of which may be a year.
    Numbers(ThreeNumbers),
}

/// A date as three numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ThreeNumbers {
    numbers: [u32; 3],
    /// Which of them, if any, has four digits.
    long: Option<usize>,
    pub(super) separator: char,
}

/// In which order a date's numbers stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// 31/12/2024
    DayFirst,
    /// 12/31/2024
    MonthFirst,
    /// 2024/12/31
    YearFirst,
}

impl DateOrder {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::YearFirst, Self::DayFirst, Self::MonthFirst];

    /// By its name, as in `--dates day-first`.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::DayFirst => "day-first",
            Self::MonthFirst => "month-first",
            Self::YearFirst => "year-first",
        }
    }
}

impl ThreeNumbers {
    /// The day in this order, if there is one. A year of two digits is one of 1969 to 2029.
    pub(super) fn day(&self, order: DateOrder) -> Option<NaiveDate> {
        let [a, b, c] = self.numbers;
        let (at, [year, month, day]) = match order {
            DateOrder::YearFirst => (0, [a, b, c]),
            DateOrder::DayFirst => (2, [c, b, a]),
            DateOrder::MonthFirst => (2, [c, a, b]),
        };
        let year = match self.long {
            Some(long) if long == at => year,
            None => century(year)? + year,
            Some(_) => return None,
        };
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
    }

    /// Whether its year has two digits.
    pub(super) fn is_short(&self) -> bool {
        self.long.is_none()
    }

    /// Whether it would be a day in this order, were it known which century its year is of.
    pub(super) fn lacks_a_century(&self, order: DateOrder) -> bool {
        let at = if order == DateOrder::YearFirst { 0 } else { 2 };
        let mut of_now = *self;
        of_now.numbers[at] = 2000 + self.numbers[at] % 100;
        of_now.long = Some(at);
        self.is_short() && self.day(order).is_none() && of_now.day(order).is_some()
    }
}

/// The century of a year of two digits, where all customs agree.
fn century(year: u32) -> Option<u32> {
    match year {
        0..=29 => Some(2000),
        69..=99 => Some(1900),
        _ => None,
    }
}

/// Reads `text`, if it is a time with a date.
pub(super) fn written(text: &str) -> Option<WrittenTime> {
    if !text.is_ascii() {
        return None;
    }
    // A week or an hour may be written by its first and last.
    let text = match text.split_once('/') {
        Some((first, last)) if first.len() >= 10 && first.len() == last.len() => first,
        _ => text.trim(),
    };
    let (text, offset) = without_offset(text)?;
    let (date, seconds, has_fraction) = match time_of_day_at(text) {
        None => (text, 0, false),
        Some(at) => {
            let (seconds, has_fraction) = time_of_day(text[at..].trim_start_matches(['T', 't', ' ']))?;
            (&text[..at], seconds, has_fraction)
        }
    };
    let date = date.trim().trim_end_matches([',', '.']);
    let date = in_words(date).or_else(|| in_numbers(date))?;
    Some(WrittenTime { date, seconds, has_fraction, offset })
}

/// The letters that a time ends with where they name a zone, as `CET`, which several places may share.
pub(super) fn zone_in_letters(text: &str) -> Option<&str> {
    let (time, letters) = text.rsplit_once(' ')?;
    let is_name = (2..=5).contains(&letters.len()) && letters.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_name && written(time).is_some()).then_some(letters)
}

/// Where the time of day begins: at what stands before its first colon, or at a `T` or space before an hour alone.
fn time_of_day_at(text: &str) -> Option<usize> {
    let digits_before = |end: usize| text[..end].trim_end_matches(|c: char| c.is_ascii_digit()).len();
    if let Some(colon) = text.find(':') {
        let hour = digits_before(colon);
        return (hour > 0 && hour < colon).then(|| text[..hour].trim_end_matches(['T', 't', ' ']).len());
    }
    let hour = digits_before(text.len());
    let is_hour = text.len() - hour == 2 && text[..hour].ends_with(['T', ' ']) && text[..hour].contains('-');
    is_hour.then(|| hour - 1)
}

/// Seconds since midnight of `13:05`, `13:05:07.5`, `1:05 PM` or `13`, and whether there is a part of a second.
fn time_of_day(text: &str) -> Option<(i64, bool)> {
    let lower = text.to_ascii_lowercase().replace("a.m.", "am").replace("p.m.", "pm");
    let half = ["am", "pm"].into_iter().find(|half| lower.ends_with(half));
    let plain = lower.trim_end_matches(['a', 'p', 'm']).trim_end();
    let (whole, fraction) = plain.split_once(['.', ',']).unwrap_or((plain, "0"));
    let number = |part: &str| (1..=2).contains(&part.len()).then(|| part.parse::<i64>().ok()).flatten();
    let parts = whole.split(':').map(number).collect::<Option<Vec<i64>>>()?;
    let (hour, rest) = parts.split_first()?;
    let hour = match half {
        None => *hour,
        Some(half) if (1..=12).contains(hour) => hour % 12 + if half == "pm" { 12 } else { 0 },
        Some(_) => return None,
    };
    let [minute, second] = match rest {
        [] => [0, 0],
        [minute] => [*minute, 0],
        [minute, second] => [*minute, *second],
        _ => return None,
    };
    let is_midnight = hour == 24 && minute == 0 && second == 0;
    let is_time = (hour < 24 || is_midnight) && minute < 60 && second < 60;
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    (is_time && is_fraction)
        .then(|| (hour * HOUR + minute * 60 + second, fraction.bytes().any(|byte| byte != b'0')))
}

/// What stands before `Z`, `UTC` or an offset as `+02:00`, and the offset in seconds.
fn without_offset(text: &str) -> Option<(&str, Option<i32>)> {
    // Java writes the place behind the offset.
    let text = text.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')).map_or(text, |(rest, _)| rest);
    let Some(colon) = text.find(':') else { return Some((text, None)) };
    for mark in ["Z", "z", " UTC", " GMT"] {
        if let Some(rest) = text.strip_suffix(mark) {
            return Some((rest.trim_end(), Some(0)));
        }
    }
    let Some(sign) = text[colon..].rfind(['+', '-']).map(|at| colon + at) else {
        return Some((text, None));
    };
    let digits: String = text[sign + 1..].chars().filter(|c| *c != ':').collect();
    let number = |part: &str| part.parse::<i32>().ok();
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(&digits[..2])?, number(&digits[2..])?),
        _ => return None,
    };
    let seconds = hours * 3600 + minutes * 60;
    let is_offset = i64::from(seconds) < DAY && minutes < 60;
    let signed = if text[sign..].starts_with('-') { -seconds } else { seconds };
    is_offset.then(|| (text[..sign].trim_end(), Some(signed)))
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The month called `word`, by its name or three or four letters of it.
fn month(word: &str) -> Option<u32> {
    let word = word.to_ascii_lowercase();
    let at = MONTHS.iter().position(|name| {
        *name == word
            || (word.len() == 3 && name.starts_with(&word))
            || (word == "sept" && name.starts_with(&word))
    });
    at.and_then(|at| u32::try_from(at + 1).ok())
}

/// `Jan 01, 2022`, `Sat, 1 January 2022`, `01-Jan-22`, `Jan 2022`, `Q1 2022`, `2022Q1`, `2022M01`, `2022-W05`.
fn in_words(text: &str) -> Option<WrittenDate> {
    let is_weekday = |word: &&str| word.parse::<Weekday>().is_ok();
    let words: Vec<&str> =
        text.split([' ', ',', '.', '-', '/']).filter(|word| !word.is_empty() && !is_weekday(word)).collect();
    let number = |word: &str| {
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let is_plain =
            digits == word || ["st", "nd", "rd", "th"].iter().any(|end| word == format!("{digits}{end}"));
        is_plain.then(|| digits.parse::<u32>().ok()).flatten().map(|value| (value, digits.len()))
    };
    if let Some(at) = words.iter().position(|word| month(word).is_some()) {
        let month = month(words[at])?;
        let others: Vec<&str> =
            words.iter().enumerate().filter(|(k, _)| *k != at).map(|(_, word)| *word).collect();
        return match others.iter().map(|word| number(word)).collect::<Option<Vec<_>>>()?[..] {
            [(year, 4)] => Some(WrittenDate::Month(first_of(year, month)?)),
            [(year, 4), (day, 1 | 2)] | [(day, 1 | 2), (year, 4)] => {
                NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).map(WrittenDate::Day)
            }
            [(day, 1 | 2), (year, 2)] => {
                let numbers = [day, month, year];
                Some(WrittenDate::Numbers(ThreeNumbers { numbers, long: None, separator: 'M' }))
            }
            _ => None,
        };
    }
    period(&words.concat().to_ascii_uppercase())
}

/// `2022Q1`, `Q12022`, `2022M01`, `2022W05`, `2022W051`.
fn period(text: &str) -> Option<WrittenDate> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (before, after) = (&text[..at], &text[at + 1..]);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = |part: &str| is_number(part).then(|| part.parse::<u32>().ok()).flatten();
    let (year, rest) = match (before.len(), after.len()) {
        (4, _) => (number(before)?, after),
        (0, 5) => (number(&after[1..])?, &after[..1]),
        _ => return None,
    };
    let place = number(rest)?;
    match text.as_bytes()[at] {
        b'Q' if (1..=4).contains(&place) => Some(WrittenDate::Quarter(first_of(year, 3 * place - 2)?)),
        b'M' => Some(WrittenDate::Month(first_of(year, place)?)),
        b'W' => {
            let (week, day) = if rest.len() == 3 { (place / 10, place % 10) } else { (place, 1) };
            let day = Weekday::try_from(u8::try_from(day.checked_sub(1)?).ok()?).ok()?;
            NaiveDate::from_isoywd_opt(i32::try_from(year).ok()?, week, day).map(WrittenDate::Day)
        }
        _ => None,
    }
}

fn first_of(year: u32, month: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, 1)
}

/// `2022-01-31`, `31.01.2022`, `1/31/22`, or a month as `2022-01`, `01/2022`.
fn in_numbers(text: &str) -> Option<WrittenDate> {
    let separator = text.chars().find(|c| !c.is_ascii_digit())?;
    if !['-', '/', '.', ' '].contains(&separator) {
        return None;
    }
    let parts: Vec<&str> = text.split(separator).collect();
    let number = |part: &&str| (1..=4).contains(&part.len()).then(|| part.parse::<u32>().ok()).flatten();
    let numbers = parts.iter().map(number).collect::<Option<Vec<u32>>>()?;
    let sizes: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    match (&numbers[..], &sizes[..]) {
        ([year, month], [4, 1 | 2]) | ([month, year], [1 | 2, 4]) => {
            Some(WrittenDate::Month(first_of(*year, *month)?))
        }
        ([a, b, c], [first, middle, last]) if *middle <= 2 => {
            let numbers = [*a, *b, *c];
            let long = match (first, last) {
                (4, 1 | 2) => Some(0),
                (1 | 2, 4) => Some(2),
                (1 | 2, 1 | 2) => None,
                _ => return None,
            };
            // With a year of four digits in front nobody writes the day before the month.
            let three = ThreeNumbers { numbers, long, separator };
            match long {
                Some(0) => three.day(DateOrder::YearFirst).map(WrittenDate::Day),
                _ => Some(WrittenDate::Numbers(three)),
            }
        }
        _ => None,
    }
}

/// Seconds since 1970 of a day; none for years whose arithmetic could overflow.
pub(super) fn seconds_of(day: NaiveDate) -> Option<i64> {
    let is_near = (1..9999).contains(&day.year());
    is_near.then(|| day.and_hms_opt(0, 0, 0)).flatten().map(|at| at.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(text: &str) -> String {
        match written(text).unwrap().date {
            WrittenDate::Day(day) => day.to_string(),
            WrittenDate::Month(day) => format!("month {day}"),
            WrittenDate::Quarter(day) => format!("quarter {day}"),
            WrittenDate::Numbers(three) => {
                let in_order = |order| three.day(order).map_or("–".into(), |day| day.to_string());
                DateOrder::ALL.map(in_order).join(" ")
            }
        }
    }

    #[test]
    fn dates_are_read_in_numbers_and_in_words() {
        for text in [
            "2022-01-31",
            "2022/1/31",
            "Jan 31, 2022",
            "31 January 2022",
            "Mon, 31st Jan 2022",
            "2022-Jan-31",
        ] {
            assert_eq!(day(text), "2022-01-31", "{text}");
        }
        assert_eq!(day("2022-01-31/2022-02-06"), "2022-01-31");
        assert_eq!(
            (day("2005-01").as_str(), day("Feb 2005").as_str()),
            ("month 2005-01-01", "month 2005-02-01")
        );
        assert_eq!(
            (day("1985Q2").as_str(), day("Q2 1985").as_str()),
            ("quarter 1985-04-01", "quarter 1985-04-01")
        );
        assert_eq!((day("2022-W05").as_str(), day("2022M03").as_str()), ("2022-01-31", "month 2022-03-01"));
    }

    #[test]
    fn what_three_numbers_mean_is_left_open_where_it_is() {
        assert_eq!(day("03.04.2024"), "– 2024-04-03 2024-03-04");
        assert_eq!(day("31/12/2024"), "– 2024-12-31 –");
        assert_eq!(day("01.02.22"), "2001-02-22 2022-02-01 2022-01-02");
        assert_eq!(day("13-Jan-22"), "2013-01-22 2022-01-13 –");
        assert_eq!(day("01.02.45"), "– – –");
        let WrittenDate::Numbers(three) = written("01.02.45").unwrap().date else {
            panic!("not three numbers")
        };
        assert!(three.lacks_a_century(DateOrder::DayFirst));
    }

    #[test]
    fn times_of_day_and_offsets_are_read() {
        let of =
            |text: &str| written(text).map(|time| (time.seconds, time.has_fraction, time.offset)).unwrap();
        assert_eq!(of("2022-01-01T05:06:07.000Z"), (18_367, false, Some(0)));
        assert_eq!(of("2022-01-01 05:06:07.250"), (18_367, true, None));
        assert_eq!(of("1/1/2022 12:00:00 AM"), (0, false, None));
        assert_eq!(of("1/1/2022 12:30 p.m."), (45_000, false, None));
        assert_eq!(of("2022-01-01 01:00:00-03:30"), (3600, false, Some(-12_600)));
        assert_eq!(of("2022-01-01 01:00+0530"), (3600, false, Some(19_800)));
        assert_eq!(of("2022-01-01T01:00:00+01:00[Europe/Berlin]"), (3600, false, Some(3600)));
        assert_eq!(of("2022-01-01 24:00"), (86_400, false, None));
        assert_eq!(of("2022-01-01T07"), (25_200, false, None));
        assert_eq!(of("Sat Jan 1 2022 07:00 UTC"), (25_200, false, Some(0)));
    }

    #[test]
    fn other_text_is_no_time() {
        for text in
            ["", "17", "1.5", "yesterday", "2024-13-01", "99999-01-01", "25:00", "2022-01-01 25:00", "a/b/c"]
        {
            assert!(written(text).is_none(), "{text}");
        }
        for text in ["2022-01-01 13:00 PM", "2022-01-01 1:60", "1-2-3-4", "2022-01-01 00:00 CET", "12.5.x"] {
            assert!(written(text).is_none(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_read_or_not(text in "[-0-9TZJanMQWap:+./, é]{0,24}") {
            let _ = written(&text);
        }
    }
}
