//! How a run can fail, sorted by what the user has to do about it.

use std::path::PathBuf;

/// The result of a fallible call of this crate.
pub type Result<T> = std::result::Result<T, RunError>;

/// Why a run, or a command on one, did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Wrong data.
    #[error(transparent)]
    Data(#[from] sbridge_data::DataError),
    /// Wrong settings or shapes.
    #[error(transparent)]
    Library(#[from] sbridge::Error),
    /// A statistic that cannot be computed from these samples.
    #[error(transparent)]
    Transport(#[from] sbridge_ot::OtError),
    /// A settings file or a `--set` that does not say what it should.
    #[error("{0}")]
    Config(String),
    /// Input that is wrong in another way.
    #[error("{0}")]
    Input(String),
    /// A run folder that is not one, or lacks a part.
    #[error("{path} {problem}", path = .path.display())]
    Folder {
        /// The folder or the file in it.
        path: PathBuf,
        /// What is wrong with it, and the fix.
        problem: String,
    },
    /// The disk did not do what it should.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Disk {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Training diverged; the last checkpoint stands.
    #[error(
        "training of the {stage} diverged, again with half the step size, at {reason}. The last checkpoint \
         is kept in {folder}; start a new run with {fix}",
        folder = .folder.display()
    )]
    Diverged {
        /// Which network.
        stage: String,
        /// What to do otherwise.
        fix: String,
        /// Which quantity, at which step.
        reason: String,
        /// The run folder.
        folder: PathBuf,
    },
    /// A checkpoint could not be written.
    #[error(
        "{reason}. What was trained before is kept; make room, then continue with: sbridge {command} \
         --resume {folder}",
        folder = .folder.display()
    )]
    Unsaved {
        /// What the disk did.
        reason: String,
        /// What fits such a run.
        command: String,
        /// The run folder.
        folder: PathBuf,
    },
    /// Simulated paths left the finite numbers.
    #[error(
        "{diverged} of {count} paths diverged, so no samples were written (take more steps with --set \
         sampler.steps, or train again with a third of bridge.fit.learning_rate)"
    )]
    PathsDiverged {
        /// How many.
        diverged: usize,
        /// Of how many.
        count: usize,
    },
    /// Samples carried along a bridge left the finite numbers.
    #[error(
        "{diverged} of {count} samples were carried to no finite place, so nothing was written (the usual reason is \
         values far outside of those the bridge was fitted to)"
    )]
    CarriedNowhere {
        /// How many.
        diverged: usize,
        /// Of how many.
        count: usize,
    },
    /// Whoever may stop the run did; a checkpoint was kept.
    #[error("interrupted; continue with: sbridge {command} --resume {folder}", folder = .folder.display())]
    Interrupted {
        /// What fits such a run.
        command: String,
        /// The run folder.
        folder: PathBuf,
    },
}

impl RunError {
    /// A problem with the disk.
    pub fn disk(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Disk { action, path: path.into(), source }
    }

    /// A problem with a run folder.
    pub fn folder(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::Folder { path: path.into(), problem: problem.into() }
    }

    /// The exit code of the command: 2 wrong input, 3 numerics went bad, 130 interrupted, 1 the disk.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Diverged { .. }
            | Self::PathsDiverged { .. }
            | Self::CarriedNowhere { .. }
            | Self::Library(sbridge::Error::Diverged(_)) => 3,
            Self::Interrupted { .. } | Self::Library(sbridge::Error::Interrupted) => 130,
            Self::Disk { .. }
            | Self::Unsaved { .. }
            | Self::Data(sbridge_data::DataError::Unwritable { .. }) => 1,
            _ => 2,
        }
    }
}
