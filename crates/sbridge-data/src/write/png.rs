//! Writing images side by side as one PNG.

use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::atomic::write_atomically;
use super::check_rows;
use crate::{DataError, Result, SampleShape};

/// Grey between the images, dark enough not to be mistaken for one.
const GAP_LEVEL: u8 = 48;

/// Writes images as a grid, row by row, `columns` to a row.
///
/// Every pixel becomes a square of `scale` × `scale`; images are one such square apart. Values
/// outside [0, 1] are clipped to it.
///
/// # Shapes
/// `values` is `[n, channels, height, width]` with 1 or 3 channels, 0 black and 1 full.
///
/// # Errors
/// When `shape` is not an image of 1 or 3 channels, `values` is not whole images, holds a NaN or
/// nothing at all, `columns` or `scale` is 0, or the file cannot be written.
pub fn write_png_grid(
    path: impl AsRef<Path>,
    values: &[f32],
    shape: SampleShape,
    columns: usize,
    scale: usize,
) -> Result<()> {
    let grid = Grid::new(values, shape, columns, scale)?;
    let (width, height) = grid.pixels()?;
    let color = if grid.channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
    let bytes = grid.render();
    write_atomically(path.as_ref(), |writer| {
        PngEncoder::new(writer).write_image(&bytes, width, height, color).map_err(std::io::Error::other)
    })
}

/// Images and the way they are laid out; sides without `scale` in image pixels.
struct Grid<'a> {
    values: &'a [f32],
    channels: usize,
    height: usize,
    width: usize,
    columns: usize,
    rows: usize,
    scale: usize,
}

impl<'a> Grid<'a> {
    fn new(values: &'a [f32], shape: SampleShape, columns: usize, scale: usize) -> Result<Self> {
        let refuse = |what: String, fix: &str| Err(DataError::Argument { what, fix: fix.to_owned() });
        let (channels, height, width) = match shape {
            SampleShape::Image { channels: channels @ (1 | 3), height, width } => (channels, height, width),
            other => {
                return refuse(format!("a {other} cannot be drawn"), "give images with 1 or 3 channels");
            }
        };
        check_rows(values.len(), shape.size())?;
        if values.is_empty() || columns == 0 || scale == 0 {
            return refuse(
                format!("{} values in {columns} columns at scale {scale}", values.len()),
                "all three must be positive",
            );
        }
        if let Some(at) = values.iter().position(|value| value.is_nan()) {
            return refuse(format!("image {} holds NaN", at / shape.size()), "draw finite values");
        }
        let count = values.len() / shape.size();
        let columns = columns.min(count);
        Ok(Self { values, channels, height, width, columns, rows: count.div_ceil(columns), scale })
    }

    /// Width and height of the picture in pixels.
    fn pixels(&self) -> Result<(u32, u32)> {
        let along = |count: usize, side: usize| {
            let units = count.checked_mul(side + 1)?.checked_add(1)?;
            u32::try_from(units.checked_mul(self.scale)?).ok().filter(|&pixels| pixels <= 1 << 16)
        };
        along(self.columns, self.width).zip(along(self.rows, self.height)).ok_or_else(|| {
            DataError::Argument {
                what: format!(
                    "{} × {} images at scale {} pass 65536 pixels",
                    self.rows, self.columns, self.scale
                ),
                fix: "draw fewer images or a smaller scale".to_owned(),
            }
        })
    }

    fn render(&self) -> Vec<u8> {
        let width = (self.columns * (self.width + 1) + 1) * self.scale;
        let height = (self.rows * (self.height + 1) + 1) * self.scale;
        let mut bytes = Vec::with_capacity(width * height * self.channels);
        for y in 0..height {
            for x in 0..width {
                bytes.extend(
                    (0..self.channels).map(|channel| self.level(channel, y / self.scale, x / self.scale)),
                );
            }
        }
        bytes
    }

    /// The level at a place of the unscaled picture: an image, or the gap around it.
    fn level(&self, channel: usize, y: usize, x: usize) -> u8 {
        let (row, y) = (y / (self.height + 1), y % (self.height + 1));
        let (column, x) = (x / (self.width + 1), x % (self.width + 1));
        if y == 0 || x == 0 {
            return GAP_LEVEL;
        }
        let image = row * self.columns + column;
        let at = ((image * self.channels + channel) * self.height + y - 1) * self.width + x - 1;
        self.values.get(at).map_or(0, |value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SHAPE: SampleShape = SampleShape::Image { channels: 1, height: 1, width: 2 };

    #[test]
    fn the_grid_shows_every_image_at_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.png");
        write_png_grid(&path, &[0.0, 1.0, 0.5, 2.0, -1.0, 0.2], SHAPE, 2, 3).unwrap();
        let picture = image::open(&path).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), (7 * 3, 5 * 3));
        let level = |row: u32, column: u32| picture.get_pixel(column * 3 + 1, row * 3 + 1).0[0];
        assert_eq!([level(1, 1), level(1, 2), level(1, 4), level(1, 5)], [0, 255, 128, 255]);
        assert_eq!([level(3, 1), level(3, 2), level(3, 4)], [0, 51, 0]);
        assert_eq!([level(0, 0), level(1, 3), level(2, 1)], [GAP_LEVEL; 3]);
    }

    #[test]
    fn colours_keep_their_channels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.png");
        let shape = SampleShape::Image { channels: 3, height: 1, width: 1 };
        write_png_grid(&path, &[1.0, 0.0, 0.2], shape, 1, 1).unwrap();
        assert_eq!(image::open(&path).unwrap().into_rgb8().get_pixel(1, 1).0, [255, 0, 51]);
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let refused = |values: &[f32], shape, columns, scale| {
            write_png_grid("/nonexistent/x.png", values, shape, columns, scale).unwrap_err().to_string()
        };
        assert!(refused(&[1.0], SampleShape::Vector { dim: 1 }, 1, 1).contains("cannot be drawn"));
        assert!(refused(&[1.0], SHAPE, 1, 1).contains("not rows"));
        assert!(refused(&[], SHAPE, 1, 1).contains("positive"));
        assert!(refused(&[0.0, f32::NAN], SHAPE, 1, 1).contains("NaN"));
        assert!(refused(&[0.0, 0.0], SHAPE, 1, usize::MAX).contains("65536"));
    }
}
