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
    /// Number of values in one sample.
    #[must_use]
    pub fn size(&self) -> usize {
        match *self {
            Self::Vector { dim } => dim,
            Self::Image { channels, height, width } => channels * height * width,
        }
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
    fn shape_survives_json() {
        let shape = SampleShape::Image { channels: 1, height: 28, width: 28 };
        let text = serde_json::to_string(&shape).unwrap();
        assert_eq!(text, r#"{"kind":"image","channels":1,"height":28,"width":28}"#);
        assert_eq!(serde_json::from_str::<SampleShape>(&text).unwrap(), shape);
    }
}
