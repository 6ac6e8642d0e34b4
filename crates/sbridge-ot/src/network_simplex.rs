//! The cheapest plan that moves given masses, exactly, by the network simplex.
//!
//! min Σ cᵢⱼ πᵢⱼ,  Σⱼ πᵢⱼ = aᵢ,  Σᵢ πᵢⱼ = bⱼ;   dual  max Σ aᵢuᵢ + Σ bⱼvⱼ,  uᵢ + vⱼ ≤ cᵢⱼ                 [AMO93, §11]
//!
//! A basis is a spanning tree of rows and columns ([`SpanningTree`]). Rows are asked in turn for their most negative reduced
//! cost cᵢⱼ − uᵢ − vⱼ, one pass over vector lanes, and that arc enters. No flow is ever zero, because every row has one
//! unit in a million of millions more than its mass and the last column the sum of these; so every pivot lowers the cost and
//! none is repeated. The start fills every row from the columns that are cheapest beside prices taken from the potentials of
//! a quarter of the points, solved first.
//!
//! Tests, through the module `transport`: complementary slackness; assignment for equal masses; every basis of small
//! problems; the line.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::error::{OtError, Result};
use crate::simd::{LANES, lesser, vectorised};
use crate::spanning_tree::{Arc, SpanningTree};

/// Flows are counted in units of 2⁻²⁰ of those of masses, to leave room for what keeps them above zero.
const PERTURBATION: u32 = 20;

/// Largest number of rows: what is added to them sums to less than half of a unit of mass.
pub(crate) const MAX_ROWS: usize = 1 << (PERTURBATION - 1);

/// A side with more points than this is thinned by the factor for the start.
const COARSE: usize = 100;
const THINNING: usize = 4;

/// A reduced cost below this share of the numbers it is the difference of is taken for negative. Potentials are sums along
/// the tree, wrong by a few hundred roundings of 10⁻¹⁶.
const TOLERANCE: f64 = 1e-13;

/// Pivots for every point after which rounding must be leading in a circle; usual are 10 to 30.
const MAX_PIVOTS: usize = 10_000;

/// Masses to be moved at these costs: `[rows, columns]`, row-major; both sides sum to the same.
pub(crate) struct Problem<'a> {
    pub(crate) cost: &'a [f64],
    pub(crate) a: &'a [i128],
    pub(crate) b: &'a [i128],
}

/// The cheapest plan and its certificate.
pub(crate) struct Optimum {
    /// Row, column and mass of every pair that has some.
    pub(crate) flows: Vec<(usize, usize, i128)>,
    /// Dual potentials of rows and columns.
    pub(crate) u: Vec<f64>,
    pub(crate) v: Vec<f64>,
}

impl Problem<'_> {
    /// The cheapest plan; masses have to be positive.
    ///
    /// # Errors
    /// [`OtError::NotOptimal`] if rounding leads in a circle.
    pub(crate) fn solve(&self) -> Result<Optimum> {
        let tree = self.optimal_tree()?;
        let half = 1 << (PERTURBATION - 1);
        let flow = |arc: Arc| (arc.row, arc.column, (arc.flow + half) >> PERTURBATION);
        let flows = tree.arcs().map(flow).filter(|(_, _, mass)| *mass > 0).collect();
        let (u, v) = tree.potentials();
        Ok(Optimum { flows, u: u.into(), v: v.into() })
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.cost[i * self.b.len()..(i + 1) * self.b.len()]
    }

    fn optimal_tree(&self) -> Result<SpanningTree> {
        let (rows, columns) = (self.a.len(), self.b.len());
        let mut tree = SpanningTree::new(rows, columns, &self.start()?);
        let (mut row, mut pivots, mut rows_without) = (0, 0, 0);
        // Rows without a pivot prove optimality only if the potentials were worked out anew before.
        let mut is_settled = true;
        while !(is_settled && rows_without == rows) {
            if rows_without == rows || (!is_settled && pivots % (rows + columns) == 0) {
                tree.settle_potentials();
                (is_settled, rows_without) = (true, 0);
            }
            rows_without += 1;
            if let Some(column) = self.entering(&tree, row) {
                tree.pivot(row, column, self.row(row)[column]);
                (pivots, rows_without, is_settled) = (pivots + 1, 0, false);
            }
            if pivots > MAX_PIVOTS * (rows + columns) {
                return Err(OtError::NotOptimal { pivots });
            }
            row = (row + 1) % rows;
        }
        Ok(tree)
    }

    /// The column whose reduced cost in this row is least, if it is negative beyond rounding.
    fn entering(&self, tree: &SpanningTree, row: usize) -> Option<usize> {
        let (u, v) = tree.potentials();
        let costs = self.row(row);
        let least = vectorised(
            #[inline(always)]
            || least_difference(costs, v),
        );
        if least >= u[row] {
            return None;
        }
        let column = vectorised(
            #[inline(always)]
            || position_of_difference(costs, v, least),
        )?;
        let size = costs[column].abs() + u[row].abs() + v[column].abs();
        (least - u[row] < -TOLERANCE * size).then_some(column)
    }

    /// Arcs of a first basis: rows in turn are given their cheapest columns beside the prices, as far as these last.
    fn start(&self) -> Result<Vec<Arc>> {
        let prices = self.prices()?;
        let mut open: Vec<(usize, i128)> =
            self.b.iter().map(|mass| mass << PERTURBATION).enumerate().collect();
        if let Some(last) = open.last_mut() {
            last.1 += self.a.len() as i128;
        }
        let mut arcs = Vec::with_capacity(self.a.len() + self.b.len());
        for (row, mass) in self.a.iter().enumerate() {
            let costs = self.row(row);
            let offer = |(place, &(column, _)): (usize, &(usize, i128))| {
                Reverse(Offer { price: costs[column] - prices[column], place })
            };
            let mut offers: BinaryHeap<_> = open.iter().enumerate().map(offer).collect();
            let mut left = (mass << PERTURBATION) + 1;
            while left > 0
                && let Some(Reverse(Offer { place, .. })) = offers.pop()
            {
                let (column, available) = &mut open[place];
                let flow = left.min(*available);
                arcs.push(Arc { row, column: *column, flow, cost: costs[*column] });
                (left, *available) = (left - flow, *available - flow);
            }
            open.retain(|(_, available)| *available > 0);
        }
        Ok(arcs)
    }

    /// What columns cost at least, beside the potentials of some of the rows, or beside nothing where there are few points.
    fn prices(&self) -> Result<Vec<f64>> {
        let mut prices = vec![f64::INFINITY; self.b.len()];
        let mut lower = |row: usize, u: f64| {
            vectorised(
                #[inline(always)]
                || prices.iter_mut().zip(self.row(row)).for_each(|(price, c)| *price = lesser(c - u, *price)),
            );
        };
        let [rows, columns] = [thinned(self.a.len()), thinned(self.b.len())];
        if rows.len() == self.a.len() && columns.len() == self.b.len() {
            (0..self.a.len()).for_each(|row| lower(row, 0.0));
            return Ok(prices);
        }
        let cost: Vec<f64> =
            rows.iter().flat_map(|&i| columns.iter().map(move |&j| self.row(i)[j])).collect();
        let [a, b] = balanced([chosen(self.a, &rows), chosen(self.b, &columns)]);
        let tree = Problem { cost: &cost, a: &a, b: &b }.optimal_tree()?;
        rows.iter().zip(tree.potentials().0).for_each(|(&row, u)| lower(row, *u));
        Ok(prices)
    }
}

