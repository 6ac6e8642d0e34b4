//! The mirror map of quantum states and what stands on it, beside identities, closed forms and published values.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{assert_close, device};
use proptest::prelude::*;
use sbridge::latent::{DataScaling, LatentCodec, Normalisation};
use sbridge::net::Autoencoder;
use sbridge::quantum::{
    CodecSettings, Coordinates, Dual, Ensemble, EnsembleSettings, Gate, Gauge, Partition, Repairs,
    StateCodec, States, Validity, bregman_divergence, bures_distance, c64, conjugate, entropies, fidelity,
    haar_unitary, negativities, potential, purities, trace_distance, trace_distances,
};
use sbridge::solver::Dsbm;
use sbridge::solver::alternation::{Alternation, AlternationMethod as _};
use sbridge::tensor::{from_rows, to_vec, to_vec_f64};
use sbridge::{Codec, Direction, PairBridge as _, Rng};

const FULL: (Coordinates, Gauge) = (Coordinates::Isometric, Gauge::Full);
const ALL: [(Coordinates, Gauge); 4] = [
    FULL,
    (Coordinates::Raw, Gauge::Full),
    (Coordinates::Isometric, Gauge::Traceless),
    (Coordinates::Raw, Gauge::Traceless),
];

fn drawn(ensemble: Ensemble, qubits: usize, count: usize, seed: u64) -> States {
    ensemble.draw(&EnsembleSettings::new(count, qubits, seed)).unwrap().states
}

/// Random Hermitian matrices with normal coordinates of this size.
fn hermitian(dim: usize, count: usize, size: f64, seed: u64) -> Dual {
    let mut y = vec![0f32; count * dim * dim];
    Rng::new(seed).fill_normal(&mut y);
    let y: Vec<f64> = y.iter().map(|x| size * f64::from(*x)).collect();
    Dual::of_coordinates(dim, &y, FULL).unwrap()
}

fn product(x: &[c64], y: &[c64]) -> Vec<c64> {
    let dim = x.len().isqrt();
    (0..x.len()).map(|at| (0..dim).map(|k| x[at / dim * dim + k] * y[k * dim + at % dim]).sum()).collect()
}

fn adjoint(x: &[c64]) -> Vec<c64> {
    let dim = x.len().isqrt();
    (0..x.len()).map(|at| x[at % dim * dim + at / dim].conj()).collect()
}

/// U X U† of every matrix.
fn conjugated(values: &[c64], unitary: &[c64]) -> Vec<c64> {
    let of = |x: &[c64]| product(&product(unitary, x), &adjoint(unitary));
    values.chunks_exact(unitary.len()).flat_map(of).collect()
}

fn gap(x: &[c64], y: &[c64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y).norm()).fold(0.0, f64::max)
}

fn inner(x: &[c64], y: &[c64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x.conj() * y).re).sum()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard error of a mean.
fn error(values: &[f64]) -> f64 {
    let m = mean(values);
    (values.iter().map(|x| (x - m).powi(2)).sum::<f64>() / values.len() as f64 / values.len() as f64).sqrt()
}

/// Whether the mean of `values` is `expected`, to 4.5 standard errors and those that the expected value has.
fn assert_mean(values: &[f64], expected: f64, uncertain: f64, what: &str) {
    let allowed = 4.5 * error(values).hypot(uncertain);
    assert_close(mean(values), expected, allowed, what);
}

