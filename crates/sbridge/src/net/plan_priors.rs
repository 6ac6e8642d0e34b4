//! Where a plan may start from: networks from its conditions, the first and the last state, to a whole plan.

use sbridge_kernels::Activation::Mish;
use sbridge_kernels::Window;

use crate::error::{Error, Result, require_count};
use crate::net::MAX_WIDTH;
use crate::net::layers::{GroupNorm, Linear, SequenceConvolution, SequenceEnlarging};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor, activation};

/// Weights begin with the variance of numbers uniform on ±1/√fan_in.
const GAIN: f64 = 0.577_350_269_189_625_8;

/// What is kept of a negative number.
const LEAK: f64 = 0.1;

/// W₂ leaky(W₁ c + b₁) + b₂, whose hidden layer is as wide as a plan.
#[derive(Module, Debug)]
pub struct PerceptronPrior {
    hidden: Linear,
    output: Linear,
}

impl PerceptronPrior {
    /// From so many conditions to plans of so many cells.
    ///
    /// # Errors
    /// [`Error::Setting`] for a size of zero, or a plan of more than 16384 cells.
    pub fn new(conditions: usize, cells: usize, rng: &mut Rng, device: &Device) -> Result<Self> {
        require_count("conditions", conditions, 1..=MAX_WIDTH, "two states have eight numbers")?;
        require_count("cells", cells, 1..=1 << 14, "use the convolution prior for longer plans")?;
        let hidden = Linear::new(conditions, cells, GAIN, rng, device);
        Ok(Self { hidden, output: Linear::new(cells, cells, GAIN, rng, device) })
    }

    /// # Shapes
    /// `conditions: [batch, conditions]`, result `[batch, cells]`.
    pub fn forward(&self, conditions: Tensor<2>) -> Tensor<2> {
        self.output.forward(activation::leaky_relu(self.hidden.forward(conditions), LEAK))
    }
}

const CONVOLUTION: Window = Window { side: 5, stride: 1, padding: 2 };
const TO_THREE: Window = Window { side: 4, stride: 1, padding: 1 };
const TO_FIVE: Window = Window { side: 4, stride: 1, padding: 0 };
const DOUBLING: Window = Window { side: 4, stride: 2, padding: 1 };

/// First and last row as a sequence of two, lengthened step by step; actions start at zero.
#[derive(Module, Debug)]
pub struct ConvolutionPrior {
    steps: Vec<Lengthening>,
    #[module(skip)]
    actions: usize,
}

/// Twice mish(norm(conv₅(x))), then a transposed convolution.
#[derive(Module, Debug)]
struct Lengthening {
    convolutions: Vec<SequenceConvolution>,
    norms: Vec<GroupNorm>,
    enlarge: SequenceEnlarging,
}

impl ConvolutionPrior {
    /// For plans of `rows` rows, each of `actions` actions and `states` coordinates of a state.
    ///
    /// # Errors
    /// [`Error::Setting`] unless `rows` is 4 or more and two, three or five times a power of two.
    pub fn new(rows: usize, [actions, states]: [usize; 2], rng: &mut Rng, device: &Device) -> Result<Self> {
        require_count("states", states, 1..=MAX_WIDTH, "a point in the plane that moves has four")?;
        require_count("actions", actions, 0..=MAX_WIDTH, "a point in the plane has two")?;
        let channels = actions + states;
        let step = |window| Lengthening::new(channels, window, rng, device);
        Ok(Self { steps: windows_to(rows)?.into_iter().map(step).collect(), actions })
    }

    /// # Shapes
    /// `conditions: [batch, 2 · states]`, first state and last; result `[batch, rows · (actions + states)]`.
    pub fn forward(&self, conditions: Tensor<2>) -> Tensor<2> {
        let [batch, count] = conditions.dims();
        let states = conditions.reshape([batch, 2, count / 2]);
        let actions = states.clone().narrow(2, 0, 1).zeros_like().repeat_dim(2, self.actions);
        let ends = if self.actions == 0 { states } else { Tensor::cat(vec![actions, states], 2) };
        let plan = self.steps.iter().fold(ends, |x, step| step.forward(x));
        let [_, rows, columns] = plan.dims();
        plan.reshape([batch, rows * columns])
    }
}

/// Windows that lengthen a sequence of two to one of `rows`.
fn windows_to(rows: usize) -> Result<Vec<Window>> {
    let twos = if rows == 0 { 0 } else { rows.trailing_zeros() as usize };
    let (first, doublings) = match rows >> twos {
        1 if twos > 1 => (None, twos - 1),
        3 if twos > 0 => (Some(TO_THREE), twos),
        5 if twos > 0 => (Some(TO_FIVE), twos),
        _ => {
            let requirement = "4 or more, and two, three or five times a power of two";
            return Err(Error::setting("rows", requirement, rows, "128, 256 and 384 are usual"));
        }
    };
    Ok(first.into_iter().chain(std::iter::repeat_n(DOUBLING, doublings)).collect())
}

impl Lengthening {
    fn new(channels: usize, window: Window, rng: &mut Rng, device: &Device) -> Self {
        let sizes = [channels; 2];
        Self {
            convolutions: (0..2)
                .map(|_| SequenceConvolution::new(sizes, CONVOLUTION, GAIN, rng, device))
                .collect(),
            norms: (0..2).map(|_| GroupNorm::in_groups(1, channels, device)).collect(),
            enlarge: SequenceEnlarging::new(sizes, window, GAIN, rng, device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let blocks = self.convolutions.iter().zip(&self.norms);
        self.enlarge
            .forward(blocks.fold(x, |x, (convolution, norm)| norm.forward(convolution.forward(x), Mish)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::to_vec;

    #[test]
    fn perceptrons_have_the_published_numbers_of_weights() {
        for (rows, weights) in [(128, 597_504), (256, 2_374_656), (384, 5_331_456)] {
            let (device, mut rng) = (Device::flex(), Rng::new(1));
            let prior = PerceptronPrior::new(8, 6 * rows, &mut rng, &device).unwrap();
            assert_eq!(prior.num_params(), weights);
            assert_eq!(prior.forward(rng.normal([3, 8], &device)).dims(), [3, 6 * rows]);
        }
    }

    #[test]
    fn convolutions_lengthen_two_rows_to_a_plan_that_heeds_both() {
        let (device, mut rng) = (Device::flex(), Rng::new(2));
        for rows in [4, 6, 10, 64, 128, 256, 320, 384] {
            let prior = ConvolutionPrior::new(rows, [2, 4], &mut rng, &device).unwrap();
            let conditions = rng.normal([2, 8], &device);
            let plan = prior.forward(conditions.clone());
            assert_eq!(plan.dims(), [2, 6 * rows]);
            for end in [0, 4] {
                let moved = prior.forward(conditions.clone().slice_fill([0..2, end..end + 4], 0.5));
                assert!(to_vec(moved - plan.clone()).iter().any(|d| d.abs() > 1e-4), "{rows} {end}");
            }
        }
    }

    #[test]
    fn lengths_out_of_reach_are_refused() {
        for rows in [0, 1, 2, 3, 5, 28, 60] {
            let made = ConvolutionPrior::new(rows, [2, 4], &mut Rng::new(1), &Device::flex());
            assert!(made.err().unwrap().to_string().contains(&format!("got {rows}")), "{rows}");
        }
        assert!(PerceptronPrior::new(8, 1 << 20, &mut Rng::new(1), &Device::flex()).is_err());
    }
}
