//! Marks that stand for a value that is not known.

/// In lower case: the `na_values` of pandas, and what spreadsheets, statistics programs, data bases and C write.
const MARKS: [&str; 42] = [
    "na",
    "n/a",
    "n.a.",
    "nan",
    "null",
    "none",
    "nil",
    "missing",
    "nat",
    "<na>",
    "<nan>",
    "(null)",
    "\\n", // by name
    "#n/a",
    "#n/a n/a",
    "#na",
    "#n/a!",
    "#div/0!",
    "#value!",
    "#ref!",
    "#name?",
    "#num!",
    "#null!", // spreadsheets
    "-nan",
    "+nan",
    "-nan(ind)",
    "nan(ind)",
    "nan(snan)",
    "-nan(snan)", // C
    "1.#ind",
    "-1.#ind",
    "1.#qnan",
    "-1.#qnan",
    "1.#snan", // older C
    "-",
    "--",
    "---",
    "?",
    ".",
    "..",
    "...",
    "*", // one sign
];

/// A longer cell is no mark.
const LONGEST: usize = 10;

/// Whether a cell without blanks around it is empty or one of the usual marks of a missing value.
pub(crate) fn is_missing(text: &str) -> bool {
    if text.len() > LONGEST {
        return false;
    }
    text.is_empty()
        || matches!(text, "\u{2013}" | "\u{2014}" | "\u{2212}" | "\u{2026}")
        || MARKS.iter().any(|mark| text.eq_ignore_ascii_case(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mark_is_longer_than_the_longest() {
        assert!(MARKS.iter().all(|mark| mark.len() <= LONGEST && is_missing(&mark.to_uppercase())));
    }
}
