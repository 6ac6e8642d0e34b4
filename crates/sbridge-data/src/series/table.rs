//! Wide and long tables of series.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::assemble::{Found, TimedRow, place_of, quoted};
use super::columns::Columns;
use super::scale::Scale;
use super::times::{Times, Told};
use super::zone::Zone;
use super::{Series, SeriesLayout, daylight};
use crate::format::table::utf8;
use crate::reading::Reading;
use crate::shown::{listed, shown};
use crate::{DataError, Result};

/// Reads a table with a header.
///
/// # Errors
/// When it is no table, a column is not there, or a cell is not what its column should hold.
pub(super) fn read(bytes: &[u8], layout: &SeriesLayout, told: Told, reading: &Reading) -> Result<Series> {
    let mut columns = Columns::parse(utf8(bytes, reading)?, layout, reading)?;
    let time = columns.time_column()?;
    let found = match &layout.series {
        None => wide(&mut columns, time, layout, told)?,
        Some(name) => {
            let series = columns.column(name, "--series")?;
            long(&mut columns, [time, series], layout, told)?
        }
    };
    found.assemble(layout, reading)
}

/// One column for every series.
fn wide(columns: &mut Columns, time: usize, layout: &SeriesLayout, told: Told) -> Result<Found> {
    let times = columns.times(time, None, told)?;
    let mut notes = columns.notes.clone();
    let rows = once_each(columns, time, &times, &mut notes)?;
    let used = series_columns(columns, time, layout, &mut notes)?;
    columns.learn_decimal_mark(&used, &mut notes)?;
    let row = |k: usize| {
        let values = used.iter().map(|j| columns.number(k, *j)).collect::<Result<Vec<f64>>>()?;
        Ok(TimedRow { stamp: times.stamps[k], values })
    };
    let rows = rows.into_iter().map(row).collect::<Result<Vec<TimedRow>>>()?;
    let names = used.iter().map(|j| columns.names[*j].clone()).collect();
    Ok(Found::new(names, rows, times, notes))
}

/// The columns that hold series: those to keep, or all but times, indices and those to leave out.
fn series_columns(
    columns: &Columns,
    time: usize,
    layout: &SeriesLayout,
    notes: &mut Vec<String>,
) -> Result<Vec<usize>> {
    let (names, reading) = (&columns.names, columns.reading);
    if !layout.keep.is_empty() {
        return layout.keep.iter().map(|name| place_of(name, names, reading)).collect();
    }
    let dropped =
        layout.drop.iter().map(|name| place_of(name, names, reading)).collect::<Result<Vec<usize>>>()?;
    let mut used = Vec::new();
    for j in (0..names.len()).filter(|j| *j != time && !dropped.contains(j)) {
        let shown =
            if names[j].is_empty() { "without a name".into() } else { format!("({})", shown(&names[j])) };
        if columns.is_index(j) {
            notes.push(format!("column {} {shown} counts the lines: left out", j + 1));
        } else if columns.is_empty(j) {
            notes.push(format!("column {} {shown} is empty: left out", j + 1));
        } else if names[j].is_empty() {
            return Err(reading.malformed(format!("column {} has no name", j + 1), "give it one in line 1"));
        } else {
            used.push(j);
        }
    }
    if used.is_empty() {
        return Err(
            reading.malformed("the table has no columns of series besides the times", "add the series")
        );
    }
    Ok(used)
}

/// The rows without those that are there twice, to the last cell.
fn once_each(columns: &Columns, time: usize, times: &Times, notes: &mut Vec<String>) -> Result<Vec<usize>> {
    let mut first: HashMap<i64, usize> = HashMap::new();
    let (mut kept, mut clashes, mut repeated) = (Vec::new(), Vec::new(), 0);
    for (k, stamp) in times.stamps.iter().enumerate() {
        match first.get(stamp) {
            None => {
                first.insert(*stamp, k);
                kept.push(k);
            }
            Some(earlier) if columns.rows[*earlier].record == columns.rows[k].record => repeated += 1,
            Some(earlier) => clashes.push([*earlier, k]),
        }
    }
    if repeated > 0 {
        notes.push(format!("{repeated} lines are there twice, word for word: taken once"));
    }
    if clashes.is_empty() { Ok(kept) } else { Err(clash(columns, time, times, &clashes)) }
}

