//! Whether what comes out are states, and how near they are to those that are wanted: beside floors, baselines and a sampler
//! that repeats what it was shown.

use std::fmt;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sbridge::quantum::{
    Partition, States, bures_distance, entropies, fidelity, negativities, purities, trace_distance,
    trace_distances,
};
use sbridge::rng::Rng;
use sbridge::{Codec as _, Direction, tensor};
use sbridge_ot::{
    Gaussian, Points, SlicedSettings, assignment, energy_distance, nearest_neighbour_ratio,
    sliced_wasserstein2, wasserstein1,
};
use sbridge_report::digits;
use serde::{Deserialize, Serialize};

use super::{DUAL_COST, Parts, Quantum, QuantumData, StateSet};
use crate::error::Result;
use crate::models::bridge::{Leg, direction_name};
use crate::quality::{Headline, JudgedBy, Judgement, RowKind};
use crate::task::{Carry, Route, Run};

/// States compared on each side, at most.
const MAX_COMPARED: usize = 2000;

/// States matched one by one in trace distance, at most: each pair is a spectrum.
const MAX_MATCHED: usize = 150;

/// Times on the way at which states are looked at.
pub(super) const TIMES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Sliced W2 beside that of two samples of the data that is remarked on.
const FAR_FROM_FLOOR: f64 = 1.2;

/// Some states, or matrices that should be, beside those that judge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateRow {
    /// What they are.
    pub name: String,
    /// What the row stands for.
    pub kind: RowKind,
    /// Matrices of which it was asked whether they are states.
    pub count: usize,
    /// Those that are: Hermitian to the last bit, trace 1 to two units of the last place, no eigenvalue below 0.
    pub valid: usize,
    /// Those with an eigenvalue below −1e-12.
    pub negative: usize,
    /// Least eigenvalue of all.
    pub least_eigenvalue: f64,
    /// Largest |Tr X − 1|.
    pub trace_error: f64,
    /// Largest distance of an entry from the conjugate of its mirror image.
    pub hermitian_error: f64,
    /// Sliced W2 between matrices as vectors of 2d² real numbers.
    pub sliced_w2: f64,
    /// Energy distance of the same.
    pub energy: f64,
    /// Mean trace distance of the best matching of some.
    pub matched_trace: f64,
    /// Fidelity of the mean states.
    pub fidelity: f64,
    /// Bures distance of the mean states.
    pub bures: f64,
    /// Trace distance of the mean states.
    pub trace_distance: f64,
    /// Mean purity.
    pub purity: f64,
    /// Mean von Neumann entropy, in nats.
    pub entropy: f64,
    /// Mean negativity, if there is a cut.
    pub negativity: Option<f64>,
    /// W1 between the negativities.
    pub negativity_w1: Option<f64>,
    /// Distance to the nearest training state over that of the states that judge: 0 where training states are repeated.
    pub novelty: Option<f64>,
}

/// What arrives at one end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateEnd {
    /// `generated`, `forward` or `backward`.
    pub name: String,
    /// States on each side of a comparison.
    pub compared: usize,
    /// Means of what judges: purity, entropy and negativity.
    pub judges: [Option<f64>; 3],
    /// What is compared with them.
    pub rows: Vec<StateRow>,
}

/// What the states on the way are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OnTheWay {
    /// In [0, 1].
    pub time: f64,
    /// States looked at, and those that are states.
    pub count: usize,
    /// See `count`.
    pub valid: usize,
    /// Mean purity.
    pub purity: f64,
    /// Mean entropy.
    pub entropy: f64,
    /// Mean negativity, if there is a cut.
    pub negativity: Option<f64>,
}

/// The evaluation of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuantumEvaluation {
    /// What kind of states it is judged by.
    pub judged_by: JudgedBy,
    /// Rows of a matrix.
    pub dim: usize,
    /// Qubits on one side of the cut.
    pub partition: Option<Vec<usize>>,
    /// Both ends, or what is generated.
    pub ends: Vec<StateEnd>,
    /// States on the way forward, where two ensembles are joined.
    pub on_the_way: Vec<OnTheWay>,
    /// ½ E|y₁ − y₀|² of the standardised duals, where two ensembles are joined.
    pub dual_cost: Option<f64>,
    /// What is not as it should be, in words, with what to do about it.
    pub remarks: Vec<String>,
}

/// The states of one end: those that judge, those trained on.
pub(super) struct Side {
    pub(super) judges: States,
    pub(super) train: States,
}

impl Side {
    pub(super) fn of(set: &StateSet, parts: &Parts) -> Self {
        let cut = parts.train.len() / 2;
        let (judges, train) = match parts.held_out.is_empty() {
            false => (&parts.held_out[..], &parts.train[..]),
            true => parts.train.split_at(cut),
        };
        let judges = &judges[..judges.len().min(MAX_COMPARED)];
        Self { judges: set.states.select(judges), train: set.states.select(train) }
    }
}

