//! Brings an archive from the first mirror that gives all of it, piece by piece when it must be.
//!
//! Guarantees: a download that breaks goes on where it stood, at the same mirror a bounded number
//! of times and then at the next; whatever it was put together from, the whole is held against the
//! one signed digest. A mirror that is refused takes all that is here with it, and a whole that was
//! joined and is wrong is fetched once more from the last mirror alone: a liar costs time, never the
//! update.

use std::path::Path;

use self_update::backends::manifest::parse_manifest;

use super::range::Extent;
use super::spool::{Progress, Spool, SpooledArchive};
use super::transport::{Ask, Deadline};
use super::{FetchError, Mirrors, NoMirror, Source, Transport, address, local};
use crate::error_kind::ErrorKind;
use crate::model::{Artefact, Manifest};
use crate::verify::Verified;

/// A download in progress.
struct Download<'a> {
    transport: &'a Transport,
    manifest: &'a Verified<Manifest>,
    artefact: &'a Artefact,
    spool: Spool<'a>,
    progress: &'a mut dyn Progress,
}

/// What was learnt of a file at one mirror.
#[derive(Debug, Default)]
struct Known {
    /// It answered, at least once, so that asking again makes sense.
    began: bool,
    /// Its entity tag.
    tag: Option<String>,
}

impl Mirrors {
    /// Brings the archive for a target into an unnamed file in the staging folder and holds its
    /// size and SHA-256 against the signed ones. What one mirror does not finish, the next does.
    ///
    /// `staging` is made when it is missing (0700); its parent must exist.
    ///
    /// # Errors
    /// [`NoMirror`]; nothing stays behind in the staging folder then.
    pub fn archive(
        &self,
        transport: &Transport,
        manifest: &Verified<Manifest>,
        target: &str,
        staging: &Path,
        progress: &mut dyn Progress,
    ) -> Result<SpooledArchive, NoMirror<FetchError>> {
        let Some(artefact) = manifest.release_for(target) else {
            let target = target.into();
            let error = FetchError::NoArchive { target };
            return Err(NoMirror::new(
                (staging.display().to_string(), error),
                Vec::new(),
            ));
        };
        self.artefact(transport, manifest, artefact, staging, progress)
    }

    /// The same for one artefact of the manifest, whichever an update would take.
    ///
    /// # Errors
    /// As [`Self::archive`].
    pub fn artefact(
        &self,
        transport: &Transport,
        manifest: &Verified<Manifest>,
        artefact: &Artefact,
        staging: &Path,
        progress: &mut dyn Progress,
    ) -> Result<SpooledArchive, NoMirror<FetchError>> {
        let ours = |error| NoMirror::new((staging.display().to_string(), error), Vec::new());
        let mut download = Download {
            transport,
            manifest,
            artefact,
            spool: Spool::begin(artefact, staging).map_err(ours)?,
            progress,
        };
        let mut failed = Vec::new();
        for source in self.each() {
            match download.whole_from(source) {
                Ok(place) => return download.spool.finish(place).map_err(ours),
                // another mirror would not help
                Err(error) if error.is_ours() => return Err(ours(error)),
                Err(error) => failed.push((source.place(), error)),
            }
        }
        let mut failed = failed.into_iter();
        Err(failed.next().map_or_else(
            || ours(FetchError::NoSource),
            |first| NoMirror::new(first, failed.collect()),
        ))
    }
}

impl Download<'_> {
    /// Goes on with one mirror until all is here and right; gives the place that it came from.
    fn whole_from(&mut self, source: &Source) -> Result<String, FetchError> {
        let place = self.place_at(source)?;
        let outcome = self.fill(source, &place).and_then(|()| {
            match self.spool.check() {
                Err(_) if self.spool.is_joined() => {}
                judged => return judged,
            }
            self.spool.clear()?;
            self.fill(source, &place)?;
            self.spool.check()
        });
        match outcome {
            Ok(()) => Ok(place),
            Err(error) => {
                if error.kind() == ErrorKind::Refused {
                    self.spool.clear()?;
                }
                Err(error)
            }
        }
    }

    /// The archive's URL or path at a mirror.
    fn place_at(&self, source: &Source) -> Result<String, FetchError> {
        match source {
            Source::Url { manifest } => {
                let url = asset_url(self.manifest.bytes(), manifest, self.artefact);
                let url = url.ok_or_else(|| FetchError::NoArchive {
                    target: self.artefact.target.clone(),
                })?;
                address::check_step(manifest, &url)?;
                Ok(url)
            }
            Source::Folder { path, archive } => {
                let named = &self.artefact.name;
                if let Some(asked) = archive.as_ref().filter(|asked| *asked != named) {
                    return Err(FetchError::OtherArchive {
                        asked: asked.clone(),
                        named: named.clone(),
                    });
                }
                Ok(path.join(named).display().to_string())
            }
        }
    }

    /// Fills up what is missing.
    fn fill(&mut self, source: &Source, place: &str) -> Result<(), FetchError> {
        if let Source::Folder { path, .. } = source {
            let mut file = local::open(&path.join(&self.artefact.name))?;
            self.spool.clear()?;
            return self.spool.take(&mut file, self.progress);
        }
        let limits = *self.transport.limits();
        let deadline = Deadline::after(limits.long);
        let mut known = Known::default();
        let mut resumes = 0;
        loop {
            match self.piece(place, deadline, &mut known) {
                Err(error) if error.is_break() && known.began && resumes < limits.resumes => {
                    resumes += 1;
                    std::thread::sleep(limits.pause);
                }
                outcome => return outcome,
            }
        }
    }

    /// Asks for what is missing, and takes what comes.
    fn piece(
        &mut self,
        url: &str,
        deadline: Deadline,
        known: &mut Known,
    ) -> Result<(), FetchError> {
        let (at, size) = (self.spool.size(), self.artefact.size);
        let mut answer = self.transport.get(&Ask {
            url,
            deadline,
            at,
            tag: known.tag.as_deref(),
        })?;
        known.began = true;
        let is_part = match answer.extent {
            // all of it, from the start: the server knows no ranges, or the file is another now
            Extent::Whole => {
                self.spool.clear()?;
                false
            }
            Extent::Part(range) if range.continues(at, size) => true,
            Extent::Part(_) | Extent::Unreadable => {
                return Err(FetchError::WrongRange {
                    url: url.into(),
                    at,
                });
            }
        };
        known.tag = answer.tag.take();
        self.spool.take(&mut answer, self.progress)?;
        // a part may be shorter than what was asked for, and a body without a length just ends
        if self.spool.size() < size && (is_part || !answer.has_length) {
            return Err(FetchError::Broken {
                url: url.into(),
                found: self.spool.size(),
                signed: size,
            });
        }
        Ok(())
    }
}

/// Lets `self_update` read the verified bytes and resolve the asset's URL against the manifest's.
fn asset_url(verified: &[u8], manifest_url: &str, artefact: &Artefact) -> Option<String> {
    let text = std::str::from_utf8(verified).ok()?;
    let releases = parse_manifest(text, manifest_url).ok()?;
    releases
        .first()?
        .assets()
        .iter()
        .find(|asset| asset.name() == artefact.name)
        .map(|asset| asset.download_url().to_owned())
}
