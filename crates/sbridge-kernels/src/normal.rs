//! Standard normal numbers from a counter-based generator.
//!
//! Philox 4×32 with ten rounds \[SMDS11\] turns a counter into four uniform words; Box and Muller's
//! transform turns those into four normal numbers \[BM58\]. Number i of a seed does not depend on how
//! many are asked for, nor on the machine.

use crate::elementary::{ln, sin_cos_near};
use crate::vectorise::{LANES, vectorise};

/// Counters worked on together, and the numbers they give.
type Lanes<T> = [T; LANES];
const BLOCK: usize = 4 * LANES;

/// Multipliers and key increments of Philox 4×32.
const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const INCREMENTS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// Fills `values` with independent standard normal numbers, the first of those of `seed`.
pub fn fill_normal(seed: u64, values: &mut [f32]) {
    let key = [seed as u32, (seed >> 32) as u32];
    vectorise(
        #[inline(always)]
        || {
            let (blocks, rest) = values.as_chunks_mut::<BLOCK>();
            let whole = blocks.len() as u64;
            for (index, block) in blocks.iter_mut().enumerate() {
                *block = normal_block(index as u64, key);
            }
            let last = normal_block(whole, key);
            rest.copy_from_slice(&last[..rest.len()]);
        },
    );
}

/// The numbers of [`LANES`] counters.
#[inline(always)]
fn normal_block(index: u64, key: [u32; 2]) -> [f32; BLOCK] {
    let [a, b, c, d] = philox(index * LANES as u64, key);
    let mut block = [0.0; BLOCK];
    let (first, second) = block.split_at_mut(BLOCK / 2);
    for (half, (radius, angle)) in [first, second].into_iter().zip([(a, b), (c, d)]) {
        let (cosines, sines) = half.split_at_mut(LANES);
        for lane in 0..LANES {
            let r = (-2.0 * ln_of_word(radius[lane])).sqrt();
            let (sin, cos) = sin_cos_of_word(angle[lane]);
            cosines[lane] = r * cos;
            sines[lane] = r * sin;
        }
    }
    block
}

/// Four words of each of the counters from `first` on.
#[inline(always)]
fn philox(first: u64, [mut k0, mut k1]: [u32; 2]) -> [Lanes<u32>; 4] {
    let counter = |lane: usize| first + lane as u64;
    let mut x: [Lanes<u32>; 4] = [
        std::array::from_fn(|lane| counter(lane) as u32),
        std::array::from_fn(|lane| (counter(lane) >> 32) as u32),
        [0; LANES],
        [0; LANES],
    ];
    for _ in 0..ROUNDS {
        let [x0, x1, x2, x3] = &mut x;
        for (((x0, x1), x2), x3) in x0.iter_mut().zip(x1).zip(x2).zip(x3) {
            let p0 = u64::from(MULTIPLIERS[0]) * u64::from(*x0);
            let p1 = u64::from(MULTIPLIERS[1]) * u64::from(*x2);
            *x0 = (p1 >> 32) as u32 ^ *x1 ^ k0;
            *x1 = p1 as u32;
            *x2 = (p0 >> 32) as u32 ^ *x3 ^ k1;
            *x3 = p0 as u32;
        }
        k0 = k0.wrapping_add(INCREMENTS[0]);
        k1 = k1.wrapping_add(INCREMENTS[1]);
    }
    x
}

/// ln((word + ½)/2³²), at most 0.
#[inline(always)]
fn ln_of_word(word: u32) -> f32 {
    ln((word as f32 + 0.5) * (1.0 / 4_294_967_296.0)).min(0.0)
}

/// Sine and cosine of 2π (word + ½)/2³².
#[inline(always)]
fn sin_cos_of_word(word: u32) -> (f32, f32) {
    // The nearest quarter turn, and the angle from there.
    let quarter = word.wrapping_add(1 << 29) >> 30;
    let rest = ((word << 2) as i32 as f32 + 2.0) * (std::f32::consts::FRAC_PI_4 / 2_147_483_648.0);
    sin_cos_near(rest, quarter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectorise::forced::on_every_path;

    fn numbers(seed: u64, count: usize) -> Vec<f32> {
        let mut values = vec![0.0; count];
        fill_normal(seed, &mut values);
        values
    }

    #[test]
    fn philox_gives_its_published_numbers() {
        // Known answers of the generator's authors for counter 0 and key 0.
        let words = philox(0, [0, 0]).map(|lanes| lanes[0]);
        assert_eq!(words, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    }

    #[test]
    fn logarithm_sine_and_cosine_are_right() {
        for i in 0..100_000u32 {
            let word = i.wrapping_mul(42_949).wrapping_add(i << 7);
            let u = (f64::from(word) + 0.5) / 4_294_967_296.0;
            let ln = f64::from(ln_of_word(word));
            // Rounding u to f32 moves its logarithm by 6·10⁻⁸; e ln 2 rounds to 2⁻²⁴ of up to 22.
            assert!((ln - u.ln()).abs() < 1e-6 + 1e-7 * u.ln().abs(), "ln {u}: {ln}");
            let (sin, cos) = sin_cos_of_word(word);
            let (s, c) = (2.0 * std::f64::consts::PI * u).sin_cos();
            assert!((f64::from(sin) - s).abs() < 3e-7 && (f64::from(cos) - c).abs() < 3e-7, "{u}");
        }
        assert!(ln_of_word(u32::MAX) <= 0.0 && ln_of_word(0) > -23.0);
    }

    #[test]
    fn longer_and_shorter_calls_agree() {
        let long = numbers(5, 300);
        for count in [0, 1, 63, 64, 65, 200] {
            assert_eq!(numbers(5, count), long[..count]);
        }
        assert_ne!(numbers(6, 300), long);
    }

    #[test]
    fn distribution_is_normal() {
        let n = 400_000;
        let mut values: Vec<f64> = numbers(11, n).into_iter().map(f64::from).collect();
        let moment = |k: i32| values.iter().map(|x| x.powi(k)).sum::<f64>() / n as f64;
        let root = (n as f64).sqrt();
        // 4.5 standard errors of each moment: √(E x²ᵏ − (E xᵏ)²) is 1, √2, √15 and √96.
        for (k, expected, deviation) in [(1, 0.0, 1.0), (2, 1.0, 1.415), (3, 0.0, 3.873), (4, 3.0, 9.798)] {
            assert!((moment(k) - expected).abs() < 4.5 * deviation / root, "moment {k}: {}", moment(k));
        }
        let lag = values.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / n as f64;
        assert!(lag.abs() < 4.5 / root, "neighbours: {lag}");
        // Kolmogorov: P(√n sup|F_n − Φ| > 2.0) is 7·10⁻⁴.
        values.sort_unstable_by(f64::total_cmp);
        let mut cumulated = 0.0;
        let (mut worst, mut x, h) = (0.0f64, -8.0f64, 1e-3);
        let mut below = 0;
        while x < 8.0 {
            cumulated +=
                h * (-0.5 * (x + 0.5 * h) * (x + 0.5 * h)).exp() / (2.0 * std::f64::consts::PI).sqrt();
            x += h;
            below += values[below..].iter().take_while(|v| **v <= x).count();
            worst = worst.max((below as f64 / n as f64 - cumulated).abs());
        }
        assert!(root * worst < 2.0, "Kolmogorov distance {worst}");
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let results = on_every_path(|| numbers(3, 100).into_iter().map(f32::to_bits).collect::<Vec<_>>());
        for (path, bits) in &results {
            assert_eq!(bits, &results[0].1, "{path:?}");
        }
    }
}
