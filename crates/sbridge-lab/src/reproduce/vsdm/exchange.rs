//! Exchange rates of eight currencies: five windows of thirty business days, forecast from all that came before.

use std::path::Path;

use crate::reproduce::statistics::mean;
use crate::reproduce::{Check, Effort, Study};
use sbridge_report::digits;
use sbridge_run::tasks::forecast::{ForecastConfig, SeriesConfig, scores_without_a_folder};
use sbridge_run::{Result, RunError};

/// Times of a window.
const HORIZON: usize = 30;

/// CRPS-sum of repeating the last value, exactly; and of independent Gaussian steps of the sum, with exact quantiles.
const LAST_VALUE: f64 = 0.006_205;
const RANDOM_WALK: f64 = 0.005_229;

/// Series and times of the file that these belong to.
const SIZE: (usize, usize) = (8, 6221);

pub(in crate::reproduce) fn exchange_study(file: &Path, effort: Effort) -> Result<Study> {
    let source = file.to_string_lossy().into_owned();
    let series = SeriesConfig { source, ..SeriesConfig::default() };
    let layout = series.layout()?;
    let data = sbridge_data::load_series(&series.source, &layout)?;
    if (data.dim(), data.len()) != SIZE {
        return Err(RunError::Input(format!(
            "{} holds {} series of {} times, the exchange rates are 8 of 6221 (give their test.json with --data)",
            file.display(),
            data.dim(),
            data.len()
        )));
    }
    let runs = effort.pick(1, 5);
    let scored = (0..runs).map(|seed| {
        let config =
            ForecastConfig { seed, horizon: HORIZON, series: series.clone(), ..ForecastConfig::default() };
        scores_without_a_folder(&config)
    });
    let scored = scored.collect::<Result<Vec<_>>>()?;
    let of = |name: &str| -> Vec<f64> {
        let row = |rows: &Vec<sbridge_run::tasks::forecast::Row>| {
            rows.iter().find(|row| row.name == name).map(|row| row.crps_sum)
        };
        scored.iter().filter_map(row).collect()
    };
    let mut study = Study {
        title: "CRPS-sum of 5 windows of 30 business days".into(),
        text: format!(
            "Default settings, {runs} seeds, 100 paths. Score models have the same network and training. Quantiles are \
             draws at 0.05, …, 0.95."
        ),
        note: "Exact: the last value gives 0.006205, a Gaussian random walk of the sum 0.005229. The model should be no \
               worse than the random walk; with 1000 draws that comes within a twentieth of its exact value."
            .into(),
        ..Study::default()
    };
    study.checks.push(Check::near("last value", mean(&of("last value")), LAST_VALUE, 1e-6));
    study.checks.push(Check::near(
        "random walk, 1000 paths",
        mean(&of("random walk")),
        RANDOM_WALK,
        0.05 * RANDOM_WALK,
    ));
    for (name, bound) in [
        ("forecast", RANDOM_WALK),
        ("score model", LAST_VALUE),
        ("score model, matched start", LAST_VALUE),
        ("whitening, score model", LAST_VALUE),
        ("vector autoregression", LAST_VALUE),
    ] {
        let scores = of(name);
        let shown: Vec<String> = scores.iter().map(|score| digits(*score)).collect();
        study.checks.push(Check::at_most(format!("{name}: {}", shown.join(", ")), mean(&scores), bound));
    }
    Ok(study)
}
