//! Denoising diffusion by a prediction of the clean state, which is no bridge but what planning by bridges is
//! compared with.
//!
//! x_k = √ᾱ_k x₀ + √(1 − ᾱ_k) ξ for k in 0..T, β_k = 1 − c((k+1)/T)/c(k/T) with c(s) = cos²(½π (s + 0.008)/1.008),
//! cut at 0.999, and ᾱ_k = Π_{j ≤ k} (1 − β_j).                                                    \[ND21, Eq. 17\]
//! x_{k−1} = (β_k √ᾱ_{k−1} x̂₀ + (1 − ᾱ_{k−1}) √(1−β_k) x_k)/(1 − ᾱ_k) + √(β_k (1 − ᾱ_{k−1})/(1 − ᾱ_k)) ξ,
//! without noise at k = 0.                                                                        \[HJA20, Eq. 7\]
//!
//! Cells that are known are set in what the network sees, in what it says, and after every step.      \[Diffuser\]

use crate::error::{Error, Result, require_count};
use crate::rng::Rng;
use crate::simulate::Noise;
use crate::tensor::{Tensor, TensorData, column, per_row};

/// Steps, at most.
const MAX_STEPS: usize = 1_000_000;

/// β, at most.
const LARGEST_BETA: f64 = 0.999;

/// Cells of states that are known.
#[derive(Clone, Debug)]
pub struct Pins {
    is_pinned: Vec<bool>,
    values: Tensor<2>,
}

impl Pins {
    /// Pins the cells of `is_pinned`, `[dim]`, at what `values`, `[batch, dim]`, hold there; elsewhere they count nothing.
    ///
    /// # Errors
    /// [`Error::Shape`] if the two differ in dimension.
    pub fn new(is_pinned: Vec<bool>, values: Tensor<2>) -> Result<Self> {
        let [_, dim] = values.dims();
        if is_pinned.len() == dim {
            return Ok(Self { is_pinned, values });
        }
        Err(Error::shape(
            "cells that are pinned",
            dim,
            is_pinned.len(),
            "give one mark for each cell of a state",
        ))
    }

    /// `x` with the pinned cells at their values.
    ///
    /// # Shapes
    /// `x: [batch, dim]`, finite, result the same.
    pub fn impose(&self, x: Tensor<2>) -> Tensor<2> {
        let (free, pinned) = (marks(&self.is_pinned, false, &x), marks(&self.is_pinned, true, &x));
        x * free + self.values.clone() * pinned
    }
}

/// One where a cell is pinned, or where it `is` not, and zero elsewhere, `[1, dim]`.
fn marks(is_pinned: &[bool], is: bool, like: &Tensor<2>) -> Tensor<2> {
    let values: Vec<f64> = is_pinned.iter().map(|pinned| f64::from(u8::from(*pinned == is))).collect();
    let shape = [1, values.len()];
    Tensor::from_data(TensorData::new(values, shape), (&like.device(), like.dtype()))
}

/// A diffusion in so many steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Ddpm {
    betas: Vec<f64>,
    alpha_bars: Vec<f64>,
}

/// x_{k−1} given x_k and the clean state: coefficients of the two, and a standard deviation.
struct Posterior {
    of_clean: f64,
    of_state: f64,
    std: f64,
}

impl Ddpm {
    /// The cosine schedule in `steps` steps.
    ///
    /// # Errors
    /// [`Error::Setting`] for no steps, or more than a million.
    pub fn cosine(steps: usize) -> Result<Self> {
        require_count("steps", steps, 1..=MAX_STEPS, "64 to 256 are usual for plans")?;
        let level = |k: usize| {
            let s = k as f64 / steps as f64;
            (std::f64::consts::FRAC_PI_2 * (s + 0.008) / 1.008).cos().powi(2)
        };
        let betas: Vec<f64> =
            (0..steps).map(|k| (1.0 - level(k + 1) / level(k)).clamp(0.0, LARGEST_BETA)).collect();
        let product = |bar: &mut f64, beta: &f64| {
            *bar *= 1.0 - beta;
            Some(*bar)
        };
        let alpha_bars = betas.iter().scan(1.0, product).collect();
        Ok(Self { betas, alpha_bars })
    }

    /// Number of steps T, and of calls of the network for a sample.
    pub fn steps(&self) -> usize {
        self.betas.len()
    }

    /// β_k, `[steps]`.
    pub fn betas(&self) -> &[f64] {
        &self.betas
    }

    /// ᾱ_k, `[steps]`: what is left of the variance of the clean state.
    pub fn alpha_bars(&self) -> &[f64] {
        &self.alpha_bars
    }

