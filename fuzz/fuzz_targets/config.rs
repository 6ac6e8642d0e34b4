//! Settings as TOML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbridge_run::Given;
use sbridge_run::models::bridge::{PairConfig, PairMethod};
use sbridge_run::settings::Settings as _;
use sbridge_run::tasks::{forecast, latent, variational};

fuzz_target!(|text: &str| {
    let given = Given { text: text.into(), assignments: Vec::new() };
    let _ = latent::LatentConfig::given(latent::METHOD, &given);
    let _ = variational::VariationalConfig::given(variational::METHOD, &given);
    let _ = forecast::ForecastConfig::given(forecast::METHOD, &given);
    for method in PairMethod::ALL {
        let _ = PairConfig::given(method.name(), &given);
    }
});
