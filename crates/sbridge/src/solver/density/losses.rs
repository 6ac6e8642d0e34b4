//! The losses whose gradient needs no graph along the path.
//!
//! Where paths are held fixed, A moves by the controls alone: by r ξ for every u along it, and by r ξ + r² (u + v) for every v. So a
//! loss is a weight for every path, by which its pull on the controls is multiplied.
//!
//! Tests: against published values and differences of the loss with paths held fixed; their ratios to each other.

/// What paths are weighed by, and the value of the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    /// ∂loss/∂A by way of u, `[count]`.
    pub forward: Vec<f64>,
    /// ∂loss/∂A by way of v, `[count]`.
    pub backward: Vec<f64>,
    /// ∂loss/∂(ln Z), of the value for it that is learned.
    pub log_z: f64,
    /// The loss.
    pub value: f64,
}

/// Paths whose A is finite and below a bound; the others have no part in a loss.
fn counted(action: &[f64], bound: f64) -> impl Iterator<Item = f64> + Clone {
    action.iter().copied().filter(move |a| is_counted(*a, bound))
}

/// Whether a path has a part in a loss.
pub fn is_counted(action: f64, bound: f64) -> bool {
    action.is_finite() && action < bound
}

/// `of` every counted A, 0 for the others.
fn weights(action: &[f64], bound: f64, of: impl Fn(f64) -> f64) -> Vec<f64> {
    action.iter().map(|a| if is_counted(*a, bound) { of(*a) } else { 0.0 }).collect()
}

