//! The gradient of E\[A\] through the path: the discrete adjoint, step by step from the end.                             \[PIS, Eq. 10\]
//!
//! With λ_k = ∂A/∂x_k and the guide γ of u, of which ∇ln ρ is a part,
//!
//! λ_K = ∂base/∂x_K − ∇ln ρ,   q_k = r²(u + v) + m λ_{k+1},   λ_k = a λ_{k+1} + (∂u/∂x)ᵀ q_k + (∂γ/∂x)ᵀ (∂u/∂γ)ᵀ q_k,
//!
//! where λ_{k+1} has been added (∂v/∂x)ᵀ (r²(u + v) + r ξ) before, and the stochastic integral of u, of mean zero, is left out. q_k is what
//! pulls at u. The Hessian of ln ρ, of which a product is wanted, is a difference of gradients along it.
//!
//! Tests: differences of A by the weights of a network, along the same draws.

use super::chain::{Base, Chain, Paths, score_at};
use super::guided::Guided;
use crate::density::LogDensity;
use crate::error::Result;
use crate::tensor::{Tensor, from_rows_f64, to_vec_f64};

/// What pulls at the controls of every step, `[count, dim]` each.
pub(super) struct Pulls {
    /// At u.
    pub(super) forward: Vec<Tensor<2>>,
    /// At v.
    pub(super) backward: Vec<Tensor<2>>,
}

/// ∂(Σ A)/∂u and ∂(Σ A)/∂v along `paths` of `control`, with all that they move after them.
///
/// # Errors
/// What the density cannot be evaluated for.
pub(super) fn pulls(
    chain: &Chain,
    control: &Guided<'_>,
    density: &dyn LogDensity,
    paths: &Paths,
) -> Result<Pulls> {
    let steps = chain.steps.len();
    let mut adjoint = -score_at(density, paths.ends())?;
    if let Base::OfEnd { var } = chain.base {
        adjoint = adjoint - paths.ends().clone() / var;
    }
    let (mut forward, mut backward) = (Vec::with_capacity(steps), Vec::with_capacity(steps));
    for (k, step) in chain.steps.iter().enumerate().rev() {
        let r = step.ratio();
        let of_control = paths.controls[k].clone() * (r * r);
        let at_v = of_control.clone() + paths.noise[k].clone() * r;
        if let Some(pulled) = control.pulled_by_backward(k, &paths.states[k + 1], &at_v) {
            adjoint = adjoint + pulled;
        }
        let at_u = of_control + adjoint.clone() * step.moved;
        adjoint = adjoint * step.kept + through_control(chain, control, density, paths, k, &at_u)?;
        forward.push(at_u);
        backward.push(at_v);
    }
    forward.reverse();
    backward.reverse();
    Ok(Pulls { forward, backward })
}

/// (∂u/∂x)ᵀ q at step `k`, with what u sees of x through its guide.
fn through_control(
    chain: &Chain,
    control: &Guided<'_>,
    density: &dyn LogDensity,
    paths: &Paths,
    k: usize,
    pull: &Tensor<2>,
) -> Result<Tensor<2>> {
    let (x, score) = (&paths.states[k], &paths.scores[k]);
    let (of_state, of_guide) = control.pulled_by_forward(k, x, score, pull);
    let (of_target, of_start) = control.method().shares(&chain.knots[k]);
    let curved = if of_target == 0.0 { x.zeros_like() } else { hessian_product(density, x, &of_guide)? };
    Ok(of_state + curved * of_target - of_guide * of_start)
}

/// Half the length over which the score is compared, beside 1 or the state's own size.
const REACH: f64 = 1e-4;

/// ∇²ln ρ v of every state, by a difference of the score along v: `[count, dim]` all.
fn hessian_product(density: &dyn LogDensity, x: &Tensor<2>, v: &Tensor<2>) -> Result<Tensor<2>> {
    let dim = density.dim();
    let (at, along) = (to_vec_f64(x.clone()), to_vec_f64(v.clone()));
    let largest = |row: &[f64]| row.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    let step = |x: &[f64], v: &[f64]| {
        let length = largest(v);
        if length > 0.0 { REACH * largest(x).max(1.0) / length } else { 1.0 }
    };
    let steps: Vec<f64> =
        at.chunks_exact(dim).zip(along.chunks_exact(dim)).map(|(x, v)| step(x, v)).collect();
    let moved = |sign: f64| -> Vec<f64> {
        at.iter().zip(&along).enumerate().map(|(i, (x, v))| x + sign * steps[i / dim] * v).collect()
    };
    let (_, above) = density.values_and_gradients(&moved(1.0))?;
    let (_, below) = density.values_and_gradients(&moved(-1.0))?;
    let slopes = above.iter().zip(&below).enumerate().map(|(i, (a, b))| (a - b) / (2.0 * steps[i / dim]));
    Ok(from_rows_f64(&slopes.collect::<Vec<f64>>(), dim, &x.device()).cast(x.dtype()))
}
