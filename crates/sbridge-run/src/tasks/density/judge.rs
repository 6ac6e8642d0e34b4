//! How good a sampler of a density is: what its weights say, and its draws beside exact ones, where there are any; and the same
//! of every baseline.

use std::fmt;

use sbridge::density::quality::{ModeShares, SpreadError, distance_to_exact, pareto_shape, spreads};
use sbridge::density::{Target, resampled};
use sbridge::rng::Rng;
use sbridge::solver::density::losses::is_counted;
use sbridge::solver::density::{Draws, Estimate};
use serde::{Deserialize, Serialize};

use super::baselines::{self, Kept};
use super::{Density, DensityConfig, LossName, Trust, trust};
use crate::densities::OpenDensity;
use crate::error::{Result, RunError};
use crate::quality::{Headline, Judgement, RowKind};
use crate::task::Run;

/// A sampler, or a baseline.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Name for people.
    pub name: String,
    /// What it stands for.
    pub kind: RowKind,
    /// ln Z and its standard error.
    pub log_z: Option<(f64, f64)>,
    /// A lower bound of ln Z.
    pub elbo: Option<f64>,
    /// An upper bound of it, by exact draws.
    pub eubo: Option<f64>,
    /// Effective sample size, as a share.
    pub ess: Option<f64>,
    /// The same of exact draws, taken back: it sees modes that are missing.
    pub forward_ess: Option<f64>,
    /// What its draws are beside exact ones.
    pub draws: DrawsQuality,
    /// Score evaluations, with those of training.
    pub gradients: Option<f64>,
    /// Seconds, with those of training.
    pub seconds: Option<f64>,
    /// Why there is nothing, or what to know.
    pub remarks: Vec<String>,
}

/// Draws beside what is known of the target.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DrawsQuality {
    /// Modes that are found, of how many.
    pub modes: Option<(usize, usize)>,
    /// Total variation of the shares of modes.
    pub mode_error: Option<f64>,
    /// Entropy of the shares of modes, 1 for even ones.
    pub mode_entropy: Option<f64>,
    /// Entropic distance to exact draws, cost |x − y|.
    pub distance: Option<f64>,
    /// Mean absolute error of the axes' standard deviations.
    pub spread_error: Option<f64>,
}

/// The evaluation of a sampler of a density.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DensityEvaluation {
    /// The target, in a few words.
    pub target: String,
    /// Dimension of a state.
    pub dim: usize,
    /// ln Z as it is known, and to which error.
    pub reference: Option<(f64, f64)>,
    /// Whether its controls first followed the draws of smc.
    pub followed_smc: bool,
    /// Paths judged.
    pub paths: usize,
    /// Those whose weight is no number.
    pub filtered: usize,
    /// The sampler, exact draws, baselines.
    pub rows: Vec<Row>,
    /// k̂ of the weights' tail.
    pub tail: Option<f64>,
    /// Whether the draws are to be trusted, and why.
    pub trust: Trust,
    /// What is not as it should be, in words.
    pub remarks: Vec<String>,
}

