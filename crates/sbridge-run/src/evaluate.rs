//! How good the samples are, beside floors and baselines.

use std::fmt;

use sbridge::eval::{ClassifierSettings, Decomposition, FeatureSpace, Judge, Quality, decompose};
use sbridge::executor::Observer;
use sbridge::fit::StepInfo;
use sbridge::latent::{DataScaling, LatentModel, SamplerSettings};
use sbridge::marginal::{Convolved, Empirical, Gaussian, Marginal as _};
use sbridge::rng::Rng;
use sbridge::tensor::{Device, Tensor, from_rows, head, select_rows};
use sbridge_data::{Dataset, SampleShape};
use serde::{Deserialize, Serialize};

use crate::config::Encoder;
use crate::data;
use crate::error::{Result, RunError};
use crate::report::Emphasis;
use crate::watch::Progress;

/// Samples compared, at most.
const MAX_COMPARED: usize = 10_000;

/// Gradient steps of the judging classifier: five rounds through the data, within these bounds.
const CLASSIFIER_STEPS: (usize, usize) = (200, 900);

/// What a row of the table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowKind {
    /// The samples in question.
    Model,
    /// What nothing can beat: real data, or real data through the autoencoder.
    Floor,
    /// What a model should beat, or must not resemble.
    Baseline,
}

impl From<RowKind> for Emphasis {
    fn from(kind: RowKind) -> Self {
        match kind {
            RowKind::Model => Self::Model,
            RowKind::Floor => Self::Floor,
            RowKind::Baseline => Self::Baseline,
        }
    }
}

/// One row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Name for people.
    pub label: String,
    /// What it stands for.
    pub kind: RowKind,
    /// Its numbers.
    pub quality: Quality,
}

/// The evaluation of samples against a reference.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evaluation {
    /// The reference as the user typed it.
    pub reference: String,
    /// Where samples were compared, in words.
    pub feature_space: String,
    /// Samples in each row.
    pub count: usize,
    /// The table.
    pub rows: Vec<Row>,
    /// (D_model − D_autoencoder)/(D_gauss − D_autoencoder), for runs.
    pub excess_share: Option<f64>,
    /// The terms of the error, for runs.
    pub decomposition: Option<Decomposition>,
}

/// What an evaluation of a run needs.
pub struct RunUnderTest<'a> {
    /// The trained model.
    pub model: &'a LatentModel,
    /// How samples are drawn.
    pub sampler: &'a SamplerSettings,
    /// Training rows of the target in data units, and their labels.
    pub train: (Tensor<2>, Option<Vec<u32>>),
    /// Rows of the pre-training law, if it differs from the target.
    pub pretrain: Option<Tensor<2>>,
    /// Shape of one sample.
    pub shape: SampleShape,
}

/// Judges `samples` of a run against `reference`, both `[count, size]` in data units.
///
/// # Errors
/// [`RunError`] for too few samples, or numerics that went bad.
pub fn of_run(
    run: &RunUnderTest<'_>,
    samples: &Tensor<2>,
    reference: &Tensor<2>,
    reference_name: &str,
    rng: &Rng,
) -> Result<Evaluation> {
    let model = run.model;
    let (train, labels) = &run.train;
    let space =
        feature_space(train, labels.as_deref(), run.shape, &model.codec.scaling, &rng.fork("classifier"))?;
    let count = samples.dims()[0].min(reference.dims()[0]).min(MAX_COMPARED);
    let first = |rows: &Tensor<2>| head(rows, count);
    let judge = Judge::new(space.embed(&first(reference))?, space.embed(train)?)?;
    let mut stream = rng.fork("baselines");
    let gaussian = Gaussian::new(&moments(&model.codes)?, model.codes.dtype(), &model.codes.device())?;
    let v_end = run.sampler.v_min(model.epsilon)?;
    let memorising = Convolved::new(Empirical::new(model.codes.clone()), v_end);
    let real = select_rows(train, &stream.permutation(train.dims()[0])[..count.min(train.dims()[0])]);
    let mut rows = Vec::new();
    // One candidate at a time, so that only one is held in memory.
    let mut add = |label: &str, kind: RowKind, candidate: Tensor<2>| -> Result<()> {
        let quality = judge.judge(&space.embed(&candidate)?)?;
        rows.push(Row { label: label.into(), kind, quality });
        Ok(())
    };
    add("model", RowKind::Model, first(samples))?;
    add("training data", RowKind::Floor, real)?;
    add(
        "decode(encode(reference))",
        RowKind::Floor,
        model.codec.decode(&model.codec.encode(&first(reference))),
    )?;
    add(
        "Gaussian codes, decoded",
        RowKind::Baseline,
        model.codec.decode(&gaussian.sample(count, &mut stream)),
    )?;
    add("memorising sampler", RowKind::Baseline, model.codec.decode(&memorising.sample(count, &mut stream)))?;
    let excess = |i: usize| rows[i].quality.frechet - rows[2].quality.frechet;
    let excess_share = Some(excess(0) / excess(3));
    let decomposition =
        Some(decompose(model, run.sampler, reference, run.pretrain.as_ref(), &rng.fork("decomposition"))?);
    Ok(Evaluation {
        reference: reference_name.into(),
        feature_space: describe(&space),
        count,
        rows,
        excess_share,
        decomposition,
    })
}

