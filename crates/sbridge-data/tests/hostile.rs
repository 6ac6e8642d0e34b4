//! Files that no honest program writes, and slips that honest people make: each is refused with one
//! message that says what was wrong, or read for what it is.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use sbridge_data::{Dataset, Limits, SampleShape, inspect, load, load_with};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Writes a file into a folder of its own and loads it; `source` makes the source of its path.
fn loaded(name: &str, bytes: &[u8], source: impl Fn(&str) -> String) -> sbridge_data::Result<Dataset> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    load(&source(&text(&path)))
}

/// The one line that refuses a file.
fn refusal(name: &str, bytes: &[u8]) -> String {
    one_line(loaded(name, bytes, str::to_owned))
}

/// The one line that refuses an array of an archive.
fn refusal_of_key(bytes: &[u8], key: &str) -> String {
    one_line(loaded("x.npz", bytes, |path| format!("{path}#{key}")))
}

fn one_line(result: sbridge_data::Result<Dataset>) -> String {
    let message = result.unwrap_err().to_string();
    assert!(message.len() < 2000 && !message.contains(char::is_control), "{message:?}");
    message
}

fn read(name: &str, bytes: &[u8]) -> Dataset {
    loaded(name, bytes, str::to_owned).unwrap()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A `.npy` file with this header, whatever it says, and this data.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

fn npy_of_shape(shape: &str, data: &[u8]) -> Vec<u8> {
    npy(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"), data)
}

fn npz(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Every place where `pattern` begins.
fn places(bytes: &[u8], pattern: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|&at| bytes[at..].starts_with(pattern)).collect()
}

#[test]
fn gzip_that_holds_nothing_or_something_else_is_refused() {
    assert!(refusal("x-images-idx3-ubyte.gz", &gzip(b"")).contains("expands to 0 bytes"));
    assert!(refusal("x-images-idx3-ubyte.gz", &gzip(b"a,b\n1,2\n")).contains("two zero bytes, found 0x61"));
    assert!(refusal("x.csv.gz", &gzip(&gzip(b"1,2\n"))).contains("zero byte"));
    let trailing = [gzip(b"1,2\n"), b"trailing".to_vec()].concat();
    assert!(refusal("x.csv.gz", &trailing).contains("damaged gzip"));
}

#[test]
fn shapes_that_no_file_can_hold_are_refused() {
    let message = |shape: &str| refusal("x.npy", &npy_of_shape(shape, &[0; 16]));
    assert!(message("(1000000000000000000,)").contains("1000000000000000000"));
    assert!(message("(1000000000,)").contains("needs 4000000000 bytes, but 16"));
    assert!(message("(4294967296, 4294967296, 2)").contains("over the limit"));
    assert!(message("(-4,)").contains("cannot understand the header"));
    assert!(message("(4.0,)").contains("cannot understand the header"));
    assert!(message("(99999999999999999999999,)").contains("cannot understand the header"));
    assert!(message(&format!("({})", "1,".repeat(30_000))).contains("rank 30000"));
}

#[test]
fn sizes_that_wrap_around_are_refused_without_any_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    // 2⁶¹ doubles of 8 bytes are 2⁶⁴ bytes, which is 0 in 64 bits: as many as follow the header.
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,), }";
    fs::write(&path, npy(header, &[])).unwrap();
    let refused = load_with(&text(&path), &Limits { max_bytes: u64::MAX });
    assert!(refused.unwrap_err().to_string().contains("needs 18446744073709551616 bytes, but 0"));
}

