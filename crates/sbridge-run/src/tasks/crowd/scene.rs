//! A cost from its name or from a TOML file that adds up terms. Every key is known and every value checked.

use std::path::Path;
use std::sync::Arc;

use sbridge::crowd::{
    Congestion, Entropy, HeightGrid, KernelDensity, LinearDrift, NearestData, Obstacle, OccupancyMap,
    Problem, Quadratic, Shape, StateCost, Surface, SurfaceSettings, Terms, gmm, lidar, opinion, spider,
    stunnel, vneck,
};
use sbridge::rng::Rng;
use sbridge_data::edit_distance;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::geojson;
use super::settings::CrowdConfig;
use crate::error::{Result, RunError};
use crate::sources::Sources;

/// What begins the name of a built-in cost.
const BUILTIN: &str = "builtin:";

/// Built-in costs with the σ² that they are usual with.
const ENVIRONMENTS: [(&str, f64); 7] = [
    ("stunnel", 1.0),
    ("vneck", 1.0),
    ("gmm", 1.0),
    ("spider", 1.0),
    ("lidar", 1.0),
    ("opinion", 0.25),
    ("opinion-2", 0.25),
];

/// Terms that a file may have.
const KINDS: [&str; 6] = ["obstacle", "height", "congestion", "entropy", "quadratic", "data"];

/// Points of the hills.
const HILLS: &str = "builtin:hills?n=30000";

/// Deviation by which the law of built-in crowds is blurred where it is measured.
pub(super) const BLUR: f64 = 0.2;

/// A cost that can be evaluated.
pub struct Scene {
    /// What is minimised beside motion.
    pub problem: Problem,
    /// Its terms.
    pub terms: Arc<Terms>,
    /// Names of maps, and what they cover.
    pub extents: Vec<(String, [[f64; 2]; 2])>,
    /// Whether it is built in.
    pub is_builtin: bool,
}

impl Scene {
    /// The cost that `settings` name. What its file says becomes part of them.
    ///
    /// # Errors
    /// [`RunError`] for a name that is not known, or a file that does not say what it should.
    pub fn open(settings: &mut CrowdConfig, sources: &Sources) -> Result<Self> {
        if let Some(name) = settings.cost.strip_prefix(BUILTIN).map(str::to_owned) {
            return Self::builtin(&name, settings, sources);
        }
        if settings.terms.is_empty() {
            if settings.cost.is_empty() {
                let names = ENVIRONMENTS.map(|(name, _)| name).join(", ");
                let fix = format!("give --cost FILE, or --cost builtin: one of {names}");
                return Err(RunError::Input(format!("no cost ({fix})")));
            }
            read_file(settings, sources)?;
        }
        let mut opened = Opened { sources, terms: Terms::default(), extents: Vec::new() };
        for (k, term) in settings.terms.iter().enumerate() {
            let place = format!("{}: term {}", shown(&settings.cost), k + 1);
            opened.add(term.clone(), &place)?;
        }
        let terms = Arc::new(opened.terms);
        let problem = Problem { cost: terms.clone(), base: None };
        Ok(Self { problem, terms, extents: opened.extents, is_builtin: false })
    }

    fn builtin(name: &str, settings: &mut CrowdConfig, sources: &Sources) -> Result<Self> {
        let Some((_, variance)) = ENVIRONMENTS.iter().find(|(known, _)| *known == name) else {
            let names = ENVIRONMENTS.map(|(name, _)| name);
            let near = nearest(name, &names);
            let problem = format!("no built-in cost {name:?} ({near}there are {})", names.join(", "));
            return Err(RunError::Input(problem));
        };
        if settings.epsilon == 0.0 {
            settings.epsilon = *variance;
        }
        for (set, end) in [(&mut settings.source, "source"), (&mut settings.target, "target")] {
            if set.source.is_empty() {
                set.source = format!("{BUILTIN}{name}-{end}");
            }
        }
        let mut base = None;
        let terms = match name {
            "stunnel" => stunnel()?,
            "vneck" => vneck()?,
            "gmm" => gmm()?,
            "spider" => spider()?,
            "lidar" => lidar(&cloud(HILLS, sources)?.0)?,
            _ => {
                let dim = if name == "opinion" { 1000 } else { 2 };
                base = opinion(dim, &Rng::new(settings.seed))?.base;
                Terms::default().with("congestion", 10.0, Congestion)?
            }
        };
        let terms = Arc::new(terms);
        Ok(Self {
            problem: Problem { cost: terms.clone(), base },
            terms,
            extents: Vec::new(),
            is_builtin: true,
        })
    }