/// Judges `run` by the states that were set aside, or by half of all where none were.
///
/// # Errors
/// [`RunError`](crate::RunError) if too many paths diverge.
pub(super) fn judge<L: Leg + Carry>(run: &Run<Quantum<L>>, data: &QuantumData) -> Result<QuantumEvaluation> {
    let cut = run.settings.cut(data.target.states.dim())?;
    let target = Side::of(&data.target, &data.target_parts);
    let mut found = QuantumEvaluation {
        judged_by: JudgedBy::of(!data.target_parts.held_out.is_empty()),
        dim: data.target.states.dim(),
        partition: cut.map(|cut| cut.qubits()),
        ends: Vec::new(),
        on_the_way: Vec::new(),
        dual_cost: None,
        remarks: Vec::new(),
    };
    match data.source.as_ref().zip(data.source_parts.as_ref()) {
        None => found.ends.push(generated(run, data, &target, cut)?),
        Some((source, parts)) => {
            let source = Side::of(source, parts);
            let sides = [&source, &target];
            for direction in [Direction::Forward, Direction::Backward] {
                let [from, to] = direction.along(sides);
                found.ends.push(carried(run, (direction, from, to), cut)?);
            }
            found.on_the_way = on_the_way(run, &source.judges, cut)?;
            found.dual_cost = Some(dual_cost(run, &source.judges));
        }
    }
    found.remarks = remarks(&found);
    Ok(found)
}

/// States of noise beside everything they have to be compared with.
fn generated<L: Leg + Carry>(
    run: &Run<Quantum<L>>,
    data: &QuantumData,
    side: &Side,
    cut: Option<Partition>,
) -> Result<StateEnd> {
    let (rng, learned) = (run.rng("evaluation"), &run.learned);
    let count = run.settings.output.samples.max(side.judges.count());
    let drawn = learned.joined.states_of_noise(count, &mut rng.fork("generated"), &run.context)?;
    let beside = Beside::new(side, cut, &rng)?;
    let mut rows = vec![beside.row("generated", RowKind::Model, &drawn)?];
    rows.extend(beside.floors()?);
    let train = learned.joined.codec.codes(&side.train);
    let fitted = Gaussian::fit(&Points::new(train, learned.joined.codec.size())?)?;
    let mut stream = ChaCha8Rng::seed_from_u64(rng.fork("gaussian").seed());
    let gaussian = fitted.sample(beside.count, &mut stream)?;
    let gaussian = learned.joined.codec.states(gaussian.as_slice());
    rows.push(beside.row("Gaussian in the dual space", RowKind::Baseline, &gaussian)?);
    if let Some(plain) = &learned.plain {
        let drawn = plain.states_of_noise(count, &mut rng.fork("plain"), &run.context)?;
        rows.push(beside.row("the same on entries", RowKind::Baseline, &drawn)?);
    }
    let repeated = rng.fork("memory").indices(beside.count, side.train.count().min(MAX_COMPARED));
    rows.push(beside.row("training states repeated", RowKind::Baseline, &side.train.select(&repeated))?);
    debug_assert_eq!(data.target.states.dim(), side.judges.dim());
    Ok(beside.end("generated", rows))
}

/// States of one end carried to the other.
fn carried<L: Leg + Carry>(
    run: &Run<Quantum<L>>,
    (direction, from, to): (Direction, &Side, &Side),
    cut: Option<Partition>,
) -> Result<StateEnd> {
    let (rng, name) = (run.rng("evaluation"), direction_name(direction));
    let route = Route { direction, ..Route::default() };
    let ends = run.learned.joined.carried(&from.judges, &route, &mut rng.fork(name))?.ends;
    let beside = Beside::new(to, cut, &rng)?;
    let mut rows = vec![beside.row("carried", RowKind::Model, &ends)?];
    rows.extend(beside.floors()?);
    rows.push(beside.row("untouched", RowKind::Baseline, &from.judges)?);
    Ok(beside.end(name, rows))
}

/// What states are judged by.
struct Beside<'a> {
    side: &'a Side,
    cut: Option<Partition>,
    /// States on each side of a comparison.
    count: usize,
    reference: Points,
    negativity: Option<Points>,
    train: Points,
    halves: [States; 2],
}

impl<'a> Beside<'a> {
    fn new(side: &'a Side, cut: Option<Partition>, rng: &Rng) -> Result<Self> {
        let count = side.judges.count().min(side.train.count());
        let order = rng.fork("floors").permutation(side.train.count());
        let half = (order.len() / 2).min(count);
        let halves = [&order[..half], &order[order.len() - half..]].map(|rows| side.train.select(rows));
        let judges = side.judges.take(count);
        let negativity = cut.map(|cut| line(negativities(&judges, cut)?)).transpose()?;
        let train = side.train.take(MAX_COMPARED).points()?;
        Ok(Self { side, cut, count, reference: judges.points()?, negativity, train, halves })
    }

