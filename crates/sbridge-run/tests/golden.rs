//! A run recorded long ago: it is still read, and still gives the numbers it gave then.
//!
//! `golden/run` is the folder of a finished run on `builtin:moons?n=60` without encoder, cut to what
//! sampling and resuming need; `golden/before-checksums.safetensors` is its model as it was written
//! before files had checksums.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use sbridge::latent::LatentModel;
use sbridge::net::{load_weights, weights_of};
use sbridge::tensor::{Device, open_device, to_vec};
use sbridge_run::folder::{RunFolder, checkpoint, tensor_file};
use sbridge_run::task::{Generator as _, Run};
use sbridge_run::tasks::latent::{Latent, file};
use sbridge_run::{Context, Registry, RunError};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn open() -> Run<Latent> {
    Run::open(RunFolder::open(&golden("run")).unwrap(), &Context::default()).unwrap()
}

/// Six samples with seed 7, row after row.
const RECORDED: [f32; 12] = [
    -2.8683877,
    2.1983457,
    -2.403852,
    -0.8085116,
    2.4339526,
    -1.7042214,
    0.7855996,
    -0.75322497,
    -0.31925932,
    -0.13497284,
    2.254244,
    -0.22877023,
];

fn assert_as_recorded(model: LatentModel) {
    let run = Run { learned: Latent { model }, ..open() };
    let samples = to_vec(run.generate(6, &[], 7).unwrap());
    // Matrix products round as the machine does, and twenty steps carry that on.
    let is_close = samples.iter().zip(RECORDED).all(|(sample, recorded)| (sample - recorded).abs() < 1e-4);
    assert!(is_close && samples.len() == RECORDED.len(), "{samples:?}");
}

#[test]
fn samples_are_those_that_were_recorded() {
    assert_as_recorded(open().learned.model);
}

#[test]
fn a_model_from_before_checksums_gives_the_same_samples() {
    let device = open_device("cpu").unwrap();
    assert_as_recorded(file::load(&golden("before-checksums.safetensors"), &device).unwrap());
}

#[test]
fn the_recorded_checkpoint_is_read() {
    let path = open().folder.checkpoint("score");
    let state = checkpoint::load(&path, &Context::default()).unwrap().unwrap();
    // Patience ended training here; the optimiser has three arrays for each of the network's.
    assert_eq!((state.step, state.rate_factor), (65, 1.0));
    assert!(state.best.is_some_and(|best| best.step < 65 && best.loss.is_finite()));
    assert_eq!(state.adam.first.len(), state.weights.len());
}

#[test]
fn paths_of_a_broken_score_are_refused_not_written() {
    let mut run = open();
    let model = &mut run.learned.model;
    let mut weights = weights_of(&model.predictor);
    weights.values_mut().for_each(|(_, values)| values.fill(f32::NAN));
    model.predictor = load_weights(model.predictor.clone(), weights).unwrap();
    let error = run.generate(6, &[], 7).unwrap_err();
    assert!(matches!(error, RunError::PathsDiverged { diverged: 6, count: 6 }), "{error}");
    assert_eq!(error.exit_code(), 3);
}

/// The refusal of the recorded run with `old` in its manifest replaced by `new`.
fn refusal(old: &str, new: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let manifest = fs::read_to_string(golden("run/manifest.json")).unwrap();
    assert!(manifest.contains(old));
    fs::write(folder.path().join("manifest.json"), manifest.replace(old, new)).unwrap();
    let opened = Registry::default().open(folder.path(), &Context::default());
    let Err(error) = opened else { panic!("{new} was opened") };
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn runs_that_would_be_misread_are_refused_with_the_reason() {
    let newer = refusal("\"format\": 1", "\"format\": 3");
    assert!(newer.contains("of format 3, this program reads formats 1 and 2"), "{newer}");
    let other = refusal("\"method\": \"latent\"", "\"method\": \"flow\"");
    assert!(other.contains("of method \"flow\", which this program does not know"), "{other}");
    let damaged = refusal("\"format\": 1,", "\"format\":");
    assert!(damaged.contains("manifest.json cannot be read"), "{damaged}");
    let empty = tempfile::tempdir().unwrap();
    let none = RunFolder::open(empty.path()).unwrap_err().to_string();
    assert!(none.contains("is not a run folder"), "{none}");
}

#[test]
fn a_file_that_describes_more_than_it_holds_is_refused_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let (arrays, description) =
        tensor_file::load::<serde_json::Value>(Path::new("tests/golden/run/model.safetensors")).unwrap();
    for (pointer, value) in [
        ("/bridge/net/width", 1u64 << 40),
        ("/bridge/net/blocks", 1 << 50),
        ("/bridge/net/time_features", 1 << 60),
        ("/bridge/net/width", 0),
        ("/kind/dim", 1 << 45),
    ] {
        let mut hostile = description.clone();
        *hostile.pointer_mut(pointer).unwrap() = value.into();
        tensor_file::save(&path, &arrays, &hostile).unwrap();
        let Err(refusal) = file::load(&path, &Device::flex()) else { panic!("{pointer} = {value} was read") };
        assert!(refusal.to_string().contains("is damaged"), "{pointer} = {value}: {refusal}");
    }
}