    /// The same with the linear drift of `settings`, if there is one, for samples of `dim` values.
    ///
    /// # Errors
    /// [`RunError::Config`] for a centre of another dimension, or a drift beside one that is built in.
    pub fn with_drift(mut self, settings: &CrowdConfig, dim: usize) -> Result<Self> {
        let drift = &settings.drift;
        if drift.rate == 0.0 {
            return Ok(self);
        }
        if self.problem.base.is_some() {
            let problem = "drift.rate stands beside the drift of the built-in cost (leave it out)";
            return Err(RunError::Config(problem.into()));
        }
        let centre = if drift.centre.is_empty() { vec![0.0; dim] } else { drift.centre.clone() };
        if centre.len() != dim {
            return Err(RunError::Config(format!(
                "drift.centre must have {dim} values, got {} (one for each column)",
                centre.len()
            )));
        }
        self.problem.base = Some(Arc::new(LinearDrift::new(drift.rate, centre)?));
        Ok(self)
    }
}

fn shown(cost: &str) -> &str {
    if cost.is_empty() { "terms" } else { cost }
}

/// What the file of a cost may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SceneFile {
    #[serde(default)]
    term: Vec<Table>,
    drift: Option<super::settings::DriftConfig>,
}

/// Copies the file of the cost into `settings`, with what it refers to made absolute and what it depends on noted.
fn read_file(settings: &mut CrowdConfig, sources: &Sources) -> Result<()> {
    let path = settings.cost.clone();
    let text = std::fs::read_to_string(&path)
        .map_err(|error| RunError::Input(format!("cannot read the cost {path}: {error}")))?;
    let wrong = |problem: String| RunError::Config(format!("{path}: {problem}"));
    let file: SceneFile = toml::from_str(&text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        wrong(format!("{place}{reason} (terms are [[term]] with a kind)"))
    })?;
    if file.term.is_empty() {
        return Err(wrong("has no [[term]] (write at least one with a kind and a weight)".into()));
    }
    let folder = Path::new(&path).parent().unwrap_or_else(|| Path::new("."));
    settings.terms = file.term;
    for term in &mut settings.terms {
        resolve(term, folder, sources)?;
    }
    settings.drift = file.drift.unwrap_or_else(|| settings.drift.clone());
    Ok(())
}

/// Makes the paths of `term` absolute, puts the polygons of a file in its place, and notes digests.
fn resolve(term: &mut Table, folder: &Path, sources: &Sources) -> Result<()> {
    for key in ["file", "image", "grid", "points", "source"] {
        let Some(path) = term.get(key).and_then(Value::as_str).map(str::to_owned) else { continue };
        let is_named = path.starts_with(BUILTIN) || path.starts_with("memory:");
        let path = if is_named { path } else { absolute(folder, &path) };
        term.insert(key.into(), Value::String(path.clone()));
        let digest = match key {
            "file" => {
                let read = geojson::polygons(&path)?;
                let corners = |corner: &[f64; 2]| Value::Array(corner.map(Value::Float).to_vec());
                let polygon = |p: &Vec<[f64; 2]>| Value::Array(p.iter().map(corners).collect());
                let known = term.remove("polygons").and_then(|list| list.as_array().cloned());
                let all = known.into_iter().flatten().chain(read.iter().map(polygon)).collect();
                term.remove("file");
                term.insert("polygons".into(), Value::Array(all));
                continue;
            }
            "image" => sbridge_data::load_grey_image(&path)?.sha256,
            _ => sources.set(&path)?.sha256().to_owned(),
        };
        term.insert("sha256".into(), Value::String(digest));
    }
    Ok(())
}

fn absolute(folder: &Path, path: &str) -> String {
    let joined = folder.join(path);
    std::path::absolute(&joined).unwrap_or(joined).display().to_string()
}

/// The nearest of `known` names, as part of a message.
fn nearest(name: &str, known: &[&str]) -> String {
    let near = known.iter().min_by_key(|known| edit_distance(name, known));
    near.map_or_else(String::new, |near| format!("did you mean {near}? "))
}

