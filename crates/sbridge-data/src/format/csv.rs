//! Tables of numbers: which columns are coordinates, which are an index or labels.
//!
//! A column without a name that holds whole numbers is an index and is left out. A column named
//! `label`, `labels`, `class`, `target` or `y` that holds whole numbers or words is the labels;
//! next to a column `x`, `y` is a coordinate. Every such choice is noted.

use std::collections::{BTreeSet, HashMap};

use super::cell::DecimalMark;
use super::table::{LabelColumn, Table, TextCell, parse};
use crate::element::ElementType;
use crate::layout::Contents;
use crate::reading::Reading;
use crate::shown::{listed, shown};
use crate::values::Arrangement;
use crate::{Result, SampleShape};

/// Reads samples from the bytes of a table.
///
/// # Errors
/// When the text is not a rectangular table of numbers; the message names line, column and cell.
pub(crate) fn read(bytes: &[u8], reading: &Reading) -> Result<Contents> {
    let table = parse(bytes, label_column, reading)?;
    let mut notes = Vec::new();
    notes.extend(note_on_first_line(&table));
    notes.extend(notes_on_numbers(&table));
    let index = index_column(&table);
    if let Some(index) = index {
        notes.push(format!("column {} left out: whole numbers without a name, an index", index + 1));
    }
    let labels = read_labels(&table, &mut notes, reading)?;
    let label = table.labels.as_ref().filter(|_| labels.is_some()).map(|column| column.at);
    let used: Vec<usize> =
        (0..table.width).filter(|&column| Some(column) != index && Some(column) != label).collect();
    if used.is_empty() {
        return Err(reading.malformed(
            "the table has no columns besides index and labels",
            "add the columns of the samples",
        ));
    }
    check_numbers(&table, reading)?;
    let values = table.values.arranged(&Chosen { width: table.width, used: &used });
    let mut contents = Contents::new(SampleShape::Vector { dim: used.len() }, values, ElementType::Text);
    contents.column_names = table.names.map(|names| chosen(names, table.width, &used));
    (contents.labels, contents.label_names) =
        labels.map_or((None, None), |labels| (Some(labels.values), labels.names));
    contents.notes = notes;
    Ok(contents)
}

/// Labels, with names where the cells were not simply numbers from 0 on.
struct Labels {
    values: Vec<u32>,
    names: Option<Vec<String>>,
}

fn note_on_first_line(table: &Table) -> Option<String> {
    match &table.names {
        Some(names) => Some(format!("line 1 read as column names: {}", listed(names))),
        None => {
            let counts_up = (0..table.width).all(|k| table.values.get(k) == k as f64);
            (counts_up && table.width > 2).then(|| {
                "line 1 reads 0, 1, 2, … and is taken as numbers: if these are names, remove the line"
                    .to_owned()
            })
        }
    }
}

fn notes_on_numbers(table: &Table) -> Vec<String> {
    let comma = table.mark == DecimalMark::Comma;
    let sign = if comma { "point" } else { "comma, a blank or the like" };
    let grouped = (table.grouped > 0)
        .then(|| format!("{} numbers have a {sign} between thousands: read without it", table.grouped));
    comma.then(|| "numbers have decimal commas".to_owned()).into_iter().chain(grouped).collect()
}

fn index_column(table: &Table) -> Option<usize> {
    let first = table.names.as_ref()?.first()?;
    let unnamed = first.is_empty() || first.eq_ignore_ascii_case("unnamed: 0");
    (unnamed && table.is_integer[0] && table.width > 1).then_some(0)
}

/// The column whose name says that it holds labels.
fn label_column(names: &[String]) -> Option<usize> {
    let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let has_x = find("x").is_some();
    ["label", "labels", "class", "target"].into_iter().find_map(find).or_else(|| find("y").filter(|_| !has_x))
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
    let labels = labels_of(column, table.is_integer[at]);
    notes.push(match &labels {
        Some(Labels { names: None, .. }) => format!("labels read from column {}", at + 1),
        Some(Labels { names: Some(names), .. }) => {
            format!(
                "labels read from column {}, numbered from 0 in the order of {} sorted names",
                at + 1,
                names.len()
            )
        }
        None => format!("column {} is named like labels but holds fractions: read as a coordinate", at + 1),
    });
    Ok(labels)
}

fn labels_of(column: &LabelColumn, is_integer: bool) -> Option<Labels> {
    let plain: Option<Vec<u32>> = column.cells.iter().map(|cell| cell.parse().ok()).collect();
    match plain {
        Some(values) => Some(Labels { values, names: None }),
        None if is_integer || column.has_text => Some(number_the_names(column, is_integer)),
        None => None,
    }
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

fn check_numbers(table: &Table, reading: &Reading) -> Result<()> {
    let Some(TextCell { line, column, text, kind }) = &table.first_text else {
        return Ok(());
    };
    let name = table.names.as_ref().map(|names| format!(" ({})", shown(&names[*column]))).unwrap_or_default();
    Err(reading
        .malformed(format!("line {line}, column {}{name}: '{text}' {}", column + 1, kind.what()), kind.fix()))
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
        read(text.as_bytes(), &Reading { source: "x.csv", limits: &limits })
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
        let message = |bytes: &[u8]| read(bytes, &reading).map(|_| ()).unwrap_err().to_string();
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
        assert!(contents.notes[0].contains("if these are names"));
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
