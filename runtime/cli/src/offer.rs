//! The half of `banger update` that looks: from what was asked for to a manifest that is to be
//! believed.
//!
//! Guarantees: nothing is written here but a list of keys that is believed, at once, and that list is
//! what every later source is held against; keys, list, signature and memory were asked, in this order,
//! of each source on its own, so that a source which lies is left for the next.

use std::cell::RefCell;

use banger_installer::fetch::{
    MANIFEST_LIMIT, Mirrors, SignedFile, Source, Transport, Unfit, config,
};
use banger_installer::model::{
    AntiRollbackState, Manifest, Product, Receipt, RolledBack, SignedText, Version,
};
use banger_installer::plan::{Judgement, Wish, judge};
use banger_installer::toolkit::{self, ToolkitError};
use banger_installer::verify::{
    self, BuiltInKeys, Expectation, ListExpectation, Pinned, Trust, Verified,
};
use jiff::Timestamp;

use super::Failure;
use super::arguments::UpdateOptions;
use super::host::Host;
use crate::build::Build;

/// The user id that must own keys and configuration.
const ROOT: u32 = 0;

/// The list of signing keys in a source.
const KEYS_NAME: &str = "keys.json";
/// What servers see in their logs.
const USER_AGENT: &str = concat!("banger/", env!("CARGO_PKG_VERSION"));

/// No such list is larger, in bytes.
const KEYS_LIMIT: u64 = 64 * 1024;

/// A release that is to be believed.
pub(super) struct Offer {
    /// The signed manifest.
    pub(super) manifest: Verified<Manifest>,
    /// What to write down of it, when it is news.
    pub(super) seen: Option<AntiRollbackState>,
    /// Where it was found, and where else it may be fetched.
    pub(super) mirrors: Mirrors,
    /// How.
    pub(super) transport: Transport,
    wish: Wish,
    failed: Option<RolledBack>,
}

/// Everything that a source is held against.
struct Judge<'a> {
    product: &'a Product,
    receipt: &'a Receipt,
    channel: &'a str,
    wish: Wish,
    pinned: Pinned,
    /// With the lists that were believed meanwhile.
    seen: RefCell<AntiRollbackState>,
    built: Option<Timestamp>,
    transport: Transport,
    remember: RememberKeys<'a>,
    /// What kept a list from being written down.
    unwritten: RefCell<Option<ToolkitError>>,
}

/// Writes down a list of keys.
pub(super) type RememberKeys<'a> = &'a dyn Fn(&SignedText) -> Result<(), ToolkitError>;

/// Asks the sources for a manifest, and gives the first that is to be believed.
pub(super) fn look(
    options: &UpdateOptions,
    build: &Build,
    host: &Host,
    receipt: &Receipt,
    remember: RememberKeys<'_>,
) -> Result<Offer, Failure> {
    let layout = &host.product.layout;
    let config = config::read(&layout.config_file(), ROOT)?;
    let channel = options.channel.as_deref().unwrap_or(&receipt.channel);
    let mirrors = Mirrors::choose(&options.from, &config, build.release_url, channel)?;
    let keys = BuiltInKeys {
        roots: build.root_keys,
        root_threshold: build.root_threshold,
        signing: build.trusted_keys,
    };
    let judge = Judge {
        product: &host.product,
        receipt,
        channel,
        wish: Wish {
            version: options.version.clone(),
            allow_downgrade: options.allow_downgrade,
        },
        pinned: Pinned::load(&keys, &layout.keys(), &layout.roots(), ROOT)?,
        seen: RefCell::new(toolkit::seen(&host.product, &host.effects())?),
        built: build.built(),
        transport: Transport::system().with_user_agent(USER_AGENT),
        remember,
        unwritten: RefCell::default(),
    };
    let accepted = mirrors.first_accepted(|source| {
        let (manifest, seen) = judge.ask(source)?;
        Ok::<_, Unfit>((manifest, seen, mirrors.beginning_with(source)))
    });
    // what cannot be remembered is not acted upon
    if let Some(error) = judge.unwritten.take() {
        return Err(error.into());
    }
    let (manifest, seen, mirrors) = accepted?;
    Ok(Offer {
        manifest,
        seen,
        mirrors,
        transport: judge.transport,
        wish: judge.wish,
        failed: judge.seen.into_inner().failed,
    })
}

impl Judge<'_> {
    /// What a source offers, and what is to be remembered of it.
    fn ask(
        &self,
        source: &Source,
    ) -> Result<(Verified<Manifest>, Option<AntiRollbackState>), Unfit> {
        let now = Timestamp::now();
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
            version: self.wish.version.clone(),
            highest_sequence: 0,
            now,
            clock_floor: None,
            allow_downgrade: self.wish.allow_downgrade,
        }
        .remembering(&memory, self.built);
        let manifest =
            verify::verify_manifest(&signed.bytes, &signed.signature, &keyring, &expectation)?;
        let seen = trust.record(&memory, &manifest);
        Ok((manifest, seen))
    }

    /// Keeps a list that is believed, for the next source and for the next time.
    fn keep_list(&self, trust: &Trust) {
        let Some(keys) = trust.list_to_remember() else {
            return;
        };
        if let Err(error) = (self.remember)(&keys) {
            self.unwritten.replace(Some(error));
        }
        self.seen.borrow_mut().keys = Some(keys);
    }

    /// The manifest of the version that was asked for, else the newest.
    fn manifest(&self, source: &Source) -> Result<SignedFile, Unfit> {
        if let Some(version) = &self.wish.version {
            let name = format!("manifest-{version}.json");
            if let Some(signed) = source.signed(&self.transport, &name, MANIFEST_LIMIT)? {
                return Ok(signed);
            }
        }
        Ok(source.manifest(&self.transport)?)
    }
}

impl Offer {
    /// Whether somebody asked for just this version.
    pub(super) const fn was_asked_for(&self) -> bool {
        self.wish.version.is_some()
    }

    /// What is to be done about it.
    pub(super) fn judge(&self, receipt: &Receipt) -> Judgement {
        let version: &Version = &self.manifest.version;
        judge(receipt, self.failed.as_ref(), version, &self.wish)
    }
}
