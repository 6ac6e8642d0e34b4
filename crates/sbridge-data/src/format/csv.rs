//! Tables of numbers: which columns are coordinates, which are an index or labels.
//!
//! A column without a name, or called `Unnamed: 0`, is an index if it holds whole numbers, row names if it is the first and
//! holds words, and nothing if its cells are empty: it is left out. A column named `label`, `labels`, `class` or `target`
//! that holds whole numbers or words is the labels. So is one named `y`, the target of scikit-learn, unless there is an `x`, or
//! it is written as fractions or has many values: then it is a coordinate. Every such choice is noted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::columns::{LabelColumn, Table, TextCell, cell_at, parse};
use super::part::Part;
use crate::element::ElementType;
use crate::layout::Contents;
use crate::reading::Reading;
use crate::shown::shown;
use crate::values::Arrangement;
use crate::{Result, SampleShape};

/// Names of columns that hold classes.
const LABELS: [&str; 4] = ["label", "labels", "class", "target"];
/// Names of columns that weigh or count rows.
const WEIGHTS: [&str; 12] = [
    "weight",
    "weights",
    "w",
    "mass",
    "prob",
    "probability",
    "freq",
    "frequency",
    "count",
    "counts",
    "n_obs",
    "multiplicity",
];
/// Names of columns that say when a row was taken.
const TIMES: [&str; 14] = [
    "day",
    "days",
    "time",
    "times",
    "timepoint",
    "time_point",
    "t",
    "hour",
    "hours",
    "week",
    "weeks",
    "stage",
    "age",
    "visit",
];
/// Different values of a `y` that is still taken as classes.
const MOST_CLASSES: usize = 100;

/// Reads samples from the bytes of a table: all rows, or those of a part.
///
/// # Errors
/// When the text is not a rectangular table of numbers; the message names line, column and cell.
pub(crate) fn read(bytes: &[u8], part: Option<&str>, reading: &Reading) -> Result<Contents> {
    let part = part.map(|part| Part::of(part, reading)).transpose()?;
    let mut table = parse(bytes, label_column, part, reading)?;
    let mut notes = std::mem::take(&mut table.notes);
    let mut left_out = left_out(&table, &mut notes);
    left_out.extend(table.chosen_by);
    let labels = read_labels(&table, &mut notes, reading)?;
    let label = table.labels.as_ref().filter(|_| labels.is_some()).map(|column| column.at);
    let used: Vec<usize> =
        (0..table.width).filter(|column| !left_out.contains(column) && Some(*column) != label).collect();
    if used.is_empty() {
        return Err(reading.malformed(
            "the table has no columns besides index and labels",
            "add the columns of the samples",
        ));
    }
    check_numbers(&table, &left_out, reading)?;
    let mut doubts = std::mem::take(&mut table.doubts);
    doubts.extend(used.iter().filter_map(|&column| doubt_weight(&table, column)));
    doubts.extend(used.iter().filter_map(|&column| doubt_time(&table, column, reading)));
    let first_gap = first_gap(&table, &used, bytes, reading)?;
    let values = table.values.arranged(&Chosen { width: table.width, used: &used });
    let mut contents = Contents::new(SampleShape::Vector { dim: used.len() }, values, ElementType::Text);
    contents.column_names = table.names.map(|names| chosen(names, table.width, &used));
    (contents.labels, contents.label_names) =
        labels.map_or((None, None), |labels| (Some(labels.values), labels.names));
    contents.notes = notes;
    contents.doubts = doubts;
    contents.first_gap = first_gap;
    Ok(contents)
}

