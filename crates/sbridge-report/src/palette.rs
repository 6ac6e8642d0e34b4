//! The inks of a plot, each with its dark-mode counterpart.
//!
//! Series take hues that stay apart for colour-blind readers (after Okabe and Ito, without their
//! yellow and black, which vanish on a light or dark page). A drawing names the light inks; the
//! page's style sheet exchanges them in dark mode, so one drawing serves both.

use plotters::style::RGBColor;

/// One colour of a drawing: as drawn, and as shown on a dark page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    /// Red, green and blue on a light page.
    pub(super) light: (u8, u8, u8),
    /// The CSS colour on a dark page.
    pub(super) dark: &'static str,
}

/// Tick labels and axis names.
pub(super) const TEXT: Ink = Ink::new((0x52, 0x52, 0x5B), "#B4B4BC");
/// Axis lines.
pub(super) const AXIS: Ink = Ink::new((0x8E, 0x8E, 0x98), "#77777F");
/// Grid lines.
pub(super) const GRID: Ink = Ink::new((0xE6, 0xE6, 0xEA), "#34343A");

/// Series in order of first appearance.
const SERIES: [Ink; 6] = [
    Ink::new((0x00, 0x72, 0xB2), "#4AA3E0"),
    Ink::new((0xD5, 0x5E, 0x00), "#FF8A4C"),
    Ink::new((0x00, 0x9E, 0x73), "#35C79B"),
    Ink::new((0xCC, 0x79, 0xA7), "#E59BC6"),
    Ink::new((0xE6, 0x9F, 0x00), "#F3BC45"),
    Ink::new((0x56, 0xB4, 0xE9), "#A3DAFF"),
];

impl Ink {
    const fn new(light: (u8, u8, u8), dark: &'static str) -> Self {
        Self { light, dark }
    }

    /// The ink of the series with this index; the inks repeat after the sixth.
    pub(super) fn of_series(index: usize) -> Self {
        SERIES[index % SERIES.len()]
    }

    /// Every ink that a drawing may contain.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [TEXT, AXIS, GRID].into_iter().chain(SERIES)
    }

    /// The light ink as plotters takes it.
    pub(super) fn rgb(self) -> RGBColor {
        let (red, green, blue) = self.light;
        RGBColor(red, green, blue)
    }

    /// The light ink as plotters writes it into SVG: `#` and six upper-case digits.
    pub(super) fn hex(self) -> String {
        let (red, green, blue) = self.light;
        format!("#{red:02X}{green:02X}{blue:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_are_distinct() {
        // The style sheet finds an ink by its light colour, so two inks must not share one.
        let inks: Vec<_> = Ink::all().collect();
        for (index, ink) in inks.iter().enumerate() {
            assert!(inks[..index].iter().all(|other| other.light != ink.light && other.dark != ink.dark));
        }
    }
}
