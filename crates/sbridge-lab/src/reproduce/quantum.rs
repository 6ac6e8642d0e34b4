//! Quantum states by the mirror map: ensembles beside known values, states generated and joined beside floors, and what becomes of
//! them without the map.
//!
//! No numbers of print are checked: their scale and estimator are not stated. What is compared is the same metric between two
//! samples of the data. \[SPDM\]

use sbridge::quantum::{
    CodecSettings, Ensemble, EnsembleSettings, Partition, StateCodec, States, negativities, purities,
};
use sbridge::rng::Rng;
use sbridge::simulate::state_at;
use sbridge::solver::Dsbm;
use sbridge::solver::NeuralBridge;
use sbridge::solver::alternation::{AlternationMethod as _, AlternationSettings};
use sbridge::tensor::{Device, Tensor};
use sbridge::{Codec as _, Direction, PairBridge as _};
use sbridge_ot::{Points, SlicedSettings, sliced_wasserstein2, wasserstein1};

use super::OwnQuestions;
use super::statistics::{deviation, mean};
use crate::problem::{Problem, UNTRAINED};
use crate::reproduce::check::{Listing, line};
use crate::reproduce::{Effort, Estimate, Result, Study};

pub(super) const STUDIES: OwnQuestions = &[
    ("ensembles", |effort, rng| ensembles(effort, rng)),
    ("generate", |effort, rng| generate(effort, rng)),
    ("join", |effort, rng| join(effort, rng)),
];

/// What checks of generated states have to refuse beside untrained networks.
const ENTRIES: &str = "entries without the map";

/// Less than one matrix of those looked at, as a share.
const ONE_OF_MANY: f64 = 1e-5;

/// Samples of the data whose mean distance from those that judge is the floor.
const FLOORS: usize = 5;

/// `count` states of `ensemble`.
fn drawn(ensemble: Ensemble, qubits: usize, count: usize, rng: &Rng) -> Result<States> {
    let settings = EnsembleSettings::new(count, qubits, rng.fork("states").seed());
    Ok(ensemble.draw(&settings)?.states)
}

fn estimate(values: &[f64]) -> Estimate {
    let error = deviation(values.iter().copied()) / (values.len() as f64).sqrt();
    Estimate::with_error(mean(values.iter().copied()), values.len(), error)
}

/// Means of the built-in ensembles of four qubits.
fn ensembles(effort: Effort, rng: &Rng) -> Result<Study> {
    let count = effort.pick(2000, 20_000);
    let mut study = Study::new(
        "Ensembles of four qubits, beside their known means",
        format!(
            "{count} states each, eigenvalues of a qubit uniform on [0.1, 1] before normalisation. All classes have one law of \
             spectra; the negativity tells them apart, and which gate acts first shows at single qubits. Controls are another \
             class, or the other order of the gates."
        ),
        "Purity and logarithms of eigenvalues are known in closed form; negativities were measured with 3000 to 4000 states each, \
         and their errors are added to those here.",
    );
    let of = |ensemble: Ensemble| drawn(ensemble, 4, count, &rng.fork(&format!("{ensemble:?}")));
    let [product, pairwise, full] = [of(Ensemble::Product)?, of(Ensemble::Pairwise)?, of(Ensemble::Full)?];
    let mixed = purities(&of(Ensemble::HaarMixed)?);
    let logs = |states: &States| -> Vec<f64> {
        states.eigenvalues().chunks_exact(16).map(|l| mean(l.iter().map(|l| l.ln()))).collect()
    };
    let other = logs(&of(Ensemble::HaarMixed)?);
    for (name, states) in [("product", &product), ("pairwise", &pairwise), ("full", &full)] {
        let (found, expected) = (purities(states), 0.565_952_f64.powi(4));
        let allowed = 4.5 * deviation(found.iter().copied()) / (count as f64).sqrt();
        let beside = estimate(&found).beside("Haar-mixed", mean(mixed.iter().copied()));
        study.near(format!("{name}: mean purity"), beside, expected, allowed);
        let found = logs(states);
        let allowed = 4.5 * deviation(found.iter().copied()) / (count as f64).sqrt();
        let beside = estimate(&found).beside("Haar-mixed", mean(other.iter().copied()));
        study.near(format!("{name}: mean log-eigenvalue"), beside, -3.09406, allowed);
    }
    let negativity = |states: &States, chosen: &[usize]| -> Result<Vec<f64>> {
        Ok(negativities(states, Partition::new(16, chosen)?)?)
    };
    for (name, states, chosen, expected, error, wrong) in [
        ("pairwise {1}", &pairwise, &[1][..], 0.0052, 0.0003, 0.0178),
        ("pairwise {1,3}", &pairwise, &[1, 3], 0.0100, 0.0005, 0.0310),
        ("full {1}", &full, &[1], 0.0266, 0.0007, 0.0178),
        ("full {4}", &full, &[4], 0.0185, 0.0005, 0.0257),
        ("full {1,2}", &full, &[1, 2], 0.0289, 0.0007, 0.0),
        ("full {1,3}", &full, &[1, 3], 0.0315, 0.0008, 0.0100),
    ] {
        let found = negativity(states, chosen)?;
        let own = deviation(found.iter().copied()) / (count as f64).sqrt();
        let beside = estimate(&found).beside("another class or order", wrong);
        study.near(format!("{name}: mean negativity"), beside, expected, 4.5 * own.hypot(error));
    }
    let none =
        |states: &States| -> Result<f64> { Ok(negativity(states, &[1, 2])?.into_iter().fold(0.0, f64::max)) };
    let beside = Estimate::once(none(&pairwise)?, count).beside("full", none(&full)?);
    study.at_most("pairwise {1,2}: largest negativity", beside, 1e-12);
    Ok(study)
}

