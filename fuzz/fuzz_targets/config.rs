//! Settings as TOML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbridge_run::Overrides;
use sbridge_run::models::bridge::{PairConfig, PairMethod};
use sbridge_run::settings::Settings as _;
use sbridge_run::tasks::{forecast, latent, variational};

fuzz_target!(|text: &str| {
    let overrides = Overrides { text: text.into(), assignments: Vec::new() };
    let _ = latent::LatentConfig::resolved(latent::METHOD, &overrides);
    let _ = variational::VariationalConfig::resolved(variational::METHOD, &overrides);
    let _ = forecast::ForecastConfig::resolved(forecast::METHOD, &overrides);
    for method in PairMethod::ALL {
        let _ = PairConfig::resolved(method.name(), &overrides);
    }
});
