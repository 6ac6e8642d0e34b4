//! A file in memory, decompressed if it is gzip, within the limits.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::dataset::digest_of_bytes;
use crate::reading::Reading;
use crate::{DataError, Result};

/// The content of a file, and the digest of the file as it lies on disk.
pub(crate) struct FileBytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sha256: String,
}

/// Reads a file whole; gzip is told by its first two bytes and undone.
///
/// # Errors
/// When it is no regular file, is empty, cannot be read, is damaged gzip, or passes the limits.
pub(crate) fn read_file(path: &Path, reading: &Reading) -> Result<FileBytes> {
    let raw = read_raw(path, reading)?;
    let sha256 = digest_of_bytes(&raw);
    let bytes = if raw.starts_with(&[0x1f, 0x8b]) { inflate(&raw, reading)? } else { raw };
    Ok(FileBytes { bytes, sha256 })
}

fn read_raw(path: &Path, reading: &Reading) -> Result<Vec<u8>> {
    let metadata = fs::metadata(path).map_err(|cause| reading.unreadable(cause))?;
    // A device or a pipe could block for ever or never end.
    if !metadata.is_file() {
        return Err(reading.unsupported("not a regular file", "give a file or a folder of images"));
    }
    if metadata.len() == 0 {
        return Err(
            reading.malformed(format!("{} has 0 bytes", path.display()), "write or download it again")
        );
    }
    let limit = reading.limits.max_file_bytes();
    if metadata.len() > limit {
        return Err(reading.too_large(format!("the file has {} bytes", metadata.len()), limit));
    }
    let mut raw = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    let file = File::open(path).map_err(|cause| reading.unreadable(cause))?;
    file.take(limit).read_to_end(&mut raw).map_err(|cause| reading.unreadable(cause))?;
    Ok(raw)
}

fn inflate(raw: &[u8], reading: &Reading) -> Result<Vec<u8>> {
    let bytes = expand(MultiGzDecoder::new(raw), raw.len() as u64, "the gzip data", reading, |cause| {
        reading.malformed(format!("damaged gzip data: {cause}"), "download or compress the file again")
    })?;
    if bytes.is_empty() {
        return Err(reading.malformed("the gzip data expands to 0 bytes", "compress the right file"));
    }
    Ok(bytes)
}

/// Decompresses what `packed` bytes hold, one byte past the limit at most.
///
/// # Errors
/// When `decoder` fails, as `damaged` words it, or there is more than so many bytes may expand to.
pub(crate) fn expand(
    decoder: impl Read,
    packed: u64,
    what: &str,
    reading: &Reading,
    damaged: impl FnOnce(io::Error) -> DataError,
) -> Result<Vec<u8>> {
    let limit = reading.limits.max_expanded_bytes(packed);
    let mut bytes = Vec::new();
    decoder.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(damaged)?;
    if bytes.len() as u64 <= limit {
        return Ok(bytes);
    }
    if limit == reading.limits.max_file_bytes() {
        return Err(reading.too_large(format!("{what} expands further than is read"), limit));
    }
    Err(reading.unsupported(
        format!("{what} expands from {packed} to more than {limit} bytes, as only a bomb or a blank does"),
        "decompress it yourself if it is sound, and give what comes out",
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::{DataError, Limits};

    #[test]
    fn a_decompression_bomb_is_refused_at_the_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 10 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        let limits = Limits { max_bytes: 1 << 20 };
        let refused = inflate(&bomb, &Reading { source: "bomb.gz", limits: &limits });
        assert!(matches!(refused, Err(DataError::TooLarge { .. })));
    }

    #[test]
    fn a_bomb_within_the_limit_is_refused_by_its_expansion() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        io::copy(&mut io::repeat(0).take(80 << 20), &mut encoder).unwrap();
        let bomb = encoder.finish().unwrap();
        let limits = Limits::default();
        let message =
            inflate(&bomb, &Reading { source: "bomb.gz", limits: &limits }).unwrap_err().to_string();
        assert!(
            message.contains("67108864 bytes") && message.contains("decompress it yourself"),
            "{message}"
        );
    }

    #[test]
    fn several_gzip_members_are_one_stream() {
        let member = |text: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        let limits = Limits::default();
        let both = [member(b"ab"), member(b"cd")].concat();
        assert_eq!(inflate(&both, &Reading { source: "x.gz", limits: &limits }).unwrap(), b"abcd");
    }
}
