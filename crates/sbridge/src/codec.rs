//! What stands between samples and a bridge: samples become rows of numbers that may be any, and such rows samples again.
//!
//! A bridge joins rows and knows of no codec. An encoder of images is one, coordinates in which a reference is plain Brownian
//! motion are one, and the mirror map of quantum states is one. A codec of rows may stand behind another.
//!
//! Tests: none and two of them are what they are alone (`tests/quantum.rs`).

use crate::tensor::Tensor;

/// From samples to what a bridge joins, and back.
pub trait Codec {
    /// A batch of samples.
    type Samples;

    /// Codes of samples, `[count, dim]`.
    fn encode(&self, samples: &Self::Samples) -> Tensor<2>;

    /// Samples from any codes, `[count, dim]`.
    fn decode(&self, codes: &Tensor<2>) -> Self::Samples;
}

/// Where there is none, rows are joined as they are.
impl<C: Codec<Samples = Tensor<2>>> Codec for Option<C> {
    type Samples = Tensor<2>;

    fn encode(&self, rows: &Tensor<2>) -> Tensor<2> {
        self.as_ref().map_or_else(|| rows.clone(), |codec| codec.encode(rows))
    }

    fn decode(&self, codes: &Tensor<2>) -> Tensor<2> {
        self.as_ref().map_or_else(|| codes.clone(), |codec| codec.decode(codes))
    }
}

/// The second behind the first.
impl<A: Codec, B: Codec<Samples = Tensor<2>>> Codec for (A, B) {
    type Samples = A::Samples;

    fn encode(&self, samples: &A::Samples) -> Tensor<2> {
        self.1.encode(&self.0.encode(samples))
    }

    fn decode(&self, codes: &Tensor<2>) -> A::Samples {
        self.0.decode(&self.1.decode(codes))
    }
}
