//! Generate quantum states, or join two ensembles of them: a codec in front of any bridge between two sets.
//!
//! The bridge is a run of its own on the codes, in the folder `bridge` of this one. It joins rows of numbers and knows
//! nothing of states. Where states are generated, it joins them with noise and is walked back.

mod data;
mod file;
mod judge;
mod page;
mod settings;
mod states;

pub use data::{Joined, Parts, QuantumData};
pub use judge::{QuantumEvaluation, StateRow};
pub use settings::{METHOD, QuantumConfig};
pub use states::StateSet;

use std::path::PathBuf;
use std::time::Instant;

use sbridge::Direction;
use sbridge::quantum::{StateCodec, States};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, to_vec};
use sbridge_data::Dataset;

use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::folder::manifest::{Records, RunStatus};
use crate::models::bridge::{Leg, part};
use crate::run;
use crate::samples::finite_rows;
use crate::settings::DataConfig;
use crate::task::{Carry, Course, Evolve, Evolved, Evolver, Page, Route, Run, SavedRun, Task};
use crate::training::{Cost, Learning};

/// Folders of the bridge between codes, and of that between entries; and the file that each has of its codec.
const BRIDGE: &str = "bridge";
const PLAIN: &str = "plain";

/// States made at once.
const BLOCK: usize = 10_000;

/// A bridge between states.
pub struct Quantum<L: Leg> {
    /// The bridge by the mirror map.
    pub joined: Coded<L>,
    /// The one without, to be compared with.
    pub plain: Option<Coded<L>>,
}

/// A bridge between codes, with what makes them.
pub struct Coded<L: Leg> {
    /// From states to codes, and back.
    pub codec: StateCodec,
    /// The bridge.
    pub leg: Run<L>,
}

impl<L: Leg + Carry> Task for Quantum<L> {
    const NAME: &'static str = "quantum";
    const METHODS: &'static [&'static str] = &settings::METHODS;
    type Settings = QuantumConfig;
    type Data = QuantumData;
    type Judgement = QuantumEvaluation;

    fn command(_method: &str) -> String {
        "fit quantum".into()
    }

    fn read(settings: &mut QuantumConfig, context: &Context) -> Result<QuantumData> {
        QuantumData::read(settings, context)
    }

    fn records(data: &QuantumData) -> Records {
        data.records()
    }

    fn prepare(_settings: &mut QuantumConfig, data: &QuantumData, context: &Context) -> Result<()> {
        data.say_repairs(context);
        Ok(())
    }

    /// Nothing: every bridge says its own.
    fn cost(_settings: &QuantumConfig, _data: &QuantumData, _context: &Context) -> Result<Option<Cost>> {
        Ok(None)
    }

    fn learn(run: &mut Learning<'_, QuantumConfig>, data: &QuantumData) -> Result<()> {
        let method = settings::pair_method(run.method).name();
        let parts = [(BRIDGE, Some(&data.joined)), (PLAIN, data.plain.as_ref())];
        for (name, joined) in parts.into_iter().filter_map(|(name, joined)| Some((name, joined?))) {
            let (started, folder) = (Instant::now(), run.file(name));
            if is_finished::<L>(&folder, joined)? {
                continue;
            }
            if name == PLAIN {
                run.context.info("entries of the matrices without the mirror map, to be compared with:");
            }
            file::save(&codec_file(run.folder, name), &joined.codec, run.settings.codec(name == PLAIN))?;
            part::<L>(method, joined.settings.clone(), &folder, &joined.context)?;
            run.took(name, started)?;
        }
        Ok(())
    }

    fn open(run: &SavedRun<'_, QuantumConfig>) -> Result<Self> {
        run.folder.require_finished(run.manifest, run.command)?;
        let coded = |name: &str| {
            let codec = file::load(&codec_file(run.folder, name), name == PLAIN, run.device)?;
            let leg = Run::open(RunFolder::open(&run.folder.file(name))?, run.context)?;
            Ok::<_, RunError>(Coded { codec, leg })
        };
        let has_plain = run.settings.compare && run.settings.generates();
        Ok(Self { joined: coded(BRIDGE)?, plain: has_plain.then(|| coded(PLAIN)).transpose()? })
    }

    fn judge(run: &Run<Self>, data: &QuantumData, _reference: Option<&Dataset>) -> Result<QuantumEvaluation> {
        judge::judge(run, data)
    }

    fn page(run: &Run<Self>, data: &QuantumData, found: &QuantumEvaluation) -> Result<Page> {
        page::page(run, data, found)
    }

    fn evolver(run: &Run<Self>) -> Option<&dyn Evolver> {
        Some(run)
    }
}

fn codec_file(folder: &RunFolder, name: &str) -> PathBuf {
    folder.file(&format!("{name}.codec.safetensors"))
}

