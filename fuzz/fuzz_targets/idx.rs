//! The format of MNIST, plain or compressed: the first bytes tell.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sbridge_fuzz::read(&sbridge_fuzz::write("x.idx", bytes).to_string_lossy());
});
