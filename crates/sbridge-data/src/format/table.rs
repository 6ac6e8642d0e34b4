//! Text to rows of cells: encoding, separator, comments, titles, and what carries nothing.
//!
//! Comments begin with `#` or `%`; the last one above the table may hold the names of its columns, as `numpy.savetxt` writes them. A
//! title, blank rows and empty cells beyond the columns are left out. Of all that there is a note.
//!
//! Lines and columns are counted from 1 in every message, as editors count them.

pub(crate) use super::cell::is_missing;
use super::cell::{Cell, DecimalMark, NotANumber};
use super::separator::Separator;
use crate::Result;
use crate::reading::Reading;

/// The most columns of a table: what a cell costs beside its number must stay bounded.
const MAX_COLUMNS: usize = 1 << 20;

/// What comments begin with: in Python and R, in MATLAB and TeX.
const COMMENT: [char; 2] = ['#', '%'];

/// Lines that are looked at to see how a table is laid out.
const FIRST_LINES: usize = 20;

/// The rows of a table, cut into cells.
pub(crate) struct Rows<'a> {
    text: &'a str,
    lines: Lines<'a>,
    place: Place,
    /// Names in a comment above the table.
    head: Option<Row>,
    /// Cells of the first row.
    width: Option<usize>,
    left_out: LeftOut,
    reading: &'a Reading<'a>,
}

/// One row of a table.
pub(crate) struct Row {
    pub(crate) record: csv::StringRecord,
    pub(crate) line: u64,
}

