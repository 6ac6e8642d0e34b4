//! The standard normal law between two ends, however far out they lie.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// N(0, 1) between two ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truncated {
    low: f64,
    high: f64,
    /// Whether both were negative: then they are mirrored.
    mirrored: bool,
}

impl Truncated {
    pub(super) fn new(low: f64, high: f64) -> Self {
        if high < 0.0 {
            return Self { low: -high, high: -low, mirrored: true };
        }
        Self { low, high, mirrored: false }
    }

    /// ln(Φ(high) − Φ(low)).
    pub(super) fn ln_mass(self) -> f64 {
        if self.low <= 0.0 {
            return self.mass().ln();
        }
        ln_density(self.low) + self.mass_over_density().ln()
    }

    /// The mass, where the middle is inside.
    fn mass(self) -> f64 {
        1.0 - tail(-self.low) - tail(self.high)
    }

    /// The mass over the density at the lower end, where the middle is not: R(low) − R(high) φ(high)/φ(low), with R the
    /// Mills ratio.
    fn mass_over_density(self) -> f64 {
        mills(self.low) - self.fall() * mills(self.high)
    }

    /// φ(high)/φ(low).
    fn fall(self) -> f64 {
        (0.5 * (self.low - self.high) * (self.low + self.high)).exp()
    }

    /// Densities at both ends over the mass.
    fn hazards(self) -> [f64; 2] {
        if self.low <= 0.0 {
            return [self.low, self.high].map(|end| ln_density(end).exp() / self.mass());
        }
        [1.0, self.fall()].map(|density| density / self.mass_over_density())
    }

    /// Its mean.
    pub(super) fn mean(self) -> f64 {
        let [low, high] = self.hazards();
        if self.mirrored { high - low } else { low - high }
    }

    /// Its variance.
    pub(super) fn variance(self) -> f64 {
        let [low, high] = self.hazards();
        let mean = low - high;
        (1.0 + self.low * low - self.high * high - mean * mean).max(0.0)
    }

    /// A draw, from numbers uniform on [0, 1): proposals under the density, of the exponential law far out and uniform
    /// near the middle, where intervals are at most a few units long.                                   \[Rob95\]
    pub(super) fn draw(self, uniform: &mut impl FnMut() -> f64) -> f64 {
        let (a, width) = (self.low, self.high - self.low);
        let is_far = a > 0.5;
        let nearest = a.max(0.0);
        let draw = loop {
            let y = match is_far {
                true => a - (uniform() * (-a * width).exp_m1()).ln_1p() / a,
                false => a + uniform() * width,
            };
            let accepted = if is_far { (y - a).powi(2) } else { y * y - nearest * nearest };
            if uniform() < (-0.5 * accepted).exp() {
                break y.clamp(self.low, self.high);
            }
        };
        if self.mirrored { -draw } else { draw }
    }
}

fn ln_density(x: f64) -> f64 {
    -0.5 * (x * x + (2.0 * PI).ln())
}

/// 1 − Φ(x).
fn tail(x: f64) -> f64 {
    0.5 * libm::erfc(x * FRAC_1_SQRT_2)
}

/// R(x) = (1 − Φ(x))/φ(x) for x ≥ 0, by its continued fraction where both would underflow.         \[AS64, 26.2.14\]
fn mills(x: f64) -> f64 {
    if x < 6.0 {
        return tail(x) / ln_density(x).exp();
    }
    1.0 / (1..=60).rev().fold(x, |rest, k| x + f64::from(k) / rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mass, mean and variance by Simpson's rule, the density taken relative to its largest value; ln of the mass.
    fn quadrature(low: f64, high: f64) -> [f64; 3] {
        let steps = 20_000;
        let h = (high - low) / f64::from(steps);
        let peak = if low > 0.0 {
            low
        } else if high < 0.0 {
            high
        } else {
            0.0
        };
        let mut moments = [0.0; 3];
        for i in 0..=steps {
            let y = low + f64::from(i) * h;
            let rule = if i == 0 || i == steps {
                1.0
            } else if i % 2 == 1 {
                4.0
            } else {
                2.0
            };
            let weight = rule * h / 3.0 * (0.5 * (peak * peak - y * y)).exp();
            for (power, moment) in moments.iter_mut().enumerate() {
                *moment += weight * (y - peak).powi(power as i32);
            }
        }
        let mean = moments[1] / moments[0];
        [moments[0].ln() + ln_density(peak), peak + mean, moments[2] / moments[0] - mean * mean]
    }

    #[test]
    fn moments_are_those_of_quadrature_in_the_middle_and_far_out() {
        for (low, high) in [
            (-1.0, 1.5),
            (0.3, 0.5),
            (-0.2, 3.0),
            (-50.0, 60.0),
            (-40.0, 1.0),
            (4.0, 6.5),
            (-9.0, -7.0),
            (30.0, 32.0),
            (-80.0, -78.5),
        ] {
            let law = Truncated::new(low, high);
            let [mass, mean, variance] = quadrature(low, high);
            assert!(
                (law.ln_mass() - mass).abs() < 1e-10 * (1.0 + mass.abs()),
                "{low}: {} {mass}",
                law.ln_mass()
            );
            assert!((law.mean() - mean).abs() < 1e-10 * (1.0 + mean.abs()), "{low}: {} {mean}", law.mean());
            // Terms of size low² cancel.
            assert!((law.variance() - variance).abs() < 1e-13 * (1.0 + low * low), "{low}: {variance}");
        }
    }

    #[test]
    fn draws_have_the_moments() {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for (low, high) in [(-1.0, 1.5), (0.2, 2.7), (2.0, 4.0), (-9.0, -7.0)] {
            let law = Truncated::new(low, high);
            let n = 20_000;
            let draws: Vec<f64> = (0..n).map(|_| law.draw(&mut || rng.random())).collect();
            let mean = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / f64::from(n);
            // 4.5 standard errors; the fourth moment of such laws is below nine squared variances.
            let error = 4.5 * (law.variance() / f64::from(n)).sqrt();
            assert!((mean - law.mean()).abs() < error, "{low}: {mean}");
            let error = 4.5 * law.variance() * (8.0 / f64::from(n)).sqrt();
            assert!((variance - law.variance()).abs() < error, "{low}: {variance}");
        }
    }
}
