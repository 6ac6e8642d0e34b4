//! States where a source says they are: in a file, or drawn by the program.

use sbridge::quantum::{Ensemble, EnsembleSettings, Labelled, Repaired, States, c64};
use sbridge_data::{ElementType, Matrices, SampleShape, load_matrices};

use super::QuantumConfig;
use crate::error::{Result, RunError};
use crate::folder::manifest::DataRecord;
use crate::settings::DataConfig;

/// What a source of the program's own begins with.
const BUILTIN: &str = "builtin:";

/// What can be said of such a source.
const KEYS: [&str; 6] = ["n", "seed", "qubits", "low", "high", "shared"];

/// States drawn if nobody says how many.
const USUAL_COUNT: usize = 10_000;

/// States that a run is given.
pub struct StateSet {
    /// The states, repaired and mixed as the settings say.
    pub states: States,
    /// What must not change until the run is continued.
    pub record: DataRecord,
    /// What was repaired.
    pub repaired: Repaired,
}

/// The states that `config` asks for.
///
/// # Errors
/// [`RunError`] for a source that is none, and matrices that are no states or have no image under the mirror map.
pub(super) fn load(config: &DataConfig, settings: &QuantumConfig) -> Result<StateSet> {
    let (matrices, labels) = read(&config.source)?;
    let dim = matrices.dim();
    let size = 2 * dim * dim;
    let mut values = matrices.values().to_vec();
    if !config.labels.is_empty() {
        let Some(labels) = labels else {
            let problem = format!("{} has no labels to select by (leave the labels out)", config.source);
            return Err(RunError::Input(problem));
        };
        let rows = values.chunks_exact(size).zip(&labels);
        let chosen = rows.filter(|(_, label)| config.labels.contains(label)).flat_map(|(row, _)| row);
        values = chosen.copied().collect();
    }
    let count = values.len() / size;
    if count == 0 || config.limit > count {
        let problem = format!("{} holds {count} such states, too few for what is asked", config.source);
        return Err(RunError::Input(format!("{problem} (choose other labels, or a lower limit)")));
    }
    values.truncate(if config.limit == 0 { values.len() } else { config.limit * size });
    let entries = values.chunks_exact(2).map(|z| c64::new(z[0], z[1])).collect();
    let (states, repaired) = States::repaired(dim, entries, settings.repairs())
        .map_err(|error| in_source(&config.source, &error))?;
    let states = if settings.depolarise > 0.0 { states.depolarised(settings.depolarise)? } else { states };
    states.require_definite().map_err(|error| in_source(&config.source, &error))?;
    let record = DataRecord {
        source: config.source.clone(),
        sha256: matrices.sha256().to_owned(),
        count: states.count(),
        shape: SampleShape::Vector { dim: size },
        dtype: matrices.dtype(),
    };
    Ok(StateSet { states, record, repaired })
}

/// An error about matrices, with where they come from.
fn in_source(source: &str, error: &sbridge::Error) -> RunError {
    RunError::Input(format!("{source}: {error}"))
}

/// The matrices at `source`, with their classes if there are any.
fn read(source: &str) -> Result<(Matrices, Option<Vec<u32>>)> {
    let Some(request) = source.strip_prefix(BUILTIN) else {
        return Ok((load_matrices(source)?, None));
    };
    let (ensemble, settings) =
        parse(request).map_err(|problem| RunError::Input(format!("{source}: {problem}")))?;
    let Labelled { states, labels } =
        ensemble.draw(&settings).map_err(|error| RunError::Input(format!("{source}: {error}")))?;
    let values = states.values().iter().flat_map(|z| [z.re, z.im]).collect();
    let matrices = Matrices::from_values(source, states.dim(), values)?;
    debug_assert_eq!(matrices.dtype(), ElementType::C128);
    Ok((matrices, labels))
}

/// `NAME?n=..&seed=..&qubits=..&low=..&high=..&shared=..`.
fn parse(request: &str) -> std::result::Result<(Ensemble, EnsembleSettings), String> {
    let (name, query) = request.split_once('?').unwrap_or((request, ""));
    let names = Ensemble::NAMES;
    let ensemble = Ensemble::named(name).ok_or_else(|| {
        format!("no built-in states '{name}' ({}There are {})", nearest(name, &names), names.join(", "))
    })?;
    let mut given: Vec<(&str, &str)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !KEYS.contains(&key) {
            return Err(format!(
                "no parameter '{key}' ({}There are {})",
                nearest(key, &KEYS),
                KEYS.join(", ")
            ));
        }
        if given.iter().any(|(known, _)| *known == key) {
            return Err(format!("parameter '{key}' is given twice (give it once)"));
        }
        given.push((key, value));
    }
    let value = |key: &str| given.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    let whole = |key: &str, usual: u64| match value(key) {
        None => Ok(usual),
        Some(text) => {
            text.parse::<u64>().map_err(|_| format!("parameter {key} must be a whole number, got '{text}'"))
        }
    };
    let number = |key: &str, usual: f64| match value(key) {
        None => Ok(usual),
        Some(text) => text
            .parse::<f64>()
            .ok()
            .filter(|x| x.is_finite())
            .ok_or_else(|| format!("parameter {key} must be a number, got '{text}'")),
    };
    let (count, qubits) = (whole("n", USUAL_COUNT as u64)?, whole("qubits", 2)?);
    let [count, qubits] = [count, qubits].map(|x| usize::try_from(x).unwrap_or(usize::MAX));
    let usual = EnsembleSettings::new(count, qubits, whole("seed", 0)?);
    let range = [number("low", usual.range[0])?, number("high", usual.range[1])?];
    // As many as take 4 GB.
    let most = (1usize << 28).checked_shr(2 * u32::try_from(qubits).unwrap_or(u32::MAX)).unwrap_or(0);
    if qubits <= 7 && count > most {
        return Err(format!("{count} states of {qubits} qubits take more than 4 GB (lower n to {most})"));
    }
    Ok((ensemble, EnsembleSettings { range, shared: whole("shared", 0)? != 0, ..usual }))
}

/// The name that was likely meant.
fn nearest(name: &str, known: &[&str]) -> String {
    let distance = |known: &&&str| sbridge_data::edit_distance(name, known);
    let near = known.iter().min_by_key(distance).filter(|known| distance(known) <= (name.len() / 3).max(1));
    near.map(|known| format!("did you mean {known}? ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sources_of_the_program_have_defaults_and_slips_name_the_nearest() {
        let (ensemble, settings) = parse("full?n=5&qubits=4&seed=3&low=0.2").unwrap();
        assert_eq!(ensemble, Ensemble::Full);
        let expected = EnsembleSettings { range: [0.2, 1.0], ..EnsembleSettings::new(5, 4, 3) };
        assert_eq!(settings, expected);
        assert_eq!(parse("werner").unwrap().1, EnsembleSettings::new(10_000, 2, 0));
        let refused = |text: &str| parse(text).unwrap_err();
        assert!(refused("produkt").contains("did you mean product?"));
        assert!(refused("full?qubit=2").contains("did you mean qubits?"));
        assert!(refused("full?n=x").contains("n must be a whole number, got 'x'"));
        assert!(refused("full?low=no").contains("low must be a number"));
        assert!(refused("full?n=1&n=2").contains("twice"));
        assert!(refused("full?n=99999999&qubits=7").contains("4 GB"));
    }
}
