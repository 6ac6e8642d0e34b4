//! Samples of a run: put on a device, split into parts to train on, to stop by and to judge by, brought into units.

use sbridge::latent::DataScaling;
use sbridge::net::AutoencoderKind;
use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor, from_rows, head, select_rows};
use sbridge_data::{Dataset, ElementType, SampleShape};

use crate::error::{Result, RunError};
use crate::settings::{Encoder, Shares};

/// Samples of a part that is not trained on, at most.
const MAX_ASIDE: usize = 2000;

/// Training samples below which nothing can be learned.
pub(crate) const MIN_SAMPLES: usize = 16;

impl Shares {
    /// Samples of `count` that are held out, for validation, and left to train on.
    pub fn counts(&self, count: usize) -> [usize; 3] {
        let part = |share: f64| ((count as f64 * share).round() as usize).min(MAX_ASIDE);
        let [held_out, validation] = [part(self.held_out), part(self.validation)];
        [held_out, validation, count.saturating_sub(held_out + validation)]
    }
}

/// A sample on a device, in three parts drawn at random: one trains, one stops training, one judges.
pub struct Split {
    /// In data units, `[count, size]`, in random order.
    pub train: Tensor<2>,
    /// In data units, `[count, size]`, if anything was set aside to stop training by.
    pub validation: Option<Tensor<2>>,
    /// In data units, `[count, size]`, if anything was set aside to judge by.
    pub held_out: Option<Tensor<2>>,
    /// Positions of the training rows in the data set.
    pub train_rows: Vec<usize>,
}

impl Split {
    /// Cuts `data` at random.
    pub fn new(data: &Dataset, shares: Shares, rng: &Rng, device: &Device) -> Self {
        let [held_out, validation, _] = shares.counts(data.len());
        let mut order = rng.fork("split").permutation(data.len());
        let mut rest = order.split_off(held_out);
        let train_rows = rest.split_off(validation.min(rest.len()));
        let rows = rows(data, device);
        let part = |indices: &[usize]| (!indices.is_empty()).then(|| select_rows(&rows, indices));
        Self {
            train: select_rows(&rows, &train_rows),
            validation: part(&rest),
            held_out: part(&order),
            train_rows,
        }
    }

    /// Samples to show: those held out, or where there are none, those trained on.
    pub fn held_out_or_train(&self) -> &Tensor<2> {
        self.held_out.as_ref().unwrap_or(&self.train)
    }

    /// What is watched while something is learned: the samples for validation, or where there are none, some of those
    /// trained on. Those held out are seen by judges alone.
    pub fn watched(&self) -> &Tensor<2> {
        self.validation.as_ref().unwrap_or(&self.train)
    }

    /// Samples to judge by, and others of the same law to judge them beside: those held out and those trained on, or where
    /// none were held out, halves of these.
    pub fn judges_and_others(&self) -> [Tensor<2>; 2] {
        if let Some(held_out) = &self.held_out {
            return [held_out.clone(), self.train.clone()];
        }
        let [count, _] = self.train.dims();
        let judges = head(&self.train, count / 2);
        [judges, self.train.clone().narrow(0, count / 2, count - count / 2)]
    }

    /// The same rows as `map` makes them.
    #[must_use]
    pub(crate) fn map(&self, map: impl Fn(&Tensor<2>) -> Tensor<2>) -> Self {
        Self {
            train: map(&self.train),
            validation: self.validation.as_ref().map(&map),
            held_out: self.held_out.as_ref().map(map),
            train_rows: self.train_rows.clone(),
        }
    }
}

/// Positions of at most `count` samples of `data`, drawn without replacement, in random order; of samples with labels,
/// every class gives its share.
pub fn random_rows(data: &Dataset, count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order = rng.permutation(data.len());
    if count >= data.len() {
        return order;
    }
    if let Some(labels) = data.labels() {
        order.sort_by_key(|&row| labels[row]);
    }
    // Every so many-th of the sorted rows: as many of a class as its share, rounded up or down.
    let chosen: Vec<usize> = (0..count).map(|i| order[i * order.len() / count]).collect();
    rng.permutation(count).into_iter().map(|i| chosen[i]).collect()
}

/// Channels, height and width of samples of this shape, if they are images.
pub fn image_shape(shape: SampleShape) -> Option<[usize; 3]> {
    match shape {
        SampleShape::Vector { .. } => None,
        SampleShape::Image { channels, height, width } => Some([channels, height, width]),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sbridge::tensor::to_vec;

    use super::*;

    /// Samples 0, 1, 2, …, so that a row tells where it comes from.
    fn numbered(count: usize) -> Dataset {
        let values = (0..count).map(|x| x as f32).collect();
        Dataset::from_values("numbers", values, SampleShape::Vector { dim: 1 }).unwrap()
    }

    #[test]
    fn a_sample_is_cut_into_three_parts_that_share_no_row() {
        let (rng, device) = (Rng::new(3), Device::flex());
        let shares = Shares { held_out: 0.1, validation: 0.05 };
        let split = Split::new(&numbered(1000), shares, &rng, &device);
        let [train, validation, held_out] =
            [Some(&split.train), split.validation.as_ref(), split.held_out.as_ref()]
                .map(|part| to_vec(part.unwrap().clone()));
        assert_eq!([train.len(), validation.len(), held_out.len()], [850, 50, 100]);
        let mut all = [train, validation, held_out].concat();
        all.sort_by(f32::total_cmp);
        assert!(all.iter().enumerate().all(|(row, x)| *x == row as f32));
        // Another seed, other parts; no share, no part.
        let other = Split::new(&numbered(1000), shares, &Rng::new(4), &device);
        assert_ne!(other.train_rows, split.train_rows);
        let whole = Split::new(&numbered(50), Shares::default(), &rng, &device);
        assert!(whole.validation.is_none() && whole.held_out.is_none() && whole.train_rows.len() == 50);
    }

    #[test]
    fn rows_of_a_file_sorted_by_class_give_every_class_its_share() {
        let labels: Vec<u32> = (0..1000).map(|row| u32::from(row >= 900)).collect();
        let data = numbered(1000).with_labels(labels.clone()).unwrap();
        let chosen = random_rows(&data, 100, &mut Rng::new(1));
        let rare = chosen.iter().filter(|row| labels[**row] == 1).count();
        assert_eq!((chosen.len(), rare), (100, 10));
        let mut distinct = chosen.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 100);
        // In random order: the first half is not of one class only.
        assert!((1..10).contains(&chosen[..50].iter().filter(|row| labels[**row] == 1).count()));
        assert_eq!(random_rows(&data, 5000, &mut Rng::new(1)).len(), 1000);
    }
}
