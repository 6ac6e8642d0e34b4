//! What is known of latent Schrödinger bridge diffusion, measured.
//!
//! First the sampler with exact scores, against closed forms; then trained networks, whose rates have only
//! bounds; last a whole model, against the end-to-end inequality.

mod ambient_dimension;
mod decoder_scale;
mod inequality;
mod laws;
mod marginals;
mod memorising;
mod pretraining_size;
mod sample_size;
mod samplers;
mod shift;
mod start_law;
mod steps;
mod stopping;
mod training;

use super::OwnQuestions;

/// The studies in the order of the report.
pub(super) const STUDIES: OwnQuestions = &[
    ("marginals", marginals::study),
    ("steps", steps::study),
    ("samplers", samplers::study),
    ("stopping", stopping::study),
    ("start-law", start_law::study),
    ("memorising", memorising::study),
    ("decoder-scale", decoder_scale::study),
    ("sample-size", sample_size::study),
    ("ambient-dimension", ambient_dimension::study),
    ("pretraining-size", pretraining_size::study),
    ("shift", shift::study),
    ("inequality", inequality::study),
];
