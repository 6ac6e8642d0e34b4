//! What a folder of images holds: pictures, classes, and what is left out.
//!
//! Either the images lie in the folder itself, or in subfolders whose sorted names are the classes 0, 1, 2, …. What systems
//! leave behind (`.DS_Store`, `__MACOSX`, `.ipynb_checkpoints`, `._x.png`, `Thumbs.db`, and everything else that is hidden) is as
//! if it were not there. Pictures of other formats are counted and named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::dataset::digest_of_bytes;
use crate::reading::Reading;
use crate::shown::listed;

/// Endings of the pictures that are read.
const READ: [&str; 6] = ["png", "jpg", "jpeg", "jpe", "jfif", "jif"];
/// Endings of pictures that are not.
const OTHERS: [&str; 26] = [
    "gif", "webp", "bmp", "dib", "tif", "tiff", "heic", "heif", "avif", "jp2", "j2k", "jxl", "ppm", "pgm",
    "pbm", "pnm", "svg", "ico", "tga", "exr", "hdr", "psd", "dng", "cr2", "nef", "dcm",
];
/// What Windows and unpacked archives of a Mac leave behind.
const LITTER: [&str; 5] = ["thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin"];

/// The images of a folder, sorted by class and name.
pub(super) struct Listing {
    pub(super) images: Vec<PathBuf>,
    pub(super) labels: Option<Vec<u32>>,
    pub(super) classes: Option<Vec<String>>,
    left_out: LeftOut,
}

/// What lies directly in a folder, each sorted by name.
#[derive(Default)]
struct Entries {
    images: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    left_out: LeftOut,
}

/// What is no picture that is read.
#[derive(Default)]
struct LeftOut {
    /// Pictures of other formats, by their endings.
    pictures: BTreeMap<String, usize>,
    /// Files that are no pictures.
    files: usize,
    /// Folders below those of the classes.
    folders: Vec<String>,
    /// Folders without a picture that is read, beside some with.
    empty_classes: Vec<String>,
}

impl Entries {
    fn of(folder: &Path, reading: &Reading) -> Result<Self> {
        let mut entries = Self::default();
        for entry in fs::read_dir(folder).map_err(|cause| reading.unreadable(cause))? {
            let path = entry.map_err(|cause| reading.unreadable(cause))?.path();
            if !is_litter(&path) {
                entries.add(path);
            }
        }
        entries.images.sort();
        entries.folders.sort();
        Ok(entries)
    }

    fn add(&mut self, path: PathBuf) {
        let ending =
            path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        if path.is_dir() {
            self.folders.push(path);
        } else if READ.contains(&ending.as_str()) {
            self.images.push(path);
        } else if OTHERS.contains(&ending.as_str()) {
            *self.left_out.pictures.entry(ending).or_default() += 1;
        } else {
            self.left_out.files += 1;
        }
    }
}

/// Whether an entry is hidden, or left behind by a system.
fn is_litter(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    name.starts_with('.') || LITTER.contains(&name.as_str())
}

impl Listing {
    /// # Errors
    /// When there are no images, some lie beside classes, or all lie deeper than classes do.
    pub(super) fn of(folder: &Path, reading: &Reading) -> Result<Self> {
        let top = Entries::of(folder, reading)?;
        let mut left_out = top.left_out;
        let mut classes = Vec::new();
        for path in &top.folders {
            let entries = Entries::of(path, reading)?;
            left_out.take_in(&entries, folder);
            classes.push((path, entries));
        }
        let deep = || {
            classes
                .iter()
                .find_map(|(_, class)| class.folders.iter().find(|path| holds_images(path, reading)))
        };
        let filled = classes.iter().filter(|(_, entries)| !entries.images.is_empty()).count();
        match (top.images.is_empty(), filled) {
            (true, 0) => match deep() {
                Some(path) => Err(too_deep(folder, path, reading)),
                None => Err(left_out.nothing_to_read(reading)),
            },
            (false, 0) => Ok(Self {
                images: top.images,
                labels: None,
                classes: None,
                left_out: left_out.beside_images(&classes),
            }),
            (true, _) => Ok(Self::of_classes(classes, left_out)),
            (false, _) => Err(reading.unsupported(
                format!(
                    "the folder holds {} images beside {filled} subfolders with images",
                    top.images.len()
                ),
                "move the images into a subfolder of their class, or remove the subfolders",
            )),
        }
    }

