//! Cross-entropy of a classifier.

use std::ops::Range;

use crate::net::Classifier;
use crate::objective::{Objective, mean_over_blocks};
use crate::rng::Rng;
use crate::tensor::{Int, Tensor, TensorData, activation, select_rows};

/// Cross-entropy on labelled images.
pub struct Classification {
    images: Tensor<2>,
    labels: Vec<u32>,
    held_out: (Tensor<2>, Vec<u32>),
}

impl Classification {
    /// Trains on `images` `[count, size]` with one label each below the number of classes, and
    /// watches `held_out`.
    pub fn new(images: Tensor<2>, labels: Vec<u32>, held_out: (Tensor<2>, Vec<u32>)) -> Self {
        Self { images, labels, held_out }
    }

    /// Share of held-out images whose largest logit is their label's.
    pub fn held_out_accuracy(&self, model: &Classifier) -> f64 {
        let (images, labels) = &self.held_out;
        let mut start = 0;
        mean_over_blocks(images, 256, |block| {
            let end = start + block.dims()[0];
            let labels = labels_tensor(&labels[start..end], &block);
            start = end;
            let guess = model.forward(block).argmax(1);
            guess.equal(labels).float().mean()
        })
    }
}

impl Objective for Classification {
    type Model = Classifier;

    fn loss(&self, model: &Classifier, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let chosen = rng.indices(rows.len(), self.labels.len());
        let images = select_rows(&self.images, &chosen).autodiff();
        let labels: Vec<u32> = chosen.iter().map(|&i| self.labels[i]).collect();
        cross_entropy(model, images, &labels)
    }

    /// Nothing stops a judge early, and its accuracy is what counts.
    fn held_out_loss(&self, _model: &Classifier, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

fn labels_tensor(labels: &[u32], like: &Tensor<2>) -> Tensor<2, Int> {
    let labels: Vec<i64> = labels.iter().map(|&l| i64::from(l)).collect();
    let shape = [labels.len(), 1];
    Tensor::from_data(TensorData::new(labels, shape), &like.device())
}

fn cross_entropy(model: &Classifier, images: Tensor<2>, labels: &[u32]) -> Tensor<1> {
    let labels = labels_tensor(labels, &images);
    let log_probabilities = activation::log_softmax(model.forward(images), 1);
    log_probabilities.gather(1, labels).mean().neg()
}
