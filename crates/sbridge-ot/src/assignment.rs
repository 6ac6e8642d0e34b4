//! The cheapest one-to-one matching of n rows with n columns, exactly.
//!
//! min_σ Σᵢ c(i, σ(i)), by shortest augmenting paths over the dual  max Σuᵢ + Σvⱼ, uᵢ + vⱼ ≤ cᵢⱼ   \[JV87\]
//!
//! Column reduction, reduction transfer and augmenting row reduction match most rows cheaply; each row left over
//! is matched by one Dijkstra search over reduced costs cᵢⱼ − vⱼ. The search departs from the paper in two ways, both
//! for vector units: every step relaxes all columns (closed ones are masked by vⱼ = −∞), and predecessors
//! are not stored but found afterwards as the row whose relaxed cost *is* the distance, bit for bit.
//!
//! Tests: equal to the best of all permutations for n ≤ 7, to sorting in one dimension, and dual-feasible.

use crate::error::{OtError, Result};
use crate::simd::{LANES, greater, least, lesser, position, vectorised};

/// Largest number of points matched exactly: its cost matrix takes 800 MB.
pub const MAX_ASSIGNMENT: usize = 10_000;

/// Passes of augmenting row reduction; more find little, as in the paper.
const ROW_REDUCTION_PASSES: usize = 2;

/// The cheapest matching.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Column matched with each row, `[n]`.
    pub column_of_row: Vec<usize>,
    /// Sum of the matched costs.
    pub cost: f64,
}

/// The permutation of least total cost.
///
/// O(n³) at worst; n = 4000 random points take seconds, 10,000 about a minute.
///
/// # Shapes
/// `cost`: `[n, n]`, row-major; entries may be negative.
///
/// # Errors
/// If `cost` is not `n · n` long, `n` is 0 or above [`MAX_ASSIGNMENT`], or a cost is not finite.
pub fn assignment(cost: &[f64], n: usize) -> Result<Assignment> {
    check(cost, n)?;
    let mut solver = Solver::new(cost, n);
    solver.reduce_columns();
    solver.transfer_reduction();
    for _ in 0..ROW_REDUCTION_PASSES {
        solver.reduce_rows();
    }
    for row in solver.free_rows() {
        solver.augment(row);
    }
    Ok(solver.finish())
}

fn check(cost: &[f64], n: usize) -> Result<()> {
    if n == 0 {
        return Err(OtError::NoPoints);
    }
    if n > MAX_ASSIGNMENT {
        return Err(OtError::TooManyPoints { n, max: MAX_ASSIGNMENT });
    }
    if cost.len() != n * n {
        return Err(OtError::Length { what: "cost", expected: n * n, got: cost.len() });
    }
    match cost.iter().position(|c| !c.is_finite()) {
        None => Ok(()),
        Some(at) => Err(OtError::NotFinite { what: "cost", row: at / n, column: at % n, value: cost[at] }),
    }
}

/// A partial matching and column prices under which every matched pair is tight.
struct Solver<'a> {
    cost: &'a [f64],
    n: usize,
    /// Dual prices v of the columns.
    price: Vec<f64>,
    column_of_row: Vec<Option<usize>>,
    row_of_column: Vec<Option<usize>>,
}

impl<'a> Solver<'a> {
    fn new(cost: &'a [f64], n: usize) -> Self {
        Self { cost, n, price: vec![0.0; n], column_of_row: vec![None; n], row_of_column: vec![None; n] }
    }