/// A bridge to states of two qubits or one, and what it is judged by.
struct Trial {
    codec: StateCodec,
    codes: Tensor<2>,
    noise: Tensor<2>,
}

impl Trial {
    fn new(data: &States, entries: bool, rng: &Rng) -> Result<Self> {
        let device = Device::flex();
        let codec =
            StateCodec::measured(CodecSettings { entries, ..CodecSettings::default() }, &[data], &device)?;
        let codes = codec.encode(data);
        let noise = rng.fork("noise").normal([data.count(), codec.size()], &device);
        Ok(Self { codec, codes, noise })
    }

    /// Learned from noise, or left as it begins.
    fn learned(&self, settings: AlternationSettings, rng: &Rng, is_trained: bool) -> Result<NeuralBridge> {
        let problem = Problem { source: &self.codes, target: &self.noise, epsilon: 1.0 };
        Ok(match is_trained {
            true => problem.networks(settings, rng.fork("fit"))?,
            false => problem.untrained(settings, rng.fork("fit"))?,
        })
    }

    /// `count` states made of fresh noise.
    fn made(&self, bridge: &NeuralBridge, count: usize, rng: &Rng) -> States {
        let mut rng = rng.fork("made");
        let noise = rng.normal([count, self.codec.size()], &Device::flex());
        self.codec.decode(&bridge.transport(Direction::Backward, &noise, &mut rng))
    }
}

/// Networks that learn in seconds to minutes, and the whole drift, so that those untrained know nothing.
fn networks(effort: Effort, half_bridges: usize) -> AlternationSettings {
    let mut settings = AlternationSettings { half_bridges, steps: 50, known_drift: false, ..Dsbm.defaults() };
    settings.net.mlp.width = 256;
    settings.fit.steps = effort.pick(5000, 15_000);
    (settings.fit.learning_rate, settings.fit.ema_decay) = (2e-3, 0.998);
    settings
}

/// Share of matrices with an eigenvalue below −1e-12.
fn invalid(states: &States) -> f64 {
    let found = states.validity();
    found.negative as f64 / found.count as f64
}

fn sliced(x: &States, y: &States) -> Result<f64> {
    Ok(sliced_wasserstein2(&x.points()?, &y.points()?, &SlicedSettings::default())?)
}

/// W1 between negativities of two qubits.
fn negativity_gap(x: &States, y: &States) -> Result<f64> {
    let of = |states: &States| -> Result<Points> {
        Ok(Points::new(negativities(states, Partition::new(4, &[1])?)?, 1)?)
    };
    Ok(wasserstein1(&of(x)?, &of(y)?)?)
}

/// States of one and two qubits generated, with the map and without.
fn generate(effort: Effort, rng: &Rng) -> Result<Study> {
    let (count, judged) = (effort.pick(8000, 20_000), 2000);
    let mut study = Study::new(
        "States of one and two qubits, generated with the mirror map and without",
        format!(
            "Products and entangled states in equal shares, {count} of them, {judged} made of noise and as many unseen ones to judge \
             by. Networks learn the whole drift, in one half-bridge. Without the map the same networks are trained as long on \
             entries of the matrices."
        ),
        "With the map every matrix is a state, whatever the network says. Distances may be 1.2 times, of negativities 3 times, those \
         between two samples of the data.",
    );
    let mut rows = Vec::new();
    for qubits in [1, 2] {
        let rng = rng.fork(&format!("{qubits} qubits"));
        let ensemble = if qubits == 1 { Ensemble::Product } else { Ensemble::Mixture };
        let of = |name: &str, count: usize| drawn(ensemble, qubits, count, &rng.fork(name));
        let (data, judges) = (of("data", count)?, of("judges", judged)?);
        let more = (0..FLOORS).map(|i| of(&format!("more {i}"), judged)).collect::<Result<Vec<_>>>()?;
        let floor_of = |distance: fn(&States, &States) -> Result<f64>| {
            let all = more.iter().map(|more| distance(more, &judges)).collect::<Result<Vec<_>>>();
            all.map(mean)
        };
        let settings = networks(effort, 1);
        let by = |entries: bool, is_trained: bool| -> Result<States> {
            let trial = Trial::new(&data, entries, &rng)?;
            let bridge = trial.learned(settings.clone(), &rng, is_trained)?;
            Ok(trial.made(&bridge, judged, &rng))
        };
        let (mirror, plain, untrained) = (by(false, true)?, by(true, true)?, by(false, false)?);
        let name = if qubits == 1 { "one qubit" } else { "two qubits" };
        let beside = Estimate::once(invalid(&mirror), judged).beside(ENTRIES, invalid(&plain));
        study.at_most(format!("{name}: share that are no states"), beside, ONE_OF_MANY);
        let (found, floor) = (sliced(&mirror, &judges)?, floor_of(sliced)?);
        let beside =
            Estimate::once(found / floor, judged).beside(UNTRAINED, sliced(&untrained, &judges)? / floor);
        study.at_most(format!("{name}: sliced W2 over that of two samples"), beside, 1.2);
        rows.push((
            name.to_owned(),
            vec![invalid(&mirror), invalid(&plain), found, sliced(&plain, &judges)?, floor],
        ));
        if qubits == 2 {
            let (found, floor) = (negativity_gap(&mirror, &judges)?, floor_of(negativity_gap)?);
            let wrong = negativity_gap(&untrained, &judges)? / floor;
            let beside = Estimate::once(found / floor, judged).beside(UNTRAINED, wrong);
            study.at_most("two qubits: W1 of negativities over that of two samples", beside, 3.0);
        }
    }
    study.listings.push(Listing {
        caption: "With the map and without".into(),
        columns: ["no states", "no states, entries", "sliced W2", "of entries", "two samples"]
            .map(String::from)
            .to_vec(),
        rows,
        note: "Published for four qubits (unverified, other scale): sliced W2 0.00054 of a mixture.".into(),
    });
    Ok(study)
}

