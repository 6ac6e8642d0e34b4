//! Two samples to be joined, and the solvers that join them with nobody watching.

use std::ops::ControlFlow;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sbridge::rng::Rng;
use sbridge::solver::NeuralBridge;
use sbridge::solver::alternation::{Alternation, AlternationSettings};
use sbridge::solver::light_sb::{LightSb, LightSbSettings};
use sbridge::tensor::Tensor;
use sbridge::{Error, Result};
use sbridge_run::models::bridge::PairMethod;

/// Samples of two laws, `[count, dim]` each, and how noisy the way between them is.
#[derive(Clone, Copy)]
pub(crate) struct Problem<'a> {
    pub(crate) source: &'a Tensor<2>,
    pub(crate) target: &'a Tensor<2>,
    pub(crate) epsilon: f64,
}

impl Problem<'_> {
    /// Solved by mixture potentials.
    pub(crate) fn mixtures(&self, settings: &LightSbSettings, rng: &Rng) -> Result<LightSb> {
        let Self { source, target, epsilon } = *self;
        LightSb::fit(source, target, epsilon, settings, rng, &mut |_, _, _| ControlFlow::Continue(()))
    }

    /// Solved by networks.
    pub(crate) fn networks(&self, settings: AlternationSettings, rng: Rng) -> Result<NeuralBridge> {
        self.alternation(settings, rng)?.run()
    }

    /// The same with networks that stay as they begin: no solution, which a judge has to see.
    pub(crate) fn untrained(&self, settings: AlternationSettings, rng: Rng) -> Result<NeuralBridge> {
        let mut alternation = self.alternation(settings, rng)?;
        while alternation.next().is_some() {
            alternation.learn(|_, net, _, _| Ok::<_, Error>(net))?;
        }
        Ok(alternation.bridge())
    }

    fn alternation(&self, settings: AlternationSettings, rng: Rng) -> Result<Alternation> {
        Alternation::new(self.source, self.target, None, self.epsilon, settings, rng)
    }
}

/// What judges have to refuse, where answers are learned.
pub(crate) const UNTRAINED: &str = "untrained";

/// The name of a method in papers.
pub(crate) fn title(method: PairMethod) -> &'static str {
    match method {
        PairMethod::LightSb => "LightSB",
        PairMethod::LightSbM => "LightSB-M",
        PairMethod::Dsbm => "DSBM",
        PairMethod::Sf2m => "[SF]²M",
        PairMethod::Dsb => "DSB",
        PairMethod::Sdsb => "S-DSB",
        PairMethod::Sgm => "SGM",
    }
}

/// The stream called `name` below `rng`, for laws that draw from one of the standard kind.
pub(crate) fn stream(rng: &Rng, name: &str) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(rng.fork(name).seed())
}