/// Columns that hold no coordinates and no labels, each with a note.
fn left_out(table: &Table, notes: &mut Vec<String>) -> BTreeSet<usize> {
    let Some(names) = &table.names else {
        return BTreeSet::new();
    };
    let mut left_out = BTreeSet::new();
    for (at, (name, column)) in names.iter().zip(&table.columns).enumerate() {
        let is_unnamed = name.is_empty() || name.to_ascii_lowercase().starts_with("unnamed: ");
        let why = match is_unnamed {
            true if column.is_empty => "no name and no values",
            true if column.is_whole => "whole numbers without a name, an index",
            true if at == 0 && table.text_in_front.is_some() => "words without a name, the names of the rows",
            _ => continue,
        };
        left_out.insert(at);
        notes.push(format!("column {} left out: {why}", at + 1));
    }
    // A table of an index alone is a table of numbers.
    if left_out.len() == table.width { BTreeSet::new() } else { left_out }
}

/// A word about a column whose name says that it weighs the rows.
fn doubt_weight(table: &Table, column: usize) -> Option<String> {
    let name = &table.names.as_ref()?[column];
    let is_weight = WEIGHTS.iter().any(|weight| name.eq_ignore_ascii_case(weight));
    let values = || (column..table.values.len()).step_by(table.width).map(|at| table.values.get(at));
    (is_weight && table.width > 1 && values().all(|value| value >= 0.0)).then(|| {
        format!(
            "column {} ({}) is a coordinate like the others: if it says how much a row weighs, `sbridge ot` takes it with \
             --weights {}, and everything else needs it taken out of the file",
            column + 1,
            shown(name),
            shown(name)
        )
    })
}

/// A word about a column whose name and few values say that it is when a row was taken.
fn doubt_time(table: &Table, column: usize, reading: &Reading) -> Option<String> {
    let name = &table.names.as_ref()?[column];
    let is_time = TIMES.iter().any(|time| name.eq_ignore_ascii_case(time));
    if !is_time || table.width == 1 || table.chosen_by.is_some() {
        return None;
    }
    let mut rows_of: BTreeMap<u64, usize> = BTreeMap::new();
    for at in (column..table.values.len()).step_by(table.width) {
        *rows_of.entry(table.values.get(at).to_bits()).or_default() += 1;
    }
    let rows = table.values.len() / table.width;
    ((2..=rows / 4).contains(&rows_of.len())).then(|| {
        format!(
            "column {} ({}) is a coordinate like the others: if it says when a row was taken, `sbridge fit METHOD --snapshots \
             {}#{}` makes a snapshot of every value",
            column + 1,
            shown(name),
            reading.source,
            shown(name)
        )
    })
}

/// The first cell in use that is missing or infinite, in words.
fn first_gap(table: &Table, used: &[usize], bytes: &[u8], reading: &Reading) -> Result<Option<String>> {
    let gaps = used.iter().filter_map(|&column| Some((table.columns[column].first_gap?, column)));
    let Some((line, column)) = gaps.min() else {
        return Ok(None);
    };
    let text = cell_at(bytes, line, column, reading)?;
    let is_infinite = super::cell::is_infinite(&text);
    let what = match (text.is_empty(), is_infinite) {
        _ if table.columns[column].is_empty => "the whole column is empty".to_owned(),
        (true, _) => "the cell is empty".to_owned(),
        (_, true) => format!("'{text}' is infinite"),
        (_, false) => format!("'{text}' marks a missing value"),
    };
    Ok(Some(format!("{}: {what}", place(table, line, column))))
}

/// Where a cell is, with the name of its column.
fn place(table: &Table, line: u64, column: usize) -> String {
    let name = table.names.as_ref().map(|names| format!(" ({})", shown(&names[column]))).unwrap_or_default();
    format!("line {line}, column {}{name}", column + 1)
}

/// The column whose name says that it holds labels.
fn label_column(names: &[String]) -> Option<usize> {
    let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let has_x = find("x").is_some();
    LABELS.into_iter().find_map(find).or_else(|| find("y").filter(|_| !has_x && names.len() > 1))
}

/// Labels, with names where the cells were not simply numbers from 0 on.
struct Labels {
    values: Vec<u32>,
    names: Option<Vec<String>>,
}

