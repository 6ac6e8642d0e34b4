//! Laws of the plane stretched along an axis: how straight samples travel, and how near they come, beside score models of the
//! same network and training.

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, PI};

use sbridge::reference::Schedule;
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Initial, StartLaw, Vsdm, VsdmSettings};
use sbridge::tensor::{DType, Device, Tensor, from_rows_f64, points, to_vec_f64};
use sbridge_ot::energy_distance;

use crate::reproduce::{Effort, Estimate, OwnQuestions, Result, Study, mean};
use sbridge_report::digits;
use sbridge_run::models::variational::Whitening;
use sbridge_run::tasks::variational::{Candidate, Judge, METHOD};

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

/// A stretched spiral.
pub(in crate::reproduce) const SPIRAL: OwnQuestions = &[("spiral", |effort, rng| {
    study("Spiral, its second coordinate eight times as long", spiral, effort, rng)
})];

/// A stretched checkerboard.
pub(in crate::reproduce) const CHECKERBOARD: OwnQuestions = &[("checkerboard", |effort, rng| {
    study("Checkerboard, its first coordinate six times as long", checkerboard, effort, rng)
})];

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

/// What is compared, in the order of the rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Model {
    /// The method as it is.
    Vsdm,
    /// Our method, begun from a bridge.
    Bridge,
    /// A score model with our schedule, from where its noising ends.
    OwnSchedule,
    /// A score model with half of the published noising.
    ShortNoising,
    /// The score model with the published schedule, whose noising is longest.
    Published,
    /// A score model of whitened data.
    Whitened,
    /// Our method before its training.
    Untrained,
}

impl Model {
    const ALL: [Self; 7] = [
        Self::Vsdm,
        Self::Bridge,
        Self::OwnSchedule,
        Self::ShortNoising,
        Self::Published,
        Self::Whitened,
        Self::Untrained,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Vsdm => METHOD,
            Self::Bridge => "vsdm of a bridge, β up to 10",
            Self::OwnSchedule => "score model, own schedule, matched start",
            Self::ShortNoising => "score model, β up to 10",
            Self::Published => "score model, β up to 20",
            Self::Whitened => "whitening, score model",
            Self::Untrained => "untrained, a Gaussian",
        }
    }

    /// Whether it is there to compare with: its forward score is zero.
    fn is_baseline(self) -> bool {
        !matches!(self, Self::Vsdm | Self::Bridge | Self::Untrained)
    }

    fn learned(self, rows: &Tensor<2>, own: &VsdmSettings, rng: &Rng) -> Result<Candidate> {
        let until = |beta_max: f64| VsdmSettings {
            schedule: Schedule { beta_max, ..Schedule::default() },
            ..own.clone()
        };
        let bridge = || VsdmSettings { initial: Initial::Bridge, intervals: 50, ..until(10.0) };
        let (settings, stream, start) = match self {
            Self::Vsdm | Self::Untrained => (own.clone(), METHOD, StartLaw::Reached),
            Self::Bridge => (bridge(), "bridge", StartLaw::Reached),
            Self::OwnSchedule => (own.clone(), "score model", StartLaw::Reached),
            Self::ShortNoising => (until(10.0), self.name(), StartLaw::Prior),
            Self::Published => (until(20.0), self.name(), StartLaw::Prior),
            Self::Whitened => (own.clone(), "whitened", StartLaw::Prior),
        };
        let whitening = (self == Self::Whitened).then(|| Whitening::of(rows)).transpose()?;
        let rows = whitening.as_ref().map_or_else(|| rows.clone(), |whitening| whitening.apply(rows));
        let begin = if self.is_baseline() { Vsdm::score_model } else { Vsdm::new };
        let learning = begin(rows, settings, rng.fork(stream))?;
        let model = if self == Self::Untrained { learning.model().clone() } else { learning.run()? };
        Ok(Candidate { name: self.name(), model, start, whitening })
    }
}

/// Numbers of one model: in one run, or their means over runs.
struct Found {
    straightness: f64,
    /// Variance of samples over that of the data, along the straight-measured paths.
    travelled: f64,
    /// By calls of the network.
    samples: BTreeMap<usize, Sampled>,
}

/// Numbers of samples that a model draws with so many calls of its network.
struct Sampled {
    /// Over that of the data.
    variance: f64,
    /// Distance of histograms.
    histogram: f64,
    /// Energy distance.
    energy: f64,
}

impl Found {
    fn means(runs: &[&Self]) -> Self {
        let of = |value: &dyn Fn(&Self) -> f64| mean(runs.iter().map(|run| value(run)));
        let samples = |calls| Sampled {
            variance: of(&|run| run.samples[&calls].variance),
            histogram: of(&|run| run.samples[&calls].histogram),
            energy: of(&|run| run.samples[&calls].energy),
        };
        Self {
            straightness: of(&|run| run.straightness),
            travelled: of(&|run| run.travelled),
            samples: CALLS.map(|calls| (calls, samples(calls))).into(),
        }
    }
}

/// All models of a run, or their means over runs.
type Models = BTreeMap<Model, Found>;

