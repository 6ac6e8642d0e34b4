//! One PNG or JPEG image as values in 0..255, channel by channel.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader};

use crate::Result;
use crate::dataset::digest_of_bytes;
use crate::reading::Reading;

/// More pixels than any PNG packs into a byte: DEFLATE makes 1032 bytes of one, each of 8 black or white
/// pixels.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 1032;

/// The size of an image, from its header alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// A decoded image.
pub(crate) struct Picture {
    /// 1 for grey, 3 for red, green, blue.
    pub(crate) channels: usize,
    /// `[channels, height, width]`, 0 is black and 255 is full.
    pub(crate) values: Vec<f32>,
    /// Whether the file has 16 bits per channel.
    pub(crate) is_16_bit: bool,
    /// Whether some pixel was not opaque and was blended over white.
    pub(crate) was_transparent: bool,
    /// SHA-256 of the file.
    pub(crate) sha256: String,
}

/// Reads the size and the number of channels without decoding the pixels.
///
/// # Errors
/// When the file is no regular file, has 0 bytes, has no image header, or has one that cannot be true.
pub(crate) fn read_header(path: &Path, reading: &Reading) -> Result<(Size, usize)> {
    let bytes = length(path, reading)?;
    let decoder = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|cause| reading.unreadable_file(path, &cause))?
        .into_decoder()
        .map_err(|cause| damaged(path, &cause, reading))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > bytes.saturating_mul(MAX_PIXELS_PER_BYTE) {
        return Err(reading.malformed(
            format!("{} claims {height}×{width} pixels in {bytes} bytes", path.display()),
            "remove it or save it again",
        ));
    }
    let channels = if decoder.color_type().has_color() { 3 } else { 1 };
    Ok((Size { height: height as usize, width: width as usize }, channels))
}

/// The length of a file that can be an image.
fn length(path: &Path, reading: &Reading) -> Result<u64> {
    let metadata = fs::metadata(path).map_err(|cause| reading.unreadable_file(path, &cause))?;
    let name = path.display();
    if !metadata.is_file() {
        return Err(reading.unsupported(format!("{name} is not a regular file"), "remove it from the folder"));
    }
    if metadata.len() == 0 {
        return Err(reading.malformed(format!("{name} has 0 bytes"), "remove it or save it again"));
    }
    let limit = reading.limits.max_file_bytes();
    if metadata.len() > limit {
        return Err(reading.too_large(format!("{name} has {} bytes", metadata.len()), limit));
    }
    Ok(metadata.len())
}

/// Decodes an image; alpha is blended over white, 16 bits are scaled to 0..255.
///
/// # Errors
/// When the pixels cannot be decoded or the size is no longer `size`.
pub(crate) fn decode(path: &Path, size: Size, reading: &Reading) -> Result<Picture> {
    let bytes = fs::read(path).map_err(|cause| reading.unreadable_file(path, &cause))?;
    let image = ImageReader::new(Cursor::new(&bytes))
        .with_guessed_format()
        .map_err(|cause| reading.unreadable_file(path, &cause))?
        .decode()
        .map_err(|cause| damaged(path, &cause, reading))?;
    if (image.height() as usize, image.width() as usize) != (size.height, size.width) {
        return Err(
            reading.malformed(format!("{} changed while it was read", path.display()), "read it again")
        );
    }
    let color = image.color();
    let depth = usize::from(color.bytes_per_pixel() / color.channel_count());
    let pixels = Pixels {
        samples: samples(&image, depth),
        per_pixel: usize::from(color.channel_count()),
        has_alpha: color.has_alpha(),
    };
    let (channels, values) = pixels.channel_major();
    Ok(Picture {
        channels,
        values,
        is_16_bit: depth == 2,
        was_transparent: pixels.is_transparent(),
        sha256: digest_of_bytes(&bytes),
    })
}

fn damaged(path: &Path, cause: &image::ImageError, reading: &Reading) -> crate::DataError {
    reading.malformed(
        format!("{} is not a sound PNG or JPEG image: {cause}", path.display()),
        "remove it or save it again",
    )
}

/// All samples in 0..255, pixel by pixel.
fn samples(image: &DynamicImage, depth: usize) -> Vec<f32> {
    let bytes = image.as_bytes();
    match depth {
        // 65535 / 257 = 255 exactly.
        2 => bytes.as_chunks().0.iter().map(|pair| f32::from(u16::from_ne_bytes(*pair)) / 257.0).collect(),
        _ => bytes.iter().map(|&byte| f32::from(byte)).collect(),
    }
}

/// Samples pixel by pixel, alpha last if there is one.
struct Pixels {
    samples: Vec<f32>,
    per_pixel: usize,
    has_alpha: bool,
}

impl Pixels {
    fn channel_major(&self) -> (usize, Vec<f32>) {
        let channels = self.per_pixel - usize::from(self.has_alpha);
        let values = (0..channels)
            .flat_map(|channel| self.samples.chunks_exact(self.per_pixel).map(move |pixel| (pixel, channel)));
        (channels, values.map(|(pixel, channel)| self.over_white(pixel, channel)).collect())
    }

    /// One channel of a pixel as it looks on white paper: α v + (1 − α) 255.
    fn over_white(&self, pixel: &[f32], channel: usize) -> f32 {
        if !self.has_alpha {
            return pixel[channel];
        }
        let alpha = pixel[self.per_pixel - 1] / 255.0;
        alpha * pixel[channel] + (1.0 - alpha) * 255.0
    }

    fn is_transparent(&self) -> bool {
        self.has_alpha
            && self.samples.chunks_exact(self.per_pixel).any(|pixel| pixel[self.per_pixel - 1] < 255.0)
    }
}
