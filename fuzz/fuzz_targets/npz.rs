//! A NumPy archive, with and without the key of an array.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = sbridge_fuzz::write("x.npz", bytes);
    sbridge_fuzz::read(&path.to_string_lossy());
    sbridge_fuzz::read(&format!("{}#x", path.display()));
});
