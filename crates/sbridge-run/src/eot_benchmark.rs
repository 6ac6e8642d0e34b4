//! Solvers on the entropic transport benchmark, where the plan is known exactly.

use std::fmt;
use std::time::Instant;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sbridge::Direction;
use sbridge::rng::Rng;
use sbridge::solver::light_sb::{LightSb, LightSbSettings};
use sbridge::tensor::{Device, from_rows_f64};
use sbridge_ot::{EntropicBenchmark, Gaussian, OtError, Points};
use serde::Serialize;

use crate::error::{Result, RunError};
use crate::watch::Progress;

/// Samples of either law a solver sees.
const SAMPLES: usize = 100_000;

/// Points at which plans are compared, and draws that show the metric's floor at each.
const COMPARED: usize = 1000;

/// One instance of the benchmark, solved.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Dimension.
    pub dim: usize,
    /// ε.
    pub epsilon: f64,
    /// cBW-UVP of the solver's exact moments, in percent.
    pub light_sb: f64,
    /// The same of a thousand exact draws: what a sampled score cannot beat.
    pub floor: f64,
    /// The same of the target's own moments at every x: what ignoring x gives.
    pub independent: f64,
    /// Seconds of the fit, both ways.
    pub seconds: f64,
}

/// Solves every instance of `dims` × `epsilons`.
///
/// # Errors
/// [`RunError`] for a dimension or ε out of range, or a fit that diverges.
pub fn run(dims: &[usize], epsilons: &[f64], settings: &LightSbSettings, seed: u64) -> Result<Vec<Cell>> {
    let instances: Vec<(usize, f64)> = dims.iter().flat_map(|d| epsilons.iter().map(|e| (*d, *e))).collect();
    let benchmarks = instances.iter().map(|(d, e)| EntropicBenchmark::new(*d, *e));
    let benchmarks = benchmarks.collect::<std::result::Result<Vec<_>, OtError>>()?;
    let mut progress = Progress::new("benchmark", 0, benchmarks.len());
    let mut cells = Vec::new();
    for benchmark in &benchmarks {
        let name = format!("d = {}, ε = {}", benchmark.dim(), benchmark.epsilon());
        progress.show(cells.len(), &name);
        cells.push(solve(benchmark, settings, &Rng::new(seed).fork(&name))?);
    }
    progress.show(cells.len(), "");
    progress.finish();
    Ok(cells)
}

fn solve(benchmark: &EntropicBenchmark, settings: &LightSbSettings, rng: &Rng) -> Result<Cell> {
    let mut stream = ChaCha8Rng::seed_from_u64(rng.fork("data").seed());
    let source = benchmark.sample_source(SAMPLES, &mut stream)?;
    // Independent of the source: a solver sees no pairs.
    let target = benchmark.sample_target(&benchmark.sample_source(SAMPLES, &mut stream)?, &mut stream)?;
    let rows = |points: &Points| from_rows_f64(points.as_slice(), points.dim(), &Device::flex());
    let started = Instant::now();
    let fitted =
        LightSb::fit(&rows(&source), &rows(&target), benchmark.epsilon(), settings, rng, &mut |_, _, _| {})?;
    let seconds = started.elapsed().as_secs_f64();
    let x = benchmark.sample_source(COMPARED, &mut stream)?;
    let whole = Gaussian::fit(&target)?;
    let variance: f64 = (0..whole.dim()).map(|j| whole.cov()[(j, j)]).sum();
    let light_sb = benchmark.conditional_uvp(&x, variance, |x| {
        let (mean, covariance) = fitted.conditional_moments(Direction::Forward, x);
        Gaussian::new(mean, covariance)
    })?;
    let independent = benchmark.conditional_uvp(&x, variance, |_| Ok::<_, OtError>(whole.clone()))?;
    let few = x.subset(&(0..COMPARED / 10).collect::<Vec<_>>())?;
    let floor = benchmark.conditional_uvp(&few, variance, |x| {
        let same = Points::new(x.repeat(COMPARED), x.len())?;
        Gaussian::fit(&benchmark.sample_target(&same, &mut stream)?)
    })?;
    Ok(Cell { dim: benchmark.dim(), epsilon: benchmark.epsilon(), light_sb, floor, independent, seconds })
}

/// The table of all cells.
#[derive(Debug, Serialize)]
pub struct EotTable(pub Vec<Cell>);

impl fmt::Display for EotTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "cBW-UVP in percent: distance of the plan's conditional moments from the exact ones; smaller is better"
        )?;
        write!(
            f,
            "{:>4} {:>6} {:>10} {:>14} {:>12} {:>8}",
            "d", "ε", "light-sb", "exact sampler", "independent", "seconds"
        )?;
        for c in &self.0 {
            write!(
                f,
                "\n{:>4} {:>6} {:>10.4} {:>14.4} {:>12.2} {:>8.1}",
                c.dim, c.epsilon, c.light_sb, c.floor, c.independent, c.seconds
            )?;
        }
        Ok(())
    }
}

/// Numbers separated by commas.
///
/// # Errors
/// [`RunError::Input`] for anything else.
pub fn numbers<T: std::str::FromStr>(option: &str, text: &str) -> Result<Vec<T>> {
    let number = |part: &str| {
        part.trim()
            .parse()
            .map_err(|_| RunError::Input(format!("{option} takes numbers such as 2,16, got {text:?}")))
    };
    text.split(',').map(number).collect()
}