fn read_labels(table: &Table, notes: &mut Vec<String>, reading: &Reading) -> Result<Option<Labels>> {
    let Some(column) = &table.labels else {
        return Ok(None);
    };
    if let Some(row) = column.cells.iter().position(String::is_empty) {
        return Err(reading.malformed(
            format!("the label of data row {} is missing", row + 1),
            "fill it or remove the row",
        ));
    }
    let at = column.at;
    let name = table.names.as_ref().map(|names| shown(&names[at])).unwrap_or_default();
    let labels = labels_of(column, table, &name);
    notes.push(match &labels {
        Some(Labels { names: None, .. }) => format!("labels read from column {} ({name})", at + 1),
        Some(Labels { names: Some(names), .. }) => {
            format!(
                "labels read from column {} ({name}), numbered from 0 in the order of {} sorted names",
                at + 1,
                names.len()
            )
        }
        None => format!(
            "column {} ({name}) is named like labels but holds measurements: read as a coordinate",
            at + 1
        ),
    });
    Ok(labels)
}

/// The labels in a column; none if it holds measurements.
fn labels_of(column: &LabelColumn, table: &Table, name: &str) -> Option<Labels> {
    let is_whole = table.columns[column.at].is_whole;
    let is_y = name.eq_ignore_ascii_case("y");
    if is_y && !column.has_text && (!is_whole || has_many_values(column)) {
        return None;
    }
    // Programs that know fractions only write 1.0 for 1.
    let label = |cell: &String| cell.strip_suffix(".0").unwrap_or(cell).parse().ok();
    let plain: Option<Vec<u32>> = column.cells.iter().map(label).collect();
    match plain {
        Some(values) => Some(Labels { values, names: None }),
        None if is_whole || column.has_text => Some(number_the_names(column, is_whole)),
        None => None,
    }
}

/// Whether there are too many different values for classes.
fn has_many_values(column: &LabelColumn) -> bool {
    let distinct: BTreeSet<&str> = column.cells.iter().map(String::as_str).collect();
    distinct.len() > MOST_CLASSES && 2 * distinct.len() > column.cells.len()
}

fn number_the_names(column: &LabelColumn, is_integer: bool) -> Labels {
    let distinct: BTreeSet<&str> = column.cells.iter().map(String::as_str).collect();
    let mut names: Vec<&str> = distinct.into_iter().collect();
    if is_integer {
        // As text, -1 and -2 would sort before -10 and 1.
        names.sort_by_key(|name| name.parse::<i128>().unwrap_or(i128::MAX));
    }
    let labels: HashMap<&str, u32> = names.iter().copied().zip(0..).collect();
    let values = column.cells.iter().map(|cell| labels[cell.as_str()]).collect();
    Labels { values, names: Some(names.into_iter().map(str::to_owned).collect()) }
}

fn check_numbers(table: &Table, left_out: &BTreeSet<usize>, reading: &Reading) -> Result<()> {
    let in_front = table.text_in_front.as_ref().filter(|_| !left_out.contains(&0));
    let first = match (in_front, &table.text) {
        (Some(a), Some(b)) => Some(if (a.line, a.column) < (b.line, b.column) { a } else { b }),
        (a, b) => a.or(b.as_ref()),
    };
    let Some(TextCell { line, column, text, kind }) = first else {
        return Ok(());
    };
    Err(reading.malformed(format!("{}: '{text}' {}", place(table, *line, *column), kind.what()), kind.fix()))
}

/// The columns in use, of rows of `width` values.
struct Chosen<'a> {
    width: usize,
    used: &'a [usize],
}

impl Arrangement for Chosen<'_> {
    fn of<T: Copy>(&self, values: Vec<T>) -> Vec<T> {
        chosen(values, self.width, self.used)
    }
}

