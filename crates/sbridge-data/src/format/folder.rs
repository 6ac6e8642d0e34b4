//! A folder of PNG and JPEG images of one size; subfolders are classes.
//!
//! The headers of all files are read first, so that a size that differs or a set that
//! is too large is found before any pixel is decoded.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::image::{Picture, Size, decode, read_header};
use super::listing::Listing;
use crate::dataset::Dataset;
use crate::element::ElementType;
use crate::kind::SourceKind;
use crate::layout::Contents;
use crate::reading::Reading;
use crate::{Result, SampleShape};

/// Reads all images below a folder.
///
/// # Errors
/// When there are no images, they differ in size, one of them is damaged, or they pass the limits.
pub(crate) fn read(folder: &Path, reading: &Reading) -> Result<Dataset> {
    let listing = Listing::of(folder, reading)?;
    let size = survey(&listing.images, reading)?;
    let pictures: Vec<Picture> =
        listing.images.par_iter().map(|path| decode(path, size, reading)).collect::<Result<_>>()?;
    let sha256 = listing.digest(folder, pictures.iter().map(|picture| picture.sha256.as_str()));
    let mut contents = combine(pictures, size);
    contents.notes.extend(listing.notes());
    contents.labels = listing.labels;
    contents.label_names = listing.classes;
    Ok(Dataset::assemble(contents, reading.source, SourceKind::ImageFolder, sha256))
}

/// The one size of all images.
fn survey(images: &[PathBuf], reading: &Reading) -> Result<Size> {
    let headers: Vec<(Size, usize)> =
        images.par_iter().map(|path| read_header(path, reading)).collect::<Result<_>>()?;
    let usual = usual_size(&headers);
    let others = headers.iter().filter(|(size, _)| *size != usual).count();
    if let Some(other) = headers.iter().position(|(size, _)| *size != usual) {
        let first = headers.iter().position(|(size, _)| *size == usual).unwrap_or(0);
        let at = |k: usize| {
            let (Size { height, width }, _) = headers[k];
            format!("{} is {height}×{width}", images[k].display())
        };
        return Err(reading.unsupported(
            format!(
                "images differ in size: {}, {} ({others} of {} differ)",
                at(first),
                at(other),
                images.len()
            ),
            "scale or crop all images to one size",
        ));
    }
    let channels = headers.iter().map(|(_, channels)| *channels).max().unwrap_or(1);
    reading.admit(&[images.len(), channels, usual.height, usual.width].map(|side| side as u64))?;
    Ok(usual)
}

/// The size most images have; of several, that of the earliest.
fn usual_size(headers: &[(Size, usize)]) -> Size {
    let mut counts: HashMap<Size, usize> = HashMap::new();
    headers.iter().for_each(|(size, _)| *counts.entry(*size).or_default() += 1);
    let most = counts.values().copied().max().unwrap_or(0);
    headers.iter().map(|(size, _)| *size).find(|size| counts[size] == most).expect("a listing has an image")
}

/// Brings all pictures to the same number of channels: 1 if none of them has colours, else 3.
fn combine(pictures: Vec<Picture>, size: Size) -> Contents {
    let count = |property: fn(&Picture) -> bool| pictures.iter().filter(|picture| property(picture)).count();
    let rgb = count(|picture| picture.channels == 3);
    let transparent = count(|picture| picture.was_transparent);
    let is_16_bit = count(|picture| picture.is_16_bit) > 0;
    let channels = if pictures.par_iter().all(is_grey) { 1 } else { 3 };

    let mut notes = Vec::new();
    if is_16_bit {
        notes.push("16-bit images scaled to 0..255".to_owned());
    }
    let turned = count(|picture| picture.was_turned);
    if turned > 0 {
        notes.push(format!("{turned} images turned upright as their EXIF data say"));
    }
    if transparent > 0 {
        notes.push(format!("{transparent} images with transparency laid over white"));
    }
    if channels == 1 && rgb > 0 {
        notes.push(format!("{rgb} RGB images hold only grey: read with one channel"));
    }
    if channels == 3 && rgb < pictures.len() {
        notes.push(format!("{} grey images read as RGB beside the coloured ones", pictures.len() - rgb));
    }
    let shape = SampleShape::Image { channels, height: size.height, width: size.width };
    let mut values = Vec::with_capacity(pictures.len() * shape.size());
    // Each picture is dropped once copied, so that the values are hardly ever held twice.
    for picture in pictures {
        push_channels(&mut values, &picture, channels);
    }
    let dtype = if is_16_bit { ElementType::U16 } else { ElementType::U8 };
    Contents { notes, ..Contents::new(shape, values, dtype) }
}

fn is_grey(picture: &Picture) -> bool {
    let plane = picture.values.len() / picture.channels;
    picture.values.chunks_exact(plane).all(|channel| channel == &picture.values[..plane])
}

