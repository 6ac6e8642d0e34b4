//! Images of every kind and folders of every size: read for what they are, or refused by name.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Instant;

use image::{GrayImage, ImageBuffer, Luma, LumaA, Rgb, Rgba, RgbaImage};
use sbridge_data::{Dataset, Limits, SampleShape, load, load_with};

fn read(folder: &Path) -> sbridge_data::Result<Dataset> {
    load(&folder.to_string_lossy())
}

fn refusal(folder: &Path) -> String {
    let message = read(folder).unwrap_err().to_string();
    assert!(message.len() < 2000 && !message.contains(char::is_control), "{message:?}");
    message
}

/// The message for a folder that holds one file of these bytes.
fn refusal_of(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    refusal(folder.path())
}

fn grey(width: u32, height: u32) -> GrayImage {
    GrayImage::from_pixel(width, height, Luma([9]))
}

/// A PNG file as it lies on the disk.
fn png(image: &GrayImage) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.png");
    image.save(&path).unwrap();
    fs::read(path).unwrap()
}

/// An 8×8 baseline JPEG whose blocks are all zero, which is mid-grey in every component.
///
/// Both Huffman tables hold one code, of one bit: no difference to the last mean, and end of block.
fn jpeg(components: u8, side: u16) -> Vec<u8> {
    let segment = |marker: u8, data: &[u8]| {
        let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], data].concat()
    };
    let one_code = |class: u8| segment(0xc4, &[&[class, 1], &[0; 15][..], &[0]].concat());
    let sides = [8, (side >> 8) as u8, side as u8, (side >> 8) as u8, side as u8, components];
    let planes: Vec<u8> = (1..=components).flat_map(|k| [k, 0x11, 0]).collect();
    let tables: Vec<u8> = (1..=components).flat_map(|k| [k, 0]).collect();
    [
        vec![0xff, 0xd8],
        segment(0xdb, &[&[0], &[1; 64][..]].concat()),
        segment(0xc0, &[&sides[..], &planes].concat()),
        one_code(0x00),
        one_code(0x10),
        segment(0xda, &[&[components], &tables[..], &[0, 63, 0]].concat()),
        vec![0x00, 0xff, 0xd9],
    ]
    .concat()
}

#[test]
fn one_pixel_is_an_image() {
    let folder = tempfile::tempdir().unwrap();
    grey(1, 1).save(folder.path().join("x.png")).unwrap();
    let set = read(folder.path()).unwrap();
    assert_eq!((set.values(), set.len()), (&[9.0][..], 1));
}

#[test]
fn kinds_of_pixels_mix_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    grey(2, 1).save(path("a.png")).unwrap();
    RgbaImage::from_pixel(2, 1, Rgba([10, 20, 30, 0])).save(path("b.png")).unwrap();
    ImageBuffer::from_pixel(2, 1, Rgb([65535u16, 0, 257])).save(path("c.png")).unwrap();
    ImageBuffer::from_pixel(2, 1, LumaA([40u8, 255])).save(path("d.png")).unwrap();
    let set = read(folder.path()).unwrap();
    assert_eq!(set.shape(), SampleShape::Image { channels: 3, height: 1, width: 2 });
    assert_eq!(set.row(0), [9.0; 6]);
    assert_eq!(set.row(1), [255.0; 6], "what is fully transparent is white");
    assert_eq!(set.row(2), [255.0, 255.0, 0.0, 0.0, 1.0, 1.0]);
    assert_eq!(set.row(3), [40.0; 6]);
}

#[test]
fn jpeg_of_one_three_and_four_inks_is_read() {
    // Half of each ink leaves a quarter of the light: half is kept by the colour, half of that by the black.
    for (components, grey) in [(1, 128.0), (3, 128.0), (4, 64.0)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.jpg"), jpeg(components, 8)).unwrap();
        let set = read(folder.path()).unwrap();
        assert_eq!(set.shape(), SampleShape::Image { channels: 1, height: 8, width: 8 });
        assert_eq!(set.values(), [grey; 64], "{components} inks");
    }
}

#[test]
fn what_systems_leave_behind_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    grey(2, 1).save(path("a.png")).unwrap();
    let alone = read(folder.path()).unwrap();
    for name in [".DS_Store", "._a.png", "Thumbs.db", "desktop.ini", ".hidden.png"] {
        fs::write(path(name), "litter").unwrap();
    }
    for name in ["__MACOSX", ".ipynb_checkpoints", ".git"] {
        fs::create_dir(path(name)).unwrap();
        grey(9, 9).save(path(name).join("a.png")).unwrap();
    }
    let littered = read(folder.path()).unwrap();
    assert_eq!((littered.len(), littered.labels(), littered.notes()), (1, None, alone.notes()));
    assert_eq!(littered.sha256(), alone.sha256());
}

