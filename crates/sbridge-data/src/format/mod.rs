//! One reader per format, each from bytes (or a folder) to samples.

pub(crate) mod cell;
pub(crate) mod csv;
pub(crate) mod folder;
pub(crate) mod idx;
mod image;
pub(crate) mod npy;
mod npy_header;
pub(crate) mod npz;
pub(crate) mod table;
