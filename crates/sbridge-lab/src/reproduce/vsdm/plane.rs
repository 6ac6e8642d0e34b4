//! Laws of the plane stretched along an axis: how straight samples travel, and how near they come, beside score models of the
//! same network and training.

use std::f64::consts::{FRAC_PI_2, PI};

use sbridge::reference::Schedule;
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Initial, StartLaw, Vsdm, VsdmSettings};
use sbridge::tensor::{DType, Device, Tensor, from_rows_f64, points, to_vec_f64};
use sbridge_ot::energy_distance;
use sbridge_report::digits;

use crate::reproduce::statistics::mean;
use crate::reproduce::{Check, Effort, Study};
use sbridge_run::models::variational::Whitening;
use sbridge_run::tasks::variational::{Candidate, Judge, METHOD, Travel};
use sbridge_run::{Result, RunError};

/// Samples learned from, and compared.
const LEARNED: usize = 20_000;
const COMPARED: usize = 3000;

/// Bins along each axis of the histograms that are compared.
const BINS: usize = 100;

/// The histogram's box, in units of the range of the data.
const BOX: f64 = 1.025;

/// Calls of the network for a sample.
const CALLS: [usize; 3] = [10, 20, 100];

/// Standard deviation of the distance of two histograms of the same law.
const CHANCE: f64 = 1.5e-5;

/// Draws of a law, `[count, 2]`, row by row.
type Law = fn(usize, &mut Rng) -> Vec<f64>;

pub(in crate::reproduce) fn spiral_study(effort: Effort, rng: &Rng) -> Result<Study> {
    study("Spiral, its second coordinate eight times as long", spiral, effort, rng)
}

pub(in crate::reproduce) fn checkerboard_study(effort: Effort, rng: &Rng) -> Result<Study> {
    study("Checkerboard, its first coordinate six times as long", checkerboard, effort, rng)
}

fn spiral(count: usize, rng: &mut Rng) -> Vec<f64> {
    let noise = to_vec_f64(rng.normal([count, 2], &Device::flex()));
    let point = |(w, z): (f64, &[f64])| {
        let angle = 3.0 * PI * w.sqrt() - FRAC_PI_2;
        let radius = angle + PI;
        [0.4 * (radius * angle.cos() + 0.25 * z[0]), 3.2 * (radius * angle.sin() + 0.25 * z[1])]
    };
    rng.uniform(count, 0.0, 1.0).into_iter().zip(noise.chunks_exact(2)).flat_map(point).collect()
}

fn checkerboard(count: usize, rng: &mut Rng) -> Vec<f64> {
    // Half of the square is kept.
    let pairs = std::iter::repeat_with(|| rng.uniform(2, -2.0 * PI, 2.0 * PI));
    let kept = pairs.filter(|x| x[0].sin() * x[1].sin() < 0.0).take(count);
    kept.flat_map(|x| [6.0 * x[0], x[1]]).collect()
}

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Model {
    /// The model of the study.
    Vsdm,
    /// The same, started at the forward score of a bridge.
    Bridge,
    /// A score model with the schedule of the model, from where its noising ends.
    OwnSchedule,
    /// The published score models, with a short and a long noising.
    Short,
    Long,
    /// A score model of whitened data.
    Whitened,
}

impl Model {
    fn name(self) -> &'static str {
        match self {
            Self::Vsdm => METHOD,
            Self::Bridge => "vsdm of a bridge, β up to 10",
            Self::OwnSchedule => "score model, own schedule, matched start",
            Self::Short => "score model, β up to 10",
            Self::Long => "score model, β up to 20",
            Self::Whitened => "whitening, score model",
        }
    }

    /// Whether its forward score is zero: such models are to compare with.
    fn is_baseline(self) -> bool {
        !matches!(self, Self::Vsdm | Self::Bridge)
    }
}

/// Numbers of one model in one run.
struct Measured {
    model: Model,
    straightness: f64,
    /// Variance at the end of these paths over that of the data.
    variance: f64,
    /// Of samples, for each number of [`CALLS`].
    samples: [Samples; CALLS.len()],
}

/// Numbers of samples drawn with so many calls of the network.
struct Samples {
    /// Over that of the data.
    variance: f64,
    histogram: f64,
    energy: f64,
}

/// All models in all runs.
struct Runs(Vec<Vec<Measured>>);

impl Runs {
    /// Mean over the runs of a number of `model`.
    fn mean(&self, model: Model, value: impl Fn(&Measured) -> f64) -> f64 {
        let of_model = self.0.iter().flatten().filter(|measured| measured.model == model);
        mean(&of_model.map(value).collect::<Vec<_>>())
    }

    /// The models, in the order in which they are reported.
    fn models(&self) -> impl Iterator<Item = Model> {
        self.0[0].iter().map(|measured| measured.model)
    }

