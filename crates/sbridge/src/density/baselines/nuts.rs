//! The no-U-turn sampler: Hamiltonian Monte Carlo whose trajectories end where they turn back.                       \[HG14\]
//!
//! Trajectories are those of the crate `nuts-rs`, with a diagonal mass that is adapted while chains warm up. Here is what says
//! whether chains can be believed: R̂, the spread between halves of chains against that within, and the effective number of
//! draws, from autocorrelations summed as long as pairs of them fall.                                  \[GCSDVR13, Section 11.4\]
//!
//! Tests: moments of a Gaussian; R̂ far from 1 where chains stay at their modes; the number of draws of an autoregression.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use nuts_rs::{
    Chain as _, CpuLogpFunc, CpuMath, CpuMathError, DiagNutsSettings, HasDims, LogpError, Settings as _,
};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Baseline, Drawn};
use crate::density::LogDensity;
use crate::error::{Error, MAX_STEPS, Result, require_count};
use crate::rng::Rng;

/// The no-U-turn sampler. It has no ln Z.
#[derive(Clone, Copy, Debug)]
pub struct Nuts {
    /// Chains, each from a place of its own.
    pub chains: usize,
    /// Draws of a chain that adapt its steps, and are left out.
    pub warm_up: usize,
    /// Draws of a chain that are kept.
    pub draws: usize,
    /// Doublings of a trajectory, at most.
    pub depth: usize,
}

impl Default for Nuts {
    fn default() -> Self {
        Self { chains: 4, warm_up: 1000, draws: 1000, depth: 10 }
    }
}

/// The first chain starts uniformly within this distance of the origin along every axis, each further one within twice that of
/// the one before: together they see modes that are apart.
const REACH: f64 = 2.0;

/// Places that are tried for a start with a finite ln ρ.
const TRIALS: usize = 100;

/// R̂ above which chains have not met.
const MET: f64 = 1.01;

/// A density as the sampler wants it: a state at a time. What the density fails for is kept aside.
struct Posterior<'a> {
    density: &'a dyn LogDensity,
    failure: &'a Mutex<Option<Error>>,
}

/// Why there is no value.
#[derive(Debug)]
enum NoValue {
    /// The density failed: the chain ends.
    Failed,
    /// ln ρ is not finite here: the trajectory ends.
    Outside,
}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "the density failed",
            Self::Outside => "ln ρ is not finite",
        })
    }
}

impl std::error::Error for NoValue {}

impl LogpError for NoValue {
    fn is_recoverable(&self) -> bool {
        matches!(self, Self::Outside)
    }
}

impl HasDims for Posterior<'_> {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        HashMap::from([("unconstrained_parameter".to_owned(), self.density.dim() as u64)])
    }
}

impl CpuLogpFunc for Posterior<'_> {
    type LogpError = NoValue;
    type FlowParameters = ();
    type ExpandedVector = ();

    fn dim(&self) -> usize {
        self.density.dim()
    }

    fn logp(&mut self, position: &[f64], gradient: &mut [f64]) -> std::result::Result<f64, NoValue> {
        match self.density.values_and_gradients(position) {
            Ok((values, gradients)) if values[0].is_finite() && gradients.iter().all(|g| g.is_finite()) => {
                gradient.copy_from_slice(&gradients);
                Ok(values[0])
            }
            Ok(_) => Err(NoValue::Outside),
            Err(error) => {
                if let Ok(mut failure) = self.failure.lock() {
                    failure.get_or_insert(error);
                }
                Err(NoValue::Failed)
            }
        }
    }

    fn expand_vector<R: rand::Rng + ?Sized>(
        &mut self,
        _: &mut R,
        _: &[f64],
    ) -> std::result::Result<(), CpuMathError> {
        Ok(())
    }
}

/// Draws of one chain, `[draws, dim]`, and what they cost.
struct ChainOfDraws {
    states: Vec<f64>,
    gradients: usize,
    divergences: usize,
}

