//! Compress vectors by an encoder and a decoder: a toy among tasks, with all that a task brings.

use std::fmt;

use sbridge::Codec as _;
use sbridge::latent::{LatentCodec, Normalisation};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, to_vec_f64};
use sbridge_data::Dataset;
use sbridge_report::{Block, Row, Section, Table};
use sbridge_run::data::{self, Split, autoencoder_kind};
use sbridge_run::folder::manifest::{DataRecord, Records};
use sbridge_run::models::codec::{self, CodecDescription};
use sbridge_run::quality::{Headline, Judgement};
use sbridge_run::settings::{
    AutoencoderConfig, Common, DataConfig, Encoder, OutputConfig, Refusal, Settings,
};
use sbridge_run::task::{Generate, Generator, Page, Run, SavedRun, Task};
use sbridge_run::training::cost::{BASE_BYTES, Cost, seconds_of_autoencoder};
use sbridge_run::training::{Learning, Stage};
use sbridge_run::{Context, Result};
use serde::{Deserialize, Serialize};

const FILE: &str = "codec.safetensors";

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CompressionConfig {
    seed: u64,
    target: DataConfig,
    autoencoder: AutoencoderConfig,
    output: OutputConfig,
}

impl Settings for CompressionConfig {
    fn defaults(_method: &str) -> Self {
        Self::default()
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        self.output.check()
    }

    fn common(&self) -> Common {
        let checkpoint_seconds = self.output.checkpoint_seconds;
        Common { seed: self.seed, device: "cpu".into(), checkpoint_seconds }
    }
}

pub(crate) struct Compression(LatentCodec);

impl Compression {
    fn restored(&self, rows: &Tensor<2>) -> Tensor<2> {
        self.0.decode(&self.0.encode(rows))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Errors {
    codec: f64,
    mean_alone: f64,
}

impl Judgement for Errors {
    fn headline(&self) -> Option<Headline> {
        Some(("error", self.codec))
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error of the codec {:.4}, of the mean alone {:.4}", self.codec, self.mean_alone)
    }
}

impl Task for Compression {
    const NAME: &'static str = "compression";
    const METHODS: &'static [&'static str] = &["compress"];
    type Settings = CompressionConfig;
    type Data = Dataset;
    type Judgement = Errors;

    fn read(settings: &mut CompressionConfig, context: &Context) -> Result<Dataset> {
        let target = context.sources.load(&settings.target)?;
        settings.autoencoder.net = settings.autoencoder.net.clone().resolved(target.shape().size());
        Ok(target)
    }

    fn records(data: &Dataset) -> Records {
        Records::of(DataRecord::of(data))
    }

    fn cost(settings: &CompressionConfig, data: &Dataset, context: &Context) -> Result<Option<Cost>> {
        let seconds = seconds_of_autoencoder(&settings.autoencoder, data, &context.open_device("cpu")?)?;
        Ok(Some(Cost { seconds, bytes: BASE_BYTES }))
    }

    fn learn(run: &mut Learning<'_, CompressionConfig>, data: &Dataset) -> Result<()> {
        let (settings, kind) = (run.settings.autoencoder.clone(), autoencoder_kind(data.shape()));
        let split = Split::new(data, run.settings.output.shares(), &run.rng("split"), &run.device);
        let scaling = data::scaling(data, &split.train, Encoder::Trained, &run.device);
        let rows = (&split.train, split.validation.as_ref());
        let net = run.train_autoencoder(Stage::AUTOENCODER, &kind, &settings, &scaling, rows)?;
        let (codec, _) = LatentCodec::measured(net, scaling, Normalisation::Global, &split.train);
        codec::save(&run.file(FILE), &codec, &CodecDescription::new(&kind, &settings))
    }

    fn open(run: &SavedRun<'_, CompressionConfig>) -> Result<Self> {
        run.folder.require_finished(run.manifest, run.command)?;
        Ok(Self(codec::load(&run.folder.file(FILE), run.device)?))
    }

    fn judge(run: &Run<Self>, data: &Dataset, _reference: Option<&Dataset>) -> Result<Errors> {
        let split = Split::new(data, run.settings.output.shares(), &run.rng("split"), &run.device);
        let held_out = split.held_out_or_train();
        let error = |guess: Tensor<2>| to_vec_f64((guess - held_out.clone()).powi_scalar(2).mean())[0];
        let mean = split.train.clone().mean_dim(0).repeat_dim(0, held_out.dims()[0]);
        Ok(Errors { codec: error(run.learned.restored(held_out)), mean_alone: error(mean) })
    }

    fn page(run: &Run<Self>, _data: &Dataset, found: &Errors) -> Result<Page> {
        let row = |label: &str, error: f64| Row {
            label: label.into(),
            cells: vec![format!("{error:.4}")],
            ..Row::default()
        };
        let table = Table {
            caption: "Error of the codec".into(),
            columns: vec!["mean square".into()],
            rows: vec![row("codec", found.codec), row("the mean alone", found.mean_alone)],
            note: String::new(),
        };
        let blocks = vec![Block::Table(table)];
        Ok(Page {
            title: format!("Compression of {}", run.manifest.target.source),
            summary: found.to_string(),
            facts: Vec::new(),
            sections: vec![Section { title: "Errors".into(), text: String::new(), blocks }],
        })
    }

    fn generator(run: &Run<Self>) -> Option<&dyn Generator> {
        Some(run)
    }
}

impl Generate for Compression {
    fn generate(run: &Run<Self>, count: usize, _sampler: &[String], seed: u64) -> Result<Tensor<2>> {
        let codec = &run.learned.0;
        let codes = Rng::new(seed).normal([count, codec.autoencoder.latent_dim()], &run.device);
        Ok(codec.decode(&codes))
    }

    fn usual_count(_run: &Run<Self>) -> usize {
        100
    }
}
