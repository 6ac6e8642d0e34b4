//! Damaged files are errors or other data, never a panic: bytes changed, inserted and cut at random.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use npyz::WriterBuilder;
use proptest::prelude::*;
use sbridge_data::{Limits, SampleShape, inspect_with, load_with, write_npy, write_png_grid};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Small enough that no damaged header can cost time or memory.
const LIMITS: Limits = Limits { max_bytes: 1 << 20 };

/// Small valid files of every format, by name.
fn valid_files() -> Vec<(&'static str, Vec<u8>)> {
    let idx = [vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2], (0..8).collect()].concat();
    vec![
        ("a-images-idx3-ubyte", idx.clone()),
        ("b-images-idx3-ubyte.gz", gzip(&idx)),
        ("c.npy", npy()),
        ("d.npz", npz()),
        ("e.csv", b"\"\",\"x 1\",label\n\"1\",0.5,1\n\"2\",1.5e3,0\n".to_vec()),
        ("f.png", png()),
        ("unknown", idx),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn npy() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    write_npy(&path, &[1.0, 2.0, 3.0, 4.0], &[2, 2]).unwrap();
    fs::read(path).unwrap()
}

fn npz() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["x.npy", "y.npy"] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        let options = npyz::WriteOptions::new().default_dtype().shape(&[3]);
        let mut array = options.writer(&mut zip).begin_nd().unwrap();
        array.extend([1i32, 2, 3]).unwrap();
        array.finish().unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn png() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.png");
    write_png_grid(&path, &[0.1, 0.5], SampleShape::Image { channels: 1, height: 1, width: 2 }, 1, 1)
        .unwrap();
    fs::read(path).unwrap()
}

/// One change to a file; positions are taken modulo its length.
#[derive(Debug, Clone)]
enum Damage {
    Set(usize, u8),
    Flip(usize, u8),
    Insert(usize, u8),
    Cut(usize),
    Repeat(usize),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (any::<usize>(), 0u8..8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Self::Insert(at, byte)),
            any::<usize>().prop_map(Self::Cut),
            any::<usize>().prop_map(Self::Repeat),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: usize, length: usize| at % length.max(1);
        match *self {
            _ if bytes.is_empty() => {}
            Self::Set(at, byte) => {
                let at = place(at, bytes.len());
                bytes[at] = byte;
            }
            Self::Flip(at, bit) => {
                let at = place(at, bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Insert(at, byte) => bytes.insert(place(at, bytes.len()), byte),
            Self::Cut(at) => bytes.truncate(place(at, bytes.len())),
            Self::Repeat(at) => {
                let tail = bytes[place(at, bytes.len())..].to_vec();
                bytes.extend(tail);
            }
        }
    }
}

/// Reads a file every way there is; only a panic fails.
fn read_every_way(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let path = path.to_string_lossy().into_owned();
    for source in [folder.path().to_string_lossy().into_owned(), format!("{path}#x"), path] {
        if let Ok(set) = load_with(&source, &LIMITS) {
            assert!(!set.is_empty() && set.values().iter().all(|value| value.is_finite()));
            assert_eq!(set.values().len(), set.len() * set.shape().size());
            assert!(set.labels().is_none_or(|labels| labels.len() == set.len()));
        }
        let _ = inspect_with(&source, &LIMITS).map(|inspection| inspection.to_string());
    }
}

#[test]
fn the_undamaged_files_are_read() {
    for (name, bytes) in valid_files().into_iter().filter(|(name, _)| *name != "f.png") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let source = path.to_string_lossy().into_owned() + if name == "d.npz" { "#x" } else { "" };
        load_with(&source, &LIMITS).unwrap();
    }
}

#[test]
fn every_truncation_is_an_error() {
    for (name, bytes) in valid_files().into_iter().filter(|(name, _)| !matches!(*name, "e.csv" | "f.png")) {
        for length in 0..bytes.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            fs::write(&path, &bytes[..length]).unwrap();
            let source = path.to_string_lossy().into_owned() + if name == "d.npz" { "#x" } else { "" };
            assert!(load_with(&source, &LIMITS).is_err(), "{name} cut to {length} of {} bytes", bytes.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_never_panic(damages in prop::collection::vec(Damage::any(), 1..6)) {
        for (name, mut bytes) in valid_files() {
            damages.iter().for_each(|damage| damage.apply(&mut bytes));
            read_every_way(name, &bytes);
        }
    }

    #[test]
    fn any_bytes_under_any_name_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (name, _) in valid_files() {
            read_every_way(name, &bytes);
        }
    }

    #[test]
    fn any_source_is_an_error_and_never_a_panic(source in "(builtin:)?[a-z0-9?=&#.]{0,20}") {
        let limits = Limits { max_bytes: 4096 };
        let _ = load_with(&source, &limits);
    }
}
