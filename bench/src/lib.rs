//! The work that is timed, by name, with shapes that another library can repeat.
//!
//! | name | work |
//! |-|-|
//! | `mlp-step B W` | a training step of a 34-W-W-W-W-2 network with SiLU on a batch of B, Adam included |
//! | `mlp-products B W` | only the matrix products of that step: its floor |
//! | `mlp-forward B W` | the same network on a batch of B, no gradient |
//! | `simulate N K W` | N paths of K Euler steps of a bridge in the plane with this network as its score |
//! | `autoencoder-step B` | a training step of the convolutional autoencoder of 28 × 28 images |
//! | `unet-step B C` | a training step of a U-Net of C channels on 28 × 28 images |
//! | `temporal-step B H` | a training step of the temporal U-Net of default size on plans of H rows of six columns |
//! | `plan H K` | K calls of the same network on one plan of H rows, each fed what the last one said |
//! | `half-bridge B W S U` | S steps of bridge matching in five dimensions, batch B, network 6-W-W-5, on 10,000 pairs at a time that the last half-bridge simulates in 20 steps, each used U times; always once in the other library |
//! | `dsb-half-bridge B W S` | the same by mean matching on every step of 10,000 such paths at a time, each used once |
//! | `density-step B K` | a training step of the time-reversed diffusion sampler on nine Gaussians, by the log-variance loss of B paths of K steps |
//! | `assignment N` | exact matching of N points in 16 dimensions |
//! | `transport N M` | exact transport between N and M points in 16 dimensions with unequal weights, costs included |
//! | `transport-plan N M` | the same with the costs given |
//! | `sinkhorn N` | an entropic plan between N points in the plane, to a marginal error of 10⁻³ |

use std::ops::Range;
use std::sync::LazyLock;

use sbridge::density::targets::GaussianMixture;
use sbridge::fit::{FitSettings, Trainer};
use sbridge::marginal::SmoothedScore;
use sbridge::net::{
    Autoencoder, AutoencoderKind, AutoencoderSettings, FourierEmbedding, Linear, TemporalUNet,
    TemporalUNetSettings, UNet,
};
use sbridge::objective::{Objective, Reconstruction, ReconstructionSettings};
use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid};
use sbridge::solver::alternation::{Alternation, AlternationMethod as _, AlternationSettings};
use sbridge::solver::density::{Loss, Method, PathObjective, Sampler};
use sbridge::solver::{Dsb, Dsbm};
use sbridge::tensor::{Device, Module, Tensor, head, map_rows};
use sbridge_kernels::Activation::Silu;
use sbridge_ot::{Points, SinkhornSettings};

/// A piece of work to be run again and again.
pub type Work = Box<dyn FnMut()>;

/// Prepares the work called `name`, with its sizes.
///
/// # Errors
/// For a name or sizes that are not in the table above.
pub fn work(name: &str) -> Result<Work, String> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let size = |text: &str| text.parse::<usize>().map_err(|_| format!("'{text}' is not a size"));
    match words[..] {
        ["mlp-step", batch, width] => Ok(mlp_step(size(batch)?, size(width)?)),
        ["mlp-products", batch, width] => Ok(mlp_products(size(batch)?, size(width)?)),
        ["mlp-forward", batch, width] => Ok(mlp_forward(size(batch)?, size(width)?)),
        ["simulate", paths, steps, width] => Ok(simulate(size(paths)?, size(steps)?, size(width)?)),
        ["autoencoder-step", batch] => Ok(autoencoder_step(size(batch)?)),
        ["unet-step", batch, channels] => Ok(unet_step(size(batch)?, size(channels)?)),
        ["temporal-step", batch, rows] => Ok(temporal_step(size(batch)?, temporal_net(size(rows)?)?)),
        ["plan", rows, calls] => Ok(plan(size(calls)?, temporal_net(size(rows)?)?)),
        ["half-bridge", batch, width, steps, uses] => {
            let mut preset = Dsbm.defaults();
            preset.cache.uses = size(uses)?;
            Ok(half_bridge(preset, size(batch)?, size(width)?, size(steps)?))
        }
        ["dsb-half-bridge", batch, width, steps] => {
            Ok(half_bridge(Dsb.defaults(), size(batch)?, size(width)?, size(steps)?))
        }
        ["density-step", batch, steps] => Ok(density_step(size(batch)?, size(steps)?)),
        ["assignment", count] => Ok(assignment(size(count)?)),
        ["transport", n, m] => Ok(transport(size(n)?, size(m)?)),
        ["transport-plan", n, m] => Ok(transport_plan(size(n)?, size(m)?)),
        ["sinkhorn", count] => Ok(sinkhorn(size(count)?)),
        _ => Err(format!("no work is called '{name}'")),
    }
}

