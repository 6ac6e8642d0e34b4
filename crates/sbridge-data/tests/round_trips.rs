//! What is written is what is read, through files on disk, for every format that is written.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use npyz::WriterBuilder;
use proptest::prelude::*;
use sbridge_data::{
    DataError, Limits, SampleShape, SourceKind, inspect, load, load_with, write_csv, write_csv_f64,
    write_npy, write_npy_f64, write_png_grid,
};

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    // Each case writes and flushes two files; 32 cases take well under a second.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn arrays_and_tables_are_read_back_exactly(rows in 1usize..6, dim in 1usize..6, seed in prop::array::uniform25(-1e30f32..1e30)) {
        let folder = tempfile::tempdir().unwrap();
        let values = &seed[..rows * dim];
        let (npy, csv) = (folder.path().join("x.npy"), folder.path().join("x.csv"));
        write_npy(&npy, values, &[rows, dim]).unwrap();
        write_csv(&csv, values, dim).unwrap();
        for path in [npy, csv] {
            let set = load(&text(&path)).unwrap();
            prop_assert_eq!(set.values(), values);
            prop_assert_eq!(set.shape(), SampleShape::Vector { dim });
        }
    }
}

/// A `.npy` file of f64, by `npyz`, which shares nothing with the reader.
fn npy_f64(values: &[f64], shape: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn a_spread_of_a_hundredth_about_a_million_keeps_its_digits() {
    let folder = tempfile::tempdir().unwrap();
    let (npy, csv) = (folder.path().join("x.npy"), folder.path().join("x.csv"));
    let values: Vec<f64> = (0..40).map(|k| 1e6 + 1e-3 * f64::from(k)).collect();
    fs::write(&npy, npy_f64(&values, &[20, 2])).unwrap();
    let line = |row: &[f64]| format!("{},{}\n", row[0], row[1]);
    fs::write(&csv, values.chunks(2).map(line).collect::<String>()).unwrap();
    for path in [npy, csv] {
        let set = load(&text(&path)).unwrap();
        assert!(set.exceeds_f32());
        assert_eq!(set.values_f64().as_ref(), values);
        // f32 rounds to sixteenths there.
        assert_eq!(set.values()[1], 1e6);
        assert_eq!(set.select(&[3]).values_f64().as_ref(), &values[6..8]);
        let inspection = inspect(&text(&path)).unwrap();
        assert_eq!((inspection.constant_columns, inspection.duplicate_rows), (0, 0));
        assert_eq!((inspection.min, inspection.max), (1e6, 1_000_000.039));
        assert!(inspection.warnings.iter().any(|warning| warning.contains("steps only")), "{inspection}");
    }
}

#[test]
fn doubles_are_read_back_exactly_and_counted_from_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (npy, csv) = (folder.path().join("x.npy"), folder.path().join("x.csv"));
    let values: Vec<f64> = (0..12).map(|k| 1e6 + 0.1 * f64::from(k)).collect();
    write_npy_f64(&npy, &values, &[6, 2]).unwrap();
    write_csv_f64(&csv, &values, 2).unwrap();
    for path in [npy, csv] {
        let set = load(&text(&path)).unwrap();
        assert_eq!(set.values_f64().as_ref(), values);
        let counted = set.counted_from(&[1e6, 1e6]);
        // What is left of 0.1 beside a million: 2⁻³³ of it, which is also the rounding of f32.
        assert!((counted.values()[3] - 0.3).abs() < 1e-7, "{}", counted.values()[3]);
    }
}

#[test]
fn what_f32_holds_is_held_as_f32() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    fs::write(&path, npy_f64(&[0.5, -3.0, 16_777_216.0, 0.25], &[2, 2])).unwrap();
    let set = load(&text(&path)).unwrap();
    assert!(!set.exceeds_f32());
    assert_eq!(set.values(), [0.5, -3.0, 16_777_216.0, 0.25]);
}

#[test]
fn a_written_array_is_what_numpy_documents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    write_npy(&path, &[1.0, -2.0], &[2, 1]).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes[..6], *b"\x93NUMPY");
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((10 + header) % 16, 0, "data is aligned");
    assert_eq!(bytes[10 + header..], [1.0f32.to_le_bytes(), (-2.0f32).to_le_bytes()].concat());
    assert!(write_npy(&path, &[1.0], &[2, 1]).is_err());
}

#[test]
fn a_written_grid_is_an_image_folder() {
    let folder = tempfile::tempdir().unwrap();
    let shape = SampleShape::Image { channels: 1, height: 2, width: 2 };
    write_png_grid(folder.path().join("a.png"), &[0.0, 0.2, 0.4, 1.0], shape, 1, 1).unwrap();
    let set = load(&text(folder.path())).unwrap();
    assert_eq!(set.shape(), SampleShape::Image { channels: 1, height: 4, width: 4 });
    let row = set.row(0);
    assert_eq!([row[5], row[6], row[9], row[10]], [0.0, 51.0, 102.0, 255.0]);
}

