//! What makes a method out of half-bridges: a name, settings, and what these demand of each other.

use crate::error::Result;
use crate::solver::alternation::AlternationSettings;

/// A method that learns a bridge half by half: a point of the design, in a file of its own.
pub trait AlternationMethod: Sync {
    /// What users call it.
    fn name(&self) -> &'static str;

    /// The settings that make the method.
    fn defaults(&self) -> AlternationSettings;

    /// What its regression demands of the other settings, beside their ranges: nothing, unless a method says so. Settings
    /// are free to become those of another method, so it is the method of their [`Target`](super::Target) that is asked,
    /// by [`AlternationSettings::check`].
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for settings that do not go together.
    fn check(&self, _settings: &AlternationSettings) -> Result<()> {
        Ok(())
    }
}
