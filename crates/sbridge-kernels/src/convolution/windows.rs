//! Windows over images as rows of a matrix: gathering them, and adding them back where they overlap.

use std::ops::Range;

use super::Window;

/// Floats of windows held at once, so that they stay in a core's own cache.
const BLOCK: usize = 1 << 16;

/// Windows over a batch of images `[batch, height, width, channels]`.
pub(super) struct Windows {
    /// Down and along.
    window: [Window; 2],
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    channels: usize,
    /// Windows along each side.
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Windows {
    pub(super) fn over(window: [Window; 2], [batch, height, width, channels]: [usize; 4]) -> Self {
        let count = |length: usize, Window { side, stride, padding }: Window| {
            let padded = length + 2 * padding;
            assert!(padded >= side, "a window of {side} in an image of {length} padded by {padding}");
            (padded - side) / stride + 1
        };
        let (rows, columns) = (count(height, window[0]), count(width, window[1]));
        Self { window, batch, height, width, channels, rows, columns }
    }

    /// Floats in a window.
    pub(super) fn size(&self) -> usize {
        self.window[0].side * self.window[1].side * self.channels
    }

    /// Lines of windows in the batch.
    pub(super) fn lines(&self) -> usize {
        self.batch * self.rows
    }

    /// Ranges of lines that are worked on at once.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let step = (BLOCK / (self.columns * self.size()).max(1)).max(1);
        let lines = self.lines();
        (0..lines).step_by(step).map(move |first| first..(first + step).min(lines))
    }

    /// Calls `each(place in the windows, place in the image, floats)` for every stretch of a window
    /// row that lies inside the image, windows counted from the first of `lines`.
    #[inline(always)]
    fn for_each_stretch(&self, lines: Range<usize>, mut each: impl FnMut(usize, usize, usize)) {
        let [down, Window { side, stride, padding }] = self.window;
        let first = lines.start;
        for line in lines {
            let (image, row) = (line / self.rows, line % self.rows);
            for column in 0..self.columns {
                let window = ((line - first) * self.columns + column) * self.size();
                // Columns of the window that lie inside the image.
                let left = column * stride;
                let from = padding.saturating_sub(left).min(side);
                let to = (self.width + padding).saturating_sub(left).min(side).max(from);
                for k in 0..down.side {
                    let y = row * down.stride + k;
                    if y < down.padding || y >= self.height + down.padding || from == to {
                        continue;
                    }
                    let pixel = (image * self.height + y - down.padding) * self.width + left + from - padding;
                    let place = window + (k * side + from) * self.channels;
                    each(place, pixel * self.channels, (to - from) * self.channels);
                }
            }
        }
    }

    /// Windows of `lines` as rows of a matrix.
    pub(super) fn gather(&self, image: &[f32], lines: Range<usize>, windows: &mut [f32]) {
        windows.fill(0.0);
        self.for_each_stretch(lines, |window, pixel, count| {
            windows[window..window + count].copy_from_slice(&image[pixel..pixel + count]);
        });
    }

    /// Adds windows of `lines` to the image, where they overlap.
    pub(super) fn scatter(&self, windows: &[f32], lines: Range<usize>, image: &mut [f32]) {
        self.for_each_stretch(lines, |window, pixel, count| {
            let (to, from) = (&mut image[pixel..pixel + count], &windows[window..window + count]);
            to.iter_mut().zip(from).for_each(|(sum, x)| *sum += x);
        });
    }
}
