//! y = f(x W + b) and y = f(x W + b + r), with their gradients.
//!
//! With a = x W + b + r and ā = ȳ f'(a): W̄ = xᵀ ā, b̄ = Σ ā over rows, x̄ = ā Wᵀ, r̄ = ā.

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

use crate::activation::Activation;
use crate::array::{Accum, Array, Matrix, multiply_into, product};
use crate::operation::{Operation, are_on_cpu, run};
use crate::reference;

/// f(x W + b).
///
/// # Shapes
/// `x: [batch, inputs]`, `weight: [inputs, outputs]`, `bias: [outputs]`, result `[batch, outputs]`.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, f: Activation) -> Tensor<2> {
    let inputs = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    if are_on_cpu(&inputs.each_ref()) {
        return run(Affine { f }, inputs);
    }
    let [x, weight, bias] = inputs;
    reference::linear(tensor(x), tensor(weight), tensor(bias), f)
}

/// f(x W + b + r).
///
/// # Shapes
/// `x: [batch, inputs]`, `weight: [inputs, outputs]`, `bias: [outputs]`, `r` and result
/// `[batch, outputs]`.
pub fn linear_add(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    r: Tensor<2>,
    f: Activation,
) -> Tensor<2> {
    let inputs = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch(), r.into_dispatch()];
    if are_on_cpu(&inputs.each_ref()) {
        return run(Affine { f }, inputs);
    }
    let [x, weight, bias, r] = inputs;
    reference::linear_add(tensor(x), tensor(weight), tensor(bias), tensor(r), f)
}

fn tensor<const D: usize>(tensor: DispatchTensor) -> Tensor<D> {
    Tensor::from_dispatch(tensor)
}

#[derive(Clone, Debug)]
struct Affine {
    f: Activation,
}

/// W̄ and x̄ where they are wanted.
fn of_product(x: &Array, weight: &Array, a: &[f32], wanted: [bool; 2]) -> [Option<Array>; 2] {
    let ([rows, inputs], [_, outputs]) = (x.dims(), weight.dims());
    let a = Matrix::new(a, rows, outputs);
    let of_x = || {
        let weight = Matrix::new(weight.values(), inputs, outputs);
        Array::new(product(a, weight.transposed()), [rows, inputs])
    };
    let of_weight = || {
        let x = Matrix::new(x.values(), rows, inputs);
        Array::new(product(x.transposed(), a), [inputs, outputs])
    };
    [wanted[0].then(of_x), wanted[1].then(of_weight)]
}

impl Operation<3> for Affine {
    /// What f' is a function of.
    type Saved = Array;

    fn forward(&self, [x, weight, bias]: &[Array; 3], save: bool) -> (Array, Option<Array>) {
        let ([rows, inputs], [_, outputs]) = (x.dims(), weight.dims());
        let weight = Matrix::new(weight.values(), inputs, outputs);
        let values = product(Matrix::new(x.values(), rows, inputs), weight);
        self.f.finish(values, bias.values(), [rows, outputs], save)
    }

    fn backward(
        &self,
        [x, weight, _]: &[Array; 3],
        saved: Array,
        gradient: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let [_, outputs] = weight.dims::<2>();
        let (a, of_bias) = self.f.pull_back_array(&gradient, &saved, outputs);
        let [of_x, of_weight] = of_product(x, weight, &a, [wanted[0], wanted[1]]);
        [of_x, of_weight, Some(of_bias)]
    }
}

impl Operation<4> for Affine {
    /// What f' is a function of.
    type Saved = Array;

    fn forward(&self, [x, weight, bias, r]: &[Array; 4], save: bool) -> (Array, Option<Array>) {
        let ([rows, inputs], [_, outputs]) = (x.dims(), weight.dims());
        let weight = Matrix::new(weight.values(), inputs, outputs);
        let mut values = r.values().to_vec();
        multiply_into(&mut values, Matrix::new(x.values(), rows, inputs), weight, Accum::Add);
        self.f.finish(values, bias.values(), [rows, outputs], save)
    }

    fn backward(
        &self,
        [x, weight, _, _]: &[Array; 4],
        saved: Array,
        gradient: Array,
        wanted: [bool; 4],
    ) -> [Option<Array>; 4] {
        let [rows, outputs] = gradient.dims();
        let (a, of_bias) = self.f.pull_back_array(&gradient, &saved, outputs);
        let [of_x, of_weight] = of_product(x, weight, &a, [wanted[0], wanted[1]]);
        [of_x, of_weight, Some(of_bias), Some(Array::new(a.into_owned(), [rows, outputs]))]
    }
}