fn push_channels(values: &mut Vec<f32>, picture: &Picture, channels: usize) {
    let plane = picture.values.len() / picture.channels;
    for channel in 0..channels {
        let from = channel.min(picture.channels - 1) * plane;
        values.extend_from_slice(&picture.values[from..from + plane]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use image::{GrayImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage};

    use super::*;
    use crate::Limits;

    fn read_folder(folder: &Path) -> Result<Dataset> {
        read(folder, &Reading { source: &folder.to_string_lossy(), limits: &Limits { max_bytes: 1 << 20 } })
    }

    fn refusal(folder: &Path) -> String {
        read_folder(folder).unwrap_err().to_string()
    }

    fn save_grey(path: &Path, width: u32, height: u32, first: u8) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_fn(width, height, |x, y| Luma([first + (x + y * width) as u8])).save(path).unwrap();
    }

    #[test]
    fn subfolders_are_classes_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        save_grey(&folder.path().join("zebra/1.png"), 2, 1, 10);
        save_grey(&folder.path().join("apple/1.png"), 2, 1, 20);
        save_grey(&folder.path().join("apple/2.PNG"), 2, 1, 30);
        fs::write(folder.path().join("apple/notes.txt"), "x").unwrap();
        let set = read_folder(folder.path()).unwrap();
        assert_eq!(set.labels().unwrap(), [0, 0, 1]);
        assert_eq!(set.label_names().unwrap(), ["apple", "zebra"]);
        assert_eq!(set.values(), [20.0, 21.0, 30.0, 31.0, 10.0, 11.0]);
        assert!(set.notes().iter().any(|note| note.contains("1 entries are not images")));
    }

    #[test]
    fn colours_are_channel_major_and_grey_joins_them() {
        let folder = tempfile::tempdir().unwrap();
        RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8, 100, 200])).save(folder.path().join("a.png")).unwrap();
        save_grey(&folder.path().join("b.png"), 2, 1, 7);
        let set = read_folder(folder.path()).unwrap();
        assert_eq!(set.shape(), SampleShape::Image { channels: 3, height: 1, width: 2 });
        assert_eq!(set.row(0), [0.0, 1.0, 100.0, 100.0, 200.0, 200.0]);
        assert_eq!(set.row(1), [7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
    }

    #[test]
    fn rgb_without_colour_is_one_channel() {
        let folder = tempfile::tempdir().unwrap();
        RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8; 3])).save(folder.path().join("a.png")).unwrap();
        let set = read_folder(folder.path()).unwrap();
        assert_eq!(set.values(), [0.0, 1.0]);
        assert!(set.notes()[0].contains("only grey"));
    }

    #[test]
    fn transparency_is_laid_over_white_and_16_bits_are_scaled() {
        let folder = tempfile::tempdir().unwrap();
        let pixels = ImageBuffer::from_fn(3, 1, |x, _| LumaA([0u16, [0, 65535, 32896][x as usize]]));
        pixels.save(folder.path().join("a.png")).unwrap();
        let set = read_folder(folder.path()).unwrap();
        // 32896 / 65535 of black over white leaves 127 of 255; f32 rounds in the last place.
        let expected = [255.0, 0.0, 127.0];
        assert!(
            set.values().iter().zip(expected).all(|(value, wanted)| (value - wanted).abs() < 1e-4),
            "{:?}",
            set.values()
        );
        assert_eq!(set.dtype(), ElementType::U16);
    }

    #[test]
    fn jpeg_is_read() {
        let folder = tempfile::tempdir().unwrap();
        GrayImage::from_pixel(8, 8, Luma([120])).save(folder.path().join("a.jpg")).unwrap();
        let set = read_folder(folder.path()).unwrap();
        // A constant block survives JPEG up to the quantisation of its mean, at most a few units.
        assert!(set.values().iter().all(|value| (value - 120.0).abs() <= 3.0));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(refusal(folder.path()).contains("holds no .png"));
        save_grey(&path("a.png"), 2, 1, 0);
        save_grey(&path("b.png"), 2, 3, 0);
        let message = refusal(folder.path());
        assert!(message.contains("a.png is 1×2") && message.contains("b.png is 3×2"), "{message}");
        fs::write(path("b.png"), "").unwrap();
        assert!(refusal(folder.path()).contains("b.png has 0 bytes"));
        fs::write(path("b.png"), "not an image").unwrap();
        assert!(refusal(folder.path()).contains("b.png is not a sound"));
        fs::remove_file(path("b.png")).unwrap();
        save_grey(&path("c/d.png"), 2, 1, 0);
        assert!(refusal(folder.path()).contains("1 images beside 1 subfolders"));
    }

    #[test]
    fn a_renamed_file_changes_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        save_grey(&folder.path().join("a.png"), 2, 1, 0);
        let before = read_folder(folder.path()).unwrap().sha256().to_owned();
        fs::rename(folder.path().join("a.png"), folder.path().join("b.png")).unwrap();
        assert_ne!(read_folder(folder.path()).unwrap().sha256(), before);
    }
}
