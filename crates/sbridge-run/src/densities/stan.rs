//! A compiled Stan model with its data, as a density where its parameters have no bounds.
//!
//! ln ρ keeps all constants and has the Jacobian of the bounds: Z is the evidence of the data, if every prior is normalised.
//! What the model rejects has ln ρ = −∞ and no slope; an index out of range or sizes that do not fit end the work. Outputs are the
//! parameters as the program declares them, and its transformed parameters. Generated quantities, which are random, are left out.

use std::path::Path;

use rayon::prelude::*;
use sbridge::Error;
use sbridge::density::{LogDensity, Target};
use sbridge_stan::{Model, StanError};

use super::{DensityFile, OpenDensity, read};
use crate::error::{Result, RunError};

/// A Stan model as a density.
struct StanDensity {
    model: Model,
}

/// The seed of random numbers in the block `transformed data`: the density is the same in every run.
const SEED: u32 = 0;

const NO_THREADS: &str = "the Stan model is not compiled for threads, so it is evaluated on one core (compile it with STAN_THREADS=True)";

/// The model in the library at `path`, with its data in the JSON file at `data`.
///
/// # Errors
/// [`RunError::Input`] for a file that is no model, and for data that it does not take.
pub(super) fn open(path: &Path, data: Option<&str>) -> Result<OpenDensity> {
    let mut files = vec![DensityFile::of(&path.display().to_string(), &read(path)?)];
    let text = data.map(|data| json(data, &mut files)).transpose()?;
    let model = Model::open(path, text.as_deref(), SEED).map_err(|error| match (&error, data) {
        (StanError::Data { .. }, None) => {
            RunError::Input(format!("{error} (give them with --data FILE.json)"))
        }
        (StanError::Data { .. }, Some(data)) => RunError::Input(format!("{error} (mend {data})")),
        _ => RunError::Input(error.to_string()),
    })?;
    let name = model.name().trim_end_matches("_model");
    let title = format!("Stan model {}", if name.is_empty() { "without a name" } else { name });
    let mut remarks = Vec::new();
    if !model.is_threaded() {
        remarks.push(NO_THREADS.to_owned());
    }
    match model.value(&vec![0.0; model.names().len()]) {
        Err(StanError::Rejected(reason)) => {
            remarks.push(format!("where all parameters are 0, Stan rejects: {reason}"))
        }
        Err(error) => {
            return Err(RunError::Input(format!("{}: {error} (mend the model or its data)", path.display())));
        }
        Ok(_) => {}
    }
    let opened = OpenDensity::new(StanDensity { model }, title).made_from(files);
    Ok(OpenDensity { remarks, ..opened })
}

/// The text of a JSON object.
fn json(source: &str, files: &mut Vec<DensityFile>) -> Result<String> {
    let bytes = read(Path::new(source))?;
    let refused = |problem: &str| {
        RunError::Input(format!("{source} {problem} (data of a Stan model are a JSON object)"))
    };
    let text = String::from_utf8(bytes).map_err(|_| refused("is no text"))?;
    // Stan reads bare NaN and Infinity, which JSON does not have.
    let is_strict = !text.contains("NaN") && !text.contains("Inf");
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) if !value.is_object() => return Err(refused("is JSON without names")),
        Err(error) if is_strict => return Err(refused(&format!("is no JSON: {error}"))),
        _ if !text.trim_start().starts_with('{') => return Err(refused("does not begin with {")),
        _ => {}
    }
    files.push(DensityFile::of(source, text.as_bytes()));
    Ok(text)
}

impl StanDensity {
    /// `evaluate` for every state, on all cores if the model can: `[count, dim]` to `[count]`.
    fn each<T: Send>(
        &self,
        states: &[f64],
        evaluate: impl Fn(&[f64]) -> sbridge::Result<T> + Sync + Send,
    ) -> sbridge::Result<Vec<T>> {
        match (self.dim(), self.model.is_threaded()) {
            (0, _) => Ok(Vec::new()),
            (dim, true) => states.par_chunks_exact(dim).map(evaluate).collect(),
            (dim, false) => states.chunks_exact(dim).map(evaluate).collect(),
        }
    }
}

/// What `evaluated` found, or `rejected` where the model has no density.
fn or_rejected<T>(evaluated: std::result::Result<T, StanError>, rejected: T) -> sbridge::Result<T> {
    match evaluated {
        Err(StanError::Rejected(_)) => Ok(rejected),
        other => other.map_err(failed),
    }
}

fn failed(error: StanError) -> Error {
    Error::setting("target", "a model that can be evaluated", error, "mend the model or its data")
}

impl LogDensity for StanDensity {
    fn dim(&self) -> usize {
        self.model.names().len()
    }

    fn values(&self, states: &[f64]) -> sbridge::Result<Vec<f64>> {
        self.each(states, |x| or_rejected(self.model.value(x), f64::NEG_INFINITY))
    }

    fn values_and_gradients(&self, states: &[f64]) -> sbridge::Result<(Vec<f64>, Vec<f64>)> {
        let dim = self.dim();
        let evaluated = self.each(states, |x| {
            let mut gradient = vec![0.0; dim];
            let value = or_rejected(self.model.value_and_gradient(x, &mut gradient), f64::NEG_INFINITY)?;
            // What a model leaves behind where it gives up is no gradient.
            Ok((value, if value == f64::NEG_INFINITY { vec![0.0; dim] } else { gradient }))
        })?;
        let (values, gradients): (Vec<f64>, Vec<Vec<f64>>) = evaluated.into_iter().unzip();
        Ok((values, gradients.concat()))
    }

    fn has_gradient(&self) -> bool {
        true
    }

    fn names(&self) -> Vec<String> {
        self.model.names().to_vec()
    }

    fn output_names(&self) -> Vec<String> {
        self.model.output_names().to_vec()
    }

    fn outputs(&self, states: &[f64]) -> sbridge::Result<Vec<f64>> {
        let outputs = self.model.output_names().len();
        let rows = self.each(states, |x| {
            let mut row = vec![0.0; outputs];
            self.model.outputs(x, &mut row).map_err(failed)?;
            Ok(row)
        })?;
        Ok(rows.concat())
    }
}

impl Target for StanDensity {}
