//! Generate samples like those of one set from noise: the noising is fitted to their scales and correlations.

mod data;
mod judge;
mod page;
mod settings;

pub use data::VariationalData;
pub use judge::{Candidate, Judge, Likelihood, Row, Travel, VariationalEvaluation};
pub use settings::VariationalConfig;

use std::borrow::Cow;

use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Learned, VariationalModel, Vsdm};
use sbridge::tensor::Tensor;
use sbridge_data::Dataset;

use crate::context::Context;
use crate::error::Result;
use crate::folder::manifest::{DataRecord, Records};
use crate::models::variational::{Models, WHITENED, Whitening, cost, file, models};
use crate::samples::finite_rows;
use crate::settings::Settings as _;
use crate::task::{Generate, Generator, Page, Run, SavedRun, Task};
use crate::training::{Cost, Learning};

/// The one method, and the name of its model.
pub const METHOD: &str = "vsdm";

/// A variational diffusion.
pub struct Variational {
    /// The model.
    pub model: VariationalModel,
    /// What its stages found.
    pub stages: Learned,
}

impl Task for Variational {
    const NAME: &'static str = "variational";
    const METHODS: &'static [&'static str] = &[METHOD];
    type Settings = VariationalConfig;
    type Data = VariationalData;
    type Judgement = VariationalEvaluation;

    fn read(settings: &mut VariationalConfig, context: &Context) -> Result<VariationalData> {
        VariationalData::read(settings, context)
    }

    fn sets<'a>(
        _settings: &VariationalConfig,
        data: &'a VariationalData,
        _context: &Context,
    ) -> Result<Vec<Cow<'a, Dataset>>> {
        Ok(vec![Cow::Borrowed(&data.target)])
    }

    fn records(data: &VariationalData) -> Records {
        Records::of(DataRecord::of(&data.target))
    }

    fn prepare(settings: &mut VariationalConfig, data: &VariationalData, context: &Context) -> Result<()> {
        let trial = cost::trial(data.split.train.clone(), &settings.vsdm)?;
        cost::doubt(trial.model()).iter().for_each(|doubt| context.note(doubt));
        Ok(())
    }

    fn cost(
        settings: &VariationalConfig,
        data: &VariationalData,
        _context: &Context,
    ) -> Result<Option<Cost>> {
        // As read, in units of the network, and whitened.
        let bytes = 3 * data.target.len() * data.target.shape().size() * size_of::<f32>();
        let models = models(METHOD, settings.baselines).len();
        cost::cost(data.split.train.clone(), &settings.vsdm, models, bytes).map(Some)
    }

    /// The model of the run; and beside it, if they are asked for, score models on the data and on whitened data.
    fn learn(run: &mut Learning<'_, VariationalConfig>, data: &VariationalData) -> Result<()> {
        let (device, settings) = (run.device.clone(), run.settings.vsdm.clone());
        let files = Models {
            load: &|path| file::load_model(path, &device),
            save: &|path, model, learned| file::save(path, METHOD, model, (&settings.net, ()), learned),
        };
        for name in models(METHOD, run.settings.baselines) {
            let (train, rng) = (&data.split.train, run.rng(name));
            let vsdm = match name {
                METHOD => Vsdm::new(train.clone(), settings.clone(), rng)?,
                WHITENED => Vsdm::score_model(Whitening::of(train)?.apply(train), settings.clone(), rng)?,
                _ => Vsdm::score_model(train.clone(), settings.clone(), rng)?,
            };
            files.learn(run, name, vsdm)?;
        }
        Ok(())
    }

    fn open(run: &SavedRun<'_, VariationalConfig>) -> Result<Self> {
        let (model, stages) = file::load_model(&run.folder.model_file(METHOD)?, run.device)?;
        Ok(Self { model, stages })
    }

    fn judge(
        run: &Run<Self>,
        data: &VariationalData,
        _reference: Option<&Dataset>,
    ) -> Result<VariationalEvaluation> {
        judge::judge(run, data)
    }

    fn page(run: &Run<Self>, data: &VariationalData, found: &VariationalEvaluation) -> Result<Page> {
        page::page(run, data, found)
    }

    fn generator(run: &Run<Self>) -> Option<&dyn Generator> {
        Some(run)
    }
}

impl Generate for Variational {
    fn generate(run: &Run<Self>, count: usize, sampler: &[String], seed: u64) -> Result<Tensor<2>> {
        let settings = run.settings.with(METHOD, sampler)?.sampler;
        let mut rng = Rng::new(seed).fork("sample");
        finite_rows(run.learned.model.sample(count, &settings, &mut rng)?, &run.context)
    }

    fn usual_count(run: &Run<Self>) -> usize {
        run.settings.output.samples
    }
}
