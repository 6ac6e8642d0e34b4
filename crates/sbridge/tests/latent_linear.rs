//! Latent bridges with linear encoders and decoders, where every term of the error decomposition is
//! known: W2(D#π̃, p_data) ≤ L_D [W2(π̃, π) + W2(π, q_v) + W2(q_v, p)] + W2(D#p, p_data).
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::ops::ControlFlow;

use common::{assert_close, device, in_f64, output_covariance, output_variance, responses};
use faer::{Mat, mat};
use sbridge::Codec as _;
use sbridge::eval::{
    Decomposition, TermName, decoder_lipschitz, decompose, encoder_lipschitz, reconstruction_error,
};
use sbridge::latent::{DataScaling, LatentCodec, LatentModel, Normaliser, SamplerSettings, StartLaw};
use sbridge::marginal::{Empirical, Gaussian};
use sbridge::net::{
    Autoencoder, AutoencoderKind, AutoencoderSettings, NoisePredictor, Parametrisation, ResidualMlpSettings,
    load_weights, weights_of,
};
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid};
use sbridge::tensor::{DType, Tensor, from_rows, from_rows_f64, to_vec, to_vec_f64};
use sbridge::{Error, Rng};
use sbridge_ot::{Points, bures_wasserstein2, wasserstein2};

/// Two orthonormal directions of ℝ⁴ with entries that f32 holds exactly, and one orthogonal to both.
const AXES: [[f32; 4]; 2] = [[0.5, 0.5, 0.5, 0.5], [0.5, -0.5, 0.5, -0.5]];
const ACROSS: [f64; 4] = [0.5, 0.5, -0.5, -0.5];

/// x ↦ (x, −x), which a rectifier keeps whole: columns of M, then those of −M.
fn split(matrix: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let both = |row: &Vec<f32>| row.iter().copied().chain(row.iter().map(|x| -x)).collect();
    matrix.iter().map(both).collect()
}

/// (x⁺, x⁻) ↦ (x⁺ − x⁻) M: rows of M, then those of −M.
fn join(matrix: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let negated = matrix.iter().map(|row| row.iter().map(|x| -x).collect());
    matrix.iter().cloned().chain(negated).collect()
}

fn identity(size: usize) -> Vec<Vec<f32>> {
    (0..size).map(|i| (0..size).map(|j| f32::from(u8::from(i == j))).collect()).collect()
}

/// The dense autoencoder with E(x) = xA/c and D(z) = cz Aᵀ, where the columns of A are [`AXES`].
fn linear_autoencoder(scale: f32) -> Autoencoder {
    let settings = AutoencoderSettings { latent_dim: 2, channels: 1, hidden: 4 };
    let net = Autoencoder::new(&AutoencoderKind::Vector { dim: 4 }, &settings, &mut Rng::new(1), &device());
    let down: Vec<Vec<f32>> = (0..4).map(|i| AXES.iter().map(|axis| axis[i] / scale).collect()).collect();
    let up: Vec<Vec<f32>> = AXES.iter().map(|axis| axis.iter().map(|x| x * scale).collect()).collect();
    // The last layer also gives log-variances, which stay at zero.
    let with_zeros = |mut rows: Vec<Vec<f32>>| {
        rows.iter_mut().for_each(|row| row.extend([0.0, 0.0]));
        rows
    };
    let layers = [
        ("encoder.0", split(&down)),
        ("encoder.1", identity(4)),
        ("encoder.2", with_zeros(join(&identity(2)))),
        ("decoder.0", split(&identity(2))),
        ("decoder.1", identity(4)),
        ("decoder.2", join(&up)),
    ];
    let mut weights = weights_of(&net);
    for (layer, matrix) in layers {
        let named = |end: &str| {
            let wanted = format!("{layer}.{end}");
            weights.keys().find(|name| name.ends_with(&wanted)).cloned().expect("a layer of the network")
        };
        let (weight, bias) = (named("weight"), named("bias"));
        weights.get_mut(&weight).unwrap().1 = matrix.concat();
        weights.get_mut(&bias).unwrap().1.fill(0.0);
    }
    load_weights(net, weights).unwrap()
}

