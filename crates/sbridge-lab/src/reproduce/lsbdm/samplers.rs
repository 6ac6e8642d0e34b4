//! What a call of the score buys: the error of every rule of the sampler against its calls.

use sbridge::latent::SamplerSettings;
use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid};

use super::laws::{SLIGHT, SLIGHTLY_WEAK, output_variance};
use crate::reproduce::{Effort, Estimate, Result, Study, line};

/// Variances along the axes of the law: codes of unit variance have some that are thin.
const AXES: [f64; 4] = [1.0, 0.25, 0.0625, 0.01];

/// The default ε, and what the sampler leaves of it by default.
const EPSILON: f64 = 16.0;
const LEFT: f64 = 1e-4 * EPSILON;

/// The rules, by their names in the settings.
const RULES: [(&str, StepRule); 6] = [
    ("euler", StepRule::Euler),
    ("ancestral", StepRule::Ancestral),
    ("ode-euler", StepRule::OdeEuler),
    ("ode-heun", StepRule::OdeHeun),
    ("multistep", StepRule::Multistep),
    ("ode-multistep", StepRule::OdeMultistep),
];

/// Even in σ^(1/7), as the sampler's grid is.
fn denoiser(rule: StepRule, steps: usize) -> Result<Denoiser> {
    let grid = VarGrid::Power { rho: 7.0 }.variances(EPSILON, LEFT / EPSILON, steps)?;
    Ok(Denoiser::new(grid, rule, EndRule::Plain)?)
}

/// W2 between what `denoiser` makes of the law and the law with the noise that is left, by a score too weak by a share.
fn w2(denoiser: &Denoiser, weaker: f64) -> f64 {
    let axis = |var: f64| (output_variance(denoiser, var, weaker).sqrt() - (var + LEFT).sqrt()).powi(2);
    AXES.into_iter().map(axis).sum::<f64>().sqrt()
}

/// The slope of ln W2 in ln K.
fn slope(rule: StepRule, weaker: f64) -> Result<Estimate> {
    Ok(Estimate::exact((w2(&denoiser(rule, 160)?, weaker) / w2(&denoiser(rule, 80)?, weaker)).log2()))
}

pub(super) fn study(_effort: Effort, _rng: &Rng) -> Result<Study> {
    let mut study = Study::new(
        "Calls of the sampler",
        "Exact W2 between the output for a Gaussian law of variances 1, 1/4, 1/16 and 1/100 and that law with the noise that \
         is left, read off the sampler; ε = 16, the default grid, no Tweedie step. A call is one evaluation of the score.",
        "Tolerances of the slopes are the next order between 80 and 160 steps. That the default is nearer than four times \
         its steps of Euler is a bound.",
    );
    for (name, rule, order) in [
        ("multistep", StepRule::Multistep, 2.0),
        ("ode-multistep", StepRule::OdeMultistep, 2.0),
        ("ode-heun", StepRule::OdeHeun, 2.0),
        ("euler", StepRule::Euler, 1.0),
    ] {
        let slope = slope(rule, 0.0)?.beside(SLIGHTLY_WEAK, slope(rule, SLIGHT)?);
        study.near(format!("slope of W2 in the steps of {name}"), slope, -order, 0.25);
    }
    let settings = SamplerSettings::default();
    let euler = w2(&denoiser(StepRule::Euler, 4 * settings.steps)?, 0.0);
    let default = denoiser(settings.step, settings.steps)?;
    let ratio = |weaker| Estimate::exact(w2(&default, weaker) / euler);
    let beside = ratio(0.0).beside(SLIGHTLY_WEAK, ratio(SLIGHT));
    study.at_most("W2 of the default's steps, in that of four times as many of Euler", beside, 1.0);
    let series = RULES.into_iter().map(|(name, rule)| {
        let point = |steps: usize| {
            let denoiser = denoiser(rule, steps)?;
            Ok((denoiser.score_calls() as f64, w2(&denoiser, 0.0)))
        };
        let points = [5, 10, 15, 20, 40, 80, 160, 320].map(point);
        Ok(line(name, points.into_iter().collect::<Result<_>>()?))
    });
    study.log_plot(
        "Error against calls, exact",
        ["calls of the score", "W2"],
        series.collect::<Result<_>>()?,
    );
    Ok(study)
}
