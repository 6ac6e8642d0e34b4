//! TensorBoard event files: scalars, one record each, written as they happen.
//!
//! A record is `length · crc(length) · payload · crc(payload)`: an unsigned 64-bit length and
//! masked CRC-32C checksums, all little-endian (the TFRecord framing). The payload is an `Event`
//! message in Protocol Buffers encoding, of which only the fields for scalars are written:
//!
//! ```text
//! Event   { 1: double wall_time · 2: int64 step · 3: string file_version · 5: Summary }
//! Summary { 1: Value { 1: string tag · 2: float simple_value } }
//! ```
//!
//! Tests: the checksum's published check value; what is written is read back by an independent
//! decoder; a record torn by a crash is cut off before more are appended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the first record of every event file declares.
const FILE_VERSION: &str = "brain.Event:2";
const NAME_PREFIX: &str = "events.out.tfevents.";
const NAME_SUFFIX: &str = ".sbridge";
/// Bytes before a payload: its length and the checksum of the length.
const HEADER_BYTES: usize = 12;
/// Bytes after a payload: its checksum.
const FOOTER_BYTES: usize = 4;

/// Writes scalars into one TensorBoard event file.
///
/// Records are buffered; [`flush`](Self::flush) hands them to the operating system.
#[derive(Debug)]
pub struct EventWriter {
    file: BufWriter<File>,
}

impl EventWriter {
    /// Starts a new event file `events.out.tfevents.<unix seconds>.sbridge` in `folder`, creating
    /// the folder.
    ///
    /// If that name is taken, the next free second is used, so that no file is overwritten.
    ///
    /// # Errors
    /// When the folder or the file cannot be created or written.
    pub fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut writer = Self { file: BufWriter::new(new_file(folder)?) };
        writer.record(&version_event(wall_time()))?;
        writer.flush()?;
        Ok(writer)
    }

    /// Continues the event file in `folder` if there is exactly one, and otherwise starts a new
    /// one.
    ///
    /// A last record that an interrupted run left incomplete is removed first: TensorBoard stops
    /// reading there.
    ///
    /// # Errors
    /// When the folder cannot be read, or the file cannot be read, created or written.
    pub fn append(folder: &Path) -> io::Result<Self> {
        match event_files(folder)?.as_slice() {
            [only] => Self::resume(only),
            _ => Self::create(folder),
        }
    }

    fn resume(path: &Path) -> io::Result<Self> {
        let whole = whole_records(&fs::read(path)?) as u64;
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        let mut writer = Self { file: BufWriter::new(file) };
        if whole == 0 {
            writer.record(&version_event(wall_time()))?;
        }
        Ok(writer)
    }

    /// Writes one scalar: the `value` of `tag` at `step`, stamped with the present time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f32) -> io::Result<()> {
        self.record(&scalar_event(wall_time(), tag, step, value))
    }

    /// Hands all buffered records to the operating system.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn record(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = (payload.len() as u64).to_le_bytes();
        self.file.write_all(&length)?;
        self.file.write_all(&masked_crc32c(&length).to_le_bytes())?;
        self.file.write_all(payload)?;
        self.file.write_all(&masked_crc32c(payload).to_le_bytes())
    }
}

fn new_file(folder: &Path) -> io::Result<File> {
    let mut second = wall_time() as u64;
    loop {
        let path = folder.join(format!("{NAME_PREFIX}{second}{NAME_SUFFIX}"));
        match File::create_new(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => second += 1,
            outcome => return outcome,
        }
    }
}

/// The event files in `folder`, of which there are none if the folder does not exist.
fn event_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(NAME_PREFIX) && name.ends_with(NAME_SUFFIX) {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// Seconds since 1970; zero for a clock set before then.
fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// How many leading bytes of `file` are complete records with valid checksums.
fn whole_records(file: &[u8]) -> usize {
    let mut end = 0;
    while let Some(payload) = first_payload(&file[end..]) {
        end += HEADER_BYTES + payload.len() + FOOTER_BYTES;
    }
    end
}

/// The payload of the record that `bytes` start with, if it is complete and its checksums hold.
fn first_payload(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (length_crc, rest) = rest.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*length_crc) != masked_crc32c(length) {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let crc = u32::from_le_bytes(*rest.first_chunk::<4>()?);
    (crc == masked_crc32c(payload)).then_some(payload)
}

fn version_event(wall_time: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, wall_time);
    event.bytes(3, FILE_VERSION.as_bytes());
    event.0
}

fn scalar_event(wall_time: f64, tag: &str, step: u64, value: f32) -> Vec<u8> {
    let mut scalar = Message::default();
    scalar.bytes(1, tag.as_bytes());
    scalar.float(2, value);

    let mut summary = Message::default();
    summary.bytes(1, &scalar.0);

    let mut event = Message::default();
    event.double(1, wall_time);
    event.integer(2, step);
    event.bytes(5, &summary.0);
    event.0
}

