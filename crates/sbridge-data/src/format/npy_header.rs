//! The header of a `.npy` file: magic bytes, a version, and a Python dictionary as text.
//!
//! `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
//!
//! Only this one form of dictionary is understood, by a scanner that never recurses, so neither
//! deep nesting nor a lying length can exhaust the stack or the memory. Tests pin down that files
//! written by an independent writer are understood.

use crate::element::{ElementType, Endian};
use crate::layout::Order;
use crate::reading::Reading;
use crate::shown::shown;
use crate::{DataError, Result};

const MAGIC: &[u8] = b"\x93NUMPY";

/// What the header tells about the data that follows it.
#[derive(Debug, PartialEq)]
pub(crate) struct Header {
    pub(crate) dtype: ElementType,
    pub(crate) endian: Endian,
    pub(crate) order: Order,
    pub(crate) dims: Vec<u64>,
}

/// Splits a file into its header and its data.
///
/// # Errors
/// When the magic bytes, the version, the length or the dictionary are not those of `.npy`, or the
/// element type is not a plain number.
pub(crate) fn split<'a>(bytes: &'a [u8], reading: &Reading) -> Result<(Header, &'a [u8])> {
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| {
        reading.malformed(
            "a NumPy array begins with \\x93NUMPY, this does not",
            "check that the name fits the content",
        )
    })?;
    let cut_short = || reading.malformed("the file ends inside its header", "save or download it again");
    let (&[major, _minor], rest) = rest.split_first_chunk().ok_or_else(cut_short)?;
    let (length, rest) = match major {
        1 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_le_bytes(*length)), rest)),
        2 | 3 => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest)),
        _ => {
            return Err(
                reading.unsupported(format!("unknown .npy version {major}"), "save it with numpy.save")
            );
        }
    }
    .ok_or_else(cut_short)?;
    let (text, data) = rest.split_at_checked(length).ok_or_else(cut_short)?;
    let text = std::str::from_utf8(text)
        .map_err(|_| reading.malformed("the header is not text", "save it with numpy.save"))?;
    Ok((parse(text, reading)?, data))
}

fn parse(text: &str, reading: &Reading) -> Result<Header> {
    let fields = Fields::scan(text).ok_or_else(|| {
        reading.malformed(
            format!("cannot understand the header {}", shown(text.trim())),
            "save a plain array with numpy.save",
        )
    })?;
    let missing =
        |key: &str| reading.malformed(format!("the header has no '{key}'"), "save it with numpy.save");
    let descr = fields.descr.ok_or_else(|| missing("descr"))?;
    let (dtype, endian) = element_type(descr, reading)?;
    let order = fields.order.ok_or_else(|| missing("fortran_order"))?;
    let dims = fields.dims.ok_or_else(|| missing("shape"))?;
    Ok(Header { dtype, endian, order, dims })
}

/// `<f4` and its like: byte order, kind, size.
fn element_type(descr: &str, reading: &Reading) -> Result<(ElementType, Endian)> {
    let (endian, code) = match descr.as_bytes().first() {
        Some(b'<' | b'|') => (Endian::Little, &descr[1..]),
        Some(b'>') => (Endian::Big, &descr[1..]),
        _ => return Err(unreadable_type(descr, reading)),
    };
    let dtype = match code {
        "b1" => ElementType::Bool,
        "u1" => ElementType::U8,
        "i1" => ElementType::I8,
        "u2" => ElementType::U16,
        "i2" => ElementType::I16,
        "u4" => ElementType::U32,
        "i4" => ElementType::I32,
        "u8" => ElementType::U64,
        "i8" => ElementType::I64,
        "f2" => ElementType::F16,
        "f4" => ElementType::F32,
        "f8" => ElementType::F64,
        "c8" => ElementType::C64,
        "c16" => ElementType::C128,
        _ => return Err(unreadable_type(descr, reading)),
    };
    Ok((dtype, endian))
}

fn unreadable_type(descr: &str, reading: &Reading) -> DataError {
    let (kind, fix) = match descr.trim_start_matches(['<', '>', '|', '=']).as_bytes().first() {
        Some(b'[') => (
            "a structured array",
            "save its columns as one: numpy.lib.recfunctions.structured_to_unstructured(x)",
        ),
        Some(b'O') => ("Python objects", "save numbers: x.astype('float64'), if all of them are"),
        Some(b'c') => {
            ("complex numbers of an unusual size", "save them as complex128: x.astype('complex128')")
        }
        Some(b'S' | b'U' | b'a') => ("text", "save numbers: x.astype('float64'), if all of them are"),
        Some(b'm' | b'M') => ("times", "save numbers: x.astype('int64').astype('float64')"),
        Some(b'V') => ("raw bytes", "save it as float64, for example x.view('float32').astype('float64')"),
        Some(b'f') => ("floats of an unusual size", "save it as float64: x.astype('float64')"),
        _ => ("an unknown element type", "save it as float64: x.astype('float64')"),
    };
    reading.unsupported(format!("dtype '{}' is {kind}, not plain numbers", shown(descr)), fix)
}