#[test]
fn headers_longer_than_the_file_are_refused() {
    let mut long = npy_of_shape("(4,)", &[0; 16]);
    long[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
    assert!(refusal("x.npy", &long).contains("ends inside its header"));
    let version_2 = [&b"\x93NUMPY\x02\x00\xff\xff\xff\xff"[..], &[b' '; 64]].concat();
    assert!(refusal("x.npy", &version_2).contains("ends inside its header"));
}

#[test]
fn a_message_does_not_repeat_what_a_hostile_header_says() {
    let hostile =
        format!("{{'descr': '<\u{1b}[31m{}', 'fortran_order': False, 'shape': (1,), }}", "f".repeat(5000));
    assert!(refusal("x.npy", &npy(&hostile, &[])).contains("not plain numbers"));
    assert!(refusal("x.npy", &npy(&"\n{".repeat(5000), &[])).contains("cannot understand"));
}

#[test]
fn archives_that_lie_are_refused() {
    let array = npy_of_shape("(4,)", &[0; 16]);
    let good = npz(&[("x.npy", &array), ("z.npy", &array)]);

    let mut twice = good.clone();
    places(&good, b"z.npy").into_iter().for_each(|at| twice[at] = b'x');
    assert!(refusal_of_key(&twice, "x").contains("two arrays of one name"));

    let mut encrypted = good.clone();
    places(&good, b"PK\x03\x04").into_iter().for_each(|at| encrypted[at + 6] |= 1);
    places(&good, b"PK\x01\x02").into_iter().for_each(|at| encrypted[at + 8] |= 1);
    assert!(refusal_of_key(&encrypted, "x").contains("Password"), "{}", refusal_of_key(&encrypted, "x"));

    // The sizes before and after compression, in the local header and in the directory.
    for (signature, sizes) in [(b"PK\x03\x04", 18), (b"PK\x01\x02", 20)] {
        let mut huge = good.clone();
        places(&good, signature).into_iter().for_each(|at| huge[at + sizes..][..8].fill(0xf0));
        let _ =
            loaded("x.npz", &huge, |path| format!("{path}#x")).map(|set| assert_eq!(set.values(), [0.0; 4]));
    }
    assert!(refusal_of_key(&good, "w").contains("It holds: x, z"));
    assert!(refusal_of_key(&npz(&[("\0.npy", &array)]), "x").contains("has no array 'x'"));
    assert!(refusal("x.npz", &good).contains("say which"));
    assert!(refusal("x.npz", b"1,2\n").contains("not a sound NumPy archive"));
    assert!(refusal("x.npz", &npz(&[("notes.txt", b"none")])).contains("holds no arrays"));
}

#[test]
fn an_archive_of_many_arrays_lists_only_the_first() {
    let names: Vec<String> = (0..500).map(|k| format!("{k:03}{}.npy", "long".repeat(20))).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(refusal("x.npz", &npz(&members)).contains("500 arrays: 000long"));
}

#[test]
fn a_compressed_archive_takes_a_key_as_well() {
    let archive = gzip(&npz(&[("x.npy", &npy_of_shape("(1,)", &2f32.to_le_bytes())), ("z.npy", b"")]));
    let set = loaded("x.npz.gz", &archive, |path| format!("{path}#x")).unwrap();
    assert_eq!(set.values(), [2.0]);
}

#[test]
fn quotes_that_swallow_lines_are_refused() {
    // Read as a quoted cell, the label of row 1 would be all that follows, and no row would be missed.
    assert!(refusal("x.csv", b"a,label\n1,\"x\n2,y\n3,z\n").contains("line 2, column 2: a quoted cell"));
    assert!(refusal("x.csv", b"\"a,b\n1,2\n3,4\n").contains("line 1, column 1: a quoted cell"));
    assert_eq!(read("x.csv", b"\"a\",\"b\"\n\"1\",\"2\"\n").values(), [1.0, 2.0]);
}

#[test]
fn encodings_are_told_apart() {
    let utf_16 = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("{mark}1,2\n3,4\n").encode_utf16().flat_map(bytes).collect()
    };
    assert!(refusal("x.csv", &utf_16("\u{feff}", u16::to_le_bytes)).contains("UTF-16"));
    assert!(refusal("x.csv", &utf_16("\u{feff}", u16::to_be_bytes)).contains("UTF-16"));
    assert!(refusal("x.csv", &utf_16("", u16::to_le_bytes)).contains("line 1 holds a zero byte"));
    assert!(refusal("x.csv", b"a,b\n1,2\n\xff\xff,2\n").contains("line 3 is not UTF-8"));
    assert!(refusal("x.csv", b"\xef\xbb\xbf").contains("empty"));
    assert_eq!(read("x.csv", b"\xef\xbb\xbf1,2\r\n3,4").values(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(read("x.csv", b"1,2\r3,4\r").values(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_row_that_differs_is_found_far_down() {
    let table = "1,2\n".repeat(100_000) + "3,4,5\n" + &"1,2\n".repeat(10);
    assert!(refusal("x.csv", table.as_bytes()).contains("line 100001 has 3 cells, but line 1 has 2"));
    let table = "1,2\n".repeat(100_000) + "3\n";
    assert!(refusal("x.csv", table.as_bytes()).contains("line 100001 has 1 cells"));
}

#[test]
fn a_million_columns_are_read_and_ten_million_are_not() {
    let line = |columns: usize| vec!["1"; columns].join(",") + "\n";
    let set = read("x.csv", line(1_000_000).repeat(2).as_bytes());
    assert_eq!((set.len(), set.shape()), (2, SampleShape::Vector { dim: 1_000_000 }));
    assert!(refusal("x.csv", line(10_000_000).as_bytes()).contains("10000000 cells"));
    let second = "1,1\n".to_owned() + &line(3_000_000);
    assert!(refusal("x.csv", second.as_bytes()).contains("line 2 has 3000000 cells"));
}

#[test]
fn text_among_numbers_is_named_and_the_likely_fix_is_told() {
    assert!(refusal("x.csv", b"a,b\n1,2\n1,\x1b[31m\n").contains("line 3, column 2 (b): '\u{fffd}[31m'"));
    assert!(refusal("x.txt", b"1.0 2.0 a\n3.0 4.0 5.0\n").contains("'a' is not a number"));
    assert_eq!(read("x.txt", b"1.0 2.0\n3.0 4.0\n").values(), [1.0, 2.0, 3.0, 4.0]);
    assert!(refusal("x.csv", b"a;b\n1.5;2,5\n").contains("decimal points"));
    let wide = format!("{},b\n1,x\n", "a".repeat(100_000));
    assert!(refusal("x.csv", wide.as_bytes()).contains("column 2 (b): 'x'"));
}

#[test]
fn values_that_are_not_finite_are_placed() {
    assert!(
        refusal("x.csv", b"a,b\n1,2\n3,4\n5,-inf\n").contains("line 4, column 2 (b): '-inf' is infinite")
    );
    assert!(
        refusal("x.csv", b"1,2\n1e39,4\n")
            .contains("1e39 at row 1, column 0, counting from 0, is beyond f32")
    );
    let values = [1.0, 2.0, 3.0, f32::NAN].map(f32::to_le_bytes).concat();
    assert!(refusal("x.npy", &npy_of_shape("(2, 2)", &values)).contains("NaN at row 1, column 1"));
    let idx = [&[0, 0, 0x0d, 1, 0, 0, 0, 2][..], &1f32.to_be_bytes(), &f32::INFINITY.to_be_bytes()].concat();
    assert!(refusal("x.idx", &idx).contains("inf at row 1, column 0"));
}

#[test]
fn constant_columns_are_read_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    fs::write(&path, "a,b\n1,7\n2,7\n3,7\n").unwrap();
    assert_eq!(load(&text(&path)).unwrap().len(), 3);
    let screen = inspect(&text(&path)).unwrap().to_string();
    assert!(screen.contains("1 columns: b") && screen.contains("1 columns are constant"), "{screen}");
}

#[test]
fn a_screen_stays_readable_whatever_the_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    let name = "\u{1b}[31m".to_owned() + &"n".repeat(100_000);
    fs::write(&path, format!("{name},label\n1,{name}\n1,b\n")).unwrap();
    let screen = inspect(&text(&path)).unwrap().to_string();
    assert!(screen.len() < 3000 && !screen.contains('\u{1b}'), "{} bytes", screen.len());
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_refused_without_waiting() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let message = |name: &str| one_line(load(&text(&path(name))));
    symlink("loop.npy", path("loop.npy")).unwrap();
    symlink("nowhere.npy", path("dangling.npy")).unwrap();
    fs::write(path("file.npy"), "x").unwrap();
    fs::create_dir(path("folder.npy")).unwrap();
    assert!(message("loop.npy").contains("cannot be read"));
    assert!(message("dangling.npy").contains("the link points to where nothing lies"));
    assert!(message("file.npy/x.npy").contains("no such file"));
    assert!(message("folder.npy").contains("holds no .png"));
    assert!(load("nul\0.npy").unwrap_err().to_string().contains("cannot be read"));
    let made = std::process::Command::new("mkfifo").arg(path("pipe.npy")).status();
    if made.is_ok_and(|status| status.success()) {
        assert!(message("pipe.npy").contains("not a regular file"));
    }
}
