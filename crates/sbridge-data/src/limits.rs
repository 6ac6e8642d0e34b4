//! How much memory reading may take, decided before it is allocated.

/// Bytes that one compressed byte may expand to.
const MAX_EXPANSION: u64 = 256;
/// Bytes that anything compressed may expand to.
const FREE_EXPANSION: u64 = 64 << 20;

/// Bounds on what a source may expand to.
///
/// They hold for what a header *claims* and for what a compressed file *turns out* to hold, so
/// neither a damaged header nor a decompression bomb can exhaust the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of values after decoding, 4 each, or 8 where f32 does not hold them. Default 4 GiB, about 1.4 million
    /// 28×28 images.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 4 << 30 }
    }
}

impl Limits {
    /// Bytes a file may take, plain or decompressed, before decoding.
    ///
    /// Twice the decoded limit, because the widest element (8 bytes) halves when f32 holds it,
    /// and 64 KiB for headers.
    pub(crate) fn max_file_bytes(&self) -> u64 {
        self.max_bytes.saturating_mul(2).saturating_add(64 << 10)
    }

    /// Bytes that `packed` compressed bytes may expand to.
    ///
    /// DEFLATE packs up to 1032 zeros into a byte; data worth learning from stay far below
    /// [`MAX_EXPANSION`], and what is small may be as dull as it likes.
    pub(crate) fn max_expanded_bytes(&self, packed: u64) -> u64 {
        self.max_file_bytes().min(packed.saturating_mul(MAX_EXPANSION).max(FREE_EXPANSION))
    }

    /// The number of values that fit.
    pub(crate) fn max_values(&self) -> u64 {
        self.max_bytes / size_of::<f32>() as u64
    }
}
