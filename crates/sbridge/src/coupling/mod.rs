//! Where pairs of ends come from.

mod entropic;
mod independent;
mod simulated;

pub use entropic::Entropic;
pub use independent::Independent;
pub use simulated::Simulated;

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::rng::Rng;
use crate::tensor::{Tensor, select_rows};

/// Ends of paths, row by row: `[count, dim]` each.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// At t = 0.
    pub x0: Tensor<2>,
    /// At t = 1.
    pub x1: Tensor<2>,
}

/// A joint law of both ends.
pub trait Coupling: Send + Sync {
    /// `count` pairs in random order.
    fn pairs(&self, count: usize, rng: &mut Rng) -> Pairs;
}

/// Entropic plans that were made, and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanCount {
    /// All of them.
    pub made: usize,
    /// Those that were used before they had converged.
    pub unconverged: usize,
}

/// Counts plans, from whichever thread makes them.
#[derive(Debug, Default)]
pub struct PlanCounter {
    made: AtomicUsize,
    unconverged: AtomicUsize,
}

impl PlanCounter {
    fn add(&self, has_converged: bool) {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.unconverged.fetch_add(usize::from(!has_converged), Ordering::Relaxed);
    }

    /// Plans so far.
    pub fn count(&self) -> PlanCount {
        let [made, unconverged] = [&self.made, &self.unconverged].map(|count| count.load(Ordering::Relaxed));
        PlanCount { made, unconverged }
    }
}

/// `count` of the `rows` in random order, none more than once more often than another.
pub(crate) fn drawn(rows: &Tensor<2>, count: usize, rng: &mut Rng) -> Tensor<2> {
    select_rows(rows, &rng.epochs(count, rows.dims()[0]))
}
