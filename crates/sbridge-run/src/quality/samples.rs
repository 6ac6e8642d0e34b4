//! Samples judged against a reference: Fréchet distance, precision, recall, sliced W2, copying.

use std::fmt;

use sbridge::eval::{ClassifierSettings, Decomposition, FeatureSpace, Judge, Quality};
use sbridge::executor::Observer;
use sbridge::fit::StepInfo;
use sbridge::latent::DataScaling;
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, head, select_rows};
use sbridge_data::SampleShape;
use serde::{Deserialize, Serialize};

use super::{Headline, Judgement, RowKind};
use crate::context::Context;
use crate::data::{self, random_rows, require_same_shape};
use crate::error::{Result, RunError};
use crate::origin::Origin;
use crate::settings::{DataConfig, Encoder};
use crate::watch::Progress;

/// Samples compared, at most.
pub const MAX_COMPARED: usize = 10_000;

/// Reference samples below which the numbers mean nothing.
pub const MIN_REFERENCE: usize = 20;

/// Gradient steps of the judging classifier: five rounds through the data, within these bounds.
const CLASSIFIER_STEPS: (usize, usize) = (200, 900);

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
    /// What is not as it should be, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// A reference, and where candidates are compared with it.
pub struct Comparison {
    space: FeatureSpace,
    judge: Judge,
    count: usize,
}

impl Comparison {
    /// Of as many of `samples`, rows there are, as of `reference`, `[count, size]` in random order, where what is trained on is
    /// `train`, of samples of `shape`, with `labels` if there are any.
    ///
    /// # Errors
    /// [`RunError`] for too few samples, or numerics that went bad.
    pub fn new(
        (train, labels): (&Tensor<2>, Option<&[u32]>),
        (shape, scaling): (SampleShape, &DataScaling),
        (samples, reference): (usize, &Tensor<2>),
        rng: &Rng,
        context: &Context,
    ) -> Result<Self> {
        let space = feature_space(train, labels, shape, scaling, &rng.fork("classifier"), context)?;
        let count = samples.min(reference.dims()[0]).min(MAX_COMPARED);
        let judge = Judge::new(space.embed(&head(reference, count))?, space.embed(train)?)?;
        Ok(Self { space, judge, count })
    }

    /// Samples compared.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The row of the table for the first of `candidate`, `[count, size]` in random order.
    ///
    /// # Errors
    /// [`RunError`] for numerics that went bad.
    pub fn row(&self, label: &str, kind: RowKind, candidate: &Tensor<2>) -> Result<Row> {
        let quality = self.judge.judge(&self.space.embed(&head(candidate, self.count))?)?;
        Ok(Row { label: label.into(), kind, quality })
    }

    /// The same for a candidate that is among the training data, or stems from them: how near it is to these says nothing.
    ///
    /// # Errors
    /// As [`row`](Self::row).
    pub fn row_of_seen(&self, label: &str, kind: RowKind, candidate: &Tensor<2>) -> Result<Row> {
        let quality = self.judge.judge_seen(&self.space.embed(&head(candidate, self.count))?)?;
        Ok(Row { label: label.into(), kind, quality })
    }

    /// The evaluation of these `rows` against `reference`, as the user typed it.
    pub fn evaluation(self, reference: &str, rows: Vec<Row>) -> Evaluation {
        let Self { space, count, .. } = self;
        let feature_space = describe(&space);
        let reference = reference.into();
        Evaluation {
            reference,
            feature_space,
            count,
            rows,
            excess_share: None,
            decomposition: None,
            remarks: Vec::new(),
        }
    }
}

/// Judges samples from anywhere against a reference, of which a third judges, a third plays the training data, and a third
/// is the floor.
///
/// # Errors
/// [`RunError`] for data that cannot be read, shapes that differ, or too few samples.
pub fn evaluate_samples(samples: &str, reference: &DataConfig, context: &Context) -> Result<Evaluation> {
    let (mut samples, mut reference) = (context.sources.set(samples)?, context.sources.load(reference)?);
    if let Some(origin) = Origin::of(&[&samples, &reference]) {
        (samples, reference) = (origin.subtracted_from(samples), origin.subtracted_from(reference));
    }
    for (data, needed) in [(&samples, MIN_REFERENCE), (&reference, 3 * MIN_REFERENCE)] {
        if data.len() < needed {
            return Err(RunError::Input(format!(
                "{} has {} samples, {needed} are needed to evaluate",
                data.source(),
                data.len()
            )));
        }
    }
    let (device, rng) = (context.open_device("cpu")?, Rng::new(0).fork("evaluation"));
    require_same_shape(&samples, &reference)?;
    let order = random_rows(&reference, reference.len(), &mut rng.fork("thirds"));
    let (judges, rest) = order.split_at(reference.len() / 3);
    let (floor, seen) = rest.split_at(judges.len());
    let all = data::rows(&reference, &device);
    let [judges, floor, train] = [judges, floor, seen].map(|rows| select_rows(&all, rows));
    let labels: Option<Vec<u32>> = reference.labels().map(|all| seen.iter().map(|&row| all[row]).collect());
    let scaling = data::scaling(&reference, &train, Encoder::Trained, &device);
    let comparison = Comparison::new(
        (&train, labels.as_deref()),
        (reference.shape(), &scaling),
        (samples.len(), &judges),
        &rng,
        context,
    )?;
    let chosen = random_rows(&samples, comparison.count(), &mut rng.fork("samples"));
    let candidate = select_rows(&data::rows(&samples, &device), &chosen);
    let table = vec![
        comparison.row(samples.source(), RowKind::Model, &candidate)?,
        comparison.row("other third of the reference", RowKind::Floor, &floor)?,
    ];
    Ok(comparison.evaluation(reference.source(), table))
}

/// Features of a classifier where there are labelled images, else scaled values.
fn feature_space(
    train: &Tensor<2>,
    labels: Option<&[u32]>,
    shape: SampleShape,
    scaling: &DataScaling,
    rng: &Rng,
    context: &Context,
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
    let mut watch = ClassifierProgress(context.progress("judge", 0, settings.steps));
    Ok(FeatureSpace::classifier(train, &labels, scaling.clone(), &settings, rng, &mut watch)?)
}

/// Labels renumbered 0, 1, 2, … in their own order.
fn consecutive(labels: &[u32]) -> Vec<u32> {
    let mut kinds = labels.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let rank = |label| kinds.binary_search(label).expect("every label is in the list") as u32;
    labels.iter().map(rank).collect()
}

struct ClassifierProgress<'a>(Progress<'a>);

impl Observer for ClassifierProgress<'_> {
    fn on_step(&mut self, info: &StepInfo) {
        self.0.loss(info.step, info.loss);
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

impl Judgement for Evaluation {
    fn headline(&self) -> Option<Headline> {
        Some(("Fréchet distance", self.rows.first()?.quality.frechet))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

/// A Fréchet distance for people, with its standard error where that is known.
pub fn show_frechet(quality: &Quality) -> String {
    let error = quality.frechet_error.map_or(String::new(), |error| format!(" ± {error:.2}"));
    format!("{:.3}{error}", quality.frechet)
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
            "{:30} {:>14} {:>10} {:>8} {:>10} {:>10}",
            "", "Fréchet", "precision", "recall", "sliced W2", "nn ratio"
        )?;
        for Row { label, quality: q, .. } in &self.rows {
            writeln!(
                f,
                "{label:30} {:>14} {:>10.3} {:>8.3} {:>10.4} {:>10}",
                show_frechet(q),
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
        self.remarks.iter().try_for_each(|remark| writeln!(f, "note: {remark}"))
    }
}
