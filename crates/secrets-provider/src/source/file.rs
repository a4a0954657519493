use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use tokio::{sync::Semaphore, task::spawn_blocking};
use zeroize::Zeroizing;

use super::{Fetching, Source, SourceError, SourceErrorKind, id_of};
use crate::{MAX_BYTES, Value, Version, Versions};

/// How many reads may hang at once, on a file system that does not answer.
const READS: usize = 8;
/// How often a read is begun again because the directory was swapped under it.
const TRIES: u32 = 3;
const SWAPPED: &str = "..data";

/// Files of a directory, one for each secret, as Kubernetes, Docker, systemd and agents mount them.
///
/// The name of a secret is the path of its file below the directory, and the version before it, if
/// there is one, is the file with the suffix `.previous` beside it. One line end at the end of a
/// file is not part of the secret.
///
/// A change is noticed by reading again: by path, and never by watching the file, which misses the
/// two ways in which such files are replaced. In a directory that is swapped whole (Kubernetes:
/// `..data`), current and previous are read from the same side of the swap. A writer of single
/// files must rename a complete file into place.
///
/// Files do not say when a secret was created: a volume that is mounted again has new files with an
/// old secret. Where they are written only by a rotation, say so with
/// [`trust_modification_time`](Self::trust_modification_time).
#[derive(Clone, Debug)]
pub struct FileSource {
    root: Arc<Path>,
    dated: bool,
    reads: Arc<Semaphore>,
}

/// The directory of a [`FileSource`] cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a directory that can be read; mount the secrets there, or correct the path", .root.display())]
#[non_exhaustive]
pub struct FileSourceError {
    root: PathBuf,
    source: Option<io::Error>,
}

// === impl FileSource ===

impl FileSource {
    /// Takes the directory.
    ///
    /// # Errors
    /// There is none there, or it cannot be read.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self, FileSourceError> {
        let root = root.into();
        let refused = |source| {
            let root = root.clone();
            Err(FileSourceError { root, source })
        };
        match fs::metadata(&root) {
            Ok(found) if found.is_dir() => Ok(Self {
                root: root.into(),
                dated: false,
                reads: Arc::new(Semaphore::new(READS)),
            }),
            Ok(_) => refused(None),
            Err(error) => refused(Some(error)),
        }
    }

    /// Takes the time of a file's last change for the creation of its secret. Right only where
    /// nothing but a rotation writes these files.
    #[must_use]
    pub fn trust_modification_time(mut self) -> Self {
        self.dated = true;
        self
    }

    fn read(&self, name: &str) -> Result<Versions, SourceError> {
        let name = Path::new(name);
        // NOTE: a name may come from a configuration, and must not lead out of the directory.
        if !name
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            let kind = SourceErrorKind::NotFound;
            return Err(SourceError::new(
                kind,
                "the name leads out of the directory",
            ));
        }
        let mut previous_name = name.as_os_str().to_owned();
        previous_name.push(".previous");

        let link = self.root.join(name).with_file_name(SWAPPED);
        for _ in 0..TRIES {
            let before = fs::read_link(&link).ok();
            let current = self.version(&self.root.join(name));
            let previous = self.version(&self.root.join(&previous_name));
            // Only what was read between two looks at the same target is of one side.
            if before == fs::read_link(&link).ok() {
                let missing = || {
                    let kind = SourceErrorKind::NotFound;
                    SourceError::new(kind, "there is no such file in the directory")
                };
                let current = current?.ok_or_else(missing)?;
                return Ok(Versions::new(current).with_previous(previous?));
            }
        }
        let kind = SourceErrorKind::Unavailable;
        Err(SourceError::new(
            kind,
            "the directory was swapped during each read",
        ))
    }

    fn version(&self, file: &Path) -> Result<Option<Version>, SourceError> {
        let mut file = match File::open(file) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() {
            let kind = SourceErrorKind::Invalid;
            return Err(SourceError::new(
                kind,
                "there is something else than a file",
            ));
        }
        // One more than a secret may have, and two for a line end, to see that it is too large. All
        // of it up front: a buffer that grows would leave copies behind.
        let mut bytes = Zeroizing::new(vec![0; MAX_BYTES + 3]);
        let mut len = 0;
        while let Some(rest) = bytes.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match file.read(rest) {
                Ok(0) => break,
                Ok(read) => len += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let secret = without_line_end(bytes.get(..len).unwrap_or_default());
        let version = Version::new(id_of(secret), Value::new(secret)?);
        Ok(Some(match found.modified() {
            Ok(at) if self.dated => version.with_created_at(at),
            _ => version,
        }))
    }
}

impl Source for FileSource {
    fn fetch<'a>(&'a self, name: &'a str) -> Fetching<'a> {
        Box::pin(async move {
            let gone = || SourceError::new(SourceErrorKind::Unavailable, "reading was given up");
            // The permit goes along: a read that hangs cannot be ended, only counted.
            let permit = Arc::clone(&self.reads).acquire_owned().await;
            let permit = permit.map_err(|_| gone())?;
            let (source, name) = (self.clone(), name.to_owned());
            let read = spawn_blocking(move || {
                let _permit = permit;
                source.read(&name)
            });
            read.await.map_err(|_| gone())?
        })
    }
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

fn failed(error: io::Error) -> SourceError {
    let (kind, detail) = match error.kind() {
        ErrorKind::PermissionDenied => (SourceErrorKind::Denied, "the file may not be read"),
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => (
            SourceErrorKind::Invalid,
            "there is something else than a file",
        ),
        _ => (SourceErrorKind::Unavailable, "the file cannot be read"),
    };
    SourceError::new(kind, detail).with_cause(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_a_secret() {
        for text in ["a", "a\n", "a\r\n"] {
            assert_eq!(without_line_end(text.as_bytes()), b"a", "{text:?}");
        }
        assert_eq!(without_line_end(b"a\n\n"), b"a\n");
        assert_eq!(without_line_end(b"\n"), b"");
    }
}
