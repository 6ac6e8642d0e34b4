//! The shape of one sample.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What one row of a data set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SampleShape {
    /// A point in `dim` dimensions.
    Vector {
        /// Number of coordinates.
        dim: usize,
    },
    /// An image, stored channel by channel, each channel row by row from the top.
    Image {
        /// 1 is grey, 3 is red, green, blue.
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
}

impl SampleShape {
    /// Number of values in one sample; the greatest there is where the sides claim more.
    #[must_use]
    pub fn size(&self) -> usize {
        match *self {
            Self::Vector { dim } => dim,
            Self::Image { channels, height, width } => channels.saturating_mul(height).saturating_mul(width),
        }
    }

    /// Whether samples of both shapes can be compared value by value: images of one shape, or a vector of as many values.
    ///
    /// A table has rows of values for images too, so a vector may be one of them; images of other sides are not.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.size() == other.size() && (self == other || !self.is_image() || !other.is_image())
    }

    /// Whether a sample is an image.
    #[must_use]
    pub fn is_image(&self) -> bool {
        matches!(self, Self::Image { .. })
    }
}

impl fmt::Display for SampleShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vector { dim } => write!(f, "vector of {dim}"),
            Self::Image { channels, height, width } => write!(f, "{channels}×{height}×{width} image"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn size_is_the_product_of_the_sides() {
        assert_eq!(SampleShape::Image { channels: 3, height: 4, width: 5 }.size(), 60);
        assert_eq!(SampleShape::Vector { dim: 7 }.size(), 7);
    }

    #[test]
    fn images_agree_by_their_sides_and_not_by_their_number_of_values() {
        let image = |channels, height, width| SampleShape::Image { channels, height, width };
        assert!(image(1, 24, 16).agrees_with(&image(1, 24, 16)));
        assert!(!image(1, 24, 16).agrees_with(&image(1, 16, 24)));
        assert!(!image(1, 24, 16).agrees_with(&image(3, 8, 16)));
        assert!(image(1, 24, 16).agrees_with(&SampleShape::Vector { dim: 384 }));
        assert!(!SampleShape::Vector { dim: 3 }.agrees_with(&SampleShape::Vector { dim: 2 }));
    }

    #[test]
    fn shape_survives_json() {
        let shape = SampleShape::Image { channels: 1, height: 28, width: 28 };
        let text = serde_json::to_string(&shape).unwrap();
        assert_eq!(text, r#"{"kind":"image","channels":1,"height":28,"width":28}"#);
        assert_eq!(serde_json::from_str::<SampleShape>(&text).unwrap(), shape);
    }
}