/// A file's samples in f64, and their dimension.
fn cloud(source: &str, sources: &Sources) -> Result<(Vec<f64>, usize)> {
    let data = sources.set(source)?;
    Ok((data.values().iter().map(|x| f64::from(*x)).collect(), data.shape().size()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    weight: f64,
}

/// Shapes in data units: discs `[x, y, radius]`, ellipses `[x, y, a, b]`, boxes `[x0, y0, x1, y1]`, polygons; or a map.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Obstacles {
    weight: f64,
    /// Steepness per unit of depth. Default 20.
    #[serde(default = "sharpness")]
    sharpness: f64,
    #[serde(default)]
    discs: Vec<[f64; 3]>,
    #[serde(default)]
    ellipses: Vec<[f64; 4]>,
    #[serde(default)]
    boxes: Vec<[f64; 4]>,
    #[serde(default)]
    polygons: Vec<Vec<[f64; 2]>>,
    /// A PNG or JPEG image, dark where it is occupied.
    image: Option<String>,
    /// The box that it covers.
    extent: Option<[[f64; 2]; 2]>,
    /// Brightness below which a cell is occupied. Default 0.5.
    #[serde(default = "half")]
    threshold: f32,
    sha256: Option<String>,
}

/// A grid of heights over a box, or the surface of a cloud.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Height {
    weight: f64,
    /// A table or array of heights, the first row on top.
    grid: Option<String>,
    extent: Option<[[f64; 2]; 2]>,
    /// Points x, y and height on a surface.
    points: Option<String>,
    /// Points that a plane is fitted to. Default 20.
    neighbours: Option<usize>,
    /// Weight of e to the height of the surface, as a share of the weight. Default 0.
    #[serde(default)]
    low: f64,
    sha256: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Square {
    weight: f64,
    centre: Option<Vec<f64>>,
}

/// Nearness to samples.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Near {
    weight: f64,
    source: String,
    neighbours: Option<usize>,
    bandwidth: Option<f64>,
    sha256: Option<String>,
}

fn sharpness() -> f64 {
    20.0
}

fn half() -> f32 {
    0.5
}

/// Terms as they are opened.
struct Opened<'a> {
    sources: &'a Sources,
    terms: Terms,
    extents: Vec<(String, [[f64; 2]; 2])>,
}