/// Number, mean and variance of the counted A; none of them a number where fewer than two are counted, of which nothing can be
/// learned.
fn moments(action: &[f64], bound: f64) -> (f64, f64, f64) {
    let count = match counted(action, bound).count() {
        0 | 1 => f64::NAN,
        count => count as f64,
    };
    let mean = counted(action, bound).sum::<f64>() / count;
    let variance = counted(action, bound).map(|a| (a - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (count, mean, variance)
}

/// Var A, zero where the controls are right, with the normaliser n − 1.                                    \[LV, Eq. 18 and 20\]
pub fn log_variance(action: &[f64], bound: f64) -> Pull {
    let (count, mean, variance) = moments(action, bound);
    let weights = weights(action, bound, |a| 2.0 * (a - mean) / (count - 1.0));
    Pull { forward: weights.clone(), backward: weights, log_z: 0.0, value: variance }
}

/// The mean of Var A among the `paths` from every start, which follow each other in `action`.                     \[LV, App. A.4\]
///
/// A start of which fewer than two paths are counted has no part. Where the noising is learned too, the loss is zero for any law
/// of the ends: v makes up for it, start by start.
pub fn log_variance_by_start(action: &[f64], paths: usize, bound: f64) -> Pull {
    let groups: Vec<Pull> = action.chunks(paths).map(|group| log_variance(group, bound)).collect();
    let judged = || groups.iter().filter(|group| !group.value.is_nan());
    let count = judged().count() as f64;
    let share = |group: &Pull, weight: &f64| if group.value.is_nan() { 0.0 } else { weight / count };
    let of_group =
        |group: &Pull| group.forward.iter().map(|weight| share(group, weight)).collect::<Vec<f64>>();
    let weights: Vec<f64> = groups.iter().flat_map(of_group).collect();
    let value = judged().map(|group| group.value).sum::<f64>() / count;
    Pull { forward: weights.clone(), backward: weights, log_z: 0.0, value }
}

/// Trajectory balance: E\[(A + c)²\] with a learned c for ln Z.                                                      \[GFN, Eq. 11\]
pub fn trajectory_balance(action: &[f64], log_z: f64, bound: f64) -> Pull {
    let (count, ..) = moments(action, bound);
    let weights = weights(action, bound, |a| 2.0 * (a + log_z) / count);
    let value = counted(action, bound).map(|a| (a + log_z).powi(2)).sum::<f64>() / count;
    Pull { forward: weights.clone(), backward: weights.clone(), log_z: weights.iter().sum(), value }
}

/// The reverse divergence E\[A\] by the score of the path's own law, with the mean for a baseline.                    \[RKL, Eq. 6\]
pub fn reverse_divergence(action: &[f64], bound: f64) -> Pull {
    let (count, mean, _) = moments(action, bound);
    Pull {
        forward: weights(action, bound, |a| (a - mean) / (count - 1.0)),
        backward: weights(action, bound, |_| 1.0 / count),
        log_z: 0.0,
        value: mean,
    }
}

/// The forward divergence, E\[−A\] over paths that the noising makes of draws of π: what −ln of their density under u is left
/// with. Its slope is that of likelihood, the same for every path.                                            \[RKL\]
pub fn forward_divergence(action: &[f64], bound: f64) -> Pull {
    let (count, mean, _) = moments(action, bound);
    let forward = weights(action, bound, |_| -1.0 / count);
    Pull { forward, backward: vec![0.0; action.len()], log_z: 0.0, value: -mean }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTION: [f64; 4] = [0.3, -1.2, 2.5, 0.9];

    #[test]
    fn on_policy_the_losses_pull_alike() {
        let (lv, rkl) = (log_variance(&ACTION, f64::INFINITY), reverse_divergence(&ACTION, f64::INFINITY));
        let mean = ACTION.iter().sum::<f64>() / 4.0;
        let tb = trajectory_balance(&ACTION, -mean, f64::INFINITY);
        for ((lv, rkl), tb) in lv.forward.iter().zip(&rkl.forward).zip(&tb.forward) {
            assert!((lv - 2.0 * rkl).abs() < 1e-14, "{lv} {rkl}");
            assert!((tb - 0.75 * lv).abs() < 1e-14, "{tb} {lv}"); // (n − 1)/n
        }
        let lv_by_start = log_variance_by_start(&ACTION, 4, f64::INFINITY);
        assert_eq!(lv_by_start, lv);
    }

    #[test]
    fn paths_that_are_not_counted_have_no_part() {
        let spoiled = [0.3, f64::NAN, -1.2, 2.5, 50.0, 0.9, f64::INFINITY];
        let all = [log_variance, reverse_divergence, |a: &[f64], bound| trajectory_balance(a, 0.2, bound)];
        for loss in all {
            let (clean, found) = (loss(&ACTION, 10.0), loss(&spoiled, 10.0));
            assert_eq!(found.value, clean.value);
            let kept: Vec<f64> = [0, 2, 3, 5].map(|i| found.forward[i]).into();
            assert_eq!(kept, clean.forward);
            assert_eq!([1, 4, 6].map(|i| found.forward[i]), [0.0; 3]);
        }
    }

    #[test]
    fn a_loss_of_fewer_than_two_paths_is_no_number() {
        for action in [&[f64::NAN, 0.3, 99.0][..], &[99.0; 4]] {
            assert!(log_variance(action, 10.0).value.is_nan());
            assert!(trajectory_balance(action, 0.1, 10.0).value.is_nan());
            assert!(reverse_divergence(action, 10.0).value.is_nan());
            assert!(log_variance_by_start(action, 2, 10.0).value.is_nan());
        }
        let one_start_lost = [0.3, f64::NAN, -1.2, 2.5];
        let (found, left) =
            (log_variance_by_start(&one_start_lost, 2, 10.0), log_variance(&[-1.2, 2.5], 10.0));
        assert_eq!((found.value, &found.forward[..2]), (left.value, &[0.0; 2][..]));
        assert_eq!(found.forward[2..], left.forward);
    }

    #[test]
    fn the_pulls_are_slopes_of_the_loss() {
        type Loss<'a> = &'a dyn Fn(&[f64]) -> Pull;
        let losses: [Loss<'_>; 3] =
            [&|a| log_variance(a, 1e9), &|a| log_variance_by_start(a, 2, 1e9), &|a| {
                trajectory_balance(a, 0.7, 1e9)
            }];
        for loss in losses {
            for (k, slope) in loss(&ACTION).forward.into_iter().enumerate() {
                let moved = |h: f64| {
                    let mut action = ACTION;
                    action[k] += h;
                    loss(&action).value
                };
                let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((slope - difference).abs() < 1e-9, "{slope} {difference}"); // rounding over the step
            }
        }
        let of_log_z = |c: f64| trajectory_balance(&ACTION, c, 1e9);
        let difference = (of_log_z(0.7 + 1e-5).value - of_log_z(0.7 - 1e-5).value) / 2e-5;
        assert!((of_log_z(0.7).log_z - difference).abs() < 1e-9);
    }
}
