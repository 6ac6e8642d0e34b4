//! Opinions that polarise: everybody moves with those who agree on what is talked of.                    \[DeepGSB; GSBM\]
//!
//! f = s(t) k sgn⟨x, ξₜ⟩ D/√|D|,   D = E\[sgn⟨y, ξₜ⟩ y/√|y|\],   s(t) = clip(1 − e^{8(t−1)} + 10⁻⁵, 10⁻⁴, 1)⁵, sgn 0 = −1,
//!
//! with a fixed random stream of unit vectors ξ and y from the crowd as it is.

use std::sync::Arc;

use crate::crowd::BaseDrift;
use crate::rng::Rng;

/// Times at which ξ is drawn.
const STREAM: usize = 500;

/// ξ at equal steps of time, `[500][dim]`: an Ornstein–Uhlenbeck process, of unit length.
pub fn party_stream(dim: usize, rng: &mut Rng) -> Vec<f64> {
    let dt = 1.0 / STREAM as f64;
    let (mut state, mut noise) = (vec![0f32; dim], vec![0f32; dim]);
    rng.fill_normal(&mut state);
    let mut state: Vec<f64> = state.into_iter().map(f64::from).collect();
    let mut stream = Vec::with_capacity(STREAM * dim);
    for _ in 0..STREAM {
        let length = norm(&state).max(f64::MIN_POSITIVE);
        stream.extend(state.iter().map(|x| x / length));
        rng.fill_normal(&mut noise);
        for (x, z) in state.iter_mut().zip(&noise) {
            *x += -2.0 * *x * dt + 0.4 * dt.sqrt() * f64::from(*z);
        }
    }
    stream
}

/// The drift that polarises.
#[derive(Clone)]
pub struct Polarising {
    rate: f64,
    dim: usize,
    stream: Arc<Vec<f64>>,
    /// D/√|D| at equal times from 0 to 1, `[times, dim]`; nothing as long as the crowd is not known.
    pulls: Vec<f64>,
}

impl Polarising {
    /// Of strength `rate` along `stream`, as [`party_stream`] draws it, before a crowd is known: without a pull.
    pub fn new(rate: f64, stream: Vec<f64>, dim: usize) -> Self {
        Self { rate, dim, stream: Arc::new(stream), pulls: Vec::new() }
    }

    fn party(&self, t: f64) -> &[f64] {
        let step = ((t * STREAM as f64) as usize).min(STREAM - 1);
        &self.stream[step * self.dim..(step + 1) * self.dim]
    }

    /// D/√|D| of a crowd `[count, dim]`.
    fn pull_of(&self, t: f64, crowd: &[f64]) -> Vec<f64> {
        let (party, mut sum) = (self.party(t), vec![0.0; self.dim]);
        for y in crowd.chunks_exact(self.dim) {
            let weight = sign(dot(y, party)) / norm(y).sqrt().max(f64::MIN_POSITIVE);
            sum.iter_mut().zip(y).for_each(|(sum, y)| *sum += weight * y);
        }
        let count = (crowd.len() / self.dim).max(1) as f64;
        sum.iter_mut().for_each(|x| *x /= count);
        let root = norm(&sum).sqrt().max(f64::MIN_POSITIVE);
        sum.into_iter().map(|x| x / root).collect()
    }
}

impl BaseDrift for Polarising {
    fn drift(&self, t: f64, x: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        let times = self.pulls.len() / self.dim;
        if times == 0 {
            return;
        }
        let at = ((t * (times - 1) as f64).round() as usize).min(times - 1);
        let fade = (1.0 - (8.0 * (t - 1.0)).exp() + 1e-5).clamp(1e-4, 1.0).powi(5);
        let scale = fade * self.rate * sign(dot(x, self.party(t)));
        let pull = &self.pulls[at * self.dim..(at + 1) * self.dim];
        out.iter_mut().zip(pull).for_each(|(out, d)| *out = scale * d);
    }

    fn given(&self, states: &[Vec<f64>]) -> Option<Arc<dyn BaseDrift>> {
        let last = (states.len() - 1).max(1) as f64;
        let pulls = states.iter().enumerate().flat_map(|(k, crowd)| self.pull_of(k as f64 / last, crowd));
        Some(Arc::new(Self { pulls: pulls.collect(), ..self.clone() }))
    }
}

/// 1 − angle/π of `count` random pairs of the centred rows of `crowd`, `[rows, dim]`: near 0 and 1 where opinions are
/// polarised, near ½ in high dimension where they are mixed.
pub fn directional_similarity(crowd: &[f64], dim: usize, count: usize, rng: &mut Rng) -> Vec<f64> {
    let rows = crowd.len() / dim;
    let mut mean = vec![0.0; dim];
    for row in crowd.chunks_exact(dim) {
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += x / rows as f64);
    }
    let centred = |i: usize| -> Vec<f64> {
        crowd[i * dim..(i + 1) * dim].iter().zip(&mean).map(|(x, m)| x - m).collect()
    };
    let (first, second) = (rng.indices(count, rows), rng.indices(count, rows));
    let pairs = first.into_iter().zip(second).filter(|(i, j)| i != j);
    pairs
        .map(|(i, j)| {
            let (a, b) = (centred(i), centred(j));
            let cosine = dot(&a, &b) / (norm(&a) * norm(&b)).max(f64::MIN_POSITIVE);
            1.0 - cosine.clamp(-1.0, 1.0).acos() / std::f64::consts::PI
        })
        .collect()
}

fn sign(x: f64) -> f64 {
    if x > 0.0 { 1.0 } else { -1.0 }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}