    /// What nothing can beat: training states beside those that judge, and two samples of training states.
    fn floors(&self) -> Result<Vec<StateRow>> {
        let [first, second] = &self.halves;
        let of_half = Side { judges: second.clone(), train: second.clone() };
        let beside = Beside {
            side: &of_half,
            cut: self.cut,
            count: second.count(),
            reference: second.points()?,
            negativity: self.cut.map(|cut| line(negativities(second, cut)?)).transpose()?,
            train: second.points()?,
            halves: [first.clone(), second.clone()],
        };
        let two = beside.row("floor: two samples of the data", RowKind::Floor, first)?;
        let training = self.row("floor: training states", RowKind::Floor, &self.halves[0])?;
        Ok(vec![StateRow { novelty: None, ..training }, StateRow { novelty: None, ..two }])
    }

    /// `states` beside those that judge: all of them are asked whether they are states, and some compared.
    fn row(&self, name: &str, kind: RowKind, states: &States) -> Result<StateRow> {
        let validity = states.validity();
        let some = states.take(self.count);
        let points = some.points()?;
        let judges = self.side.judges.take(self.count);
        let (mean, of_judges) = (some.mean(), judges.mean());
        let fidelity = fidelity(&of_judges, &mean)?[0];
        let negativity = self.cut.map(|cut| negativities(&some, cut)).transpose()?;
        let negativity_w1 = match (&negativity, &self.negativity) {
            (Some(own), Some(theirs)) => Some(wasserstein1(&line(own.clone())?, theirs)?),
            _ => None,
        };
        let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        Ok(StateRow {
            name: name.into(),
            kind,
            count: validity.count,
            valid: validity.valid,
            negative: validity.negative,
            least_eigenvalue: validity.least_eigenvalue,
            trace_error: validity.trace_error,
            hermitian_error: validity.hermitian_error,
            sliced_w2: sliced_wasserstein2(&points, &self.reference, &SlicedSettings::default())?,
            energy: energy_distance(&points, &self.reference)?,
            matched_trace: matched_trace(&some, &judges)?,
            fidelity,
            bures: bures_distance(fidelity),
            trace_distance: trace_distance(&mean, &of_judges)?[0],
            purity: mean_of(&purities(&some)),
            entropy: mean_of(&entropies(&some)),
            negativity: negativity.as_deref().map(mean_of),
            negativity_w1,
            novelty: nearest_neighbour_ratio(&points, &self.reference, &self.train).ok(),
        })
    }

    fn end(&self, name: &str, rows: Vec<StateRow>) -> StateEnd {
        let judges = self.side.judges.take(self.count);
        let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let negativity = self.negativity.as_ref().map(|values| mean_of(values.as_slice()));
        let means = [Some(mean_of(&purities(&judges))), Some(mean_of(&entropies(&judges))), negativity];
        StateEnd { name: name.into(), compared: self.count, judges: means, rows }
    }
}

/// Numbers on a line.
fn line(values: Vec<f64>) -> Result<Points> {
    Ok(Points::new(values, 1)?)
}

/// Mean trace distance of the best matching of the first states of each.
fn matched_trace(x: &States, y: &States) -> Result<f64> {
    let count = MAX_MATCHED.min(x.count()).min(y.count());
    let costs = trace_distances(&x.take(count), &y.take(count))?;
    let matching = assignment(&costs, count)?;
    Ok(matching.cost / count as f64)
}

/// Means of states on the way from those of the source.
pub(super) fn on_the_way<L: Leg + Carry>(
    run: &Run<Quantum<L>>,
    start: &States,
    cut: Option<Partition>,
) -> Result<Vec<OnTheWay>> {
    let at = |time: &f64| {
        let route = Route { time: Some(*time), ..Route::default() };
        let mut rng = run.rng("on the way").fork(&time.to_string());
        let states = run.learned.joined.carried(start, &route, &mut rng)?.ends;
        let validity = states.validity();
        let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        Ok(OnTheWay {
            time: *time,
            count: validity.count,
            valid: validity.valid,
            purity: mean_of(&purities(&states)),
            entropy: mean_of(&entropies(&states)),
            negativity: cut.map(|cut| negativities(&states, cut)).transpose()?.as_deref().map(mean_of),
        })
    };
    TIMES.iter().map(at).collect()
}

