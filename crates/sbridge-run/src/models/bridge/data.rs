//! Both data sets of a bridge, each in a part to train on and a part to judge by.

use sbridge::Codec as _;
use sbridge::latent::LatentCodec;
use sbridge::rng::Rng;
use sbridge::tensor::{points, to_vec_f64};
use sbridge_data::Dataset;
use sbridge_report::digits;

use super::PairConfig;
use crate::context::Context;
use crate::data::{MIN_SAMPLES, Split, image_shape, require_same_shape};
use crate::epsilon::{self, AUTO_SHARE, auto_epsilon};
use crate::error::{Result, RunError};
use crate::folder::manifest::{DataRecord, Records};
use crate::settings::Shares;

/// Held-out samples below which the numbers mean nothing.
pub const MIN_COMPARED: usize = 10;

/// Held-out samples below which a word is said about errors.
const FEW_TO_JUDGE_BY: usize = 30;

/// Two data sets.
pub struct PairData {
    /// Where paths start.
    pub source: Dataset,
    /// Where they end.
    pub target: Dataset,
    /// Their samples.
    pub ends: Ends,
}

/// What a bridge joins: the samples of two sets, or their codes.
pub struct Ends {
    /// Where paths start.
    pub source: Split,
    /// Where they end.
    pub target: Split,
    /// Channels, height and width, where what is joined are images.
    pub image: Option<[usize; 3]>,
}

impl PairData {
    /// Reads both sets.
    ///
    /// # Errors
    /// [`RunError`] for data that cannot be used together.
    pub fn read(config: &PairConfig, context: &Context) -> Result<Self> {
        for (name, set) in [("source", &config.source), ("target", &config.target)] {
            if set.source.is_empty() {
                return Err(RunError::Input(format!("no {name} (give --{name} DATA)")));
            }
        }
        let load = |config| context.sources.load(config);
        let (source, target) = (load(&config.source)?, load(&config.target)?);
        require_same_shape(&source, &target)?;
        let (rng, device) = (Rng::new(config.seed), context.open_device(&config.device)?);
        let split =
            |data: &Dataset, name: &str| Split::new(data, shares_of(data, config), &rng.fork(name), &device);
        let ends = Ends {
            source: split(&source, "source"),
            target: split(&target, "target"),
            image: image_shape(target.shape()),
        };
        for (set, split) in [(&source, &ends.source), (&target, &ends.target)] {
            require_enough(set, split)?;
        }
        if config.is_latent() {
            config.autoencoder.net.check(target.shape().size())?;
        }
        Ok(Self { source, target, ends })
    }

    /// What small sets lose, in words.
    pub fn doubts(&self) -> Vec<String> {
        let of = |(data, split): (&Dataset, &Split)| {
            let (source, count) = (data.source(), data.len());
            match split.held_out.as_ref().map(|rows| rows.dims()[0]) {
                None => Some(format!(
                    "of {source} no samples are held out, so the bridge is judged by halves of those it was trained on"
                )),
                Some(aside) if aside < FEW_TO_JUDGE_BY => Some(format!(
                    "{count} samples of {source}: {aside} are held out to judge by, so its numbers come with wide errors"
                )),
                Some(_) => None,
            }
        };
        [(&self.source, &self.ends.source), (&self.target, &self.ends.target)]
            .into_iter()
            .filter_map(of)
            .collect()
    }

    /// What must not change until the run is continued.
    pub fn records(&self) -> Records {
        let [source, target] = [&self.source, &self.target].map(DataRecord::of);
        Records { source: Some(source), ..Records::of(target) }
    }
}

/// What of `data` is not trained on: as `config` says, but where that leaves too few to judge by, as many as it takes, or if
/// there are not so many, none, so that halves of the training samples are compared.
fn shares_of(data: &Dataset, config: &PairConfig) -> Shares {
    let shares = config.output.shares();
    let [held_out, validation, _] = shares.counts(data.len());
    if held_out == 0 || held_out >= MIN_COMPARED {
        return shares;
    }
    let is_enough = data.len() >= validation + MIN_COMPARED + MIN_SAMPLES;
    let held_out = if is_enough { MIN_COMPARED as f64 / data.len() as f64 } else { 0.0 };
    Shares { held_out, ..shares }
}

