//! Plans by a bridge: from a cheap guess to a plan like those that were seen, with both ends of it known.              \[SBPlan\]
//!
//! A window of a trajectory is the clean member of a pair, a [`Prior`] of its first and last state the degraded one. States in the
//! first and the last row are known, and are what they are in training, in sampling and in the plan.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::Result;
use crate::net::{ConvolutionPrior, PerceptronPrior, TemporalUNet};
use crate::objective::Objective;
use crate::planning::{COLUMNS, Cell, Conditions, Layout, Normaliser, Row, Variant, closures, priors};
use crate::rng::Rng;
use crate::simulate::Noise;
use crate::solver::ddpm::{Ddpm, Pins};
use crate::solver::paired::{Known, PairBatch, PairData, PairPredictor, Paths, Restoration, Schedule};
use crate::tensor::{Device, Module, Tensor, from_rows, map_rows, per_row, to_vec, to_vec_f64};

/// Where a plan starts from.
#[derive(Debug)]
pub enum Prior {
    /// Standard normal noise.
    Gaussian,
    /// The straight line between both ends.
    Line,
    /// The shortest way through the maze.
    Polyline,
    /// What a network makes of both ends.
    Network(Box<PriorNet>),
}

/// A network of both ends of a plan.
#[allow(clippy::large_enum_variant)] // one of them is held, and Burn derives modules of plain fields only
#[derive(Module, Debug)]
pub enum PriorNet {
    /// A perceptron.
    Perceptron(PerceptronPrior),
    /// Convolutions.
    Convolution(ConvolutionPrior),
}

impl PriorNet {
    /// Plans between these ends, `[count, 6 H]` from `[count, 8]`.
    pub fn forward(&self, ends: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Perceptron(net) => net.forward(ends),
            Self::Convolution(net) => net.forward(ends),
        }
    }
}

/// What priors know beside the conditions of a plan.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The maze.
    pub layout: Layout,
    /// Units of plans.
    pub normaliser: Normaliser,
    /// Rows of a plan, H.
    pub horizon: usize,
    /// How the straight line is drawn.
    pub variant: Variant,
    /// Walls of `layout` that were not there when plans were learned: plans are kept out of them.
    pub closed: Vec<Cell>,
}

/// Values of the ends of a plan.
const ENDS: usize = 8;

/// Both ends of every plan, normalised, `[count, 8]`.
pub fn ends(conditions: &[Conditions], device: &Device) -> Tensor<2> {
    let values = conditions.iter().flat_map(|c| [c.start, c.goal].concat());
    from_rows(&values.map(|x| x as f32).collect::<Vec<_>>(), ENDS, device)
}

impl Setting {
    /// 1 where a value of a plan is not known beforehand, for `count` plans: `[count, 6 H]`.
    pub fn unknown(&self, count: usize, device: &Device) -> Tensor<2> {
        let marks: Vec<f32> =
            Conditions::known(self.horizon).iter().map(|known| f32::from(u8::from(!known))).collect();
        from_rows(&marks, marks.len(), device).repeat_dim(0, count)
    }

    /// The same with walls in the cells `closed`.
    ///
    /// # Errors
    /// As [`Layout::with_walls`].
    pub fn closing(&self, closed: &[Cell]) -> Result<Self> {
        Ok(Self { layout: self.layout.with_walls(closed)?, closed: closed.to_vec(), ..self.clone() })
    }

    /// Normalised plans, `[count, 6 H]`, pushed out of walls that were not there.
    fn allowed(&self, plans: Tensor<2>) -> Tensor<2> {
        if self.closed.is_empty() {
            return plans;
        }
        let pushed = |plan: &Vec<Row>| {
            // Without clipping: a place beyond the data is one all the same.
            let mut raw = self.normaliser.unclipped(plan);
            closures::push_out(&self.layout, &self.closed, &mut raw);
            self.normaliser.normalise(&raw)
        };
        let pushed: Vec<Vec<Row>> = rows_of(&plans).par_iter().map(pushed).collect();
        let values: Vec<f32> =
            pushed.iter().flat_map(|plan| plan.as_flattened()).map(|x| *x as f32).collect();
        from_rows(&values, self.horizon * COLUMNS, &plans.device())
    }

