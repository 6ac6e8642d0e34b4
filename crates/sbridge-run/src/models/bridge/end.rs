//! Where a bridge between two sets leads, beside what nothing can beat and what doing nothing gives.

use sbridge::Direction;
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, head, points};
use serde::{Deserialize, Serialize};

use super::{Ends, PairModel, direction_name};
use crate::data::Split;
use crate::error::Result;
use crate::quality::RowKind;
use crate::quality::distances::Distances;

/// One end of the bridge: what arrives, beside real data and beside doing nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// `forward` or `backward`.
    pub direction: String,
    /// Samples compared.
    pub count: usize,
    /// Samples of the other side, carried here.
    pub carried: Distances,
    /// Other samples of this side, of those trained on: what nothing can beat.
    pub floor: Distances,
    /// The other side as it is: what doing nothing gives.
    pub untouched: Distances,
    /// Training samples of this side, encoded and decoded, where the bridge joins codes: what no bridge can beat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Distances>,
}

impl End {
    /// Rows of a table: what, and how far.
    pub(crate) fn rows(&self) -> Vec<(&'static str, RowKind, Distances)> {
        let restored = self.restored.map(|found| ("the same, decoded", RowKind::Floor, found));
        let mut rows = vec![
            ("carried", RowKind::Model, self.carried),
            ("floor: training data", RowKind::Floor, self.floor),
        ];
        rows.extend(restored);
        rows.push(("untouched", RowKind::Baseline, self.untouched));
        rows
    }
}

/// W2 of what arrives over that of training samples that is remarked on.
const FAR_FROM_FLOOR: f64 = 1.3;

impl End {
    /// Where samples do not end among those of the other side; `fix` says what brings them nearer.
    pub(crate) fn remarks(&self, fix: &str) -> Vec<String> {
        let (direction, mut remarks) = (&self.direction, Vec::new());
        let best = self.restored.map_or(self.floor.w2, |restored| restored.w2.max(self.floor.w2));
        let ratio = self.carried.w2 / best;
        if ratio.is_finite() && ratio > FAR_FROM_FLOOR {
            remarks.push(format!("{direction}: W2 is {ratio:.1} times that of training samples ({fix})"));
        }
        if self.floor.w2 > 0.0 && best > FAR_FROM_FLOOR * self.floor.w2 {
            let ratio = best / self.floor.w2;
            remarks.push(format!(
                "{direction}: encoding and decoding alone puts samples {ratio:.1} times as far as others lie (raise \
                 --latent or autoencoder.fit.steps)"
            ));
        }
        remarks
    }
}

/// Samples compared on each side, at most; exact distances grow with the cube.
const MAX_COMPARED: usize = 2000;

/// Samples of both sides to judge a bridge by: those that nothing has seen, and others.
pub struct Sides {
    sides: [[Tensor<2>; 2]; 2],
    count: usize,
}

impl Sides {
    /// Those of `ends`, or halves of all where none were held out.
    pub fn of(ends: &Ends) -> Self {
        let sides = [&ends.source, &ends.target].map(Split::judges_and_others);
        let count =
            sides.iter().flatten().map(|rows| rows.dims()[0]).min().map_or(0, |n| n.min(MAX_COMPARED));
        Self { sides, count }
    }

    /// Samples that paths in `direction` start from.
    pub fn first(&self, direction: Direction) -> Tensor<2> {
        let [from, _] = direction.along(self.sides.each_ref());
        head(&from[0], self.count)
    }

    /// What arrives at the end that `direction` leads to; and starts and ends of the paths, as the bridge joins them.
    ///
    /// # Errors
    /// [`RunError`](crate::RunError) for samples that are not finite.
    pub fn judge(&self, model: &PairModel, direction: Direction, rng: &Rng) -> Result<(End, [Tensor<2>; 2])> {
        let first = |rows: &Tensor<2>| head(rows, self.count);
        let [from, to] = direction.along(self.sides.each_ref());
        let count = self.count;
        let start = first(&from[0]);
        let codes = model.encode(&start);
        let moved = model.bridge.transport(direction, &codes, &mut rng.fork(direction_name(direction)));
        let reference = points(&first(&to[0]))?;
        let others = first(&to[1]);
        let of = |rows: &Tensor<2>| Distances::between(&points(rows)?, &reference);
        let restored = || of(&model.decode(&model.encode(&others)));
        let end = End {
            direction: direction_name(direction).into(),
            count,
            carried: of(&model.decode(&moved))?,
            floor: of(&others)?,
            untouched: of(&start)?,
            restored: model.is_lossy().then(restored).transpose()?,
        };
        Ok((end, [codes, moved]))
    }
}
