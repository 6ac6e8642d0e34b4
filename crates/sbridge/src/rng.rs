//! Named random streams from one seed.
//!
//! A stream is ChaCha8 keyed by `SHA-256(parent key ‖ name)`; normal numbers come from a counter-based
//! generator that it seeds. Forking by name means that adding a consumer of randomness never shifts the
//! numbers another one sees, and a stream's place is one integer, so a run resumes where it stopped. The
//! tensor library's own generator is global and is never used.

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

use crate::tensor::{DType, Device, Tensor, TensorData};

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u8; 32],
    stream: ChaCha8Rng,
}

impl Rng {
    /// The root stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self::keyed(Sha256::digest(seed.to_le_bytes()).into())
    }

    fn keyed(key: [u8; 32]) -> Self {
        let stream = ChaCha8Rng::from_seed(key);
        Self { key, stream }
    }

    /// The stream called `name` below this one. It depends on the name and the seed alone, not on
    /// how much of this stream has been used.
    pub fn fork(&self, name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update(name.as_bytes());
        Self::keyed(hash.finalize().into())
    }

    /// How many 32-bit words have been drawn.
    pub fn position(&self) -> u128 {
        self.stream.get_word_pos()
    }

    /// Moves to a position that [`position`](Self::position) returned.
    pub fn seek(&mut self, position: u128) {
        self.stream.set_word_pos(position);
    }

    /// A seed for a library that wants one.
    pub fn seed(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// Standard normal numbers, in f32.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        self.normal_as(shape, DType::F32, device)
    }

    /// Standard normal numbers of the type and on the device of `like`, in its shape.
    pub fn normal_like<const D: usize>(&mut self, like: &Tensor<D>) -> Tensor<D> {
        self.normal_as(like.dims(), like.dtype(), &like.device())
    }

    fn normal_as<const D: usize>(&mut self, shape: [usize; D], dtype: DType, device: &Device) -> Tensor<D> {
        let count = shape.iter().product();
        let mut values = vec![0f32; count];
        self.fill_normal(&mut values);
        Tensor::from_data(TensorData::new(values, shape), (device, dtype))
    }

    /// Fills `values` with standard normal numbers, which take one place of the stream together.
    pub fn fill_normal(&mut self, values: &mut [f32]) {
        sbridge_kernels::fill_normal(self.seed(), values);
    }

    /// Numbers uniform on `[low, high)`.
    pub fn uniform(&mut self, count: usize, low: f64, high: f64) -> Vec<f64> {
        let width = high - low;
        (0..count).map(|_| low + width * self.stream.random::<f64>()).collect()
    }

    /// `count` indices drawn uniformly from `0..below`, with replacement.
    pub fn indices(&mut self, count: usize, below: usize) -> Vec<usize> {
        (0..count).map(|_| self.stream.random_range(0..below)).collect()
    }

    /// `count` indices from `0..below` in random order, none more than once more often than another.
    pub fn epochs(&mut self, count: usize, below: usize) -> Vec<usize> {
        let rounds = count.div_ceil(below);
        let mut indices: Vec<usize> = (0..rounds).flat_map(|_| self.permutation(below)).collect();
        indices.truncate(count);
        indices
    }

    /// A uniformly random order of `0..count`.
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            order.swap(i, self.stream.random_range(0..=i));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(mut rng: Rng) -> Vec<f64> {
        rng.uniform(4, 0.0, 1.0)
    }

    #[test]
    fn same_seed_and_name_give_the_same_stream() {
        assert_eq!(draws(Rng::new(7).fork("a")), draws(Rng::new(7).fork("a")));
    }

    #[test]
    fn names_and_seeds_separate_streams() {
        let root = Rng::new(7);
        assert_ne!(draws(root.fork("a")), draws(root.fork("b")));
        assert_ne!(draws(Rng::new(7)), draws(Rng::new(8)));
    }

    #[test]
    fn a_fork_does_not_depend_on_what_its_parent_drew() {
        let mut root = Rng::new(7);
        let before = draws(root.fork("a"));
        root.indices(10, 3);
        assert_eq!(before, draws(root.fork("a")));
    }

    #[test]
    fn seeking_to_a_position_continues_the_stream_exactly() {
        let mut rng = Rng::new(1).fork("noise");
        let mut values = [0f32; 37];
        rng.fill_normal(&mut values);
        let position = rng.position();
        rng.fill_normal(&mut values);
        let mut resumed = Rng::new(1).fork("noise");
        resumed.seek(position);
        let mut again = [0f32; 37];
        resumed.fill_normal(&mut again);
        assert_eq!(values, again);
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_unit_variance() {
        let mut values = vec![0f32; 100_000];
        Rng::new(3).fill_normal(&mut values);
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let var = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n;
        // 4.5 standard errors: 1/√n for the mean, √(2/n) for the variance.
        assert!(mean.abs() < 4.5 / n.sqrt(), "mean {mean}");
        assert!((var - 1.0).abs() < 4.5 * (2.0 / n).sqrt(), "variance {var}");
    }

    #[test]
    fn a_permutation_holds_every_index_once() {
        let mut order = Rng::new(5).permutation(100);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..100));
    }
}
