//! A training stage, a trained model or a bridge on disk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbridge::tensor::open_device;
use sbridge_run::{checkpoint, model_file, pair_file, vsdm};

fuzz_target!(|bytes: &[u8]| {
    let path = sbridge_fuzz::write("x.safetensors", bytes);
    let device = open_device("cpu").expect("the processor is always there");
    let _ = checkpoint::load(&path);
    let _ = model_file::load(&path, &device);
    let _ = pair_file::load(&path, &device);
    let _ = vsdm::load_model(&path, &device);
});
