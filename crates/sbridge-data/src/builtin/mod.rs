//! Sets the program generates itself: `builtin:NAME?n=..&seed=..`.
//!
//! Sample i is drawn from stream i of a ChaCha8 generator with the given seed. So it depends on the
//! seed and on i alone: the first samples of a longer set are those of a shorter one, and threads
//! change nothing.
//!
//! | name           | samples                                   | labels          |
//! |----------------|-------------------------------------------|-----------------|
//! | `glyphs`       | drawn digits and capital letters, 28×28   | 0–9, A is 10, … |
//! | `digits`       | drawn digits, 28×28                       | 0–9             |
//! | `letters`      | drawn capital letters, 28×28              | A is 10, …      |
//! | `moons`        | two half circles in the plane             | 0 and 1         |
//! | `8gaussians`   | eight clusters on a circle                | 0–7             |
//! | `swissroll`    | a spiral                                  | none            |
//! | `checkerboard` | every other square of a board             | none            |
//! | `scurve`       | an S                                      | none            |
//! | `circles`      | two concentric circles                    | 0 and 1         |
//! | `pinwheel`     | five bent arms                            | 0–4             |
//! | `NAME-source`, `NAME-target` | ends of the crowds `stunnel`, `vneck`, `gmm`, `spider`, `lidar` (on hills), `opinion` (1000 values), `opinion-2` | parts of a mixture |
//! | `hills`        | points of two hills, x, y and height      | none            |

mod crowds;
mod glyphs;
mod plane;
mod request;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::Result;
use crate::dataset::{Dataset, digest_of_values};
use crate::kind::SourceKind;
use crate::layout::Contents;
use crate::reading::Reading;

use crowds::{CrowdSet, GMM, LIDAR, SPIDER, STUNNEL, VNECK};
use glyphs::Alphabet;
use plane::PlaneSet;
use request::Request;

/// A set, by what draws it.
#[derive(Clone, Copy)]
enum Set {
    Glyphs(Alphabet),
    Plane(PlaneSet),
    Crowd(CrowdSet),
}

const SETS: [(&str, Set); 25] = [
    ("glyphs", Set::Glyphs(Alphabet::DIGITS_AND_LETTERS)),
    ("digits", Set::Glyphs(Alphabet::DIGITS)),
    ("letters", Set::Glyphs(Alphabet::LETTERS)),
    ("moons", Set::Plane(PlaneSet::Moons)),
    ("8gaussians", Set::Plane(PlaneSet::EightGaussians)),
    ("swissroll", Set::Plane(PlaneSet::SwissRoll)),
    ("checkerboard", Set::Plane(PlaneSet::Checkerboard)),
    ("scurve", Set::Plane(PlaneSet::SCurve)),
    ("circles", Set::Plane(PlaneSet::Circles)),
    ("pinwheel", Set::Plane(PlaneSet::Pinwheel)),
    ("stunnel-source", Set::Crowd(STUNNEL[0])),
    ("stunnel-target", Set::Crowd(STUNNEL[1])),
    ("vneck-source", Set::Crowd(VNECK[0])),
    ("vneck-target", Set::Crowd(VNECK[1])),
    ("gmm-source", Set::Crowd(GMM[0])),
    ("gmm-target", Set::Crowd(GMM[1])),
    ("spider-source", Set::Crowd(SPIDER[0])),
    ("spider-target", Set::Crowd(SPIDER[1])),
    ("lidar-source", Set::Crowd(LIDAR[0])),
    ("lidar-target", Set::Crowd(LIDAR[1])),
    ("opinion-source", Set::Crowd(CrowdSet::Opinions(1000, [4.0, 0.25]))),
    ("opinion-target", Set::Crowd(CrowdSet::Opinions(1000, [4.0, 4.0]))),
    ("opinion-2-source", Set::Crowd(CrowdSet::Opinions(2, [0.5, 0.25]))),
    ("opinion-2-target", Set::Crowd(CrowdSet::Opinions(2, [3.0, 3.0]))),
    ("hills", Set::Crowd(CrowdSet::Hills)),
];

/// Whether a built-in set has this name.
pub(crate) fn is_name(name: &str) -> bool {
    SETS.iter().any(|(known, _)| *known == name)
}

/// Generates the set of a request, the part of the source after `builtin:`.
///
/// # Errors
/// When the name or a parameter is unknown, a parameter is no positive count, or the set passes the
/// limits.
pub(crate) fn generate(request: &str, reading: &Reading) -> Result<Dataset> {
    let request = Request::parse(request, SETS.map(|(name, _)| name).as_slice(), reading)?;
    let (_, set) = SETS[request.set];
    let contents = match set {
        Set::Glyphs(alphabet) => glyphs::generate(alphabet, &request, reading)?,
        Set::Plane(set) => plane::generate(set, &request, reading)?,
        Set::Crowd(set) => crowds::generate(set, &request, reading)?,
    };
    Ok(finish(contents, &request, reading))
}

fn finish(mut contents: Contents, request: &Request, reading: &Reading) -> Dataset {
    contents.notes.push(format!("generated with n = {} and seed = {}", request.count, request.seed));
    let sha256 = digest_of_values(contents.values.as_f32());
    Dataset::assemble(contents, reading.source, SourceKind::Builtin, sha256)
}

/// The generator of sample `index`.
fn stream(seed: u64, index: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64);
    rng
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Limits;

    fn generated(request: &str) -> Result<Dataset> {
        generate(request, &Reading { source: request, limits: &Limits { max_bytes: 64 << 20 } })
    }

    #[test]
    fn every_set_is_finite_and_as_long_as_asked() {
        for (name, _) in SETS {
            let set = generated(&format!("{name}?n=50")).unwrap();
            assert_eq!(set.len(), 50, "{name}");
            set.check_finite().unwrap();
        }
    }

    #[test]
    fn the_seed_decides_and_a_longer_set_continues_a_shorter_one() {
        for name in ["digits", "pinwheel"] {
            let short = generated(&format!("{name}?n=20&seed=5")).unwrap();
            let long = generated(&format!("{name}?seed=5&n=40")).unwrap();
            let other = generated(&format!("{name}?n=20&seed=6")).unwrap();
            assert_eq!(short.values(), long.take(20).values(), "{name}");
            assert_ne!(short.values(), other.values(), "{name}");
        }
    }

    #[test]
    fn too_many_samples_are_refused_before_they_are_drawn() {
        assert!(matches!(generated("moons?n=99999999999999999"), Err(crate::DataError::TooLarge { .. })));
    }
}
