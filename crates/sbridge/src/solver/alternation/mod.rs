//! Bridges learned half by half: one regression of a drift after the other, the two directions in turn.
//!
//! Every half-bridge regresses the drift of one direction on examples, and three choices make the methods:
//!
//! | method | target of the regression | where its examples come from | half-bridges |
//! |-|-|-|-|
//! | [`Dsb`] | mean of the step, carried over | paths along the last half-bridge | as many as wanted |
//! | [`Sdsb`] | state before the step | the same | the same |
//! | [`Dsbm`] | end of a Brownian bridge | ends of paths; independent pairs at first | the same |
//! | [`Sf2m`] | end of a Brownian bridge | the entropic plan between samples | 2 |
//! | [`LightSbM`] | end of a Brownian bridge, by a mixture's drift | independent pairs | 2 |
//! | [`Sgm`] | end of a Brownian bridge | the reference | 1 |
//! | [`Gsbm`] | drift of the path on which a pair pays least | ends and paths along the last half-bridge | as many as wanted |
//!
//! What a network learns is what the drift has beyond that between Gaussians of the same moments, which is known in closed
//! form: straight from pixels, beside mixtures, and without `known_drift` it learns all of it. Between Gaussians an untrained
//! network is right where the drift is known, so what a method finds there is measured without.
//!
//! The first half-bridge goes backward. [`Alternation`] holds what there is between two of them and nothing else, so
//! a run can stop and go on there; inside a half-bridge it is an ordinary training run.
//!
//! [`Dsb`]: crate::solver::Dsb
//! [`Sdsb`]: crate::solver::Sdsb
//! [`Dsbm`]: crate::solver::Dsbm
//! [`Sf2m`]: crate::solver::Sf2m
//! [`LightSbM`]: crate::solver::LightSbM
//! [`Sgm`]: crate::solver::Sgm
//! [`Gsbm`]: crate::solver::Gsbm

mod framed;
mod method;
mod settings;

pub use method::AlternationMethod;
pub(super) use settings::half_bridge_fit;
pub use settings::{AlternationSettings, CacheSettings, StartingPairs, StepVariance, Target};

use std::sync::Arc;

use crate::bridge::Direction;
use crate::coupling::{Coupling, Entropic, Independent, PlanCount, PlanCounter, Simulated};
use crate::crowd::Problem;
use crate::error::{Error, Result, require_positive};
use crate::executor::run_silently;
use crate::fit::Trainer;
use crate::net::{DriftNet, GaussianDrift, MixtureDrift, MixtureSettings};
use crate::objective::{
    BridgeMatching, ConditionalMatching, DriftRegression, Examples, Objective as _, PathMatching, StepTarget,
    Walked,
};
use crate::reference::{Brownian, GaussianReference as _};
use crate::rng::Rng;
use crate::solver::alternation::framed::framed;
use crate::solver::frame::Frame;
use crate::solver::neural::{NeuralBridge, Way};
use crate::tensor::{DType, Tensor, per_row, select_rows, to_vec_f64};

/// Coordinates up to which the axes of Gaussians are found: the time goes as their cube, and is seconds at as many.
const MAX_AXES: usize = 1000;

/// One half-bridge: which, and in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfBridge {
    /// Its number, counted from 0.
    pub number: usize,
    /// The direction whose drift it learns.
    pub direction: Direction,
}

impl HalfBridge {
    /// Half-bridge `number`: even ones go backward.
    pub fn new(number: usize) -> Self {
        let direction = if number.is_multiple_of(2) { Direction::Backward } else { Direction::Forward };
        Self { number, direction }
    }
}

/// A bridge between half-bridges.
pub struct Alternation {
    settings: AlternationSettings,
    /// Source and target in units of the frame.
    ends: [Tensor<2>; 2],
    /// Channels, height and width, where samples are images.
    image: Option<[usize; 3]>,
    frame: Frame,
    /// In units of the frame.
    bridge: NeuralBridge,
    learned: usize,
    plans: Arc<PlanCounter>,
    /// State cost and base drift, in units of the frame.
    problem: Problem,
    rng: Rng,
}