/// What can be cut into cells line by line.
enum Lines<'a> {
    Separated { reader: csv::Reader<&'a [u8]>, offset: usize },
    Blanks { rest: &'a str },
}

/// A place in the text, and its line.
struct Place {
    byte: usize,
    line: u64,
}

/// What was found between the rows, with the line of the first.
#[derive(Default)]
struct LeftOut {
    comments: Tally,
    titles: Tally,
    blank_rows: Tally,
    empty_cells: Tally,
    blanks_between: bool,
}

#[derive(Default)]
struct Tally {
    count: usize,
    first: u64,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(text: &'a str, reading: &'a Reading<'a>) -> Self {
        let top = Top::of(text);
        let lines = match top.separator {
            Separator::Blanks => Lines::Blanks { rest: &text[top.start..] },
            Separator::Byte(byte) => Lines::Separated {
                reader: csv::ReaderBuilder::new()
                    .has_headers(false)
                    .flexible(true)
                    .delimiter(byte)
                    .from_reader(&text.as_bytes()[top.start..]),
                offset: top.start,
            },
        };
        let mut rows = Self {
            text,
            lines,
            place: Place { byte: 0, line: 1 },
            head: None,
            width: None,
            left_out: LeftOut { blanks_between: top.separator == Separator::Blanks, ..LeftOut::default() },
            reading,
        };
        for (at, kind) in top.above {
            let line = rows.line_at(at);
            match kind {
                Above::Names(cells) => rows.head = Some(Row { record: csv::StringRecord::from(cells), line }),
                Above::Comment => rows.left_out.comments.add(line),
                Above::Title => rows.left_out.titles.add(line),
            }
        }
        rows
    }

    /// The next row that holds something.
    ///
    /// # Errors
    /// When a quote is not closed on its line.
    pub(crate) fn next_row(&mut self) -> Result<Option<Row>> {
        let head = self.head.take();
        let mut row = match head {
            Some(head) => head,
            None => match self.next_filled()? {
                Some(row) => row,
                None => return Ok(None),
            },
        };
        let width = *self.width.get_or_insert(row.record.len());
        if row.record.len() > width && row.record.iter().skip(width).all(|cell| cell.trim().is_empty()) {
            self.left_out.empty_cells.add(row.line);
            row.record.truncate(width);
        }
        Ok(Some(row))
    }

    fn next_filled(&mut self) -> Result<Option<Row>> {
        while let Some(row) = self.next_line()? {
            if row.is_comment() {
                self.left_out.comments.add(row.line);
            } else if row.is_blank() {
                self.left_out.blank_rows.add(row.line);
            } else {
                row.check_quotes(self.reading)?;
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn next_line(&mut self) -> Result<Option<Row>> {
        let (record, at) = match &mut self.lines {
            Lines::Separated { reader, offset } => {
                let mut record = csv::StringRecord::new();
                let found = reader.read_record(&mut record).map_err(|cause| {
                    self.reading.malformed(format!("not a table: {cause}"), "repair that line")
                })?;
                if !found {
                    return Ok(None);
                }
                let at = record.position().map_or(0, |position| position.byte() as usize);
                (record, *offset + at)
            }
            Lines::Blanks { rest } => {
                *rest = rest.trim_start();
                if rest.is_empty() {
                    return Ok(None);
                }
                let at = self.text.len() - rest.len();
                let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
                let cells = Separator::Blanks.cells(&rest[..end]).map(|cell| cell.trim_matches('"'));
                let record = cells.collect();
                *rest = &rest[end..];
                (record, at)
            }
        };
        Ok(Some(Row { record, line: self.line_at(at) }))
    }

    /// The line of the text that the first character at `byte` or behind it is on that ends no line; places rise.
    ///
    /// The position of a record is where the reader stood before it, which is ahead of any blank lines.
    fn line_at(&mut self, byte: usize) -> u64 {
        let bytes = self.text.as_bytes();
        let ends_line = |byte: &&u8| matches!(**byte, b'\n' | b'\r');
        let to = byte + bytes[byte..].iter().take_while(ends_line).count();
        let from = self.place.byte.min(to);
        let ends = (from..to)
            .filter(|&k| bytes[k] == b'\n' || (bytes[k] == b'\r' && bytes.get(k + 1) != Some(&b'\n')));
        self.place = Place { line: self.place.line + ends.count() as u64, byte: to };
        self.place.line
    }

    /// What was left out so far, in words.
    pub(crate) fn notes(&self) -> Vec<String> {
        let LeftOut { comments, titles, blank_rows, empty_cells, blanks_between } = &self.left_out;
        let mut notes = Vec::new();
        if *blanks_between {
            notes.push("cells are parted by blanks".to_owned());
        }
        notes.extend(titles.note("taken as a title and left out"));
        notes.extend(comments.note("left out as a comment"));
        notes.extend(blank_rows.note("left out: no cell holds anything"));
        notes.extend(empty_cells.note("read without the empty cells at the end"));
        notes
    }
}

impl Tally {
    fn add(&mut self, line: u64) {
        self.count += 1;
        if self.count == 1 {
            self.first = line;
        }
    }

    fn note(&self, what: &str) -> Option<String> {
        match self.count {
            0 => None,
            1 => Some(format!("line {} {what}", self.first)),
            count => Some(format!("line {} and {} more {what}", self.first, count - 1)),
        }
    }
}

/// What stands above the rows, and how they are cut.
struct Top {
    separator: Separator,
    /// Where the rows begin.
    start: usize,
    above: Vec<(usize, Above)>,
}

enum Above {
    Comment,
    /// A comment that names the columns.
    Names(Vec<String>),
    Title,
}

impl Top {
    fn of(text: &str) -> Self {
        let mut above: Vec<(usize, Above)> = Vec::new();
        let mut last_comment = "";
        let mut lines = physical_lines(text).peekable();
        while let Some((at, line)) = lines.next_if(|(_, line)| is_comment(line)) {
            above.push((at, Above::Comment));
            last_comment = line;
        }
        let first: Vec<(usize, &str)> =
            lines.filter(|(_, line)| !is_comment(line)).take(FIRST_LINES).collect();
        let texts: Vec<&str> = first.iter().map(|(_, line)| *line).collect();
        let separator = Separator::of(&texts);
        let titles = titles(&texts, separator);
        above.extend(first[..titles].iter().map(|(at, _)| (*at, Above::Title)));
        let start = first.get(titles).map_or(text.len(), |(at, _)| *at);
        if let (0, Some(row), Some((_, last))) = (titles, texts.first(), above.last_mut())
            && let Some(names) = names_in(last_comment, row, separator)
        {
            *last = Above::Names(names);
        }
        Self { separator, start, above }
    }
}

/// Lines that are not blank, and where they begin.
fn physical_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    let lines = text.split(['\n', '\r']).map(move |line| {
        let start = at;
        at += line.len() + 1;
        (start, line)
    });
    lines.filter(|(_, line)| !line.trim().is_empty())
}

/// Whether a line is a comment, and not a row that begins with a mark such as `#N/A`.
fn is_comment(line: &str) -> bool {
    let cell = line.split([',', ';', '\t', '|']).next().unwrap_or(line).trim();
    cell.starts_with(COMMENT)
        && !is_missing(cell)
        && !is_missing(line.split_whitespace().next().unwrap_or_default())
}

/// Lines of one cell of words above a row of several.
fn titles(lines: &[&str], separator: Separator) -> usize {
    let filled = |line: &str| separator.cells(line).filter(|cell| !cell.trim().is_empty()).count();
    let is_title = |line: &&&str| {
        let words = line.trim().trim_matches([',', ';', '\t', '|']);
        let is_text = matches!(Cell::read(words, DecimalMark::Point), Cell::Other(_));
        filled(line) == 1 && is_text && line.matches('"').count().is_multiple_of(2)
    };
    let count = lines.iter().take_while(is_title).count();
    match lines.get(count) {
        Some(next) if filled(next) > 1 => count,
        _ => 0,
    }
}

/// The names in a comment above a first row of numbers, if there are as many.
fn names_in(comment: &str, row: &str, separator: Separator) -> Option<Vec<String>> {
    let value = |cell: &str| Cell::read(cell.trim().trim_matches('"'), DecimalMark::Point).value();
    if !separator.cells(row).any(|cell| value(cell).is_some_and(|value| !value.is_nan())) {
        return None;
    }
    let text = comment.trim().trim_start_matches(COMMENT).trim();
    let width = separator.cells(row).count();
    let others = [b',', b'\t', b';'].map(Separator::Byte);
    let mut cuts = [separator].into_iter().chain(others).chain([Separator::Blanks]);
    let cut = cuts.find(|cut| cut.cells(text).count() == width)?;
    let names: Vec<String> = cut.cells(text).map(|cell| cell.trim().trim_matches('"').to_owned()).collect();
    names.iter().any(|name| value(name).is_none()).then_some(names)
}

/// Whether a cell of the first row below the names is a date.
pub(crate) fn first_row_has_date(bytes: &[u8], reading: &Reading) -> bool {
    let is_date = |cell: &str| Cell::read(cell, DecimalMark::Point) == Cell::Other(NotANumber::Date);
    let Ok(text) = utf8(bytes, reading) else {
        return false;
    };
    let mut rows = Rows::new(text, reading);
    let second = rows.next_row().and_then(|_| rows.next_row());
    second.ok().flatten().is_some_and(|row| row.record.iter().any(is_date))
}

impl Row {
    pub(crate) fn cells(&self) -> Vec<String> {
        self.record.iter().map(|cell| cell.trim().to_owned()).collect()
    }

    fn is_comment(&self) -> bool {
        self.record.get(0).is_some_and(is_comment)
    }

    /// Whether no cell holds anything; a lone cell may hold a missing value, which is written `""`.
    fn is_blank(&self) -> bool {
        let is_lone_mark = self.record.len() == 1 && self.record[0].is_empty();
        !is_lone_mark && self.record.iter().all(|cell| cell.trim().is_empty())
    }

    /// A quote that is never closed swallows the lines below it, which must not go unnoticed.
    fn check_quotes(&self, reading: &Reading) -> Result<()> {
        let Some(column) = self.record.iter().position(|cell| cell.contains(['\n', '\r'])) else {
            return Ok(());
        };
        Err(reading.malformed(
            format!("line {}, column {}: a quoted cell does not end on its line", self.line, column + 1),
            "close the quote, or take the line break out of the cell",
        ))
    }

    pub(super) fn check_width(&self, reading: &Reading) -> Result<()> {
        let width = self.record.len();
        if width <= MAX_COLUMNS {
            return Ok(());
        }
        Err(reading.unsupported(
            format!(
                "line {} has {width} cells, and at most {MAX_COLUMNS} columns are read from text",
                self.line
            ),
            "save the values as .npy",
        ))
    }

    pub(crate) fn check_length(&self, first: &Self, reading: &Reading) -> Result<()> {
        let [found, expected] = [self.record.len(), first.record.len()];
        if found == expected {
            return Ok(());
        }
        let Self { line, .. } = self;
        let first_is_text = |row: &Self| {
            row.record.iter().all(|cell| matches!(Cell::read(cell, DecimalMark::Point), Cell::Other(_)))
        };
        let fix = match found == expected + 1 && first_is_text(first) {
            true => {
                "give every line the same number of cells; if the first column holds the names of rows, put a name above it"
            }
            false => "give every line the same number of cells",
        };
        Err(reading
            .malformed(format!("line {line} has {found} cells, but line {} has {expected}", first.line), fix))
    }
}

/// The text after a byte order mark, if it is UTF-8.
pub(crate) fn utf8<'a>(bytes: &'a [u8], reading: &Reading) -> Result<&'a str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(
            reading.unsupported("the text is UTF-16", "save it as UTF-8 (\"CSV UTF-8\" in spreadsheets)")
        );
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line_at = |at: usize| 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(reading.unsupported(
            format!("line {} holds a zero byte, as UTF-16 and binary files do", line_at(at)),
            "save it as UTF-8 text (\"CSV UTF-8\" in spreadsheets)",
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        reading
            .malformed(format!("line {} is not UTF-8 text", line_at(error.valid_up_to())), "save it as UTF-8")
    })
}
