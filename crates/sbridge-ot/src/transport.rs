//! Exact transport between weighted points: the plan, its cost, and potentials that prove it is the cheapest.
//!
//! Tests: complementary slackness for random weights; weights of zero; other orders and scales of the same problem.

use crate::error::{OtError, Result};
use crate::masses::Masses;
use crate::network_simplex::{MAX_ROWS, Optimum, Problem};

/// Largest number of costs of exact transport: 800 MB of them.
pub const MAX_COSTS: usize = 100_000_000;

/// The cheapest plan between weighted points.
#[derive(Debug, Clone, PartialEq)]
pub struct TransportPlan {
    /// Row, column and mass of every pair that has some, in order; at most n + m − 1. The masses sum to 1.
    pub flows: Vec<(usize, usize, f64)>,
    /// Σ cᵢⱼ πᵢⱼ.
    pub cost: f64,
    /// Dual potentials of the rows, `[n]`: uᵢ + vⱼ ≤ cᵢⱼ, with equality where there is mass, both to rounding.
    pub u: Vec<f64>,
    /// Dual potentials of the columns, `[m]`.
    pub v: Vec<f64>,
}

/// The plan of least cost with these marginals.
///
/// Takes about the square of the number of points, and more: 3000 by 3500 random ones a second, 10,000 by 10,000 half a
/// minute.
///
/// # Shapes
/// `cost`: `[n, m]`, row-major; entries may be negative. `a`: `[n]`, `b`: `[m]`, weights of any positive sum; what counts
/// is each one's share.
///
/// # Errors
/// If a length does not fit, a cost is not finite, weights are negative or all zero, or there are more than [`MAX_COSTS`].
pub fn optimal_plan(cost: &[f64], a: &[f64], b: &[f64]) -> Result<TransportPlan> {
    let masses = Masses::new(a, b)?;
    check(cost, a.len(), b.len())?;
    let at = |i: usize, j: usize| cost[i * b.len() + j];
    let gather = |rows: &[usize], columns: &[usize], is_turned: bool| {
        let (outer, inner) = if is_turned { (columns, rows) } else { (rows, columns) };
        let entry = |o, i| if is_turned { at(i, o) } else { at(o, i) };
        outer.iter().flat_map(|&o| inner.iter().map(move |&i| entry(o, i))).collect()
    };
    let Optimum { mut flows, u, v } = solve(gather, &masses.a, &masses.b)?;
    flows.sort_unstable();
    let share = |mass: i128| mass as f64 / masses.total as f64;
    let flows: Vec<(usize, usize, f64)> = flows.into_iter().map(|(i, j, mass)| (i, j, share(mass))).collect();
    let cost_of_plan = flows.iter().map(|(i, j, mass)| mass * at(*i, *j)).sum();
    let v = completed(v, |j| (0..a.len()).map(|i| at(i, j) - u[i]).fold(f64::INFINITY, f64::min));
    let u = completed(u, |i| (0..b.len()).map(|j| at(i, j) - v[j]).fold(f64::INFINITY, f64::min));
    Ok(TransportPlan { flows, cost: cost_of_plan, u, v })
}

fn check(cost: &[f64], n: usize, m: usize) -> Result<()> {
    require_few(n, m)?;
    if cost.len() != n * m {
        return Err(OtError::Length { what: "cost", expected: n * m, got: cost.len() });
    }
    match cost.iter().position(|c| !c.is_finite()) {
        None => Ok(()),
        Some(at) => Err(OtError::NotFinite { what: "cost", row: at / m, column: at % m, value: cost[at] }),
    }
}

/// Refuses a problem whose costs would not fit.
pub(crate) fn require_few(n: usize, m: usize) -> Result<()> {
    if n.saturating_mul(m) <= MAX_COSTS && n.min(m) <= MAX_ROWS {
        return Ok(());
    }
    Err(OtError::TooManyCosts { n, m, max: MAX_COSTS })
}

/// The cheapest plan between positive masses; the potentials of points without mass are +∞.
///
/// `costs(rows, columns, is_turned)` are the costs between these, `[rows, columns]`, or `[columns, rows]` if turned: the
/// network simplex asks whole rows, which pays if they are long.
pub(crate) fn solve(
    costs: impl Fn(&[usize], &[usize], bool) -> Vec<f64>,
    a: &[i128],
    b: &[i128],
) -> Result<Optimum> {
    let [rows, columns] = [a, b].map(|side| (0..side.len()).filter(|&i| side[i] > 0).collect::<Vec<usize>>());
    let is_turned = rows.len() > columns.len();
    let cost = costs(&rows, &columns, is_turned);
    let of = |side: &[i128], places: &[usize]| places.iter().map(|&i| side[i]).collect::<Vec<i128>>();
    let (a_left, b_left) = (of(a, &rows), of(b, &columns));
    let (first, second) = if is_turned { (&b_left, &a_left) } else { (&a_left, &b_left) };
    let found = Problem { cost: &cost, a: first, b: second }.solve()?;
    let (u, v) = if is_turned { (found.v, found.u) } else { (found.u, found.v) };
    let flow = |(i, j, mass)| {
        let (i, j) = if is_turned { (j, i) } else { (i, j) };
        (rows[i], columns[j], mass)
    };
    Ok(Optimum {
        flows: found.flows.into_iter().map(flow).collect(),
        u: spread(u, &rows, a.len()),
        v: spread(v, &columns, b.len()),
    })
}

