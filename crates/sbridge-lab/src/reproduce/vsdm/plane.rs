//! Laws of the plane stretched along an axis: how straight samples travel, and how near they come, beside score models of the
//! same network and training.

use std::f64::consts::{FRAC_PI_2, PI};

use sbridge::reference::Schedule;
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Initial, StartLaw, Vsdm, VsdmSettings};
use sbridge::tensor::{DType, Device, Tensor, from_rows_f64, points, to_vec_f64};
use sbridge_ot::energy_distance;

use crate::reproduce::statistics::mean;
use crate::reproduce::{Check, Effort, Study};
use sbridge_run::Result;
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

/// Numbers of one model in one run.
struct Found {
    name: &'static str,
    straightness: f64,
    /// Variance of samples over that of the data, along the straight-measured paths and for each number of calls.
    travelled: f64,
    variances: [f64; 3],
    /// Distance of histograms and energy distance, for each number of calls.
    histograms: [f64; 3],
    energies: [f64; 3],
}

fn study(title: &str, law: Law, effort: Effort, rng: &Rng) -> Result<Study> {
    let runs = effort.pick(1, 5);
    let found = (0..runs).map(|k| measure(law, effort, &rng.fork(&format!("run {k}"))));
    let found: Vec<Vec<Found>> = found.collect::<Result<_>>()?;
    let mut study = Study {
        title: title.into(),
        text: format!(
            "{LEARNED} samples, the same network and training for all models, mean over {runs} runs. Straightness is the \
             mean of |second differences|/dt² over 99 steps of the flow, in standard deviations of the data. \
             Histograms of {BINS} × {BINS} bins are compared by their root mean squared difference, between {COMPARED} \
             samples and as many of the law."
        ),
        note: "The goal is a straightness a quarter below that of the score model with the published schedule, β up to 20, at \
               equal variance. Straightness is mostly a matter of the schedule: a score model with our own, from where its \
               noising ends, is among the rows, and so is the forward score of a bridge. Histograms: at most those of the \
               nearest baseline and twice the deviation of chance."
            .into(),
        ..Study::default()
    };
    let of = |model: usize, value: &dyn Fn(&Found) -> f64| {
        mean(&found.iter().map(|models| value(&models[model])).collect::<Vec<_>>())
    };
    let names: Vec<&str> = found[0].iter().map(|model| model.name).collect();
    let sgm = names.iter().position(|name| *name == SGM).expect("it is among them");
    let [ours, theirs] = [0, sgm].map(|k| of(k, &|found| found.straightness));
    let quantity = format!("straightness over that of {SGM}: {ours:.2} over {theirs:.2}");
    study.checks.push(Check::at_most(quantity, ours / theirs, 0.75));
    study.checks.push(Check::near(
        "variance at the end of these paths",
        of(0, &|found| found.travelled),
        1.0,
        0.1,
    ));
    for (k, calls) in CALLS.into_iter().enumerate() {
        let variance = of(0, &|found| found.variances[k]);
        study.checks.push(Check::near(format!("variance, {calls} calls"), variance, 1.0, 0.05));
        let histograms: Vec<f64> = (0..names.len()).map(|m| of(m, &|found| found.histograms[k])).collect();
        let (best, name) = histograms[OURS..]
            .iter()
            .zip(&names[OURS..])
            .min_by(|a, b| a.0.total_cmp(b.0))
            .expect("baselines");
        let quantity = format!("histogram, {calls} calls; {name}: {}", sbridge_report::digits(*best));
        study.checks.push(Check::at_most(quantity, histograms[0], best + 2.0 * CHANCE));
    }
    let row = |m: usize| {
        let [straightness, travelled] = [of(m, &|found| found.straightness), of(m, &|found| found.travelled)];
        let histograms = [0, 1, 2].map(|k| format!("{:.2e}", of(m, &|found| found.histograms[k]))).join(", ");
        let energies = [0, 1, 2].map(|k| format!("{:.4}", of(m, &|found| found.energies[k]))).join(", ");
        format!(
            "{}: straightness {straightness:.2} at variance {travelled:.2}; histograms {histograms}; energy distances \
             {energies}",
            names[m]
        )
    };
    let rows: Vec<String> = (0..names.len()).map(row).collect();
    study.text = format!("{}\n\n{}.", study.text, rows.join(". "));
    Ok(study)
}

/// Models whose forward score is not zero; the others are to compare with.
const OURS: usize = 2;

/// The score model whose noising is longest.
const SGM: &str = "score model, β up to 20";

fn measure(law: Law, effort: Effort, rng: &Rng) -> Result<Vec<Found>> {
    let tensor = |values: Vec<f64>| from_rows_f64(&values, 2, &Device::flex()).cast(DType::F32);
    let rows = tensor(law(LEARNED, &mut rng.fork("data")));
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
    let whitening = Whitening::of(&rows)?;
    let score_model = |rows: &Tensor<2>, settings: &VsdmSettings, name: &str| {
        Vsdm::score_model(rows.clone(), settings.clone(), rng.fork(name))?.run()
    };
    let model = Vsdm::new(rows.clone(), settings.clone(), rng.fork(METHOD))?.run()?;
    let bridged = Vsdm::new(rows.clone(), bridge, rng.fork("bridge"))?.run()?;
    let even = score_model(&rows, &settings, "score model")?;
    let short = score_model(&rows, &published(10.0), "score model, β up to 10")?;
    let longer = score_model(&rows, &published(20.0), SGM)?;
    let whitened = score_model(&whitening.apply(&rows), &settings, "whitened")?;
    let candidate = |name, model, start, whitening| Candidate { name, model, start, whitening };
    let (reached, prior) = (StartLaw::Reached, StartLaw::Prior);
    let candidates = [
        candidate(METHOD, model, reached, None),
        candidate("vsdm of a bridge, β up to 10", bridged, reached, None),
        candidate("score model, own schedule, matched start", even, reached, None),
        candidate("score model, β up to 10", short, prior, None),
        candidate(SGM, longer, prior, None),
        candidate("whitening, score model", whitened, prior, Some(whitening)),
    ];
    let truth = tensor(law(COMPARED, &mut rng.fork("truth")));
    let stream = rng.fork("judge");
    let judge = Judge::new(&truth, &stream)?;
    let found = |candidate: &Candidate| {
        let samples = CALLS.map(|calls| judge.samples(candidate, calls));
        let travel = judge.travel(candidate)?;
        let mut found = Found {
            name: candidate.name,
            straightness: travel.straightness,
            travelled: travel.variance,
            variances: [0.0; 3],
            histograms: [0.0; 3],
            energies: [0.0; 3],
        };
        for (k, samples) in samples.into_iter().enumerate() {
            let samples = samples?;
            found.variances[k] = judge.variance_ratio(&samples);
            found.energies[k] = energy_distance(&points(&samples)?, &points(&truth)?)?;
            found.histograms[k] = histogram_distance(&to_vec_f64(truth.clone()), &to_vec_f64(samples));
        }
        Ok(found)
    };
    candidates.iter().map(found).collect()
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