const HERE: &str = "sizes of the table above are within range";

/// 34-W-W-W-W-2 with SiLU: two coordinates and 32 features of the noise level.
#[derive(Module, Debug)]
pub struct Mlp {
    embedding: FourierEmbedding,
    hidden: Vec<Linear>,
    output: Linear,
}

impl Mlp {
    fn new(width: usize, rng: &mut Rng, device: &Device) -> Self {
        let sizes = [34, width, width, width, width];
        let hidden = sizes.windows(2).map(|s| Linear::new(s[0], s[1], 1.0, rng, device)).collect();
        let output = Linear::new(width, 2, 1.0, rng, device);
        Self { embedding: FourierEmbedding::of_log_variance(32), hidden, output }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.iter().fold(x, |x, layer| layer.activated(x, Silu)))
    }
}

impl SmoothedScore for Mlp {
    fn dim(&self) -> usize {
        2
    }

    fn score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        self.forward(Tensor::cat(vec![z, self.embedding.forward(v.log())], 1))
    }
}

/// Mean squared error on one fixed batch.
struct Regression {
    x: Tensor<2>,
    y: Tensor<2>,
}

impl Objective for Regression {
    type Model = Mlp;

    fn loss(&self, model: &Mlp, rows: Range<usize>, _rng: &mut Rng) -> Tensor<1> {
        let error =
            model.forward(head(&self.x, rows.len()).autodiff()) - head(&self.y, rows.len()).autodiff();
        (error.clone() * error).mean()
    }

