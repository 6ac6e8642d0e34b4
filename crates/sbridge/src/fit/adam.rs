//! Adam over the parameters of a module, with a running average of the weights.
//!
//! State is kept flat, one vector per parameter, in the order the module visits them; the step itself
//! is [`AdamStep`].

use sbridge_kernels::{AdamStep, Moments};

use crate::error::{Error, Result};
use crate::tensor::{
    DType, Gradients, Module, ModuleMapper, ModuleVisitor, Param, Tensor, TensorData, to_vec,
};

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
    moments: Vec<Moments>,
}

impl Adam {
    pub(super) fn new<M: Module>(model: &M) -> Self {
        Self { moments: flat_weights(model).into_iter().map(Moments::new).collect() }
    }

    /// The model after a step down the sum of the gradients of part batches.
    pub(super) fn step<M: Module>(&mut self, model: M, parts: &[Vec<Tensor<1>>], step: AdamStep) -> M {
        model.map(&mut Stepper { moments: self.moments.iter_mut().enumerate(), parts, step })
    }

    pub(super) fn averaged<M: Module>(&self, model: M) -> M {
        model.map(&mut Replacer { moments: self.moments.iter() })
    }

    pub(super) fn state(&self) -> AdamState {
        let arrays = |of: fn(&Moments) -> &Tensor<1>| -> Vec<Vec<f32>> {
            self.moments.iter().map(|moments| to_vec(of(moments).clone())).collect()
        };
        AdamState {
            first: arrays(|moments| &moments.first),
            second: arrays(|moments| &moments.second),
            average: arrays(|moments| &moments.average),
        }
    }

    pub(super) fn restore(&mut self, state: AdamState) -> Result<()> {
        let AdamState { first, second, average } = state;
        for saved in [&first, &second, &average] {
            let lengths = self.moments.iter().map(|moments| moments.average.dims()[0]);
            if !lengths.eq(saved.iter().map(Vec::len)) {
                return Err(Error::Weights("the optimiser's moments have other lengths".into()));
            }
        }
        let saved = first.into_iter().zip(second).zip(average);
        for (moments, ((first, second), average)) in self.moments.iter_mut().zip(saved) {
            let device = moments.average.device();
            let tensor = |values: Vec<f32>| {
                let shape = [values.len()];
                Tensor::from_data(TensorData::new(values, shape), (&device, DType::F32))
            };
            *moments = Moments { first: tensor(first), second: tensor(second), average: tensor(average) };
        }
        Ok(())
    }
}

/// The gradient of every parameter, flat, in visiting order; zero where a parameter was not used.
pub(super) fn gradients_of<M: Module>(model: &M, gradients: &Gradients) -> Vec<Tensor<1>> {
    let mut collector = GradientCollector { gradients, flat: Vec::new() };
    model.visit(&mut collector);
    collector.flat
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
    moments: std::iter::Enumerate<std::slice::IterMut<'a, Moments>>,
    parts: &'a [Vec<Tensor<1>>],
    step: AdamStep,
}

impl ModuleMapper for Stepper<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (index, moments) = self.moments.next().expect("moments of every parameter");
        let gradients: Vec<Tensor<1>> = self.parts.iter().map(|part| part[index].clone()).collect();
        param.map(|value| {
            let shape = value.dims();
            let updated = self.step.apply(flatten(value.inner()), moments, &gradients);
            Tensor::from_inner(updated.reshape(shape)).require_grad()
        })
    }
}

struct Replacer<'a> {
    moments: std::slice::Iter<'a, Moments>,
}

impl ModuleMapper for Replacer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = self.moments.next().expect("moments of every parameter").average.clone();
        param.map(|old| value.reshape(old.dims()))
    }
}
