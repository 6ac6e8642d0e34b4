//! Costs of terrain: a map of heights, and the surface of a cloud of points that paths must stay on.

use crate::crowd::cloud::require_cloud;
use crate::crowd::obstacles::bilinear;
use crate::crowd::tree::Tree;
use crate::crowd::{Costs, Crowd, StateCost, particle_by_particle, require_coordinates};
use crate::error::{Error, Result, require_count};
use crate::rng::Rng;

/// The height at x in the plane of the first two coordinates.
#[derive(Clone, Debug)]
pub struct HeightGrid {
    extent: [[f64; 2]; 2],
    cells: [usize; 2],
    /// Row by row, from low y to high y.
    heights: Vec<f64>,
}

impl HeightGrid {
    /// Heights in the middle of `columns` by `rows` cells over the box from `low` to `high`; row by row, the first on top.
    ///
    /// # Errors
    /// [`Error::Setting`] for a box without inside or heights that are not finite, [`Error::Shape`] for another number.
    pub fn new([low, high]: [[f64; 2]; 2], [columns, rows]: [usize; 2], heights: &[f64]) -> Result<Self> {
        if !(0..2).all(|k| low[k].is_finite() && high[k].is_finite() && high[k] > low[k]) {
            let value = format!("{low:?} to {high:?}");
            return Err(Error::setting(
                "extent",
                "two corners, the lower left first",
                value,
                "[[x0, y0], [x1, y1]]",
            ));
        }
        if columns * rows != heights.len() || heights.is_empty() {
            let fix = "one height for every cell";
            return Err(Error::shape("heights", format!("{columns} x {rows} cells"), heights.len(), fix));
        }
        if let Some(x) = heights.iter().find(|x| !x.is_finite()) {
            return Err(Error::setting("heights", "finite", x, "fill cells without a height"));
        }
        let heights = heights.chunks_exact(columns).rev().flatten().copied().collect();
        Ok(Self { extent: [low, high], cells: [columns, rows], heights })
    }
}

impl StateCost for HeightGrid {
    fn evaluate(&self, crowd: &Crowd<'_>, _rng: &mut Rng, costs: &mut Costs<'_>) {
        particle_by_particle(crowd, costs, |x, slope| {
            let (height, [along_x, along_y]) = bilinear([x[0], x[1]], self.extent, self.cells, &self.heights);
            slope[0] += along_x;
            slope[1] += along_y;
            height
        });
    }

    fn require_dim(&self, dim: usize) -> Result<()> {
        match dim >= 2 {
            true => Ok(()),
            false => {
                let fix = "a map lies in the plane of the first two columns";
                Err(Error::shape("samples on a map", "two values at least", dim, fix))
            }
        }
    }
}

/// How the surface near a place is found, and what is paid for.
#[derive(Clone, Copy, Debug)]
pub struct SurfaceSettings {
    /// Points that a plane is fitted to.
    pub neighbours: usize,
    /// Whether near ones count more, exp(−d²/10⁻³); by all alike in the `faithful` variant.
    pub is_local: bool,
    /// Weights of the squared distance to the surface, of e to the height there, and of leaving the box of ±5.
    pub weights: [f64; 3],
}

impl Default for SurfaceSettings {
    fn default() -> Self {
        Self { neighbours: 20, is_local: true, weights: [5000.0; 3] }
    }
}

/// The surface through a cloud of points in space: w₁|x̂ − x|² + w₂ exp(x̂_z) + w₃ (out of the box), x̂ the foot of x on the
/// least-squares plane through the nearest points. The plane is held fixed in the slope.                         \[GSBM\]
#[derive(Clone, Debug)]
pub struct Surface {
    tree: Tree,
    settings: SurfaceSettings,
}

/// Side of the box, its softness, the square of what is near, and points that count that are enough for a plane.
const HALF_BOX: f64 = 5.0;
const SOFTNESS: f64 = 0.1;
const NEAR: f64 = 1e-3;
const ENOUGH: f64 = 3.0;

impl Surface {
    /// Through `points`, `[count, 3]`.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer points than `neighbours`, or values that are not finite.
    pub fn new(points: &[f64], settings: SurfaceSettings) -> Result<Self> {
        require_cloud(points, 3)?;
        require_count("neighbours", settings.neighbours, 3..=points.len() / 3, "20 is usual")?;
        Ok(Self { tree: Tree::new(points, 3), settings })
    }

