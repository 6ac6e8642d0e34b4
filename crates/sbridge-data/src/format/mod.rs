//! One reader per format, each from bytes (or a folder) to samples.

pub(crate) mod cell;
mod columns;
pub(crate) mod csv;
pub(crate) mod folder;
mod header;
pub(crate) mod idx;
mod image;
mod listing;
pub(crate) mod npy;
mod npy_header;
pub(crate) mod npz;
pub(crate) mod part;
mod separator;
pub(crate) mod table;

pub use image::GreyImage;
pub(crate) use image::read_grey;
