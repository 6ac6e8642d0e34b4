//! Variational inference by a Gaussian: the q = N(m, S) of the largest ELBO E_q[ln ρ − ln q].
//!
//! At the optimum E_q ∇ln ρ = 0 and S⁻¹ = −E_q ∇²ln ρ. Hessians are not needed: in z = L⁻¹(x − m) by Stein's lemma
//! −E ∇²ln ρ = A := −E[(Lᵀ∇ln ρ) zᵀ], and a natural-gradient step of size r is                                      \[KR21\]
//!
//! P = (1 − r) I + r A,   m ← m + r L P⁻¹ E[Lᵀ∇ln ρ],   S ← L P⁻¹ Lᵀ.
//!
//! Noise comes in pairs ±z whose second moments are made exactly I, so that A and the step are exact where ln ρ is quadratic.
//! First the same noise is used again and steps are halved until the ELBO rises; then it is fresh, and r falls as 1/k, which
//! averages.
//!
//! Tests: an exact Gaussian; regression beside Laplace; a posterior whose mode says nothing.

use faer::{Mat, MatRef, Side};

use super::gaussian::{columns, log_standard};
use super::{Baseline, Drawn, Gaussian, LaplaceFit};
use crate::density::{LogDensity, normals};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Variational inference by a Gaussian of full covariance, and importance sampling from it.
#[derive(Clone, Copy, Debug)]
pub struct GaussVi {
    /// Draws.
    pub draws: usize,
    /// Steps on the same noise, at most.
    pub climbing: usize,
    /// Steps on fresh noise.
    pub averaging: usize,
}

impl Default for GaussVi {
    fn default() -> Self {
        Self { draws: 40_000, climbing: 200, averaging: 60 }
    }
}

/// The Gaussian of the largest ELBO.
pub struct GaussViFit {
    /// Mean and covariance.
    pub law: Gaussian,
    /// States that the gradient was evaluated at.
    pub gradients: usize,
    /// What to know before using it.
    pub remarks: Vec<String>,
}

/// Pairs of noise a step, in units of the dimension, and at least.
const PAIRS: usize = 4;
const LEAST_PAIRS: usize = 128;

/// Largest factor of a precision in a step.
const STRETCH: f64 = 4.0;

/// Largest step of the mean on fresh noise, in standard deviations of every direction.
const STRIDE: f64 = 1.0;

/// Halvings of a step before it counts as done, and of the covariance before a density counts as not finite.
const HALVINGS: usize = 30;

/// Gain of the ELBO, in nats, below which climbing has come to its end.
const CLOSE: f64 = 1e-4;

/// Rise of the ELBO over the second half of averaging, in nats, that is not noise.
const RISEN: f64 = 0.1;

/// Draws that the start is chosen by, and that the ELBO is the mean of.
const JUDGED: usize = 4096;

/// What a batch of noise says of a law.
struct Slope {
    /// E[ln ρ − ln q].
    elbo: f64,
    /// E[Lᵀ∇ln ρ], `[dim]`.
    mean: Vec<f64>,
    /// A, `[dim, dim]`.
    curvature: Mat<f64>,
}

impl Slope {
    /// Of `law`; nothing if ln ρ is not finite at some state.
    fn of(density: &dyn LogDensity, law: &Gaussian, z: &[f64]) -> Result<Option<Self>> {
        let (dim, count) = (law.dim(), z.len() / law.dim());
        let (values, gradients) = density.values_and_gradients(&law.at(z))?;
        if !values.iter().chain(&gradients).all(|value| value.is_finite()) {
            return Ok(None);
        }
        let pulled = law.pulled(&gradients);
        let slopes = columns(&pulled, dim);
        let product = slopes * columns(z, dim).transpose();
        let share = -0.5 / count as f64;
        let curvature = Mat::from_fn(dim, dim, |i, j| share * (product[(i, j)] + product[(j, i)]));
        let mean = (0..dim).map(|i| slopes.row(i).sum() / count as f64).collect();
        let entropy = law.log_det() - z.chunks_exact(dim).map(log_standard).sum::<f64>() / count as f64;
        Ok(Some(Self { elbo: values.iter().sum::<f64>() / count as f64 + entropy, mean, curvature }))
    }

