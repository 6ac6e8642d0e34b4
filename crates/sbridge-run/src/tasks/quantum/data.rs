//! Both ensembles of a run, and the codes of them that a bridge joins.

use sbridge::quantum::{CodecSettings, StateCodec, States};
use sbridge::rng::Rng;
use sbridge::tensor::{Device, to_vec};
use sbridge_data::{Dataset, SampleShape};

use super::QuantumConfig;
use super::states::{self, StateSet};
use crate::context::Context;
use crate::data::Split;
use crate::error::{Result, RunError};
use crate::folder::manifest::Records;
use crate::models::bridge::{PairConfig, PairData};

/// Rows of noise that a bridge from it is fitted to, at least.
const LEAST_NOISE: usize = 10_000;

/// What a run learns from.
pub struct QuantumData {
    /// Where paths start, if not in noise.
    pub source: Option<StateSet>,
    /// Where they end.
    pub target: StateSet,
    /// Their codes by the mirror map, and the bridge's settings.
    pub joined: Joined,
    /// Entries of the matrices, to be compared with.
    pub plain: Option<Joined>,
    /// What of the source is trained on, and what judges.
    pub source_parts: Option<Parts>,
    /// The same of the target.
    pub target_parts: Parts,
}

/// Codes that a bridge joins, in memory, and what it is told.
pub struct Joined {
    /// What made them.
    pub codec: StateCodec,
    /// The bridge's settings.
    pub settings: PairConfig,
    /// Where it finds the codes.
    pub context: Context,
}

/// Positions of states.
pub struct Parts {
    /// Those trained on.
    pub train: Vec<usize>,
    /// Those that judge and nothing else; none where halves of the others have to.
    pub held_out: Vec<usize>,
}

impl QuantumData {
    /// Reads what `settings` ask for.
    ///
    /// # Errors
    /// [`RunError`] for matrices that are no states, or states that cannot be used together.
    pub(super) fn read(settings: &QuantumConfig, context: &Context) -> Result<Self> {
        if settings.target.source.is_empty() {
            return Err(RunError::Input("no target (give --target STATES)".into()));
        }
        let device = context.open_device(&settings.device)?;
        let target = states::load(&settings.target, settings)?;
        let source = match settings.generates() {
            true => None,
            false => Some(states::load(&settings.source, settings)?),
        };
        if let Some(source) = source.as_ref().filter(|source| source.states.dim() != target.states.dim()) {
            return Err(RunError::Input(format!(
                "{} holds states of {} rows, {} of {} (join states of one size)",
                source.record.source,
                source.states.dim(),
                target.record.source,
                target.states.dim()
            )));
        }
        settings.cut(target.states.dim())?;
        let sets = (source.as_ref(), &target);
        let joined = Joined::new(settings, settings.codec(false), sets, context, &device)?;
        let compares = settings.compare && settings.generates();
        let plain = || Joined::new(settings, settings.codec(true), sets, context, &device);
        let plain = compares.then(plain).transpose()?;
        let pair = PairData::read(&joined.settings, &joined.context)?;
        let (source_parts, target_parts) = match &source {
            // Noise stands at the far end.
            None => (None, Parts::of(&pair.ends.source, target.states.count())),
            Some(source) => (
                Some(Parts::of(&pair.ends.source, source.states.count())),
                Parts::of(&pair.ends.target, target.states.count()),
            ),
        };
        Ok(Self { source, target, joined, plain, source_parts, target_parts })
    }

    /// What must not change until the run is continued.
    pub(super) fn records(&self) -> Records {
        let source = self.source.as_ref().map(|source| source.record.clone());
        Records { source, ..Records::of(self.target.record.clone()) }
    }

    /// Says how many matrices were repaired.
    pub(super) fn say_repairs(&self, context: &Context) {
        for set in self.source.iter().chain([&self.target]) {
            let (repaired, source) = (set.repaired, &set.record.source);
            for (count, what) in [
                (repaired.symmetrised, "were not Hermitian and were replaced by their Hermitian parts"),
                (repaired.normalised, "had another trace than 1 and were divided by it"),
            ] {
                if count > 0 {
                    context.note(&format!("{source}: {count} of {} matrices {what}", set.record.count));
                }
            }
        }
    }
}

impl Joined {
    fn new(
        settings: &QuantumConfig,
        kind: CodecSettings,
        (source, target): (Option<&StateSet>, &StateSet),
        context: &Context,
        device: &Device,
    ) -> Result<Self> {
        let sets: Vec<&States> = source.into_iter().chain([target]).map(|set| &set.states).collect();
        let codec = StateCodec::measured(kind, &sets, device)?;
        let shape = SampleShape::Vector { dim: codec.size() };
        let coded = |set: &StateSet| {
            let codes = codec.codes(&set.states).into_iter().map(|x| x as f32).collect();
            Dataset::from_values(&set.record.source, codes, shape)
        };
        let noise = || {
            let count = target.states.count().max(LEAST_NOISE);
            let mut rng = Rng::new(settings.seed).fork("noise");
            Dataset::from_values("noise", to_vec(rng.normal([count, codec.size()], device)), shape)
        };
        let (start, end) = match source {
            None => (coded(target)?, noise()?),
            Some(source) => (coded(source)?, coded(target)?),
        };
        let names = [start.source().to_owned(), end.source().to_owned()];
        let sources = context.sources.clone().with_set(&names[0], start).with_set(&names[1], end);
        let settings = settings.leg([&names[0], &names[1]]);
        Ok(Self { codec, settings, context: Context { sources, ..context.clone() } })
    }
}

impl Parts {
    fn of(split: &Split, count: usize) -> Self {
        let mut is_trained = vec![false; count];
        split.train_rows.iter().for_each(|row| is_trained[*row] = true);
        let held_out = (0..count).filter(|row| !is_trained[*row]).collect();
        Self { train: split.train_rows.clone(), held_out }
    }
}
