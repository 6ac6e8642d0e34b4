//! Samples carried along a bridge between two sets, by any route.

use std::sync::Arc;

use sbridge::PairBridge;
use sbridge::rng::Rng;
use sbridge::simulate::{Flow, mean_state, paths, state_at};
use sbridge::tensor::Tensor;

use super::PairModel;
use crate::error::{Result, RunError};
use crate::task::{Carried, Course, Route};

impl PairModel {
    /// States of a path along `route` that are known at once.
    pub fn states_of(&self, route: &Route) -> usize {
        match (route.keeps_paths, route.time) {
            (false, None) => 1,
            _ => self.bridge.step_noise(route.direction).steps() + 1,
        }
    }

    /// The samples `rows` along `route`.
    ///
    /// # Errors
    /// [`RunError::Input`] for a route that leads nowhere.
    pub fn carry(&self, rows: &Tensor<2>, route: &Route, rng: &mut Rng) -> Result<Carried> {
        require_time(route)?;
        let decode = |state: &Tensor<2>| self.decode(state);
        let (end, path) = walk(&self.bridge, &self.encode(rows), route, rng);
        let paths = route.keeps_paths.then(|| path.iter().map(decode).collect());
        Ok(Carried { ends: decode(&end), paths })
    }
}

fn require_time(route: &Route) -> Result<()> {
    let input = |problem: String| Err(RunError::Input(problem));
    if let Some(time) = route.time.filter(|time| !(0.0..=1.0).contains(time)) {
        return input(format!("--time must be in [0, 1], got {time} (0 is the source, 1 the target)"));
    }
    if let Some(from) = route.from {
        return input(format!("--from {from} is for bridges through snapshots (use --direction)"));
    }
    Ok(())
}

/// Where `route` leads from the rows of `start`, and the states on the way if they had to be known.
fn walk(
    bridge: &Arc<dyn PairBridge>,
    start: &Tensor<2>,
    route: &Route,
    rng: &mut Rng,
) -> (Tensor<2>, Vec<Tensor<2>>) {
    let direction = route.direction;
    let [begin, end] = direction.ends();
    let elapsed = (route.time.unwrap_or(end) - begin).abs();
    let bridge: Arc<dyn PairBridge> = match route.course {
        Course::Mean => return (mean_state(bridge.as_ref(), direction, elapsed, start), Vec::new()),
        Course::Flow => Arc::new(Flow::new(bridge.clone())),
        Course::Path | Course::MeanOfPaths => bridge.clone(),
    };
    let states = match (route.keeps_paths, route.time) {
        (false, None) => return (bridge.transport(direction, start, rng), Vec::new()),
        (false, Some(_)) => bridge.skeleton(direction, start, rng),
        (true, _) => paths(bridge.as_ref(), direction, start, &bridge.step_noise(direction), rng),
    };
    let end = match route.time {
        None => states[states.len() - 1].clone(),
        Some(_) => state_at(bridge.reference().as_ref(), &states, elapsed, rng),
    };
    (end, states)
}