impl Alternation {
    /// Prepares to join the rows of `source` and `target`, in data units, for ε in their squares.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of different length, [`Error::Setting`] for settings out of range.
    pub fn new(
        source: &Tensor<2>,
        target: &Tensor<2>,
        image: Option<[usize; 3]>,
        epsilon: f64,
        settings: AlternationSettings,
        rng: Rng,
    ) -> Result<Self> {
        settings.check()?;
        let [_, dim] = source.dims();
        if target.dims()[1] != dim {
            let fix = "source and target must live in the same space";
            return Err(Error::shape("dimension of the target", dim, target.dims()[1], fix));
        }
        let frame_of = match (settings.known_drift, &settings.paths) {
            (true, _) => Frame::of,
            (false, Some(_)) => Frame::around,
            (false, None) => Frame::uncentred,
        };
        let frame = frame_of(&to_vec_f64(source.clone()), &to_vec_f64(target.clone()), dim);
        let end =
            |t: f64, rows: &Tensor<2>| frame.apply_rows(&per_row(t, rows), rows.clone()).cast(DType::F32);
        let ends = [end(0.0, source), end(1.0, target)];
        let variance = epsilon / frame.scale.powi(2);
        require_positive("epsilon", variance, "set a variance in data units")?;
        // Its ε is a square, as in the files of earlier runs.
        let reference = Brownian::with_sigma(variance.sqrt())?;
        let bridge = NeuralBridge::untrained(Frame::identity(dim), reference, settings.steps);
        let (plans, problem) = (Arc::default(), Problem::none());
        Ok(Self { settings, ends, image, frame, bridge, learned: 0, plans, problem, rng })
    }

    /// The same for the state cost and the base drift of `problem`, in data units.
    ///
    /// # Errors
    /// [`Error::Setting`] where the settings find no paths, [`Error::Shape`] for another dimension.
    pub fn with_problem(mut self, problem: &Problem) -> Result<Self> {
        if self.settings.paths.is_none() {
            let fix = "only paths that are found can have a state cost";
            return Err(Error::setting("paths", "given with a state cost", "none", fix));
        }
        problem.cost.require_dim(self.bridge.frame.means[0].len())?;
        self.problem = framed(problem, &self.frame);
        Ok(self)
    }

    /// The half-bridge to learn next, if one is left.
    pub fn next(&self) -> Option<HalfBridge> {
        (self.learned < self.settings.half_bridges).then(|| HalfBridge::new(self.learned))
    }

    /// Half-bridges learned.
    pub fn learned(&self) -> usize {
        self.learned
    }

    /// Entropic plans made for starting pairs so far.
    pub fn plans(&self) -> PlanCount {
        self.plans.count()
    }

    /// The bridge as far as it is learned, in data units.
    pub fn bridge(&self) -> NeuralBridge {
        NeuralBridge { frame: self.frame.clone(), ..self.bridge.clone() }
    }

    /// Continues from what [`bridge`](Self::bridge) was after `learned` half-bridges.
    pub fn continue_from(&mut self, bridge: NeuralBridge, learned: usize) {
        // Frame and reference follow from the data, to the last bit.
        let (frame, reference) = (self.bridge.frame.clone(), self.bridge.reference);
        self.bridge = NeuralBridge { frame, reference, ..bridge };
        self.learned = learned;
    }

    /// The drift of `direction` between Gaussians of the same covariances, where it is taken out of what is learned.
    fn gaussian_drift(&self, direction: Direction) -> Result<Option<GaussianDrift>> {
        let dim = self.ends[0].dims()[1];
        let AlternationSettings { known_drift, net, .. } = &self.settings;
        if !known_drift || net.mixture.is_some() || self.image.is_some() || dim > MAX_AXES {
            return Ok(None);
        }
        let epsilon = self.bridge.reference.epsilon();
        GaussianDrift::between(self.ends.each_ref(), epsilon, direction).map(Some)
    }

    /// A module of the settings' size for `direction`, with weights from `rng`.
    fn module(&self, direction: Direction, rng: &mut Rng) -> DriftNet {
        let device = self.ends[0].device();
        if let Some(MixtureSettings { components, initial_variance }) = self.settings.net.mixture {
            let target = self.start_of(direction.reversed());
            let centres = select_rows(target, &rng.indices(components, target.dims()[0]));
            let epsilon = self.bridge.reference.epsilon();
            return DriftNet::Mixture(MixtureDrift::new(centres, initial_variance, epsilon, direction));
        }
        DriftNet::new(self.ends[0].dims()[1], self.image, &self.settings.net, rng, &device)
    }

    /// Learns the next half-bridge by way of `train`, which is given the network to start from, what to regress it on
    /// and a stream of randomness.
    ///
    /// # Errors
    /// What `train` returns, or [`Error::Setting`] for an ε the starting pairs cannot be made with.
    ///
    /// # Panics
    /// If none is left.
    pub fn learn<E: From<Error>>(
        &mut self,
        train: impl FnOnce(HalfBridge, DriftNet, &mut DriftRegression, &Rng) -> std::result::Result<DriftNet, E>,
    ) -> std::result::Result<(), E> {
        let half = self.next().expect("asked only while one is left");
        let rng = self.rng.fork(&format!("half-bridge {}", half.number));
        let (gaussian, net) = match self.bridge.way(half.direction) {
            Way { gaussian, net: Some(net), .. } => (gaussian.clone(), net.clone()),
            _ => (self.gaussian_drift(half.direction)?, self.module(half.direction, &mut rng.fork("init"))),
        };
        let mut regression =
            DriftRegression::new(self.examples(half)?, gaussian.clone(), rng.fork("examples"));
        if self.settings.paths.is_some() {
            // Before the first step, whose time is measured.
            regression.prepare(0);
        }
        let learned = train(half, net, &mut regression, &rng.fork("fit"))?;
        let mut way = Way::untrained(&self.bridge.reference, self.settings.steps);
        if self.settings.step_variance == StepVariance::Matched {
            let matched = regression.step_variances(&learned, self.settings.steps);
            let of_step = |variances: Vec<f64>| variances.into_iter().map(|q| q as f32).collect();
            way.step_variances = matched.into_iter().map(of_step).collect();
        }
        self.bridge.set_way(half.direction, Way { gaussian, net: Some(learned), ..way });
        self.learned += 1;
        Ok(())
    }

