//! A density in other coordinates z, x = m + L z: that of a law whose centre and width are about those of N(0, I).

use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, MatRef, Par};

use super::LogDensity;
use crate::error::Result;

/// ln ρ(m + L z) + ln |det L|, of which Z is that of ρ.
pub struct Affine<'a> {
    density: &'a dyn LogDensity,
    centre: Vec<f64>,
    width: Width,
}

/// L.
enum Width {
    /// One number for every axis, `[dim]`.
    Axes(Vec<f64>),
    /// Lower triangular, `[dim, dim]`.
    Triangle(Mat<f64>),
}

impl<'a> Affine<'a> {
    /// About the origin, `spread` along every axis.
    pub fn scaled(density: &'a dyn LogDensity, spread: f64) -> Self {
        let dim = density.dim();
        Self::along_axes(density, vec![0.0; dim], vec![spread; dim])
    }

    /// About `centre`, `[dim]`, with the widths `spreads`, `[dim]`.
    pub fn along_axes(density: &'a dyn LogDensity, centre: Vec<f64>, spreads: Vec<f64>) -> Self {
        Self { density, centre, width: Width::Axes(spreads) }
    }

    /// About `centre`, `[dim]`, with the lower triangular L = `factor`, `[dim, dim]`.
    pub fn by_factor(density: &'a dyn LogDensity, centre: Vec<f64>, factor: Mat<f64>) -> Self {
        Self { density, centre, width: Width::Triangle(factor) }
    }

    /// x of every z, `[count, dim]` both.
    pub fn outward(&self, z: &[f64]) -> Vec<f64> {
        let mut x = match &self.width {
            Width::Axes(spreads) => z.iter().zip(spreads.iter().cycle()).map(|(z, s)| z * s).collect(),
            Width::Triangle(factor) => flat(&(rows(z, factor) * factor.transpose())),
        };
        x.iter_mut().zip(self.centre.iter().cycle()).for_each(|(x, m)| *x += m);
        x
    }

    /// z of every x, `[count, dim]` both.
    pub fn inward(&self, x: &[f64]) -> Vec<f64> {
        let centred: Vec<f64> = x.iter().zip(self.centre.iter().cycle()).map(|(x, m)| x - m).collect();
        match &self.width {
            Width::Axes(spreads) => centred.iter().zip(spreads.iter().cycle()).map(|(x, s)| x / s).collect(),
            Width::Triangle(factor) => {
                let mut columns = rows(&centred, factor).transpose().to_owned();
                solve_lower_triangular_in_place(factor.as_ref(), columns.as_mut(), Par::rayon(0));
                flat(&columns.transpose().to_owned())
            }
        }
    }

    /// ∂/∂z of slopes ∂/∂x, `[count, dim]` both.
    fn pulled(&self, slopes: Vec<f64>) -> Vec<f64> {
        match &self.width {
            Width::Axes(spreads) => slopes.iter().zip(spreads.iter().cycle()).map(|(g, s)| g * s).collect(),
            Width::Triangle(factor) => flat(&(rows(&slopes, factor) * factor)),
        }
    }

    /// ln |det L|.
    fn log_det(&self) -> f64 {
        match &self.width {
            Width::Axes(spreads) => spreads.iter().map(|s| s.ln()).sum(),
            Width::Triangle(factor) => (0..factor.nrows()).map(|i| factor[(i, i)].ln()).sum(),
        }
    }

    fn with_volume(&self, values: Vec<f64>) -> Vec<f64> {
        let volume = self.log_det();
        values.into_iter().map(|value| value + volume).collect()
    }
}

impl LogDensity for Affine<'_> {
    fn dim(&self) -> usize {
        self.density.dim()
    }

    fn values(&self, states: &[f64]) -> Result<Vec<f64>> {
        Ok(self.with_volume(self.density.values(&self.outward(states))?))
    }

    fn values_and_gradients(&self, states: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let (values, slopes) = self.density.values_and_gradients(&self.outward(states))?;
        Ok((self.with_volume(values), self.pulled(slopes)))
    }

    fn has_gradient(&self) -> bool {
        self.density.has_gradient()
    }
}

/// `[count, dim]`, row by row, as a matrix.
fn rows<'a>(values: &'a [f64], factor: &Mat<f64>) -> MatRef<'a, f64> {
    let dim = factor.nrows();
    MatRef::from_row_major_slice(values, values.len() / dim, dim)
}

fn flat(matrix: &Mat<f64>) -> Vec<f64> {
    (0..matrix.nrows()).flat_map(|i| (0..matrix.ncols()).map(move |j| matrix[(i, j)])).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::density::targets::Funnel;
    use crate::density::{central_differences, normals};
    use crate::rng::Rng;

    #[test]
    fn other_coordinates_keep_the_normaliser_and_the_slopes() {
        let funnel = Funnel::easy();
        let dim = funnel.dim();
        let below = |i: usize, j: usize| if i == j { 2.0 } else { 0.3 / (1.0 + (i - j) as f64) };
        let factor = Mat::from_fn(dim, dim, |i, j| if i < j { 0.0 } else { below(i, j) });
        let centre: Vec<f64> = (0..dim).map(|i| 0.1 * i as f64 - 0.5).collect();
        let z = normals(4 * dim, &mut Rng::new(1));
        for (density, volume) in [
            (Affine::by_factor(&funnel, centre.clone(), factor), dim as f64 * 2f64.ln()),
            (Affine::along_axes(&funnel, centre, vec![1.5; dim]), dim as f64 * 1.5f64.ln()),
        ] {
            let x = density.outward(&z);
            let (values, slopes) = density.values_and_gradients(&z).unwrap();
            for (found, known) in values.iter().zip(funnel.values(&x).unwrap()) {
                assert!((found - known - volume).abs() < 1e-12);
            }
            for (found, known) in slopes.iter().zip(central_differences(&density, &z).unwrap()) {
                assert!((found - known).abs() < 1e-6 * known.abs().max(1.0), "{found} {known}");
            }
            for (found, known) in density.inward(&x).iter().zip(&z) {
                assert!((found - known).abs() < 1e-12);
            }
        }
    }
}