    fn row(&self, i: usize) -> &'a [f64] {
        &self.cost[i * self.n..(i + 1) * self.n]
    }

    fn free_rows(&self) -> Vec<usize> {
        (0..self.n).filter(|i| self.column_of_row[*i].is_none()).collect()
    }

    fn link(&mut self, row: usize, column: usize) {
        self.column_of_row[row] = Some(column);
        self.row_of_column[column] = Some(row);
    }

    /// Price every column at its cheapest entry, and match it with that entry's row if the row is free.
    fn reduce_columns(&mut self) {
        self.price.fill(f64::INFINITY);
        let mut cheapest_row = vec![0; self.n];
        for i in 0..self.n {
            for (j, c) in self.row(i).iter().enumerate() {
                if *c < self.price[j] {
                    self.price[j] = *c;
                    cheapest_row[j] = i;
                }
            }
        }
        for j in (0..self.n).rev() {
            if self.column_of_row[cheapest_row[j]].is_none() {
                self.link(cheapest_row[j], j);
            }
        }
    }

    /// Lower the price of each matched column until its row is indifferent to the second best.
    fn transfer_reduction(&mut self) {
        for i in 0..self.n {
            let Some(j) = self.column_of_row[i] else {
                continue;
            };
            let own_price = std::mem::replace(&mut self.price[j], f64::NEG_INFINITY);
            let second = vectorised(
                #[inline(always)]
                || two_least(self.row(i), &self.price),
            )
            .0;
            let slack = second - (self.row(i)[j] - own_price);
            self.price[j] = if slack.is_finite() { own_price - slack } else { own_price };
        }
    }

    /// Give every free row its best column, pricing the column down to the row's second best; evicted rows go on.
    fn reduce_rows(&mut self) {
        // Costs may tie within rounding, and a chain of evictions then never ends; what is left over is augmented.
        let mut evictions_left = 4 * self.n;
        for first in self.free_rows() {
            let mut row = Some(first);
            while let Some(i) = row.take() {
                let evicted = self.claim_best_column(i);
                if evictions_left > 0 {
                    evictions_left -= 1;
                    row = evicted;
                }
            }
        }
    }

    /// Match row `i` with its best column; returns the evicted row if it should look for another column now.
    fn claim_best_column(&mut self, i: usize) -> Option<usize> {
        let costs = self.row(i);
        let (least, second) = vectorised(
            #[inline(always)]
            || two_least(costs, &self.price),
        );
        let column = (0..self.n).find(|j| costs[*j] - self.price[*j] == least)?;
        let lowered = self.price[column] - (second - least);
        let evicted = self.row_of_column[column];
        // A tie: the column's owner keeps it unless the price really falls, else the two would evict each other.
        if evicted.is_some() && !(second.is_finite() && lowered < self.price[column]) {
            return None;
        }
        if second.is_finite() {
            self.price[column] = lowered;
        }
        if let Some(owner) = evicted {
            self.column_of_row[owner] = None;
        }
        self.link(i, column);
        evicted
    }

    /// Match the free row `start` along the shortest alternating path to a free column [JV87, §3].
    fn augment(&mut self, start: usize) {
        let mut search = Search::new(self.n, &self.price);
        let (mut row, mut offset) = (start, 0.0);
        let end = loop {
            let closed = search.step(self.row(row), row, offset);
            match self.row_of_column[closed.column] {
                None => break closed,
                Some(owner) => {
                    row = owner;
                    offset = self.row(owner)[closed.column] - self.price[closed.column] - closed.distance;
                }
            }
        };
        self.flip_path(&search, end);
        for closed in &search.closed {
            self.price[closed.column] += closed.distance - end.distance;
        }
    }

    /// Exchange matched and unmatched pairs along the path that ends in `end`.
    fn flip_path(&mut self, search: &Search, end: Closed) {
        let mut end = end;
        loop {
            let reached = search.visited.iter().position(|(row, offset)| {
                self.row(*row)[end.column] - self.price[end.column] - offset == end.distance
            });
            let step = reached.expect("a distance is the relaxed cost of a visited row");
            let row = search.visited[step].0;
            self.row_of_column[end.column] = Some(row);
            self.column_of_row[row] = Some(end.column);
            if step == 0 {
                return;
            }
            // Visit `step` happened because of the column closed just before it.
            end = search.closed[step - 1];
        }
    }

    fn finish(self) -> Assignment {
        let column_of_row: Vec<usize> =
            self.column_of_row.iter().map(|j| j.expect("augmentation matches every row")).collect();
        let cost = column_of_row.iter().enumerate().map(|(i, j)| self.cost[i * self.n + j]).sum();
        Assignment { column_of_row, cost }
    }
}

/// A column whose shortest distance is final.
#[derive(Clone, Copy)]
struct Closed {
    column: usize,
    distance: f64,
}

/// One Dijkstra search over columns.
struct Search {
    /// Tentative distance of open columns, +∞ for closed ones.
    distance: Vec<f64>,
    /// Price of open columns, −∞ for closed ones, so that no cost can reach them again.
    price: Vec<f64>,
    closed: Vec<Closed>,
    /// Rows in order of visit with the offset that turns their costs into distances.
    visited: Vec<(usize, f64)>,
}

impl Search {
    fn new(n: usize, price: &[f64]) -> Self {
        Self {
            distance: vec![f64::INFINITY; n],
            price: price.to_vec(),
            closed: Vec::new(),
            visited: Vec::new(),
        }
    }

    /// Relax all columns from `row`, then close the nearest.
    fn step(&mut self, costs: &[f64], row: usize, offset: f64) -> Closed {
        self.visited.push((row, offset));
        let (column, distance) = vectorised(
            #[inline(always)]
            || {
                let distance = relax(costs, &self.price, offset, &mut self.distance);
                (position(&self.distance, distance), distance)
            },
        );
        let column = column.expect("an open column remains while a row is free");
        self.distance[column] = f64::INFINITY;
        self.price[column] = f64::NEG_INFINITY;
        self.closed.push(Closed { column, distance });
        Closed { column, distance }
    }
}

/// distance ← min(distance, cost − price − offset); returns the least distance.
#[inline(always)]
fn relax(costs: &[f64], price: &[f64], offset: f64, distance: &mut [f64]) -> f64 {
    for ((d, c), p) in distance.iter_mut().zip(costs).zip(price) {
        *d = lesser(c - p - offset, *d);
    }
    least(distance)
}

