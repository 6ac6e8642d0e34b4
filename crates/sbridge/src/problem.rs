//! What to connect: two laws and a reference diffusion.

use crate::error::{Error, Result};
use crate::marginal::Marginal;
use crate::reference::Reference;

/// A Schrödinger bridge problem: `min KL(P ‖ reference)` over path laws `P` from `source` to `target`.
pub struct Problem {
    /// `π₀`, at t = 0.
    pub source: Box<dyn Marginal>,
    /// `π₁`, at t = 1.
    pub target: Box<dyn Marginal>,
    /// The diffusion the answer stays close to.
    pub reference: Box<dyn Reference>,
}

impl Problem {
    /// Joins the three.
    ///
    /// # Errors
    /// [`Error::Shape`] if source and target have different dimensions.
    pub fn new(
        source: Box<dyn Marginal>,
        target: Box<dyn Marginal>,
        reference: Box<dyn Reference>,
    ) -> Result<Self> {
        if source.dim() != target.dim() {
            return Err(Error::shape(
                "dimension of the target",
                source.dim(),
                target.dim(),
                "source and target must live in the same space",
            ));
        }
        Ok(Self { source, target, reference })
    }

    /// Dimension of the state.
    pub fn dim(&self) -> usize {
        self.target.dim()
    }
}