    /// `rows` of `[count, 6 H]` with their `conditions` imposed.
    fn imposed(&self, rows: &Tensor<2>, conditions: &[Conditions]) -> Tensor<2> {
        let mut values = to_vec(rows.clone());
        let last = (self.horizon - 1) * COLUMNS;
        for (plan, c) in values.chunks_exact_mut(self.horizon * COLUMNS).zip(conditions) {
            for (k, (start, goal)) in c.start.iter().zip(c.goal).enumerate() {
                (plan[2 + k], plan[last + 2 + k]) = (*start as f32, goal as f32);
            }
        }
        from_rows(&values, self.horizon * COLUMNS, &rows.device())
    }
}

impl Prior {
    /// Plans with these `conditions`, normalised, `[count, 6 H]`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where there is no way between both ends.
    pub fn plans(
        &self,
        setting: &Setting,
        conditions: &[Conditions],
        rng: &mut Rng,
        device: &Device,
    ) -> Result<Tensor<2>> {
        let Setting { layout, normaliser, horizon, variant, .. } = setting;
        let each = |plan: &(dyn Fn([f64; 2], [f64; 2]) -> Result<Vec<Row>> + Sync)| -> Result<Tensor<2>> {
            let of = |c: &Conditions| {
                let [start, goal] = [c.start, c.goal].map(|state| normaliser.raw_state(state));
                plan([start[0], start[1]], [goal[0], goal[1]])
            };
            let plans: Vec<Vec<Row>> = conditions.par_iter().map(of).collect::<Result<_>>()?;
            let values: Vec<f32> =
                plans.iter().flat_map(|plan| plan.as_flattened()).map(|x| *x as f32).collect();
            Ok(from_rows(&values, horizon * COLUMNS, device))
        };
        let plans = match self {
            Self::Gaussian => rng.normal([conditions.len(), horizon * COLUMNS], device),
            Self::Line => each(&|start, goal| priors::line(*variant, start, goal, *horizon, normaliser))?,
            Self::Polyline => {
                each(&|start, goal| priors::polyline(layout, start, goal, *horizon, normaliser))?
            }
            Self::Network(net) => net.forward(ends(conditions, device)),
        };
        Ok(setting.imposed(&plans, conditions))
    }
}

/// Windows of a trajectory.
#[derive(Clone, Debug)]
pub struct Windows {
    /// All rows, normalised.
    rows: Vec<Row>,
    /// Rows of each window; where they are fewer than the horizon, the last place is held.
    pieces: Vec<Range<usize>>,
    horizon: usize,
    /// No action and no velocity, normalised.
    rest: Row,
}

impl Windows {
    /// The windows `pieces` of raw `rows`, each of at least one and at most `horizon` rows.
    pub fn new(rows: &[Row], pieces: Vec<Range<usize>>, horizon: usize, normaliser: &Normaliser) -> Self {
        let rest = normaliser.normalise(&[[0.0; COLUMNS]])[0];
        Self { rows: normaliser.normalise(rows), pieces, horizon, rest }
    }

    /// Number of windows.
    pub fn count(&self) -> usize {
        self.pieces.len()
    }

    /// Rows of the trajectory.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// One window, with its last place held to the end.
    fn window(&self, piece: &Range<usize>) -> impl Iterator<Item = Row> {
        let rows = &self.rows[piece.clone()];
        let [ax, ay, _, _, vx, vy] = self.rest;
        let held = rows.last().map(|[_, _, x, y, ..]| [ax, ay, *x, *y, vx, vy]);
        rows.iter().copied().chain(held.into_iter().cycle()).take(self.horizon)
    }

    /// `count` windows at random, flat, `[count, 6 H]`, and their ends.
    pub fn draw(&self, count: usize, rng: &mut Rng, device: &Device) -> (Tensor<2>, Vec<Conditions>) {
        let chosen = rng.indices(count, self.pieces.len());
        let rows: Vec<Row> = chosen.iter().flat_map(|k| self.window(&self.pieces[*k])).collect();
        let state = |row: &Row| [row[2], row[3], row[4], row[5]];
        let ends = rows
            .chunks_exact(self.horizon)
            .map(|rows| Conditions { start: state(&rows[0]), goal: state(&rows[self.horizon - 1]) });
        let values: Vec<f32> = rows.as_flattened().iter().map(|x| *x as f32).collect();
        (from_rows(&values, self.horizon * COLUMNS, device), ends.collect())
    }
}

/// Pairs of windows and what a prior makes of their ends.
pub struct PlanPairs<'a> {
    /// Where windows come from.
    pub windows: &'a Windows,
    /// What starts them.
    pub prior: &'a Prior,
    /// What the prior knows.
    pub setting: &'a Setting,
    /// Where they are made.
    pub device: Device,
}

