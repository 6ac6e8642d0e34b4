//! Fitting the potential: stochastic gradient steps on E₀ ln c(x) − E₁ ln v(y), with gradients written out.
//!
//! With responsibilities ω of c and γ of v, u = Lᵀx, w = L⁻¹(y − r):
//!
//! ∂/∂ln a = E₀ω − E₁γ,   ∂/∂r = (E₀ωx − E₁γL⁻ᵀw)/ε,   ∂/∂L = tril(E₀ω x uᵀ − E₁γ L⁻ᵀw wᵀ)/ε + E₁γ diag(1/L)

use std::ops::ControlFlow;

use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Mat, Par};
use rayon::prelude::*;
use sbridge_ot::matrix::times;
use serde::{Deserialize, Serialize};

use super::potential::{Component, LightPotential, softmax};
use crate::error::{Error, MAX_STEPS, Result, require_count, require_positive};
use crate::fit::MAX_BATCH_SIZE;
use crate::reference::{Brownian, GaussianReference as _};
use crate::rng::Rng;

/// How the potential is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LightSbSettings {
    /// Number K of Gaussians. Default 10; 1 to 500.
    pub components: usize,
    /// Gradient steps. Default 4000.
    pub steps: usize,
    /// Samples of each law in a step. Default 256.
    pub batch_size: usize,
    /// Learning rate up to 16 dimensions, and less with the root of their number beyond, as more entries of a factor move
    /// at once; over the last half of the steps, whose mean is what is kept, it falls to less than a third. Default 1e-2.
    pub learning_rate: f64,
}

impl Default for LightSbSettings {
    fn default() -> Self {
        Self { components: 10, steps: 4000, batch_size: 256, learning_rate: 1e-2 }
    }
}

impl LightSbSettings {
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn check(&self) -> Result<()> {
        for (name, value, most, usual) in [
            ("components", self.components, 500, "10 is a good start"),
            ("steps", self.steps, MAX_STEPS, "4000 is usual"),
            ("batch_size", self.batch_size, MAX_BATCH_SIZE, "256 is usual"),
        ] {
            require_count(name, value, 1..=most, usual)?;
        }
        require_positive("learning_rate", self.learning_rate, "1e-3 to 1e-2 is usual")
    }

    fn learning_rate_at(&self, step: usize, dim: usize) -> f64 {
        let left = 1.0 - step as f64 / self.steps as f64;
        self.learning_rate * (16.0 / dim as f64).sqrt().min(1.0) * (2.0 * left).clamp(MIN_RATE, 1.0)
    }

    /// Whether the mean is taken over what comes after this step.
    fn is_averaged(&self, step: usize) -> bool {
        2 * step + 1 >= self.steps
    }
}

/// Share of the learning rate that is left at the end: enough for steps whose errors are independent, so that their mean
/// errs by little.
const MIN_RATE: f64 = 0.3;

/// Where batches of points come from, in f64.
pub trait PointSource: Sync {
    /// Dimension of a point.
    fn dim(&self) -> usize;

    /// `count` independent points, `[dim, count]`, one in a column.
    fn draw(&self, count: usize, rng: &mut Rng) -> Mat<f64>;
}