impl Nuts {
    fn chain(&self, density: &dyn LogDensity, index: usize, rng: &Rng) -> Result<ChainOfDraws> {
        let mut rng = rng.fork(&format!("chain {index}"));
        let failure = Mutex::new(None);
        let (start, tried) = start(density, REACH * 2f64.powi(index.min(8) as i32), &mut rng)?;
        let settings = DiagNutsSettings {
            num_tune: self.warm_up as u64,
            num_draws: self.draws as u64,
            maxdepth: self.depth as u64,
            ..DiagNutsSettings::default()
        };
        let mut chain = ChainOfDraws { states: Vec::new(), gradients: tried, divergences: 0 };
        let math = CpuMath::new(Posterior { density, failure: &failure });
        let mut stream = ChaCha8Rng::seed_from_u64(rng.seed());
        let sampled = settings.new_chain(index as u64, math, &mut stream).and_then(|mut sampler| {
            sampler.set_position(&start)?;
            for k in 0..self.warm_up + self.draws {
                let (state, progress) = sampler.draw()?;
                chain.gradients += progress.num_gradients as usize;
                if k >= self.warm_up {
                    chain.states.extend_from_slice(&state);
                    chain.divergences += usize::from(progress.diverging);
                }
            }
            Ok(())
        });
        match sampled {
            Ok(()) => Ok(chain),
            Err(error) => Err(failure.into_inner().ok().flatten().unwrap_or_else(|| {
                let fix = "see that ln ρ and its gradient are finite about the origin";
                Error::setting("the density", "one that chains can move in", format!("{error:#}"), fix)
            })),
        }
    }
}

/// A state with a finite ln ρ, and how many were tried.
fn start(density: &dyn LogDensity, reach: f64, rng: &mut Rng) -> Result<(Vec<f64>, usize)> {
    for tried in 1..=TRIALS {
        let state = rng.uniform(density.dim(), -reach, reach);
        let (values, gradients) = density.values_and_gradients(&state)?;
        if values.iter().chain(&gradients).all(|value| value.is_finite()) {
            return Ok((state, tried));
        }
    }
    let got = format!("values that are not, at {TRIALS} states within {reach} of the origin");
    Err(Error::setting("ln ρ and its gradient", "finite near the origin", got, "move the origin, or rescale"))
}

impl Baseline for Nuts {
    fn name(&self) -> &'static str {
        "nuts"
    }

    fn run(&self, density: &dyn LogDensity, rng: &Rng) -> Result<Drawn> {
        require_count("chains", self.chains, 1..=1000, "4 are usual")?;
        require_count("draws", self.draws, 4..=MAX_STEPS, "1000 are usual")?;
        let rng = rng.fork("nuts");
        let chains: Vec<ChainOfDraws> = (0..self.chains)
            .into_par_iter()
            .map(|index| self.chain(density, index, &rng))
            .collect::<Result<_>>()?;
        let states: Vec<f64> = chains.iter().flat_map(|chain| chain.states.iter().copied()).collect();
        let dim = density.dim();
        let found: Vec<Mixing> = (0..dim)
            .into_par_iter()
            .map(|axis| {
                let along = states.iter().skip(axis).step_by(dim).copied().collect::<Vec<f64>>();
                Mixing::of(&along, self.draws)
            })
            .collect();
        let mut remarks = Vec::new();
        let worst = (0..dim).max_by(|a, b| found[*a].r_hat.total_cmp(&found[*b].r_hat));
        if let Some(axis) = worst.filter(|axis| found[*axis].r_hat.is_nan() || found[*axis].r_hat > MET) {
            remarks.push(format!("R-hat {:.2} in {}", found[axis].r_hat, density.names()[axis]));
        }
        let divergences: usize = chains.iter().map(|chain| chain.divergences).sum();
        if divergences > 0 {
            remarks.push(format!("{divergences} divergences"));
        }
        let least = found.iter().map(|mixing| mixing.ess).fold(f64::INFINITY, f64::min);
        let gradients = chains.iter().map(|chain| chain.gradients).sum();
        let ess = least.min(states.len() as f64) / (states.len() / dim).max(1) as f64;
        Ok(Drawn { states, log_z: None, elbo: None, ess, gradients, remarks })
    }
}