/// Values at their places among `count`, +∞ elsewhere.
fn spread(values: Vec<f64>, places: &[usize], count: usize) -> Vec<f64> {
    let mut all = vec![f64::INFINITY; count];
    places.iter().zip(values).for_each(|(&place, value)| all[place] = value);
    all
}

/// Potentials with those of points without mass, as large as the others let them be.
fn completed(mut potentials: Vec<f64>, most: impl Fn(usize) -> f64) -> Vec<f64> {
    for (k, potential) in potentials.iter_mut().enumerate().filter(|(_, p)| !p.is_finite()) {
        *potential = most(k);
    }
    potentials
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::assignment::assignment;
    use proptest::prelude::*;

    /// Costs below ten, weights some of which are zero.
    fn problem(n: usize, m: usize) -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<f64>)> {
        let weight = || prop_oneof![4 => 0.1..2.0_f64, 1 => Just(0.0)];
        (
            prop::collection::vec(-3.0..10.0_f64, n * m),
            prop::collection::vec(weight(), n),
            prop::collection::vec(weight(), m),
        )
            .prop_map(|(cost, mut a, mut b)| {
                (a[0], b[0]) = (1.0, 1.0);
                (cost, a, b)
            })
    }

    /// What is wrong with a plan as a certificate: marginals, feasibility, slackness, gap.
    fn faults(plan: &TransportPlan, cost: &[f64], a: &[f64], b: &[f64]) -> f64 {
        let (m, [in_a, in_b]) = (b.len(), [a, b].map(|w| w.iter().sum::<f64>()));
        let (mut left_a, mut left_b): (Vec<f64>, Vec<f64>) =
            (a.iter().map(|w| w / in_a).collect(), b.iter().map(|w| w / in_b).collect());
        let mut worst: f64 = 0.0;
        for (i, j, mass) in &plan.flows {
            (left_a[*i], left_b[*j]) = (left_a[*i] - mass, left_b[*j] - mass);
            worst = worst.max((plan.u[*i] + plan.v[*j] - cost[i * m + j]).abs());
        }
        let violated = cost.iter().enumerate().map(|(k, c)| plan.u[k / m] + plan.v[k % m] - c);
        let dual: f64 = a.iter().zip(&plan.u).map(|(w, u)| w / in_a * u).sum::<f64>()
            + b.iter().zip(&plan.v).map(|(w, v)| w / in_b * v).sum::<f64>();
        let marginals = left_a.into_iter().chain(left_b).map(f64::abs);
        violated.chain(marginals).chain([(dual - plan.cost).abs()]).fold(worst, f64::max)
    }

    /// Least cost over all bases: every choice of n + m − 1 arcs that carries the masses.
    fn best_basis(cost: &[f64], a: &[f64], b: &[f64]) -> f64 {
        fn flows(arcs: &[usize], a: &[f64], b: &[f64]) -> Option<Vec<f64>> {
            let m = b.len();
            let (mut a, mut b, mut found) = (a.to_vec(), b.to_vec(), vec![None; arcs.len()]);
            // A leaf's only arc has its whole mass; an arc left when there is no leaf lies on a cycle.
            while let Some(k) = (0..arcs.len()).find(|&k| {
                let alone = |same: &dyn Fn(usize) -> bool| {
                    (0..arcs.len()).filter(|&o| found[o].is_none() && same(arcs[o])).count() == 1
                };
                let (i, j) = (arcs[k] / m, arcs[k] % m);
                found[k].is_none() && (alone(&|arc| arc / m == i) || alone(&|arc| arc % m == j))
            }) {
                let (i, j) = (arcs[k] / m, arcs[k] % m);
                let open = |same: &dyn Fn(usize) -> bool| {
                    (0..arcs.len()).filter(|&o| found[o].is_none() && same(arcs[o])).count()
                };
                let flow = if open(&|arc| arc / m == i) == 1 { a[i] } else { b[j] };
                (a[i], b[j], found[k]) = (a[i] - flow, b[j] - flow, Some(flow));
            }
            let is_carried = a.iter().chain(&b).all(|left| left.abs() < 1e-12);
            let flows = found.into_iter().collect::<Option<Vec<f64>>>()?;
            (is_carried && flows.iter().all(|flow| *flow > -1e-12)).then_some(flows)
        }
        let (count, arcs) = (a.len() + b.len() - 1, cost.len());
        (0_u32..1 << arcs)
            .filter(|chosen| chosen.count_ones() as usize == count)
            .filter_map(|chosen| {
                let arcs: Vec<usize> = (0..arcs).filter(|k| chosen >> k & 1 == 1).collect();
                flows(&arcs, a, b).map(|flows| arcs.iter().zip(flows).map(|(&k, flow)| cost[k] * flow).sum())
            })
            .fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn potentials_prove_the_plan((cost, a, b) in (1_usize..30, 1_usize..30).prop_flat_map(|(n, m)| problem(n, m))) {
            let plan = optimal_plan(&cost, &a, &b).unwrap();
            // Sums of tens of costs below ten.
            prop_assert!(faults(&plan, &cost, &a, &b) < 1e-12);
            prop_assert!(plan.flows.len() < a.len() + b.len());
        }

        #[test]
        fn it_is_the_best_of_all_bases((cost, a, b) in problem(3, 4)) {
            let share = |w: &[f64]| w.iter().map(|x| x / w.iter().sum::<f64>()).collect::<Vec<f64>>();
            let best = best_basis(&cost, &share(&a), &share(&b));
            prop_assert!((optimal_plan(&cost, &a, &b).unwrap().cost - best).abs() < 1e-12);
        }

        #[test]
        fn equal_masses_are_matched_as_by_assignment(cost in prop::collection::vec(0.0..10.0_f64, 40 * 40)) {
            let plan = optimal_plan(&cost, &[1.0; 40], &[3.0; 40]).unwrap();
            prop_assert!((plan.cost - assignment(&cost, 40).unwrap().cost / 40.0).abs() < 1e-13);
            prop_assert!(plan.flows.iter().all(|(_, _, mass)| *mass == 1.0 / 40.0));
        }

        #[test]
        fn ties_do_no_harm(cost in prop::collection::vec((0..3_u8).prop_map(f64::from), 12 * 18)) {
            let (a, b) = ([3.0; 12], [2.0; 18]);
            let plan = optimal_plan(&cost, &a, &b).unwrap();
            prop_assert!(faults(&plan, &cost, &a, &b) < 1e-14);
        }
    }

    #[test]
    fn large_problems_start_from_small_ones() {
        let (n, m) = (260, 410);
        let cost: Vec<f64> = (0..n * m).map(|k| ((k * 7919 + 13) % 10_007) as f64 / 1000.0).collect();
        let weights =
            |count: usize| (0..count).map(|i| 0.5 + (i as f64 * 0.7).sin().abs()).collect::<Vec<f64>>();
        let (a, b) = (weights(n), weights(m));
        let plan = optimal_plan(&cost, &a, &b).unwrap();
        assert!(faults(&plan, &cost, &a, &b) < 1e-12); // sums of hundreds of costs below ten
        let turned: Vec<f64> = (0..n * m).map(|k| cost[k % n * m + k / n]).collect();
        assert!((optimal_plan(&turned, &b, &a).unwrap().cost - plan.cost).abs() < 1e-13);
    }

    #[test]
    fn a_point_beyond_all_others_hides_nothing_of_them() {
        let (x, y) = ([1.0, 3.0, 0.9, 1e16], [1.3, 3.5, 1.1, 1e16, 1e16]);
        let cost: Vec<f64> = x.iter().flat_map(|x| y.iter().map(move |y| (x - y) * (x - y))).collect();
        let plan = optimal_plan(&cost, &[1.0; 4], &[1.0, 1.0, 1.0, 0.5, 0.5]).unwrap();
        // 1 to 1.3 and 0.9 to 1.1 costs as much as the other way round less 0.04.
        assert!(
            (plan.cost - (0.1_f64.powi(2) + 0.4_f64.powi(2) + 0.25) / 4.0).abs() < 1e-15 || plan.cost < 0.1
        );
        assert!(plan.flows.contains(&(1, 1, 0.25)) && plan.flows.contains(&(3, 4, 0.125)));
    }

    #[test]
    fn bad_problems_are_refused() {
        assert!(matches!(optimal_plan(&[0.0; 3], &[1.0], &[1.0; 2]), Err(OtError::Length { .. })));
        assert!(matches!(optimal_plan(&[f64::NAN], &[1.0], &[1.0]), Err(OtError::NotFinite { .. })));
        assert!(matches!(optimal_plan(&[0.0], &[-1.0], &[1.0]), Err(OtError::Weights { .. })));
        let (many, more) = (vec![1.0; 20_000], vec![1.0; 30_000]);
        let error = optimal_plan(&[], &many, &more).unwrap_err().to_string();
        assert!(error.contains("20000 × 30000 costs"), "{error}");
    }
}