/// Every fourth of many points, all of few.
fn thinned(count: usize) -> Vec<usize> {
    if count <= COARSE {
        return (0..count).collect();
    }
    let kept = count / THINNING;
    (0..kept).map(|k| k * count / kept).collect()
}

fn chosen(masses: &[i128], places: &[usize]) -> Vec<i128> {
    places.iter().map(|&place| masses[place]).collect()
}

/// Both sides with one sum: what one side has less goes to its heaviest point.
fn balanced(mut sides: [Vec<i128>; 2]) -> [Vec<i128>; 2] {
    let sums = [0, 1].map(|side| sides[side].iter().sum::<i128>());
    let most = sums[0].max(sums[1]);
    for (side, sum) in sides.iter_mut().zip(sums) {
        // Scaled in floating point, each mass at least one unit: only a start is wanted.
        let factor = most as f64 / sum as f64;
        side.iter_mut().for_each(|mass| *mass = ((*mass as f64 * factor) as i128).max(1));
    }
    let sums = [0, 1].map(|side| sides[side].iter().sum::<i128>());
    let lighter = usize::from(sums[1] < sums[0]);
    if let Some(heaviest) = sides[lighter].iter_mut().max() {
        *heaviest += (sums[0] - sums[1]).abs();
    }
    sides
}

/// A column at its price, the cheapest the least.
struct Offer {
    price: f64,
    place: usize,
}

impl Ord for Offer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.price.total_cmp(&other.price).then(self.place.cmp(&other.place))
    }
}

impl PartialOrd for Offer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Offer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Offer {}

/// The least of x − y.
#[inline(always)]
fn least_difference(x: &[f64], y: &[f64]) -> f64 {
    /// Lanes of four accumulators: one would wait for itself.
    const WIDE: usize = 4 * LANES;
    let (x_chunks, x_rest) = x.as_chunks::<WIDE>();
    let (y_chunks, y_rest) = y.as_chunks::<WIDE>();
    let mut least = [f64::INFINITY; WIDE];
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for lane in 0..WIDE {
            least[lane] = lesser(x[lane] - y[lane], least[lane]);
        }
    }
    let rest = x_rest.iter().zip(y_rest).map(|(x, y)| x - y);
    least.iter().copied().chain(rest).fold(f64::INFINITY, |least, d| lesser(d, least))
}

/// Index of the first x − y equal to `value`.
#[inline(always)]
fn position_of_difference(x: &[f64], y: &[f64], value: f64) -> Option<usize> {
    const BLOCK: usize = 32;
    x.chunks(BLOCK).zip(y.chunks(BLOCK)).enumerate().find_map(|(block, (x, y))| {
        let contained = x.iter().zip(y).fold(false, |contained, (x, y)| contained | (x - y == value));
        let offset = || x.iter().zip(y).position(|(x, y)| x - y == value);
        if contained { offset().map(|offset| block * BLOCK + offset) } else { None }
    })
}
