//! The element types of binary arrays, and how their bytes become `f32`.
//!
//! Wider types are rounded to the nearest `f32`; [`decode`] counts the integers that this changes,
//! so that the loss is told and not hidden. An `f64` beyond the range of `f32` becomes infinite and
//! is then refused by the finite check, never clipped.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of the values as the source stores them, before they became `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// True or false, one byte.
    Bool,
    /// Unsigned 8-bit integer.
    U8,
    /// Signed 8-bit integer.
    I8,
    /// Unsigned 16-bit integer.
    U16,
    /// Signed 16-bit integer.
    I16,
    /// Unsigned 32-bit integer.
    U32,
    /// Signed 32-bit integer.
    I32,
    /// Unsigned 64-bit integer.
    U64,
    /// Signed 64-bit integer.
    I64,
    /// IEEE half precision.
    F16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
    /// Decimal numbers in a text file.
    Text,
}

impl ElementType {
    /// Bytes per element; text has no fixed size and counts as 1, the least a number can take.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 | Self::Text => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether only whole numbers can occur.
    #[must_use]
    pub fn is_integer(self) -> bool {
        !matches!(self, Self::F16 | Self::F32 | Self::F64 | Self::Text)
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Text => "text",
        };
        f.pad(name)
    }
}

/// The byte order of multi-byte elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endian {
    Little,
    Big,
}

/// Values after decoding, and how many integers had to be rounded.
pub(crate) struct Decoded {
    pub(crate) values: Vec<f32>,
    pub(crate) rounded: usize,
}

impl Decoded {
    /// A sentence about rounding, if there was any.
    pub(crate) fn note(&self) -> Option<String> {
        (self.rounded > 0)
            .then(|| format!("{} integers beyond ±2²⁴ were rounded to the nearest f32", self.rounded))
    }
}

/// Decodes `bytes`, whose length is a multiple of `dtype.size()`.
pub(crate) fn decode(bytes: &[u8], dtype: ElementType, endian: Endian) -> Decoded {
    match dtype {
        ElementType::Bool | ElementType::U8 | ElementType::Text => exact(bytes, |[b]: [u8; 1]| f32::from(b)),
        ElementType::I8 => exact(bytes, |b| f32::from(i8::from_le_bytes(b))),
        ElementType::U16 => exact(bytes, |b| f32::from(u16::from_le_bytes(ordered(b, endian)))),
        ElementType::I16 => exact(bytes, |b| f32::from(i16::from_le_bytes(ordered(b, endian)))),
        ElementType::F16 => exact(bytes, |b| half_to_f32(u16::from_le_bytes(ordered(b, endian)))),
        ElementType::F32 => exact(bytes, |b| f32::from_le_bytes(ordered(b, endian))),
        ElementType::F64 => exact(bytes, |b| f64::from_le_bytes(ordered(b, endian)) as f32),
        ElementType::U32 => integers(bytes, |b| u32::from_le_bytes(ordered(b, endian)).into()),
        ElementType::I32 => integers(bytes, |b| i32::from_le_bytes(ordered(b, endian)).into()),
        ElementType::U64 => integers(bytes, |b| u64::from_le_bytes(ordered(b, endian)).into()),
        ElementType::I64 => integers(bytes, |b| i64::from_le_bytes(ordered(b, endian)).into()),
    }
}

fn exact<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Decoded {
    let (elements, _) = bytes.as_chunks::<N>();
    Decoded { values: elements.iter().map(|b| value(*b)).collect(), rounded: 0 }
}

fn integers<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> i128) -> Decoded {
    let mut rounded = 0;
    let (elements, _) = bytes.as_chunks::<N>();
    let values = elements
        .iter()
        .map(|b| {
            let integer = value(*b);
            let float = integer as f32;
            rounded += usize::from(float as i128 != integer);
            float
        })
        .collect();
    Decoded { values, rounded }
}

fn ordered<const N: usize>(mut bytes: [u8; N], endian: Endian) -> [u8; N] {
    if endian == Endian::Big {
        bytes.reverse();
    }
    bytes
}

/// IEEE 754 binary16: 1 sign bit, 5 exponent bits with bias 15, 10 fraction bits.
fn half_to_f32(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f32::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    };
    sign * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_agrees_with_the_table_of_ieee_754() {
        let table = [
            (0x0000, 0.0),
            (0x0001, 5.960_464_5e-8),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, value) in table {
            assert_eq!(half_to_f32(bits), value, "bits {bits:#06x}");
        }
        assert!(half_to_f32(0x7e00).is_nan());
    }

    #[test]
    fn byte_order_is_respected() {
        assert_eq!(decode(&[1, 2], ElementType::U16, Endian::Little).values, [513.0]);
        assert_eq!(decode(&[1, 2], ElementType::U16, Endian::Big).values, [258.0]);
        assert_eq!(decode(&(-3i64).to_be_bytes(), ElementType::I64, Endian::Big).values, [-3.0]);
    }

    #[test]
    fn rounded_integers_are_counted() {
        let bytes: Vec<u8> = [1i32, 16_777_216, 16_777_217].iter().flat_map(|v| v.to_le_bytes()).collect();
        let decoded = decode(&bytes, ElementType::I32, Endian::Little);
        assert_eq!(decoded.rounded, 1);
        assert!(decoded.note().is_some());
    }

    #[test]
    fn f64_beyond_f32_becomes_infinite_and_is_not_clipped() {
        assert_eq!(decode(&1e300f64.to_le_bytes(), ElementType::F64, Endian::Little).values, [f32::INFINITY]);
    }
}
