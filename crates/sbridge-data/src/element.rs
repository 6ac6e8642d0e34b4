//! The element types of binary arrays, and how their bytes become values.
//!
//! Wide types stay `f64` where `f32` would change a value. Integers beyond ±2⁵³ are rounded to the nearest `f64`;
//! [`decode`] counts those, so that the loss is told and not hidden.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::values::{Values, fits_single};

/// The type of the values as the source stores them.
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
    /// Complex numbers of two halves in single precision.
    C64,
    /// Complex numbers of two halves in double precision.
    C128,
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
            Self::U64 | Self::I64 | Self::F64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }

    /// Whether only whole numbers can occur.
    #[must_use]
    pub fn is_integer(self) -> bool {
        !matches!(self, Self::F16 | Self::F32 | Self::F64 | Self::C64 | Self::C128 | Self::Text)
    }

    /// Whether each element is two numbers, its real and its imaginary part.
    #[must_use]
    pub fn is_complex(self) -> bool {
        matches!(self, Self::C64 | Self::C128)
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
            Self::C64 => "c64",
            Self::C128 => "c128",
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
    pub(crate) values: Values,
    pub(crate) rounded: usize,
}

impl Decoded {
    /// A sentence about rounding, if there was any.
    pub(crate) fn note(&self) -> Option<String> {
        (self.rounded > 0)
            .then(|| format!("{} integers beyond ±2⁵³ were rounded to the nearest f64", self.rounded))
    }
}

/// Decodes `bytes`, whose length is a multiple of `dtype.size()`; complex numbers become twice as many values.
pub(crate) fn decode(bytes: &[u8], dtype: ElementType, endian: Endian) -> Decoded {
    match dtype {
        ElementType::Bool | ElementType::U8 | ElementType::Text => single(bytes, |[b]: [u8; 1]| f32::from(b)),
        ElementType::I8 => single(bytes, |b| f32::from(i8::from_le_bytes(b))),
        ElementType::U16 => single(bytes, |b| f32::from(u16::from_le_bytes(ordered(b, endian)))),
        ElementType::I16 => single(bytes, |b| f32::from(i16::from_le_bytes(ordered(b, endian)))),
        ElementType::F16 => single(bytes, |b| half_to_f32(u16::from_le_bytes(ordered(b, endian)))),
        ElementType::F32 | ElementType::C64 => single(bytes, |b| f32::from_le_bytes(ordered(b, endian))),
        ElementType::F64 | ElementType::C128 => narrowest(bytes, |b| f64::from_le_bytes(ordered(b, endian))),
        ElementType::U32 => narrowest(bytes, |b| u32::from_le_bytes(ordered(b, endian)).into()),
        ElementType::I32 => narrowest(bytes, |b| i32::from_le_bytes(ordered(b, endian)).into()),
        ElementType::U64 => integers(bytes, |b| u64::from_le_bytes(ordered(b, endian)).into()),
        ElementType::I64 => integers(bytes, |b| i64::from_le_bytes(ordered(b, endian)).into()),
    }
}

fn single<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Decoded {
    let (elements, _) = bytes.as_chunks::<N>();
    Decoded { values: elements.iter().map(|b| value(*b)).collect::<Vec<f32>>().into(), rounded: 0 }
}

/// f32 if it holds all values, f64 otherwise; the values are held once only.
fn narrowest<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Decoded {
    let (elements, _) = bytes.as_chunks::<N>();
    let values = elements.iter().map(|b| value(*b));
    let fit = values.clone().all(fits_single);
    let values = if fit {
        values.map(|x| x as f32).collect::<Vec<f32>>().into()
    } else {
        Values::double(values.collect())
    };
    Decoded { values, rounded: 0 }
}

fn integers<const N: usize>(bytes: &[u8], integer: impl Fn([u8; N]) -> i128) -> Decoded {
    let (elements, _) = bytes.as_chunks::<N>();
    let is_rounded = |integer: i128| integer as f64 as i128 != integer;
    let rounded = elements.iter().filter(|b| is_rounded(integer(**b))).count();
    Decoded { rounded, ..narrowest(bytes, |b| integer(b) as f64) }
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
    fn integers_keep_their_digits_as_far_as_f64_does() {
        let bytes: Vec<u8> = [1i32, 16_777_216, 16_777_217].iter().flat_map(|v| v.to_le_bytes()).collect();
        let decoded = decode(&bytes, ElementType::I32, Endian::Little);
        assert_eq!((decoded.values.get(2), decoded.rounded), (16_777_217.0, 0));
        let bytes: Vec<u8> = [1i64, 1 << 53, (1 << 53) + 1].iter().flat_map(|v| v.to_le_bytes()).collect();
        let decoded = decode(&bytes, ElementType::I64, Endian::Little);
        assert_eq!(decoded.rounded, 1);
        assert!(decoded.note().is_some());
    }

    #[test]
    fn f64_is_kept_where_f32_would_change_it() {
        let decoded = |value: f64| decode(&value.to_le_bytes(), ElementType::F64, Endian::Little).values;
        assert!(!decoded(0.5).is_double() && !decoded(f64::NAN).is_double());
        assert_eq!(decoded(1_000_000.01).get(0), 1_000_000.01);
        assert_eq!(decoded(1e300).get(0), 1e300);
    }
}
