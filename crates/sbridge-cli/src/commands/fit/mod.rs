//! `sbridge fit METHOD`: train a bridge on data; one file for the methods of each task.

mod between;
mod crowd;
mod density;
mod latent;
mod paired;
mod quantum;
mod variational;

use clap::Subcommand;
use sbridge_run::models::bridge::PairMethod;

use crate::session::{Result, Session};
use between::FitBetween;
use crowd::FitCrowd;
use density::FitDensity;
use latent::FitLatent;
use paired::FitPaired;
use quantum::FitQuantum;
use variational::FitVariational;

#[derive(Subcommand, Debug)]
pub(crate) enum Method {
    /// Latent Schrödinger bridge: encode, bridge smoothed codes to codes, decode
    Latent(Box<FitLatent>),
    /// Bridge between two data sets, by Gaussian-mixture potentials: seconds, no networks
    LightSb(FitBetween),
    /// The same by bridge matching with mixture potentials, on any pairs
    LightSbM(FitBetween),
    /// The same by bridge matching: networks, both ways in turn (iterative Markovian fitting)
    Dsbm(FitBetween),
    /// The same by score and flow matching on pairs of an entropic plan: networks, each trained once
    Sf2m(FitBetween),
    /// The same by iterative proportional fitting, mean matching
    Dsb(FitBetween),
    /// The same by iterative proportional fitting, state matching
    Sdsb(FitBetween),
    /// Score-based model: the first half-bridge of dsb, from target back to source
    Sgm(FitBetween),
    /// Variational Schrödinger diffusion: generates one set from noise; the noising is fitted to its scales and correlations
    Vsdm(FitVariational),
    /// Sampler of an unnormalised density: draws, ln Z and a warning, by a learned diffusion
    Density(FitDensity),
    /// Bridge that pays for where it goes: round obstacles, keeping its distance, on a surface, where data lie
    Crowd(FitCrowd),
    /// Bridge between the members of pairs: restores or translates, from the damaged sample to the clean one
    Paired(FitPaired),
    /// Quantum states that stay states: generated, or one ensemble joined with another, by the mirror map of the entropy
    Quantum(Box<FitQuantum>),
}

impl Method {
    pub(crate) fn run(&self, session: &Session) -> Result {
        match self {
            Self::Latent(fit) => fit.run(session),
            Self::LightSb(fit) => fit.run(PairMethod::LightSb, session),
            Self::LightSbM(fit) => fit.run(PairMethod::LightSbM, session),
            Self::Dsbm(fit) => fit.run(PairMethod::Dsbm, session),
            Self::Sf2m(fit) => fit.run(PairMethod::Sf2m, session),
            Self::Dsb(fit) => fit.run(PairMethod::Dsb, session),
            Self::Sdsb(fit) => fit.run(PairMethod::Sdsb, session),
            Self::Sgm(fit) => fit.run(PairMethod::Sgm, session),
            Self::Vsdm(fit) => fit.run(session),
            Self::Density(fit) => fit.run(session),
            Self::Crowd(fit) => fit.run(session),
            Self::Paired(fit) => fit.run(session),
            Self::Quantum(fit) => fit.run(session),
        }
    }
}
