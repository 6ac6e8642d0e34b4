//! What is known of bridges learned half by half, measured: Gaussian ends in closed form, and tables of the plane.

mod conformance;
mod gaussian;
mod plane;

use super::OwnQuestion;

/// Mean matching and state matching between Gaussians.
pub(super) const DSB_GAUSSIAN: &[(&str, OwnQuestion)] =
    &[("dsb", gaussian::dsb_study), ("sdsb", gaussian::sdsb_study)];

/// Bridge matching between Gaussians.
pub(super) const DSBM_GAUSSIAN: &[(&str, OwnQuestion)] = &[
    ("dsbm-imf", gaussian::dsbm_study),
    ("dsbm-ipf", gaussian::dsbm_reference_study),
    ("sf2m", gaussian::sf2m_study),
];

/// Every method between Gaussians of every kind.
pub(super) const CONFORMANCE: &[(&str, OwnQuestion)] = &[
    ("light-sb", conformance::light_sb_study),
    ("light-sb-m", conformance::light_sb_m_study),
    ("dsbm", conformance::dsbm_study),
    ("sf2m", conformance::sf2m_study),
    ("sdsb", conformance::sdsb_study),
    ("dsb", conformance::dsb_study),
];

/// Every method between laws of the plane.
pub(super) const DSB_2D: &[(&str, OwnQuestion)] = &[
    ("sf2m", plane::sf2m_study),
    ("dsbm-imf", plane::dsbm_study),
    ("dsbm-ipf", plane::dsbm_reference_study),
    ("dsb", plane::dsb_study),
];
