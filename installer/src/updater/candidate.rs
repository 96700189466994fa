//! A release that is to be believed, and what is to be done about it.

use super::staged::Staging;
use super::{Staged, UpdateError};
use crate::fetch::{ExpectedEntries, Mirrors, Progress, Transport};
use crate::model::{Found, Manifest, Product, Receipt};
use crate::plan::Decision;
use crate::toolkit::{Planner, ReleaseFolder, ReleaseInfo};
use crate::verify::{self, Verified};

/// A release whose manifest is to be believed. Made by [`super::Updater::check`] alone.
#[derive(Debug)]
pub struct Candidate<'a> {
    pub(super) product: &'a Product,
    pub(super) manifest: Verified<Manifest>,
    /// Where it was found, and where else it may be fetched.
    pub(super) mirrors: Mirrors,
    pub(super) transport: Transport,
    pub(super) receipt: Receipt,
    pub(super) was_asked_for: bool,
    pub(super) decision: Decision,
}

impl Candidate<'_> {
    /// The signed manifest.
    pub const fn manifest(&self) -> &Verified<Manifest> {
        &self.manifest
    }

    /// What is installed.
    pub const fn installed(&self) -> &Receipt {
        &self.receipt
    }

    /// What is to be done about it.
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Whether somebody asked for just this version.
    pub const fn was_asked_for(&self) -> bool {
        self.was_asked_for
    }

    /// Fetches the archive, verifies it, and unpacks it beneath [`Layout::staging`], whose lock `under`
    /// holds. Nothing outside of that folder is written, and it goes with the result.
    ///
    /// [`Layout::staging`]: crate::model::Layout::staging
    ///
    /// # Errors
    /// [`UpdateError::NotTaken`], when the decision is not to take it; [`UpdateError`].
    pub fn download<'b>(
        &self,
        under: &Planner<'b>,
        progress: &mut dyn Progress,
    ) -> Result<Staged<'b>, UpdateError> {
        let (product, manifest, files) = (self.product, &self.manifest, under.files());
        if self.decision != Decision::Take {
            return Err(UpdateError::NotTaken {
                version: manifest.version.clone(),
            });
        }
        if let Some(artefact) = manifest.release_for(&product.target) {
            verify::check_upgrade(&self.receipt.version, &manifest.version, artefact)?;
        }
        let staging = Staging::new(files, product.layout.staging());
        let archive = self.mirrors.archive(
            &self.transport,
            manifest,
            &product.target,
            staging.path(),
            progress,
        )?;
        let (size, place) = (archive.artefact().size, archive.place().to_owned());
        let folder = staging.path().join(manifest.version.to_string());
        // what an operation that was killed here left behind
        if files.look(&folder)? != Found::Missing {
            files.remove(&folder)?;
        }
        let expected = ExpectedEntries::of_product(product);
        let expected = expected.or_listed(&product.name, &manifest.version);
        let list = archive.unpack(&expected, &folder)?;
        Ok(Staged {
            _staging: staging,
            release: ReleaseFolder {
                path: folder,
                version: manifest.version.clone(),
            },
            info: ReleaseInfo::of(manifest),
            list: list.filter(|_| product.delegate.is_some()),
            size,
            place,
        })
    }
}
