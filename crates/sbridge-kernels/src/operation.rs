//! Fused operations as nodes of Burn's graph: plain functions on arrays, forward and backward.

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, Flex,
    TensorMetadata,
};
use burn::tensor::{DType, Tensor};

use crate::array::Array;

/// A differentiable function of `N` arrays.
pub(crate) trait Operation<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward pass needs besides the inputs.
    type Saved: Clone + Debug + Send + 'static;

    /// The value; `Saved` only if `save` is set.
    fn forward(&self, inputs: &[Array; N], save: bool) -> (Array, Option<Self::Saved>);

    /// Pulls the gradient of the value back to the inputs that are `wanted`.
    fn backward(
        &self,
        inputs: &[Array; N],
        saved: Self::Saved,
        gradient: Array,
        wanted: [bool; N],
    ) -> [Option<Array>; N];
}

/// Whether all inputs are f32 on the CPU, where the fused operations run.
pub(crate) fn are_on_cpu(inputs: &[&DispatchTensor]) -> bool {
    let is_flex = |kind: &DispatchTensorKind| matches!(kind, DispatchTensorKind::Flex(_));
    inputs.iter().all(|tensor| {
        let on_cpu = match &tensor.kind {
            DispatchTensorKind::Autodiff(inner) => is_flex(inner),
            kind => is_flex(kind),
        };
        on_cpu && tensor.dtype() == DType::F32
    })
}

/// Computes `operation`, and records it if a gradient may be asked for.
pub(crate) fn run<O: Operation<N>, const N: usize, const D: usize>(
    operation: O,
    inputs: [DispatchTensor; N],
) -> Tensor<D> {
    let tracked = inputs.iter().any(|tensor| tensor.autodiff != DispatchAutodiffContext::Disabled);
    if !tracked {
        let arrays = inputs.map(|tensor| Array::of(plain(tensor)));
        let (value, _) = operation.forward(&arrays, false);
        return Tensor::from_primitive::<Flex>(value.into_tensor());
    }
    let inputs = inputs.map(recorded);
    let arrays = inputs.each_ref().map(|tensor| Array::of(tensor.primitive().clone()));
    let nodes = inputs.each_ref().map(|tensor| tensor.node());
    let prepared = Node::<O>(PhantomData).prepare::<NoCheckpointing>(nodes).compute_bound().stateful();
    let output = match prepared {
        OpsKind::Tracked(node) => {
            let (value, saved) = operation.forward(&arrays, true);
            let saved = saved.expect("asked to save");
            node.finish((operation, arrays, saved), value.into_tensor())
        }
        OpsKind::UnTracked(node) => node.finish(operation.forward(&arrays, false).0.into_tensor()),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// The storage of a tensor outside of any graph.
pub(crate) fn plain(tensor: DispatchTensor) -> FlexTensor {
    Tensor::<1>::from_dispatch(tensor).try_into_primitive::<Flex>().expect("an f32 tensor on the CPU")
}

/// The tensor as part of a graph; one that is not becomes a constant.
fn recorded(tensor: DispatchTensor) -> <Autodiff<Flex> as burn::backend::BackendTypes>::FloatTensorPrimitive {
    match tensor.autodiff {
        DispatchAutodiffContext::Disabled => Autodiff::<Flex>::from_inner(plain(tensor)),
        DispatchAutodiffContext::Enabled(_) => Tensor::<1>::from_dispatch(tensor)
            .try_into_primitive::<Autodiff<Flex>>()
            .expect("an f32 tensor on the CPU"),
    }
}

/// The backward step of an operation.
#[derive(Debug)]
struct Node<O>(PhantomData<O>);

impl<O: Operation<N>, const N: usize> Backward<Flex, N> for Node<O> {
    type State = (O, [Array; N], O::Saved);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Array::of(gradients.consume::<Flex>(&ops.node));
        let (operation, inputs, saved) = ops.state;
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let pulled_back = operation.backward(&inputs, saved, gradient, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(pulled_back) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<Flex>(parent.id, gradient.into_tensor());
            }
        }
    }
}