/// Of rows of `width` items, those in the columns in use.
fn chosen<T>(items: Vec<T>, width: usize, used: &[usize]) -> Vec<T> {
    if used.len() == width {
        return items;
    }
    let mut is_used = vec![false; width];
    used.iter().for_each(|&column| is_used[column] = true);
    items
        .into_iter()
        .zip(is_used.into_iter().cycle())
        .filter_map(|(item, used)| used.then_some(item))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::Limits;

    fn read_text(text: &str) -> Result<Contents> {
        let limits = Limits { max_bytes: 1 << 20 };
        read(text.as_bytes(), None, &Reading { source: "x.csv", limits: &limits })
    }

    fn refusal(text: &str) -> String {
        read_text(text).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn header_byte_order_mark_and_line_ends_do_not_matter() {
        for text in [
            "1,2\n3,4\n",
            "1,2\r\n3,4",
            "\u{feff}a,b\r\n1,2\r\n3,4\r\n",
            "a;b\n1;2\n3;4\n",
            "a\tb\n1\t2\n\n3\t4\n",
        ] {
            let contents = read_text(text).unwrap();
            assert_eq!(contents.values, [1.0, 2.0, 3.0, 4.0], "{text:?}");
            assert_eq!(contents.shape, SampleShape::Vector { dim: 2 });
        }
    }

    #[test]
    fn an_unnamed_index_is_left_out_and_noted() {
        let contents = read_text("\"\",\"a\",\"b\"\n\"1\",0.5,0.25\n\"2\",1.5,1.25\n").unwrap();
        assert_eq!(contents.values, [0.5, 0.25, 1.5, 1.25]);
        assert_eq!(contents.column_names.unwrap(), ["a", "b"]);
        assert!(contents.notes.iter().any(|note| note.contains("index")));
    }

    #[test]
    fn labels_are_whole_numbers_or_words_but_not_fractions() {
        let contents = read_text("a,label\n0.5,3\n1.5,0\n").unwrap();
        assert_eq!((contents.values, contents.labels.unwrap()), (vec![0.5, 1.5].into(), vec![3, 0]));
        let contents = read_text("a,class\n0.5,rose\n1.5,iris\n").unwrap();
        assert_eq!(
            (contents.labels.unwrap(), contents.label_names.unwrap()),
            (vec![1, 0], vec!["iris".into(), "rose".into()])
        );
        let contents = read_text("a,y\n0.5,1\n1.5,-1\n").unwrap();
        assert_eq!(
            (contents.labels.unwrap(), contents.label_names.unwrap()),
            (vec![1, 0], vec!["-1".into(), "1".into()])
        );
        let contents = read_text("a,y\n0.5,1.5\n1.5,-1\n").unwrap();
        assert_eq!((contents.labels, contents.values), (None, vec![0.5, 1.5, 1.5, -1.0].into()));
    }

    #[test]
    fn y_beside_x_is_a_coordinate() {
        let contents = read_text("x,y\n1,2\n3,4\n").unwrap();
        assert_eq!((contents.labels, contents.values.len()), (None, 4));
    }

    #[test]
    fn messages_name_line_column_and_cell() {
        assert!(
            refusal("a,b\n1,2\n\n3,oops\n").contains("line 4, column 2 (b): 'oops'"),
            "{}",
            refusal("a,b\n1,2\n\n3,oops\n")
        );
        assert!(refusal("a,b\r\n1,2\r\n3,oops\r\n").contains("line 3, column 2"));
        assert!(refusal("1,2\n3\n").contains("line 2 has 1 cells, but line 1 has 2"));
        assert!(refusal("1.5;2.5\n3,5;4.5\n").contains("line 2, column 1: '3,5' has a decimal comma"));
        assert!(refusal("a,b\n3%,4\n").contains("'3%' is a percentage"));
        assert!(refusal("").contains("empty"));
        assert!(refusal("a,b\n").contains("no rows"));
        assert!(refusal("a,label\n1,\n").contains("label of data row 1"));
        assert!(refusal("label\n1\n").contains("no columns"));
    }

    #[test]
    fn decimal_commas_and_thousands_are_read_where_the_table_tells_which() {
        let contents = read_text("x;y\n1,5;2,25\n3,75;4\n").unwrap();
        assert_eq!(contents.values, [1.5, 2.25, 3.75, 4.0]);
        assert!(contents.notes.iter().any(|note| note.contains("decimal commas")));
        let contents = read_text("x,y\n\"1,000.5\",2\n\"12,000\",4\n").unwrap();
        assert_eq!(contents.values, [1000.5, 2.0, 12000.0, 4.0]);
        assert!(
            contents.notes.iter().any(|note| note.contains("2 numbers have a comma")),
            "{:?}",
            contents.notes
        );
        assert!(refusal("x;y\n1,000;2\n2,500;4\n").contains("no cell tells which"));
    }

    #[test]
    fn other_encodings_are_refused() {
        let limits = Limits::default();
        let reading = Reading { source: "x.csv", limits: &limits };
        let message = |bytes: &[u8]| read(bytes, None, &reading).map(|_| ()).unwrap_err().to_string();
        assert!(message(b"\xff\xfe1\x00").contains("UTF-16"));
        assert!(message(b"1,2\n3,\xe9\n").contains("line 2"));
    }

    #[test]
    fn missing_cells_are_not_finite_and_not_dropped() {
        let contents = read_text("a,b\n1,\nNA,4\n").unwrap();
        assert!(contents.values.get(1).is_nan() && contents.values.get(2).is_nan());
        assert_eq!(contents.values.len(), 4);
    }

    #[test]
    fn a_first_row_of_numbers_is_never_lost() {
        let contents = read_text("0,1,2\n3,4,5\n").unwrap();
        assert_eq!(contents.values.len(), 6);
        assert!(contents.doubts[0].contains("if these are names"));
    }

    /// Values and notes of a table that is read.
    fn values_and_notes(text: &str) -> (Vec<f64>, String) {
        let contents = read_text(text).unwrap();
        (contents.values.iter().collect(), [contents.notes, contents.doubts].concat().join("; "))
    }

    #[test]
    fn years_and_counted_columns_above_fractions_are_names() {
        for (names, rows) in
            [("2019,2020,2021", "0.5,1.5,2.5\n1.5,2.0,3.0\n"), ("0,1", "0.5,1.0\n-1.5,2.5\n")]
        {
            let contents = read_text(&format!("{names}\n{rows}")).unwrap();
            assert_eq!(contents.column_names.unwrap().join(","), names);
            assert_eq!(contents.values.get(0), 0.5);
            assert!(contents.notes[0].contains("line 1 read as column names"));
        }
        let (values, notes) = values_and_notes("2019,2020\n2018,2030\n");
        assert_eq!(values[0], 2019.0);
        assert!(notes.contains("if these are names"), "{notes}");
    }

    #[test]
    fn the_last_comment_may_hold_the_names() {
        let contents = read_text("# made on Monday\n# x,y\n1,2\n3,4\n").unwrap();
        assert_eq!((contents.labels, contents.column_names.unwrap()), (None, vec!["x".into(), "y".into()]));
        let contents = read_text("# a b\n1.5e+00 2.0e+00\n3.0e+00 4.0e+00\n").unwrap();
        assert_eq!((contents.values.get(3), contents.column_names.unwrap().len()), (4.0, 2));
        let (values, notes) = values_and_notes("# a remark\nx,y\n1,2\n# another\n3,4\n");
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0]);
        assert!(notes.contains("line 1 and 1 more left out as a comment"), "{notes}");
        let missing = read_text("x,y\n1,2\n#N/A,4\n").unwrap();
        assert_eq!((missing.values.len(), missing.first_gap.unwrap().contains("'#N/A' marks")), (4, true));
    }

    #[test]
    fn titles_blank_rows_and_empty_cells_at_the_end_are_left_out() {
        let (values, notes) = values_and_notes("Measurements of Monday\n\nx,y\n1,2\n3,4\n,\n,\n");
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0]);
        assert!(
            notes.contains("line 1 taken as a title") && notes.contains("line 6 and 1 more left out"),
            "{notes}"
        );
        assert_eq!(values_and_notes("A|B|\n1|2|\n3|4|\n").0, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(values_and_notes("A,B\n1,2,\n3,4,\n").0, [1.0, 2.0, 3.0, 4.0]);
        assert!(refusal("A,B\n1,2,\n3,4,5\n").contains("line 3 has 3 cells, but line 1 has 2"));
    }

    #[test]
    fn indices_and_names_of_rows_are_left_out() {
        let twice = ",Unnamed: 0,a\n0,0,0.5\n1,1,1.5\n";
        assert_eq!(values_and_notes(twice).0, [0.5, 1.5]);
        let barcodes = ",PC_1,PC_2\nGGCT-1,0.5,1\nTTGA-1,1.5,2\n";
        assert_eq!(values_and_notes(barcodes).0, [0.5, 1.0, 1.5, 2.0]);
        assert!(
            refusal("cell,PC_1\nGGCT-1,0.5\n").contains("line 2, column 1 (cell): 'GGCT-1' is not a number")
        );
        assert!(refusal("a,b\nr1,1,2\nr2,3,4\n").contains("put a name above it"));
    }

    #[test]
    fn y_is_labels_only_where_it_can_be_classes() {
        let of = |rows: String| read_text(&("a,y\n".to_owned() + &rows)).unwrap().labels.is_some();
        assert!(of("0.5,1\n1.5,0\n".into()));
        assert!(!of("0.5,1.0\n1.5,0.0\n".into()));
        assert!(!of((0..300).map(|k| format!("0.5,{}\n", 7 * k)).collect()));
        assert_eq!(read_text("a,label\n0.5,1.0\n1.5,0.0\n").unwrap().labels.unwrap(), [1, 0]);
    }

    #[test]
    fn weights_and_points_that_may_part_thousands_are_doubted() {
        assert!(values_and_notes("position,weight\n1,0.5\n2,0.5\n").1.contains("--weights weight"));
        assert!(values_and_notes("x;y\n1.299;2.5\n999;4.5\n").1.contains("the first on line 2"));
        assert!(!values_and_notes("x;y\n1.299;2.5\n0.5;4.5\n").1.contains("thousands"));
    }

    #[test]
    fn a_part_is_the_rows_of_one_value_without_its_column() {
        let limits = Limits::default();
        let reading = Reading { source: "x.csv", limits: &limits };
        let part = |part: &str| read(b"a,day,b\n1,0,2\n3,2.0,4\n5,2,6\n", Some(part), &reading);
        let contents = part("day=2").unwrap();
        assert_eq!(
            (contents.values, contents.column_names.unwrap()),
            (vec![3.0, 4.0, 5.0, 6.0].into(), vec!["a".into(), "b".into()])
        );
        let refusal = |name: &str| part(name).map(|_| ()).unwrap_err().to_string();
        assert!(refusal("day=7").contains("no row has 7 in column 'day'"));
        assert!(refusal("dya=2").contains("no column 'dya' (There is a, day, b)"));
        assert!(refusal("day").contains("#day=VALUE"));
        let rows: String = (0..12).map(|k| format!("0.5,{}\n", k % 3)).collect();
        assert!(values_and_notes(&("a,day\n".to_owned() + &rows)).1.contains("--snapshots x.csv#day"));
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["# x", "a,b", "1,2", "", "3,oops", ""].join(end);
            assert!(refusal(&text).contains("line 5, column 2 (b): 'oops'"), "{end:?} {}", refusal(&text));
            let text = ["1 2", "", "3 oops", "4 5", "6 7"].join(end);
            assert!(refusal(&text).contains("line 3, column 2: 'oops'"), "{end:?} {}", refusal(&text));
        }
    }

    proptest! {
        #[test]
        fn written_values_are_read_back(rows in 1usize..6, columns in 1usize..6, seed in prop::array::uniform25(-1e6f64..1e6)) {
            let values = &seed[..rows * columns];
            let line = |row: &[f64]| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
            let text: String = values.chunks(columns).map(|row| line(row) + "\n").collect();
            let contents = read_text(&text).unwrap();
            prop_assert_eq!(contents.values.as_f64().to_vec(), values);
        }
    }
}
