//! One source, held against keys, lists and memory.

use std::cell::RefCell;

use jiff::Timestamp;

use super::ReleaseMemory;
use crate::fetch::{
    KEYS_LIMIT, KEYS_NAME, MANIFEST_LIMIT, SignedFile, Source, Transport, Unfit, manifest_name,
};
use crate::model::{AntiRollbackState, Manifest, Product, Receipt};
use crate::plan::Selection;
use crate::toolkit::ToolkitError;
use crate::verify::{Expectation, ListExpectation, Pinned, Trust, Verified, verify_manifest};

/// Everything that a source is held against.
pub(super) struct Asker<'a> {
    pub(super) product: &'a Product,
    pub(super) receipt: &'a Receipt,
    pub(super) channel: &'a str,
    pub(super) selection: &'a Selection,
    pub(super) pinned: Pinned,
    /// With the lists that were believed meanwhile.
    pub(super) seen: RefCell<AntiRollbackState>,
    pub(super) built: Option<Timestamp>,
    pub(super) transport: Transport,
    pub(super) memory: &'a dyn ReleaseMemory,
    /// What kept a list from being remembered.
    pub(super) unwritten: RefCell<Option<ToolkitError>>,
}

impl Asker<'_> {
    /// What a source offers, and what is to be remembered of it.
    pub(super) fn ask(
        &self,
        source: &Source,
    ) -> Result<(Verified<Manifest>, Option<AntiRollbackState>), Unfit> {
        let now = self.memory.now();
        let mut trust = Trust::new(self.pinned.clone(), self.seen.borrow().clone());
        if trust.wants_list() {
            let list = source.signed(&self.transport, KEYS_NAME, KEYS_LIMIT)?;
            let list = list
                .as_ref()
                .map(|list| (list.bytes.as_slice(), list.signature.as_str()));
            let expectation = ListExpectation {
                product: self.product.name.clone(),
                now,
                clock_floor: self.built,
            };
            trust.take_list(list, &expectation)?;
            self.keep_list(&trust);
        }
        let keyring = trust.keyring()?;
        let memory = trust.memory(self.channel, Some(self.receipt), &keyring);
        let signed = self.manifest(source)?;
        let expectation = Expectation {
            product: self.product.name.clone(),
            target: self.product.target.clone(),
            channel: self.channel.into(),
            version: self.selection.version.clone(),
            highest_sequence: 0,
            now,
            clock_floor: None,
            allow_downgrade: self.selection.allow_downgrade,
        }
        .remembering(&memory, self.built);
        let manifest = verify_manifest(&signed.bytes, &signed.signature, &keyring, &expectation)?;
        let seen = trust.record(&memory, &manifest);
        Ok((manifest, seen))
    }

    /// Keeps a list that is believed, for the next source and, as far as the memory does, for the next
    /// time.
    fn keep_list(&self, trust: &Trust) {
        let Some(keys) = trust.list_to_remember() else {
            return;
        };
        if let Err(error) = self.memory.remember_keys(&keys) {
            self.unwritten.replace(Some(error));
        }
        self.seen.borrow_mut().keys = Some(keys);
    }

    /// The manifest of the version that was asked for, else the newest.
    fn manifest(&self, source: &Source) -> Result<SignedFile, Unfit> {
        if let Some(version) = &self.selection.version {
            let name = manifest_name(version);
            if let Some(signed) = source.signed(&self.transport, &name, MANIFEST_LIMIT)? {
                return Ok(signed);
            }
        }
        Ok(source.manifest(&self.transport)?)
    }
}
