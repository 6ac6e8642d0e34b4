//! Stages: the backward score on the kernels of the moment, then a step of the forward score on backward paths.  \[VSDM\]
//!
//! The forward score starts at the Schrödinger bridge of Gaussian data with the moments of ours, or where its updates rest
//! on such data (see [`Initial`](crate::solver::vsdm::Initial)), so that no warm-up is needed; later stages move it by what
//! the learned score says. The network goes on from stage to stage. Once the forward score rests, it is left alone, and
//! the network trained once more.

use crate::error::{Error, Result};
use crate::executor::run_silently;
use crate::fit::{FitSettings, Trainer};
use crate::rng::Rng;
use crate::solver::vsdm::forward_step::{self, Curvatures};
use crate::solver::vsdm::initial::initial_parts;
use crate::solver::vsdm::{
    Frame, Initial, ScoreData, ScoreMatching, StageRecord, VariationalModel, VsdmSettings,
};
use crate::tensor::Tensor;

/// Where the forward score has converged: its mismatch and its change are below this for so many stages on end.
const TOLERANCE: f32 = 1e-2;
const CONVERGED_STAGES: usize = 3;

/// What is known between two stages beside the model.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// The stages so far.
    pub stages: Vec<StageRecord>,
    /// Whether the training after the last of them is over.
    pub is_cooled_down: bool,
    /// Means of the curvatures at the steps of the forward score, of each interval and part; none unless steps
    /// are averaged.
    pub curvatures: Curvatures,
}

impl Learned {
    /// Whether the forward score has converged.
    fn has_converged(&self) -> bool {
        let steps = &self.stages[1.min(self.stages.len())..];
        steps.len() >= CONVERGED_STAGES
            && steps[steps.len() - CONVERGED_STAGES..]
                .iter()
                .all(|stage| stage.mismatch < TOLERANCE && stage.change < TOLERANCE)
    }
}

/// What to train next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Stage k, counted from 0.
    Stage(usize),
    /// The training after the last stage.
    CoolDown,
}

/// A variational diffusion between two stages.
pub struct Vsdm<D: ScoreData = Tensor<2>> {
    settings: VsdmSettings,
    data: D,
    held_out: Option<D>,
    model: VariationalModel<D::Net>,
    learned: Learned,
    /// Whether the forward score stays as it is.
    is_frozen: bool,
    rng: Rng,
}

impl<D: ScoreData> Vsdm<D> {
    /// Prepares to learn the law of the states of `data`.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, [`Error::Transport`] for states that are not finite, or fewer
    /// than two.
    pub fn new(data: D, settings: VsdmSettings, rng: Rng) -> Result<Self> {
        settings.check()?;
        let parts = initial_parts(&data.states(), &settings)?;
        let net = data.network(&settings.net, &mut rng.fork("init"));
        let model = VariationalModel { parts, t_min: settings.t_min, net };
        let learned = Learned::default();
        Ok(Self { settings, data, held_out: None, model, learned, is_frozen: false, rng })
    }

    /// Prepares an ordinary score model of the same network and training: A = 0 and b = 0 throughout.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn score_model(data: D, settings: VsdmSettings, rng: Rng) -> Result<Self> {
        let settings = VsdmSettings { initial: Initial::Zero, intervals: 1, ..settings };
        Ok(Self { is_frozen: true, ..Self::new(data, settings, rng)? })
    }

    /// The same, watched on data it does not learn from; with patience, a stage stops when these are learned no better.
    #[must_use]
    pub fn with_held_out(self, held_out: D) -> Self {
        Self { held_out: Some(held_out), ..self }
    }

    /// What to learn next, if anything is left.
    pub fn next(&self) -> Option<Next> {
        let stage = self.learned.stages.len();
        let is_left = stage < self.settings.stages && !self.learned.has_converged();
        let cools = !self.learned.is_cooled_down && self.settings.cooldown_steps > 0;
        is_left.then_some(Next::Stage(stage)).or(cools.then_some(Next::CoolDown))
    }

    /// How what is next is trained.
    pub fn fit(&self) -> FitSettings {
        let fit = self.settings.fit.clone();
        match self.next() {
            Some(Next::CoolDown) => FitSettings { steps: self.settings.cooldown_steps, ..fit },
            _ => fit,
        }
    }

    /// The model as far as it is learned.
    pub fn model(&self) -> &VariationalModel<D::Net> {
        &self.model
    }

    /// What is known beside it.
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Continues from what [`model`](Self::model) and [`learned`](Self::learned) were.
    pub fn continue_from(&mut self, model: VariationalModel<D::Net>, learned: Learned) {
        let own = std::mem::replace(&mut self.model, model);
        // The moments are those of the rows, to the last digit.
        self.model.parts.iter_mut().zip(own.parts).for_each(|(part, own)| part.data = own.data);
        self.learned = learned;
    }

    /// Learns what is next by way of `train`, which is given the network to start from, what to train it on and a
    /// stream of randomness.
    ///
    /// # Errors
    /// What `train` returns; [`Error::Transport`] if paths vary in no direction.
    ///
    /// # Panics
    /// If nothing is left.
    pub fn learn<E: From<Error>>(
        &mut self,
        train: impl FnOnce(D::Net, &mut ScoreMatching<'_, D>, &Rng) -> std::result::Result<D::Net, E>,
    ) -> std::result::Result<(), E> {
        let next = self.next().expect("asked only while something is left");
        let rng = match next {
            Next::Stage(stage) => self.rng.fork(&format!("stage {stage}")),
            Next::CoolDown => self.rng.fork("cool-down"),
        };
        let mut learned = self.learned.clone();
        match next {
            Next::CoolDown => learned.is_cooled_down = true,
            Next::Stage(stage) => {
                let change = match stage > 0 && !self.is_frozen {
                    true => {
                        self.step_forward_score(stage - 1, &mut learned.curvatures, &mut rng.fork("paths"))?
                    }
                    false => 0.0,
                };
                learned.is_cooled_down = false;
                learned.stages.push(StageRecord::of(&self.model, change)?);
            }
        }
        let nodes = self.settings.schedule.nodes_in_time(self.settings.t_min, self.settings.nodes);
        let frames = Frame::of(&self.model.with_nodes(&nodes)?, &self.data.states().device())?;
        let mut matching = ScoreMatching::new(&self.data, self.held_out.as_ref(), frames);
        self.model.net = train(self.model.net.clone(), &mut matching, &rng.fork("fit"))?;
        self.learned = learned;
        Ok(())
    }

    /// Learns what is next without an observer.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the numbers go bad, and as [`learn`](Self::learn).
    ///
    /// # Panics
    /// If nothing is left.
    pub fn learn_silently(&mut self) -> Result<()> {
        let fit = self.fit();
        self.learn(|net, matching, rng| run_silently(Trainer::new(net, fit, rng.clone())?, matching))
    }

    /// Learns all that is left, without an observer.
    ///
    /// # Errors
    /// As [`learn_silently`](Self::learn_silently).
    pub fn run(mut self) -> Result<VariationalModel<D::Net>> {
        while self.next().is_some() {
            self.learn_silently()?;
        }
        Ok(self.model)
    }

    /// Step `k` of the forward score; how far it moved.
    fn step_forward_score(&mut self, k: usize, curvatures: &mut Curvatures, rng: &mut Rng) -> Result<f64> {
        let moments = forward_step::moments_of_paths(&self.model, &self.data, &self.settings, rng)?;
        forward_step::step(&mut self.model.parts, moments, curvatures, k, &self.settings)
    }
}