    /// A step of size `r` from `law`, each direction's stride at most `stride`; nothing if no factor is left to rounding.
    fn stepped(&self, law: &Gaussian, r: f64, stride: f64) -> Option<Gaussian> {
        let dim = law.dim();
        let eigen = self.curvature.self_adjoint_eigen(Side::Lower).ok()?;
        let (directions, bent) = (eigen.U(), eigen.S().column_vector());
        let precision = |k: usize| (1.0 - r + r * bent[k]).clamp(1.0 / STRETCH, STRETCH);
        let along = |k: usize| (0..dim).map(|i| directions[(i, k)] * self.mean[i]).sum::<f64>();
        let strides: Vec<f64> =
            (0..dim).map(|k| (r * along(k) / precision(k)).clamp(-stride, stride)).collect();
        let moved: Vec<f64> =
            (0..dim).map(|i| (0..dim).map(|k| directions[(i, k)] * strides[k]).sum()).collect();
        let scaled = Mat::from_fn(dim, dim, |i, k| directions[(i, k)] / precision(k).sqrt());
        let covariance = &scaled * scaled.transpose();
        let factor = &law.factor * covariance.llt(Side::Lower).ok()?.L();
        Some(Gaussian { mean: law.at(&moved), factor })
    }
}

/// Pairs ±z, `[2 pairs, dim]`, whose second moments are I exactly.
fn balanced(pairs: usize, dim: usize, rng: &mut Rng) -> Vec<f64> {
    let noise = normals(pairs * dim, rng);
    let z = columns(&noise, dim);
    let moments = z * z.transpose() * faer::Scale(1.0 / pairs as f64);
    let law = |factor: MatRef<'_, f64>| Gaussian { mean: vec![0.0; dim], factor: factor.to_owned() };
    // More pairs than dimensions have moments of full rank.
    let mut z = moments.llt(Side::Lower).map_or(noise.clone(), |factor| law(factor.L()).whitened(&noise));
    z.extend(z.clone().iter().map(|z| -z));
    z
}

/// A fit on its way.
struct Fitting<'a> {
    density: &'a dyn LogDensity,
    law: Gaussian,
    pairs: usize,
    gradients: usize,
}