/// A model whose data and codes are not rescaled, and whose score is that of N(0, I).
fn linear_model(scale: f32, codes: Tensor<2>, epsilon: f64) -> LatentModel {
    let row = |size, value: f64| Tensor::full([1, size], value, (&device(), codes.dtype()));
    let settings = ResidualMlpSettings { width: 4, blocks: 1, time_features: 2 };
    LatentModel {
        codec: LatentCodec {
            scaling: DataScaling { offset: row(4, 0.0), scale: row(4, 1.0), range: None },
            autoencoder: linear_autoencoder(scale),
            normaliser: Normaliser { mean: row(2, 0.0), scale: row(2, 1.0) },
        },
        predictor: NoisePredictor::new(
            2,
            Parametrisation::Preconditioned,
            &settings,
            &mut Rng::new(1),
            &device(),
        ),
        ratio: None,
        codes,
        held_out: None,
        epsilon,
        v_min: 1e-4,
    }
}

/// The same, computing in f64 throughout.
fn linear_model_f64(scale: f32) -> LatentModel {
    let codes = from_rows_f64(&[0.0, 0.0], 2, &device());
    let mut model = linear_model(scale, codes, 1.0);
    model.codec.autoencoder = in_f64(model.codec.autoencoder);
    model
}

fn cloud(rows: &Tensor<2>) -> Points {
    Points::new(to_vec_f64(rows.clone()), rows.dims()[1]).unwrap()
}

// ---- Autoencoder error under a shift ----

#[test]
fn a_shift_across_the_decoders_range_is_the_whole_reconstruction_error() {
    let model = linear_model_f64(1.0);
    let codes = from_rows_f64(&Rng::new(2).uniform(400, -1.0, 1.0), 2, &device());
    let pretrain = model.codec.decode(&codes);
    // Sums and differences of four products of order one.
    assert!(reconstruction_error(&model, &pretrain) < 1e-10);
    for delta in [0.1, 1.0] {
        let across: Vec<f64> = ACROSS.iter().map(|x| delta * x).collect();
        let target = pretrain.clone() + from_rows_f64(&across, 4, &device());
        let restored = model.codec.decode(&model.codec.encode(&target));
        let w2 = wasserstein2(&cloud(&restored), &cloud(&target)).unwrap();
        let shift = wasserstein2(&cloud(&pretrain), &cloud(&target)).unwrap();
        assert_close(w2, delta, 1e-10, "W2(D#p, p_data)");
        assert_close(shift, delta, 1e-10, "W2(p̃, p_data)");
        assert_close(reconstruction_error(&model, &target), delta, 1e-10, "R(p_data)");
        // R(p̃) + (1 + L_D L_E) δ with both constants one.
        assert!(w2 <= 2.0 * delta);
    }
}

// ---- The decoder's scale ----

#[test]
fn the_decoder_scales_the_latent_error_by_its_lipschitz_constant() {
    let law = Empirical::new(from_rows_f64(&[0.2, -0.4], 2, &device()));
    let variances = VarGrid::Uniform.variances(1.0, 0.1, 200).unwrap();
    let denoiser = Denoiser::new(variances, StepRule::Euler, EndRule::Plain).unwrap();
    let codes = responses(&denoiser, &law, DType::F64);
    for scale in [0.5, 1.0, 3.0] {
        let model = linear_model_f64(scale);
        let flat: Vec<f64> =
            codes.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect();
        let origin = to_vec_f64(model.codec.decode(&from_rows_f64(&[0.0, 0.0], 2, &device())));
        let decoded = to_vec_f64(model.codec.decode(&from_rows_f64(&flat, 2, &device())));
        let squares = decoded.chunks(4).flat_map(|x| x.iter().zip(&origin).map(|(a, b)| (a - b).powi(2)));
        // The distance to one point is root mean square; the start has variance ε = 1 as every draw.
        let w2 = squares.sum::<f64>().sqrt();
        // 0.10251660 is the variance left in each of two dimensions by 200 steps; eight decimals.
        let expected = f64::from(scale) * f64::sqrt(2.0 * 0.102_516_60);
        assert_close(w2, expected, 1e-7, &format!("c = {scale}"));
    }
}