    /// The plane near `x`: unit normal and its distance from the origin.
    fn plane(&self, x: &[f64], found: &mut Vec<(f64, usize)>) -> ([f64; 3], f64) {
        self.tree.nearest(x, self.settings.neighbours, found);
        let nearest = found[0].0;
        let mut weights: Vec<f64> = match self.settings.is_local {
            true => found.iter().map(|(squared, _)| (-(squared - nearest) / NEAR).exp()).collect(),
            false => vec![1.0; found.len()],
        };
        let (sum, squares) = weights.iter().fold((0.0, 0.0), |(a, b), w| (a + w, b + w * w));
        if sum * sum / squares < ENOUGH {
            weights.fill(1.0);
        }
        // z = a (x − x̄) + b (y − ȳ) + c about the mean, where the equations are well scaled.
        let total: f64 = weights.iter().sum();
        let mut mean = [0.0; 3];
        for (w, (_, i)) in weights.iter().zip(found.iter()) {
            (0..3).for_each(|k| mean[k] += w / total * self.tree.point(*i)[k]);
        }
        let (mut products, mut right) = ([0.0; 3], [0.0; 2]);
        for (w, (_, i)) in weights.iter().zip(found.iter()) {
            let [dx, dy, dz] = std::array::from_fn(|k| self.tree.point(*i)[k] - mean[k]);
            let [xx, xy, yy] = [dx * dx, dx * dy, dy * dy];
            [xx, xy, yy].iter().zip(&mut products).for_each(|(p, sum)| *sum += w * p);
            [dx * dz, dy * dz].iter().zip(&mut right).for_each(|(p, sum)| *sum += w * p);
        }
        let [a, b] = slopes(products, right);
        let length = (1.0 + a * a + b * b).sqrt();
        let normal = [-a / length, -b / length, 1.0 / length];
        (normal, dot(&normal, &mean))
    }
}

/// Least-squares slopes of a plane; a flat one where its points lie on a line.
fn slopes([xx, xy, yy]: [f64; 3], [xz, yz]: [f64; 2]) -> [f64; 2] {
    let determinant = xx * yy - xy * xy;
    if determinant <= 1e-12 * (xx + yy).powi(2) {
        return [0.0; 2];
    }
    [(xz * yy - yz * xy) / determinant, (yz * xx - xz * xy) / determinant]
}

fn dot(a: &[f64; 3], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The logistic function and its slope.
fn logistic(z: f64) -> (f64, f64) {
    let value = 1.0 / (1.0 + (-z).exp());
    (value, value * (1.0 - value))
}

impl StateCost for Surface {
    fn evaluate(&self, crowd: &Crowd<'_>, _rng: &mut Rng, costs: &mut Costs<'_>) {
        let [on_surface, low, inside] = self.settings.weights;
        let mut found = Vec::new();
        particle_by_particle(crowd, costs, |x, slope| {
            let (normal, offset) = self.plane(x, &mut found);
            let off = dot(&normal, x) - offset;
            let height = (x[2] - off * normal[2]).min(50.0).exp();
            let mut value = on_surface * off * off + low * height;
            for k in 0..3 {
                let along = if k == 2 { 1.0 } else { 0.0 };
                slope[k] +=
                    2.0 * on_surface * off * normal[k] + low * height * (along - normal[2] * normal[k]);
            }
            for k in 0..2 {
                let (above, up) = logistic((x[k] - HALF_BOX) / SOFTNESS);
                let (below, down) = logistic((x[k] + HALF_BOX) / SOFTNESS);
                value += inside * (above + 1.0 - below);
                slope[k] += inside * (up - down) / SOFTNESS;
            }
            value
        });
    }

    fn distance(&self, x: &[f64]) -> Option<f64> {
        let (normal, offset) = self.plane(x, &mut Vec::new());
        Some((dot(&normal, x) - offset).abs())
    }

    fn require_dim(&self, dim: usize) -> Result<()> {
        require_coordinates("samples on a surface", 3, dim, "give x, y and height")
    }
}
