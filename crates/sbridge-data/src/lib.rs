//! Reading and writing the data people have: arrays, tables, images and built-in sets.
//!
//! Data is a path that is taken as it is. [`load`] understands
//!
//! | source                         | read as                                                            |
//! |--------------------------------|--------------------------------------------------------------------|
//! | `train-images-idx3-ubyte[.gz]` | IDX, with the labels of the sibling file `train-labels-idx1-ubyte` |
//! | `x.npy`                        | a NumPy array; rank 1 and 2 are vectors, rank 3 and 4 are images   |
//! | `x.npz#key`                    | one array of a NumPy archive                                       |
//! | `x.csv`, `x.tsv`, `x.txt`      | a table of numbers, with or without a header                       |
//! | `x.csv#day=2`                  | the rows of a table whose column `day` says 2, without that column  |
//! | a folder                       | PNG and JPEG images; subfolders are classes                        |
//! | `builtin:NAME?n=..&seed=..`    | a set the program generates itself                                 |
//!
//! Any of the files may be compressed with gzip; that is seen in its first bytes, not in its name.
//! Values keep the units of the file: 8-bit images lie in 0..255.
//!
//! Series in time are read by [`load_series`]: wide and long tables, and JSON lines. Square matrices of complex numbers, one
//! after the other, are read by [`load_matrices`]: `.npy` and `.npz#key` of `[n, d, d]`.
//!
//! Every reader of samples has two steps. The *read* step understands a file or refuses it, saying what is
//! wrong, the value, and the fix; it never panics and never allocates more than [`Limits`] allow.
//! The *check* step refuses values that are not finite. [`load`] does both; [`inspect`] does only
//! the first, so that it can report what the second would refuse.
//!
//! The tests pin down: what was written is what is read, for every format; a damaged file is an
//! error and never a panic; the real data sets give the counts published with them.

mod builtin;
mod dataset;
mod describe;
mod doubts;
mod element;
mod error;
mod file;
mod foreign;
mod format;
mod inspect;
mod kind;
mod layout;
mod limits;
mod matrices;
mod read;
mod reading;
mod series;
mod shape;
mod shown;
mod source;
mod suggest;
mod values;
mod write;

pub use dataset::Dataset;
pub use describe::{Description, MatricesInspection, OneSeries, SeriesInspection, describe};
pub use element::ElementType;
pub use error::DataError;
pub use format::GreyImage;
pub use inspect::{ClassCount, Inspection, NonFinite};
pub use kind::SourceKind;
pub use limits::Limits;
pub use matrices::{Matrices, load_matrices};
pub use series::{CALENDAR, Clock, DateOrder, Series, SeriesLayout, Step, Week, load_series};
pub use shape::SampleShape;
pub use suggest::edit_distance;
pub use write::{
    NamedArray, RowWriter, write_csv, write_csv_f64, write_npy, write_npy_complex, write_npy_f64, write_npz,
    write_png_grid,
};

/// The result of everything here that can be refused.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// Reads `source` and checks that every value is finite, within the default [`Limits`].
///
/// # Errors
/// A [`DataError`] that says what is wrong, the value, and the fix.
pub fn load(source: &str) -> Result<Dataset> {
    load_with(source, &Limits::default())
}

/// Reads `source` and checks that every value is finite, within the given limits.
///
/// # Errors
/// A [`DataError`] that says what is wrong, the value, and the fix.
pub fn load_with(source: &str, limits: &Limits) -> Result<Dataset> {
    let dataset = read::read(source, limits)?;
    dataset.check_finite()?;
    Ok(dataset)
}

/// Reads one PNG or JPEG image as a map of brightness, within the default [`Limits`].
///
/// # Errors
/// A [`DataError`] for a file that is no image, or damaged, or too large.
pub fn load_grey_image(path: &str) -> Result<GreyImage> {
    let (file, reading) = (path.as_ref(), reading::Reading { source: path, limits: &Limits::default() });
    if !std::path::Path::exists(file) {
        return Err(source::not_found(file, &reading));
    }
    format::read_grey(file, &reading)
}

/// The times in a column of a table, `cells.csv#day`, rising, each with the number of its rows; none for another source.
///
/// The rows of one time are the source `cells.csv#day=2`.
///
/// # Errors
/// A [`DataError`] for a table that cannot be read, a column that is not there, or cells that are no numbers.
pub fn times_in(source: &str) -> Result<Option<Vec<(f64, usize)>>> {
    read::read_times(source, &Limits::default())
}

/// Reads `source` and describes it, non-finite values included, within the default [`Limits`].
///
/// # Errors
/// As [`load`], except that NaN and infinite values are reported in the [`Inspection`].
pub fn inspect(source: &str) -> Result<Inspection> {
    inspect_with(source, &Limits::default())
}

/// Reads `source` and describes it, non-finite values included, within the given limits.
///
/// # Errors
/// As [`load_with`], except that NaN and infinite values are reported in the [`Inspection`].
pub fn inspect_with(source: &str, limits: &Limits) -> Result<Inspection> {
    Ok(Inspection::of(&read::read(source, limits)?))
}