#[test]
fn pictures_of_other_formats_empty_classes_and_deep_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("x.webp"), "x").unwrap();
    fs::write(path("y.TIFF"), "x").unwrap();
    assert!(refusal(folder.path()).contains("2 pictures of other formats (1 .tiff, 1 .webp)"));
    for class in ["train/cat", "empty"] {
        fs::create_dir_all(path(class)).unwrap();
    }
    grey(2, 1).save(path("train/cat/a.png")).unwrap();
    assert!(refusal(folder.path()).contains("images lie two folders deep, as in train/cat"));
    grey(2, 1).save(path("train/b.png")).unwrap();
    let notes = read(folder.path()).unwrap().notes().join("; ");
    assert!(notes.contains("1 .tiff, 1 .webp) are left out"), "{notes}");
    assert!(notes.contains("no classes: empty") && notes.contains("not read: train/cat"), "{notes}");
}

#[test]
fn pictures_are_turned_as_their_exif_data_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jpg");
    let half = |x: u32| if x < 8 { 0 } else { 255 };
    GrayImage::from_fn(16, 8, |x, _| Luma([half(x)])).save(&path).unwrap();
    let jpeg = fs::read(&path).unwrap();
    // A TIFF block of one entry: tag 0x0112, a short, one of them, its value 6: turn by 90° clockwise.
    let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let length = u16::try_from(8 + tiff.len()).unwrap().to_be_bytes();
    let turned = [&jpeg[..2], &[0xff, 0xe1], &length, b"Exif\0\0", tiff, &jpeg[2..]].concat();
    fs::write(&path, turned).unwrap();
    let set = read(folder.path()).unwrap();
    assert_eq!(set.shape(), SampleShape::Image { channels: 1, height: 16, width: 8 });
    // What was left is above now; JPEG keeps blocks of one level to a few units.
    assert!(set.values()[..64].iter().all(|value| *value < 5.0), "{:?}", &set.values()[..8]);
    assert!(set.notes()[0].contains("1 images turned upright"), "{:?}", set.notes());
}

#[test]
fn images_that_are_no_images_are_named() {
    assert!(refusal_of("x.png", b"").contains("x.png has 0 bytes"));
    assert!(refusal_of("x.png", b"GIF89a\x01\x00\x01\x00").contains("x.png is a GIF picture"));
    assert!(refusal_of("x.png", b"<html>404</html>").contains("x.png is HTML or other text"));
    assert!(refusal_of("x.jpg", b"RIFF\0\0\0\0WEBPVP8 ").contains("x.jpg is a WebP picture"));
    assert!(refusal_of("x.jpg", b"\x1b[31m").contains("x.jpg is not a sound"));
    let whole = png(&grey(8, 8));
    assert!(refusal_of("x.png", &whole[..whole.len() / 2]).contains("x.png is not a sound"));
    // The decoder's own words may end with a line break. The scan takes the last 17 bytes.
    let whole = jpeg(3, 8);
    for length in 1..whole.len() - 17 {
        assert!(refusal_of("x.jpg", &whole[..length]).contains("x.jpg is not a sound"), "{length} bytes");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(folder.path()).contains("holds no .png"));
}

#[test]
fn sizes_that_the_bytes_cannot_hold_are_refused_before_decoding() {
    let message = refusal_of("x.jpg", &jpeg(1, 13_000));
    assert!(message.contains("x.jpg claims 13000×13000 pixels in"), "{message}");
    // The most pixels a PNG file can hold are still read: one byte of DEFLATE for 1032 of zeros.
    let folder = tempfile::tempdir().unwrap();
    grey(2000, 1000).save(folder.path().join("x.png")).unwrap();
    assert_eq!(read(folder.path()).unwrap().values().len(), 2_000_000);
}

#[test]
fn a_file_past_the_limit_is_not_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let long = [png(&grey(1, 1)), vec![0; 1 << 20]].concat();
    fs::write(folder.path().join("x.png"), long).unwrap();
    let refused = load_with(&folder.path().to_string_lossy(), &Limits { max_bytes: 1 << 16 });
    assert!(refused.unwrap_err().to_string().contains("over the limit"));
}

#[test]
fn thousands_of_files_take_no_time() {
    const COUNT: usize = 4000;
    let folder = tempfile::tempdir().unwrap();
    let bytes = png(&grey(2, 2));
    for k in 0..COUNT {
        fs::write(folder.path().join(format!("{k:05}.png")), &bytes).unwrap();
    }
    let started = Instant::now();
    let set = read(folder.path()).unwrap();
    assert_eq!((set.len(), set.values().len()), (COUNT, 4 * COUNT));
    // About a tenth of a second where this was written; anything quadratic would take minutes.
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_or_back_are_no_trap() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("class")).unwrap();
    grey(1, 1).save(path("class/a.png")).unwrap();
    symlink(".", path("again")).unwrap();
    symlink("..", path("class/up")).unwrap();
    assert_eq!(read(folder.path()).unwrap().len(), 1);
    symlink("b.png", path("class/b.png")).unwrap();
    let message = refusal(folder.path());
    assert!(message.contains("b.png") && message.contains("cannot be read"), "{message}");
    fs::remove_file(path("class/b.png")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(path("class/c.png")).status();
    if made.is_ok_and(|status| status.success()) {
        assert!(refusal(folder.path()).contains("c.png is not a regular file"));
    }
}