impl Judgement for DensityEvaluation {
    fn headline(&self) -> Option<Headline> {
        self.rows.first().and_then(|row| Some(("ESS", row.ess?)))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

/// Judges the sampler of `run` by fresh paths.
///
/// # Errors
/// [`RunError::PathsDiverged`] where no two paths have a weight, and what the density cannot be evaluated for.
pub(super) fn judge(run: &Run<Density>, open: &OpenDensity) -> Result<DensityEvaluation> {
    let (target, settings, rng) = (open.target.as_ref(), &run.settings, run.rng("evaluation"));
    let count = settings.output.samples;
    let draws = run.learned.draw(settings.sampler.steps, count, run, &rng.fork("paths"))?;
    let counted = |action: &f64| is_counted(*action, f64::INFINITY);
    let filtered = draws.action.iter().filter(|action| !counted(action)).count();
    let estimate =
        Estimate::of(&draws.action).ok_or(RunError::PathsDiverged { diverged: filtered, count })?;
    let logs: Vec<f64> = draws.action.iter().map(|action| -action).collect();
    let mut rows = vec![sampler_row(run, target, &draws, &estimate, &rng)?];
    rows.push(weighted_row(run, target, &draws, &logs, &rng)?);
    rows.extend(exact_row(target, count, &rng)?);
    let kept = baselines::load_all(&run.folder, settings)?;
    for baseline in &kept {
        rows.push(baseline_row(target, baseline, &rng)?);
    }
    let tail = pareto_shape(&logs);
    let mut found = DensityEvaluation {
        target: open.title.clone(),
        dim: target.dim(),
        reference: target.log_normaliser(),
        followed_smc: settings.follows_draws(),
        paths: count,
        filtered,
        rows,
        tail,
        trust: Trust::default(),
        remarks: Vec::new(),
    };
    found.trust = trust::trust(&found);
    found.remarks = trust::remarks(&found);
    Ok(found)
}

/// The draws of the sampler as they come.
fn sampler_row(
    run: &Run<Density>,
    target: &dyn Target,
    draws: &Draws,
    estimate: &Estimate,
    rng: &Rng,
) -> Result<Row> {
    let (eubo, forward_ess) = upper_bound(run, target, draws.action.len(), estimate, rng)?.unzip();
    let seconds =
        run.manifest.seconds.iter().find(|(stage, _)| stage == "control").map(|(_, seconds)| *seconds);
    Ok(Row {
        name: run.settings.sampler.method.to_string(),
        kind: RowKind::Model,
        log_z: Some((estimate.log_z, estimate.log_z_error)),
        elbo: Some(estimate.elbo),
        eubo,
        ess: Some(estimate.ess),
        forward_ess,
        draws: quality(target, &draws.states, rng)?,
        gradients: Some(score_evaluations(&run.settings)),
        seconds,
        remarks: Vec::new(),
    })
}

/// The same draws with their weights applied.
fn weighted_row(
    run: &Run<Density>,
    target: &dyn Target,
    draws: &Draws,
    logs: &[f64],
    rng: &Rng,
) -> Result<Row> {
    let drawn = resampled(&draws.states, target.dim(), logs, &mut rng.fork("resampled"));
    let quality = quality(target, &drawn, rng)?;
    Ok(Row {
        draws: quality,
        ..Row::named(format!("{}, weighted", run.settings.sampler.method), RowKind::Model)
    })
}

/// Exact draws, where there are any: nothing is nearer but by chance.
fn exact_row(target: &dyn Target, count: usize, rng: &Rng) -> Result<Option<Row>> {
    let Some(exact) = target.sample(count, &mut rng.fork("floor")) else { return Ok(None) };
    let quality = quality(target, &exact, rng)?;
    Ok(Some(Row {
        draws: quality,
        log_z: target.log_normaliser(),
        ..Row::named("exact draws".into(), RowKind::Floor)
    }))
}

fn baseline_row(target: &dyn Target, kept: &Kept, rng: &Rng) -> Result<Row> {
    let row = Row::named(kept.name.clone(), RowKind::Baseline);
    let outcome = match &kept.outcome {
        Ok(outcome) => outcome,
        Err(reason) => return Ok(Row { remarks: vec![reason.clone()], ..row }),
    };
    Ok(Row {
        log_z: outcome.log_z,
        elbo: outcome.elbo.map(|(elbo, _)| elbo),
        ess: Some(outcome.ess),
        draws: quality(target, &kept.states, rng)?,
        gradients: Some(outcome.gradients as f64),
        seconds: Some(outcome.seconds),
        remarks: outcome.remarks.clone(),
        ..row
    })
}

impl Row {
    fn named(name: String, kind: RowKind) -> Self {
        Self {
            name,
            kind,
            log_z: None,
            elbo: None,
            eubo: None,
            ess: None,
            forward_ess: None,
            draws: DrawsQuality::default(),
            gradients: None,
            seconds: None,
            remarks: Vec::new(),
        }
    }
}

/// E[−A] over exact draws that are taken back, and their effective sample size, where there are exact draws.
fn upper_bound(
    run: &Run<Density>,
    target: &dyn Target,
    count: usize,
    estimate: &Estimate,
    rng: &Rng,
) -> Result<Option<(f64, f64)>> {
    let Some(exact) = target.sample(count, &mut rng.fork("exact")) else { return Ok(None) };
    let model = &run.learned.model;
    let inward = model.coordinates.inward(&exact);
    let noised = run.learned.sampled(run.settings.sampler.steps, run, |sampler| {
        sampler.noised(&model.controls, &inward, &rng.fork("noised"))
    })?;
    let negated: Vec<f64> = noised.action.iter().map(|action| -action).collect();
    Ok(Estimate::of(&negated).map(|back| {
        // −ln E[1/w] over π is ln Z as those draws say it.
        (-back.elbo, (-back.log_z - estimate.log_z).exp().min(1.0))
    }))
}

/// States that the score was evaluated at, in training and for the paths judged.
fn score_evaluations(settings: &DensityConfig) -> f64 {
    let training = settings.paths();
    // The adjoint takes a difference of two more at every state.
    let each = if settings.objective.loss == LossName::Kl { 3.0 } else { 1.0 };
    settings.sampler.steps as f64 * (each * training + settings.output.samples as f64)
}

/// What is known of `states`, `[count, dim]`, beside the target's own.
fn quality(target: &dyn Target, states: &[f64], rng: &Rng) -> Result<DrawsQuality> {
    let dim = target.dim();
    let rows = states.chunks_exact(dim).filter(|row| row.iter().all(|x| x.is_finite()));
    let states: Vec<f64> = rows.flatten().copied().collect();
    if states.is_empty() {
        return Ok(DrawsQuality::default());
    }
    let shares = target.modes().and_then(|modes| ModeShares::of(&modes, &states).map(|found| (found, modes)));
    let exact = target.sample(states.len() / dim, &mut rng.fork("exact"));
    let spread = exact.and_then(|exact| SpreadError::of(&spreads(&states, dim), &spreads(&exact, dim)));
    Ok(DrawsQuality {
        modes: shares.as_ref().map(|(found, modes)| (found.found, modes.shares.len())),
        mode_error: shares.as_ref().map(|(found, _)| found.total_variation),
        mode_entropy: shares.as_ref().map(|(found, _)| found.entropy),
        distance: distance_to_exact(&states, target, rng)?,
        spread_error: spread.map(|found| found.mean),
    })
}

/// The columns of the table.
pub(super) const COLUMNS: [&str; 10] =
    ["ln Z", "±", "ELBO", "EUBO", "ESS", "modes", "shares off by", "distance", "scores", "seconds"];

impl Row {
    /// The cells of the table.
    pub(super) fn cells(&self) -> [String; 10] {
        let number =
            |value: Option<f64>, digits: usize| value.map_or("–".into(), |x| format!("{x:.digits$}"));
        [
            number(self.log_z.map(|(value, _)| value), 3),
            number(self.log_z.map(|(_, error)| error), 3),
            number(self.elbo, 3),
            number(self.eubo, 3),
            number(self.ess, 3),
            self.draws.modes.map_or("–".into(), |(found, all)| format!("{found} of {all}")),
            number(self.draws.mode_error, 3),
            number(self.draws.distance, 4),
            self.gradients.map_or("–".into(), |count| format!("{count:.1e}")),
            number(self.seconds, 1),
        ]
    }
}

impl fmt::Display for DensityEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {} dimensions; {} paths, {} without a weight",
            self.target, self.dim, self.paths, self.filtered
        )?;
        if let Some((log_z, error)) = self.reference {
            let known =
                if error > 0.0 { format!("{log_z:.3} ± {error}") } else { format!("{log_z:.3}, exactly") };
            writeln!(f, "ln Z is known: {known}")?;
        }
        write!(f, "{:16}", "")?;
        COLUMNS.iter().try_for_each(|name| write!(f, " {name:>11}"))?;
        for row in &self.rows {
            write!(f, "\n{:16}", row.name)?;
            row.cells().iter().try_for_each(|cell| write!(f, " {cell:>11}"))?;
            row.remarks.iter().try_for_each(|remark| write!(f, "\n{:16}  {remark}", ""))?;
        }
        write!(f, "\n\n{}", self.trust)?;
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}
