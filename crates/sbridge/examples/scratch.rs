#![allow(missing_docs, clippy::unwrap_used, clippy::all)]
use sbridge::simulate::paths;
use sbridge::solver::{self, alternation::*};
use sbridge::tensor::*;
use sbridge::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dim: usize = args[2].parse().unwrap();
    let eps: f64 = args[3].parse().unwrap();
    let mut s: AlternationSettings = match args[1].as_str() {
        "dsb" => solver::dsb(),
        "sdsb" => solver::sdsb(),
        "dsbm" => solver::dsbm(),
        "sf2m" => solver::sf2m(),
        "lsbm" => solver::light_sb_m(),
        _ => solver::sgm(),
    };
    for a in &args[4..] {
        let (k, v) = a.split_once('=').unwrap();
        let u = || v.parse::<usize>().unwrap();
        match k {
            "halves" => s.half_bridges = u(),
            "steps" => s.fit.steps = u(),
            "batch" => s.fit.batch_size = u(),
            "lr" => s.fit.learning_rate = v.parse().unwrap(),
            "N" => s.steps = u(),
            "K" => s.net.mixture.as_mut().unwrap().components = u(),
            "iv" => s.net.mixture.as_mut().unwrap().initial_variance = v.parse().unwrap(),
            "clip" => s.fit.clip_norm = v.parse().unwrap(),
            "uses" => s.cache.uses = u(),
            "rows" => s.cache.rows = u(),
            "ema" => s.fit.ema_decay = v.parse().unwrap(),
            "width" => s.net.mlp.width = u(),
            "layers" => s.net.mlp.layers = u(),
            "var" => s.step_variance = if v == "q" { StepVariance::Reference } else { StepVariance::Matched },
            "start" => {
                s.start = match v {
                    "ref" => StartingPairs::Reference,
                    "ind" => StartingPairs::Independent,
                    _ => StartingPairs::Entropic,
                }
            }
            _ => panic!(),
        }
    }
    let d = Device::flex();
    let mut rng = Rng::new(0);
    let n = 50_000;
    let x = rng.normal([n, dim], &d) - 0.1;
    let mut y = rng.normal([n, dim], &d) + 0.1;
    if std::env::var("TURN").is_ok() {
        let (a, b) = (y.clone().narrow(1, 0, 1), y.clone().narrow(1, 1, 1));
        y = Tensor::cat(vec![a.clone() * 1.2, a * 0.3 + b * 0.7], 1);
    }
    let t0 = std::time::Instant::now();
    let mut alt = Alternation::new(&x, &y, None, eps, s.clone(), rng.fork("fit")).unwrap();
    let x = rng.normal([n, dim], &d) - 0.1;
    let mut y = rng.normal([n, dim], &d) + 0.1;
    if std::env::var("TURN").is_ok() {
        let (a, b) = (y.clone().narrow(1, 0, 1), y.clone().narrow(1, 1, 1));
        y = Tensor::cat(vec![a.clone() * 1.2, a * 0.3 + b * 0.7], 1);
    }
    while let Some(half) = alt.next() {
        let fit = s.fit.clone();
        let mut loss = 0.0;
        alt.learn::<Error>(|_, net, reg, rng| {
            let mut tr = fit::Trainer::new(net, fit, rng.clone())?;
            while !tr.is_done() {
                let i = tr.step(reg);
                loss = 0.99 * loss + 0.01 * i.loss;
            }
            Ok(tr.finished())
        })
        .unwrap();
        let b = alt.bridge();
        let start = if half.direction == Direction::Forward { &x } else { &y };
        let p = paths(&b, half.direction, start, &b.step_variances(half.direction), &mut rng);
        let e = p.last().unwrap();
        let mean = to_vec_f64(e.clone().mean())[0];
        let c = |a: &Tensor<2>, b: &Tensor<2>| {
            let a = a.clone() - a.clone().mean_dim(0);
            let b = b.clone() - b.clone().mean_dim(0);
            to_vec_f64((a * b).mean())[0]
        };
        println!(
            "{:2} {:?} loss {loss:.4} mean {mean:.4} var {:.4} cov {:.4} mid {:.4}  {:.1}s",
            half.number,
            half.direction,
            c(e, e),
            c(start, e),
            c(&p[p.len() / 2], &p[p.len() / 2]),
            t0.elapsed().as_secs_f64()
        );
    }
}
