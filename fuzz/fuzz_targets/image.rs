//! One PNG or JPEG image, alone in its folder.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = sbridge_fuzz::write("x.png", bytes);
    let folder = path.parent().expect("the folder the file was written to");
    sbridge_fuzz::read(&folder.to_string_lossy());
});
