//! A table of numbers.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = sbridge_fuzz::write("x.csv", bytes).to_string_lossy().into_owned();
    sbridge_fuzz::read(&path);
    sbridge_fuzz::read(&format!("{path}#a=1"));
});
