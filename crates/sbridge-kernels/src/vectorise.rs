//! Loops compiled for several instruction sets, chosen when the program runs.
//!
//! Loops are written for the compiler to vectorise, with plain multiplications and additions in a
//! fixed order, so that every instruction set gives the same bits.

use pulp::Arch;

/// Runs `f`, a loop, with the widest vectors this machine has.
#[inline(always)]
pub(crate) fn vectorise<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(test)]
    if let Some(path) = forced::path() {
        return path.run(f);
    }
    Arch::new().dispatch(f)
}

/// Lanes of a sum: partial sums that are added up at the end, in a fixed order.
pub(crate) const LANES: usize = 16;

/// Σ f(x), in [`LANES`] partial sums.
#[inline(always)]
pub(crate) fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for chunk in whole {
        for (total, x) in lanes.iter_mut().zip(chunk) {
            *total += f(*x);
        }
    }
    for (total, x) in lanes.iter_mut().zip(rest) {
        *total += f(*x);
    }
    // Pairs, then pairs of pairs: the order a vector register is folded in.
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Instruction sets that a test can force.
#[cfg(test)]
pub(crate) mod forced {
    use std::cell::Cell;

    use pulp::Simd;

    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Path {
        Scalar,
        #[cfg(target_arch = "x86_64")]
        Avx2(pulp::x86::V3),
        #[cfg(target_arch = "x86_64")]
        Avx512(pulp::x86::V4),
        #[cfg(target_arch = "aarch64")]
        Neon(pulp::aarch64::Neon),
    }

    thread_local! { static PATH: Cell<Option<Path>> = const { Cell::new(None) }; }

    pub(super) fn path() -> Option<Path> {
        PATH.get()
    }

    impl Path {
        pub(super) fn run<R>(self, f: impl FnOnce() -> R) -> R {
            match self {
                Self::Scalar => pulp::Scalar::new().vectorize(Call(f)),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2(simd) => simd.vectorize(f),
                #[cfg(target_arch = "x86_64")]
                Self::Avx512(simd) => simd.vectorize(f),
                #[cfg(target_arch = "aarch64")]
                Self::Neon(simd) => simd.vectorize(f),
            }
        }
    }

    struct Call<F>(F);

    impl<R, F: FnOnce() -> R> pulp::WithSimd for Call<F> {
        type Output = R;

        fn with_simd<S: Simd>(self, _: S) -> R {
            (self.0)()
        }
    }

    /// What `f` gives on every instruction set of this machine.
    pub(crate) fn on_every_path<R>(mut f: impl FnMut() -> R) -> Vec<(Path, R)> {
        #[allow(unused_mut)]
        let mut paths = vec![Path::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            paths.extend(pulp::x86::V3::try_new().map(Path::Avx2));
            paths.extend(pulp::x86::V4::try_new().map(Path::Avx512));
        }
        #[cfg(target_arch = "aarch64")]
        paths.extend(pulp::aarch64::Neon::try_new().map(Path::Neon));
        let run = |path| {
            PATH.set(Some(path));
            let result = f();
            PATH.set(None);
            (path, result)
        };
        paths.into_iter().map(run).collect()
    }
}
