//! The exponential of a block of numbers, written so that the compiler vectorises it.
//!
//! eˣ = 2ᵏ eʳ with k = round(x / ln 2) and |r| ≤ ½ ln 2; eʳ by its Taylor series to degree 13, whose remainder
//! is 5·10⁻¹⁸. Tests: within 4·10⁻¹⁶ of `f64::exp`, relative.

/// Below this the result is subnormal; it is returned as e⁻⁷⁰⁸ ≈ 3·10⁻³⁰⁸.
const LEAST: f64 = -708.0;

/// Above this the result is infinite.
const GREATEST: f64 = 709.0;

/// ln 2 in two parts; the first has trailing zeros, so that k times it is exact.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1.5·2⁵²: adding it leaves a number below 2⁵¹ rounded to an integer in the low bits of the sum.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// 1/k! for k = 0, …, 13.
const TAYLOR: [f64; 14] = {
    let mut coefficients = [1.0; 14];
    let mut k = 1;
    while k < 14 {
        coefficients[k] = coefficients[k - 1] / k as f64;
        k += 1;
    }
    coefficients
};

/// Every x becomes eˣ, for x clamped to [−708, 709].
pub fn exponentials(values: &mut [f64]) {
    crate::simd::vectorised(
        #[inline(always)]
        || values.iter_mut().for_each(|x| *x = exp(*x)),
    );
}

/// eˣ for x clamped to [−708, 709].
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let x = crate::simd::lesser(crate::simd::greater(x, LEAST), GREATEST);
    let shifted = x * std::f64::consts::LOG2_E + ROUNDER;
    let k = shifted - ROUNDER;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let mut series = TAYLOR[13];
    for coefficient in TAYLOR[..13].iter().rev() {
        series = series * r + coefficient;
    }
    // The low bits of `shifted` hold k; moved up, biased, they are the exponent field of 2ᵏ.
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    series * power
}

#[cfg(test)]
mod tests {
    use super::{exp, exponentials};

    #[test]
    fn it_agrees_with_the_standard_library() {
        for step in -70_000..=70_000 {
            let x = f64::from(step) * 0.010_1;
            let expected = x.exp();
            // Two roundings of the last Horner step and the reduction: at most two units in the last place.
            assert!((exp(x) - expected).abs() <= 4.5e-16 * expected, "exp({x})");
        }
    }

    #[test]
    fn a_block_is_each_of_its_numbers() {
        let values: Vec<f64> = (-40..37).map(|k| 0.7 * f64::from(k)).collect();
        let mut block = values.clone();
        exponentials(&mut block);
        assert!(block.iter().zip(values).all(|(found, x)| *found == exp(x)));
    }

    #[test]
    fn the_ends_of_the_range_are_finite_and_ordered() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f64::NEG_INFINITY), exp(-708.0));
        assert!(exp(-708.0) > 0.0 && exp(-708.0) < 1e-307);
        assert!(exp(1000.0).is_finite());
    }
}