    fn posterior(&self, k: usize) -> Posterior {
        let (beta, bar) = (self.betas[k], self.alpha_bars[k]);
        let before = if k == 0 { 1.0 } else { self.alpha_bars[k - 1] };
        Posterior {
            of_clean: beta * before.sqrt() / (1.0 - bar),
            of_state: (1.0 - before) * (1.0 - beta).sqrt() / (1.0 - bar),
            std: (beta * (1.0 - before) / (1.0 - bar)).sqrt(),
        }
    }

    /// The mean squared error of the predicted clean state at a random step for each row, over the cells that are not
    /// pinned; those that are keep their clean values in what the network sees.
    ///
    /// `net` is called with steps k, `[batch]`, and states, `[batch, dim]`, and answers with clean states.
    ///
    /// # Shapes
    /// `clean: [batch, dim]`, `is_pinned: [dim]`, result `[1]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the two differ in dimension, or no cell is free.
    pub fn loss(
        &self,
        net: impl FnOnce(Tensor<1>, Tensor<2>) -> Tensor<2>,
        clean: Tensor<2>,
        is_pinned: &[bool],
        rng: &mut Rng,
    ) -> Result<Tensor<1>> {
        let [batch, _] = clean.dims();
        let pins = Pins::new(is_pinned.to_vec(), clean.clone())?;
        let free = is_pinned.iter().filter(|pinned| !**pinned).count();
        if free == 0 {
            return Err(Error::shape(
                "cells that are not pinned",
                "some",
                0,
                "leave a cell free to be learned",
            ));
        }
        let chosen = rng.indices(batch, self.steps());
        let per_row = |of: &dyn Fn(usize) -> f64| {
            let values: Vec<f64> = chosen.iter().map(|k| of(*k)).collect();
            Tensor::<1>::from_data(TensorData::new(values, [batch]), (&clean.device(), clean.dtype()))
        };
        let signal = column(per_row(&|k| self.alpha_bars[k].sqrt()));
        let noise = column(per_row(&|k| (1.0 - self.alpha_bars[k]).sqrt()));
        let x = pins.impose(clean.clone() * signal + rng.normal_like(&clean) * noise);
        let error = (net(per_row(&|k| k as f64), x) - clean.clone()) * marks(is_pinned, false, &clean);
        Ok(error.powi_scalar(2).sum() / (batch * free) as f64)
    }

