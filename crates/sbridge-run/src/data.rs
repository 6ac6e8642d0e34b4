//! Samples of a run: put on a device, split into a part to train on and a part to watch, brought into units.

use sbridge::latent::DataScaling;
use sbridge::net::AutoencoderKind;
use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor, from_rows, select_rows};
use sbridge_data::{Dataset, ElementType, SampleShape};

use crate::error::{Result, RunError};
use crate::settings::Encoder;

/// Held-out samples, at most.
const MAX_HELD_OUT: usize = 2000;

/// Training samples below which nothing can be learned.
pub(crate) const MIN_SAMPLES: usize = 16;

/// Samples set aside of `count`, for a share of them.
pub(crate) fn held_out_count(count: usize, share: f64) -> usize {
    ((count as f64 * share).round() as usize).min(MAX_HELD_OUT)
}

/// A sample on a device, split into a part to train on and a part to watch.
pub struct Split {
    /// In data units, `[count, size]`.
    pub train: Tensor<2>,
    /// In data units, `[count, size]`, if anything was set aside.
    pub held_out: Option<Tensor<2>>,
    /// Positions of the training rows in the data set.
    pub train_rows: Vec<usize>,
}

impl Split {
    /// The samples set aside, or where there are none, those trained on.
    pub fn held_out_or_train(&self) -> &Tensor<2> {
        self.held_out.as_ref().unwrap_or(&self.train)
    }

    /// The same rows as `map` makes them.
    #[must_use]
    pub(crate) fn map(&self, map: impl Fn(&Tensor<2>) -> Tensor<2>) -> Self {
        let train_rows = self.train_rows.clone();
        Self { train: map(&self.train), held_out: self.held_out.as_ref().map(map), train_rows }
    }

    /// Sets a share of `data` aside at random.
    pub fn new(data: &Dataset, share: f64, rng: &Rng, device: &Device) -> Self {
        let mut order = rng.fork("split").permutation(data.len());
        let train_rows = order.split_off(held_out_count(data.len(), share));
        let rows = rows(data, device);
        Self {
            train: select_rows(&rows, &train_rows),
            held_out: (!order.is_empty()).then(|| select_rows(&rows, &order)),
            train_rows,
        }
    }
}

/// The kind of autoencoder for samples of this shape.
pub fn autoencoder_kind(shape: SampleShape) -> AutoencoderKind {
    match shape {
        SampleShape::Vector { dim } => AutoencoderKind::Vector { dim },
        SampleShape::Image { channels, height, width } => {
            AutoencoderKind::Image { shape: [channels, height, width] }
        }
    }
}

/// All samples of `data` on a device, `[count, size]`.
pub fn rows(data: &Dataset, device: &Device) -> Tensor<2> {
    from_rows(data.values(), data.shape().size(), device)
}

/// Checks that two data sets hold samples of one shape.
///
/// # Errors
/// [`RunError::Input`] if they do not.
pub fn require_same_shape(samples: &Dataset, reference: &Dataset) -> Result<()> {
    if samples.shape().agrees_with(&reference.shape()) {
        return Ok(());
    }
    Err(RunError::Input(format!(
        "{} holds samples of {}, {} of {} (compare data of one shape)",
        samples.source(),
        samples.shape(),
        reference.source(),
        reference.shape()
    )))
}

/// How samples are brought into the networks' units.
pub fn scaling(data: &Dataset, train: &Tensor<2>, encoder: Encoder, device: &Device) -> DataScaling {
    match (data.shape(), encoder) {
        (SampleShape::Image { .. }, _) => {
            let (low, high) = image_range(data);
            DataScaling::of_images(data.shape().size(), low, high, device)
        }
        (SampleShape::Vector { .. }, Encoder::Trained) => DataScaling::of_vectors(train),
        // Codes are used as they come; normalisation is the bridge's.
        (SampleShape::Vector { dim }, Encoder::Identity) => {
            let mut scaling = DataScaling::of_vectors(train);
            scaling.offset = Tensor::zeros([1, dim], device);
            scaling.scale = Tensor::ones([1, dim], device);
            scaling
        }
    }
}

/// How samples of two sets are brought into the units of one network, which sees `train`, rows of both.
pub fn common_scaling(sets: [&Dataset; 2], train: &Tensor<2>) -> DataScaling {
    if !sets[0].shape().is_image() {
        return DataScaling::of_vectors(train);
    }
    let [(a, b), (c, d)] = sets.map(image_range);
    DataScaling::of_images(sets[0].shape().size(), a.min(c), b.max(d), &train.device())
}

/// Black and white of an image format, or the observed range where the format has none.
pub fn image_range(data: &Dataset) -> (f64, f64) {
    let (low, high) = data.value_range();
    match data.dtype() {
        ElementType::U8 => (0.0, 255.0),
        ElementType::U16 if high > 255.0 => (0.0, 65535.0),
        _ if low >= 0.0 && high <= 1.0 => (0.0, 1.0),
        _ => (f64::from(low), f64::from(high)),
    }
}
