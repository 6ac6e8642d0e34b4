//! Elementary functions as polynomials that the compiler vectorises, to a few units in the last place.

/// eˣ for x in [−87, 88], the nearer end outside.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2²³ rounds to a whole number, which then sits in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + coefficient;
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    p * power
}

/// ln x for positive normal x.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // x = m 2ᵉ with m in [√½, √2), whose lowest bits are those of √½.
    const ROOT_HALF: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(ROOT_HALF);
    let e = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(ROOT_HALF));
    // ln m = 2 artanh s with s = (m − 1)/(m + 1), |s| < 0.172.
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    let series = 2.0 + s2 * (2.0 / 3.0 + s2 * (2.0 / 5.0 + s2 * (2.0 / 7.0 + s2 * (2.0 / 9.0))));
    e * std::f32::consts::LN_2 + s * series
}

/// asinh x = ln(x + √(x² + 1)), to 2⁻²² of itself or of one.
#[inline(always)]
pub(crate) fn asinh(x: f32) -> f32 {
    // Beyond the square root of the largest number the one no longer counts, and squares would overflow.
    let size = x.abs().min(1e18);
    ln(size + (size * size + 1.0).sqrt()).copysign(x)
}

/// sin x and cos x for |x| below some hundred: a whole number of turns is taken off in f32.
#[inline(always)]
pub(crate) fn sin_cos(x: f32) -> (f32, f32) {
    // Adding 1.5 · 2²³ rounds to a whole number, which then sits in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // π/2 in two parts, the first exact in few bits.
    const QUARTER_HIGH: f32 = 1.570_312_5;
    const QUARTER_LOW: f32 = 4.838_268e-4;
    let shifted = x * std::f32::consts::FRAC_2_PI + ROUND;
    let n = shifted - ROUND;
    sin_cos_near((x - n * QUARTER_HIGH) - n * QUARTER_LOW, shifted.to_bits())
}

/// Sine and cosine of `x` + `quarter` · π/2 for x in [−π/4, π/4]; only the two lowest bits of
/// `quarter` count.
#[inline(always)]
pub(crate) fn sin_cos_near(x: f32, quarter: u32) -> (f32, f32) {
    let x2 = x * x;
    let sin = x * (1.0 + x2 * (-1.0 / 6.0 + x2 * (1.0 / 120.0 - x2 * (1.0 / 5040.0 - x2 / 362_880.0))));
    let cos = 1.0 + x2 * (-0.5 + x2 * (1.0 / 24.0 - x2 * (1.0 / 720.0 - x2 / 40_320.0)));
    // Turning by the quarters: swap, then signs.
    let (a, b) = if quarter & 1 == 0 { (sin, cos) } else { (cos, -sin) };
    if quarter & 2 == 0 { (a, b) } else { (-a, -b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_right_to_a_few_units_in_the_last_place() {
        for i in -8600..=8700 {
            let x = i as f32 * 0.01;
            let relative = f64::from(exp(x)) / f64::from(x).exp() - 1.0;
            assert!(relative.abs() < 4.0 * f64::from(f32::EPSILON), "e^{x}: {relative}");
        }
        assert!(exp(-1e30) > 0.0 && exp(1e30).is_finite());
    }

    #[test]
    fn logarithm_is_right_to_a_few_units_in_the_last_place() {
        for i in 1..100_000 {
            let x = (i as f32 * 1e-3).powi(3);
            let expected = f64::from(x).ln();
            let error = (f64::from(ln(x)) - expected).abs();
            assert!(error < 2.0 * f64::from(f32::EPSILON) * (1.0 + expected.abs()), "ln {x}: {error}");
        }
    }

    #[test]
    fn inverse_hyperbolic_sine_is_right() {
        for i in -10_000..10_000 {
            let x = (i as f32 * 1e-3).powi(5);
            let expected = f64::from(x).asinh();
            let error = (f64::from(asinh(x)) - expected).abs();
            assert!(error < 2.0 * f64::from(f32::EPSILON) * (1.0 + expected.abs()), "asinh {x}: {error}");
        }
        assert!(asinh(f32::MAX).is_finite());
    }

    #[test]
    fn sine_and_cosine_are_right() {
        for i in -100_000..100_000 {
            let x = i as f32 * 1e-3;
            let ((sin, cos), (s, c)) = (sin_cos(x), f64::from(x).sin_cos());
            // Reducing x rounds at 2⁻²⁴ of the turns taken off, at most 100.
            assert!((f64::from(sin) - s).abs() < 2e-6 && (f64::from(cos) - c).abs() < 2e-6, "{x}");
        }
    }
}