impl Fitting<'_> {
    fn slope(&mut self, law: &Gaussian, z: &[f64]) -> Result<Option<Slope>> {
        self.gradients += z.len() / law.dim();
        Slope::of(self.density, law, z)
    }

    /// The slope at the law, which is narrowed until ln ρ is finite at all its states.
    fn finite_slope(&mut self, z: &[f64]) -> Result<Slope> {
        for _ in 0..HALVINGS {
            if let Some(slope) = self.slope(&self.law.clone(), z)? {
                return Ok(slope);
            }
            self.law = self.law.clone().widened(0.5);
        }
        let got = "values that are not, however narrow the Gaussian";
        let fix = "gauss-vi is for densities that are positive everywhere: use smc or nuts";
        Err(Error::setting("ln ρ and its gradient", "finite", got, fix))
    }

    /// Steps on the noise `z`, halved until the ELBO rises, as long as it does; whether it came to an end.
    fn climb(&mut self, z: &[f64], steps: usize) -> Result<bool> {
        let mut slope = self.finite_slope(z)?;
        for _ in 0..steps {
            let mut found = None;
            for halvings in 0..HALVINGS {
                let Some(law) = slope.stepped(&self.law, 0.5f64.powi(halvings as i32), f64::INFINITY) else {
                    continue;
                };
                let there = self.slope(&law, z)?.filter(|there| there.elbo > slope.elbo);
                if let Some(there) = there {
                    found = Some((law, there));
                    break;
                }
            }
            let Some((law, there)) = found else { return Ok(true) };
            let gain = there.elbo - slope.elbo;
            (self.law, slope) = (law, there);
            if gain < CLOSE {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Steps on fresh noise, the k-th of size 1/(k + 1); the mean ELBO of the second quarter and that of the last.
    fn average(&mut self, steps: usize, rng: &mut Rng) -> Result<[f64; 2]> {
        let mut bounds = Vec::with_capacity(steps);
        for k in 0..steps {
            let z = balanced(self.pairs, self.law.dim(), rng);
            let slope = self.finite_slope(&z)?;
            bounds.push(slope.elbo);
            if let Some(law) = slope.stepped(&self.law, 1.0 / (k + 2) as f64, STRIDE) {
                self.law = law;
            }
        }
        let quarter = (steps / 4).max(1);
        let mean = |from: usize| {
            let part: Vec<f64> = bounds.iter().skip(from).take(quarter).copied().collect();
            part.iter().sum::<f64>() / part.len().max(1) as f64
        };
        Ok([mean(steps / 4), mean(steps - quarter.min(steps))])
    }
}

impl GaussViFit {
    /// From the better of Laplace's approximation and the standard normal law.
    ///
    /// # Errors
    /// What the density cannot be evaluated for; [`Error::Setting`] where ln ρ is not finite about any start.
    pub fn of(density: &dyn LogDensity, settings: &GaussVi, rng: &Rng) -> Result<Self> {
        let (dim, mut rng) = (density.dim(), rng.fork("gauss-vi"));
        let pairs = (PAIRS * dim).max(LEAST_PAIRS);
        let mut fitting = Fitting { density, law: Gaussian::standard(dim), pairs, gradients: 0 };
        let z = balanced(pairs, dim, &mut rng);
        let plain = fitting.slope(&fitting.law.clone(), &z)?.map(|slope| slope.elbo);
        if let Ok(fit) = LaplaceFit::of(density) {
            fitting.gradients += fit.gradients;
            let at_mode = fitting.slope(&fit.law, &z)?.map(|slope| slope.elbo);
            if at_mode > plain {
                fitting.law = fit.law;
            }
        }
        let ended = fitting.climb(&z, settings.climbing)?;
        let [early, late] = fitting.average(settings.averaging, &mut rng)?;
        let mut remarks = Vec::new();
        if !ended || late - early > RISEN {
            remarks.push("did not converge".into());
        }
        Ok(Self { law: fitting.law, gradients: fitting.gradients, remarks })
    }
}

/// The mean of ln ρ − ln q under `law`, and its standard error.
fn elbo(density: &dyn LogDensity, law: &Gaussian, rng: &mut Rng) -> Result<(f64, f64)> {
    let z = normals(JUDGED * law.dim(), rng);
    let entropies = z.chunks_exact(law.dim()).map(|z| law.log_det() - log_standard(z));
    let terms: Vec<f64> = density.values(&law.at(&z))?.iter().zip(entropies).map(|(p, q)| p + q).collect();
    let mean = terms.iter().sum::<f64>() / JUDGED as f64;
    let var = terms.iter().map(|term| (term - mean).powi(2)).sum::<f64>() / JUDGED as f64;
    Ok((mean, (var / JUDGED as f64).sqrt()))
}

impl GaussVi {
    /// Draws by importance sampling from a law that was fitted in another way.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    pub fn from_law(&self, density: &dyn LogDensity, law: &Gaussian, rng: &Rng) -> Result<Drawn> {
        let mut rng = rng.fork("importance");
        let elbo = elbo(density, law, &mut rng)?;
        Ok(Drawn { elbo: Some(elbo), ..law.importance(density, self.draws, &mut rng)? })
    }
}

impl Baseline for GaussVi {
    fn name(&self) -> &'static str {
        "gauss-vi"
    }

    fn run(&self, density: &dyn LogDensity, rng: &Rng) -> Result<Drawn> {
        let fit = GaussViFit::of(density, self, rng)?;
        let drawn = self.from_law(density, &fit.law, rng)?;
        let remarks = fit.remarks.into_iter().chain(drawn.remarks).collect();
        Ok(Drawn { gradients: fit.gradients, remarks, ..drawn })
    }
}