    /// Learns the next half-bridge without an observer.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the numbers go bad, and as [`learn`](Self::learn).
    ///
    /// # Panics
    /// If none is left.
    pub fn learn_silently(&mut self) -> Result<()> {
        let fit = self.settings.fit.clone();
        self.learn(|_, net, regression, rng| run_silently(Trainer::new(net, fit, rng.clone())?, regression))
    }

    /// Learns all half-bridges that are left, without an observer.
    ///
    /// # Errors
    /// As [`learn_silently`](Self::learn_silently).
    pub fn run(mut self) -> Result<NeuralBridge> {
        while self.next().is_some() {
            self.learn_silently()?;
        }
        Ok(self.bridge())
    }

    /// What half-bridge `half` is regressed on.
    fn examples(&self, half: HalfBridge) -> Result<Box<dyn Examples>> {
        let AlternationSettings { steps, .. } = self.settings;
        let walked = half.direction.reversed();
        let (bridge, starts) = (Arc::new(self.bridge.clone()), self.start_of(walked).clone());
        let step_target = match self.settings.target {
            Target::Mean => StepTarget::Mean,
            Target::State => StepTarget::State,
            Target::Bridge if self.settings.paths.is_some() => return self.charged_paths(half),
            Target::Bridge => {
                let (coupling, count, uses) = self.pairs(half)?;
                let reference = self.bridge.reference;
                let matching = BridgeMatching::new(coupling, reference, half.direction, steps, (count, uses));
                let is_of_family = self.settings.net.mixture.is_some();
                return Ok(Box::new(if is_of_family { matching.weighted_evenly() } else { matching }));
            }
        };
        let dim = starts.dims()[1];
        let count = self.settings.paths(dim);
        Ok(Box::new(PathMatching::new(bridge, walked, starts, step_target, count)))
    }

    /// Paths of least cost, for half-bridge `half`.
    fn charged_paths(&self, half: HalfBridge) -> Result<Box<dyn Examples>> {
        let direction = half.direction.reversed();
        let walked = match half.number {
            0 => Walked::Straight(self.ends.clone()),
            _ => Walked::Along(Arc::new(self.bridge.clone()), direction, self.start_of(direction).clone()),
        };
        let count = self.settings.pairs(self.ends[0].dims()[1]);
        let units = (self.bridge.reference.epsilon(), self.frame.scale);
        let paths = self.settings.paths.clone().unwrap_or_default();
        let walk = (half.direction, self.settings.steps);
        let uses = self.settings.uses_of_paths(count);
        Ok(Box::new(ConditionalMatching::new(
            walked,
            self.problem.clone(),
            units,
            paths,
            walk,
            (count, uses),
        )?))
    }

    /// Pairs of ends for half-bridge `half`, how many are held, and how often each is used.
    fn pairs(&self, half: HalfBridge) -> Result<(Box<dyn Coupling>, usize, usize)> {
        let [source, target] = self.ends.clone();
        let count = self.settings.pairs(source.dims()[1]);
        let uses = self.settings.cache.uses;
        // The first iteration learns both directions from the same pairs; the reference starts at one end only.
        let is_first = half.number < 2;
        Ok(match self.settings.start {
            StartingPairs::Independent if is_first => (Box::new(Independent { source, target }), count, 1),
            StartingPairs::Entropic if is_first => {
                let epsilon = self.bridge.reference.epsilon();
                let coupling = Entropic::new(source, target, epsilon, self.plans.clone())?;
                (Box::new(coupling), count, self.settings.uses_of_plans(count).max(uses))
            }
            _ => {
                let direction = half.direction.reversed();
                let starts = self.start_of(direction).clone();
                (
                    Box::new(Simulated { bridge: Arc::new(self.bridge.clone()), direction, starts }),
                    count,
                    uses,
                )
            }
        })
    }

    fn start_of(&self, direction: Direction) -> &Tensor<2> {
        let [start, _] = direction.along([&self.ends[0], &self.ends[1]]);
        start
    }
}
