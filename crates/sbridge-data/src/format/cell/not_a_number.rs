//! Cells that are no numbers: what they look like, and how to write the number that is meant.

use super::{DecimalMark, number};

/// What a cell that is no number looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotANumber {
    /// `12%`.
    Percentage,
    /// `$3.00`, `3 EUR`.
    Money,
    /// `0x1F`.
    Hexadecimal,
    /// `True`, `no`.
    Truth,
    /// `0.1000+100`: Fortran drops the letter when the exponent has three digits.
    LostExponent,
    /// `2,5` where the table has decimal points.
    DecimalComma,
    /// `2.5` where the table has decimal commas.
    DecimalPoint,
    /// `(1,234)`, a negative number of accountants.
    Parentheses,
    /// `5-`.
    TrailingMinus,
    /// A dash for a minus.
    Dash,
    /// `1/2`.
    Fraction,
    /// `1.5 kg`.
    Unit,
    /// `2024-01-31`, with or without a time.
    Date,
    /// `1.0 2.0`.
    Several,
    /// Anything else.
    Text,
}

/// Signs and codes of the currencies most traded.
const CURRENCIES: [&str; 16] =
    ["$", "€", "£", "¥", "₹", "₽", "₩", "usd", "eur", "gbp", "jpy", "chf", "cny", "inr", "cad", "aud"];

/// Whether a cell of a table with this decimal mark is of some kind.
type Recogniser = fn(&str, DecimalMark) -> bool;

impl NotANumber {
    /// What `text`, which is no number under `mark`, looks like.
    pub(super) fn of(text: &str, mark: DecimalMark) -> Self {
        let other = match mark {
            DecimalMark::Point => (DecimalMark::Comma, Self::DecimalComma),
            DecimalMark::Comma => (DecimalMark::Point, Self::DecimalPoint),
        };
        let kinds: [(Self, Recogniser); 12] = [
            (Self::Truth, |text, _| is_truth(text)),
            (Self::Hexadecimal, |text, _| is_hexadecimal(text)),
            (Self::Date, |text, _| is_date(text)),
            (Self::LostExponent, |text, _| has_lost_exponent(text)),
            (Self::Percentage, |text, mark| {
                text.strip_suffix(['%', '‰']).is_some_and(|rest| is_number(rest, mark))
            }),
            (Self::Money, is_money),
            (Self::Parentheses, is_in_parentheses),
            (Self::TrailingMinus, |text, mark| {
                text.strip_suffix('-').is_some_and(|rest| is_number(rest, mark))
            }),
            (Self::Dash, |text, mark| {
                text.strip_prefix(['\u{2010}', '\u{2013}', '\u{2014}', '\u{fe63}', '\u{ff0d}'])
                    .is_some_and(|rest| is_number(rest, mark))
            }),
            (Self::Fraction, |text, mark| {
                text.split_once('/').is_some_and(|(a, b)| is_number(a, mark) && is_number(b, mark))
            }),
            (Self::Several, are_several),
            (Self::Unit, has_unit),
        ];
        if number::parse(text, other.0).is_some() {
            return other.1;
        }
        kinds.iter().find(|(_, is_such)| is_such(text, mark)).map_or(Self::Text, |(kind, _)| *kind)
    }

