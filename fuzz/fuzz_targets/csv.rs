//! A table of numbers.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sbridge_fuzz::read(&sbridge_fuzz::write("x.csv", bytes).to_string_lossy());
});
