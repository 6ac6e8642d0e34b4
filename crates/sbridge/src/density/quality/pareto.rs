//! How heavy the tail of importance weights is: the shape k̂ of a generalised Pareto law of the largest of them.
//!
//! Exceedances y = w − u of a threshold u are fitted by (1 + k y/σ)^{−1−1/k}/σ. With θ = −k/σ the likelihood is one of θ alone,
//! k(θ) = mean ln(1 − θ y), and its mean under a flat law on a few points is θ̂.                          \[ZS09; VSGYG24, App. C\]
//!
//! Tests: exact quantiles and draws of known k; weights that are bounded.

use crate::density::weights::Weights;

/// Exceedances without which nothing is said.
const FEWEST: usize = 5;

/// k̂ of weights known by their logarithms, drawn towards ½ with the strength of ten exceedances. Above 0.7 an average over so
/// many weights is not to be believed, and above 1 its mean does not exist. −∞ where the largest weights are all equal; nothing
/// for fewer than 25 weights.                                                                                 \[VSGYG24\]
pub fn pareto_shape(logs: &[f64]) -> Option<f64> {
    let mut weights = Weights::of_logs(logs).relative;
    weights.sort_unstable_by(f64::total_cmp);
    let count = weights.len() as f64;
    let tail = (0.2 * count).min(3.0 * count.sqrt()).ceil() as usize;
    if tail < FEWEST {
        return None;
    }
    let (below, largest) = weights.split_at(weights.len() - tail);
    let threshold = below.last()?;
    let exceedances: Vec<f64> = largest.iter().map(|w| w - threshold).filter(|y| *y > 0.0).collect();
    if exceedances.is_empty() {
        return Some(f64::NEG_INFINITY);
    }
    let size = exceedances.len() as f64;
    Some((shape(&exceedances) * size + 5.0) / (size + 10.0))
}

/// k̂ of `exceedances`, positive and rising.
fn shape(exceedances: &[f64]) -> f64 {
    let size = exceedances.len() as f64;
    let (largest, quartile) = (exceedances[exceedances.len() - 1], exceedances[(size / 4.0 - 0.5) as usize]);
    let points = 30 + size.sqrt() as usize;
    let theta = |j: usize| {
        let spread = 1.0 - (points as f64 / (j as f64 + 0.5)).sqrt();
        1.0 / largest + spread / (3.0 * quartile)
    };
    let shape_at = |theta: f64| exceedances.iter().map(|y| (-theta * y).ln_1p()).sum::<f64>() / size;
    let log_likelihood = |theta: f64| {
        let k = shape_at(theta);
        size * ((-theta / k).ln() - k - 1.0)
    };
    let thetas: Vec<f64> = (0..points).map(theta).collect();
    let logs: Vec<f64> = thetas.iter().map(|theta| log_likelihood(*theta)).collect();
    let chances = Weights::of_logs(&logs).relative;
    let total: f64 = chances.iter().sum();
    shape_at(thetas.iter().zip(&chances).map(|(theta, chance)| theta * chance).sum::<f64>() / total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rng::Rng;

    /// ln of (1 − u)^−k: weights with P(w > x) = x^{−1/k} from one on, whose exceedances are all of shape k.
    fn logs(k: f64, uniform: impl Iterator<Item = f64>) -> Vec<f64> {
        uniform.map(|u| -k * (-u).ln_1p()).collect()
    }

    fn even(count: usize) -> impl Iterator<Item = f64> {
        (0..count).map(move |i| (i as f64 + 0.5) / count as f64)
    }

    #[test]
    fn the_shape_of_exact_quantiles_is_found() {
        for k in [0.2, 0.5, 0.7, 1.0, 1.5] {
            let found = pareto_shape(&logs(k, even(10_000))).unwrap();
            // Of 300 exceedances the estimator is off by about 1/300 of 1 + k, and the pull to ½ is 10/310 of the way.
            let expected = (300.0 * k + 5.0) / 310.0;
            assert!((found - expected).abs() < 0.01 * (1.0 + k), "{k}: {found} {expected}");
        }
    }

    #[test]
    fn the_shape_of_draws_is_found_whatever_their_scale() {
        for (seed, k) in [(1, 0.3), (2, 0.7), (3, 1.2)] {
            let drawn = logs(k, Rng::new(seed).uniform(20_000, 0.0, 1.0).into_iter());
            let found = pareto_shape(&drawn).unwrap();
            // Standard error (1 + k)/√m of the m = 425 largest.
            assert!((found - k).abs() < 4.5 * (1.0 + k) / 425f64.sqrt() + 0.02, "{k}: {found}");
            let scaled: Vec<f64> = drawn.iter().map(|log| log - 800.0).collect();
            assert!((pareto_shape(&scaled).unwrap() - found).abs() < 1e-9, "{k}"); // digits that 800 costs
        }
    }

    #[test]
    fn bounded_weights_have_no_tail_and_log_normal_ones_do() {
        // Uniform weights are of shape −1, pulled to ½.
        let bounded: Vec<f64> = even(10_000).map(f64::ln).collect();
        let found = pareto_shape(&bounded).unwrap();
        assert!(found < -0.5, "{found}");
        assert_eq!(pareto_shape(&[0.0; 100]), Some(f64::NEG_INFINITY));
        assert_eq!(pareto_shape(&[0.0; 20]), None);
        // e^{3z}, whose weights are of no use at this number.
        let mut z = vec![0f32; 10_000];
        Rng::new(4).fill_normal(&mut z);
        let wide: Vec<f64> = z.into_iter().map(|z| 3.0 * f64::from(z)).collect();
        assert!(pareto_shape(&wide).unwrap() > 0.7);
    }
}