    /// The baseline whose histogram at the calls of place `k` is nearest, and how near.
    fn nearest_baseline(&self, k: usize) -> (f64, Model) {
        let baselines = self.models().filter(|model| model.is_baseline());
        let histograms = baselines.map(|model| (self.mean(model, |m| m.samples[k].histogram), model));
        histograms.min_by(|a, b| a.0.total_cmp(&b.0)).expect("there are baselines")
    }

    /// What was measured of `model`, in words.
    fn described(&self, model: Model) -> String {
        let listed = |value: &dyn Fn(&Samples) -> f64, digits: &dyn Fn(f64) -> String| {
            let of_calls = (0..CALLS.len()).map(|k| digits(self.mean(model, |m| value(&m.samples[k]))));
            of_calls.collect::<Vec<_>>().join(", ")
        };
        format!(
            "{}: straightness {:.2} at variance {:.2}; histograms {}; energy distances {}",
            model.name(),
            self.mean(model, |m| m.straightness),
            self.mean(model, |m| m.variance),
            listed(&|samples| samples.histogram, &|x| format!("{x:.2e}")),
            listed(&|samples| samples.energy, &|x| format!("{x:.4}"))
        )
    }

    fn checks(&self) -> Vec<Check> {
        let [ours, theirs] = [Model::Vsdm, Model::Long].map(|model| self.mean(model, |m| m.straightness));
        let quantity =
            format!("straightness over that of {}: {ours:.2} over {theirs:.2}", Model::Long.name());
        let variance = self.mean(Model::Vsdm, |m| m.variance);
        let mut checks = vec![
            Check::at_most(quantity, ours / theirs, 0.75),
            Check::near("variance at the end of these paths", variance, 1.0, 0.1),
        ];
        for (k, calls) in CALLS.into_iter().enumerate() {
            let variance = self.mean(Model::Vsdm, |m| m.samples[k].variance);
            checks.push(Check::near(format!("variance, {calls} calls"), variance, 1.0, 0.05));
            let (nearest, baseline) = self.nearest_baseline(k);
            let quantity = format!("histogram, {calls} calls; {}: {}", baseline.name(), digits(nearest));
            let histogram = self.mean(Model::Vsdm, |m| m.samples[k].histogram);
            checks.push(Check::at_most(quantity, histogram, nearest + 2.0 * CHANCE));
        }
        checks
    }
}

fn study(title: &str, law: Law, effort: Effort, rng: &Rng) -> Result<Study> {
    let count = effort.pick(1, 5);
    let runs = (0..count).map(|k| measure(law, effort, &rng.fork(&format!("run {k}"))));
    let runs = Runs(runs.collect::<Result<_>>()?);
    let described: Vec<String> = runs.models().map(|model| runs.described(model)).collect();
    Ok(Study {
        title: title.into(),
        text: format!(
            "{LEARNED} samples, the same network and training for all models, mean over {count} runs. Straightness is the \
             mean of |second differences|/dt² over 99 steps of the flow, in standard deviations of the data. \
             Histograms of {BINS} × {BINS} bins are compared by their root mean squared difference, between {COMPARED} \
             samples and as many of the law.\n\n{}.",
            described.join(". ")
        ),
        note: "The goal is a straightness a quarter below that of the score model with the published schedule, β up to 20, at \
               equal variance. Straightness is mostly a matter of the schedule: a score model with our own, from where its \
               noising ends, is among the rows, and so is the forward score of a bridge. Histograms: at most those of the \
               nearest baseline and twice the deviation of chance."
            .into(),
        checks: runs.checks(),
        ..Study::default()
    })
}

fn tensor(values: &[f64]) -> Tensor<2> {
    from_rows_f64(values, 2, &Device::flex()).cast(DType::F32)
}

fn measure(law: Law, effort: Effort, rng: &Rng) -> Result<Vec<Measured>> {
    let rows = tensor(&law(LEARNED, &mut rng.fork("data")));
    let truth = tensor(&law(COMPARED, &mut rng.fork("truth")));
    let stream = rng.fork("judge");
    let judge = Judge::new(&truth, &stream)?;
    let candidates = candidates(&rows, effort, rng)?;
    candidates.iter().map(|(model, candidate)| measured(*model, candidate, (&judge, &truth))).collect()
}

