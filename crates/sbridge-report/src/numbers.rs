//! Numbers for people.

/// Four decimals, or an exponent for what is very small or very large.
pub fn digits(x: f64) -> String {
    match x.abs() {
        size if size != 0.0 && size < 1e-3 => format!("{x:.2e}"),
        size if size >= 1e7 => format!("{x:.4e}"),
        _ => format!("{x:.4}"),
    }
}

/// Seconds in the unit a person would use.
pub fn human_time(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn small_and_large_numbers_keep_their_digits() {
        assert_eq!(
            ["0.0000", "0.0010", "9.99e-4", "-1.00e-6", "12.3457", "-1234567.8000", "1.2346e7"],
            [
                digits(0.0),
                digits(1e-3),
                digits(9.99e-4),
                digits(-1e-6),
                digits(12.345_67),
                digits(-1_234_567.8),
                digits(12_345_678.9),
            ]
        );
    }
}