/// Judges samples from anywhere against a reference; half of the reference plays the training data.
///
/// # Errors
/// [`RunError`] for shapes that differ, or too few samples.
pub fn of_samples(samples: &Dataset, reference: &Dataset, device: &Device, rng: &Rng) -> Result<Evaluation> {
    require_same_shape(samples, reference)?;
    let size = reference.shape().size();
    let order = rng.fork("halves").permutation(reference.len());
    let (left, right) = order.split_at(reference.len() / 2);
    let rows = from_rows(reference.values(), size, device);
    let (train, unseen) = (select_rows(&rows, left), select_rows(&rows, right));
    let labels: Option<Vec<u32>> = reference.labels().map(|all| left.iter().map(|&i| all[i]).collect());
    let scaling = data::scaling(reference, &train, Encoder::Trained, device);
    let space =
        feature_space(&train, labels.as_deref(), reference.shape(), &scaling, &rng.fork("classifier"))?;
    let count = samples.len().min(right.len()).min(MAX_COMPARED);
    let first = |rows: &Tensor<2>| head(rows, count);
    let judge = Judge::new(space.embed(&first(&unseen))?, space.embed(&train)?)?;
    let given = from_rows(samples.values(), size, device);
    let mut table = Vec::new();
    for (label, kind, candidate) in
        [(samples.source(), RowKind::Model, &given), ("other half of the reference", RowKind::Floor, &train)]
    {
        let quality = judge.judge(&space.embed(&first(candidate))?)?;
        table.push(Row { label: label.into(), kind, quality });
    }
    Ok(Evaluation {
        reference: reference.source().into(),
        feature_space: describe(&space),
        count,
        rows: table,
        excess_share: None,
        decomposition: None,
    })
}

/// Checks that two data sets hold samples of one shape.
///
/// # Errors
/// [`RunError::Input`] if they do not.
pub fn require_same_shape(samples: &Dataset, reference: &Dataset) -> Result<()> {
    if samples.shape().size() == reference.shape().size() {
        return Ok(());
    }
    Err(RunError::Input(format!(
        "{} holds samples of {}, {} of {} (compare data of one shape)",
        samples.source(),
        samples.shape(),
        reference.source(),
        reference.shape()
    )))
}

/// Features of a classifier where there are labelled images, else scaled values.
fn feature_space(
    train: &Tensor<2>,
    labels: Option<&[u32]>,
    shape: SampleShape,
    scaling: &DataScaling,
    rng: &Rng,
) -> Result<FeatureSpace> {
    let (SampleShape::Image { channels, height, width }, Some(labels)) = (shape, labels) else {
        return Ok(FeatureSpace::Scaled(scaling.clone()));
    };
    let labels = consecutive(labels);
    let classes = labels.iter().max().map_or(0, |m| *m as usize + 1);
    if classes < 2 {
        return Ok(FeatureSpace::Scaled(scaling.clone()));
    }
    let (fewest, most) = CLASSIFIER_STEPS;
    let steps = (5 * labels.len() / ClassifierSettings::BATCH_SIZE).clamp(fewest, most);
    let settings = ClassifierSettings { shape: [channels, height, width], classes, steps };
    let mut watch = ClassifierProgress(Progress::new("judge", 0, settings.steps));
    let space = FeatureSpace::classifier(train, &labels, scaling.clone(), &settings, rng, &mut watch)?;
    watch.0.finish();
    Ok(space)
}

/// Labels renumbered 0, 1, 2, … in their own order.
fn consecutive(labels: &[u32]) -> Vec<u32> {
    let mut kinds = labels.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let rank = |label| kinds.binary_search(label).expect("every label is in the list") as u32;
    labels.iter().map(rank).collect()
}

struct ClassifierProgress(Progress);

impl Observer for ClassifierProgress {
    fn on_step(&mut self, info: &StepInfo) {
        self.0.advance(info.step, info.loss);
    }
}

fn describe(space: &FeatureSpace) -> String {
    match space {
        FeatureSpace::Scaled(_) => "scaled values".into(),
        FeatureSpace::Classifier { accuracy, .. } => format!(
            "features of a convolutional classifier trained on the training data ({:.1} % right on images set aside)",
            100.0 * accuracy
        ),
    }
}

fn moments(codes: &Tensor<2>) -> Result<sbridge_ot::Gaussian> {
    Ok(sbridge_ot::Gaussian::fit(&sbridge::tensor::points(codes)?)?)
}

/// A ratio of nearest-neighbour distances for people.
pub fn show_ratio(ratio: Option<f64>) -> String {
    ratio.map_or("–".into(), |ratio| format!("{ratio:.3}"))
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} samples against {}, in {}", self.count, self.reference, self.feature_space)?;
        writeln!(f)?;
        writeln!(
            f,
            "{:28} {:>10} {:>10} {:>8} {:>10} {:>10}",
            "", "Fréchet", "precision", "recall", "sliced W2", "nn ratio"
        )?;
        for Row { label, quality: q, .. } in &self.rows {
            writeln!(
                f,
                "{label:28} {:>10.3} {:>10.3} {:>8.3} {:>10.4} {:>10}",
                q.frechet,
                q.precision,
                q.recall,
                q.sliced_w2,
                show_ratio(q.neighbour_ratio)
            )?;
        }
        if let Some(share) = self.excess_share {
            writeln!(f)?;
            writeln!(f, "(D_model − D_autoencoder)/(D_gauss − D_autoencoder) = {share:.4}")?;
        }
        if let Some(decomposition) = &self.decomposition {
            let Decomposition { terms, matched } = decomposition;
            writeln!(f)?;
            writeln!(f, "error terms, exact W2 of {matched} points (floor: two samples of one law)")?;
            for t in terms {
                let floor = t.floor.map_or(String::new(), |x| format!("floor {x:.4}"));
                writeln!(f, "{:24} {:>10.4}  {floor:14} {}", t.name, t.value, t.meaning)?;
            }
            if let Some((name, share)) = decomposition.dominant() {
                writeln!(f, "the right-hand side is mostly {name}: {:.0} %", 100.0 * share)?;
            }
        }
        Ok(())
    }
}