/// Products joined with entangled states.
fn join(effort: Effort, rng: &Rng) -> Result<Study> {
    let (count, judged) = (effort.pick(6000, 20_000), 2000);
    let mut study = Study::new(
        "Products of two qubits joined with entangled states",
        format!(
            "A bridge in the dual space between {count} states of each, by matching; {judged} unseen ones carried either way. States \
             at five times on the way are looked at."
        ),
        "Distances at the ends may be 3 times those between two samples of the data. Nothing on the way leaves the states. The \
         negativity rises from 0 to that of the entangled states.",
    );
    let of = |ensemble: Ensemble, name: &str, count: usize| drawn(ensemble, 2, count, &rng.fork(name));
    let ends = [of(Ensemble::Product, "source", count)?, of(Ensemble::Full, "target", count)?];
    let judges = [of(Ensemble::Product, "from", judged)?, of(Ensemble::Full, "to", judged)?];
    let more = [of(Ensemble::Product, "more from", judged)?, of(Ensemble::Full, "more to", judged)?];
    let codec = StateCodec::measured(CodecSettings::default(), &[&ends[0], &ends[1]], &Device::flex())?;
    let codes = ends.each_ref().map(|states| codec.encode(states));
    let problem = Problem { source: &codes[0], target: &codes[1], epsilon: 0.5 };
    let settings = networks(effort, effort.pick(2, 6));
    let bridge = problem.networks(settings.clone(), rng.fork("fit"))?;
    let untrained = problem.untrained(settings, rng.fork("fit"))?;
    for (direction, name) in [(Direction::Forward, "forward"), (Direction::Backward, "backward")] {
        let ([from, to], [_, again]) = (direction.along(judges.each_ref()), direction.along(more.each_ref()));
        let start = codec.encode(from);
        let end =
            |bridge: &NeuralBridge| codec.decode(&bridge.transport(direction, &start, &mut rng.fork(name)));
        let floor = sliced(again, to)?;
        let beside = Estimate::once(sliced(&end(&bridge), to)? / floor, judged)
            .beside(UNTRAINED, sliced(&end(&untrained), to)? / floor);
        study.at_most(format!("{name}: sliced W2 over that of two samples"), beside, 3.0);
    }
    let start = codec.encode(&judges[0]);
    let skeleton = bridge.skeleton(Direction::Forward, &start, &mut rng.fork("way"));
    let cut = Partition::new(4, &[1])?;
    let (mut curve, mut lost) = (Vec::new(), 0.0_f64);
    for time in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let reference = bridge.reference();
        let states =
            codec.decode(&state_at(reference.as_ref(), &skeleton, time, &mut rng.fork(&time.to_string())));
        curve.push((time, mean(negativities(&states, cut)?)));
        lost = lost.max(invalid(&states));
    }
    // Without the map the middle of a line between two codes of entries is a state, and noise about it is not.
    let plain = StateCodec::measured(
        CodecSettings { entries: true, ..CodecSettings::default() },
        &[&ends[0], &ends[1]],
        &Device::flex(),
    )?;
    let mut noise = rng.fork("plain");
    let half = plain.encode(&judges[0]) + noise.normal([judged, plain.size()], &Device::flex()) * 0.35;
    let beside =
        Estimate::once(lost, 5 * judged).beside("the reference on entries", invalid(&plain.decode(&half)));
    study.at_most("share on the way that are no states", beside, ONE_OF_MANY);
    study.plot("Mean negativity on the way", ["t", "negativity"], vec![line("bridge", curve)]);
    Ok(study)
}