/// Fits a potential for `epsilon` from `source` to `target`, both about centred and of about unit variance;
/// `on_step(step, loss)` is called after every step, counted from 1, and may stop the fit. What is kept is the mean over
/// the last half of the steps.   \[PJ92\]
///
/// # Errors
/// [`Error::Setting`] for settings out of range, [`Error::Shape`] for laws of different dimension,
/// [`Error::Diverged`] if the loss is no longer finite, [`Error::Interrupted`] if `on_step` stops it.
pub fn fit(
    source: &dyn PointSource,
    target: &dyn PointSource,
    epsilon: f64,
    settings: &LightSbSettings,
    rng: &Rng,
    on_step: &mut dyn FnMut(usize, f64) -> ControlFlow<()>,
) -> Result<LightPotential> {
    settings.check()?;
    let reference = Brownian::with_epsilon(epsilon)?;
    if source.dim() != target.dim() {
        let fix = "source and target must live in the same space";
        return Err(Error::shape("dimension of the target", source.dim(), target.dim(), fix));
    }
    let mut potential = initial(source, target, reference, settings.components, &mut rng.fork("centres"));
    let mut adam = vec![Moments::default(); settings.components];
    let mut batches = rng.fork("batches");
    let mut mean = Mean::default();
    for step in 0..settings.steps {
        let x = source.draw(settings.batch_size, &mut batches);
        let y = target.draw(settings.batch_size, &mut batches);
        let (loss, gradients) = potential.gradient(&x, &y);
        if !loss.is_finite() {
            return Err(Error::Diverged(format!("step {} of the potential: loss {loss}", step + 1)));
        }
        let rate = settings.learning_rate_at(step, source.dim());
        let updates = potential.components.par_iter_mut().zip(&mut adam).zip(gradients);
        updates.for_each(|((component, moments), gradient)| moments.step(component, &gradient, rate));
        if settings.is_averaged(step) {
            mean.add(&potential.components);
        }
        if on_step(step + 1, loss).is_break() {
            return Err(Error::Interrupted);
        }
    }
    Ok(LightPotential::new(reference, mean.components))
}

/// Equal weights, centres at the means of groups of the target, and all S_k equal to what joins the source to a Gaussian of
/// a group's variance: S² s + ε S = g, for mean variances s of the source and g of a group along a coordinate.
fn initial(
    source: &dyn PointSource,
    target: &dyn PointSource,
    reference: Brownian,
    count: usize,
    rng: &mut Rng,
) -> LightPotential {
    let samples = target.draw(KMEANS_SAMPLES.max(count), rng);
    let mut centres: Vec<Vec<f64>> = kmeans_plus_plus(&samples, count, rng)
        .into_iter()
        .map(|k| samples.col(k).iter().copied().collect())
        .collect();
    for _ in 0..LLOYD_STEPS {
        centres = lloyd_step(&samples, centres);
    }
    let drawn = source.draw(KMEANS_SAMPLES, rng);
    let centre = lloyd_step(&drawn, vec![vec![0.0; source.dim()]]);
    let [s, g] =
        [variance_about(&drawn, &centre), variance_about(&samples, &centres)].map(|v| v.max(MIN_VARIANCE));
    let epsilon = reference.epsilon();
    // The root in the form that does not cancel where ε is large.
    let variance = 2.0 * g / (epsilon + (epsilon * epsilon + 4.0 * s * g).sqrt());
    let dim = target.dim();
    let component = |centre| Component {
        ln_weight: -(count as f64).ln(),
        centre,
        factor: Mat::from_fn(dim, dim, |i, j| if i == j { variance.sqrt() } else { 0.0 }),
    };
    LightPotential::new(reference, centres.into_iter().map(component).collect())
}

/// Variance of a group or of the source at least, in units of the data's: as many components as distinct samples leave none.
const MIN_VARIANCE: f64 = 1e-2;

/// Mean squared distance along a coordinate from the nearest of `centres`.
fn variance_about(samples: &Mat<f64>, centres: &[Vec<f64>]) -> f64 {
    let nearest = |sample: faer::ColRef<'_, f64>| {
        let distances = centres.iter().map(|centre| squared_distance(sample.iter().copied(), centre));
        distances.fold(f64::MAX, f64::min)
    };
    samples.col_iter().map(nearest).sum::<f64>() / (samples.ncols() * samples.nrows()) as f64
}

/// Samples that k-means starts the centres from, and its iterations.
const KMEANS_SAMPLES: usize = 2000;
const LLOYD_STEPS: usize = 10;

