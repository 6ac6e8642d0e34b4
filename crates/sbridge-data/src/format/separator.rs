//! What stands between the cells of a table, seen in its first lines.
//!
//! A tab, a semicolon, a bar or a comma; or blanks, as `numpy.savetxt` and fixed columns have them. Tab and semicolon come
//! before the comma, which may be a decimal comma inside their cells. Of several that cut all lines alike, the first that leaves
//! numbers only is taken.

use super::cell::{Cell, DecimalMark};

/// What stands between cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separator {
    /// This one byte.
    Byte(u8),
    /// One blank or more.
    Blanks,
}

const CANDIDATES: [Separator; 5] = [
    Separator::Byte(b'\t'),
    Separator::Byte(b';'),
    Separator::Byte(b'|'),
    Separator::Byte(b','),
    Separator::Blanks,
];

/// Cells of a line that are looked at to tell numbers from words.
const FIRST_CELLS: usize = 100;

/// Lines of words above a table, at most.
const TITLES: usize = 10;

impl Separator {
    /// The separator of a table that begins with these lines, none of them blank.
    ///
    /// Where no separator is consistent, the one most frequent in the first line, so that the ragged line is found and named
    /// later.
    pub(super) fn of(lines: &[&str]) -> Self {
        // Words are parted by blanks too: those are separators between numbers only.
        let fits = |candidate: &Self| {
            candidate.cuts_alike(lines) && (*candidate != Self::Blanks || candidate.finds_numbers(lines))
        };
        let consistent: Vec<Self> = CANDIDATES.into_iter().filter(fits).collect();
        let numeric = consistent.iter().find(|candidate| candidate.leaves_numbers(lines));
        numeric.or(consistent.first()).copied().unwrap_or_else(|| Self::most_frequent(lines))
    }

    fn most_frequent(lines: &[&str]) -> Self {
        let count =
            |candidate: Self| lines.iter().map(|line| candidate.cells(line).count()).find(|count| *count > 1);
        let bytes = &CANDIDATES[..4];
        let most = bytes
            .iter()
            .copied()
            .filter_map(|byte| Some((count(byte)?, byte)))
            .max_by_key(|(count, _)| *count);
        match most {
            Some((_, byte)) => byte,
            None if Self::Blanks.leaves_numbers(lines) => Self::Blanks,
            None => Self::Byte(b','),
        }
    }

    /// Whether all lines below a title have the same number of cells, more than one.
    fn cuts_alike(self, lines: &[&str]) -> bool {
        let counts: Vec<usize> = lines.iter().map(|line| self.cells(line).count()).collect();
        let titles = counts.iter().take_while(|count| **count == 1).count();
        let below = &counts[titles..];
        titles <= TITLES && below.first().is_some_and(|first| below.iter().all(|count| count == first))
    }

    /// Whether the lines below the first that has several cells hold nothing but numbers, as far as is looked.
    fn leaves_numbers(self, lines: &[&str]) -> bool {
        let below = self.below_names(lines);
        !below.is_empty() && below.iter().all(|line| self.is_numeric(line))
    }

    /// Whether one of these lines at least holds nothing but numbers.
    fn finds_numbers(self, lines: &[&str]) -> bool {
        self.below_names(lines).iter().any(|line| self.is_numeric(line))
    }

    /// The lines below a title and the first that has several cells; that alone if there are no others.
    fn below_names<'a, 'b>(self, lines: &'a [&'b str]) -> &'a [&'b str] {
        let titles = lines.iter().take_while(|line| self.cells(line).nth(1).is_none()).count();
        if lines.len() > titles + 1 { &lines[titles + 1..] } else { &lines[titles..] }
    }

    /// Whether a line holds nothing but numbers, as far as is looked.
    fn is_numeric(self, line: &str) -> bool {
        let is_number = |cell: &str| {
            let reads = |mark| Cell::read(cell.trim_matches('"'), mark).value().is_some();
            reads(DecimalMark::Point) || reads(DecimalMark::Comma)
        };
        self.cells(line).take(FIRST_CELLS).all(is_number)
    }

    /// The cells of a line as they stand there, quotes included.
    pub(super) fn cells(self, line: &str) -> impl Iterator<Item = &str> {
        let mut is_quoted = false;
        let is_between = move |c: char| {
            is_quoted ^= c == '"';
            !is_quoted
                && match self {
                    Self::Byte(byte) => c == char::from(byte),
                    Self::Blanks => c.is_whitespace(),
                }
        };
        line.split(is_between).filter(move |cell| self != Self::Blanks || !cell.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Separator {
        let lines: Vec<&str> = text.lines().collect();
        Separator::of(&lines)
    }

    #[test]
    fn the_consistent_separator_is_found() {
        assert_eq!(of("a,b\n1,2\n"), Separator::Byte(b','));
        assert_eq!(of("a;b\n1;2\n"), Separator::Byte(b';'));
        assert_eq!(of("a\tb\n1\t2\n"), Separator::Byte(b'\t'));
        assert_eq!(of("A|B|C|\n1|2|3|\n"), Separator::Byte(b'|'));
        assert_eq!(of("1,5;2,5\n3,5;4,5\n"), Separator::Byte(b';'));
        assert_eq!(of("\"a;b\",c\n1,2\n"), Separator::Byte(b','));
        assert_eq!(of("1\n2\n"), Separator::Byte(b','));
        assert_eq!(of("A,B,C\n1,4,7,\n2,5,8,\n"), Separator::Byte(b','));
        assert_eq!(of("a,b\n1,2\n3,4\nSource: me\n"), Separator::Byte(b','));
    }

    #[test]
    fn blanks_part_numbers_and_not_words_or_thousands() {
        assert_eq!(of("1.0e+00 -2.0e+00\n3.0 4.0\n"), Separator::Blanks);
        assert_eq!(of("  1.0   2.0\n -3.0   4.0\n"), Separator::Blanks);
        assert_eq!(of("x y\n1,5 2,5\n3,5 4,5\n"), Separator::Blanks);
        assert_eq!(of("x,y\n1 000,2\n2 345,3\n"), Separator::Byte(b','));
        assert_eq!(of("date,a\n2024-01-01 12:00,1\n2024-01-01 13:00,2\n"), Separator::Byte(b','));
        assert_eq!(of("1 2 3\n4 5\n"), Separator::Blanks);
    }

    #[test]
    fn a_title_does_not_hide_the_separator() {
        assert_eq!(of("Measurements of Monday\nx;y\n1;2\n3;4\n"), Separator::Byte(b';'));
    }
}