/// How well chains have mixed along one coordinate.
struct Mixing {
    r_hat: f64,
    /// Effective number of draws.
    ess: f64,
}

impl Mixing {
    /// Of chains of `length` each, one after the other, each cut in halves.
    fn of(draws: &[f64], length: usize) -> Self {
        let halves: Vec<&[f64]> = draws
            .chunks_exact(length)
            .flat_map(|chain| chain[..length / 2 * 2].chunks_exact((length / 2).max(1)))
            .collect();
        let (count, n) = (halves.len() as f64, (length / 2) as f64);
        let means: Vec<f64> = halves.iter().map(|half| half.iter().sum::<f64>() / n).collect();
        let mean = means.iter().sum::<f64>() / count;
        let between = n * means.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let covariance = |lag: usize| {
            let of_half = |(half, mean): (&&[f64], &f64)| {
                half.iter().zip(&half[lag..]).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>()
            };
            halves.iter().zip(&means).map(of_half).sum::<f64>() / (n * count)
        };
        let within = covariance(0) * n / (n - 1.0);
        let pooled = (within * (n - 1.0) + between) / n;
        let correlation = |lag: usize| 1.0 - (within - covariance(lag)) / pooled;
        let (mut time, mut least) = (-1.0, f64::INFINITY);
        for lag in (0..length / 2).step_by(2) {
            let next = if lag + 1 < length / 2 { correlation(lag + 1) } else { 0.0 };
            let pair = if lag == 0 { 1.0 + next } else { correlation(lag) + next };
            if pair.is_nan() || pair <= 0.0 {
                break;
            }
            least = least.min(pair);
            time += 2.0 * least;
        }
        let total = n * count;
        // Draws that repel each other count for more, up to log₁₀ of the number.
        let ess = total / time.max(1.0 / total.log10());
        Self { r_hat: (pooled / within).sqrt(), ess }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chains of x ← a x + √(1 − a²) ξ, each about its own centre.
    fn autoregression(a: f64, centres: &[f64], length: usize) -> Vec<f64> {
        let mut rng = Rng::new(5);
        let mut draws = Vec::new();
        for centre in centres {
            let mut x = 0.0;
            for noise in crate::density::normals(length, &mut rng) {
                x = a * x + (1.0 - a * a).sqrt() * noise;
                draws.push(centre + x);
            }
        }
        draws
    }

    #[test]
    fn draws_of_an_autoregression_count_for_what_theory_says() {
        for a in [-0.3, 0.0, 0.5, 0.9] {
            let mixing = Mixing::of(&autoregression(a, &[0.0; 4], 10_000), 10_000);
            let known = 40_000.0 * (1.0 - a) / (1.0 + a);
            // A sum of estimated correlations is off by 10 %.
            assert!((mixing.ess / known - 1.0).abs() < 0.15, "{a}: {} of {known}", mixing.ess);
            assert!(mixing.r_hat < 1.01, "{a}: {}", mixing.r_hat);
        }
    }

    #[test]
    fn chains_that_stay_apart_are_seen() {
        let mixing = Mixing::of(&autoregression(0.0, &[-2.0, -2.0, 2.0, 2.0], 1000), 1000);
        // √(1 + 4·8/7): variance 1 within, means ±2.
        assert!((mixing.r_hat - 2.36).abs() < 0.1, "{}", mixing.r_hat);
        assert!(mixing.ess < 20.0, "{}", mixing.ess);
    }
}