    fn held_out_loss(&self, _model: &Mlp, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

fn settings(batch_size: usize) -> FitSettings {
    FitSettings {
        steps: 1_000_000,
        batch_size,
        learning_rate: 1e-4,
        weight_decay: 0.0,
        clip_norm: 1.0,
        ema_decay: 0.999,
        patience: 0,
    }
}

fn mlp_step(batch: usize, width: usize) -> Work {
    let (device, mut rng) = (Device::flex(), Rng::new(0));
    let mut objective =
        Regression { x: rng.normal([batch, 34], &device), y: rng.normal([batch, 2], &device) };
    let net = Mlp::new(width, &mut rng, &device);
    let mut trainer = Trainer::new(net, settings(batch), rng).expect(HERE);
    Box::new(move || {
        trainer.step(&mut objective);
    })
}

/// One layer's arrays: rows of inputs, weights, rows of outputs.
struct Layer {
    x: Vec<f32>,
    w: Vec<f32>,
    y: Vec<f32>,
}

fn mlp_products(batch: usize, width: usize) -> Work {
    let rows = batch / 2;
    let sizes = [34, width, width, width, width, 2];
    let layer = |s: &[usize]| Layer {
        x: vec![1.0; rows * s[0]],
        w: vec![1.0; s[0] * s[1]],
        y: vec![1.0; rows * s[1]],
    };
    let part = || sizes.windows(2).map(layer).collect::<Vec<Layer>>();
    let mut parts = [part(), part()];
    let products = move |part: &mut Vec<Layer>| {
        for (i, (s, Layer { x, w, y })) in sizes.windows(2).zip(part).enumerate() {
            let (inputs, outputs) = (s[0], s[1]);
            product(y, (rows, outputs), (&*x, [inputs, 1]), (&*w, [outputs, 1]), inputs);
            product(w, (inputs, outputs), (&*x, [1, inputs]), (&*y, [outputs, 1]), rows);
            if i > 0 {
                product(x, (rows, inputs), (&*y, [outputs, 1]), (&*w, [1, outputs]), outputs);
            }
        }
    };
    Box::new(move || {
        let [first, second] = &mut parts;
        rayon::join(|| products(first), || products(second));
    })
}

/// Values of a factor and how far apart its rows and columns lie.
type Factor<'a> = (&'a [f32], [usize; 2]);

fn product(out: &mut [f32], (rows, columns): (usize, usize), a: Factor<'_>, b: Factor<'_>, inner: usize) {
    let stride = |length: usize| length as isize;
    // SAFETY: the callers' strides and sizes are those of the arrays they pass.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            stride(columns),
            false,
            a.0.as_ptr(),
            stride(a.1[1]),
            stride(a.1[0]),
            b.0.as_ptr(),
            stride(b.1[1]),
            stride(b.1[0]),
            0.0,
            1e-6,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

fn mlp_forward(batch: usize, width: usize) -> Work {
    let (device, mut rng) = (Device::flex(), Rng::new(0));
    let net = Mlp::new(width, &mut rng, &device);
    let x = rng.normal([batch, 34], &device);
    Box::new(move || drop(map_rows(&x, |x| net.forward(x))))
}

fn simulate(paths: usize, steps: usize, width: usize) -> Work {
    let (device, mut rng) = (Device::flex(), Rng::new(0));
    let net = Mlp::new(width, &mut rng, &device);
    let grid = VarGrid::Uniform.variances(1.0, 1e-3, steps).expect(HERE);
    let denoiser = Denoiser::new(grid, StepRule::Euler, EndRule::Plain).expect(HERE);
    let start = rng.normal([paths, 2], &device);
    Box::new(move || {
        let seed = rng.seed();
        drop(map_rows(&start, |z| denoiser.run(&net, z, &mut Rng::new(seed))));
    })
}

fn autoencoder_step(batch: usize) -> Work {
    let (device, mut rng) = (Device::flex(), Rng::new(0));
    let kind = AutoencoderKind::Image { shape: [1, 28, 28] };
    let sizes = AutoencoderSettings { latent_dim: 16, ..AutoencoderSettings::default() };
    let net = Autoencoder::new(&kind, &sizes, &mut rng, &device);
    let rows = rng.normal([10 * batch, 784], &device).clamp(0.0, 1.0);
    let loss = ReconstructionSettings { kl_weight: 0.0, latent_noise: 0.0 };
    let mut objective = Reconstruction::new(rows, None, loss);
    let mut trainer = Trainer::new(net, settings(batch), rng).expect(HERE);
    Box::new(move || {
        trainer.step(&mut objective);
    })
}

/// Mean squared error of a U-Net on one fixed batch.
struct Images {
    x: Tensor<2>,
    y: Tensor<2>,
    v: Tensor<1>,
}

impl Objective for Images {
    type Model = UNet;

    fn loss(&self, model: &UNet, rows: Range<usize>, _rng: &mut Rng) -> Tensor<1> {
        let v = self.v.clone().narrow(0, 0, rows.len());
        let error =
            model.forward(v, head(&self.x, rows.len()).autodiff()) - head(&self.y, rows.len()).autodiff();
        (error.clone() * error).mean()
    }

    fn held_out_loss(&self, _model: &UNet, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

fn unet_step(batch: usize, channels: usize) -> Work {
    let (device, mut rng) = (Device::flex(), Rng::new(0));
    let mut images = || rng.normal([batch, 784], &device);
    let mut objective = Images { x: images(), y: images(), v: Tensor::ones([batch], &device) };
    let net = UNet::new([1, 28, 28], channels, &mut rng, &device);
    let mut trainer = Trainer::new(net, settings(batch), rng).expect(HERE);
    Box::new(move || {
        trainer.step(&mut objective);
    })
}

/// Columns of a plan: two actions, a place and its velocity.
const COLUMNS: usize = 6;

/// The temporal U-Net of default size for plans of `rows` rows, and cells in such a plan.
fn temporal_net(rows: usize) -> Result<(TemporalUNet, usize), String> {
    let settings = TemporalUNetSettings::default();
    let net = TemporalUNet::new([rows, COLUMNS], &settings, &mut Rng::new(0), &Device::flex());
    Ok((net.map_err(|error| error.to_string())?, rows * COLUMNS))
}

/// Mean squared error of a temporal U-Net on one fixed batch.
struct Plans {
    x: Tensor<2>,
    y: Tensor<2>,
    t: Tensor<1>,
}

impl Objective for Plans {
    type Model = TemporalUNet;

    fn loss(&self, model: &TemporalUNet, rows: Range<usize>, _rng: &mut Rng) -> Tensor<1> {
        let t = self.t.clone().narrow(0, 0, rows.len()).autodiff();
        let error =
            model.forward(t, head(&self.x, rows.len()).autodiff()) - head(&self.y, rows.len()).autodiff();
        (error.clone() * error).mean()
    }

    fn held_out_loss(&self, _model: &TemporalUNet, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

fn temporal_step(batch: usize, (net, cells): (TemporalUNet, usize)) -> Work {
    let (device, mut rng) = (Device::flex(), Rng::new(0));
    let mut plans = || rng.normal([batch, cells], &device);
    let mut objective = Plans { x: plans(), y: plans(), t: Tensor::ones([batch], &device) };
    let mut trainer = Trainer::new(net, settings(batch), rng).expect(HERE);
    Box::new(move || {
        trainer.step(&mut objective);
    })
}

fn plan(calls: usize, (net, cells): (TemporalUNet, usize)) -> Work {
    let device = Device::flex();
    let start = Rng::new(0).normal([1, cells], &device);
    Box::new(move || {
        let call = |x: Tensor<2>, k: usize| net.forward(Tensor::full([1], k as f64, &device), x);
        drop(map_rows(&start, |x| (0..calls).rev().fold(x, call)));
    })
}

/// The third half-bridge of `preset` between Gaussians, the first that walks along a network, again and again.
fn half_bridge(mut preset: AlternationSettings, batch: usize, width: usize, steps: usize) -> Work {
    let (device, rng) = (Device::flex(), Rng::new(0));
    (preset.net.mlp.width, preset.net.mlp.layers) = (width, 2);
    (preset.cache.rows, preset.half_bridges) = (10_000, 3);
    preset.fit = FitSettings { steps: 50, ..settings(batch) };
    let mut data = rng.fork("data");
    let [source, target] = [-0.1, 0.1].map(|mean| data.normal([10_000, 5], &device) + mean);
    let of = |preset: &AlternationSettings| {
        Alternation::new(&source, &target, None, 1.0, preset.clone(), rng.clone()).expect(HERE)
    };
    let mut alternation = of(&preset);
    (0..2).for_each(|_| alternation.learn_silently().expect(HERE));
    let before = alternation.bridge();
    preset.fit.steps = steps;
    let mut alternation = of(&preset);
    Box::new(move || {
        alternation.continue_from(before.clone(), 2);
        alternation.learn_silently().expect(HERE);
    })
}

fn density_step(batch: usize, steps: usize) -> Work {
    static DENSITY: LazyLock<GaussianMixture> = LazyLock::new(GaussianMixture::nine);
    let (device, mut rng, method) = (Device::flex(), Rng::new(0), Method::Dis);
    let controls = method.controls(2, 1e4, &mut rng, &device);
    let sampler = Sampler::new(method, steps, &*DENSITY, device);
    let mut objective = PathObjective::new(sampler, Loss::LogVariance);
    let settings = FitSettings { learning_rate: 1e-3, ..settings(batch) };
    let mut trainer = Trainer::new(controls, settings, rng).expect(HERE);
    Box::new(move || {
        trainer.step(&mut objective);
    })
}

fn cloud(count: usize, dim: usize, shift: f64, rng: &mut Rng) -> Points {
    let mut values = vec![0.0; count * dim];
    rng.fill_normal(&mut values);
    Points::new(values.into_iter().map(|x| f64::from(x) + shift).collect(), dim).expect(HERE)
}

fn assignment(count: usize) -> Work {
    let mut rng = Rng::new(0);
    let (x, y) = (cloud(count, 16, 0.0, &mut rng), cloud(count, 16, 1.0, &mut rng));
    Box::new(move || {
        sbridge_ot::wasserstein2(&x, &y).expect(HERE);
    })
}

/// Two clouds with weights between ½ and 1½.
fn weighted_clouds(n: usize, m: usize) -> [(Points, Vec<f64>); 2] {
    let mut rng = Rng::new(0);
    let clouds = [cloud(n, 16, 0.0, &mut rng), cloud(m, 16, 1.0, &mut rng)];
    clouds.map(|points| {
        let weights = rng.uniform(points.len(), 0.5, 1.5);
        (points, weights)
    })
}

fn transport(n: usize, m: usize) -> Work {
    let [(x, a), (y, b)] = weighted_clouds(n, m);
    Box::new(move || {
        sbridge_ot::wasserstein2_weighted(&x, &y, &a, &b).expect(HERE);
    })
}

fn transport_plan(n: usize, m: usize) -> Work {
    let [(x, a), (y, b)] = weighted_clouds(n, m);
    let squared = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(s, t)| (s - t) * (s - t)).sum::<f64>();
    let cost: Vec<f64> = x.rows().flat_map(|p| y.rows().map(move |q| squared(p, q))).collect();
    Box::new(move || {
        sbridge_ot::optimal_plan(&cost, &a, &b).expect(HERE);
    })
}

fn sinkhorn(count: usize) -> Work {
    let mut rng = Rng::new(0);
    let (x, y) = (cloud(count, 2, 0.0, &mut rng), cloud(count, 2, 1.0, &mut rng));
    // 0.05 standard deviations of the cost between the two clouds.
    let settings = SinkhornSettings { epsilon: 0.1414, tolerance: 1e-3, ..SinkhornSettings::default() };
    Box::new(move || {
        sbridge_ot::sinkhorn(&x, &y, &settings).expect(HERE);
    })
}
