//! Settings as TOML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbridge_run::forecast::ForecastConfig;
use sbridge_run::vsdm::VsdmConfig;
use sbridge_run::{Config, PairConfig, PairMethod};

fuzz_target!(|text: &str| {
    let _ = Config::from_toml(text, &[]);
    let _ = VsdmConfig::from_toml(text, &[]);
    let _ = ForecastConfig::from_toml(text, &[]);
    for method in PairMethod::ALL {
        let _ = PairConfig::from_toml(method, text, &[]);
    }
});