impl PairData for PlanPairs<'_> {
    fn draw(&self, count: usize, rng: &mut Rng) -> PairBatch {
        let (clean, conditions) = self.windows.draw(count, rng, &self.device);
        // Data were checked to lie in the maze: where a way is cut all the same, a plan starts from what it is.
        let degraded = self.prior.plans(self.setting, &conditions, rng, &self.device);
        let degraded = degraded.unwrap_or_else(|_| clean.clone());
        PairBatch { clean, degraded, unknown: Some(self.setting.unknown(count, &self.device)) }
    }
}

/// A temporal U-Net as what a bridge of so many levels is learned by.
#[derive(Module, Debug)]
pub struct PlanNet {
    net: TemporalUNet,
    #[module(skip)]
    levels: usize,
}

impl PlanNet {
    /// Of `net`, which is told the number of a level.
    pub fn new(net: TemporalUNet, levels: usize) -> Self {
        Self { net, levels }
    }

    /// Plans by the bridge from `start`, `[count, 6 H]`, whose ends are known, in `calls` calls along `paths`. After every step they
    /// are pushed out of the walls of `setting` that were not there in training.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for more calls than the schedule has steps.
    pub fn by_bridge(
        &self,
        (setting, schedule): (&Setting, &Schedule),
        paths: Paths,
        start: &Tensor<2>,
        calls: usize,
        noise: &mut dyn Noise,
    ) -> Result<Tensor<2>> {
        let unknown = setting.unknown(start.dims()[0], &start.device());
        let (known, bounds) = (Known::Exact, Some((-1.0, 1.0)));
        let restoration = Restoration { net: self, schedule, paths, known, gaussian: None, bounds };
        restoration.run_within(start, Some(&unknown), calls, noise, &|plans| setting.allowed(plans))
    }

    /// Plans by the diffusion `ddpm` from noise, with the ends of `start`, `[count, 6 H]`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a start of another length than the setting's plans.
    pub fn by_diffusion(
        &self,
        setting: &Setting,
        ddpm: &Ddpm,
        start: &Tensor<2>,
        rng: &mut Rng,
    ) -> Result<Tensor<2>> {
        let pins = Pins::new(Conditions::known(setting.horizon), start.clone())?;
        // All rows are at one level.
        let call = |level: Tensor<1>, x: Tensor<2>| {
            let level = f64::from(level.narrow(0, 0, 1).into_scalar::<f32>());
            map_rows(&x, |x| self.at(per_row(level, &x), x))
        };
        Ok(ddpm.sample(call, rng.normal_like(start), Some(&pins), rng))
    }

    /// What it says at numbers of levels, `[batch]`, of plans, `[batch, 6 H]`.
    pub fn at(&self, level: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        self.net.forward(level, x)
    }
}

impl PairPredictor for PlanNet {
    fn predict(&self, t: Tensor<1>, x: Tensor<2>, _degraded: &Tensor<2>) -> Tensor<2> {
        let last = (self.levels - 1) as f64;
        self.net.forward((t - 1e-4) * (last / (1.0 - 1e-4)), x)
    }
}

/// The loss of a diffusion of plans from noise, whose network says the clean plan.                                     \[Diffuser\]
pub struct PlanDiffusion<'a> {
    /// Its steps.
    pub ddpm: Ddpm,
    /// Where plans come from.
    pub windows: &'a Windows,
    /// Where they are made.
    pub device: Device,
}

