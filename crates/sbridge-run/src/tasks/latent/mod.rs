//! Generate samples like those of one set: encode, carry smoothed codes to codes by a bridge, decode.

mod cost;
mod data;
pub mod file;
mod judge;
mod learn;
mod page;
mod settings;

pub use data::LatentData;
pub use settings::{BridgeConfig, LatentConfig};

use std::borrow::Cow;

use sbridge::Codec as _;
use sbridge::latent::LatentModel;
use sbridge::rng::Rng;
use sbridge::tensor::Tensor;
use sbridge_data::Dataset;

use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::manifest::{DataRecord, Records};
use crate::quality::samples::Evaluation;
use crate::samples::finite_rows;
use crate::settings::Settings as _;
use crate::task::{Generate, Generator, Page, Run, SavedRun, Task};
use crate::training::{Cost, Learning};

/// The one method.
pub const METHOD: &str = "latent";

/// Where the model lies.
const MODEL_FILE: &str = "model.safetensors";

/// A trained latent bridge.
pub struct Latent {
    /// Encoder, score and decoder.
    pub model: LatentModel,
}

impl Task for Latent {
    const NAME: &'static str = "latent";
    const METHODS: &'static [&'static str] = &[METHOD];
    const TAKES_REFERENCE: bool = true;
    type Settings = LatentConfig;
    type Data = LatentData;
    type Judgement = Evaluation;

    fn read(settings: &mut LatentConfig, context: &Context) -> Result<LatentData> {
        LatentData::read(settings, context)
    }

    fn sets<'a>(
        _settings: &LatentConfig,
        data: &'a LatentData,
        _context: &Context,
    ) -> Result<Vec<Cow<'a, Dataset>>> {
        Ok([&data.target].into_iter().chain(&data.pretrain).map(Cow::Borrowed).collect())
    }

    fn records(data: &LatentData) -> Records {
        let pretrain = data.pretrain.as_ref().map(DataRecord::of);
        Records { pretrain, ..Records::of(DataRecord::of(&data.target)) }
    }

    fn prepare(settings: &mut LatentConfig, data: &LatentData, context: &Context) -> Result<()> {
        data.prepare(settings, context)
    }

    fn cost(settings: &LatentConfig, data: &LatentData, context: &Context) -> Result<Option<Cost>> {
        let seconds = cost::seconds(settings, data, &context.open_device(&settings.device)?)?;
        Ok(Some(Cost { seconds, bytes: cost::memory(settings, data) }))
    }

    fn learn(run: &mut Learning<'_, LatentConfig>, data: &LatentData) -> Result<()> {
        learn::learn(run, data)
    }

    fn open(run: &SavedRun<'_, LatentConfig>) -> Result<Self> {
        let (path, file) = (run.folder.path(), run.folder.file(MODEL_FILE));
        let again = format!("sbridge {} --resume {}", run.command, path.display());
        if !file.exists() {
            return Err(RunError::folder(path, format!("holds no model yet (finish it with: {again})")));
        }
        let model = file::load(&file, run.device);
        Ok(Self { model: model.map_err(|e| RunError::Input(format!("{e} (write it again with: {again})")))? })
    }

    fn judge(run: &Run<Self>, data: &LatentData, reference: Option<&Dataset>) -> Result<Evaluation> {
        judge::judge(run, data, reference)
    }

    fn page(run: &Run<Self>, data: &LatentData, found: &Evaluation) -> Result<Page> {
        page::page(run, data, found)
    }

    fn generator(run: &Run<Self>) -> Option<&dyn Generator> {
        Some(run)
    }
}

impl Generate for Latent {
    fn generate(run: &Run<Self>, count: usize, sampler: &[String], seed: u64) -> Result<Tensor<2>> {
        let settings = run.settings.with(METHOD, sampler)?.sampler;
        let (model, rng) = (&run.learned.model, Rng::new(seed).fork("sample"));
        let progress = run.context.progress("sample", 0, count);
        let codes = model.sample_codes(count, &settings, &rng, &mut |done| {
            progress.at(done, "");
            run.context.cancel.flow()
        })?;
        drop(progress);
        let codes = finite_rows(codes, &run.context)?;
        finite_rows(model.codec.decode(&codes), &run.context)
    }

    fn usual_count(run: &Run<Self>) -> usize {
        run.settings.output.samples
    }

    fn range(run: &Run<Self>) -> Option<(f64, f64)> {
        run.learned.model.codec.scaling.range
    }
}