#[test]
fn empirical_lipschitz_constants_of_linear_maps_are_their_norms() {
    let mut rng = Rng::new(4);
    for scale in [0.5, 3.0] {
        let model = linear_model_f64(scale);
        let codes = from_rows_f64(&rng.uniform(40, -1.0, 1.0), 2, &device());
        // The displacement is taken as the difference of rounded points, at 1/50 of their size.
        assert_close(decoder_lipschitz(&model.codec, &codes, &mut rng), f64::from(scale), 1e-10, "L_D");
        let rows = model.codec.decode(&codes);
        let encoder = encoder_lipschitz(&model.codec, &rows, &mut rng);
        // Of ℝ⁴ the encoder sees a plane, which one sweep finds; its weights are 1/c in f32.
        assert_close(encoder, 1.0 / f64::from(scale), 1e-7, "L_E");
    }
}

// ---- The inequality, exactly ----

fn w2(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let law = |cov: &Mat<f64>| sbridge_ot::Gaussian::new(vec![0.0; cov.nrows()], cov.clone()).unwrap();
    bures_wasserstein2(&law(a), &law(b)).unwrap().sqrt()
}

fn plus(cov: &Mat<f64>, var: f64) -> Mat<f64> {
    cov + faer::Scale(var) * Mat::<f64>::identity(cov.nrows(), cov.nrows())
}

/// Covariance after the bridge of N(0, model I) has carried N(0, start I) from ε down to v, without
/// step error: with u = s² + v, V/u² + … is the solution of dV/dv = 2V/u − 1.
fn continuous_variance(model: f64, start: f64, epsilon: f64, v: f64) -> f64 {
    let (first, last) = (model + epsilon, model + v);
    last * last * (start / (first * first) + 1.0 / last - 1.0 / first)
}

fn normal(cov: &Mat<f64>) -> Gaussian {
    let law = sbridge_ot::Gaussian::new(vec![0.0; cov.nrows()], cov.clone()).unwrap();
    Gaussian::new(&law, DType::F64, &device()).unwrap()
}

#[test]
fn fine_steps_reach_the_variance_of_the_continuous_bridge() {
    for (model, start) in [(0.8, 4.0), (0.3, 4.5)] {
        let law = Gaussian::isotropic(&[0.0], model, DType::F64, &device());
        let exact = continuous_variance(model, start, 4.0, 0.04);
        let gap = |steps| {
            let variances = VarGrid::Geometric.variances(4.0, 0.01, steps).unwrap();
            let denoiser = Denoiser::new(variances, StepRule::Euler, EndRule::Plain).unwrap();
            output_variance(&denoiser, &law, start, DType::F64) - exact
        };
        // First order: halving the steps halves the gap, up to the next order at 400 steps.
        assert_close(gap(400) / gap(800), 2.0, 0.02, &format!("s² = {model}"));
    }
}

/// ε, 1 − T, steps, correlation of the codes, relative error of the model's variances, distance of
/// the data from the decoder's range, scale of the decoder.
type Run = (f64, f64, usize, f64, f64, f64, f64);

/// Runs in which each term in turn is the largest.
const RUNS: [(&str, Run); 5] = [
    ("step error", (16.0, 0.001, 10, 0.0, 0.0, 0.1, 1.0)),
    ("score and start error", (4.0, 0.01, 1000, 0.3, 0.5, 0.0, 3.0)),
    ("score and start error", (1.0, 0.01, 100, 0.0, 0.0, 0.1, 1.0)),
    ("stopping error", (16.0, 0.05, 200, 0.0, 0.0, 0.0, 3.0)),
    ("autoencoder error", (16.0, 0.001, 50, 0.1, 0.1, 0.5, 0.5)),
];

/// Covariance of decoded codes, `[4, 4]`.
fn decoded(model: &LatentModel, cov: &Mat<f64>) -> Mat<f64> {
    let columns = to_vec_f64(model.codec.decode(&from_rows_f64(&[1.0, 0.0, 0.0, 1.0], 2, &device())));
    let map = Mat::from_fn(4, 2, |i, j| columns[j * 4 + i]);
    &map * cov * map.transpose()
}