    /// What it is, to stand after the cell: `'12%' is a percentage`.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Percentage => "is a percentage",
            Self::Money => "is an amount of money",
            Self::Hexadecimal => "is hexadecimal",
            Self::Truth => "is a truth value",
            Self::LostExponent => "has an exponent without its E",
            Self::DecimalComma => "has a decimal comma, while other numbers have decimal points",
            Self::DecimalPoint => "has a decimal point, while other numbers have decimal commas",
            Self::Parentheses => "is a number in parentheses",
            Self::TrailingMinus => "has its minus at the end",
            Self::Dash => "begins with a dash that is no minus",
            Self::Fraction => "is a fraction",
            Self::Unit => "is a number with something behind it",
            Self::Date => "is a date, not a number",
            Self::Several => "holds several numbers",
            Self::Text => "is not a number",
        }
    }

    /// How to write it.
    pub(crate) fn fix(self) -> &'static str {
        match self {
            Self::Percentage => "write the number alone, 0.12 or 12, the same way in the whole column",
            Self::Money => "write the number without its currency",
            Self::Hexadecimal => "write it in decimal digits",
            Self::Truth => "write 1 for true and 0 for false",
            Self::LostExponent => "write the E, as in 0.1000E+100",
            Self::DecimalComma => "write decimal points, not commas",
            Self::DecimalPoint => "write all numbers the same way, best with decimal points",
            Self::Parentheses => "write a minus before a negative number",
            Self::TrailingMinus => "write the minus before the number",
            Self::Dash => "write a plain minus, '-'",
            Self::Fraction => "divide it, and write the decimal number",
            Self::Unit => "write the number alone, and its unit into the name of the column",
            Self::Date => "leave out the column, or write times as numbers",
            Self::Several => {
                "put one separator between numbers: a comma, a semicolon, a tab or blanks, in all lines the same"
            }
            Self::Text => "write a number, leave out the column, or name it 'label' if it holds classes",
        }
    }
}

/// Whether the text is a finite number, whatever stands between its thousands.
fn is_number(text: &str, mark: DecimalMark) -> bool {
    number::parse(text, mark).is_some_and(|number| number.value.is_finite())
}

fn is_truth(text: &str) -> bool {
    ["true", "false", "yes", "no"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_hexadecimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Three numbers between the same dashes, slashes or points, the year at one end; perhaps a time behind.
fn is_date(text: &str) -> bool {
    let day = text.split([' ', 'T', 't']).next().unwrap_or(text);
    let all_digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    ['-', '/', '.'].iter().any(|between| {
        let parts: Vec<&str> = day.split(*between).collect();
        let widths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        parts.iter().all(all_digits)
            && matches!(widths[..], [4, 1..=2, 1..=2] | [1..=2, 1..=2, 4] | [1..=2, 1..=2, 2])
    })
}

/// A fraction and an exponent of three digits, one right behind the other.
fn has_lost_exponent(text: &str) -> bool {
    let Some(at) = text.rfind(['+', '-']).filter(|at| *at > 0) else {
        return false;
    };
    let (mantissa, exponent) = text.split_at(at);
    let is_exponent = exponent.len() == 4 && exponent.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    is_exponent && mantissa.contains('.') && mantissa.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_money(text: &str, mark: DecimalMark) -> bool {
    let lower = text.to_lowercase();
    let unsigned = lower.strip_prefix('-').unwrap_or(&lower);
    CURRENCIES.iter().any(|sign| {
        let rest = unsigned.strip_prefix(sign).or_else(|| unsigned.strip_suffix(sign));
        rest.is_some_and(|rest| is_number(rest.trim(), mark))
    })
}

fn is_in_parentheses(text: &str, mark: DecimalMark) -> bool {
    let inside = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inside.is_some_and(|inside| is_number(inside, mark))
}

fn are_several(text: &str, mark: DecimalMark) -> bool {
    let mut words = text.split([' ', '\t', ';', '|']).filter(|word| !word.is_empty()).peekable();
    let first = words.next();
    first.is_some()
        && words.peek().is_some()
        && first.into_iter().chain(words).all(|word| is_number(word, mark))
}

/// A number and then a word without digits, with or without a blank between them.
fn has_unit(text: &str, mark: DecimalMark) -> bool {
    let Some((at, last)) = text.char_indices().rfind(|(_, c)| c.is_ascii_digit() || *c == '.') else {
        return false;
    };
    let (before, unit) = text.split_at(at + last.len_utf8());
    !unit.trim().is_empty() && is_number(before, mark)
}
