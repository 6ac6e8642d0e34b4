//! A bridge of mixture potentials on disk.

use std::path::Path;

use faer::Mat;
use sbridge::net::Weights;
use sbridge::solver::Frame;
use sbridge::solver::light_sb::{LightPotential, LightSb};
use serde::{Deserialize, Serialize};

use super::{means, require_positive};
use crate::error::Result;
use crate::folder::tensor_file::{self, damaged, vector, widen};

/// What the description calls it.
pub const METHOD: &str = "light-sb";

/// What the arrays do not say.
#[derive(Serialize, Deserialize)]
struct Description {
    method: String,
    /// Of the potentials, in units of the frame.
    epsilon: f64,
    scale: f64,
}

/// Writes `bridge` to `path` in one step.
///
/// # Errors
/// [`RunError::Disk`](crate::RunError::Disk) if the disk refuses.
pub fn save(path: &Path, bridge: &LightSb) -> Result<()> {
    let description =
        Description { method: METHOD.into(), epsilon: bridge.forward.epsilon(), scale: bridge.frame.scale };
    let [source, target] = bridge.frame.means.each_ref().map(|mean| vector(mean));
    let mut arrays = Weights::from([("mean/source".into(), source), ("mean/target".into(), target)]);
    for (name, potential) in [("forward", &bridge.forward), ("backward", &bridge.backward)] {
        tensor_file::insert(&mut arrays, name, arrays_of(potential));
    }
    tensor_file::save(path, &arrays, &description)
}

fn arrays_of(potential: &LightPotential) -> Weights {
    let (count, dim) = (potential.len(), potential.dim());
    let narrow = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
    let factor = |l: &Mat<f64>| (0..dim * dim).map(|i| l[(i / dim, i % dim)]).collect::<Vec<_>>();
    let factors = potential.factors().iter().flat_map(factor).collect();
    Weights::from([
        ("ln_weights".into(), vector(&potential.ln_weights())),
        ("centres".into(), (vec![count, dim], narrow(potential.centres().concat()))),
        ("factors".into(), (vec![count, dim, dim], narrow(factors))),
    ])
}

/// Reads what [`save`] wrote.
///
/// # Errors
/// [`RunError::Folder`](crate::RunError::Folder) if the file is missing or damaged.
pub fn load(path: &Path) -> Result<LightSb> {
    let (mut arrays, description): (_, Description) = tensor_file::load(path)?;
    if description.method != METHOD {
        return Err(damaged(
            path,
            &format!("holds a bridge of method {:?}, not {METHOD}", description.method),
        ));
    }
    let means = means(&mut arrays, path)?;
    let dim = means[0].len();
    let scale = require_positive("the scale", description.scale, path)?;
    let mut potential = |name: &str| {
        let part = tensor_file::extract(&mut arrays, name);
        potential_of(part, dim, description.epsilon)
            .ok_or_else(|| damaged(path, &format!("lacks the {name} potential")))
    };
    let (forward, backward) = (potential("forward")?, potential("backward")?);
    Ok(LightSb { frame: Frame { means, scale }, forward, backward })
}

/// The potential in `arrays`, if they fit each other.
fn potential_of(mut arrays: Weights, dim: usize, epsilon: f64) -> Option<LightPotential> {
    let (_, ln_weights) = arrays.remove("ln_weights")?;
    let (centres, factors) = (arrays.remove("centres")?, arrays.remove("factors")?);
    let count = ln_weights.len();
    if count == 0 || centres.0 != [count, dim] || factors.0 != [count, dim, dim] {
        return None;
    }
    let centres = widen(&centres.1).chunks_exact(dim).map(<[_]>::to_vec).collect();
    let factor = |l: &[f64]| Mat::from_fn(dim, dim, |i, j| l[i * dim + j]);
    let factors = widen(&factors.1).chunks_exact(dim * dim).map(factor).collect();
    LightPotential::from_factors(epsilon, widen(&ln_weights), centres, factors).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use sbridge::solver::light_sb::LightSbSettings;
    use sbridge::tensor::{Device, to_vec};
    use sbridge::{PairBridge as _, Rng};

    #[test]
    fn a_bridge_read_back_transports_to_the_same_points() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bridge.safetensors");
        let mut rng = Rng::new(1);
        let (x, y) = (rng.normal([50, 2], &Device::flex()), rng.normal([60, 2], &Device::flex()) * 2.0 + 1.0);
        let settings = LightSbSettings { components: 3, steps: 20, ..Default::default() };
        let fitted =
            LightSb::fit(&x, &y, 0.5, &settings, &rng, &mut |_, _, _| std::ops::ControlFlow::Continue(()))
                .unwrap();
        save(&path, &fitted).unwrap();
        let loaded = load(&path).unwrap();
        let moved =
            |bridge: &LightSb| to_vec(bridge.transport(sbridge::Direction::Forward, &x, &mut Rng::new(2)));
        // Parameters are kept in f32.
        assert!(moved(&fitted).iter().zip(moved(&loaded)).all(|(a, b)| (a - b).abs() < 1e-4));
        assert!((loaded.reference().epsilon() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bridge.safetensors");
        let description = Description { method: "other".into(), epsilon: 1.0, scale: 1.0 };
        tensor_file::save(&path, &Weights::new(), &description).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("method \"other\""));
        let description = Description { method: METHOD.into(), ..description };
        tensor_file::save(&path, &Weights::new(), &description).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("lacks mean/source"));
    }
}
