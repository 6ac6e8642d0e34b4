//! A density in the plane with draws on it.

use std::fs;
use std::path::Path;

use sbridge::density::LogDensity;
use sbridge_data::SampleShape;
use sbridge_report::{Block, Picture};

use crate::error::Result;

/// Pixels of a side.
const SIDE: usize = 420;

/// Nats below the largest ln ρ that are still shaded.
const DEPTH: f64 = 8.0;

/// Share of the draws' extent that is shown around them.
const MARGIN: f64 = 0.15;

/// The square that is shown: its lower left corner, and its side.
struct Window {
    corner: [f64; 2],
    side: f64,
}

impl Window {
    /// Around `draws`, `[count, 2]`, all but the outermost hundredth.
    fn around(draws: &[f64]) -> Self {
        let extent = |axis: usize| {
            let mut values: Vec<f64> = draws.iter().skip(axis).step_by(2).copied().collect();
            values.sort_by(f64::total_cmp);
            let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
            (at(0.005), at(0.995))
        };
        let extents = [extent(0), extent(1)];
        let widest = extents.iter().map(|(low, high)| high - low).fold(f64::MIN_POSITIVE, f64::max);
        let side = widest * (1.0 + 2.0 * MARGIN);
        Self { corner: extents.map(|(low, high)| 0.5 * (low + high) - 0.5 * side), side }
    }

    /// The middle of a pixel; rows go down.
    fn at(&self, row: usize, column: usize) -> [f64; 2] {
        let share = |pixel: usize| (pixel as f64 + 0.5) / SIDE as f64;
        [self.corner[0] + self.side * share(column), self.corner[1] + self.side * (1.0 - share(row))]
    }

    /// The pixel that shows `point`, if it is shown.
    fn pixel(&self, point: &[f64]) -> Option<usize> {
        let share = |axis: usize| (point[axis] - self.corner[axis]) / self.side;
        let (x, y) = (share(0) * SIDE as f64, (1.0 - share(1)) * SIDE as f64);
        let inside = |x: f64| (0.0..SIDE as f64).contains(&x);
        (inside(x) && inside(y)).then(|| y as usize * SIDE + x as usize)
    }
}

/// Writes ln ρ of `density` as shades with `draws`, `[count, 2]`, as dots to `path`, and shows it.
///
/// # Errors
/// What the density cannot be evaluated for, and if the disk refuses.
pub(super) fn with_draws(path: &Path, density: &dyn LogDensity, draws: &[f64]) -> Result<Block> {
    let window = Window::around(draws);
    let grid: Vec<f64> =
        (0..SIDE).flat_map(|row| (0..SIDE).flat_map(move |column| [row, column])).map(|k| k as f64).collect();
    let points: Vec<f64> =
        grid.chunks_exact(2).flat_map(|cell| window.at(cell[0] as usize, cell[1] as usize)).collect();
    let values = density.values(&points)?;
    let largest = values.iter().copied().filter(|value| value.is_finite()).fold(f64::MIN, f64::max);
    let depth =
        |value: f64| if value.is_finite() { ((largest - value) / DEPTH).clamp(0.0, 1.0) } else { 1.0 };
    // Light where ρ is large: from blue to white.
    let shade: Vec<f64> = values.into_iter().map(depth).collect();
    let mut channels: [Vec<f32>; 3] = [0.10f64, 0.16, 0.32]
        .map(|dark| shade.iter().map(|depth| (1.0 - depth * (1.0 - dark)) as f32).collect());
    for pixel in draws.chunks_exact(2).filter_map(|point| window.pixel(point)) {
        channels.iter_mut().zip([0.85, 0.25, 0.10]).for_each(|(channel, colour)| channel[pixel] = colour);
    }
    let shape = SampleShape::Image { channels: 3, height: SIDE, width: SIDE };
    sbridge_data::write_png_grid(path, &channels.concat(), shape, 1, 1)?;
    let [x, y] = window.corner;
    let caption = format!(
        "ln ρ in shades, {DEPTH} nats from white to dark, and draws as dots; from ({x:.3}, {y:.3}), a side of {:.3}",
        window.side
    );
    let png = fs::read(path).map_err(|error| crate::RunError::disk("read", path, error))?;
    Ok(Block::Picture(Picture { alt: caption.clone(), caption, png }))
}