/// ½ E|y₁ − y₀|² along paths forward.
fn dual_cost<L: Leg + Carry>(run: &Run<Quantum<L>>, start: &States) -> f64 {
    let coded = &run.learned.joined;
    let codes = coded.codec.encode(start);
    let mut rng = run.rng("evaluation").fork("cost");
    let ends = L::model(&coded.leg).transport(Direction::Forward, &codes, &mut rng);
    let squares = tensor::to_vec_f64((ends - codes).powi_scalar(2).sum_dim(1));
    0.5 * squares.iter().sum::<f64>() / squares.len() as f64
}

/// What is not as it should be, in words, with what to do about it.
fn remarks(found: &QuantumEvaluation) -> Vec<String> {
    let mut remarks = Vec::new();
    for end in &found.ends {
        let Some(model) = end.rows.iter().find(|row| row.kind == RowKind::Model) else { continue };
        let floors = end.rows.iter().filter(|row| row.kind == RowKind::Floor).map(|row| row.sliced_w2);
        let ratio = model.sliced_w2 / floors.fold(0.0, f64::max);
        if ratio.is_finite() && ratio > FAR_FROM_FLOOR {
            remarks.push(format!(
                "{}: sliced W2 is {ratio:.1} times that of samples of the data (bring more states; if there are \
                 enough, raise networks.fit.steps)",
                end.name
            ));
        }
        if model.novelty.is_some_and(|novelty| novelty < 0.5) {
            remarks.push(format!(
                "{}: states lie nearer to training states than unseen ones do (bring more states, or lower \
                 networks.fit.steps)",
                end.name
            ));
        }
    }
    remarks
}

impl QuantumEvaluation {
    /// What samples were asked to be and were, in words.
    pub(super) fn validity(&self) -> String {
        let of = |end: &StateEnd| {
            let rows = end.rows.iter().filter(|row| row.kind != RowKind::Floor);
            let row = |row: &StateRow| format!("{} {} of {}", row.name, row.valid, row.count);
            format!("{}: {}", end.name, rows.map(row).collect::<Vec<_>>().join(", "))
        };
        format!(
            "matrices that are states to the last bit: {}",
            self.ends.iter().map(of).collect::<Vec<_>>().join("; ")
        )
    }
}

/// Headings of [`cells`](StateRow::cells).
pub(super) const COLUMNS: [&str; 11] = [
    "states",
    "λ < 0",
    "sliced W2",
    "energy",
    "trace dist.",
    "fidelity",
    "Bures",
    "purity",
    "entropy",
    "negativity",
    "W1 of it",
];

impl StateRow {
    /// What a table shows of it.
    pub(super) fn cells(&self) -> [String; 11] {
        let some = |value: Option<f64>| value.map_or("–".into(), digits);
        let share = |part: usize| format!("{:.2} %", 100.0 * part as f64 / self.count as f64);
        [
            share(self.valid),
            share(self.negative),
            digits(self.sliced_w2),
            digits(self.energy),
            digits(self.matched_trace),
            format!("{:.6}", self.fidelity),
            digits(self.bures),
            digits(self.purity),
            digits(self.entropy),
            some(self.negativity),
            some(self.negativity_w1),
        ]
    }
}

impl Judgement for QuantumEvaluation {
    fn headline(&self) -> Option<Headline> {
        Some(("sliced W2", self.ends.first()?.rows.first()?.sliced_w2))
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

impl fmt::Display for QuantumEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for end in &self.ends {
            writeln!(
                f,
                "{}, beside {} {} states of {} rows",
                end.name, end.compared, self.judged_by, self.dim
            )?;
            write!(f, "{:32}", "")?;
            COLUMNS.iter().try_for_each(|column| write!(f, "{column:>12}"))?;
            writeln!(f)?;
            for row in &end.rows {
                write!(f, "{:32}", row.name)?;
                row.cells().iter().try_for_each(|cell| write!(f, "{cell:>12}"))?;
                writeln!(f)?;
            }
            let [purity, entropy, negativity] = end.judges.map(|mean| mean.map_or("–".into(), digits));
            writeln!(f, "judges: purity {purity}, entropy {entropy}, negativity {negativity}\n")?;
        }
        for at in &self.on_the_way {
            let negativity = at.negativity.map_or("–".into(), digits);
            writeln!(
                f,
                "t = {}: {} of {} are states, purity {}, entropy {}, negativity {negativity}",
                at.time,
                at.valid,
                at.count,
                digits(at.purity),
                digits(at.entropy)
            )?;
        }
        if let Some(cost) = self.dual_cost {
            writeln!(f, "cost ½E|y₁ − y₀|² {}", digits(cost))?;
        }
        writeln!(f, "{}", self.validity())?;
        write!(f, "note: {DUAL_COST}")?;
        self.remarks.iter().try_for_each(|remark| write!(f, "\nnote: {remark}"))
    }
}
