//! Numbers as people and programs write them.

use super::DecimalMark;

/// A number, and whether its thousands were apart.
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) is_grouped: bool,
}

/// A number longer than this is none; f64 takes 767 digits at most to be told from its neighbours.
const LONGEST: usize = 1100;

/// The number that `text` is, in a table with this decimal mark.
pub(super) fn parse(text: &str, mark: DecimalMark) -> Option<Number> {
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || "+-.,\u{2212}".contains(c));
    if !begins || text.len() > LONGEST {
        return None;
    }
    let (mantissa, exponent) = split_exponent(text);
    let mantissa = mantissa.replace('\u{2212}', "-");
    let (whole, fraction) = match mantissa.rsplit_once(mark.character()) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (&mantissa[..], None),
    };
    let digits = without_groups(whole, mark);
    let is_grouped = digits.is_some();
    if !is_grouped && whole.contains(['.', ',']) {
        return None;
    }
    let mut plain = digits.unwrap_or_else(|| whole.to_owned());
    if let Some(fraction) = fraction {
        plain.push('.');
        plain.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        plain.push('e');
        plain.push_str(&exponent.replace('\u{2212}', "-"));
    }
    // Letters would be infinities and their like, which are told elsewhere.
    let is_plain = |c: char| c.is_ascii_digit() || "+-.e".contains(c);
    let value = plain.chars().all(is_plain).then(|| plain.parse().ok())??;
    Some(Number { value, is_grouped })
}

/// What stands before and after the `E` of an exponent, or the `D` that Fortran writes for it.
fn split_exponent(text: &str) -> (&str, Option<&str>) {
    match text.split_once(['e', 'E', 'd', 'D']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    }
}

/// The digits of a whole number whose thousands are apart by one and the same sign; none if they are not.
///
/// A group but the first has three digits; the first has one to three and does not begin with 0.
fn without_groups(whole: &str, mark: DecimalMark) -> Option<String> {
    let (sign, body) = match whole.strip_prefix(['+', '-']) {
        Some(body) => (&whole[..1], body),
        None => ("", whole),
    };
    let separator = body.chars().find(|c| !c.is_ascii_digit())?;
    if !mark.parts_thousands(separator) {
        return None;
    }
    let mut groups = body.split(separator);
    let first = groups.next()?;
    let is_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let starts_well = (1..=3).contains(&first.len()) && !first.starts_with('0') && is_digits(first);
    let goes_on_well = groups.all(|group| group.len() == 3 && is_digits(group));
    (starts_well && goes_on_well).then(|| sign.to_owned() + &body.replace(separator, ""))
}

/// The infinity that `text` is, as it is written in C, Python, Julia and by hand.
pub(super) fn infinity(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-', '\u{2212}']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    // C pads 1.#INF with zeros to the width that was asked for.
    let is_infinite = matches!(&lower[..], "inf" | "infinity" | "infty" | "\\infty" | "∞" | "#inf")
        || lower.strip_prefix("1.#inf").is_some_and(|rest| rest.bytes().all(|byte| byte == b'0'));
    let is_negative = text.starts_with(['-', '\u{2212}']);
    is_infinite.then_some(if is_negative { f64::NEG_INFINITY } else { f64::INFINITY })
}
