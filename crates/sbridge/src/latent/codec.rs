//! An encoder and a decoder, with the units on either side of them.

use crate::codec::Codec;
use crate::latent::scaling::{DataScaling, Normalisation, Normaliser};
use crate::net::Autoencoder;
use crate::tensor::{Tensor, map_rows};

/// From samples to normalised codes, and back.
#[derive(Clone, Debug)]
pub struct LatentCodec {
    /// Into and out of the networks' units.
    pub scaling: DataScaling,
    /// Encoder and decoder.
    pub autoencoder: Autoencoder,
    /// Into and out of the bridge's units.
    pub normaliser: Normaliser,
}

impl LatentCodec {
    /// A trained autoencoder with the units of codes measured on `rows`, `[count, size]` in data units; and their codes.
    pub fn measured(
        autoencoder: Autoencoder,
        scaling: DataScaling,
        normalisation: Normalisation,
        rows: &Tensor<2>,
    ) -> (Self, Tensor<2>) {
        let raw = encode(&autoencoder, &scaling, rows);
        let normaliser = Normaliser::of_codes(&raw, normalisation);
        let codes = normaliser.apply(raw);
        (Self { scaling, autoencoder, normaliser }, codes)
    }

    /// Samples in the networks' units from normalised codes, without a clip, `[count, size]`.
    pub fn decode_scaled(&self, codes: &Tensor<2>) -> Tensor<2> {
        map_rows(codes, |z| self.autoencoder.decode(self.normaliser.undo(z)))
    }
}

impl Codec for LatentCodec {
    /// `[count, size]` in data units.
    type Samples = Tensor<2>;

    /// Normalised codes: the encoder's means, `[count, dim]`.
    fn encode(&self, rows: &Tensor<2>) -> Tensor<2> {
        self.normaliser.apply(encode(&self.autoencoder, &self.scaling, rows))
    }

    /// Samples in data units, images clipped to their range, `[count, size]`.
    fn decode(&self, codes: &Tensor<2>) -> Tensor<2> {
        map_rows(codes, |z| self.scaling.undo(self.autoencoder.decode(self.normaliser.undo(z))))
    }
}

fn encode(autoencoder: &Autoencoder, scaling: &DataScaling, rows: &Tensor<2>) -> Tensor<2> {
    map_rows(rows, |x| autoencoder.encode(scaling.apply(x)).mean)
}
