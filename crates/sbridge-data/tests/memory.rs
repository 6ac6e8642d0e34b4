//! Memory stays in proportion to the file, whatever the file claims of itself.
//!
//! The peak of the whole process is what counts, so this is the only test in its file, and only where
//! the system tells the peak.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{self, Read};

use flate2::{Compression, write::GzEncoder};
use sbridge_data::{inspect, load};

/// The most memory this process ever held, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn npy(shape: &str) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &[0; 64]].concat()
}

/// A quarter of a gigabyte of zeros in a quarter of a megabyte.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    io::copy(&mut io::repeat(0).take(1 << 28), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

/// An archive without members whose directory claims as many as the file has bytes.
fn crowded_archive() -> Vec<u8> {
    const PADDING: u64 = 2 << 20;
    let count = PADDING.to_le_bytes();
    let end = |signature: &[u8], rest: &[&[u8]]| [&[signature], rest].concat().concat();
    [
        vec![0; PADDING as usize],
        end(
            b"PK\x06\x06",
            &[
                &44u64.to_le_bytes(),
                &[45, 0, 45, 0],
                &[0; 8],
                &count,
                &count,
                &u64::MAX.to_le_bytes(),
                &count,
            ],
        ),
        end(b"PK\x06\x07", &[&[0; 4], &count, &[1, 0, 0, 0]]),
        end(b"PK\x05\x06", &[&[0; 4], &[0xff; 12], &[0; 2]]),
    ]
    .concat()
}

/// The header of a PNG image of 20,000×20,000 grey pixels, and nothing else.
fn png_header() -> Vec<u8> {
    let sides = [20_000u32.to_be_bytes(), 20_000u32.to_be_bytes()].concat();
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", &sides[..], &[8, 0, 0, 0, 0], b"\xc6\x1b\x19\xe5\0\0\0\0IDAT"].concat()
}

#[test]
fn hostile_files_of_a_few_megabytes_take_a_few_hundred() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("a.npy", npy("(1000000000,)")),
        ("b.npy", npy("(1000000000000000000,)")),
        ("c.npz", crowded_archive()),
        ("d.csv.gz", bomb()),
        ("e.csv", vec![b','; 4 << 20]),
        ("images/f.png", png_header()),
    ];
    fs::create_dir(folder.path().join("images")).unwrap();
    let before = peak();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let read = if name.contains('/') { path.parent().unwrap() } else { &path };
        let source = read.to_string_lossy();
        println!("{}", load(&source).unwrap_err());
        assert!(inspect(&source).is_err());
        // 64 MiB may be unpacked from anything, into a buffer that grows by doubling, so 192 MiB while it
        // is moved; the rest is for the files themselves and what the tables of cells take.
        let taken = peak() - before;
        assert!(taken < 320 << 20, "{name}: {} MiB", taken >> 20);
    }
}
