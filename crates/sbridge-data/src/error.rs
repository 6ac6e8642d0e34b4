//! What can be wrong with data, each with the value found and the fix.

use thiserror::Error;

/// Why a source could not be read, or a file could not be written.
///
/// Every message reads `source: what was wrong, with the value (the fix)`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing lies at the path.
    #[error("{source_name}: no such file or folder ({fix})")]
    NotFound {
        /// The source as the user typed it.
        source_name: String,
        /// What to do, with the nearest existing name if there is one.
        fix: String,
    },

    /// The operating system refused to read.
    #[error("{source_name}: cannot be read: {cause} (check the path and its permissions)")]
    Unreadable {
        /// The source as the user typed it.
        source_name: String,
        /// The refusal of the operating system.
        cause: std::io::Error,
    },

    /// The content is sound as far as can be told, but of a kind that is not read here.
    #[error("{source_name}: {what} ({fix})")]
    Unsupported {
        /// The source as the user typed it.
        source_name: String,
        /// What was found.
        what: String,
        /// How to turn it into something that is read.
        fix: String,
    },

    /// The content breaks the rules of its own format.
    #[error("{source_name}: {what} ({fix})")]
    Malformed {
        /// The source as the user typed it.
        source_name: String,
        /// What was found.
        what: String,
        /// How to repair it.
        fix: String,
    },

    /// More data than the limits allow.
    #[error("{source_name}: {what}, over the limit of {limit} bytes ({fix})")]
    TooLarge {
        /// The source as the user typed it.
        source_name: String,
        /// What would be needed.
        what: String,
        /// The limit that it passes, in bytes.
        limit: u64,
        /// What to do.
        fix: String,
    },

    /// A value is missing, infinite, or beyond f32.
    #[error("{source_name}: {what} ({}{fix})", if *count > 1 { format!("{count} such values; ") } else { String::new() })]
    NonFinite {
        /// The source as the user typed it.
        source_name: String,
        /// The first such value and its place, in words.
        what: String,
        /// Its row, counting from 0.
        row: usize,
        /// Its column within the row, counting from 0.
        column: usize,
        /// How many there are.
        count: usize,
        /// What to do.
        fix: String,
    },

    /// A built-in name, a parameter or a key of an archive that does not exist.
    #[error("{source_name}: {what} ({fix})")]
    Unknown {
        /// The source as the user typed it.
        source_name: String,
        /// The name that was not found.
        what: String,
        /// The nearest name, and all the names there are.
        fix: String,
    },

    /// An argument given by the caller does not fit the data.
    #[error("{what} ({fix})")]
    Argument {
        /// What does not fit.
        what: String,
        /// What would fit.
        fix: String,
    },

    /// A file could not be written; the previous file of that name, if any, is untouched.
    #[error("{path}: cannot be written: {cause} (check that the folder exists and has room)")]
    Unwritable {
        /// The file that was to be written.
        path: String,
        /// What went wrong.
        cause: std::io::Error,
    },
}
