//! Where samples are compared: the features of a classifier for labelled images, else the scaled
//! values themselves.

use crate::error::{Error, Result};
use crate::executor::{self, Observer, Outcome};
use crate::fit::{FitSettings, Trainer};
use crate::latent::DataScaling;
use crate::net::Classifier;
use crate::objective::Classification;
use crate::rng::Rng;
use crate::tensor::{Tensor, map_rows, points};

/// A space in which distances between samples mean something.
pub enum FeatureSpace {
    /// Values scaled as the networks see them.
    Scaled(DataScaling),
    /// Features of a classifier trained on the labelled training images.
    Classifier {
        /// Into the network's units.
        scaling: DataScaling,
        /// The network.
        net: Box<Classifier>,
        /// Share of held-out images it gets right.
        accuracy: f64,
    },
}

/// How the judging classifier is trained.
#[derive(Clone, Debug)]
pub struct ClassifierSettings {
    /// `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Gradient steps.
    pub steps: usize,
}

impl ClassifierSettings {
    /// Images in a gradient step.
    pub const BATCH_SIZE: usize = 128;
}

/// Images set aside to measure the classifier's accuracy, at most.
const MAX_ASSESSED: usize = 2000;

impl FeatureSpace {
    /// Trains the judging classifier on `images` (data units, `[count, size]`) with a label each.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the numbers go bad, [`Error::Interrupted`] if `observer` is interrupted.
    pub fn classifier(
        images: &Tensor<2>,
        labels: &[u32],
        scaling: DataScaling,
        settings: &ClassifierSettings,
        rng: &Rng,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let device = images.device();
        let count = images.dims()[0];
        let aside = (count / 20).min(MAX_ASSESSED);
        let scaled = |first, count| scaling.apply(images.clone().narrow(0, first, count));
        let held_out = (scaled(0, aside), labels[..aside].to_vec());
        let rest = scaled(aside, count - aside);
        let mut objective = Classification::new(rest, labels[aside..].to_vec(), held_out);
        let mut init = rng.fork("init");
        let net = Classifier::new(settings.shape, settings.classes, &mut init, &device);
        let fit = FitSettings {
            steps: settings.steps,
            batch_size: ClassifierSettings::BATCH_SIZE,
            learning_rate: 2e-3,
            weight_decay: 1e-2,
            clip_norm: 5.0,
            ema_decay: 0.99,
            patience: 0,
        };
        let mut trainer = Trainer::new(net, fit, rng.fork("fit"))?;
        match executor::run(&mut trainer, &mut objective, observer) {
            Outcome::Diverged { reason } => return Err(Error::Diverged(reason)),
            Outcome::Interrupted => return Err(Error::Interrupted),
            Outcome::Finished | Outcome::Unsaved { .. } => {}
        }
        let net = trainer.finished();
        let accuracy = objective.held_out_accuracy(&net);
        Ok(Self::Classifier { scaling, net: Box::new(net), accuracy })
    }

    /// Samples in data units, `[count, size]`, as points of this space.
    ///
    /// # Errors
    /// [`Error::Transport`] if a value is not finite.
    pub fn embed(&self, rows: &Tensor<2>) -> Result<sbridge_ot::Points> {
        let embedded = match self {
            Self::Scaled(scaling) => map_rows(rows, |x| scaling.apply(x)),
            Self::Classifier { scaling, net, .. } => map_rows(rows, |x| net.features(scaling.apply(x))),
        };
        points(&embedded)
    }
}