fn squared_distance(a: impl Iterator<Item = f64>, b: &[f64]) -> f64 {
    a.zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// `count` columns of `samples`: the first at random, each further one with a chance that goes with its squared distance
/// from those chosen, so that a mode is rarely missed.                                             \[AV07\]
fn kmeans_plus_plus(samples: &Mat<f64>, count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut nearest = vec![1.0; samples.ncols()];
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count {
        let mut left = rng.uniform(1, 0.0, nearest.iter().sum())[0];
        let next = nearest.iter().position(|square| {
            left -= square;
            left < 0.0
        });
        // Rounding may leave a little, and fewer distinct samples than components nothing to choose from.
        let next = next.unwrap_or(chosen.len());
        let centre: Vec<f64> = samples.col(next).iter().copied().collect();
        for (i, square) in nearest.iter_mut().enumerate() {
            let distance = squared_distance(samples.col(i).iter().copied(), &centre);
            *square = if chosen.is_empty() { distance } else { square.min(distance) };
        }
        chosen.push(next);
    }
    chosen
}

/// The mean of the samples that are nearest to each centre; a centre without any stays.               \[Llo82\]
fn lloyd_step(samples: &Mat<f64>, centres: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let (mut sums, mut counts) =
        (vec![vec![0.0; samples.nrows()]; centres.len()], vec![0usize; centres.len()]);
    for sample in samples.col_iter() {
        let distance = |k: &usize| squared_distance(sample.iter().copied(), &centres[*k]);
        let nearest = (0..centres.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let nearest = nearest.expect("at least one component");
        sums[nearest].iter_mut().zip(sample.iter()).for_each(|(sum, x)| *sum += x);
        counts[nearest] += 1;
    }
    let mean = |((centre, sum), count): ((Vec<f64>, Vec<f64>), usize)| match count {
        0 => centre,
        count => sum.into_iter().map(|x| x / count as f64).collect(),
    };
    centres.into_iter().zip(sums).zip(counts).map(mean).collect()
}

/// The gradient of one component.
pub(super) struct Gradient {
    pub(super) ln_weight: f64,
    pub(super) centre: Vec<f64>,
    /// Lower triangular.
    pub(super) factor: Mat<f64>,
}

/// What one component makes of a batch.
struct BatchTerms {
    /// Lᵀx, `[dim, batch]`.
    u: Mat<f64>,
    /// L⁻¹(y − r), `[dim, batch]`.
    w: Mat<f64>,
    /// Its terms of ln c and ln v, up to constants that all components share.
    terms: [Vec<f64>; 2],
}

impl LightPotential {
    fn batch_terms(&self, c: &Component, x: &Mat<f64>, y: &Mat<f64>) -> BatchTerms {
        let (dim, epsilon) = (self.dim(), self.epsilon());
        let u = times(c.factor.transpose(), x.as_ref());
        let mut w = Mat::from_fn(dim, y.ncols(), |j, i| y[(j, i)] - c.centre[j]);
        solve_lower_triangular_in_place(c.factor.as_ref(), w.as_mut(), Par::Seq);
        let log_det: f64 = (0..dim).map(|j| c.factor[(j, j)].ln()).sum();
        let of_source = |i: usize| {
            let inner: f64 = (0..dim).map(|j| c.centre[j] * x[(j, i)]).sum();
            c.ln_weight + (0.5 * u.col(i).squared_norm_l2() + inner) / epsilon
        };
        let of_target = |i: usize| c.ln_weight - 0.5 * w.col(i).squared_norm_l2() / epsilon - log_det;
        let terms = [(0..x.ncols()).map(of_source).collect(), (0..y.ncols()).map(of_target).collect()];
        BatchTerms { u, w, terms }
    }

    /// E₀ ln c(x) − E₁ ln v(y) on a batch, `[dim, batch]` each, and its gradient.
    pub(super) fn gradient(&self, x: &Mat<f64>, y: &Mat<f64>) -> (f64, Vec<Gradient>) {
        let terms: Vec<BatchTerms> = self.components.par_iter().map(|c| self.batch_terms(c, x, y)).collect();
        let (ln_c, omega) = mean_and_weights(&terms, 0);
        let (ln_v, gamma) = mean_and_weights(&terms, 1);
        let normalisation = 0.5 * self.dim() as f64 * (std::f64::consts::TAU * self.epsilon()).ln();
        let of =
            |(k, terms): (usize, BatchTerms)| self.component_gradient(k, terms, (x, &omega[k]), &gamma[k]);
        let gradients = terms.into_par_iter().enumerate().map(of).collect();
        (ln_c - ln_v + normalisation, gradients)
    }

    fn component_gradient(
        &self,
        k: usize,
        terms: BatchTerms,
        (x, omega): (&Mat<f64>, &[f64]),
        gamma: &[f64],
    ) -> Gradient {
        let (factor, dim) = (&self.components[k].factor, self.dim());
        let (of_source, of_target) = (non_negligible(omega), non_negligible(gamma));
        let columns = |m: &Mat<f64>, of: &[usize]| Mat::from_fn(dim, of.len(), |j, i| m[(j, of[i])]);
        let (u, w) = (columns(&terms.u, &of_source), columns(&terms.w, &of_target));
        // L⁻ᵀw.
        let mut p = w.clone();
        solve_upper_triangular_in_place(factor.transpose(), p.as_mut(), Par::Seq);
        let x = Mat::from_fn(dim, of_source.len(), |j, i| x[(j, of_source[i])] * omega[of_source[i]]);
        let p = Mat::from_fn(dim, of_target.len(), |j, i| p[(j, i)] * gamma[of_target[i]]);
        let inverse = 1.0 / self.epsilon();
        let [total_omega, total_gamma] = [omega, gamma].map(|weights| weights.iter().sum::<f64>());
        let of_row = |m: &Mat<f64>, j: usize| m.row(j).iter().sum::<f64>();
        let centre = (0..dim).map(|j| inverse * (of_row(&x, j) - of_row(&p, j))).collect();
        let outer =
            (times(x.as_ref(), u.transpose()) - times(p.as_ref(), w.transpose())) * faer::Scale(inverse);
        let triangle = |i: usize, j: usize| match i.cmp(&j) {
            std::cmp::Ordering::Less => 0.0,
            std::cmp::Ordering::Equal => outer[(i, i)] + total_gamma / factor[(i, i)],
            std::cmp::Ordering::Greater => outer[(i, j)],
        };
        Gradient { ln_weight: total_omega - total_gamma, centre, factor: Mat::from_fn(dim, dim, triangle) }
    }
}

/// Which weights are more than rounding beside the others: most points belong to one component.
fn non_negligible(weights: &[f64]) -> Vec<usize> {
    let least = f64::EPSILON / weights.len() as f64;
    (0..weights.len()).filter(|i| weights[*i] > least).collect()
}

/// The mean of LSE over components, and each component's softmax weights over the batch, `[K][batch]`, divided by
/// the size of the batch.
fn mean_and_weights(batch: &[BatchTerms], end: usize) -> (f64, Vec<Vec<f64>>) {
    let count = batch[0].terms[end].len();
    let mut weights = vec![vec![0.0; count]; batch.len()];
    let mut total = 0.0;
    for i in 0..count {
        let terms: Vec<f64> = batch.iter().map(|component| component.terms[end][i]).collect();
        let shares = softmax(&terms);
        // LSE = term − ln share, read off the largest.
        let (best, share) = terms.iter().zip(&shares).max_by(|a, b| a.1.total_cmp(b.1)).expect("a component");
        total += best - share.ln();
        shares.iter().zip(&mut weights).for_each(|(share, row)| row[i] = share / count as f64);
    }
    (total / count as f64, weights)
}

/// The mean of components over steps.
#[derive(Default)]
struct Mean {
    count: f64,
    components: Vec<Component>,
}

impl Mean {
    fn add(&mut self, components: &[Component]) {
        self.count += 1.0;
        if self.components.is_empty() {
            self.components = components.to_vec();
        }
        let share = 1.0 / self.count;
        for (mean, new) in self.components.iter_mut().zip(components) {
            mean.ln_weight += share * (new.ln_weight - mean.ln_weight);
            mean.centre.iter_mut().zip(&new.centre).for_each(|(mean, new)| *mean += share * (new - *mean));
            mean.factor = &mean.factor + (&new.factor - &mean.factor) * faer::Scale(share);
        }
    }
}

/// Adam's moments of one component, flat. The diagonal of L moves on a logarithmic scale, so that it stays positive.
#[derive(Clone, Debug, Default)]
struct Moments {
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Moments {
    fn step(&mut self, c: &mut Component, gradient: &Gradient, rate: f64) {
        let dim = c.centre.len();
        let triangle = || (0..dim).flat_map(|i| (0..=i).map(move |j| (i, j)));
        let mut flat = vec![gradient.ln_weight];
        flat.extend(&gradient.centre);
        flat.extend(triangle().map(|(i, j)| {
            let slope = gradient.factor[(i, j)];
            if i == j { slope * c.factor[(i, i)] } else { slope }
        }));
        let mut moves = self.moves(&flat, rate).into_iter();
        let mut next = || moves.next().expect("a move for every parameter");
        c.ln_weight -= next();
        c.centre.iter_mut().for_each(|r| *r -= next());
        for (i, j) in triangle() {
            if i == j {
                c.factor[(i, i)] *= (-next()).exp();
            } else {
                c.factor[(i, j)] -= next();
            }
        }
    }

    /// Adam's step for a gradient.                                                               [KB15, Alg. 1]
    fn moves(&mut self, gradient: &[f64], rate: f64) -> Vec<f64> {
        const DECAY: [f64; 2] = [0.9, 0.999];
        self.first.resize(gradient.len(), 0.0);
        self.second.resize(gradient.len(), 0.0);
        self.steps += 1;
        let corrections = DECAY.map(|decay| 1.0 - decay.powi(self.steps));
        let moments = self.first.iter_mut().zip(&mut self.second).zip(gradient);
        moments
            .map(|((first, second), g)| {
                *first += (1.0 - DECAY[0]) * (g - *first);
                *second += (1.0 - DECAY[1]) * (g * g - *second);
                rate * (*first / corrections[0]) / ((*second / corrections[1]).sqrt() + 1e-8)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn batch(dim: usize, count: usize, seed: u64) -> Mat<f64> {
        let values = Rng::new(seed).uniform(dim * count, -1.5, 1.5);
        Mat::from_fn(dim, count, |i, j| values[j * dim + i])
    }

    fn potential() -> LightPotential {
        let factors = [[[0.6, 0.0], [0.2, 0.4]], [[0.3, 0.0], [-0.5, 0.9]]];
        let component = |(k, rows): (usize, &[[f64; 2]; 2])| Component {
            ln_weight: -0.3 * k as f64,
            centre: vec![0.4 - k as f64, 0.2],
            factor: Mat::from_fn(2, 2, |i, j| rows[i][j]),
        };
        LightPotential::new(
            Brownian::with_epsilon(0.7).unwrap(),
            factors.iter().enumerate().map(component).collect(),
        )
    }

    #[test]
    fn gradients_are_differences_of_the_loss() {
        let (x, y) = (batch(2, 7, 1), batch(2, 9, 2));
        let (_, gradients) = potential().gradient(&x, &y);
        let h = 1e-5;
        let slope = |change: &dyn Fn(&mut Component, f64), k: usize| {
            let at = |h: f64| {
                let mut moved = potential();
                change(&mut moved.components[k], h);
                moved.gradient(&x, &y).0
            };
            (at(h) - at(-h)) / (2.0 * h)
        };
        // Central differences: h² times third derivatives of order ten, and rounding over h.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-7, "{a} {b}");
        for (k, gradient) in gradients.iter().enumerate() {
            close(gradient.ln_weight, slope(&|c, h| c.ln_weight += h, k));
            for i in 0..2 {
                close(gradient.centre[i], slope(&|c, h| c.centre[i] += h, k));
                for j in 0..=i {
                    close(gradient.factor[(i, j)], slope(&|c, h| c.factor[(i, j)] += h, k));
                }
            }
            assert_eq!(gradient.factor[(0, 1)], 0.0);
        }
    }
}
