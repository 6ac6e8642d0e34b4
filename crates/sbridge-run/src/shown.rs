//! Numbers for people.

/// Four decimals, or an exponent for what is very small.
pub(crate) fn digits(x: f64) -> String {
    if x != 0.0 && x.abs() < 1e-3 { format!("{x:.2e}") } else { format!("{x:.4}") }
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!(
            ["0.0000", "0.0010", "9.99e-4", "-1.00e-6", "12.3457"],
            [digits(0.0), digits(1e-3), digits(9.99e-4), digits(-1e-6), digits(12.345_67),]
        );
    }
}