/// Refuses a set of too few samples to train on and to judge by.
fn require_enough(set: &Dataset, split: &Split) -> Result<()> {
    let (source, left) = (set.source(), split.train.dims()[0]);
    let input = |problem: String| Err(RunError::Input(problem));
    if left < MIN_SAMPLES {
        let held_out = set.len() - left;
        let or = if set.len() < MIN_SAMPLES { "" } else { ", or lower output.held_out" };
        return input(format!(
            "training samples of {source}: {left}, with {held_out} held out; at least {MIN_SAMPLES} are needed \
             (bring more data{or})"
        ));
    }
    match split.held_out {
        None if left < 2 * MIN_COMPARED => input(format!(
            "samples of {source}: {left}; halves of them are compared, so {} are needed (bring more data)",
            2 * MIN_COMPARED
        )),
        _ => Ok(()),
    }
}

impl Ends {
    /// Coordinates in which the reference that `config` asks for is plain Brownian motion, by the training samples; nothing
    /// where it is so already.
    ///
    /// # Errors
    /// [`RunError`] for samples that are not finite, or too many axes.
    pub fn reference_codec(&self, config: &PairConfig) -> Result<Option<LatentCodec>> {
        Ok(config.reference.codec([&self.source.train, &self.target.train])?)
    }

    /// The codes of the samples.
    #[must_use]
    pub fn encoded(&self, codec: &LatentCodec) -> Self {
        let of = |split: &Split| split.map(|rows| codec.encode(rows));
        let image = self.image.filter(|_| codec.autoencoder.keeps_axes());
        Self { source: of(&self.source), target: of(&self.target), image }
    }

    /// The same in coordinates of the reference; nothing where they are in them already.
    ///
    /// # Errors
    /// As [`reference_codec`](Self::reference_codec).
    pub fn in_reference_units(&self, config: &PairConfig) -> Result<Option<Self>> {
        Ok(self.reference_codec(config)?.map(|codec| self.encoded(&codec)))
    }

    /// Standard deviation of the cost ½|x − y|² between the two.
    ///
    /// # Errors
    /// [`RunError`] for samples that are not finite.
    pub fn cost_spread(&self, config: &PairConfig) -> Result<f64> {
        let (x, y) = (points(&self.source.train)?, points(&self.target.train)?);
        Ok(epsilon::cost_spread(&x, &y, &mut Rng::new(config.seed).fork("epsilon")))
    }

    /// Variance of every axis, the mean over both ends.
    pub fn variances(&self) -> Vec<f64> {
        let of = |split: &Split| to_vec_f64(split.train.clone().var(0));
        of(&self.source).iter().zip(of(&self.target)).map(|(x, y)| 0.5 * (x + y)).collect()
    }

    /// ε as it is set, or a share of the spread of the cost; with a word on what it means.
    ///
    /// # Errors
    /// [`RunError::Input`] for one that rounds to nothing, or to infinity, beside the spread.
    pub fn epsilon(&self, config: &PairConfig, context: &Context) -> Result<f64> {
        let spread = self.cost_spread(config)?;
        if config.epsilon > 0.0 {
            epsilon::require_computable(config.epsilon, spread)?;
            if let Some(doubt) = epsilon::doubt(config.epsilon / spread) {
                let (given, auto) = (digits(config.epsilon), digits(AUTO_SHARE * spread));
                context.warn(&format!("epsilon {given} {doubt} (auto would take {auto})"));
            }
            return Ok(config.epsilon);
        }
        let auto = auto_epsilon(spread)?;
        let unit = match config.has_codec() {
            true => " standard deviations of an axis",
            false => "",
        };
        context.info(&format!(
            "epsilon {}: {AUTO_SHARE} of the standard deviation of the cost ½|x − y|²; paths wander by {}{unit} on the way",
            digits(auto),
            digits(auto.sqrt())
        ));
        Ok(auto)
    }
}
