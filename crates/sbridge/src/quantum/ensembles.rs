//! Ensembles of states that the program draws itself.
//!
//! | name         | states                                                                              | labels  |
//! |--------------|-------------------------------------------------------------------------------------|---------|
//! | `product`    | ρ₁ ⊗ ρ₂ ⊗ …, each Q diag(l) Q† over its trace, Q Haar, l uniform on [low, high]       | none    |
//! | `pairwise`   | the same, conjugated by U₁₂ U₃₄ …                                                     | none    |
//! | `full`       | the same, conjugated by the product of all Uᵢⱼ, the last acting first                 | none    |
//! | `mixture`    | product, pairwise from four qubits on, and full, in equal shares                      | 0, 1, 2 |
//! | `thermal`    | exp(−βH)/Z of Ising chains in random fields: β in [0.2, 1.5], fields in [−1, 1]       | none    |
//! | `ghz`        | p GHZ + (1 − p) I/d with a random phase, p in [0.1, 0.9]                              | none    |
//! | `w`          | the same of W, with random phases                                                     | none    |
//! | `werner`     | p \|ψ⁻⟩⟨ψ⁻\| + (1 − p) I/4, p in [0, 0.95]: two qubits                                | none    |
//! | `haar-mixed` | GG†/Tr GG† of complex normals G                                                       | none    |
//!
//! Uᵢⱼ are Haar on U(4), fresh for every state unless they are shared. State i is drawn from the stream i of its seed.
//!
//! Tests: purity, eigenvalues and negativity beside published and closed values (`tests/quantum.rs`).          \[SPDM\]

use faer::c64;
use rayon::prelude::*;

use crate::error::{Error, Result, require_count};
use crate::quantum::haar::{Gate, ginibre, haar_unitary, rotated};
use crate::quantum::mirror::Dual;
use crate::quantum::states::States;
use crate::rng::Rng;

/// A family of random states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensemble {
    /// Products of one-qubit states.
    Product,
    /// Products with neighbours entangled in pairs.
    Pairwise,
    /// Products with all pairs entangled.
    Full,
    /// The three in equal shares.
    Mixture,
    /// Thermal states of Ising chains.
    Thermal,
    /// Noisy Greenberger–Horne–Zeilinger states.
    Ghz,
    /// Noisy W states.
    W,
    /// Werner states of two qubits.
    Werner,
    /// Random mixed states of the Hilbert–Schmidt measure.
    HaarMixed,
}

/// Qubits of a state that is drawn, at most.
const MOST_QUBITS: usize = 7;

/// Which states are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct EnsembleSettings {
    /// Number of states; at least 1.
    pub count: usize,
    /// Qubits of a state; in [1, 7].
    pub qubits: usize,
    /// Least and greatest eigenvalue of a qubit before normalisation.
    pub range: [f64; 2],
    /// Whether the unitaries that entangle are drawn once for all states.
    pub shared: bool,
    /// Seed of the stream.
    pub seed: u64,
}

impl EnsembleSettings {
    /// `count` states of `qubits` by `seed`, with eigenvalues in [0.02, 1] for two qubits and fewer, else in [0.1, 1].
    pub fn new(count: usize, qubits: usize, seed: u64) -> Self {
        let low = if qubits <= 2 { 0.02 } else { 0.1 };
        Self { count, qubits, range: [low, 1.0], shared: false, seed }
    }
}

/// States with the class of each, where there are classes.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The states.
    pub states: States,
    /// Their classes, in the order product, pairwise, full.
    pub labels: Option<Vec<u32>>,
}

