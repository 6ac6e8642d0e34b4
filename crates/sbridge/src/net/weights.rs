//! The parameters of a module by name, to save, average and compare them.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::tensor::{DType, Module, ModuleMapper, ModuleVisitor, Param, Tensor, TensorData, to_vec};

/// Named arrays: shape and values, row-major.
pub type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The parameters of `module`; names are the paths of its fields.
pub fn weights_of<M: Module>(module: &M) -> Weights {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.weights
}

/// `module` with the values of `weights`.
///
/// # Errors
/// [`Error::Weights`] if a parameter is missing, has another shape, or one is left over.
pub fn load_weights<M: Module>(module: M, weights: Weights) -> Result<M> {
    let mut loader = Loader { weights, path: Vec::new(), error: None };
    let loaded = module.map(&mut loader);
    match (loader.error, loader.weights.keys().next()) {
        (Some(message), _) => Err(Error::Weights(message)),
        (None, Some(extra)) => Err(Error::Weights(format!("the model has no parameter {extra}"))),
        (None, None) => Ok(loaded),
    }
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    weights: Weights,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let shape = value.dims().to_vec();
        self.weights.insert(self.path.join("."), (shape, to_vec(value.inner())));
    }
}

struct Loader {
    path: Vec<String>,
    weights: Weights,
    error: Option<String>,
}

impl ModuleMapper for Loader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let shape = param.val().dims().to_vec();
        match self.weights.remove(&name) {
            Some((saved, values)) if saved == shape => param.map(|old| {
                let device = old.device().inner();
                let data = TensorData::new(values, shape);
                let value = Tensor::<D>::from_data(data, (&device, DType::F32));
                if old.is_autodiff() { Tensor::from_inner(value).require_grad() } else { value }
            }),
            entry => {
                let saved = entry.map_or("nothing".into(), |(s, _)| format!("{s:?}"));
                self.error.get_or_insert(format!("{name} has shape {shape:?}, the file holds {saved}"));
                param
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::net::{ResidualMlp, ResidualMlpSettings};
    use crate::rng::Rng;
    use crate::tensor::Device;

    fn net(seed: u64) -> ResidualMlp {
        let settings = ResidualMlpSettings { width: 8, blocks: 2, time_features: 4 };
        ResidualMlp::new(3, &settings, &mut Rng::new(seed), &Device::flex())
    }

    #[test]
    fn weights_survive_a_round_trip() {
        let weights = weights_of(&net(1));
        let loaded = load_weights(net(2), weights.clone()).unwrap();
        assert_eq!(weights_of(&loaded), weights);
        assert!(weights.contains_key("blocks.0.inward.weight"), "{:?}", weights.keys());
    }

    #[test]
    fn missing_misshapen_and_surplus_weights_are_named() {
        let mut weights = weights_of(&net(1));
        weights.remove("lift.bias");
        assert!(load_weights(net(1), weights.clone()).unwrap_err().to_string().contains("lift.bias"));
        weights.insert("lift.bias".into(), (vec![9], vec![0.0; 9]));
        assert!(load_weights(net(1), weights.clone()).unwrap_err().to_string().contains("[9]"));
        weights.insert("lift.bias".into(), (vec![8], vec![0.0; 8]));
        weights.insert("more".into(), (vec![1], vec![0.0]));
        assert!(load_weights(net(1), weights).unwrap_err().to_string().contains("more"));
    }
}