/// The three entries of the dictionary, as far as they were found.
#[derive(Default)]
struct Fields<'a> {
    descr: Option<&'a str>,
    order: Option<Order>,
    dims: Option<Vec<u64>>,
}

impl<'a> Fields<'a> {
    fn scan(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner { rest: text };
        let mut fields = Self::default();
        scanner.expect('{')?;
        while !scanner.accept('}') {
            let key = scanner.string()?;
            scanner.expect(':')?;
            match key {
                "descr" => fields.descr = Some(scanner.descr()?),
                "fortran_order" => fields.order = Some(scanner.order()?),
                "shape" => fields.dims = Some(scanner.tuple()?),
                _ => return None,
            }
            if !scanner.accept(',') {
                scanner.expect('}')?;
                break;
            }
        }
        scanner.rest.trim().is_empty().then_some(fields)
    }
}

/// Reads tokens from the front of a text.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn accept(&mut self, token: char) -> bool {
        self.rest = self.rest.trim_start();
        let stripped = self.rest.strip_prefix(token);
        self.rest = stripped.unwrap_or(self.rest);
        stripped.is_some()
    }

    fn expect(&mut self, token: char) -> Option<()> {
        self.accept(token).then_some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        let quote = if self.accept('\'') { '\'' } else { self.expect('"').map(|()| '"')? };
        let (inside, rest) = self.rest.split_once(quote)?;
        self.rest = rest;
        Some(inside)
    }

    /// A type string; of a structured type, which is a list, only that it is one.
    fn descr(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        if !self.rest.starts_with('[') {
            return self.string();
        }
        let (list, rest) = self.rest.split_at(self.rest.rfind(']')? + 1);
        self.rest = rest;
        Some(list)
    }

    fn order(&mut self) -> Option<Order> {
        self.rest = self.rest.trim_start();
        for (word, order) in [("False", Order::C), ("True", Order::Fortran)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Some(order);
            }
        }
        None
    }

    fn tuple(&mut self) -> Option<Vec<u64>> {
        let mut sides = Vec::new();
        self.expect('(')?;
        while !self.accept(')') {
            sides.push(self.integer()?);
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Some(sides)
    }

    fn integer(&mut self) -> Option<u64> {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        // Python 2 wrote long integers as `3L`.
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        digits.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Limits;

    fn parsed(text: &str) -> Result<Header> {
        let limits = Limits::default();
        parse(text, &Reading { source: "x.npy", limits: &limits })
    }

    #[test]
    fn the_usual_header_is_understood() {
        let header = parsed("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }    \n").unwrap();
        assert_eq!(
            header,
            Header { dtype: ElementType::F32, endian: Endian::Little, order: Order::C, dims: vec![3, 4] }
        );
    }

    #[test]
    fn variants_of_the_dictionary_are_understood() {
        let header = parsed(r#"{"shape":(5L,),"fortran_order":True,"descr":">i8"}"#).unwrap();
        assert_eq!(
            header,
            Header { dtype: ElementType::I64, endian: Endian::Big, order: Order::Fortran, dims: vec![5] }
        );
        assert_eq!(
            parsed("{'descr': '|u1', 'fortran_order': False, 'shape': ()}").unwrap().dims,
            Vec::<u64>::new()
        );
    }

    #[test]
    fn types_that_are_not_plain_numbers_are_named() {
        let message = |descr: &str| {
            parsed(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (3,), }}"))
                .unwrap_err()
                .to_string()
        };
        assert!(message("'|O'").contains("Python objects"));
        assert!(message("'<c32'").contains("complex"));
        assert!(message("[('a', '<f4'), ('b', '<i4')]").contains("structured"));
        assert!(message("'<U7'").contains("text"));
        assert!(message("'<f16'").contains("unusual size"));
    }

    #[test]
    fn broken_dictionaries_are_errors() {
        for text in [
            "",
            "{",
            "{'descr'",
            "{'descr': '<f4'}",
            "{'shape': (-1,)}",
            "{'shape': (99999999999999999999,)}",
            "{}x",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
        assert!(parsed(&"(".repeat(100_000)).is_err());
    }
}
