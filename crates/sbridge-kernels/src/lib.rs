//! Fused operations for small networks on the CPU.
//!
//! | what | where |
//! |-|-|
//! | f(x W + b), f(x W + b + r) | [`linear()`], [`linear_add`] |
//! | layer and group normalisation with their activation | [`layer_norm`], [`group_norm`] |
//! | convolution and transposed convolution, channels last | [`conv1d`], [`conv2d`], [`conv_transpose1d`], [`conv_transpose2d`] |
//! | the control of a sampler of densities, whole | [`control()`], [`control_product`] |
//! | sines and cosines of features; what draws large ones together | [`sin_cos`]; [`asinh()`] |
//! | standard normal numbers from a counter | [`fill_normal`] |
//! | one pass of Adam, averaging and clipping included | [`AdamStep`], [`gradient_norm`] |
//!
//! They are plain functions on [`Tensor`](burn::tensor::Tensor)s with gradients of their own. In f32
//! on the CPU they run here; on another device, or in f64, they are composed of Burn's operations
//! ([`mod@reference`]), which is also what the tests compare with.
//!
//! Kernels run on the calling thread: a batch is cut into parts that run side by side, so a network
//! is entered and left once per part, not once per layer. Loops are compiled for AVX-512, AVX2, NEON
//! and for no extension at all; which one runs is decided when the program starts, and all give the
//! same bits. Matrix products come from the `gemm` crate, whose rounding depends on the machine.
//!
//! Beside the border to compiled Stan models this is the only crate with `unsafe` code: buffers that are written before they are read, and the
//! call of `gemm`.

mod activation;
mod adam;
mod array;
mod control;
mod convolution;
mod elementary;
mod features;
mod linear;
mod normal;
mod normalise;
mod operation;
pub mod reference;
mod vectorise;

pub use activation::Activation;
pub use adam::{AdamStep, Moments, gradient_norm};
pub use control::{control, control_product};
pub use convolution::{conv_transpose1d, conv_transpose2d, conv1d, conv2d};
pub use features::{asinh, sin_cos};
pub use linear::{linear, linear_add};
pub use normal::fill_normal;
pub use normalise::{group_norm, layer_norm};
pub use reference::{Control, NORM_EPSILON, Window};