    /// Carries `start`, standard normal noise, to a sample. `net` is as in [`loss`](Self::loss); what it says is cut
    /// to [−1, 1].
    ///
    /// # Shapes
    /// `start: [batch, dim]`, result the same.
    pub fn sample(
        &self,
        net: impl Fn(Tensor<1>, Tensor<2>) -> Tensor<2>,
        start: Tensor<2>,
        pins: Option<&Pins>,
        noise: &mut dyn Noise,
    ) -> Tensor<2> {
        let impose = |x: Tensor<2>| pins.map_or_else(|| x.clone(), |pins| pins.impose(x.clone()));
        let mut x = impose(start);
        for k in (0..self.steps()).rev() {
            let Posterior { of_clean, of_state, std } = self.posterior(k);
            let clean = impose(net(per_row(k as f64, &x), x.clone()).clamp(-1.0, 1.0));
            let mean = clean * of_clean + x * of_state;
            x = impose(if k == 0 { mean } else { mean.clone() + noise.draw(&mean) * std });
        }
        x
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ops::Range;

    use super::*;
    use crate::fit::{FitSettings, Trainer};
    use crate::net::{Mlp, MlpSettings};
    use crate::objective::Objective;
    use crate::tensor::{Device, from_rows, head, to_vec, to_vec_f64};

    #[test]
    fn schedule_is_the_cosine() {
        for steps in [16, 64, 256] {
            let ddpm = Ddpm::cosine(steps).unwrap();
            // By the half-angle formula, at points k/T of T + 1.
            let level = |k: usize| {
                0.5 + 0.5 * ((k as f64 / steps as f64 + 0.008) / 1.008 * std::f64::consts::PI).cos()
            };
            for k in [0, 1, steps / 2, steps - 2] {
                let (bar, beta) = (level(k + 1) / level(0), (level(k) - level(k + 1)) / level(k));
                assert!((ddpm.alpha_bars()[k] - bar).abs() < 1e-12, "{k} of {steps}");
                assert!((ddpm.betas()[k] - beta).abs() < 1e-9, "{k} of {steps}");
            }
            assert_eq!(ddpm.betas()[steps - 1], 0.999, "the last is cut");
        }
        assert!(Ddpm::cosine(0).is_err());
    }

    #[test]
    fn posterior_is_a_product_of_gaussians() {
        let ddpm = Ddpm::cosine(64).unwrap();
        for k in [1, 7, 40, 62] {
            let (beta, before) = (ddpm.betas()[k], ddpm.alpha_bars()[k - 1]);
            // x_{k−1} given x₀, and x_k given x_{k−1}, seen as functions of x_{k−1}.
            let precision = 1.0 / (1.0 - before) + (1.0 - beta) / beta;
            let found = ddpm.posterior(k);
            let expected = [
                before.sqrt() / (1.0 - before) / precision,
                (1.0 - beta).sqrt() / beta / precision,
                precision.powf(-0.5),
            ];
            for (found, expected) in [found.of_clean, found.of_state, found.std].into_iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 1e-9, "step {k}: {found} and {expected}");
            }
        }
        let last = ddpm.posterior(0);
        assert!((last.of_clean - 1.0).abs() < 1e-12 && last.of_state == 0.0 && last.std == 0.0);
    }

    const MEAN: f64 = 0.2;
    const VAR: f64 = 0.01;

    /// Slope and intercept of E[x₀ | x_k] for clean states from N(MEAN, VAR).
    fn best_prediction(bar: f64) -> [f64; 2] {
        let slope = VAR * bar.sqrt() / (VAR * bar + 1.0 - bar);
        [slope, MEAN - slope * bar.sqrt() * MEAN]
    }

    /// Mean and variance of what the chain makes of standard normal noise.
    fn exact_moments(ddpm: &Ddpm) -> [f64; 2] {
        (0..ddpm.steps()).rev().fold([0.0, 1.0], |[mean, var], k| {
            let before = if k == 0 { 1.0 } else { ddpm.alpha_bars()[k - 1] };
            let beta = ddpm.betas()[k];
            let precision = 1.0 / (1.0 - before) + (1.0 - beta) / beta;
            let [slope, intercept] = best_prediction(ddpm.alpha_bars()[k]);
            if k == 0 {
                return [slope * mean + intercept, slope * slope * var];
            }
            let of_clean = before.sqrt() / (1.0 - before) / precision;
            let factor = of_clean * slope + (1.0 - beta).sqrt() / beta / precision;
            [factor * mean + of_clean * intercept, factor * factor * var + 1.0 / precision]
        })
    }

    #[test]
    fn best_predictor_of_a_gaussian_gives_the_moments_of_the_chain_which_near_those_of_the_law() {
        let (device, count) = (Device::flex(), 20_000);
        let missing = [16, 64, 256].map(|steps| {
            let ddpm = Ddpm::cosine(steps).unwrap();
            let coefficients: Vec<[f64; 2]> =
                ddpm.alpha_bars().iter().map(|bar| best_prediction(*bar)).collect();
            let net = |t: Tensor<1>, x: Tensor<2>| {
                let [slope, intercept] = coefficients[to_vec(t)[0] as usize];
                x * slope + intercept
            };
            let mut rng = Rng::new(steps as u64);
            let start = rng.normal([count, 1], &device);
            let values = to_vec_f64(ddpm.sample(net, start, None, &mut rng));
            let n = count as f64;
            let mean = values.iter().sum::<f64>() / n;
            let var = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let [exact_mean, exact_var] = exact_moments(&ddpm);
            // 4.5 standard errors: √(v/n) and v √(2/n). The cut at 1 is eight standard deviations away.
            assert!((mean - exact_mean).abs() < 4.5 * (exact_var / n).sqrt(), "{steps} steps: mean {mean}");
            assert!((var / exact_var - 1.0).abs() < 4.5 * (2.0 / n).sqrt(), "{steps} steps: variance {var}");
            assert!((exact_mean - MEAN).abs() < 1e-6);
            1.0 - exact_var / VAR
        });
        // The posterior knows the clean state, the chain only its mean: a share of the variance is missing that falls
        // about as one over the number of steps.
        assert!(
            missing[0] < 0.7 && missing[1] < 0.5 * missing[0] && missing[2] < 0.45 * missing[1],
            "{missing:?}"
        );
    }

    #[test]
    fn pinned_cells_are_exact_wherever_they_are_seen() {
        let (device, mut rng) = (Device::flex(), Rng::new(7));
        let ddpm = Ddpm::cosine(16).unwrap();
        // One value beyond what predictions are cut to.
        let values = from_rows(&[0.1, 0.0, 1.7, 0.0, -0.3, 0.0, 0.7, 0.0], 4, &device);
        let pins = Pins::new(vec![true, false, true, false], values).unwrap();
        let pinned = |x: &Tensor<2>| {
            let x = to_vec(x.clone());
            [x[0], x[2], x[4], x[6]]
        };
        let net = |_: Tensor<1>, x: Tensor<2>| {
            assert_eq!(pinned(&x), [0.1, 1.7, -0.3, 0.7]);
            x * 0.0 + 5.0
        };
        let start = rng.normal([2, 4], &device);
        let sample = ddpm.sample(net, start.clone(), Some(&pins), &mut rng);
        assert_eq!(pinned(&sample), [0.1, 1.7, -0.3, 0.7]);
        // The others end at the last prediction, cut.
        let free = to_vec(sample);
        assert!([1, 3, 5, 7].iter().all(|i| free[*i] == 1.0), "{free:?}");
        let again = |seed| ddpm.sample(|_, x| x, start.clone(), Some(&pins), &mut Rng::new(seed)).to_data();
        assert_eq!(again(1), again(1));
        assert_ne!(again(1), again(2));
    }

    #[test]
    fn loss_counts_free_cells_alone() {
        let (device, mut rng) = (Device::flex(), Rng::new(8));
        let ddpm = Ddpm::cosine(16).unwrap();
        let clean = rng.normal([64, 3], &device) * 0.1;
        let pinned = [false, true, false];
        let loss = |net: &dyn Fn(Tensor<1>, Tensor<2>) -> Tensor<2>| {
            let loss = ddpm.loss(net, clean.clone(), &pinned, &mut Rng::new(9)).unwrap();
            f64::from(loss.into_scalar::<f32>())
        };
        let truth = clean.clone();
        assert_eq!(loss(&|_, _| truth.clone()), 0.0);
        // Off by one half everywhere, and by more where it is pinned.
        let off = from_rows(&[0.5, 9.0, -0.5], 3, &device);
        assert!((loss(&|_, _| truth.clone() + off.clone()) - 0.25).abs() < 1e-6);
        // Pinned cells are seen clean, and steps are whole numbers below T.
        loss(&|t, x| {
            assert_eq!(to_vec(x.clone().narrow(1, 1, 1)), to_vec(truth.clone().narrow(1, 1, 1)));
            assert!(to_vec(t).iter().all(|k| k.fract() == 0.0 && (0.0..16.0).contains(k)));
            x
        });
        assert!(ddpm.loss(|_, x| x, clean.clone(), &[true], &mut rng).is_err());
        assert!(ddpm.loss(|_, x| x, clean.clone(), &[true; 3], &mut rng).is_err());
    }

    /// The loss on rows that are (a, −a).
    struct Opposites {
        ddpm: Ddpm,
        rows: Tensor<2>,
    }

    impl Objective for Opposites {
        type Model = Mlp;

        fn loss(&self, model: &Mlp, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
            let clean = head(&self.rows, rows.len()).autodiff();
            self.ddpm.loss(|t, x| model.forward(t / 16.0, x), clean, &[true, false], rng).unwrap()
        }

        fn held_out_loss(&self, _model: &Mlp, _rng: &mut Rng) -> Option<f64> {
            None
        }
    }

    #[test]
    fn a_free_cell_is_learned_from_a_pinned_one() {
        let (device, mut rng) = (Device::flex(), Rng::new(10));
        let a = (rng.normal([256, 1], &device) * 0.3).clamp(-1.0, 1.0);
        let rows = Tensor::cat(vec![a.clone(), -a.clone()], 1);
        let mut objective = Opposites { ddpm: Ddpm::cosine(16).unwrap(), rows };
        let net = Mlp::new(2, &MlpSettings { width: 32, layers: 2 }, &mut rng, &device);
        let fit = FitSettings {
            steps: 400,
            batch_size: 256,
            learning_rate: 1e-2,
            weight_decay: 0.0,
            clip_norm: 1.0,
            ema_decay: 0.0,
            patience: 0,
        };
        let mut trainer = Trainer::new(net, fit, rng.fork("training")).unwrap();
        (0..400).for_each(|_| drop(trainer.step(&mut objective)));
        let net = trainer.finished();
        let spread = |x: Tensor<2>| f64::from(x.powi_scalar(2).mean().into_scalar::<f32>()).sqrt();
        let sampled = |values: Tensor<2>| {
            let pins = Pins::new(vec![true, false], values).unwrap();
            let start = Rng::new(11).normal([256, 2], &device);
            let net = |t: Tensor<1>, x: Tensor<2>| net.forward(t / 16.0, x);
            objective.ddpm.sample(net, start, Some(&pins), &mut Rng::new(12)).narrow(1, 1, 1)
        };
        // A tenth of the spread of the data is left; pinned at zero, the free cell is zero.
        assert!(spread(sampled(a.clone().repeat_dim(1, 2)) + a.clone()) < 0.03);
        assert!(spread(sampled(Tensor::zeros([256, 2], &device))) < 0.03);
        // The control: pinned at other rows' values, they answer those.
        let others = sampled(a.clone().flip([0]).repeat_dim(1, 2));
        assert!(spread(others + a) > 0.2);
    }
}
