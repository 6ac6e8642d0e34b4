//! One NumPy array, `.npy`.

use super::npy_header;
use crate::Result;
use crate::element::{ElementType, decode};
use crate::layout::{Array, Contents, arrange};
use crate::reading::Reading;

/// Reads samples from the bytes of a `.npy` file.
///
/// # Errors
/// When the file is not sound, its type is not a plain number, or its rank is not that of samples.
pub(crate) fn read(bytes: &[u8], reading: &Reading) -> Result<Contents> {
    let (array, note) = read_array(bytes, reading)?;
    let mut contents = arrange(array, reading)?;
    contents.notes.extend(note);
    Ok(contents)
}

/// Reads an array of any rank, and a word on rounding.
///
/// # Errors
/// As [`read`], but for the rank.
pub(crate) fn read_array(bytes: &[u8], reading: &Reading) -> Result<(Array, Option<String>)> {
    let (array, note) = read_any(bytes, reading)?;
    if array.dtype.is_complex() {
        return Err(reading.unsupported(
            format!("{} of shape {:?} are complex numbers, not samples of plain ones", array.dtype, array.dims),
            "save both parts side by side: numpy.hstack([x.real, x.imag]); quantum states [n, d, d] are read by fit quantum",
        ));
    }
    Ok((array, note))
}

/// The same of complex numbers too, of which both parts are among the values, one after the other.
///
/// # Errors
/// As [`read_array`], but for complex numbers.
pub(crate) fn read_any(bytes: &[u8], reading: &Reading) -> Result<(Array, Option<String>)> {
    let (header, data) = npy_header::split(bytes, reading)?;
    let count = reading.admit(&header.dims)?;
    if header.dtype.is_complex() {
        // Its values, of four bytes each, as they will be held.
        reading.admit(&[count as u64, 4])?;
    }
    // In u128 no product of sides can wrap around to the length that is there.
    let expected = count as u128 * header.dtype.size() as u128;
    if data.len() as u128 != expected {
        return Err(reading.malformed(
            format!(
                "shape {:?} of {} needs {expected} bytes, but {} follow the header",
                header.dims,
                header.dtype,
                data.len()
            ),
            "the file is cut short or has been appended to: save it again",
        ));
    }
    if header.dtype == ElementType::Bool && data.iter().any(|&byte| byte > 1) {
        return Err(reading.malformed("a bool is neither 0 nor 1", "save it again"));
    }
    let decoded = decode(data, header.dtype, header.endian);
    let note = decoded.note();
    let dims = header.dims.iter().map(|&side| side as usize).collect();
    Ok((Array { dims, order: header.order, values: decoded.values, dtype: header.dtype }, note))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use npyz::WriterBuilder;
    use proptest::prelude::*;

    use super::*;
    use crate::{Limits, SampleShape};

    fn read_bytes(bytes: &[u8]) -> Result<Contents> {
        let limits = Limits { max_bytes: 1 << 20 };
        read(bytes, &Reading { source: "x.npy", limits: &limits })
    }

    /// Writes with `npyz`, which shares nothing with the reader here.
    fn written<T: npyz::Serialize + Copy>(
        values: &[T],
        dims: &[u64],
        dtype: &str,
        order: npyz::Order,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        let dtype = npyz::DType::Plain(dtype.parse().unwrap());
        let mut writer = npyz::WriteOptions::new()
            .dtype(dtype)
            .shape(dims)
            .order(order)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn every_element_type_and_byte_order_is_read() {
        let c = npyz::Order::C;
        let files = [
            written(&[1i8, 2], &[2, 1], "|i1", c),
            written(&[1u8, 2], &[2, 1], "|u1", c),
            written(&[1i16, 2], &[2, 1], ">i2", c),
            written(&[1u16, 2], &[2, 1], "<u2", c),
            written(&[1i32, 2], &[2, 1], ">i4", c),
            written(&[1u32, 2], &[2, 1], "<u4", c),
            written(&[1i64, 2], &[2, 1], ">i8", c),
            written(&[1u64, 2], &[2, 1], "<u8", c),
            written(&[1f32, 2.0], &[2, 1], ">f4", c),
            written(&[1f64, 2.0], &[2, 1], "<f8", c),
        ];
        for file in files {
            let contents = read_bytes(&file).unwrap();
            assert_eq!(contents.values, [1.0, 2.0], "{}", contents.dtype);
        }
        assert_eq!(read_bytes(&written(&[true, false], &[2], "|b1", c)).unwrap().values, [1.0, 0.0]);
    }

    #[test]
    fn fortran_order_gives_the_same_rows() {
        let c_order = written(&[1f32, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3], "<f4", npyz::Order::C);
        let fortran = written(&[1f32, 4.0, 2.0, 5.0, 3.0, 6.0], &[2, 3], "<f4", npyz::Order::Fortran);
        assert_eq!(read_bytes(&c_order).unwrap().values, read_bytes(&fortran).unwrap().values);
    }

    #[test]
    fn a_list_of_numbers_is_a_column() {
        let contents = read_bytes(&written(&[1f32, 2.0, 3.0], &[3], "<f4", npyz::Order::C)).unwrap();
        assert_eq!(contents.shape, SampleShape::Vector { dim: 1 });
        assert_eq!(contents.values.len(), 3);
    }

    #[test]
    fn damage_is_named() {
        let good = written(&[1f32, 2.0], &[2, 1], "<f4", npyz::Order::C);
        let message = |bytes: &[u8]| read_bytes(bytes).map(|_| ()).unwrap_err().to_string();
        assert!(message(&good[..good.len() - 1]).contains("needs 8 bytes, but 7"));
        assert!(message(&[good.clone(), vec![0]].concat()).contains("needs 8 bytes, but 9"));
        assert!(message(&good[..20]).contains("ends inside its header"));
        assert!(message(b"PK\x03\x04").contains("NUMPY"));
        let huge = written::<f32>(&[], &[0, 3], "<f4", npyz::Order::C);
        assert!(message(&huge).contains("no values"));
    }

    #[test]
    fn a_header_that_claims_two_to_the_sixty_elements_is_refused() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 16), }\n";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        assert!(matches!(read_bytes(&bytes), Err(crate::DataError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn written_values_are_read_back(rows in 1u64..6, columns in 1u64..6, seed in any::<[f32; 25]>()) {
            let values = &seed[..(rows * columns) as usize];
            let contents = read_bytes(&written(values, &[rows, columns], "<f4", npyz::Order::C)).unwrap();
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(contents.values.as_f32()), bits(values));
        }
    }
}
