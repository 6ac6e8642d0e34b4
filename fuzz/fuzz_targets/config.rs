//! Settings as TOML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbridge_run::{Config, PairConfig};

fuzz_target!(|text: &str| {
    let _ = Config::from_toml(text, &[]);
    let _ = PairConfig::from_toml(text, &[]);
});