/// The least and second least of cost − price; the second is +∞ if there is only one column.
#[inline(always)]
fn two_least(costs: &[f64], price: &[f64]) -> (f64, f64) {
    let (cost_chunks, cost_rest) = costs.as_chunks::<LANES>();
    let (price_chunks, price_rest) = price.as_chunks::<LANES>();
    let mut least = [f64::INFINITY; LANES];
    let mut second = [f64::INFINITY; LANES];
    for (c, p) in cost_chunks.iter().zip(price_chunks) {
        for lane in 0..LANES {
            let reduced = c[lane] - p[lane];
            second[lane] = lesser(greater(reduced, least[lane]), second[lane]);
            least[lane] = lesser(reduced, least[lane]);
        }
    }
    let rest = cost_rest.iter().zip(price_rest).map(|(c, p)| c - p);
    let seconds = second.iter().copied();
    least
        .iter()
        .copied()
        .chain(seconds)
        .chain(rest)
        .fold((f64::INFINITY, f64::INFINITY), |(a, b), x| (lesser(a, x), lesser(b, greater(a, x))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Least cost over all permutations, by exchanging in place.
    fn brute_force(cost: &[f64], n: usize) -> f64 {
        fn best(cost: &[f64], n: usize, row: usize, columns: &mut Vec<usize>) -> f64 {
            if row == n {
                return 0.0;
            }
            let mut least = f64::INFINITY;
            for pick in row..n {
                columns.swap(row, pick);
                least = least.min(cost[row * n + columns[row]] + best(cost, n, row + 1, columns));
                columns.swap(row, pick);
            }
            least
        }
        best(cost, n, 0, &mut (0..n).collect())
    }

    fn is_permutation(matching: &Assignment) -> bool {
        let mut columns = matching.column_of_row.clone();
        columns.sort_unstable();
        columns.into_iter().eq(0..matching.column_of_row.len())
    }

    fn random_cost(n: usize) -> impl Strategy<Value = (usize, Vec<f64>)> {
        prop::collection::vec(-5.0..10.0_f64, n * n).prop_map(move |cost| (n, cost))
    }

    /// Costs from {0, 1, 2}: ties everywhere.
    fn tied_cost(n: usize) -> impl Strategy<Value = (usize, Vec<f64>)> {
        prop::collection::vec((0..3_u8).prop_map(f64::from), n * n).prop_map(move |cost| (n, cost))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn it_is_the_best_of_all_permutations((n, cost) in (1_usize..=6).prop_flat_map(random_cost)) {
            let matching = assignment(&cost, n).unwrap();
            prop_assert!(is_permutation(&matching));
            // Six costs below ten: a dozen roundings of 1e-15.
            prop_assert!((matching.cost - brute_force(&cost, n)).abs() < 1e-13);
        }

        #[test]
        fn ties_do_no_harm((n, cost) in (1_usize..=6).prop_flat_map(tied_cost)) {
            let matching = assignment(&cost, n).unwrap();
            prop_assert!(is_permutation(&matching));
            prop_assert_eq!(matching.cost, brute_force(&cost, n)); // small integers are exact
        }

        #[test]
        fn adding_a_constant_to_a_row_changes_only_the_cost((n, cost) in random_cost(40), row in 0_usize..40) {
            let mut raised = cost.clone();
            raised[row * n..(row + 1) * n].iter_mut().for_each(|c| *c += 3.0);
            let difference = assignment(&raised, n).unwrap().cost - assignment(&cost, n).unwrap().cost;
            prop_assert!((difference - 3.0).abs() < 1e-12); // 40 costs below ten
        }
    }

    #[test]
    fn seven_rows_match_brute_force() {
        let cost: Vec<f64> = (0..49).map(|k| f64::from((k * k * 31 + 7 * k) % 101)).collect();
        assert_eq!(assignment(&cost, 7).unwrap().cost, brute_force(&cost, 7));
    }

    #[test]
    fn the_matching_is_optimal_by_duality() {
        let n = 120;
        let cost: Vec<f64> = (0..n * n).map(|k| ((k * 7919 + 13) % 10_007) as f64).collect();
        let mut solver = Solver::new(&cost, n);
        solver.reduce_columns();
        for row in solver.free_rows() {
            solver.augment(row);
        }
        let price = solver.price.clone();
        let reduced_least =
            |i: usize| (0..n).map(|j| cost[i * n + j] - price[j]).fold(f64::INFINITY, f64::min);
        let dual: f64 = (0..n).map(reduced_least).sum::<f64>() + price.iter().sum::<f64>();
        // Integer costs keep every price an integer: primal and dual meet exactly, whatever the path there.
        assert_eq!(solver.finish().cost, dual);
        assert_eq!(assignment(&cost, n).unwrap().cost, dual);
    }

    #[test]
    fn bad_costs_are_refused() {
        assert!(matches!(assignment(&[1.0; 3], 2), Err(OtError::Length { .. })));
        assert!(matches!(assignment(&[], 0), Err(OtError::NoPoints)));
        assert!(matches!(assignment(&[], MAX_ASSIGNMENT + 1), Err(OtError::TooManyPoints { .. })));
        let error = assignment(&[0.0, f64::NAN, 0.0, 0.0], 2).unwrap_err();
        assert!(error.to_string().starts_with("cost[0, 1] is NaN"), "{error}");
    }
}