/// Why several lines have one time, and the way out.
fn clash(columns: &Columns, time: usize, times: &Times, clashes: &[[usize; 2]]) -> DataError {
    let [a, b] = clashes[0];
    let twice: Vec<i64> = clashes.iter().map(|pair| times.stamps[pair[0]]).collect();
    if times.scale == Scale::Wall(Zone::Unsaid)
        && let Some(what) = daylight::turned_back(&twice)
    {
        return columns.reading.malformed(what, daylight::FIX);
    }
    let at = times.label(a);
    let [first, second] = [a, b].map(|row| columns.rows[row].line);
    let what = format!("lines {first} and {second} have the same time {at}");
    let fix = match telling(columns, time, times) {
        Some(Telling::Hours(name)) => format!("write the date and what stands in column '{name}' into one column"),
        Some(Telling::Series(name)) => format!("if column '{name}' tells series apart: --series {}", quoted(&name)),
        None => "remove one of them; if they are of different series, name the column that tells them apart with --series".into(),
    };
    columns.reading.malformed(what, fix)
}

/// What a column tells lines of one time apart by.
enum Telling {
    /// Names of series.
    Series(String),
    /// Times of day.
    Hours(String),
}

/// The first column by which, together with the times, no two lines are alike; words before numbers.
fn telling(columns: &Columns, time: usize, times: &Times) -> Option<Telling> {
    let tells = |j: &usize| {
        let mut pairs = HashSet::new();
        let is_unique = times.stamps.iter().zip(columns.cells(*j)).all(|pair| pairs.insert(pair));
        is_unique && 2 * columns.cells(*j).collect::<HashSet<&str>>().len() <= times.stamps.len()
    };
    let all = (0..columns.names.len()).filter(|j| *j != time).filter(tells);
    let is_number = |j: &usize| columns.cell(0, *j).parse::<f64>().is_ok();
    let is_hour =
        |j: &usize| columns.cell(0, *j).contains(':') || columns.names[*j].eq_ignore_ascii_case("hour");
    let all: Vec<usize> = all.collect();
    let name = |j: &usize| columns.names[*j].clone();
    let hours = all.iter().find(|j| is_hour(j)).map(|j| Telling::Hours(name(j)));
    let words = || all.iter().find(|j| !is_number(j)).or(all.first());
    hours.or_else(|| words().map(|j| Telling::Series(name(j))))
}

/// The column of the values: the one asked for, or the only one that is neither.
fn value_column(columns: &Columns, name: Option<&str>, taken: [usize; 2]) -> Result<usize> {
    if let Some(name) = name {
        return columns.column(name, "--value");
    }
    let is_used = |j: &usize| !taken.contains(j) && !columns.is_index(*j) && !columns.is_empty(*j);
    let left: Vec<usize> = (0..columns.names.len()).filter(is_used).collect();
    match left[..] {
        [only] => Ok(only),
        [] => Err(columns.reading.malformed("the table has no column of values", "add one")),
        _ => {
            let names: Vec<String> = left.iter().map(|j| columns.names[*j].clone()).collect();
            Err(columns.reading.malformed(
                format!("{} columns may hold the values", left.len()),
                format!("name it with --value: {}", listed(&names)),
            ))
        }
    }
}

/// A row for every time and series.
fn long(
    columns: &mut Columns,
    [time, series]: [usize; 2],
    layout: &SeriesLayout,
    told: Told,
) -> Result<Found> {
    let times = columns.times(time, Some(series), told)?;
    let value = value_column(columns, layout.value.as_deref(), [time, series])?;
    let mut notes = columns.notes.clone();
    columns.learn_decimal_mark(&[value], &mut notes)?;
    let (names, cells) = cells_by_time(columns, [series, value], &times, layout, &mut notes)?;
    if cells.len().saturating_mul(names.len()) as u64 > columns.reading.limits.max_values() {
        let what = format!("{} series at {} times", names.len(), cells.len());
        return Err(columns.reading.too_large(what, columns.reading.limits.max_bytes));
    }
    let row = |(stamp, cells): (i64, Vec<(usize, usize, f64)>)| {
        let mut values = vec![f64::NAN; names.len()];
        cells.iter().for_each(|(place, _, value)| values[*place] = *value);
        TimedRow { stamp, values }
    };
    let rows = cells.into_iter().map(row).collect();
    Ok(Found::new(names.clone(), rows, times, notes))
}

/// Names of the series, and for each time the place of a series among these, its row, and its value.
type CellsByTime = (Vec<String>, BTreeMap<i64, Vec<(usize, usize, f64)>>);

