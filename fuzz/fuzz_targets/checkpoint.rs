//! A training stage, a trained model or a bridge on disk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbridge::tensor::open_device;
use sbridge_run::Context;
use sbridge_run::folder::checkpoint;
use sbridge_run::models::variational;
use sbridge_run::tasks::{between, latent};

fuzz_target!(|bytes: &[u8]| {
    let path = sbridge_fuzz::write("x.safetensors", bytes);
    let device = open_device("cpu").expect("the processor is always there");
    let _ = checkpoint::load(&path, &Context::default());
    let _ = latent::file::load(&path, &device);
    let _ = between::file::load(&path, &device);
    let _ = variational::file::load_model(&path, &device);
});