/// The end-to-end error of a run and the terms of its bound, all exact.
fn errors(run: Run) -> (f64, [(&'static str, f64); 4]) {
    let (epsilon, one_minus_t, steps, correlation, wrong, across, scale) = run;
    let v = epsilon * one_minus_t;
    let clean = mat![[1.0, correlation], [correlation, 0.4]];
    // The model takes the codes for uncorrelated.
    let believed = [1.0 + wrong, 0.4 * (1.0 - wrong)];
    let variances = VarGrid::Geometric.variances(epsilon, one_minus_t, steps).unwrap();
    let denoiser = Denoiser::new(variances, StepRule::Euler, EndRule::Plain).unwrap();
    let score = normal(&mat![[believed[0], 0.0], [0.0, believed[1]]]);
    let sampled = output_covariance(&denoiser, &score, &plus(&Mat::zeros(2, 2), epsilon));
    let continuous = |j: usize| continuous_variance(believed[j], epsilon, epsilon, v);
    let limit = mat![[continuous(0), 0.0], [0.0, continuous(1)]];

    let model = linear_model_f64(scale as f32);
    let data = decoded(&model, &clean) + Mat::from_fn(4, 4, |i, j| across * across * ACROSS[i] * ACROSS[j]);
    let noisy = plus(&clean, v);
    let terms = [
        ("step error", scale * w2(&sampled, &limit)),
        ("score and start error", scale * w2(&limit, &noisy)),
        ("stopping error", scale * w2(&noisy, &clean)),
        ("autoencoder error", w2(&decoded(&model, &clean), &data)),
    ];
    (w2(&decoded(&model, &sampled), &data), terms)
}

#[test]
fn every_run_with_gaussian_codes_obeys_the_inequality() {
    for (expected, run) in RUNS {
        let (end_to_end, terms) = errors(run);
        let bound: f64 = terms.iter().map(|(_, value)| value).sum();
        let (name, largest) = terms.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        println!("end to end {end_to_end:.4} ≤ {bound:.4}, most of it the {name}, {largest:.4}");
        assert_eq!(*name, expected, "{run:?}: {terms:?}");
        // W2² is good to the rounding of traces of order ten, 10⁻¹⁴; a W2 that vanishes, to its root.
        assert!(end_to_end <= bound + 1e-6, "{run:?}: {end_to_end} > {bound}: {terms:?}");
        let (epsilon, one_minus_t, .., across, scale) = run;
        assert_close(terms[3].1, across, 1e-6, "W2(D#p, p_data)");
        assert!(terms[2].1 <= scale * (2.0 * epsilon * one_minus_t).sqrt());
    }
}

// ---- The inequality, measured ----

#[test]
fn measured_decomposition_of_a_linear_model_has_the_known_terms() {
    let (scale, across, epsilon, count) = (3.0, 0.5, 4.0, 600);
    let mut rng = Rng::new(6);
    let model = linear_model(scale, rng.normal([500, 2], &device()), epsilon);
    let plane = model.codec.decode(&rng.normal([count, 2], &device()));
    let out: Vec<f32> = to_vec(rng.normal([count, 1], &device()));
    let out = from_rows(&out, 1, &device()) * across;
    let reference = plane + out.clone().matmul(from_rows(&ACROSS.map(|x| x as f32), 4, &device()));
    let pretrain = model.codec.decode(&rng.normal([count / 2, 2], &device()));
    let settings = SamplerSettings {
        start: StartLaw::GaussianMoment,
        grid: VarGrid::Uniform,
        steps: 50,
        one_minus_t: 0.02,
        step: StepRule::Euler,
        end: EndRule::Plain,
    };
    let measured = decompose(&model, &settings, &reference, Some(&pretrain), &rng).unwrap();
    assert_eq!(measured.matched, count / 2);
    let term = |name: TermName| measured.value(name).unwrap_or_else(|| panic!("no term {name}"));
    for term in &measured.terms {
        println!("{:28} {:8.4}  floor {:?}", term.name, term.value, term.floor);
    }
    // Slopes are taken over 1/50 of the spread, so f32 rounds them to 10⁻⁵.
    assert_close(term(TermName::DecoderLipschitz), f64::from(scale), 1e-3, "L_D");
    assert!(
        (0.9..1.0 + 1e-3).contains(&(term(TermName::EncoderLipschitz) * f64::from(scale))),
        "L_E {}",
        term(TermName::EncoderLipschitz)
    );
    let rms = to_vec_f64(out.powi_scalar(2).mean())[0].sqrt();
    assert_close(term(TermName::Reconstruction), rms, 1e-5, "R(p_data)"); // what lies across, in f32
    assert!(term(TermName::PretrainReconstruction) < 1e-5, "R(p̃) {}", term(TermName::PretrainReconstruction)); // rounding in f32
    assert_close(term(TermName::StoppingError), f64::sqrt(2.0 * epsilon * 0.02), 1e-12, "√(d* v_end)");
    assert!(term(TermName::EndToEnd) <= term(TermName::EndToEndBound));
    assert!(term(TermName::Reconstruction) <= term(TermName::ReconstructionBound));
    // The score is exact here, which leaves the start, the steps, and the distance of two samples of
    // 300 points, the floor. A start from codes six times as wide is seen.
    let is_near_floor = |measured: &Decomposition| {
        let error = measured.terms.iter().find(|term| term.name == TermName::LatentError).unwrap();
        println!("{error:?}");
        error.value < 2.0 * error.floor.unwrap()
    };
    let wide = linear_model(scale, rng.normal([500, 2], &device()) * 6.0, epsilon);
    assert!(is_near_floor(&measured));
    assert!(!is_near_floor(&decompose(&wide, &settings, &reference, None, &rng).unwrap()));
}

#[test]
fn samples_of_a_linear_model_have_the_codes_law() {
    let model = linear_model(1.0, Rng::new(7).normal([2000, 2], &device()), 4.0);
    let settings = SamplerSettings { one_minus_t: 1e-3, ..SamplerSettings::default() };
    let mut done = Vec::new();
    // As many blocks are drawn between two calls as there are threads.
    let two_threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let codes = two_threads
        .install(|| {
            model.sample_codes(2000, &settings, &Rng::new(8), &mut |count| {
                done.push(count);
                ControlFlow::Continue(())
            })
        })
        .unwrap();
    assert_eq!(done, [1000, 2000]);
    // 4.5 standard errors √(2/2000) of the samples and as much of the codes that set the start;
    // Tweedie at the end takes off the variance of the last noise, 4·10⁻³, and a step's worth.
    let allowed = 4.5 * (2.0 * 2.0 / 2000.0_f64).sqrt();
    let cov = cloud(&codes).covariance().unwrap();
    for j in 0..2 {
        assert_close(cov[(j, j)], 1.0, allowed, "variance of codes");
    }
    // A start from codes four times as wide is seen.
    let wide = linear_model(1.0, Rng::new(7).normal([2000, 2], &device()) * 4.0, 4.0);
    let from_wide = wide.sample_codes(2000, &settings, &Rng::new(8), &mut |_| ControlFlow::Continue(()));
    assert!((cloud(&from_wide.unwrap()).covariance().unwrap()[(0, 0)] - 1.0).abs() > allowed);
    let again =
        model.sample_codes(2000, &settings, &Rng::new(8), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(to_vec(again), to_vec(codes));
    let stopped = model.sample_codes(2000, &settings, &Rng::new(8), &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(Error::Interrupted)));
}

#[test]
fn noise_levels_the_score_was_not_trained_at_are_refused() {
    let mut model = linear_model(1.0, Rng::new(9).normal([10, 2], &device()), 4.0);
    model.v_min = 0.5;
    let refusal =
        model.sample_codes(1, &SamplerSettings::default(), &Rng::new(1), &mut |_| ControlFlow::Continue(()));
    let message = refusal.err().unwrap().to_string();
    assert!(message.contains("at least the 0.5 the score was trained at"), "{message}");
}
