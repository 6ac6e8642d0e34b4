//! Exchange rates of eight currencies: five windows of thirty business days, forecast from all that came before.

use std::path::Path;

use crate::reproduce::{Effort, Estimate, Study};
use sbridge_data::Series;
use sbridge_report::digits;
use sbridge_run::tasks::forecast::{ForecastConfig, METHOD, Row, SeriesConfig, scores_without_a_folder};
use sbridge_run::{Result, RunError};

/// Times of a window.
const HORIZON: usize = 30;

/// Windows, the last of the file.
const WINDOWS: usize = 5;

/// What the checks have to refuse: the value of a day so long before the window.
const STALE: usize = 30;
const CONTROL: &str = "the value of 30 days before";

/// CRPS-sum of repeating the last value, exactly; and of independent Gaussian steps of the sum, with exact quantiles.
const LAST_VALUE: f64 = 0.006_205;
const RANDOM_WALK: f64 = 0.005_229;

/// Series and times of the file that these belong to.
const SERIES: usize = 8;
const TIMES: usize = 6221;

/// A way to forecast: its name among the scores, and what its CRPS-sum is or should not exceed.
struct Way {
    name: &'static str,
    known: f64,
}

const MODEL: Way = Way { name: METHOD, known: RANDOM_WALK };
const SCORE_MODEL: Way = Way { name: "score model", known: LAST_VALUE };
const MATCHED_START: Way = Way { name: "score model, matched start", known: LAST_VALUE };
const WHITENED: Way = Way { name: "whitening, score model", known: LAST_VALUE };
const AUTOREGRESSION: Way = Way { name: "vector autoregression", known: LAST_VALUE };
const REPEATED: Way = Way { name: "last value", known: LAST_VALUE };
const WALKED: Way = Way { name: "random walk", known: RANDOM_WALK };

impl Way {
    fn crps_sum(&self, rows: &[Row]) -> f64 {
        rows.iter()
            .find(|row| row.name == self.name)
            .expect("every way is scored")
            .crps_sum
            .unwrap_or(f64::NAN)
    }
}

pub(in crate::reproduce) fn exchange_study(file: &Path, effort: Effort) -> Result<Study> {
    let (series, data) = series(file)?;
    let stale = crps_sum_of_repeating(&data, STALE);
    let runs = effort.pick(1, 5);
    let scored = (0..runs).map(|seed| {
        let series = series.clone();
        scores_without_a_folder(&ForecastConfig {
            seed,
            horizon: HORIZON,
            series,
            ..ForecastConfig::default()
        })
    });
    let scored = scored.collect::<Result<Vec<_>>>()?;
    let scores = |way: &Way| scored.iter().map(|rows| way.crps_sum(rows)).collect::<Vec<f64>>();
    let mut study = Study::new(
        "CRPS-sum of 5 windows of 30 business days",
        format!(
            "Default settings, {runs} seeds, 100 paths; n counts fits. All that came before a window is learned from, and the \
             windows judge. Score models have the same network and training. Quantiles are draws at 0.05, …, 0.95. The control \
             repeats the value of {STALE} days before a window."
        ),
        "Exact: the last value gives 0.006205, a Gaussian random walk of the sum 0.005229. The model should be no \
         worse than the random walk, score models no worse than the last value: bounds. With 1000 draws the random walk \
         comes within a twentieth of its exact value. Standard errors are over seeds; the five windows are the same for all.",
    );
    let beside = |found: &[f64]| Estimate::mean(found).beside(CONTROL, stale);
    let last = Estimate::exact(crps_sum_of_repeating(&data, 0)).beside(CONTROL, stale);
    study.near("last value, exactly", last, LAST_VALUE, 1e-6);
    study.near(REPEATED.name, beside(&scores(&REPEATED)), REPEATED.known, 1e-6);
    study.near("random walk, 1000 paths", beside(&scores(&WALKED)), WALKED.known, 0.05 * WALKED.known);
    for way in [MODEL, SCORE_MODEL, MATCHED_START, WHITENED, AUTOREGRESSION] {
        let found = scores(&way);
        let shown: Vec<String> = found.iter().copied().map(digits).collect();
        study.at_most(format!("{}: {}", way.name, shown.join(", ")), beside(&found), way.known);
    }
    Ok(study)
}

/// CRPS-sum, exactly, of forecasting the sum of the series by its value `ago` days before the last one that is known.
fn crps_sum_of_repeating(series: &Series, ago: usize) -> f64 {
    let sums: Vec<f64> = series.values().chunks_exact(series.dim()).map(|row| row.iter().sum()).collect();
    let first = sums.len() - WINDOWS * HORIZON;
    let (mut errors, mut size) = (0.0, 0.0);
    for (k, window) in sums[first..].chunks_exact(HORIZON).enumerate() {
        let repeated = sums[first + k * HORIZON - 1 - ago];
        errors += window.iter().map(|sum| (sum - repeated).abs()).sum::<f64>();
        size += window.iter().map(|sum| sum.abs()).sum::<f64>();
    }
    errors / size
}

/// The series of `file`, if they are the exchange rates, and how they are asked for.
fn series(file: &Path) -> Result<(SeriesConfig, Series)> {
    let series = SeriesConfig { source: file.to_string_lossy().into_owned(), ..SeriesConfig::default() };
    let data = sbridge_data::load_series(&series.source, &series.layout()?)?;
    let (dim, times) = (data.dim(), data.len());
    if (dim, times) != (SERIES, TIMES) {
        return Err(RunError::Input(format!(
            "{} holds {dim} series of {times} times, the exchange rates are {SERIES} of {TIMES} (give their test.json \
             with --data)",
            file.display(),
        )));
    }
    Ok((series, data))
}
