//! How much of the draws lies at every mode.

use crate::density::Modes;

/// A mode is found where the draws have at least this part of its own share.
const FOUND: f64 = 0.1;

/// The shares of modes among draws, beside their own.
#[derive(Clone, Debug, PartialEq)]
pub struct ModeShares {
    /// Share of every mode among the draws, `[count]`.
    pub shares: Vec<f64>,
    /// Total variation ½ Σ |share − own share|: what part of the draws is at a wrong mode.
    pub total_variation: f64,
    /// Entropy of the shares over that of even ones, ln of the number of modes: 1 for even shares, 0 for one mode alone. It
    /// says whether modes are missed where their own shares are even.                                        \[BJEV24\]
    pub entropy: f64,
    /// Modes with at least a tenth of their own share.
    pub found: usize,
}

impl ModeShares {
    /// Of `draws`, `[count, dim]`; nothing if there are none.
    pub fn of(modes: &Modes, draws: &[f64]) -> Option<Self> {
        let nearest = (modes.of)(draws);
        let part = 1.0 / nearest.len() as f64;
        let mut shares = vec![0.0; modes.shares.len()];
        nearest.iter().for_each(|mode| shares[*mode] += part);
        (!nearest.is_empty()).then(|| Self::beside(shares, &modes.shares))
    }

    fn beside(shares: Vec<f64>, own: &[f64]) -> Self {
        let both = || shares.iter().zip(own);
        let even = (shares.len() as f64).ln();
        let entropy =
            -shares.iter().filter(|share| **share > 0.0).map(|share| share * share.ln()).sum::<f64>();
        Self {
            total_variation: 0.5 * both().map(|(share, own)| (share - own).abs()).sum::<f64>(),
            // One mode is never missed.
            entropy: if even > 0.0 { entropy / even } else { 1.0 },
            found: both().filter(|(share, own)| **share > 0.0 && **share >= FOUND * **own).count(),
            shares,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Cells [k, k + 1) of the line.
    fn cells(own: &[f64]) -> Modes {
        let of = |states: &[f64]| states.iter().map(|x| x.floor() as usize).collect();
        Modes { shares: own.to_vec(), of: Box::new(of) }
    }

    #[test]
    fn shares_are_counted_by_hand() {
        let modes = cells(&[0.25, 0.25, 0.25, 0.25]);
        let found = ModeShares::of(&modes, &[0.5, 0.1, 1.5, 1.9]).unwrap();
        assert_eq!(found.shares, [0.5, 0.5, 0.0, 0.0]);
        assert_eq!((found.total_variation, found.found), (0.5, 2));
        assert!((found.entropy - 0.5).abs() < 1e-15); // ln 2 over ln 4
        let even = ModeShares::of(&modes, &[0.5, 1.5, 2.5, 3.5]).unwrap();
        assert_eq!((even.total_variation, even.found), (0.0, 4));
        assert!((even.entropy - 1.0).abs() < 1e-15);
        assert!(ModeShares::of(&modes, &[]).is_none());
    }

    #[test]
    fn a_mode_is_found_from_a_tenth_of_its_share_on() {
        let modes = cells(&[0.5, 0.5]);
        let draws = |stray: usize| (0..100).map(|i| if i < stray { 1.5 } else { 0.5 }).collect::<Vec<f64>>();
        let found = |stray| ModeShares::of(&modes, &draws(stray)).unwrap().found;
        assert_eq!((found(4), found(6)), (1, 2));
        assert_eq!(ModeShares::of(&cells(&[1.0]), &[0.5]).unwrap().entropy, 1.0);
    }
}