impl Ensemble {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Product,
        Self::Pairwise,
        Self::Full,
        Self::Mixture,
        Self::Thermal,
        Self::Ghz,
        Self::W,
        Self::Werner,
        Self::HaarMixed,
    ];

    /// Their names.
    pub const NAMES: [&'static str; 9] =
        ["product", "pairwise", "full", "mixture", "thermal", "ghz", "w", "werner", "haar-mixed"];

    /// The ensemble of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|at| Self::ALL[at])
    }

    /// Draws states.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, or qubits that the ensemble does not have.
    pub fn draw(self, settings: &EnsembleSettings) -> Result<Labelled> {
        self.check(settings)?;
        let (rng, dim) = (Rng::new(settings.seed).fork("states"), 1 << settings.qubits);
        let classes = self.classes(settings.qubits);
        let shared = settings.shared.then(|| gates(settings.qubits, &mut rng.fork("shared")));
        let mut values = vec![c64::new(0.0, 0.0); settings.count * dim * dim];
        values.par_chunks_exact_mut(dim * dim).enumerate().for_each(|(i, out)| {
            let mut rng = rng.fork(&i.to_string());
            out.copy_from_slice(&classes[i % classes.len()].one(settings, shared.as_deref(), &mut rng));
        });
        // Of matrices whose sizes are known to be right.
        let (states, _) = States::repaired(dim, values, Default::default())?;
        let labels =
            (classes.len() > 1).then(|| (0..settings.count).map(|i| (i % classes.len()) as u32).collect());
        Ok(Labelled { states, labels })
    }

    fn check(self, settings: &EnsembleSettings) -> Result<()> {
        let EnsembleSettings { count, qubits, range: [low, high], .. } = *settings;
        require_count("n", count, 1..=100_000_000, "1000 is usual")?;
        require_count("qubits", qubits, 1..=MOST_QUBITS, "2 and 4 are usual")?;
        let least = match self {
            Self::Pairwise | Self::Full | Self::Mixture | Self::Ghz | Self::W => 2,
            _ => 1,
        };
        require_count("qubits", qubits, least..=MOST_QUBITS, "one qubit cannot be entangled")?;
        if self == Self::Werner && qubits != 2 {
            return Err(Error::setting("qubits", "2 for Werner states", qubits, "leave it out"));
        }
        if !(low >= 0.0 && high > low && high.is_finite()) {
            let requirement = "numbers with 0 <= low < high";
            return Err(Error::setting(
                "low and high",
                requirement,
                format!("{low}, {high}"),
                "0.1 and 1 are usual",
            ));
        }
        Ok(())
    }

    /// What the states of it are in turn.
    fn classes(self, qubits: usize) -> Vec<Self> {
        match self {
            Self::Mixture if qubits >= 4 => vec![Self::Product, Self::Pairwise, Self::Full],
            Self::Mixture => vec![Self::Product, Self::Full],
            other => vec![other],
        }
    }

    fn one(self, settings: &EnsembleSettings, shared: Option<&[Gate]>, rng: &mut Rng) -> Vec<c64> {
        let qubits = settings.qubits;
        let dim = 1 << qubits;
        let mut own = || {
            let product = product(settings, rng);
            let own = gates(qubits, rng);
            (product, own)
        };
        match self {
            Self::Product => own().0,
            Self::Pairwise | Self::Full => {
                let (mut matrix, fresh) = own();
                let all = shared.unwrap_or(&fresh);
                let acts = |(i, j): (usize, usize)| self == Self::Full || (i % 2 == 1 && j == i + 1);
                // Read as a product of matrices, so the last acts first.
                let pairs: Vec<((usize, usize), &Gate)> = pairs(qubits).zip(all).collect();
                pairs
                    .iter()
                    .rev()
                    .filter(|(pair, _)| acts(*pair))
                    .for_each(|(_, gate)| gate.conjugate(&mut matrix));
                symmetrise(&mut matrix, dim);
                matrix
            }
            Self::Thermal => thermal(qubits, rng),
            Self::Ghz => {
                let phase = rng.uniform(1, 0.0, std::f64::consts::TAU)[0];
                let mut vector = vec![c64::new(0.0, 0.0); dim];
                (vector[0], vector[dim - 1]) = (c64::new(1.0, 0.0), c64::cis(phase));
                noisy(&vector, rng.uniform(1, 0.1, 0.9)[0])
            }
            Self::W => {
                let phases = rng.uniform(qubits, 0.0, std::f64::consts::TAU);
                let mut vector = vec![c64::new(0.0, 0.0); dim];
                phases.iter().enumerate().for_each(|(qubit, phase)| vector[1 << qubit] = c64::cis(*phase));
                noisy(&vector, rng.uniform(1, 0.1, 0.9)[0])
            }
            Self::Werner => {
                let singlet = [0.0, 1.0, -1.0, 0.0].map(|x| c64::new(x, 0.0));
                noisy(&singlet, rng.uniform(1, 0.0, 0.95)[0])
            }
            Self::HaarMixed => {
                let g = ginibre(dim, dim, rng);
                let mut matrix = vec![c64::new(0.0, 0.0); dim * dim];
                for (i, j) in (0..dim).flat_map(|i| (0..dim).map(move |j| (i, j))) {
                    matrix[i * dim + j] = (0..dim).map(|k| g[i * dim + k] * g[j * dim + k].conj()).sum();
                }
                normalise(&mut matrix, dim);
                matrix
            }
            Self::Mixture => unreachable!("a mixture is drawn class by class"),
        }
    }
}