impl Objective for PlanDiffusion<'_> {
    type Model = PlanNet;

    fn loss(&self, net: &PlanNet, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let (plans, _) = self.windows.draw(rows.len(), rng, &self.device);
        let known = Conditions::known(self.windows.horizon);
        let call = |level: Tensor<1>, x: Tensor<2>| net.at(level.autodiff(), x.autodiff());
        self.ddpm.loss(call, plans.autodiff(), &known, rng).expect("a plan has known and free values")
    }

    fn held_out_loss(&self, _net: &PlanNet, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

/// Normalised plans, `[count, 6 H]`, as rows.
pub fn rows_of(plans: &Tensor<2>) -> Vec<Vec<Row>> {
    let size = plans.dims()[1];
    let plan = |values: &[f64]| values.as_chunks::<COLUMNS>().0.to_vec();
    to_vec_f64(plans.clone()).chunks_exact(size).map(plan).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::net::TemporalUNetSettings;
    use crate::planning::{Maze, OfflineSettings, Task, Trajectory, dataset};
    use crate::solver::paired::Variant as Sums;

    fn setting() -> (Setting, Windows) {
        let layout = Task::named("umaze").unwrap().layout;
        let settings = OfflineSettings { rows: 4000, ..OfflineSettings::default() };
        let data = Trajectory::generate(&Maze::new(layout.clone()), &settings, &Rng::new(1)).unwrap();
        let (normaliser, horizon) = (Normaliser::of(&data).unwrap(), 32);
        let raw: Vec<Row> = (0..data.len()).map(|k| data.row(k)).collect();
        let pieces = dataset::windows_to_targets(&data.legs(None), horizon).unwrap();
        let windows = Windows::new(&raw, pieces, horizon, &normaliser);
        (Setting { layout, normaliser, horizon, variant: Variant::Fixed, closed: Vec::new() }, windows)
    }

    #[test]
    fn every_prior_and_every_plan_keeps_the_known_ends_to_the_bit() {
        let ((setting, windows), device, mut rng) = (setting(), Device::flex(), Rng::new(2));
        let net = TemporalUNetSettings { width: 8, multipliers: vec![1, 2] };
        let net = PlanNet::new(TemporalUNet::new([32, COLUMNS], &net, &mut rng, &device).unwrap(), 16);
        let schedule = Schedule::of_plans(16, Sums::Fixed).unwrap();
        let priors = [
            Prior::Gaussian,
            Prior::Line,
            Prior::Polyline,
            Prior::Network(Box::new(PriorNet::Perceptron(
                PerceptronPrior::new(8, 32 * COLUMNS, &mut rng, &device).unwrap(),
            ))),
            Prior::Network(Box::new(PriorNet::Convolution(
                ConvolutionPrior::new(32, [2, 4], &mut rng, &device).unwrap(),
            ))),
        ];
        for prior in &priors {
            let pairs = PlanPairs { windows: &windows, prior, setting: &setting, device: device.clone() };
            let PairBatch { clean, degraded, unknown } = pairs.draw(5, &mut rng);
            assert!(unknown.is_some());
            let known = (&setting, &schedule);
            let plan = net.by_bridge(known, Paths::Stochastic, &degraded, 4, &mut rng).unwrap();
            let [clean, degraded, plan] = [clean, degraded, plan].map(to_vec);
            for (i, known) in Conditions::known(32).into_iter().cycle().take(clean.len()).enumerate() {
                if known {
                    assert_eq!([degraded[i], plan[i]], [clean[i]; 2], "{prior:?}");
                }
            }
        }
    }

    #[test]
    fn a_window_that_reaches_its_target_early_stays_there() {
        let rows: Vec<Row> = (0..8).map(|k| [0.5, -0.5, f64::from(k), 1.0, 2.0, -2.0]).collect();
        let units =
            Normaliser::new([-1.0, -1.0, 0.0, 0.0, -1.0, -2.0], [1.0, 1.0, 8.0, 2.0, 3.0, 2.0]).unwrap();
        let windows = Windows::new(&rows, vec![2..5, 1..7], 6, &units);
        let raw = |piece: &Range<usize>| units.raw(&windows.window(piece).collect::<Vec<_>>());
        let held = [0.0, 0.0, 4.0, 1.0, 0.0, 0.0];
        assert_eq!(raw(&windows.pieces[0]), [rows[2], rows[3], rows[4], held, held, held]);
        assert_eq!(raw(&windows.pieces[1]), rows[1..7]);
    }

    #[test]
    fn network_clocks_count_levels() {
        let (device, mut rng) = (Device::flex(), Rng::new(3));
        let settings = TemporalUNetSettings { width: 8, multipliers: vec![1] };
        let net = PlanNet::new(TemporalUNet::new([4, COLUMNS], &settings, &mut rng, &device).unwrap(), 16);
        let schedule = Schedule::of_plans(16, Sums::Fixed).unwrap();
        let x = rng.normal([1, 4 * COLUMNS], &device);
        for level in [0, 7, 15] {
            let time = Tensor::<1>::full([1], schedule.time(level), &device);
            let number = Tensor::<1>::full([1], level as f64, &device);
            let gap = net.predict(time, x.clone(), &x) - net.at(number, x.clone());
            assert!(to_vec(gap).iter().all(|gap| gap.abs() < 1e-5));
        }
    }
}
