//! What it costs to start from a Gaussian instead of the smoothed law.

use sbridge::Result;
use sbridge::marginal::{Convolved, Gaussian, Marginal};
use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid};
use sbridge::tensor::{DType, Device, points};
use sbridge_ot::wasserstein2;

use super::laws::{BUMPS_VAR, two_bumps};
use crate::reproduce::{Check, Effort, Study};
use sbridge_report::{Plot, Scale, Series, SeriesStyle};

const PARTICLES: usize = 20_000;
const STEPS: usize = 300;

/// ε, then W2 to the target for the exact start, N(0, ε) and N(0, ε + variance), by propagating densities.
const TABLE: [(f64, [f64; 3]); 5] = [
    (0.1, [0.0001, 0.2773, 0.0352]),
    (0.25, [0.0004, 0.1362, 0.0110]),
    (0.5, [0.0009, 0.0638, 0.0034]),
    (1.0, [0.0018, 0.0248, 0.0020]),
    (2.0, [0.0036, 0.0083, 0.0036]),
];

const STARTS: [&str; 3] = ["exact start", "isotropic Gaussian", "moment-matched Gaussian"];

fn start_law(which: usize, epsilon: f64) -> Result<Box<dyn Marginal>> {
    let normal = |var| Gaussian::isotropic(&[0.0], var, DType::F32, &Device::flex());
    Ok(match which {
        0 => Box::new(Convolved::new(two_bumps()?, epsilon)),
        1 => Box::new(normal(epsilon)),
        _ => Box::new(normal(epsilon + BUMPS_VAR)),
    })
}

pub(super) fn study(_effort: Effort, rng: &Rng) -> Result<Study> {
    let law = two_bumps()?;
    let mut stream = rng.fork("reference");
    let mut fresh = || points(&law.sample(PARTICLES, &mut stream));
    let reference = fresh()?;
    let floor = wasserstein2(&fresh()?, &reference)?;
    let mut study = Study {
        title: "Start laws".into(),
        text: format!(
            "{PARTICLES} particles of {STEPS} Euler steps with the exact score of two bumps; W2 to a fresh \
             sample of the law. The floor, W2 between two fresh samples, is {floor:.4}."
        ),
        note:
            "Expected values come from propagating densities on a grid. The tolerance is 4.5 standard errors \
               of the difference of two sample means, which is most of the floor."
                .into(),
        ..Study::default()
    };
    let tolerance = 4.5 * (2.0 * BUMPS_VAR / PARTICLES as f64).sqrt();
    let mut series = STARTS.map(|name| Series { name: name.into(), ..Series::default() });
    for (epsilon, expected) in TABLE {
        let grid = VarGrid::Uniform.variances(epsilon, 0.0, STEPS)?;
        let denoiser = Denoiser::new(grid, StepRule::Euler, EndRule::Plain)?;
        for (which, expected) in expected.into_iter().enumerate() {
            let mut stream = rng.fork(&format!("epsilon={epsilon}, start={which}"));
            let start = start_law(which, epsilon)?.sample(PARTICLES, &mut stream);
            let end = denoiser.run(&law, start, &mut stream);
            let measured = wasserstein2(&points(&end)?, &reference)?;
            let name = format!("W2, {}, ε = {epsilon}", STARTS[which]);
            study.checks.push(Check::near(name, measured, expected, tolerance));
            series[which].points.push((epsilon, measured));
        }
    }
    let floor = TABLE.map(|(epsilon, _)| (epsilon, floor)).to_vec();
    let mut series = Vec::from(series);
    series.push(Series { name: "floor".into(), style: SeriesStyle::Dashed, points: floor });
    study.plots.push(Plot {
        caption: "W2 to the target against ε, by start law".into(),
        x_label: "ε".into(),
        y_label: "W2".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        series,
    });
    Ok(study)
}