#[test]
fn states_come_back_from_the_dual_space_and_duals_from_the_states() {
    let states = drawn(Ensemble::HaarMixed, 4, 50, 1);
    let back = Dual::of(&states).states();
    // Mixed with 64 eps of I, and otherwise rounding: 1e-12 with a wide margin.
    assert!(gap(back.values(), states.values()) < 1e-12, "{:.1e}", gap(back.values(), states.values()));
    let exponentials = Dual::of(&states).exponentials();
    assert!(gap(&exponentials, states.values()) < 1e-13);

    // The other way for |Y| up to 10: as far as the smallest eigenvalue, e^-20, keeps its digits beside the largest.
    let dual = hermitian(16, 20, 0.3, 2);
    let again = Dual::of(&dual.states());
    let traceless = |dual: &Dual| dual.coordinates((Coordinates::Isometric, Gauge::Traceless));
    let (a, b) = (traceless(&dual), traceless(&again));
    let far = a.iter().zip(&b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    let most = a.iter().map(|x| x.abs()).fold(0.0, f64::max);
    assert!(far < 1e-10 * most, "{far:.1e} of {most}");
}

#[test]
fn potential_and_conjugate_obey_legendre_and_the_gradient_is_that_of_differences() {
    let states = drawn(Ensemble::HaarMixed, 2, 20, 3);
    let dual = Dual::of(&states);
    let (phi, star) = (potential(&states), conjugate(&dual));
    for (i, (x, y)) in states.matrices().zip(dual.values().chunks_exact(16)).enumerate() {
        assert!((phi[i] + star[i] - inner(x, y)).abs() < 1e-12);
    }
    // Along Hermitian directions without a trace, so that both sides are states.
    let directions = hermitian(4, 20, 1.0, 4);
    for (i, h) in directions.values().chunks_exact(16).enumerate() {
        let mut h = h.to_vec();
        let trace = (0..4).map(|k| h[5 * k].re).sum::<f64>() / 4.0;
        (0..4).for_each(|k| h[5 * k].re -= trace);
        let step = 1e-6 * states.least_eigenvalues()[i];
        let moved = |sign: f64| {
            let x = states.matrices().nth(i).unwrap();
            let values = x.iter().zip(&h).map(|(x, h)| x + h * (sign * step)).collect();
            potential(&States::new(4, values).unwrap())[0]
        };
        let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        let exact = inner(&dual.values()[16 * i..16 * (i + 1)], &h);
        // Rounding of phi over the step.
        assert_close(slope, exact, 1e-14 / step + 1e-6 * exact.abs(), "slope");
    }
    let others = drawn(Ensemble::HaarMixed, 2, 20, 5);
    assert!(bregman_divergence(&states, &others).unwrap().iter().all(|d| *d > 0.0));
    assert!(bregman_divergence(&states, &states).unwrap().iter().all(|d| d.abs() < 1e-12));
}

#[test]
fn diagonal_states_are_probabilities_and_a_qubit_keeps_its_direction() {
    let p = [0.1, 0.2, 0.3, 0.4];
    let diagonal = |values: [f64; 4]| {
        let mut matrix = vec![c64::new(0.0, 0.0); 16];
        (0..4).for_each(|i| matrix[5 * i].re = values[i]);
        matrix
    };
    let dual = Dual::of(&States::new(4, diagonal(p)).unwrap());
    assert!(gap(dual.values(), &diagonal(p.map(|p: f64| 1.0 + p.ln()))) < 1e-14);
    let w = [2.0, -1.0, 0.5, 700.0];
    let total: f64 = w.iter().map(|w: &f64| (w - 700.0).exp()).sum();
    let softmax = Dual::new(4, diagonal(w)).unwrap().states();
    // Mixed with 16 eps of I.
    assert!(gap(softmax.values(), &diagonal(w.map(|w: f64| (w - 700.0).exp() / total))) < 1e-13);

    // (I + r·s)/2 has eigenvalues (1 ± |r|)/2, and its logarithm the direction of r.
    let r = [0.3, -0.5, 0.2];
    let bloch = |a: f64, [x, y, z]: [f64; 3]| {
        vec![c64::new(a + z, 0.0), c64::new(x, -y), c64::new(x, y), c64::new(a - z, 0.0)]
    };
    let state = States::new(2, bloch(0.5, r.map(|x| 0.5 * x))).unwrap();
    let length = r.iter().map(|x| x * x).sum::<f64>().sqrt();
    let eigen = state.eigenvalues();
    assert!(
        (eigen[0] - 0.5 * (1.0 - length)).abs() < 1e-15 && (eigen[1] - 0.5 * (1.0 + length)).abs() < 1e-15
    );
    let (mid, half) = (0.5 * (eigen[0] * eigen[1]).ln(), 0.5 * (eigen[1] / eigen[0]).ln());
    let expected = bloch(1.0 + mid, r.map(|x| half * x / length));
    assert!(gap(Dual::of(&state).values(), &expected) < 1e-14);
}

#[test]
fn the_map_turns_with_the_basis_and_only_isometric_coordinates_keep_their_length() {
    let states = drawn(Ensemble::HaarMixed, 2, 10, 6);
    let unitary = haar_unitary(4, &mut Rng::new(7));
    let turned = States::new(4, conjugated(states.values(), &unitary)).unwrap();
    let (dual, of_turned) = (Dual::of(&states), Dual::of(&turned));
    assert!(gap(of_turned.values(), &conjugated(dual.values(), &unitary)) < 1e-12);
    let norm = |dual: &Dual, kind| dual.coordinates(kind).iter().map(|y| y * y).sum::<f64>().sqrt();
    for gauge in [Gauge::Full, Gauge::Traceless] {
        let change =
            |coordinates| norm(&of_turned, (coordinates, gauge)) / norm(&dual, (coordinates, gauge)) - 1.0;
        assert!(change(Coordinates::Isometric).abs() < 1e-12);
        assert!(change(Coordinates::Raw).abs() > 1e-3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// y ↦ coordinates of U Y U† is orthogonal, so Brownian motion of isometric y is the same law in every basis.
    #[test]
    fn the_isometric_reference_is_the_same_in_every_basis(seed in 0u64..1000, qubits in 1u32..3) {
        let dim = 2usize.pow(qubits);
        let unitary = haar_unitary(dim, &mut Rng::new(seed));
        let rotation = |coordinates| {
            let kind = (coordinates, Gauge::Full);
            let mut basis = vec![0.0; dim.pow(4)];
            (0..dim * dim).for_each(|i| basis[i * (dim * dim + 1)] = 1.0);
            let turned = conjugated(Dual::of_coordinates(dim, &basis, kind).unwrap().values(), &unitary);
            Dual::new(dim, turned).unwrap().coordinates(kind)
        };
        let off = |r: &[f64]| {
            let rows: Vec<&[f64]> = r.chunks_exact(dim * dim).collect();
            let entry = |i: usize, j: usize| rows[i].iter().zip(rows[j]).map(|(x, y)| x * y).sum::<f64>();
            let pairs = (0..rows.len()).flat_map(|i| (0..rows.len()).map(move |j| (i, j)));
            pairs.map(|(i, j)| (entry(i, j) - f64::from(u8::from(i == j))).abs()).fold(0.0, f64::max)
        };
        prop_assert!(off(&rotation(Coordinates::Isometric)) < 1e-12);
        prop_assert!(off(&rotation(Coordinates::Raw)) > 1e-3);
    }

    #[test]
    fn coordinates_come_back_in_every_kind(seed in 0u64..1000, dim in 2usize..6) {
        let dual = hermitian(dim, 3, 2.0, seed);
        for kind in ALL {
            let y = dual.coordinates(kind);
            let again = Dual::of_coordinates(dim, &y, kind).unwrap();
            let far = again.coordinates(kind).iter().zip(&y).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            prop_assert!(far < 1e-13);
            let kept = match kind.1 {
                Gauge::Full => gap(again.values(), dual.values()),
                Gauge::Traceless => gap(again.states().values(), dual.states().values()),
            };
            prop_assert!(kept < 1e-13);
        }
    }

    /// Whatever a network says, a state comes out: to the last bit Hermitian, of trace 1, without a negative eigenvalue.
    #[test]
    fn any_finite_code_is_a_state(seed in 0u64..1000, size in -3.0f64..5.0, qubits in 1u32..5) {
        let dual = hermitian(2usize.pow(qubits), 5, 10f64.powf(size), seed);
        let states = dual.states();
        let found = states.validity();
        prop_assert_eq!(found.valid, 5, "{:?}", found);
        prop_assert_eq!((found.hermitian_error, found.trace_error), (0.0, 0.0));
        prop_assert!(found.least_eigenvalue > 0.0);
    }
}

#[test]
fn the_trace_of_a_dual_is_no_matter() {
    let dual = hermitian(16, 10, 1.0, 8);
    let states = dual.states();
    for shift in [-1000.0, 1000.0] {
        let mut values = dual.values().to_vec();
        values.chunks_exact_mut(256).for_each(|y| (0..16).for_each(|i| y[17 * i].re += shift));
        let shifted = Dual::new(16, values).unwrap().states();
        // The shift costs three digits of the eigenvalues.
        assert!(gap(shifted.values(), states.values()) < 1e-11);
        assert_eq!(shifted.validity().trace_error, 0.0);
    }
}

fn bits(values: &[f64]) -> Vec<c64> {
    values.iter().map(|x| c64::new(*x, 0.0)).collect()
}

/// p|ψ⁻⟩⟨ψ⁻| + (1 − p) I/4.
fn werner(p: f64) -> States {
    let (a, b) = ((1.0 - p) / 4.0, (1.0 + p) / 4.0);
    let rows = [a, 0.0, 0.0, 0.0, 0.0, b, -p / 2.0, 0.0, 0.0, -p / 2.0, b, 0.0, 0.0, 0.0, 0.0, a];
    States::new(4, bits(&rows)).unwrap()
}

#[test]
fn negativity_is_that_of_bell_and_werner_states_and_sees_no_local_change() {
    let a = Partition::new(4, &[1]).unwrap();
    let of = |states: &States| negativities(states, a).unwrap()[0];
    let h = 0.5;
    let bell = [h, 0.0, 0.0, h, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, h, 0.0, 0.0, h];
    assert_close(of(&States::new(4, bits(&bell)).unwrap()), 0.5, 1e-14, "Bell");
    for (p, expected) in [(1.0 / 3.0, 0.0), (0.5, 0.125), (0.8, 0.35)] {
        assert_close(of(&werner(p)), expected, 1e-14, "Werner");
    }
    let products = drawn(Ensemble::Product, 4, 20, 9);
    for chosen in [&[1][..], &[4], &[1, 2], &[1, 3]] {
        let partition = Partition::new(16, chosen).unwrap();
        assert!(negativities(&products, partition).unwrap().iter().all(|n| n.abs() < 1e-13));
    }
    let full = drawn(Ensemble::Full, 4, 20, 10);
    let of = |states: &States, chosen: &[usize]| {
        negativities(states, Partition::new(16, chosen).unwrap()).unwrap()
    };
    let far = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    assert!(far(&of(&full, &[1, 3]), &of(&full, &[2, 4])) < 1e-14);
    // A gate within one side is local; one across the sides is not.
    let gate = |qubits| Gate::new(4, qubits, haar_unitary(4, &mut Rng::new(11)));
    let moved = |qubits| {
        let mut values = full.values().to_vec();
        values.chunks_exact_mut(256).for_each(|x| gate(qubits).conjugate(x));
        States::new(16, values).unwrap()
    };
    assert!(far(&of(&moved([1, 3]), &[1, 3]), &of(&full, &[1, 3])) < 1e-13);
    assert!(far(&of(&moved([1, 2]), &[1, 3]), &of(&full, &[1, 3])) > 1e-3);
    assert_eq!(Partition::usual(16).unwrap().qubits(), [1, 3]);
    for (dim, chosen) in [(6, &[1][..]), (4, &[3]), (4, &[]), (4, &[1, 2])] {
        assert!(Partition::new(dim, chosen).is_err());
    }
}

/// |U₁₁|², |U₁₁|⁴ and Re Tr U of every matrix.
fn moments(unitaries: &[Vec<c64>]) -> [Vec<f64>; 3] {
    let dim = unitaries[0].len().isqrt();
    let square = |u: &Vec<c64>| u[0].norm_sqr();
    let trace = |u: &Vec<c64>| (0..dim).map(|i| u[i * (dim + 1)].re).sum::<f64>();
    [
        unitaries.iter().map(square).collect(),
        unitaries.iter().map(|u| square(u).powi(2)).collect(),
        // The real part of Tr U: phases that are not flat have a mean.
        unitaries.iter().map(trace).collect(),
    ]
}

#[test]
fn unitaries_are_haar_and_would_not_be_without_the_phases() {
    let (dim, count) = (4usize, 4000);
    let mut rng = Rng::new(12);
    let unitaries: Vec<Vec<c64>> = (0..count).map(|_| haar_unitary(dim, &mut rng)).collect();
    let unit = product(&unitaries[0], &adjoint(&unitaries[0]));
    let identity: Vec<f64> = (0..16).map(|at| f64::from(u8::from(at % 5 == 0))).collect();
    assert!(gap(&unit, &bits(&identity)) < 1e-14);
    let [square, fourth, trace] = moments(&unitaries);
    assert_mean(&square, 0.25, 0.0, "E|U|²");
    assert_mean(&fourth, 2.0 / 20.0, 0.0, "E|U|⁴");
    assert_mean(&trace, 0.0, 0.0, "E Re Tr U");
    // A QR decomposition as it comes: the diagonal of R has phases of its own.
    let unfixed = |u: &Vec<c64>, rng: &mut Rng| {
        let mix: Vec<f64> = rng.uniform(2 * dim * dim, -1.0, 1.0);
        let z = faer::Mat::from_fn(dim, dim, |i, j| {
            u[i * dim + j] + c64::new(mix[2 * (i * dim + j)], mix[2 * (i * dim + j) + 1])
        });
        let q = z.qr().compute_Q();
        (0..dim * dim).map(|at| q[(at / dim, at % dim)]).collect::<Vec<c64>>()
    };
    let unfixed: Vec<Vec<c64>> = unitaries.iter().map(|u| unfixed(u, &mut rng)).collect();
    let [_, _, trace] = moments(&unfixed);
    assert!(mean(&trace).abs() > 10.0 * error(&trace), "{} ± {}", mean(&trace), error(&trace));
}

#[test]
fn built_in_states_have_the_purity_spectrum_and_negativity_that_are_known() {
    let count = 1500;
    let [product, pairwise, full] =
        [Ensemble::Product, Ensemble::Pairwise, Ensemble::Full].map(|ensemble| drawn(ensemble, 4, count, 13));
    for states in [&product, &pairwise, &full] {
        assert_mean(&purities(states), 0.565952f64.powi(4), 0.0, "purity");
        let logs: Vec<f64> = states
            .eigenvalues()
            .chunks_exact(16)
            .map(|l| mean(&l.iter().map(|l| l.ln()).collect::<Vec<_>>()))
            .collect();
        assert_mean(&logs, -3.09406, 0.0, "mean log-eigenvalue");
    }
    let of = |states: &States, chosen: &[usize]| {
        negativities(states, Partition::new(16, chosen).unwrap()).unwrap()
    };
    assert_mean(&of(&pairwise, &[1]), 0.0052, 0.0003, "pairwise {1}");
    assert_mean(&of(&pairwise, &[1, 3]), 0.0100, 0.0005, "pairwise {1,3}");
    assert!(of(&pairwise, &[1, 2]).iter().all(|n| *n < 1e-13));
    for (chosen, expected) in [(&[1][..], 0.0266), (&[4], 0.0185), (&[1, 2], 0.0289), (&[1, 3], 0.0315)] {
        assert_mean(&of(&full, chosen), expected, 0.0008, "full");
    }
    // The other order of the gates, which the table tells apart at {1} and {4}.
    assert!((mean(&of(&full, &[1])) - 0.0178).abs() > 4.5 * 0.0008);
    for (low, expected, entangled) in [(0.1, 0.0045, 0.09), (0.02, 0.0163, 0.25), (0.0, 0.0241, 0.30)] {
        let settings = EnsembleSettings { range: [low, 1.0], ..EnsembleSettings::new(3000, 2, 14) };
        let states = Ensemble::Full.draw(&settings).unwrap().states;
        let found = negativities(&states, Partition::new(4, &[1]).unwrap()).unwrap();
        assert_mean(&found, expected, 0.0005, "two qubits");
        let share = found.iter().filter(|n| **n > 1e-12).count() as f64 / 3000.0;
        // 4.5 standard errors of a share near 0.3, and that of the two digits given.
        assert_close(share, entangled, 4.5 * (0.21f64 / 3000.0).sqrt() * 1.5, "share entangled");
    }
    let mixture = Ensemble::Mixture.draw(&EnsembleSettings::new(9, 4, 1)).unwrap();
    assert_eq!(mixture.labels.unwrap(), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    for ensemble in Ensemble::ALL {
        let states = drawn(ensemble, 2, 50, 15);
        states.require_definite().unwrap();
        assert_eq!(states, drawn(ensemble, 2, 80, 15).take(50), "a longer set continues a shorter one");
    }
    let shared = |shared| {
        let settings = EnsembleSettings { shared, range: [0.999_999, 1.0], ..EnsembleSettings::new(3, 2, 1) };
        Ensemble::Full.draw(&settings).unwrap()
    };
    assert_ne!(shared(true).states, shared(false).states);
    assert!(Ensemble::Werner.draw(&EnsembleSettings::new(1, 3, 0)).is_err());
    assert!(Ensemble::Full.draw(&EnsembleSettings::new(1, 1, 0)).is_err());
}

#[test]
fn a_gate_does_nothing_to_other_qubits() {
    let gate = Gate::new(4, [1, 3], haar_unitary(4, &mut Rng::new(16))).whole();
    let on = |qubits: [usize; 2]| Gate::new(4, qubits, haar_unitary(4, &mut Rng::new(17))).whole();
    let commutator = |other: &[c64]| gap(&product(&gate, other), &product(other, &gate));
    assert!(commutator(&on([2, 4])) < 1e-14);
    assert!(commutator(&on([1, 2])) > 1e-2);
}

#[test]
fn distances_between_states_are_those_of_pure_and_commuting_ones() {
    let pure = |angle: f64| {
        let (c, s) = (angle.cos(), angle.sin());
        States::new(2, bits(&[c * c, c * s, c * s, s * s])).unwrap()
    };
    let (x, y) = (pure(0.0), pure(0.4));
    let overlap = 0.4f64.cos().powi(2);
    // The square root of a rounded zero is 1e-8.
    assert_close(fidelity(&x, &y).unwrap()[0], overlap, 1e-7, "fidelity of pure states");
    assert_close(trace_distance(&x, &y).unwrap()[0], (1.0 - overlap).sqrt(), 1e-14, "trace distance");
    let diagonal = |p: f64| States::new(2, bits(&[p, 0.0, 0.0, 1.0 - p])).unwrap();
    let (x, y) = (diagonal(0.2), diagonal(0.7));
    let classical = ((0.2f64 * 0.7).sqrt() + (0.8f64 * 0.3).sqrt()).powi(2);
    assert_close(fidelity(&x, &y).unwrap()[0], classical, 1e-14, "fidelity of commuting states");
    assert_close(trace_distances(&x, &y).unwrap()[0], 0.5, 1e-15, "trace distance");
    assert_close(bures_distance(1.0), 0.0, 0.0, "Bures distance of equals");
    let h = -(0.2f64.ln() * 0.2 + 0.8f64.ln() * 0.8);
    assert_close(entropies(&x)[0], h, 1e-14, "entropy");
    let states = drawn(Ensemble::HaarMixed, 2, 10, 18);
    assert!(fidelity(&states, &states).unwrap().iter().all(|f| (f - 1.0).abs() < 1e-12));
}

#[test]
fn a_codec_has_one_scale_and_codecs_stand_behind_each_other() {
    let states = drawn(Ensemble::Mixture, 4, 600, 19);
    for (coordinates, gauge) in ALL {
        let settings = CodecSettings { coordinates, gauge, entries: false };
        let codec = StateCodec::measured(settings, &[&states], &device()).unwrap();
        let codes = codec.codes(&states);
        assert!((mean(&codes.iter().map(|x| x * x).collect::<Vec<_>>()) - 1.0).abs() < 1e-12);
        assert!(gap(codec.states(&codes).values(), states.values()) < 1e-12);
        // Codes in single precision.
        assert!(gap(codec.decode(&codec.encode(&states)).values(), states.values()) < 1e-6);
    }
    let codec = StateCodec::measured(CodecSettings::default(), &[&states], &device()).unwrap();
    let (mean_of, scale) = codec.units();
    let length = mean_of.iter().map(|x| x * x).sum::<f64>().sqrt();
    // Of the specification, measured to its digits.
    assert_close(length, 8.4, 0.1, "length of the mean");
    assert_close(mean_of[..16].iter().sum::<f64>() / 16.0, -2.10, 0.02, "mean of the diagonal");
    assert!((0.18..0.26).contains(&scale), "{scale}");

    let rows = codec.encode(&states);
    let nothing: Option<LatentCodec> = None;
    assert_eq!(to_vec(nothing.encode(&rows)), to_vec(rows.clone()));
    let latent = || {
        let scaling = DataScaling::of_vectors(&(rows.clone() * 3.0));
        LatentCodec::measured(Autoencoder::identity(256), scaling, Normalisation::Global, &rows).0
    };
    let both = (codec, Some(latent()));
    let codes = both.encode(&states);
    assert_eq!(to_vec(codes.clone()), to_vec(latent().encode(&rows)));
    assert!(gap(both.decode(&codes).values(), states.values()) < 1e-5);
    let same = drawn(Ensemble::Product, 1, 1, 1);
    assert!(StateCodec::measured(CodecSettings::default(), &[&same], &device()).is_err());
}

#[test]
fn gaussian_duals_are_reproduced_and_so_are_states_by_an_untrained_network() {
    // Codes N(m, C), C with a wide direction: the drift between Gaussians is known, and nothing is left to learn.
    let (count, dim) = (6000, 4);
    let mut rng = Rng::new(20);
    let noise = |rng: &mut Rng, count| to_vec_f64(rng.normal([count, dim], &device()));
    let row = |z: &[f64]| [0.5 + 1.5 * z[0], -0.3 + 0.6 * z[1] + 0.8 * z[0], 0.4 * z[2], 1.0 + z[3]];
    let y: Vec<f64> = noise(&mut rng, count).chunks_exact(dim).flat_map(row).collect();
    let states = Dual::of_coordinates(2, &y, FULL).unwrap().states();
    let codec = StateCodec::measured(CodecSettings::default(), &[&states], &device()).unwrap();
    let (target, source) = (codec.encode(&states), rng.normal([count, dim], &device()));
    let mut settings = Dsbm.defaults();
    (settings.half_bridges, settings.net.mlp.width) = (2, 8);
    let mut alternation = Alternation::new(&source, &target, None, 1.0, settings, rng.fork("fit")).unwrap();
    while alternation.next().is_some() {
        alternation.learn(|_, net, _, _| Ok::<_, sbridge::Error>(net)).unwrap();
    }
    let fresh = rng.normal([count, dim], &device());
    let codes = alternation.bridge().transport(Direction::Forward, &fresh, &mut rng);
    let (found, expected) = (to_vec_f64(codes.clone()), to_vec_f64(target));
    let moment = |rows: &[f64], i: usize, j: usize| {
        rows.chunks_exact(dim).map(|z| z[i] * z[j]).sum::<f64>() / count as f64
    };
    for (i, j) in (0..dim).flat_map(|i| (0..=i).map(move |j| (i, j))) {
        // Two samples, each with an error of √(2/n) times the largest variance; and N = 20 steps.
        let allowed = 4.5 * 2.0 * (1.0 / count as f64).sqrt() * 3.0;
        assert_close(moment(&found, i, j), moment(&expected, i, j), allowed, "second moment");
    }
    let found = codec.decode(&codes).validity();
    assert_eq!((found.valid, found.count), (count, count));

    // Without the mirror map noise leaves the states, though all that it was fitted to are such.
    let entries = CodecSettings { entries: true, ..CodecSettings::default() };
    let pure = States::new(2, bits(&[1.0, 0.0, 0.0, 0.0])).unwrap();
    let edge = States::new(2, [states.take(50).values(), pure.values()].concat()).unwrap();
    let plain = StateCodec::measured(entries, &[&edge], &device()).unwrap();
    let outside = plain.decode(&from_rows(&to_vec(fresh), dim, &device()));
    assert!(outside.validity().negative > count / 100);
}

#[test]
fn matrices_that_are_no_states_are_refused_with_value_and_fix_and_repaired_if_asked() {
    let refused = |dim, rows: &[f64]| States::new(dim, bits(rows)).unwrap_err().to_string();
    assert!(refused(2, &[0.5, 0.1, 0.3, 0.5]).contains("2.000e-1 from being conjugate (--symmetrise"));
    assert!(refused(2, &[0.5, 0.0, 0.0, 0.6]).contains("trace 1.100000, a state has 1 (--normalise"));
    assert!(refused(2, &[1.5, 0.0, 0.0, -0.5]).contains("negative eigenvalue -5.000e-1"));
    assert!(refused(2, &[f64::NAN, 0.0, 0.0, 1.0]).contains("at row 0, column 0"));
    assert!(refused(2, &[0.5, 0.0, 0.0]).contains("[count, 2, 2]"));
    let both = Repairs { symmetrise: true, normalise: true };
    let rows = [bits(&[0.5, 0.1, 0.3, 0.6]), bits(&[0.5, 0.0, 0.0, 0.5])].concat();
    let (states, repaired) = States::repaired(2, rows, both).unwrap();
    assert_eq!((repaired.symmetrised, repaired.normalised, states.count()), (1, 1, 2));
    // Rounding of single precision passes, and is taken out.
    let rounded = States::new(2, bits(&[0.500_000_1, 0.1, 0.100_000_01, 0.5])).unwrap();
    assert!(rounded.validity().hermitian_error == 0.0 && rounded.validity().trace_error < 1e-15);

    let singular = States::new(2, bits(&[1.0, 0.0, 0.0, 0.0])).unwrap();
    assert!(singular.require_definite().unwrap_err().to_string().contains("set depolarise = 0.001"));
    let mixed = singular.depolarised(1e-3).unwrap();
    mixed.require_definite().unwrap();
    assert_close(mixed.least_eigenvalues()[0], 5e-4, 1e-15, "least eigenvalue");
    assert!(singular.depolarised(1.5).is_err());
    let found = Validity::of(&bits(&[1.5, 0.0, 0.0, -0.5]), 2);
    assert_eq!((found.valid, found.negative, found.count), (0, 1, 1));
}
