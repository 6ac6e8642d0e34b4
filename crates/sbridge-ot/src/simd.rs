//! Loops compiled for the widest vectors this CPU has.
//!
//! The kernels of this crate are plain loops over fixed-width lanes. They use no fused multiply-add and fix the
//! order of every sum, so the instruction set changes their speed and never their result.

use faer::traits::pulp::Arch;

/// Lanes of an accumulator: two AVX2 registers of f64, enough to hide the latency of an addition.
pub(crate) const LANES: usize = 8;

/// Run `kernel` compiled for the instruction set found at run time.
///
/// Only what is inlined into `kernel` is compiled that way: mark the functions it calls `#[inline(always)]`.
#[inline(always)]
pub(crate) fn vectorised<R>(kernel: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(kernel)
}

/// Smaller of two numbers, as one vector instruction (`f64::min` spends three on NaN).
#[inline(always)]
pub(crate) fn lesser(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

/// Larger of two numbers, as one vector instruction.
#[inline(always)]
pub(crate) fn greater(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// Sum over fixed lanes: the same order on every machine.
#[inline(always)]
pub(crate) fn sum(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}

/// Least of the values; +∞ if there are none.
#[inline(always)]
pub(crate) fn least(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f64::INFINITY; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = lesser(*value, *lane);
        }
    }
    lanes.iter().chain(rest).fold(f64::INFINITY, |least, x| lesser(*x, least))
}

/// Index of the first entry equal to `value`.
#[inline(always)]
pub(crate) fn position(values: &[f64], value: f64) -> Option<usize> {
    const BLOCK: usize = 32;
    for (block, chunk) in values.chunks(BLOCK).enumerate() {
        let contained = chunk.iter().fold(false, |contained, x| contained | (*x == value));
        if contained {
            return chunk.iter().position(|x| *x == value).map(|offset| block * BLOCK + offset);
        }
    }
    None
}