/// A Protocol Buffers message under construction: each field is `key · value` with `key = number ·
/// 8 + wire type`.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn integer(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    /// Seven bits a byte, low bits first; the top bit says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The checksum as TFRecord stores it: rotated and shifted, so that a checksum of checksummed data
/// stays sound.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli polynomial, reflected), which is not the CRC-32 of zip and PNG.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc32c_table();
    !bytes.iter().fold(u32::MAX, |crc, &byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

const fn crc32c_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    /// The first varint of `bytes`, and what follows it.
    fn read_varint(bytes: &[u8]) -> (u64, &[u8]) {
        let last = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
        let value = bytes[..=last].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7F));
        (value, &bytes[last + 1..])
    }

    /// The fields of a message as `(number, raw value)`; varints come back as eight little-endian
    /// bytes.
    fn read_fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let (key, rest) = read_varint(bytes);
            let (value, rest) = match key & 7 {
                0 => {
                    let (value, rest) = read_varint(rest);
                    (value.to_le_bytes().to_vec(), rest)
                }
                1 => (rest[..8].to_vec(), &rest[8..]),
                2 => {
                    let (length, rest) = read_varint(rest);
                    (rest[..length as usize].to_vec(), &rest[length as usize..])
                }
                5 => (rest[..4].to_vec(), &rest[4..]),
                wire => panic!("unexpected wire type {wire}"),
            };
            fields.push((key >> 3, value));
            bytes = rest;
        }
        fields
    }

    fn field(message: &[u8], number: u64) -> Vec<u8> {
        let mut fields = read_fields(message).into_iter();
        fields.find(|(found, _)| *found == number).unwrap().1
    }

    fn read_scalar(event: &[u8]) -> (String, u64, f32) {
        let scalar = field(&field(event, 5), 1);
        (
            String::from_utf8(field(&scalar, 1)).unwrap(),
            u64::from_le_bytes(field(event, 2).try_into().unwrap()),
            f32::from_le_bytes(field(&scalar, 2).try_into().unwrap()),
        )
    }

    fn payloads(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        while let Some(payload) = first_payload(file) {
            payloads.push(payload.to_vec());
            file = &file[HEADER_BYTES + payload.len() + FOOTER_BYTES..];
        }
        assert!(file.is_empty(), "{} bytes are no whole record", file.len());
        payloads
    }

    fn only_file(folder: &Path) -> PathBuf {
        let files = event_files(folder).unwrap();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }

    fn scalars(folder: &Path) -> Vec<(String, u64, f32)> {
        let payloads = payloads(&fs::read(only_file(folder)).unwrap());
        assert_eq!(field(&payloads[0], 3), FILE_VERSION.as_bytes());
        payloads[1..].iter().map(|event| read_scalar(event)).collect()
    }

    #[test]
    fn crc32c_has_its_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA); // RFC 3720, B.4
    }

    #[test]
    fn version_record_has_the_known_header() {
        // TensorFlow's own event files start with these twelve bytes: length 24 and its masked
        // checksum.
        let folder = tempfile::tempdir().unwrap();
        EventWriter::create(folder.path()).unwrap();
        let bytes = fs::read(only_file(folder.path())).unwrap();
        assert_eq!(bytes[..12], [0x18, 0, 0, 0, 0, 0, 0, 0, 0xA3, 0x7F, 0x4B, 0x22]);
    }

    #[test]
    fn scalars_are_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path()).unwrap();
        writer.scalar("loss/forward", 1, 0.5).unwrap();
        writer.scalar("loss/backward", 300, -2.0).unwrap();
        writer.flush().unwrap();
        let expected = [("loss/forward".to_owned(), 1, 0.5), ("loss/backward".to_owned(), 300, -2.0)];
        assert_eq!(scalars(folder.path()), expected);
    }

    #[test]
    fn creating_twice_keeps_the_first_file() {
        let folder = tempfile::tempdir().unwrap();
        EventWriter::create(folder.path()).unwrap();
        EventWriter::create(folder.path()).unwrap();
        assert_eq!(event_files(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn appending_to_a_missing_folder_creates_it() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("runs/first");
        EventWriter::append(&missing).unwrap();
        assert_eq!(scalars(&missing), []);
    }

    #[test]
    fn appending_continues_after_the_last_whole_record() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = EventWriter::create(folder.path()).unwrap();
        first.scalar("loss", 1, 1.0).unwrap();
        first.scalar("loss", 2, 2.0).unwrap();
        drop(first);
        let path = only_file(folder.path());
        let torn = fs::metadata(&path).unwrap().len() - 3;
        OpenOptions::new().write(true).open(&path).unwrap().set_len(torn).unwrap();

        let mut second = EventWriter::append(folder.path()).unwrap();
        second.scalar("loss", 2, 3.0).unwrap();
        drop(second);
        assert_eq!(scalars(folder.path()), [("loss".to_owned(), 1, 1.0), ("loss".to_owned(), 2, 3.0)]);
    }

    proptest! {
        #[test]
        fn every_scalar_event_decodes_to_itself(tag in ".*", step: u64, value in -1e30f32..1e30) {
            prop_assert_eq!(read_scalar(&scalar_event(0.0, &tag, step, value)), (tag, step, value));
        }
    }
}
