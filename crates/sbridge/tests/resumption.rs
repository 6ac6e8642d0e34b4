//! Resumption: training that was interrupted, or went back after bad numbers, ends with the same bits.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::ops::Range;

use common::network::{denoising, net, short_fit};
use sbridge::Rng;
use sbridge::executor::{self, Observer, Outcome, Silent};
use sbridge::fit::{FitSettings, StepInfo, Trainer, TrainerState};
use sbridge::net::{NoisePredictor, weights_of};
use sbridge::objective::{DenoisingScore, Objective};
use sbridge::tensor::Tensor;

/// Asks to stop after so many steps, and notes what it saw.
struct StopAfter {
    steps: usize,
    kept: Option<TrainerState>,
    losses: Vec<f64>,
    recoveries: Vec<(usize, usize)>,
}

impl StopAfter {
    fn new(steps: usize) -> Self {
        Self { steps, kept: None, losses: Vec::new(), recoveries: Vec::new() }
    }
}

impl Observer for StopAfter {
    fn on_step(&mut self, info: &StepInfo) {
        self.losses.push(info.loss);
    }

    fn on_recovery(&mut self, step: usize, back_to: usize, _reason: &str) {
        self.recoveries.push((step, back_to));
    }

    fn keep(&mut self, state: &TrainerState) -> Result<(), String> {
        self.kept = Some(state.clone());
        Ok(())
    }

    fn is_interrupted(&self) -> bool {
        self.losses.len() >= self.steps
    }
}

/// A trainer of 240 steps: two snapshots on the way.
fn trainer_of(seed: u64, patience: usize) -> Trainer<NoisePredictor> {
    let settings = FitSettings { steps: 240, ..short_fit(patience) };
    Trainer::new(net(seed, 16), settings, Rng::new(2).fork("fit")).unwrap()
}

/// What `stop` kept, continued by a trainer of other weights.
fn resumed<O: Objective<Model = NoisePredictor>>(
    stop: StopAfter,
    patience: usize,
    objective: &mut O,
) -> (Trainer<NoisePredictor>, StopAfter) {
    let mut trainer = trainer_of(99, patience);
    trainer.restore(stop.kept.unwrap()).unwrap();
    let mut rest = StopAfter::new(usize::MAX);
    assert_eq!(executor::run(&mut trainer, objective, &mut rest), Outcome::Finished);
    (trainer, rest)
}

#[test]
fn resumed_training_equals_uninterrupted_training() {
    let mut objective = denoising(1000);
    for patience in [0, 39] {
        let mut whole = trainer_of(1, patience);
        let mut watching = StopAfter::new(usize::MAX);
        assert_eq!(executor::run(&mut whole, &mut objective, &mut watching), Outcome::Finished);

        let mut first = StopAfter::new(117);
        assert_eq!(
            executor::run(&mut trainer_of(1, patience), &mut objective, &mut first),
            Outcome::Interrupted
        );
        // What is kept is the last snapshot, not the present state.
        assert_eq!(first.kept.as_ref().unwrap().step, 100);
        let early = first.losses[..100].to_vec();
        let (resumed, second) = resumed(first, patience, &mut objective);

        assert_eq!([early, second.losses].concat(), watching.losses);
        assert_eq!(resumed.state(), whole.state());
        assert_eq!(weights_of(&resumed.finished()), weights_of(&whole.finished()));
        assert_eq!(whole.state().best.is_some(), patience > 0);
    }
}

/// An objective whose loss is not a number for some draws of the training stream.
struct Poisoned {
    sound: DenoisingScore,
    draws: Vec<u64>,
}

impl Poisoned {
    /// Poisons the draws of these numbers, counted from 0: one draw a step, whether taken or not.
    fn new(draws: &[usize]) -> Self {
        let mut stream = Rng::new(2).fork("fit");
        // A step takes two numbers of the stream, one for each part of the batch.
        let first = |_| [stream.seed(), stream.seed()][0];
        let all: Vec<u64> = (0..400).map(first).map(|seed| Rng::new(seed).seed()).collect();
        Self { sound: denoising(1000), draws: draws.iter().map(|&draw| all[draw]).collect() }
    }
}

impl Objective for Poisoned {
    type Model = NoisePredictor;

    fn loss(&self, model: &NoisePredictor, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let is_poison = self.draws.contains(&rng.clone().seed());
        let loss = self.sound.loss(model, rows, rng);
        if is_poison { loss * f64::NAN } else { loss }
    }

    fn held_out_loss(&self, model: &NoisePredictor, rng: &mut Rng) -> Option<f64> {
        self.sound.held_out_loss(model, rng)
    }
}

#[test]
fn training_recovers_once_and_resumes_around_it_to_the_same_bits() {
    let mut objective = Poisoned::new(&[150]);
    let mut whole = trainer_of(1, 0);
    let mut watching = StopAfter::new(usize::MAX);
    assert_eq!(executor::run(&mut whole, &mut objective, &mut watching), Outcome::Finished);
    assert_eq!(watching.recoveries, [(151, 100)]);
    assert_eq!((whole.state().step, whole.state().rate_factor), (240, 0.5));
    // Before the bad draw; between it and the next snapshot, here after 20 new steps; after that.
    for (stop, kept, rate_factor) in [(130, 100, 1.0), (170, 100, 1.0), (260, 200, 0.5)] {
        let mut first = StopAfter::new(stop);
        assert_eq!(executor::run(&mut trainer_of(1, 0), &mut objective, &mut first), Outcome::Interrupted);
        let state = first.kept.as_ref().unwrap();
        assert_eq!((state.step, state.rate_factor), (kept, rate_factor), "stopped after {stop}");
        assert_eq!(resumed(first, 0, &mut objective).0.state(), whole.state(), "stopped after {stop}");
    }
}

#[test]
fn a_second_bad_draw_ends_the_run_and_names_step_and_quantity() {
    // Draw 150 is step 151; from step 100 on, draw 220 is step 170.
    let outcome = executor::run(&mut trainer_of(1, 0), &mut Poisoned::new(&[150, 220]), &mut Silent);
    assert_eq!(outcome, Outcome::Diverged { reason: "step 170: the loss is NaN".into() });
}
