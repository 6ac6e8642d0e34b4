//! Whether the fractions of a table begin with a point or with a comma.

use super::number;
use crate::Result;
use crate::reading::Reading;

/// What stands before the fraction of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecimalMark {
    /// `1.5`; a comma parts thousands.
    Point,
    /// `1,5`; a point parts thousands.
    Comma,
}

impl DecimalMark {
    pub(super) fn character(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }

    /// Whether this may stand between thousands: blanks of any width, an apostrophe, the other of comma and point.
    pub(super) fn parts_thousands(self, separator: char) -> bool {
        match separator {
            ',' => self == Self::Point,
            '.' => self == Self::Comma,
            _ => matches!(separator, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\'' | '\u{2019}' | '_'),
        }
    }
}

/// What the cells of a table have shown of its decimal mark.
///
/// `1,5` can only be a fraction and `1,000.5` only have thousands; `1,000` may be 1 or 1000, and a table that has nothing
/// clearer is not guessed at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Evidence {
    /// Some cell can only be read with a decimal point.
    for_point: bool,
    /// Some cell can only be read with a decimal comma.
    for_comma: bool,
    /// Some cell has a comma and is a number.
    has_comma: bool,
}

impl Evidence {
    /// Takes in one more cell.
    pub(crate) fn add(&mut self, text: &str) {
        let has_comma = text.contains(',');
        if !has_comma && (self.for_point || !text.contains('.')) {
            return;
        }
        let text = text.trim();
        let reads = |mark| number::parse(text, mark).is_some();
        let (point, comma) = (reads(DecimalMark::Point), reads(DecimalMark::Comma));
        self.for_point |= point && !comma;
        self.for_comma |= comma && !point;
        self.has_comma |= has_comma && (point || comma);
    }

    /// The decimal mark of the table.
    ///
    /// # Errors
    /// [`DataError::Malformed`](crate::DataError::Malformed) where commas may be either.
    pub(crate) fn decided(&self, reading: &Reading) -> Result<DecimalMark> {
        self.decimal_mark().ok_or_else(|| {
            reading.malformed(
                "numbers such as 1,000 may have thousands or a decimal comma, and no cell tells which",
                "write them without separators between thousands, and with decimal points",
            )
        })
    }

    /// None where commas may be either. Where both have been seen, it is the point, and the cells with decimal commas will be
    /// named.
    fn decimal_mark(&self) -> Option<DecimalMark> {
        match (self.for_point, self.for_comma, self.has_comma) {
            (false, true, _) => Some(DecimalMark::Comma),
            (false, false, true) => None,
            _ => Some(DecimalMark::Point),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark_of(cells: &[&str]) -> Option<DecimalMark> {
        let mut evidence = Evidence::default();
        cells.iter().for_each(|cell| evidence.add(cell));
        evidence.decimal_mark()
    }

    #[test]
    fn one_clear_cell_decides_for_the_table() {
        assert_eq!(mark_of(&["1,5", "1,000"]), Some(DecimalMark::Comma));
        assert_eq!(mark_of(&["0,125", "17"]), Some(DecimalMark::Comma));
        assert_eq!(mark_of(&["1,000.5", "2,000"]), Some(DecimalMark::Point));
        assert_eq!(mark_of(&["1,000", "2.5"]), Some(DecimalMark::Point));
        assert_eq!(mark_of(&["1,000,000", "1,000"]), Some(DecimalMark::Point));
        assert_eq!(mark_of(&["1.5", "2", "cat, dog"]), Some(DecimalMark::Point));
        assert_eq!(mark_of(&["1.299", "2"]), Some(DecimalMark::Point));
    }

    #[test]
    fn a_comma_that_may_be_either_is_not_guessed_at() {
        assert_eq!(mark_of(&["1,000", "12,500"]), None);
        assert_eq!(mark_of(&["1,000", "2.500"]), None);
    }

    #[test]
    fn where_both_are_clear_the_comma_is_the_slip() {
        assert_eq!(mark_of(&["1.5", "2,5"]), Some(DecimalMark::Point));
    }
}
