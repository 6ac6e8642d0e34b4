//! The codec of quantum states: mirror map, coordinates, one unit for all of them.
//!
//! Codes are (y − m)/s with the mean m of the data and ONE scale s, their overall standard deviation: a scale for each
//! coordinate would tell bases apart. Linear algebra is in f64, codes are what networks take, f32.
//!
//! [`entries`](CodecSettings::entries) leaves the mirror map out, and is what it is to be compared with: then codes are
//! entries of the matrices, and what comes out need not be states.

use serde::{Deserialize, Serialize};

use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::quantum::coordinates::{self, Coordinates, Gauge};
use crate::quantum::mirror::Dual;
use crate::quantum::states::{States, require_matrices};
use crate::tensor::{Device, Tensor, from_rows, to_vec_f64};

/// How states become rows of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodecSettings {
    /// `isometric` (default): the reference is the same in every basis; `raw`: off-diagonal entries as they are.
    pub coordinates: Coordinates,
    /// `full` (default): the trace of log X is a coordinate; `traceless`: it is taken out.
    pub gauge: Gauge,
    /// Whether entries of the states themselves are taken, without the mirror map. Default false.
    #[serde(skip)]
    pub entries: bool,
}

/// From states to standardised coordinates of their duals, and back.
#[derive(Clone, Debug)]
pub struct StateCodec {
    dim: usize,
    settings: CodecSettings,
    mean: Vec<f64>,
    scale: f64,
    device: Device,
}

impl StateCodec {
    /// The codec whose units are those of all states in `sets` together.
    ///
    /// # Errors
    /// [`Error::Shape`] for states of several sizes, [`Error::Setting`] for such that are all the same.
    pub fn measured(settings: CodecSettings, sets: &[&States], device: &Device) -> Result<Self> {
        let Some(first) = sets.first() else {
            return Err(Error::shape("sets of states", "at least one", "none", "give states"));
        };
        let dim = first.dim();
        if let Some(other) = sets.iter().find(|set| set.dim() != dim) {
            let fix = "join states of one size";
            return Err(Error::shape("states", format!("{dim} rows"), format!("{} rows", other.dim()), fix));
        }
        let size = coordinates::count(dim, settings.gauge);
        let unscaled = Self { dim, settings, mean: vec![0.0; size], scale: 1.0, device: device.clone() };
        let rows: Vec<f64> = sets.iter().flat_map(|set| unscaled.codes(set)).collect();
        let count = (rows.len() / size) as f64;
        let mut mean = vec![0.0; size];
        for row in rows.chunks_exact(size) {
            mean.iter_mut().zip(row).for_each(|(mean, y)| *mean += y / count);
        }
        let squares = |row: &[f64]| row.iter().zip(&mean).map(|(y, m)| (y - m).powi(2)).sum::<f64>();
        let variance = rows.chunks_exact(size).map(squares).sum::<f64>() / (count * size as f64);
        let scale = variance.sqrt();
        // Below it lies what decompositions round by, and no spread.
        if scale.is_nan() || scale <= 1e-9 {
            let fix = "there is nothing to learn of states that are all the same";
            return Err(Error::setting("spread of the states", "above 1e-9", scale, fix));
        }
        Ok(Self { mean, scale, ..unscaled })
    }

    /// The codec of these parts, for states of `dim` rows.
    ///
    /// # Errors
    /// [`Error::Shape`] for a mean of another length, [`Error::Setting`] for a scale that is not above zero.
    pub fn from_parts(
        dim: usize,
        settings: CodecSettings,
        (mean, scale): (Vec<f64>, f64),
        device: &Device,
    ) -> Result<Self> {
        require_matrices(dim, dim * dim)?;
        let size = coordinates::count(dim, settings.gauge);
        if mean.len() != size {
            return Err(Error::shape("mean of the codes", size, mean.len(), "the file is damaged"));
        }
        crate::error::require_positive("scale", scale, "the file is damaged")?;
        Ok(Self { dim, settings, mean, scale, device: device.clone() })
    }

    /// Rows of a matrix.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Values in a code.
    pub fn size(&self) -> usize {
        self.mean.len()
    }

    /// The mean of the coordinates, and their one scale.
    pub fn units(&self) -> (&[f64], f64) {
        (&self.mean, self.scale)
    }

    /// Codes in f64, `[count, size]`. States have to be definite: see [`States::require_definite`].
    pub fn codes(&self, states: &States) -> Vec<f64> {
        let kind = (self.settings.coordinates, self.settings.gauge);
        let mut codes = match self.settings.entries {
            true => coordinates::of_matrices(states.values(), self.dim, kind),
            false => Dual::of(states).coordinates(kind),
        };
        let units = |code: &mut [f64]| {
            code.iter_mut().zip(&self.mean).for_each(|(y, mean)| *y = (*y - mean) / self.scale);
        };
        codes.chunks_exact_mut(self.size()).for_each(units);
        codes
    }

    /// States of codes, `[count, size]`: of any that are finite. Where there is no mirror map, whatever Hermitian matrices come
    /// out, over their trace.
    ///
    /// # Panics
    /// If codes are of another size.
    pub fn states(&self, codes: &[f64]) -> States {
        assert_eq!(codes.len() % self.size(), 0, "codes of {} values", self.size());
        let raw = |code: &[f64]| -> Vec<f64> {
            code.iter().zip(&self.mean).map(|(z, mean)| mean + self.scale * z).collect()
        };
        let y: Vec<f64> = codes.chunks_exact(self.size()).flat_map(raw).collect();
        let kind = (self.settings.coordinates, self.settings.gauge);
        let dual = Dual::of_coordinates(self.dim, &y, kind)
            .expect("the dimension was checked when the codec was made");
        match self.settings.entries {
            true => dual.over_trace(),
            false => dual.states(),
        }
    }
}

impl Codec for StateCodec {
    type Samples = States;

    fn encode(&self, states: &States) -> Tensor<2> {
        let codes: Vec<f32> = self.codes(states).into_iter().map(|x| x as f32).collect();
        from_rows(&codes, self.size(), &self.device)
    }

    fn decode(&self, codes: &Tensor<2>) -> States {
        self.states(&to_vec_f64(codes.clone()))
    }
}
