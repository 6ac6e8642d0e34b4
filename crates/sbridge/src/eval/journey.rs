//! What a crowd pays along a bridge: motion, place, and whether it runs into what stands in the way.
//!
//! J = E ∫ |v₊ − f|²/(2σ²) + V dt by simulated paths, whose law at each time is that of the particles, blurred.

use crate::bridge::{Direction, PairBridge};
use crate::crowd::{Costs, Crowd, Mixture, Problem};
use crate::rng::Rng;
use crate::tensor::{Tensor, per_row, to_vec_f64};

/// A crowd on its way.
#[derive(Clone, Debug)]
pub struct Journey {
    /// E ∫ |v₊ − f|²/(2σ²) dt.
    pub kinetic: f64,
    /// E ∫ V dt.
    pub state: f64,
    /// Share of time that particles spend inside of obstacles.
    pub inside: f64,
    /// Share of particles that are inside of one at any time.
    pub collided: f64,
    /// Root mean square deviation of the crowd about its mean, time after time, `[steps + 1]`.
    pub spreads: Vec<f64>,
    /// Where it is, time after time, `[steps + 1][count, dim]`.
    pub states: Vec<Vec<f64>>,
}

impl Journey {
    /// What the rows of `start` pay from source to target along `bridge`; the law of the crowd is that of its particles with a
    /// deviation of `blur`.
    ///
    /// # Shapes
    /// `start: [count, dim]`, in data units.
    pub fn along(
        bridge: &dyn PairBridge,
        problem: &Problem,
        start: &Tensor<2>,
        blur: f64,
        rng: &mut Rng,
    ) -> Self {
        let (forward, [count, dim]) = (Direction::Forward, start.dims());
        let path = bridge.skeleton(forward, start, rng);
        let states: Vec<Vec<f64>> = path.iter().map(|x| to_vec_f64(x.clone())).collect();
        let steps = states.len() - 1;
        let base = problem.base.as_ref().map(|base| base.given(&states).unwrap_or_else(|| base.clone()));
        let epsilon = bridge.reference().epsilon();
        let (mut kinetic, mut paid, mut inside) = (0.0, 0.0, 0usize);
        let (mut has_collided, mut f) = (vec![false; count], vec![0.0; dim]);
        let share = 1.0 / (steps * count) as f64;
        for (k, x) in states.iter().enumerate() {
            let t = k as f64 / steps as f64;
            for (row, collided) in x.chunks_exact(dim).zip(&mut has_collided) {
                let is_inside = problem.cost.depth(row) > 0.0;
                inside += usize::from(is_inside);
                *collided |= is_inside;
            }
            if k == steps {
                break;
            }
            let v = to_vec_f64(bridge.drift(forward, per_row(t, &path[k]), path[k].clone()));
            for (x, v) in x.chunks_exact(dim).zip(v.chunks_exact(dim)) {
                if let Some(base) = &base {
                    base.drift(t, x, &mut f);
                }
                kinetic += share * v.iter().zip(&f).map(|(v, f)| (v - f).powi(2)).sum::<f64>();
            }
            paid += share * paid_at(problem, t, x, dim, blur, rng);
        }
        let spread = |x: &Vec<f64>| {
            let mean = |i: usize| x.iter().skip(i).step_by(dim).sum::<f64>() / count as f64;
            let means: Vec<f64> = (0..dim).map(mean).collect();
            let total: f64 = x.iter().zip(means.iter().cycle()).map(|(x, m)| (x - m).powi(2)).sum();
            (total / x.len() as f64).sqrt()
        };
        Self {
            kinetic: kinetic / (2.0 * epsilon),
            state: paid,
            inside: inside as f64 / (count * (steps + 1)) as f64,
            collided: has_collided.iter().filter(|collided| **collided).count() as f64 / count as f64,
            spreads: states.iter().map(spread).collect(),
            states,
        }
    }

    /// J.
    pub fn objective(&self) -> f64 {
        self.kinetic + self.state
    }
}

/// What all particles pay at one time.
fn paid_at(problem: &Problem, t: f64, x: &[f64], dim: usize, blur: f64, rng: &mut Rng) -> f64 {
    let count = x.len() / dim;
    let deviations = vec![blur; count];
    let law = Mixture { means: x, deviations: &deviations };
    let (mut values, mut slopes) = (vec![0.0; count], vec![0.0; x.len()]);
    let mut costs = Costs { values: &mut values, slopes: &mut slopes };
    problem.cost.evaluate(&Crowd { t, x, dim, law }, rng, &mut costs);
    values.iter().sum()
}
