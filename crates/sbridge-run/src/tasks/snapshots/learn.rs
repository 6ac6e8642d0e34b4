//! A chain, leg by leg: each is a run of its own, in a folder of its own.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::data::{SnapshotData, leg_config};
use crate::error::Result;
use crate::folder::RunFolder;
use crate::folder::manifest::RunStatus;
use crate::models::bridge::{Leg, PairConfig, Snapshot, part};
use crate::run::{self, AnyRun as _};
use crate::training::Learning;

/// The folder of the leg from `a` to `b` of the chain in `folder`.
pub(super) fn leg_folder(folder: &RunFolder, a: &Snapshot, b: &Snapshot) -> PathBuf {
    folder.file("legs").join(format!("{}-{}", a.time, b.time))
}

/// Fits and judges the legs that are not finished.
///
/// # Errors
/// [`RunError`](crate::RunError); also if the data of a leg have changed since.
pub(super) fn learn<L: Leg>(run: &mut Learning<'_, PairConfig>, data: &SnapshotData) -> Result<()> {
    for (a, b) in data.legs() {
        let (started, path) = (Instant::now(), leg_folder(run.folder, a, b));
        let mut settings = leg_config(&run.settings, a, b);
        if is_finished(&path) {
            let (data, folder) = (L::read(&mut settings, run.context)?, RunFolder::open(&path)?);
            run::require_same_data(&L::records(&data), &folder.manifest()?, &folder)?;
            continue;
        }
        run.context.info(&format!("from {} to {}:", a.time, b.time));
        part::<L>(run.method, settings, &path, run.context)?.judge(None)?;
        run.took(&format!("{}-{}", a.time, b.time), started)?;
    }
    Ok(())
}

fn is_finished(leg: &Path) -> bool {
    let manifest = RunFolder::open(leg).and_then(|folder| folder.manifest());
    manifest.is_ok_and(|manifest| manifest.status == RunStatus::Finished) && leg.join("report.html").exists()
}