/// Whether the bridge of `joined` in `folder` has learned, from the same codes.
fn is_finished<L: Leg>(folder: &std::path::Path, joined: &Joined) -> Result<bool> {
    let Ok(opened) = RunFolder::open(folder) else { return Ok(false) };
    let manifest = opened.manifest()?;
    if manifest.status != RunStatus::Finished {
        return Ok(false);
    }
    let data = L::read(&mut joined.settings.clone(), &joined.context)?;
    run::require_same_data(&L::records(&data), &manifest, &opened)?;
    Ok(true)
}

impl<L: Leg + Carry> Coded<L> {
    /// Rows of codes made of noise, `[count, size]`, without those that diverged.
    fn codes_of_noise(&self, count: usize, rng: &mut Rng, context: &Context) -> Result<Tensor<2>> {
        let noise = rng.normal([count, self.codec.size()], &self.leg.device);
        finite_rows(L::model(&self.leg).transport(Direction::Backward, &noise, rng), context)
    }

    /// States, or whatever matrices come out, of noise.
    fn states_of_noise(&self, count: usize, rng: &mut Rng, context: &Context) -> Result<States> {
        let mut codes = Vec::with_capacity(count * self.codec.size());
        for first in (0..count).step_by(BLOCK) {
            let block = self.codes_of_noise(BLOCK.min(count - first), rng, context)?;
            codes.extend(to_vec(block).into_iter().map(f64::from));
        }
        Ok(self.codec.states(&codes))
    }

    /// States along `route`, once each.
    fn carried(&self, states: &States, route: &Route, rng: &mut Rng) -> Result<Evolved> {
        use sbridge::Codec as _;
        let carried = L::carry(&self.leg, &self.codec.encode(states), route, rng)?;
        let decoded = |codes: &Tensor<2>| {
            let lost = to_vec(codes.clone()).iter().filter(|x| !x.is_finite()).count();
            match lost {
                0 => Ok(self.codec.decode(codes)),
                diverged => Err(RunError::CarriedNowhere { diverged, count: codes.dims()[0] }),
            }
        };
        let paths =
            carried.paths.map(|paths| paths.iter().map(decoded).collect::<Result<_>>()).transpose()?;
        Ok(Evolved { ends: decoded(&carried.ends)?, paths })
    }
}

impl<L: Leg + Carry> Evolve for Quantum<L> {
    fn generates(run: &Run<Self>) -> bool {
        run.settings.generates()
    }

    fn draw_states(run: &Run<Self>, count: usize, seed: u64) -> Result<States> {
        if !run.settings.generates() {
            return Err(RunError::folder(
                run.folder.path(),
                format!(
                    "joins two ensembles and generates none (use sbridge transport {} --input STATES --out FILE)",
                    run.folder.path().display()
                ),
            ));
        }
        let mut rng = Rng::new(seed).fork("sample");
        run.learned.joined.states_of_noise(count, &mut rng, &run.context)
    }

    fn evolve(run: &Run<Self>, source: &str, route: &Route) -> Result<Evolved> {
        if run.settings.generates() {
            let path = run.folder.path();
            let problem = format!(
                "makes states of noise and carries none (use sbridge sample {} --out FILE)",
                path.display()
            );
            return Err(RunError::folder(path, problem));
        }
        route.check()?;
        let config = DataConfig { source: source.into(), ..DataConfig::default() };
        let set = states::load(&config, &run.settings)?;
        let (got, expected) = (set.states.dim(), run.learned.joined.codec.dim());
        if got != expected {
            return Err(RunError::Input(format!(
                "{source} holds states of {got} rows, the bridge joins states of {expected} (give states of one size)"
            )));
        }
        let mut rng = Rng::new(route.seed).fork("transport");
        let coded = &run.learned.joined;
        if route.course == Course::MeanOfPaths {
            return mean_of_paths(coded, &set.states, route, &mut rng);
        }
        let count = set.states.count();
        let all: Vec<usize> = (0..route.draws).flat_map(|_| 0..count).collect();
        let mut repeated = coded.carried(&set.states.select(&all), route, &mut rng)?;
        repeated.paths = repeated.paths.filter(|_| route.keeps_paths);
        Ok(repeated)
    }

    fn usual_count(run: &Run<Self>) -> usize {
        run.settings.output.samples
    }
}

/// States at the mean codes of as many paths from each as there are draws.
fn mean_of_paths<L: Leg + Carry>(
    coded: &Coded<L>,
    states: &States,
    route: &Route,
    rng: &mut Rng,
) -> Result<Evolved> {
    let once = Route { course: Course::Path, keeps_paths: false, ..route.clone() };
    let mut sums = vec![0.0; states.count() * coded.codec.size()];
    for _ in 0..route.draws {
        let ends = coded.carried(states, &once, rng)?.ends;
        sums.iter_mut().zip(coded.codec.codes(&ends)).for_each(|(sum, code)| *sum += code);
    }
    sums.iter_mut().for_each(|sum| *sum /= route.draws as f64);
    Ok(Evolved { ends: coded.codec.states(&sums), paths: None })
}

/// What the summary of every evaluation says of costs.
const DUAL_COST: &str = "costs are squared distances in the standardised dual space (of log X), not physical distances between \
                         states";
