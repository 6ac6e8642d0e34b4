//! One cell of a table: a number, a missing value, an infinite one, or what else it is.
//!
//! Numbers are what programs write: `1.5`, `-2.`, `.5`, `1e3`, `1.0D+03` as Fortran has it, a minus that is U+2212, thousands
//! apart as in `1,000.5`, `1 000` or `1'000`. Whether a comma parts thousands or begins the fraction is a property of a
//! whole table, a [`DecimalMark`], for which its cells are [`Evidence`]. What only looks like a number, such as `12%` or
//! `$3`, is told with the way to write it, and never guessed at.
//!
//! The tests pin down: what `pandas` takes as missing is missing; numbers agree with those written in plain notation.

mod decimal_mark;
mod missing;
mod not_a_number;
mod number;

pub(crate) use decimal_mark::{DecimalMark, Evidence};
pub(crate) use missing::is_missing;
pub(crate) use not_a_number::NotANumber;

/// What a cell says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    /// A finite number.
    Number(f64),
    /// A finite number whose thousands are apart, which is worth a note.
    Grouped(f64),
    /// Nothing, or one of the marks for a value that is not known.
    Missing,
    /// Infinite as written, or beyond what f64 holds.
    Infinite(f64),
    /// No number.
    Other(NotANumber),
}

impl Cell {
    /// Reads a cell of a table with this decimal mark.
    pub(crate) fn read(text: &str, mark: DecimalMark) -> Self {
        let text = text.trim();
        // Most cells are plain, and a point is a point unless the table has decimal commas.
        if mark == DecimalMark::Point
            && let Ok(value) = text.parse::<f64>()
        {
            return Self::of_value(value);
        }
        if is_missing(text) {
            return Self::Missing;
        }
        if let Some(infinity) = number::infinity(text) {
            return Self::Infinite(infinity);
        }
        match number::parse(text, mark) {
            Some(number) if number.is_grouped && number.value.is_finite() => Self::Grouped(number.value),
            Some(number) => Self::of_value(number.value),
            None => Self::Other(NotANumber::of(text, mark)),
        }
    }

    fn of_value(value: f64) -> Self {
        match value {
            value if value.is_finite() => Self::Number(value),
            value if value.is_nan() => Self::Missing,
            infinite => Self::Infinite(infinite),
        }
    }

    /// The value as programs hold it: NaN where it is missing; none for what is no number.
    pub(crate) fn value(self) -> Option<f64> {
        match self {
            Self::Number(value) | Self::Grouped(value) | Self::Infinite(value) => Some(value),
            Self::Missing => Some(f64::NAN),
            Self::Other(_) => None,
        }
    }
}

