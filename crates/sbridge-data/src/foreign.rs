//! Formats that are not read: named by their first bytes or their ending, with a line that converts them.

use crate::DataError;
use crate::reading::Reading;

/// A format of others.
struct Foreign {
    /// Endings of file names, without the point.
    endings: &'static [&'static str],
    /// What such files begin with; with nothing here the ending alone tells.
    magic: &'static [&'static [u8]],
    /// What it is.
    what: &'static str,
    /// How to convert `FILE`.
    fix: &'static str,
}

const FORMATS: [Foreign; 25] = [
    Foreign {
        endings: &["zst", "zstd"],
        magic: &[b"\x28\xb5\x2f\xfd"],
        what: "compressed with zstd; only gzip is undone",
        fix: "unpack it with: zstd -d FILE",
    },
    Foreign {
        endings: &["xz"],
        magic: &[b"\xfd7zXZ\0"],
        what: "compressed with xz; only gzip is undone",
        fix: "unpack it with: xz -dk FILE",
    },
    Foreign {
        endings: &["bz2"],
        magic: &[b"BZh"],
        what: "compressed with bzip2; only gzip is undone",
        fix: "unpack it with: bzip2 -dk FILE",
    },
    Foreign {
        endings: &["lz4"],
        magic: &[b"\x04\x22\x4d\x18"],
        what: "compressed with lz4; only gzip is undone",
        fix: "unpack it with: lz4 -d FILE",
    },
    Foreign {
        endings: &["7z", "rar"],
        magic: &[b"7z\xbc\xaf\x27\x1c"],
        what: "an archive of other files",
        fix: "unpack it and give the file inside",
    },
    Foreign {
        endings: &["tar", "tgz"],
        magic: &[],
        what: "an archive of other files",
        fix: "unpack it with: tar -xf FILE",
    },
    Foreign {
        endings: &["parquet", "pq"],
        magic: &[b"PAR1"],
        what: "a Parquet table",
        fix: "save it as text: pandas.read_parquet('FILE').to_csv('x.csv', index=False)",
    },
    Foreign {
        endings: &["feather", "arrow", "ipc"],
        magic: &[b"ARROW1"],
        what: "an Arrow table",
        fix: "save it as text: pandas.read_feather('FILE').to_csv('x.csv', index=False)",
    },
    Foreign {
        endings: &["h5ad"],
        magic: &[],
        what: "an AnnData file, whose counts are mostly a sparse matrix",
        fix: "save what you mean as a dense array: a = anndata.read_h5ad('FILE'); numpy.save('x.npy', a.obsm['X_pca']), or \
              a.X.toarray() for the counts",
    },
    Foreign {
        endings: &["loom"],
        magic: &[],
        what: "a Loom file",
        fix: "save it as a dense array: numpy.save('x.npy', anndata.read_loom('FILE').X.toarray())",
    },
    Foreign {
        endings: &["mtx"],
        magic: &[b"%%MatrixMarket"],
        what: "a sparse matrix in the Matrix Market format",
        fix: "save it dense: numpy.save('x.npy', scipy.io.mmread('FILE').toarray()), with .T if its columns are the samples",
    },
    Foreign {
        endings: &["mat"],
        magic: &[b"MATLAB"],
        what: "a MATLAB file",
        fix: "save one array: numpy.save('x.npy', scipy.io.loadmat('FILE')['x'])",
    },
    Foreign {
        endings: &["h5", "hdf5", "hdf", "nc"],
        magic: &[b"\x89HDF\r\n\x1a\n"],
        what: "an HDF5 file",
        fix: "save one array: numpy.save('x.npy', h5py.File('FILE')['x'][:])",
    },
    Foreign {
        endings: &["pkl", "pickle", "joblib"],
        magic: &[b"\x80\x02"],
        what: "a pickle, which runs what it holds when it is opened, and is never read",
        fix: "save what it holds with numpy.save or DataFrame.to_csv",
    },
    Foreign {
        endings: &["pt", "pth", "ckpt"],
        magic: &[],
        what: "a PyTorch file",
        fix: "save one tensor: numpy.save('x.npy', torch.load('FILE').numpy())",
    },
    Foreign {
        endings: &["safetensors"],
        magic: &[],
        what: "a file of tensors",
        fix: "save one of them: numpy.save('x.npy', safetensors.numpy.load_file('FILE')['x'])",
    },
    Foreign {
        endings: &["xlsx", "xlsm", "ods", "xls"],
        magic: &[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"],
        what: "a spreadsheet",
        fix: "save the sheet as \"CSV UTF-8\", or: pandas.read_excel('FILE').to_csv('x.csv', index=False)",
    },
    Foreign {
        endings: &["json", "jsonl", "ndjson"],
        magic: &[b"[{", b"{\""],
        what: "JSON, which is read for series only (`sbridge forecast`)",
        fix: "save it as a table: pandas.read_json('FILE').to_csv('x.csv', index=False), with lines=True for JSON lines",
    },
    Foreign {
        endings: &["rds", "rdata", "rda"],
        magic: &[],
        what: "an R file",
        fix: "save it as text in R: write.csv(x, 'x.csv', row.names=FALSE)",
    },
    Foreign {
        endings: &["sqlite", "db"],
        magic: &[b"SQLite format 3\0"],
        what: "a data base",
        fix: "export one table as CSV",
    },
    Foreign {
        endings: &["dta", "sav", "sas7bdat"],
        magic: &[],
        what: "a file of a statistics program",
        fix: "save it as text, for example with pandas.read_stata('FILE').to_csv('x.csv', index=False)",
    },
    Foreign {
        endings: &["fits"],
        magic: &[b"SIMPLE  ="],
        what: "a FITS file",
        fix: "save one array: numpy.save('x.npy', astropy.io.fits.getdata('FILE'))",
    },
    Foreign {
        endings: &["tfrecord", "tfrecords"],
        magic: &[],
        what: "a TensorFlow file",
        fix: "save its arrays with numpy.save",
    },
    Foreign {
        endings: &[],
        magic: &[b"<!DOCTYPE", b"<html"],
        what: "HTML, as a failed download leaves it",
        fix: "download the file itself",
    },
    Foreign {
        endings: &[],
        magic: &[b"<?xml"],
        what: "XML",
        fix: "save it as a table: pandas.read_xml('FILE').to_csv('x.csv', index=False)",
    },
];

/// Why a file of another format is not read; none if it may be one that is.
///
/// The first bytes count before the ending: a packed file is often named after what was packed.
pub(crate) fn refusal(name: &str, bytes: &[u8], reading: &Reading) -> Option<DataError> {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let by_bytes = |format: &&Foreign| format.magic.iter().any(|magic| bytes.starts_with(magic));
    let by_name = |format: &&Foreign| format.endings.contains(&ending);
    let format = FORMATS.iter().find(by_name).or_else(|| FORMATS.iter().find(by_bytes))?;
    let path = reading.source.split_once('#').map_or(reading.source, |(path, _)| path);
    Some(reading.unsupported(format.what, format.fix.replace("FILE", path)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Limits;

    fn message(name: &str, bytes: &[u8]) -> Option<String> {
        let limits = Limits::default();
        refusal(name, bytes, &Reading { source: name, limits: &limits }).map(|error| error.to_string())
    }

    #[test]
    fn formats_of_others_are_named_with_the_way_out() {
        assert!(message("cells.h5ad", b"\x89HDF\r\n\x1a\n").unwrap().contains("read_h5ad('cells.h5ad')"));
        assert!(message("x.csv", b"\x28\xb5\x2f\xfd\0\0").unwrap().contains("zstd -d x.csv"));
        assert!(message("x.mtx", b"%%MatrixMarket matrix").unwrap().contains("sparse matrix"));
        assert!(message("x.dat", b"PAR1").unwrap().contains("read_parquet"));
        assert!(message("x.csv", b"1,2\n").is_none() && message("x.npz", b"PK\x03\x04").is_none());
    }
}