fn cells_by_time(
    columns: &Columns,
    [series, value]: [usize; 2],
    times: &Times,
    layout: &SeriesLayout,
    notes: &mut Vec<String>,
) -> Result<CellsByTime> {
    let (mut names, mut places) = (Vec::new(), HashMap::new());
    let mut cells: BTreeMap<i64, Vec<(usize, usize, f64)>> = BTreeMap::new();
    let mut seen: HashMap<(i64, usize), usize> = HashMap::new();
    let mut repeated = 0;
    for (k, stamp) in times.stamps.iter().enumerate() {
        let name = columns.cell(k, series);
        if layout.drop.iter().any(|dropped| dropped == name) {
            continue;
        }
        let place = *places.entry(name).or_insert_with(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        match seen.insert((*stamp, place), k) {
            None => cells.entry(*stamp).or_default().push((place, k, columns.number(k, value)?)),
            Some(earlier) if columns.rows[earlier].record == columns.rows[k].record => repeated += 1,
            Some(earlier) => return Err(clash_within(columns, times, name, [earlier, k])),
        }
    }
    if let Some(gone) =
        layout.drop.iter().find(|dropped| !columns.cells(series).any(|name| name == dropped.as_str()))
    {
        return Err(
            place_of(gone, &names, columns.reading).map_or_else(|error| error, |_| unreachable!("not there"))
        );
    }
    if repeated > 0 {
        notes.push(format!("{repeated} lines are there twice, word for word: taken once"));
    }
    Ok((names, cells))
}

fn clash_within(columns: &Columns, times: &Times, name: &str, [a, b]: [usize; 2]) -> DataError {
    let stamp = times.stamps[a];
    if times.scale == Scale::Wall(Zone::Unsaid)
        && let Some(what) = daylight::turned_back(&[stamp])
    {
        return columns.reading.malformed(format!("of '{}' {what}", shown(name)), daylight::FIX);
    }
    let at = times.label(a);
    let [first, second] = [a, b].map(|row| columns.rows[row].line);
    columns.reading.malformed(
        format!("lines {first} and {second} both give '{}' at {at}", shown(name)),
        "remove one of them, or name with --series the column that tells all series apart",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Limits, Step};

    fn read_text(text: &str, layout: &SeriesLayout) -> Result<Series> {
        let limits = Limits { max_bytes: 1 << 20 };
        let reading = Reading { source: "x.csv", limits: &limits };
        read(text.as_bytes(), layout, layout.told(&reading)?, &reading)
    }

    fn refusal(text: &str) -> String {
        read_text(text, &SeriesLayout::default()).unwrap_err().to_string()
    }

    fn long() -> SeriesLayout {
        SeriesLayout { series: Some("id".into()), ..SeriesLayout::default() }
    }

    #[test]
    fn a_wide_and_a_long_table_of_the_same_values_are_the_same_series() {
        let wide = read_text(
            "date,a,b\n2024-01-01,1,10\n2024-01-02,2,20\n2024-01-03,3,\n",
            &SeriesLayout::default(),
        )
        .unwrap();
        let text =
            "id,date,v\nb,2024-01-01,10\na,2024-01-01,1\na,2024-01-03,3\nb,2024-01-02,20\na,2024-01-02,2\n";
        let keep = vec!["a".to_owned(), "b".to_owned()];
        let long = read_text(text, &SeriesLayout { keep, ..long() }).unwrap();
        assert_eq!((wide.names(), wide.clock()), (long.names(), long.clock()));
        assert_eq!(wide.values()[..5], long.values()[..5]);
        assert!(wide.values()[5].is_nan() && long.values()[5].is_nan());
        assert!(
            wide.notes()
                .iter()
                .any(|note| note.contains("1 of 6 values are missing, the first of 'b' at 2024-01-03"))
        );
    }

    #[test]
    fn what_can_be_repaired_is_repaired_and_said() {
        let text = "t,a\n2024-01-03,3\n2024-01-01,1\n2024-01-06,6\n2024-01-02,2\n2024-01-04,NaN\n";
        let series = read_text(text, &SeriesLayout::default()).unwrap();
        assert_eq!(series.clock().step(), &Step::Seconds(86_400));
        assert_eq!((series.values()[2], series.values()[5], series.len()), (3.0, 6.0, 6));
        let notes = series.notes().join("; ");
        assert!(
            notes.contains("sorted") && notes.contains("1 times are left out, the first 2024-01-05"),
            "{notes}"
        );
        assert!(notes.contains("2 of 6 values are missing"), "{notes}");
    }

    #[test]
    fn what_cannot_be_repaired_is_refused_with_the_place_and_the_fix() {
        let twice = refusal("t,a\n2024-01-01,1\n2024-01-02,2\n2024-01-01,3\n");
        assert!(twice.contains("lines 2 and 4 have the same time 2024-01-01"), "{twice}");
        let irregular =
            refusal("t,a\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 01:17,3\n2024-01-01 03:00,3\n");
        assert!(
            irregular.contains("times are not regular") && irregular.contains("17 minutes"),
            "{irregular}"
        );
        assert!(refusal("t,a\nyesterday,1\n").contains("no column holds dates"));
        assert!(
            refusal("t,a\n2024-01-01,1\nyesterday,2\n")
                .contains("line 3, column 1 (t): 'yesterday' is no time")
        );
        assert!(
            refusal("t,a\n2024-01-01,x\n2024-01-02,2\n")
                .contains("line 2, column 2 (a): 'x' is not a number")
        );
        assert!(refusal("t;a\n2024-01-01;1,5\n2024-01-02;2.5\n").contains("decimal points"));
        assert!(
            refusal("t,a\n2024-01-01,inf\n2024-01-02,2\n").contains("series 'a' is infinite at 2024-01-01")
        );
        assert!(refusal("t,a,b\n2024-01-01,,1\n2024-01-02,,2\n").contains("series 'a' has no values"));
        assert!(refusal("t,a,a\n2024-01-01,1,1\n").contains("two columns are named 'a'"));
        assert!(refusal("t,a\n2024-01-01,1\n2024-01-02,1\n3000-01-01,1\n").contains("only 3 are there"));
        assert!(refusal("1,2\n3,4\n").contains("no names of columns"));
        let text = "id,t,v\na,2024-01-01,1\na,2024-01-01,2\n";
        assert!(read_text(text, &long()).unwrap_err().to_string().contains("lines 2 and 3 both give 'a'"));
        let layout = SeriesLayout { time: Some("dat".into()), ..SeriesLayout::default() };
        let slip = read_text("date,a\n2024-01-01,1\n", &layout).unwrap_err().to_string();
        assert!(slip.contains("did you mean date?"), "{slip}");
    }

    #[test]
    fn lines_of_one_time_are_told_apart_or_taken_once() {
        let kinds =
            refusal("day,kind,value\n2022-01-01,in,1\n2022-01-01,out,2\n2022-01-02,in,3\n2022-01-02,out,4\n");
        assert!(kinds.contains("if column 'kind' tells series apart: --series kind"), "{kinds}");
        let text = "t,y\n2022-01-01,1\n2022-01-02,2\n2022-01-01,1\n2022-01-02,2\n";
        let twice = read_text(text, &SeriesLayout::default()).unwrap();
        assert!(
            twice.len() == 2 && twice.notes().iter().any(|note| note.contains("2 lines are there twice"))
        );
        let hours = refusal("date,hour,y\n2022-01-01,0,1\n2022-01-01,1,2\n2022-01-02,0,3\n2022-01-02,1,4\n");
        assert!(hours.contains("write the date and what stands in column 'hour' into one column"), "{hours}");
    }

    #[test]
    fn hours_that_daylight_saving_time_doubles_or_leaves_out_are_called_that() {
        let of = |hours: &[&str]| {
            let lines: String = hours.iter().map(|hour| format!("2022-10-30 {hour},1\n")).collect();
            format!("t,y\n{lines}")
        };
        let autumn = refusal(
            &of(&["00:00", "01:00", "02:00", "02:00", "03:00"])
                .replace("02:00,1\n2022-10-30 03", "02:00,2\n2022-10-30 03"),
        );
        assert!(
            autumn.contains("daylight saving time (say where the clock stands, as with --zone Europe/Berlin"),
            "{autumn}"
        );
        let spring = of(&["00:00", "01:00", "03:00", "04:00"]).replace("10-30", "03-27");
        assert!(refusal(&spring).contains("2022-03-27 02:00 is left out, as where clocks are put forward"));
        let at = |zone: &str| SeriesLayout { zone: Some(zone.into()), ..SeriesLayout::default() };
        assert_eq!(read_text(&spring, &at("Europe/Berlin")).unwrap().len(), 4);
        assert_eq!(read_text(&spring, &at("UTC")).unwrap().len(), 5, "a missing value");
        let unknown = read_text(&spring, &at("Europe/Berlni")).unwrap_err().to_string();
        assert!(unknown.contains("did you mean Europe/Berlin?"), "{unknown}");
    }

    #[test]
    fn words_and_marks_have_a_way_out() {
        let words = refusal("date,weather,y\n2022-01-01,rain,1\n2022-01-02,sun,2\n");
        assert!(words.contains("leave the column out with --drop weather"), "{words}");
        let text = "date,weather,y\n2022-01-01,rain,1\n2022-01-02,sun,2\n2022-01-03,sun,-999\n";
        let dropped = SeriesLayout {
            drop: vec!["weather".into()],
            missing: vec!["-999".into()],
            ..SeriesLayout::default()
        };
        let series = read_text(text, &dropped).unwrap();
        assert!(series.names() == ["y"] && series.values()[2].is_nan());
        let kept = SeriesLayout { keep: vec!["y".into()], ..SeriesLayout::default() };
        assert_eq!(
            read_text(text, &kept).unwrap().values(),
            [1.0, 2.0, -999.0],
            "words beside it are not looked at"
        );
        let mark = refusal("date,y\n2022-01-01,1\n2022-01-02,2\n2022-01-03,closed\n");
        assert!(mark.contains("if it stands for a missing value: --missing closed"), "{mark}");
    }

    #[test]
    fn columns_that_count_lines_and_empty_ones_are_left_out_and_said() {
        let series =
            read_text(",date,y,\n0,2022-01-01,1,\n1,2022-01-02,2,\n", &SeriesLayout::default()).unwrap();
        assert_eq!(series.names(), ["y"]);
        let notes = series.notes().join("; ");
        assert!(
            notes.contains("column 1 without a name counts the lines")
                && notes.contains("column 4 without a name is empty"),
            "{notes}"
        );
        assert!(refusal(",date,y\n5,2022-01-01,1\n1,2022-01-02,2\n").contains("column 1 has no name"));
    }

    #[test]
    fn decimal_commas_and_thousands_are_read() {
        let german =
            read_text("date;y\n01.01.2022;-1,5\n02.01.2022;2,25\n", &SeriesLayout::default()).unwrap();
        assert_eq!(german.values(), [-1.5, 2.25]);
        let apart =
            read_text("date,y\n2022-01-01,\"1,007.50\"\n2022-01-02,2\n", &SeriesLayout::default()).unwrap();
        assert_eq!(apart.values(), [1007.5, 2.0]);
    }

    #[test]
    fn the_column_of_times_is_found_by_what_it_holds() {
        let unix = read_text("load,time\n1,1667000000\n2,1667003600\n", &SeriesLayout::default()).unwrap();
        assert_eq!(
            (unix.names()[0].as_str(), unix.clock().label(1).as_str()),
            ("load", "2022-10-29 00:33:20Z")
        );
        let compact = read_text("date,y\n20220131,1\n20220201,2\n", &SeriesLayout::default()).unwrap();
        assert_eq!(compact.clock().label(2), "2022-02-02");
        let unnamed = refusal("k,y\n20220131,1\n20220201,2\n");
        assert!(
            unnamed.contains("column 'k' looks like dates without dashes") && unnamed.contains("--time k"),
            "{unnamed}"
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_in_a_table_is_read_or_refused(
            cells in proptest::collection::vec("[-0-9.,:T nNae+]{0,12}|2024-0[1-3]-[0-3][0-9]|-?[0-9]{1,19}", 1..40),
        ) {
            let text: String = cells.chunks(2).map(|row| row.join(";") + "\n").collect();
            for layout in [SeriesLayout::default(), SeriesLayout { time: Some("t".into()), ..long() }] {
                let _ = read_text(&format!("t;id\n{text}"), &layout);
                let _ = read_text(&format!("id;t;v\n{text}"), &layout);
            }
        }
    }

    #[test]
    fn whole_numbers_count_without_a_calendar() {
        let layout = SeriesLayout { time: Some("k".into()), ..SeriesLayout::default() };
        let series = read_text("k,a\n10,1\n15,2\n25,4\n", &layout).unwrap();
        assert_eq!((series.len(), series.clock().label(1)), (4, "15".to_owned()));
    }
}