fn study(title: &str, law: Law, effort: Effort, rng: &Rng) -> Result<Study> {
    let count = effort.pick(1, 5);
    let runs = (0..count).map(|k| measure(law, effort, &rng.fork(&format!("run {k}"))));
    let runs: Vec<Models> = runs.collect::<Result<_>>()?;
    let over_runs = |model| Found::means(&runs.iter().map(|run| &run[&model]).collect::<Vec<_>>());
    let models: Models = Model::ALL.map(|model| (model, over_runs(model))).into();
    let rows: Vec<String> = models.iter().map(|(model, found)| row(*model, found)).collect();
    let mut study = Study::new(
        title,
        format!(
            "{LEARNED} samples to learn from, {COMPARED} others to judge by; the same network and training for all models, which \
             nothing but its length ends. Means over runs, which n counts. Straightness is the \
             mean of |second differences|/dt² over 99 steps of the flow, in standard deviations of the data. \
             Histograms of {BINS} × {BINS} bins are compared by their root mean squared difference, between {COMPARED} \
             samples and as many of the law.\n\n{}.",
            rows.join(". ")
        ),
        "The goal is a straightness a quarter below that of the score model with the published schedule, β up to 20, at \
         equal variance. Straightness is mostly a matter of the schedule: a score model with our own, from where its \
         noising ends, is among the rows, and so is the forward score of a bridge. Histograms: at most those of the \
         nearest baseline and twice the deviation of chance. Controls are rows that should fail: an untrained network is a \
         Gaussian, whose histogram is wrong, and which is straight and as wide as the data; so those numbers are held \
         against whitened data and a noising that is too short.",
    );
    compare(&Runs { runs: &runs, means: &models }, &mut study);
    Ok(study)
}

/// All models, run by run and on average.
struct Runs<'a> {
    runs: &'a [Models],
    means: &'a Models,
}

impl Runs<'_> {
    /// A number of `model`, over runs.
    fn of(&self, model: Model, value: &dyn Fn(&Found) -> f64) -> Estimate {
        Estimate::mean(&self.runs.iter().map(|run| value(&run[&model])).collect::<Vec<_>>())
    }

    /// The histogram of the baseline that comes nearest with so many `calls`, and its name.
    fn nearest_histogram(&self, calls: usize) -> (&'static str, f64) {
        let baselines = self.means.iter().filter(|(model, _)| model.is_baseline());
        let histograms = baselines.map(|(model, found)| (model.name(), found.samples[&calls].histogram));
        histograms.min_by(|a, b| a.1.total_cmp(&b.1)).expect("baselines")
    }
}

/// The checks of our model beside the others. What is untrained is a Gaussian, which is straight and has the right variance:
/// those two are shown models that fail in them.
fn compare(models: &Runs<'_>, study: &mut Study) {
    let ours = |value: &dyn Fn(&Found) -> f64| models.of(Model::Vsdm, value);
    let beside = |value: &dyn Fn(&Found) -> f64, control: Model| {
        ours(value).beside(control.name(), models.of(control, value))
    };
    let published = models.means[&Model::Published].straightness;
    let ratio = |found: &Found| found.straightness / published;
    let quantity = format!("straightness over that of {}: {published:.2}", Model::Published.name());
    study.at_most(quantity, beside(&ratio, Model::Whitened), 0.75);
    let travelled = beside(&|found| found.travelled, Model::ShortNoising);
    study.near("variance at the end of these paths", travelled, 1.0, 0.1);
    for calls in CALLS {
        let variance = beside(&|found| found.samples[&calls].variance, Model::ShortNoising);
        study.near(format!("variance, {calls} calls"), variance, 1.0, 0.05);
        let (best, nearest) = models.nearest_histogram(calls);
        let histogram = beside(&|found| found.samples[&calls].histogram, Model::Untrained);
        let quantity = format!("histogram, {calls} calls; {best}: {}", digits(nearest));
        study.at_most(quantity, histogram, nearest + 2.0 * CHANCE);
    }
}

/// The numbers of a model, in words.
fn row(model: Model, found: &Found) -> String {
    let Found { straightness, travelled, samples } = found;
    let histograms: Vec<String> = samples.values().map(|drawn| format!("{:.2e}", drawn.histogram)).collect();
    let energies: Vec<String> = samples.values().map(|drawn| format!("{:.4}", drawn.energy)).collect();
    format!(
        "{}: straightness {straightness:.2} at variance {travelled:.2}; histograms {}; energy distances {}",
        model.name(),
        histograms.join(", "),
        energies.join(", ")
    )
}

fn measure(law: Law, effort: Effort, rng: &Rng) -> Result<Models> {
    let tensor = |values: Vec<f64>| from_rows_f64(&values, 2, &Device::flex()).cast(DType::F32);
    let rows = tensor(law(LEARNED, &mut rng.fork("data")));
    let truth = tensor(law(COMPARED, &mut rng.fork("truth")));
    let mut settings = VsdmSettings::default();
    if effort == Effort::Quick {
        settings.stages = 3;
        settings.fit.steps = 1500;
        settings.fit.batch_size = 256;
        settings.net.width = 64;
    }
    let found = |model: Model| Ok((model, judged(&model.learned(&rows, &settings, rng)?, &truth, rng)?));
    Model::ALL.into_iter().map(found).collect()
}

/// The numbers of `candidate`, whose samples should be like `truth`.
fn judged(candidate: &Candidate, truth: &Tensor<2>, rng: &Rng) -> Result<Found> {
    let stream = rng.fork("judge");
    let judge = Judge::new(truth, &stream)?;
    let travel = judge.travel(candidate)?;
    let sampled = |calls: usize| {
        let samples = judge.samples(candidate, calls)?;
        let sampled = Sampled {
            variance: judge.variance_ratio(&samples),
            histogram: histogram_distance(&to_vec_f64(truth.clone()), &to_vec_f64(samples.clone())),
            energy: energy_distance(&points(&samples)?, &points(truth)?)?,
        };
        Ok((calls, sampled))
    };
    Ok(Found {
        straightness: travel.straightness,
        travelled: travel.variance,
        samples: CALLS.into_iter().map(sampled).collect::<Result<_>>()?,
    })
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
    mean(shares(truth).iter().zip(shares(samples)).map(|(a, b)| (a - b).powi(2))).sqrt()
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
        assert!((mean(distances.iter().copied()) - 2.58e-4).abs() < CHANCE, "{distances:?}");
    }
}
