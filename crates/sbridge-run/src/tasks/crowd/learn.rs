//! A bridge that pays for where it goes, and the plain one beside it, from data to files.

use sbridge::solver::NeuralBridge;
use sbridge::solver::alternation::{Alternation, AlternationSettings, HalfBridge};
use sbridge::{Direction, PairBridge as _};
use sbridge_ot::{SlicedSettings, sliced_wasserstein2};

use super::settings::CrowdConfig;
use super::{BRIDGE_FILE, CrowdData, PLAIN_FILE, judge};
use crate::error::Result;
use crate::folder::metrics;
use crate::models::bridge::{direction_name, file};
use crate::training::{Learning, Stage};
use sbridge::crowd::Problem;
use sbridge::tensor::{head, points};

/// The stage of `metrics.jsonl` that counts half-bridges.
pub(super) const HALF_BRIDGES: &str = "half-bridges";

/// Samples that every half-bridge carries to be watched.
const WATCHED: usize = 500;

/// Learns what is not learned yet.
///
/// # Errors
/// [`RunError`](crate::RunError) if training is interrupted, diverges, or cannot be saved.
pub(super) fn learn(run: &mut Learning<'_, CrowdConfig>, data: &CrowdData) -> Result<()> {
    let networks = run.settings.networks.clone();
    fit(run, data, (BRIDGE_FILE, ""), &networks, Some(&data.scene.problem))?;
    if run.settings.plain == 0 {
        return Ok(());
    }
    let networks = run.settings.plain_networks();
    fit(run, data, (PLAIN_FILE, "plain-"), &networks, None)
}

/// One half-bridge after the other; what there is after each is kept in `name`, stages begin with `prefix`.
fn fit(
    run: &mut Learning<'_, CrowdConfig>,
    data: &CrowdData,
    (name, prefix): (&str, &str),
    settings: &AlternationSettings,
    problem: Option<&Problem>,
) -> Result<()> {
    let path = run.file(name);
    let (source, target) = (&data.pair.ends.source.train, &data.pair.ends.target.train);
    let rng = run.rng(&format!("{prefix}{}", run.method));
    let mut alternation =
        Alternation::new(source, target, None, run.settings.epsilon, settings.clone(), rng)?;
    if let Some(problem) = problem {
        alternation = alternation.with_problem(problem)?;
    }
    if path.exists() {
        let (bridge, learned) = file::neural::load(&path, &run.device)?;
        alternation.continue_from(bridge, learned);
    }
    while let Some(half) = alternation.next() {
        let name = format!("{prefix}{}-{}", direction_name(half.direction), half.number / 2 + 1);
        let stage = Stage { name: &name, learning_rate: "networks.fit.learning_rate" };
        if problem.is_some() {
            run.context.info(&format!("{name}: looks for the paths on which pairs pay least"));
        }
        alternation.learn(|_, net, regression, rng| {
            run.train(stage, net, regression, settings.fit.clone(), rng.clone())
        })?;
        let bridge = alternation.bridge();
        log_half(run, half, &bridge, data, prefix)?;
        let learned = (run.method, alternation.learned());
        file::neural::save(&path, learned, &bridge, (None, &settings.net))?;
        run.forget(&name)?;
    }
    Ok(())
}

/// Writes down where samples arrive after `half`, and what they pay on the way there.
fn log_half(
    run: &Learning<'_, CrowdConfig>,
    half: HalfBridge,
    bridge: &NeuralBridge,
    data: &CrowdData,
    prefix: &str,
) -> Result<()> {
    let stage = format!("{prefix}{HALF_BRIDGES}");
    let (ends, mut rng) = (&data.pair.ends, run.rng(&stage).fork(&half.number.to_string()));
    let [from, to] = half.direction.along([&ends.source, &ends.target]);
    let start = head(from.watched(), WATCHED);
    let end = bridge.transport(half.direction, &start, &mut rng);
    let there = points(&head(to.watched(), WATCHED))?;
    let mut found =
        vec![("sliced_w2", sliced_wasserstein2(&points(&end)?, &there, &SlicedSettings::default())?)];
    if half.direction == Direction::Forward {
        let course = judge::course(bridge, data, &start, &mut rng).0;
        found.extend([
            ("kinetic", course.kinetic),
            ("state", course.state),
            ("objective", course.objective()),
            ("inside", course.inside),
        ]);
    }
    let step = half.number + 1;
    let lines: String = found.iter().map(|(name, value)| metrics::line(&stage, step, name, *value)).collect();
    run.log(&stage, half.number, &lines)
}
