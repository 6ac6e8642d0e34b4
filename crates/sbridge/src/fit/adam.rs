//! Adam with decoupled weight decay, a bound on the gradient, and a running average of the weights.
//!
//! m ← β₁ m + (1−β₁) g, u ← β₂ u + (1−β₂) g², θ ← θ − η (m̂/(√û + ϵ) + κ θ), θ̄ ← μ θ̄ + (1−μ) θ.
//! State is kept flat, one vector per parameter, in the order the module visits them.

use crate::error::{Error, Result};
use crate::tensor::{
    DType, Device, Gradients, Module, ModuleMapper, ModuleVisitor, Param, Tensor, TensorData, to_vec,
};

/// Decay of the first and second moments, and the term that keeps the division finite.
const BETAS: [f64; 2] = [0.9, 0.999];
const TINY: f64 = 1e-8;

/// The flat arrays of an optimiser, one per parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdamState {
    /// First moments m.
    pub first: Vec<Vec<f32>>,
    /// Second moments u.
    pub second: Vec<Vec<f32>>,
    /// Averaged weights θ̄.
    pub average: Vec<Vec<f32>>,
}

/// Adam and the averaged weights.
pub struct Adam {
    first: Vec<Tensor<1>>,
    second: Vec<Tensor<1>>,
    average: Vec<Tensor<1>>,
}

/// One step's numbers.
#[derive(Clone, Copy)]
pub(super) struct StepRule {
    pub(super) learning_rate: f64,
    pub(super) weight_decay: f64,
    /// Factor ≤ 1 that bounds the gradient.
    pub(super) gradient_scale: f64,
    pub(super) ema_decay: f64,
    /// Counted from 1.
    pub(super) step: usize,
}

impl Adam {
    pub(super) fn new<M: Module>(model: &M) -> Self {
        let average = flat_weights(model);
        let zeros = || average.iter().map(Tensor::zeros_like).collect();
        Self { first: zeros(), second: zeros(), average }
    }

    pub(super) fn step<M: Module>(&mut self, model: M, gradients: Vec<Tensor<1>>, rule: StepRule) -> M {
        let gradients = gradients.into_iter();
        model.map(&mut Stepper { adam: self, gradients, rule, index: 0 })
    }

    pub(super) fn averaged<M: Module>(&self, model: M) -> M {
        model.map(&mut Replacer { values: self.average.iter() })
    }

    pub(super) fn state(&self) -> AdamState {
        let arrays = |tensors: &[Tensor<1>]| tensors.iter().cloned().map(to_vec).collect();
        AdamState { first: arrays(&self.first), second: arrays(&self.second), average: arrays(&self.average) }
    }

    pub(super) fn restore(&mut self, state: AdamState) -> Result<()> {
        let device = self.average.first().map_or_else(Device::flex, Tensor::device);
        let place = |current: &[Tensor<1>], saved: Vec<Vec<f32>>| -> Result<Vec<Tensor<1>>> {
            let lengths = current.iter().map(|t| t.dims()[0]);
            if !lengths.eq(saved.iter().map(Vec::len)) {
                return Err(Error::Weights("the optimiser's moments have other lengths".into()));
            }
            let tensor = |values: Vec<f32>| {
                let shape = [values.len()];
                Tensor::from_data(TensorData::new(values, shape), (&device, DType::F32))
            };
            Ok(saved.into_iter().map(tensor).collect())
        };
        self.first = place(&self.first, state.first)?;
        self.second = place(&self.second, state.second)?;
        self.average = place(&self.average, state.average)?;
        Ok(())
    }

    /// θ − η (m̂/(√û + ϵ) + κ θ) for parameter `index`, after updating m, u and θ̄.
    fn update(&mut self, index: usize, weight: Tensor<1>, gradient: Tensor<1>, rule: StepRule) -> Tensor<1> {
        let [beta1, beta2] = BETAS;
        let gradient = gradient * rule.gradient_scale;
        let first = self.first[index].clone() * beta1 + gradient.clone() * (1.0 - beta1);
        let second = self.second[index].clone() * beta2 + gradient.powi_scalar(2) * (1.0 - beta2);
        let unbias = |beta: f64| 1.0 - beta.powi(rule.step as i32);
        let root = (second.clone() / unbias(beta2)).sqrt() + TINY;
        let direction = first.clone() / root * (rule.learning_rate / unbias(beta1));
        let kept = weight * (1.0 - rule.learning_rate * rule.weight_decay);
        let updated = kept - direction;
        let average = self.average[index].clone() * rule.ema_decay;
        self.average[index] = average + updated.clone() * (1.0 - rule.ema_decay);
        self.first[index] = first;
        self.second[index] = second;
        updated
    }
}

/// The gradient of every parameter, flat, in visiting order; zero where a parameter was not used.
pub(super) fn gradients_of<M: Module>(model: &M, gradients: &Gradients) -> Vec<Tensor<1>> {
    let mut collector = GradientCollector { gradients, flat: Vec::new() };
    model.visit(&mut collector);
    collector.flat
}

/// Norm of all gradients together.
pub(super) fn norm(gradients: &[Tensor<1>]) -> f64 {
    let squares = gradients.iter().map(|g| g.clone().powi_scalar(2).sum());
    let total = squares.reduce(|a, b| a + b);
    total.map_or(0.0, |t| f64::from(t.into_scalar::<f32>()).sqrt())
}

fn flatten<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.shape().num_elements();
    tensor.reshape([count])
}

fn flat_weights<M: Module>(model: &M) -> Vec<Tensor<1>> {
    struct Collector(Vec<Tensor<1>>);
    impl ModuleVisitor for Collector {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(flatten(param.val().inner()));
        }
    }
    let mut collector = Collector(Vec::new());
    model.visit(&mut collector);
    collector.0
}

struct GradientCollector<'a> {
    gradients: &'a Gradients,
    flat: Vec<Tensor<1>>,
}

impl ModuleVisitor for GradientCollector<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let gradient = value.grad(self.gradients);
        self.flat.push(flatten(gradient.unwrap_or_else(|| value.inner().zeros_like())));
    }
}

struct Stepper<'a> {
    adam: &'a mut Adam,
    gradients: std::vec::IntoIter<Tensor<1>>,
    rule: StepRule,
    index: usize,
}

impl ModuleMapper for Stepper<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = self.gradients.next().expect("one gradient per parameter");
        let index = self.index;
        self.index += 1;
        param.map(|value| {
            let shape = value.dims();
            let updated = self.adam.update(index, flatten(value.inner()), gradient, self.rule);
            Tensor::from_inner(updated.reshape(shape)).require_grad()
        })
    }
}

struct Replacer<'a> {
    values: std::slice::Iter<'a, Tensor<1>>,
}

impl ModuleMapper for Replacer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = self.values.next().expect("one average per parameter").clone();
        param.map(|old| value.reshape(old.dims()))
    }
}