impl Opened<'_> {
    /// Adds the term that `table` describes at `place`.
    fn add(&mut self, mut table: Table, place: &str) -> Result<()> {
        let wrong = |problem: String| RunError::Config(format!("{place} {problem}"));
        let kind = table.remove("kind").and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
        match kind.as_str() {
            "obstacle" => self.obstacles(typed(table, place)?, place),
            "height" => self.height(typed(table, place)?, place),
            "congestion" => self.push(&kind, typed::<Plain>(table, place)?.weight, Congestion, place),
            "entropy" => self.push(&kind, typed::<Plain>(table, place)?.weight, Entropy, place),
            "quadratic" => {
                let Square { weight, centre } = typed(table, place)?;
                self.push(&kind, weight, Quadratic { centre }, place)
            }
            "data" => self.near(typed(table, place)?, place),
            other => {
                let near = nearest(other, &KINDS);
                Err(wrong(format!("has the unknown kind {other:?} ({near}there are {})", KINDS.join(", "))))
            }
        }
    }

    fn push(&mut self, kind: &str, weight: f64, cost: impl StateCost + 'static, place: &str) -> Result<()> {
        self.terms.push(kind, weight, Box::new(cost)).map_err(refused(place))
    }

    fn obstacles(&mut self, term: Obstacles, place: &str) -> Result<()> {
        let wrong = |problem: &str| RunError::Config(format!("{place} {problem}"));
        let discs = term.discs.iter().map(|[x, y, radius]| Shape::Disc { centre: [*x, *y], radius: *radius });
        let ellipses =
            term.ellipses.iter().map(|[x, y, a, b]| Shape::Ellipse { centre: [*x, *y], half_axes: [*a, *b] });
        let boxes =
            term.boxes.iter().map(|[x0, y0, x1, y1]| Shape::Box { low: [*x0, *y0], high: [*x1, *y1] });
        let polygons = term.polygons.iter().map(|corners| Shape::Polygon { corners: corners.clone() });
        let mut shapes: Vec<Shape> = discs.chain(ellipses).chain(boxes).chain(polygons).collect();
        if let Some(path) = &term.image {
            let extent = term.extent.ok_or_else(|| {
                wrong("has an image without extent (write extent = [[x0, y0], [x1, y1]], the box it covers)")
            })?;
            let image = sbridge_data::load_grey_image(path)?;
            require_digest(path, &image.sha256, term.sha256.as_ref())?;
            let occupied: Vec<bool> = image.values.iter().map(|grey| *grey < term.threshold).collect();
            let map = OccupancyMap::new(extent, image.size, &occupied).map_err(refused(place))?;
            self.extents.push((path.clone(), map.extent()));
            shapes.push(Shape::Map(map));
        } else if term.extent.is_some() {
            return Err(wrong("has an extent without image (leave it out)"));
        }
        if shapes.is_empty() {
            return Err(wrong("has no obstacle (give discs, ellipses, boxes, polygons, a file or an image)"));
        }
        for shape in shapes {
            let obstacle = Obstacle::new(shape, term.sharpness).map_err(refused(place))?;
            self.push("obstacle", term.weight, obstacle, place)?;
        }
        Ok(())
    }

    fn height(&mut self, term: Height, place: &str) -> Result<()> {
        let wrong = |problem: &str| RunError::Config(format!("{place} {problem}"));
        match (&term.grid, &term.points, term.extent) {
            (Some(path), None, Some(extent)) => {
                let data = self.sources.set(path)?;
                require_digest(path, data.sha256(), term.sha256.as_ref())?;
                let (values, columns) = cloud(path, self.sources)?;
                let grid = HeightGrid::new(extent, [columns, values.len() / columns], &values);
                self.extents.push((path.clone(), extent));
                self.push("height", term.weight, grid.map_err(refused(place))?, place)
            }
            (None, Some(path), None) => {
                let data = self.sources.set(path)?;
                require_digest(path, data.sha256(), term.sha256.as_ref())?;
                let (points, dim) = cloud(path, self.sources)?;
                if dim != 3 {
                    let columns = format!("has points of {dim} values (give x, y and height)");
                    return Err(wrong(&columns));
                }
                let defaults = SurfaceSettings::default();
                let settings = SurfaceSettings {
                    neighbours: term.neighbours.unwrap_or(defaults.neighbours),
                    weights: [1.0, term.low, 0.0],
                    ..defaults
                };
                let surface = Surface::new(&points, settings).map_err(refused(place))?;
                self.push("height", term.weight, surface, place)
            }
            _ => Err(wrong("must have a grid and its extent, or points (give one of them)")),
        }
    }

    fn near(&mut self, term: Near, place: &str) -> Result<()> {
        let data = self.sources.set(&term.source)?;
        require_digest(&term.source, data.sha256(), term.sha256.as_ref())?;
        let (points, dim) = cloud(&term.source, self.sources)?;
        match (term.neighbours, term.bandwidth) {
            (Some(_), Some(_)) => {
                Err(RunError::Config(format!("{place} has neighbours and a bandwidth (give one of them)")))
            }
            (_, Some(bandwidth)) => {
                let cost = KernelDensity::new(&points, dim, bandwidth).map_err(refused(place))?;
                self.push("data", term.weight, cost, place)
            }
            (neighbours, None) => {
                let usual = USUAL_NEIGHBOURS.min(points.len() / dim);
                let cost =
                    NearestData::new(&points, dim, neighbours.unwrap_or(usual)).map_err(refused(place))?;
                self.push("data", term.weight, cost, place)
            }
        }
    }
}

/// Samples that are near, where the file does not say how many.
const USUAL_NEIGHBOURS: usize = 10;

fn refused(place: &str) -> impl Fn(sbridge::Error) -> RunError + '_ {
    move |error| RunError::Config(format!("{place}: {error}"))
}

/// The fields of a term.
fn typed<T: DeserializeOwned>(table: Table, place: &str) -> Result<T> {
    table.try_into().map_err(|error: toml::de::Error| {
        let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        RunError::Config(format!("{place}: {reason}"))
    })
}

/// Refuses a file that is not what it was when the run began.
fn require_digest(path: &str, found: &str, noted: Option<&String>) -> Result<()> {
    match noted {
        Some(noted) if noted != found => Err(RunError::Input(format!(
            "{path} has changed since the run began (put it back, or start a new run)"
        ))),
        _ => Ok(()),
    }
}
