//! One PNG or JPEG image as values in 0..255, channel by channel.

use std::fs::{self, File};
use std::io::{Cursor, Read as _};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader};

use crate::Result;
use crate::dataset::digest_of_bytes;
use crate::reading::Reading;

/// More pixels than any PNG packs into a byte: DEFLATE makes 1032 bytes of one, each of 8 black or white
/// pixels.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 1032;

/// The size of an image, from its header alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Whether EXIF data said how to turn or mirror it.
    pub(crate) was_turned: bool,
    /// SHA-256 of the file.
    pub(crate) sha256: String,
}

/// Reads the size and the number of channels without decoding the pixels.
///
/// # Errors
/// When the file is no regular file, has 0 bytes, has no image header, or has one that cannot be true.
pub(crate) fn read_header(path: &Path, reading: &Reading) -> Result<(Size, usize)> {
    let bytes = length(path, reading)?;
    let file = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|cause| reading.unreadable_file(path, &cause))?;
    refuse_other(path, reading)?;
    let mut decoder = file.into_decoder().map_err(|cause| damaged(path, &cause, reading))?;
    let (width, height) = upright(decoder.dimensions(), orientation(&mut decoder));
    if u64::from(width) * u64::from(height) > bytes.saturating_mul(MAX_PIXELS_PER_BYTE) {
        return Err(reading.malformed(
            format!("{} claims {height}×{width} pixels in {bytes} bytes", path.display()),
            "remove it or save it again",
        ));
    }
    let channels = if decoder.color_type().has_color() { 3 } else { 1 };
    Ok((Size { height: height as usize, width: width as usize }, channels))
}

/// An image as a map of brightness.
#[derive(Debug, Clone, PartialEq)]
pub struct GreyImage {
    /// Columns and rows.
    pub size: [usize; 2],
    /// Row by row from the top, 0 is black and 1 is white.
    pub values: Vec<f32>,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// Reads a PNG or JPEG image as a map of brightness; of colours the mean counts.
///
/// # Errors
/// When the file is no image, or is damaged, or too large.
pub(crate) fn read_grey(path: &Path, reading: &Reading) -> Result<GreyImage> {
    let (size, _) = read_header(path, reading)?;
    reading.admit(&[size.height as u64, size.width as u64, 3])?;
    let Picture { channels, values, sha256, .. } = decode(path, size, reading)?;
    let pixels = size.height * size.width;
    let brightness =
        |i: usize| (0..channels).map(|c| values[c * pixels + i]).sum::<f32>() / (255.0 * channels as f32);
    Ok(GreyImage { size: [size.width, size.height], values: (0..pixels).map(brightness).collect(), sha256 })
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
    let mut decoder = ImageReader::new(Cursor::new(&bytes))
        .with_guessed_format()
        .map_err(|cause| reading.unreadable_file(path, &cause))?
        .into_decoder()
        .map_err(|cause| damaged(path, &cause, reading))?;
    let orientation = orientation(&mut decoder);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|cause| damaged(path, &cause, reading))?;
    image.apply_orientation(orientation);
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
        was_turned: orientation != Orientation::NoTransforms,
        sha256: digest_of_bytes(&bytes),
    })
}

/// How the picture has to be turned to be seen upright; EXIF data that cannot be read say nothing.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

/// Width and height once the picture is upright.
fn upright((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    match orientation {
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => (height, width),
        _ => (width, height),
    }
}

/// Refuses what is something else under the name of an image, by what it begins with.
fn refuse_other(path: &Path, reading: &Reading) -> Result<()> {
    let mut first = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read(&mut first));
    let count = read.map_err(|cause| reading.unreadable_file(path, &cause))?;
    let (what, fix) = match &first[..count] {
        [b'G', b'I', b'F', b'8', ..] => ("a GIF picture", "save it as PNG"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            ("a WebP picture", "save it as PNG")
        }
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => ("a BMP picture", "save it as PNG"),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => ("a TIFF picture", "save it as PNG"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => ("a HEIF or AVIF picture or a film", "save it as PNG"),
        [b'%', b'P', b'D', b'F', ..] => ("a PDF document", "save its pictures as PNG"),
        [b'<', ..] => {
            ("HTML or other text, as a failed download leaves it", "download it again or remove it")
        }
        _ => return Ok(()),
    };
    Err(reading.unsupported(format!("{} is {what}, whatever its name says", path.display()), fix))
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