#[test]
fn gzip_is_told_by_its_bytes_and_not_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plain.csv", "named.csv.gz"] {
        let path = folder.path().join(name);
        fs::write(&path, gzip(b"1,2\n3,4\n")).unwrap();
        assert_eq!(load(&text(&path)).unwrap().values(), [1.0, 2.0, 3.0, 4.0], "{name}");
    }
}

#[test]
fn labels_of_a_sibling_are_attached_if_they_agree_and_noted_if_not() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("some-images-idx3-ubyte");
    let labels = folder.path().join("some-labels-idx1-ubyte.gz");
    fs::write(&images, [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 10, 20]).unwrap();
    assert!(load(&text(&images)).unwrap().labels().is_none());
    fs::write(&labels, gzip(&[0, 0, 8, 1, 0, 0, 0, 2, 4, 3])).unwrap();
    assert_eq!(load(&text(&images)).unwrap().labels().unwrap(), [4, 3]);
    fs::write(&labels, gzip(&[0, 0, 8, 1, 0, 0, 0, 1, 4])).unwrap();
    let set = load(&text(&images)).unwrap();
    assert!(
        set.labels().is_none() && set.notes().iter().any(|note| note.contains("1 values for 2 images")),
        "{:?}",
        set.notes()
    );
}

#[test]
fn load_refuses_what_inspect_reports() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    fs::write(&path, "a,b\n1,2\n3,nan\n").unwrap();
    let error = load(&text(&path)).unwrap_err().to_string();
    assert!(error.contains("line 3, column 2 (b): 'nan' marks a missing value"), "{error}");
    assert_eq!(inspect(&text(&path)).unwrap().non_finite.unwrap().count, 1);
}

#[test]
fn a_path_where_nothing_lies_suggests_what_does() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("points.npy"), "x").unwrap();
    let message = |source: &str| load(source).unwrap_err().to_string();
    assert!(message(&text(&folder.path().join("point.npy"))).contains("did you mean points.npy?"));
    assert!(message(&text(&folder.path().join("no/where.npy"))).contains("does not exist either"));
    assert!(message("digits").contains("builtin:digits"));
    assert!(message("https://example.org/x.npy").contains("download"));
    assert!(message("").contains("can read"));
    assert!(message("builtin:digts").contains("did you mean digits?"));
}

#[test]
fn wrong_kinds_of_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let message = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        load(&text(&path)).unwrap_err().to_string()
    };
    assert!(message("x.parquet", b"PAR1").contains("read_parquet"));
    assert!(message("x.png", b"\x89PNG\r\n\x1a\n").contains("give the folder"));
    assert!(message("x.npy", b"").contains("0 bytes"));
    assert!(message("x.npy", b"1,2\n").contains("NUMPY"));
    assert!(message("x.csv", b"\x1f\x8bgarbage").contains("damaged gzip"));
    assert!(
        load("/dev/zero").unwrap_err().to_string().contains("regular file")
            || !Path::new("/dev/zero").exists()
    );
}

#[test]
fn limits_hold_for_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let (npy, csv) = (folder.path().join("x.npy"), folder.path().join("x.csv"));
    write_npy(&npy, &[0.0; 64], &[8, 8]).unwrap();
    write_csv(&csv, &[0.0; 64], 8).unwrap();
    let limits = Limits { max_bytes: 63 * 4 };
    for source in [text(&npy), text(&csv), "builtin:moons?n=32".to_owned(), "builtin:digits?n=1".to_owned()] {
        assert!(matches!(load_with(&source, &limits), Err(DataError::TooLarge { .. })), "{source}");
    }
    let enough = Limits { max_bytes: 64 * 4 };
    assert!(load_with(&text(&npy), &enough).is_ok() && load_with("builtin:moons?n=32", &enough).is_ok());
}

#[test]
fn built_in_sets_are_reproducible_and_described() {
    let set = load("builtin:letters?n=30&seed=3").unwrap();
    assert_eq!((set.kind(), set.len()), (SourceKind::Builtin, 30));
    assert_eq!(set.sha256(), load("builtin:letters?n=30&seed=3").unwrap().sha256());
    let inspection = inspect("builtin:letters?n=30&seed=3").unwrap();
    assert_eq!(inspection.classes.as_ref().unwrap()[0].name.as_deref(), Some("A"));
    assert!(serde_json::to_string(&inspection).unwrap().contains("\"kind\":\"builtin\""));
}