/// Whether a cell is infinite, whatever the decimal mark.
pub(crate) fn is_infinite(text: &str) -> bool {
    [DecimalMark::Point, DecimalMark::Comma]
        .iter()
        .any(|mark| matches!(Cell::read(text, *mark), Cell::Infinite(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(text: &str) -> Cell {
        Cell::read(text, DecimalMark::Point)
    }

    fn comma(text: &str) -> Cell {
        Cell::read(text, DecimalMark::Comma)
    }

    #[test]
    fn plain_numbers_are_read_to_the_last_digit() {
        for (text, value) in [
            ("1.5", 1.5),
            ("+1.5", 1.5),
            ("-2.", -2.0),
            (".5", 0.5),
            (" 1e3 ", 1000.0),
            ("1000000.01", 1000000.01),
        ] {
            assert_eq!(point(text), Cell::Number(value), "{text}");
        }
    }

    #[test]
    fn exponents_of_fortran_and_the_minus_of_typesetters_are_read() {
        for (text, value) in [
            ("1.0D+03", 1000.0),
            ("2.5d-01", 0.25),
            ("-3.25D0", -3.25),
            ("\u{2212}1.5", -1.5),
            ("1e\u{2212}3", 1e-3),
            ("\u{2212}2.5D\u{2212}01", -0.25),
        ] {
            assert_eq!(point(text), Cell::Number(value), "{text}");
        }
        assert_eq!(point("D3"), Cell::Other(NotANumber::Text));
        assert_eq!(point("1D"), Cell::Other(NotANumber::Unit));
    }

    #[test]
    fn thousands_are_groups_of_three_and_of_one_kind() {
        for (text, value) in [
            ("1,000.5", 1000.5),
            ("12,000", 12_000.0),
            ("-1,234,567", -1_234_567.0),
            ("1 000", 1000.0),
            ("1\u{a0}000\u{a0}000,5", 1_000_000.5),
            ("1\u{202f}000", 1000.0),
            ("1'000.25", 1000.25),
            ("1\u{2019}000", 1000.0),
            ("1_000", 1000.0),
        ] {
            let mark = if text.ends_with(",5") { DecimalMark::Comma } else { DecimalMark::Point };
            assert_eq!(Cell::read(text, mark), Cell::Grouped(value), "{text}");
        }
        for text in ["1,00", "12,34.5", "1,000 000", ",000", "1,0000", "0,123,456", "1__000", "1,000,"] {
            assert!(matches!(point(text), Cell::Other(_)), "{text}");
        }
    }

    #[test]
    fn a_table_of_decimal_commas_has_points_between_thousands() {
        assert_eq!(comma("1,5"), Cell::Number(1.5));
        assert_eq!(comma("0,125"), Cell::Number(0.125));
        assert_eq!(comma("-1,5e3"), Cell::Number(-1500.0));
        assert_eq!(comma("1.299"), Cell::Grouped(1299.0));
        assert_eq!(comma("1.234.567,5"), Cell::Grouped(1_234_567.5));
        assert_eq!(comma("17"), Cell::Number(17.0));
        assert_eq!(comma("2.5"), Cell::Other(NotANumber::DecimalPoint));
        assert_eq!(point("2,5"), Cell::Other(NotANumber::DecimalComma));
    }

    #[test]
    fn infinite_and_missing_are_told_apart() {
        for text in ["Infinity", "inf", "+Inf", "infty", "1.#INF", "1e999", "∞", "1.#INF00"] {
            assert_eq!(point(text), Cell::Infinite(f64::INFINITY), "{text}");
        }
        for text in ["-inf", "-1.#INF", "-1e999", "\u{2212}∞"] {
            assert_eq!(point(text), Cell::Infinite(f64::NEG_INFINITY), "{text}");
        }
        // The marks that pandas.read_csv takes as missing, and those of spreadsheets, Stata and C.
        let marks = [
            "",
            "#N/A",
            "#N/A N/A",
            "#NA",
            "-1.#IND",
            "-1.#QNAN",
            "-NaN",
            "-nan",
            "1.#IND",
            "1.#QNAN",
            "<NA>",
            "N/A",
            "NA",
            "NULL",
            "NaN",
            "None",
            "n/a",
            "nan",
            "null",
            "-",
            "?",
            ".",
            "missing",
            "-nan(ind)",
            "#DIV/0!",
            "NaT",
            "--",
            "*",
        ];
        for text in marks {
            assert_eq!(point(text), Cell::Missing, "{text}");
            assert_eq!(comma(text), Cell::Missing, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_number_is_called_by_its_name() {
        use NotANumber::*;
        for (text, kind) in [
            ("12%", Percentage),
            ("$1,234.50", Money),
            ("$3.00", Money),
            ("3 €", Money),
            ("0x1F", Hexadecimal),
            ("True", Truth),
            ("false", Truth),
            ("0.1000+100", LostExponent),
            ("-1.25-101", LostExponent),
            ("(1,234)", Parentheses),
            ("5-", TrailingMinus),
            ("\u{2013}1.5", Dash),
            ("1.5 kg", Unit),
            ("2024-01-31", Date),
            ("31.01.2024", Date),
            ("2024-01-31 12:00", Date),
            ("1.0 2.0", Several),
            ("1/2", Fraction),
            ("cat", Text),
            ("I", Text),
        ] {
            assert_eq!(point(text), Cell::Other(kind), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn grouped_thousands_are_the_number_without_them(value in -1_000_000_000i64..1_000_000_000, cents in 0u32..100) {
            let digits = value.unsigned_abs().to_string();
            let groups: Vec<&str> = {
                let first = (digits.len() - 1) % 3 + 1;
                let starts = std::iter::once(0).chain((first..digits.len()).step_by(3));
                starts.map(|at| &digits[at..if at == 0 { first } else { at + 3 }]).collect()
            };
            let sign = if value < 0 { "-" } else { "" };
            let written = |group: &str, mark: &str| format!("{sign}{}{mark}{cents:02}", groups.join(group));
            let plain: f64 = format!("{sign}{digits}.{cents:02}").parse().unwrap_or(f64::NAN);
            proptest::prop_assert_eq!(point(&written(",", ".")).value(), Some(plain));
            proptest::prop_assert_eq!(comma(&written(".", ",")).value(), Some(plain));
            proptest::prop_assert_eq!(point(&written(" ", ".")).value(), Some(plain));
        }

        #[test]
        fn any_text_is_read_or_named(text in "[-+0-9.,'_ eEdD%$x()#/a-z∞€−–]{0,14}") {
            for mark in [DecimalMark::Point, DecimalMark::Comma] {
                let _ = Cell::read(&text, mark);
            }
        }
    }
}
