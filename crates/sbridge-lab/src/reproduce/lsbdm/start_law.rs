//! What it costs to start from a Gaussian instead of the smoothed law.

use sbridge::marginal::{Convolved, Gaussian, Marginal};
use sbridge::rng::Rng;
use sbridge::tensor::{DType, Device, Tensor, points};
use sbridge_ot::wasserstein2;

use super::laws::{BUMPS_VAR, euler, two_bumps};
use crate::reproduce::{Effort, Estimate, Result, Study, dashed, line};

const PARTICLES: usize = 50_000;
const STEPS: usize = 300;

/// What the checks have to refuse.
const CONTROL: &str = "all begun at 0";

/// The law that paths start from.
#[derive(Clone, Copy, PartialEq)]
enum Start {
    /// The smoothed law.
    Exact,
    /// N(0, ε).
    Isotropic,
    /// N(0, ε + variance).
    Matched,
}

/// ε, and W2 to the target by start law, from propagating densities.
const TABLE: [(f64, [(Start, f64); 3]); 5] = [
    (0.1, [(Start::Exact, 0.0001), (Start::Isotropic, 0.2773), (Start::Matched, 0.0352)]),
    (0.25, [(Start::Exact, 0.0004), (Start::Isotropic, 0.1362), (Start::Matched, 0.0110)]),
    (0.5, [(Start::Exact, 0.0009), (Start::Isotropic, 0.0638), (Start::Matched, 0.0034)]),
    (1.0, [(Start::Exact, 0.0018), (Start::Isotropic, 0.0248), (Start::Matched, 0.0020)]),
    (2.0, [(Start::Exact, 0.0036), (Start::Isotropic, 0.0083), (Start::Matched, 0.0036)]),
];

impl Start {
    fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact start",
            Self::Isotropic => "isotropic Gaussian",
            Self::Matched => "moment-matched Gaussian",
        }
    }

    fn law(self, epsilon: f64) -> Result<Box<dyn Marginal>> {
        let normal = |var| Gaussian::isotropic(&[0.0], var, DType::F32, &Device::flex());
        Ok(match self {
            Self::Exact => Box::new(Convolved::new(two_bumps()?, epsilon)),
            Self::Isotropic => Box::new(normal(epsilon)),
            Self::Matched => Box::new(normal(epsilon + BUMPS_VAR)),
        })
    }
}

pub(super) fn study(_effort: Effort, rng: &Rng) -> Result<Study> {
    let law = two_bumps()?;
    let mut stream = rng.fork("reference");
    let mut fresh = || points(&law.sample(PARTICLES, &mut stream));
    let reference = fresh()?;
    let floor = wasserstein2(&fresh()?, &reference)?;
    let mut study = Study::new(
        "Start laws",
        format!(
            "{PARTICLES} particles of {STEPS} Euler steps with the exact score of two bumps; W2 to a fresh \
             sample of the law. The floor, W2 between two fresh samples, is {floor:.4}. The control begins every path at 0."
        ),
        "Expected values come from propagating densities on a grid. The tolerance is 4.5 standard errors \
         of the difference of two sample means, which is most of the floor; where the value is below that, so many particles \
         only show a bound.",
    );
    let error = (2.0 * BUMPS_VAR / PARTICLES as f64).sqrt();
    let tolerance = 4.5 * error;
    let mut measured = Vec::new();
    for (epsilon, by_start) in TABLE {
        let arrived = |particles: Tensor<2>, stream: &mut Rng| -> Result<Estimate> {
            let end = euler(epsilon, STEPS)?.run(&law, particles, stream);
            Ok(Estimate::with_error(wasserstein2(&points(&end)?, &reference)?, PARTICLES, error))
        };
        let at_zero = Tensor::zeros([PARTICLES, 1], &Device::flex());
        let control = arrived(at_zero, &mut rng.fork(&format!("epsilon={epsilon}, control")))?;
        for (start, known) in by_start {
            let mut stream = rng.fork(&format!("epsilon={epsilon}, start={}", start as usize));
            let particles = start.law(epsilon)?.sample(PARTICLES, &mut stream);
            let w2 = arrived(particles, &mut stream)?;
            let (name, beside) =
                (format!("W2, {}, ε = {epsilon}", start.name()), w2.beside(CONTROL, control));
            if known > tolerance {
                study.near(name, beside, known, tolerance);
            } else {
                study.at_most(name, beside, known + tolerance);
            }
            measured.push((start, (epsilon, w2.measured)));
        }
    }
    let of = |start| measured.iter().filter(move |(of, _)| *of == start).map(|(_, point)| *point).collect();
    let mut series: Vec<_> =
        [Start::Exact, Start::Isotropic, Start::Matched].map(|start| line(start.name(), of(start))).into();
    series.push(dashed("floor", TABLE.map(|(epsilon, _)| (epsilon, floor)).into()));
    study.log_plot("W2 to the target against ε, by start law", ["ε", "W2"], series);
    Ok(study)
}