    fn of_classes(classes: Vec<(&PathBuf, Entries)>, mut left_out: LeftOut) -> Self {
        let (filled, empty): (Vec<_>, Vec<_>) =
            classes.into_iter().partition(|(_, class)| !class.images.is_empty());
        left_out.empty_classes = empty.iter().map(|(path, _)| name_of(path)).collect();
        let names: Vec<String> = filled.iter().map(|(path, _)| name_of(path)).collect();
        let mut images = Vec::new();
        let mut labels = Vec::new();
        for (label, (_, entries)) in (0u32..).zip(filled) {
            labels.extend(std::iter::repeat_n(label, entries.images.len()));
            images.extend(entries.images);
        }
        Self { images, labels: Some(labels), classes: Some(names), left_out }
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let classes =
            self.classes.as_ref().map(|names| format!("{} subfolders read as classes", names.len()));
        classes.into_iter().chain(self.left_out.notes()).collect()
    }

    /// The digest of names and file digests, which changes when a file is renamed, moved or altered.
    pub(super) fn digest<'a>(&self, folder: &Path, digests: impl Iterator<Item = &'a str>) -> String {
        let line = |(path, digest): (&PathBuf, &str)| {
            let name = path.strip_prefix(folder).unwrap_or(path);
            format!("{}\0{digest}\n", name.display())
        };
        digest_of_bytes(self.images.iter().zip(digests).map(line).collect::<String>().as_bytes())
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a folder below a class holds an image; one that cannot be looked into holds none.
fn holds_images(path: &Path, reading: &Reading) -> bool {
    Entries::of(path, reading).is_ok_and(|entries| !entries.images.is_empty())
}

fn too_deep(folder: &Path, path: &Path, reading: &Reading) -> crate::DataError {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let upper = below.parent().unwrap_or(below).display();
    reading.unsupported(
        format!("images lie two folders deep, as in {}", below.display()),
        format!("give the folder above the classes, for example {}/{upper}", folder.display()),
    )
}

impl LeftOut {
    /// Adds what is left out of a folder of a class.
    fn take_in(&mut self, class: &Entries, folder: &Path) {
        self.files += class.left_out.files;
        for (ending, count) in &class.left_out.pictures {
            *self.pictures.entry(ending.clone()).or_default() += count;
        }
        let name = |path: &PathBuf| path.strip_prefix(folder).unwrap_or(path).display().to_string();
        self.folders.extend(class.folders.iter().map(name));
    }

    /// The same where images lie beside folders without any.
    fn beside_images(mut self, classes: &[(&PathBuf, Entries)]) -> Self {
        self.folders = classes.iter().map(|(path, _)| name_of(path)).collect();
        self
    }

    fn nothing_to_read(&self, reading: &Reading) -> crate::DataError {
        let found = match self.pictures.is_empty() {
            true => format!("and {} other entries", self.files + self.folders.len()),
            false => format!("but {}", self.of_other_formats()),
        };
        let fix = match self.pictures.is_empty() {
            true => "give a folder of images, or a file inside it",
            false => "save them as PNG, for example with: mogrify -format png *",
        };
        reading.unsupported(format!("the folder holds no .png or .jpg file, {found}"), fix)
    }

    /// `3 pictures of other formats (2 .gif, 1 .webp)`.
    fn of_other_formats(&self) -> String {
        let count: usize = self.pictures.values().sum();
        let each: Vec<String> =
            self.pictures.iter().map(|(ending, count)| format!("{count} .{ending}")).collect();
        format!("{count} pictures of other formats ({})", each.join(", "))
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.pictures.is_empty() {
            notes.push(format!(
                "{} are left out: save them as PNG to have them read",
                self.of_other_formats()
            ));
        }
        if self.files > 0 {
            notes.push(format!("{} entries are not images and were ignored", self.files));
        }
        if !self.empty_classes.is_empty() {
            notes.push(format!("subfolders without images are no classes: {}", listed(&self.empty_classes)));
        }
        if !self.folders.is_empty() {
            notes.push(format!("folders too deep to be classes are not read: {}", listed(&self.folders)));
        }
        notes
    }
}