/// Pairs of qubits, in the order 12, 13, …, 23, ….
fn pairs(qubits: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..=qubits).flat_map(move |i| (i + 1..=qubits).map(move |j| (i, j)))
}

/// A Haar gate for every pair of qubits.
fn gates(qubits: usize, rng: &mut Rng) -> Vec<Gate> {
    pairs(qubits).map(|(i, j)| Gate::new(qubits, [i, j], haar_unitary(4, rng))).collect()
}

/// ρ₁ ⊗ ρ₂ ⊗ …
fn product(settings: &EnsembleSettings, rng: &mut Rng) -> Vec<c64> {
    let [low, high] = settings.range;
    let mut matrix = vec![c64::new(1.0, 0.0)];
    for _ in 0..settings.qubits {
        let mut qubit = rotated(&haar_unitary(2, rng), &rng.uniform(2, low, high));
        normalise(&mut qubit, 2);
        matrix = kronecker(&matrix, &qubit);
    }
    matrix
}

/// x ⊗ y of a square matrix and one of two rows.
fn kronecker(x: &[c64], y: &[c64]) -> Vec<c64> {
    let rows = x.len().isqrt();
    let dim = 2 * rows;
    let entry = |at: usize| {
        let (i, j) = (at / dim, at % dim);
        x[(i / 2) * rows + j / 2] * y[(i % 2) * 2 + j % 2]
    };
    (0..dim * dim).map(entry).collect()
}

/// `share` |v⟩⟨v|/⟨v|v⟩ + (1 − `share`) I/d.
fn noisy(vector: &[c64], share: f64) -> Vec<c64> {
    let dim = vector.len();
    let norm: f64 = vector.iter().map(|z| z.norm_sqr()).sum();
    let mut matrix: Vec<c64> =
        (0..dim * dim).map(|at| vector[at / dim] * vector[at % dim].conj() * (share / norm)).collect();
    (0..dim).for_each(|i| matrix[i * (dim + 1)].re += (1.0 - share) / dim as f64);
    matrix
}

/// exp(−βH)/Z with H = −Σ ZᵢZᵢ₊₁ − Σ (aᵢXᵢ + bᵢZᵢ).
fn thermal(qubits: usize, rng: &mut Rng) -> Vec<c64> {
    let dim = 1 << qubits;
    let beta = rng.uniform(1, 0.2, 1.5)[0];
    let fields = rng.uniform(2 * qubits, -1.0, 1.0);
    let mut exponent = vec![c64::new(0.0, 0.0); dim * dim];
    for row in 0..dim {
        let spin = |qubit: usize| if row >> qubit & 1 == 0 { 1.0 } else { -1.0 };
        let neighbours: f64 = (1..qubits).map(|q| spin(q) * spin(q - 1)).sum();
        let along: f64 = (0..qubits).map(|q| fields[qubits + q] * spin(q)).sum();
        exponent[row * (dim + 1)].re = beta * (neighbours + along);
        (0..qubits).for_each(|q| exponent[row * dim + (row ^ (1 << q))].re += beta * fields[q]);
    }
    Dual::built(dim, exponent).states().values().to_vec()
}

fn normalise(matrix: &mut [c64], dim: usize) {
    let trace: f64 = (0..dim).map(|i| matrix[i * (dim + 1)].re).sum();
    matrix.iter_mut().for_each(|z| *z /= trace);
}

/// Takes rounding out of the symmetry.
fn symmetrise(matrix: &mut [c64], dim: usize) {
    for i in 0..dim {
        for j in 0..=i {
            let mean = (matrix[i * dim + j] + matrix[j * dim + i].conj()) * 0.5;
            (matrix[i * dim + j], matrix[j * dim + i]) = (mean, mean.conj());
        }
    }
}