/// All models, learned from `rows`.
fn candidates(rows: &Tensor<2>, effort: Effort, rng: &Rng) -> Result<Vec<(Model, Candidate)>> {
    let mut settings = VsdmSettings::default();
    if effort == Effort::Quick {
        settings.stages = 3;
        settings.fit.steps = 1500;
        settings.fit.batch_size = 256;
        settings.net.width = 64;
    }
    let published = |beta_max: f64| VsdmSettings {
        schedule: Schedule { beta_max, ..Schedule::default() },
        ..settings.clone()
    };
    let bridge = VsdmSettings { initial: Initial::Bridge, intervals: 50, ..published(10.0) };
    let whitening = Whitening::of(rows)?;
    let vsdm = |settings: &VsdmSettings, name: &str| {
        Vsdm::new(rows.clone(), settings.clone(), rng.fork(name))?.run()
    };
    let score_model = |rows: &Tensor<2>, settings: &VsdmSettings, name: &str| {
        Vsdm::score_model(rows.clone(), settings.clone(), rng.fork(name))?.run()
    };
    let of = |model: Model, learned, start, whitening| {
        (model, Candidate { name: model.name(), model: learned, start, whitening })
    };
    let (reached, prior) = (StartLaw::Reached, StartLaw::Prior);
    Ok(vec![
        of(Model::Vsdm, vsdm(&settings, METHOD)?, reached, None),
        of(Model::Bridge, vsdm(&bridge, "bridge")?, reached, None),
        of(Model::OwnSchedule, score_model(rows, &settings, "score model")?, reached, None),
        of(Model::Short, score_model(rows, &published(10.0), Model::Short.name())?, prior, None),
        of(Model::Long, score_model(rows, &published(20.0), Model::Long.name())?, prior, None),
        of(
            Model::Whitened,
            score_model(&whitening.apply(rows), &settings, "whitened")?,
            prior,
            Some(whitening),
        ),
    ])
}

fn measured(
    model: Model,
    candidate: &Candidate,
    (judge, truth): (&Judge<'_>, &Tensor<2>),
) -> Result<Measured> {
    let samples = |calls: usize| {
        let samples = judge.samples(candidate, calls)?;
        Ok::<_, RunError>(Samples {
            variance: judge.variance_ratio(&samples),
            histogram: histogram_distance(&to_vec_f64(truth.clone()), &to_vec_f64(samples.clone())),
            energy: energy_distance(&points(&samples)?, &points(truth)?)?,
        })
    };
    let [few, some, many] = CALLS.map(samples);
    let Travel { straightness, variance, .. } = judge.travel(candidate)?;
    Ok(Measured { model, straightness, variance, samples: [few?, some?, many?] })
}

/// Root mean squared difference of the shares of bins, in a box a little larger than the range of `truth`; what lies outside
/// counts at its edge.
fn histogram_distance(truth: &[f64], samples: &[f64]) -> f64 {
    let axis = |j: usize| {
        let values = || truth.iter().skip(j).step_by(2);
        let [low, high] =
            [values().copied().fold(f64::MAX, f64::min), values().copied().fold(f64::MIN, f64::max)];
        [BOX * low, BOX * high]
    };
    let axes = [axis(0), axis(1)];
    let shares = |points: &[f64]| {
        let mut shares = vec![0.0; BINS * BINS];
        for point in points.chunks_exact(2) {
            let bin = |j: usize| {
                let [low, high] = axes[j];
                (((point[j] - low) / (high - low) * BINS as f64).max(0.0) as usize).min(BINS - 1)
            };
            shares[bin(0) * BINS + bin(1)] += 2.0 / points.len() as f64;
        }
        shares
    };
    let squares: Vec<f64> = shares(truth).iter().zip(shares(samples)).map(|(a, b)| (a - b).powi(2)).collect();
    mean(&squares).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variances of the columns and their covariance.
    fn moments(values: &[f64]) -> [f64; 5] {
        let count = (values.len() / 2) as f64;
        let of = |f: &dyn Fn(&[f64]) -> f64| values.chunks_exact(2).map(f).sum::<f64>() / count;
        let [x, y] = [of(&|p| p[0]), of(&|p| p[1])];
        [x, y, of(&|p| (p[0] - x).powi(2)), of(&|p| (p[1] - y).powi(2)), of(&|p| (p[0] - x) * (p[1] - y))]
    }

    #[test]
    fn laws_have_the_moments_that_are_known_of_them() {
        let count = 200_000;
        let cases: [(Law, [f64; 5]); 2] = [
            (spiral, [0.8973, 1.5845, 4.3878, 348.61, 6.687]),
            (checkerboard, [0.0, 0.0, 473.741, 13.1595, -1.5 * PI * PI]),
        ];
        for (law, known) in cases {
            let found = moments(&law(count, &mut Rng::new(1)));
            let [x, y] = [known[2].sqrt(), known[3].sqrt()];
            for (k, unit) in [x, y, x * x, y * y, x * y].into_iter().enumerate() {
                // Five standard errors: of means one unit over √n, of products at most √2.
                let tolerance = 5.0 * unit * (2.0 / f64::from(count as u32)).sqrt();
                assert!((found[k] - known[k]).abs() < tolerance, "{found:?} beside {known:?}");
            }
        }
    }

    #[test]
    fn two_samples_of_a_law_are_as_far_apart_as_chance_puts_them() {
        let uniform = |seed| Rng::new(seed).uniform(2 * COMPARED, -1.0, 1.0);
        let distances: Vec<f64> =
            (0..20).map(|k| histogram_distance(&uniform(k), &uniform(100 + k))).collect();
        // √(2/(3000·10⁴)) where all bins are small; and the deviation that checks allow twice.
        assert!((mean(&distances) - 2.58e-4).abs() < CHANCE, "{distances:?}");
    }
}
