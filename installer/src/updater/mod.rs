//! The road of an update, from the sources of releases to a plan:
//!
//! [`Updater::check`] -> [`Candidate`] -> [`Candidate::download`] -> [`Staged`] -> [`Planner::plan`] ->
//! [`Prepared`] -> [`Prepared::execute`] -> [`Outcome`].
//!
//! Guarantees: each of these can be made by the step before it alone. A candidate is a manifest that
//! trusted keys signed and that broke no rule of `verify`; what is staged has the size and digest that the
//! manifest names. Sources are asked one by one: keys, list, signature and memory, in this order, of each
//! on its own, so that a source which lies is left for the next.
//!
//! [`Planner::plan`]: crate::toolkit::Planner::plan
//! [`Prepared`]: crate::toolkit::Prepared
//! [`Prepared::execute`]: crate::toolkit::Prepared::execute
//! [`Outcome`]: crate::toolkit::Outcome

mod ask;
mod candidate;
mod error;
mod memory;
mod staged;

use std::cell::RefCell;

use jiff::Timestamp;

use crate::fetch::{Mirrors, Transport, Unfit, config};
use crate::model::Product;
use crate::plan::{Selection, decide};
use crate::verify::{BuiltInKeys, Pinned};

use ask::Asker;
pub use candidate::Candidate;
pub use error::UpdateError;
pub use memory::{Look, ReleaseMemory};
pub use staged::Staged;

/// The user id that must own keys and configuration.
const ROOT: u32 = 0;

/// Looks for releases of a product.
///
/// Sources are those of [`Updater::from`], else those of the administrator's `config.toml`, else the ones
/// that were built in. Keys are those that were built in and those in `keys.d` and `roots.d` of
/// [`Layout::config`](crate::model::Layout).
#[derive(Debug, Clone)]
pub struct Updater<'a> {
    product: &'a Product,
    keys: BuiltInKeys<'a>,
    built_in_sources: Option<&'a str>,
    built: Option<Timestamp>,
    from: Vec<String>,
    channel: Option<String>,
    selection: Selection,
    transport: Option<Transport>,
}

impl<'a> Updater<'a> {
    /// For the newest release of the channel that is followed.
    pub fn new(product: &'a Product) -> Self {
        Self {
            product,
            keys: BuiltInKeys::default(),
            built_in_sources: None,
            built: None,
            from: Vec::new(),
            channel: None,
            selection: Selection::default(),
            transport: None,
        }
    }

    /// With keys that were built into the program.
    #[must_use]
    pub const fn keys(mut self, keys: BuiltInKeys<'a>) -> Self {
        self.keys = keys;
        self
    }

    /// With sources that were built into the program, separated by white space.
    #[must_use]
    pub const fn built_in_sources(mut self, sources: Option<&'a str>) -> Self {
        self.built_in_sources = sources;
        self
    }

    /// With the time at which the program was built: no clock is right that shows an earlier one.
    #[must_use]
    pub const fn built(mut self, at: Option<Timestamp>) -> Self {
        self.built = at;
        self
    }

    /// From these sources, in their order, and no others; none to ask the configured ones.
    #[must_use]
    pub fn from(mut self, sources: &[String]) -> Self {
        self.from = sources.to_vec();
        self
    }

    /// Of this channel; none for the one that the receipt names.
    #[must_use]
    pub fn channel(mut self, channel: Option<String>) -> Self {
        self.channel = channel;
        self
    }

    /// Of this version, or of an older one.
    #[must_use]
    pub fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Over this transport instead of one that trusts the machine's authorities.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Asks the sources, and gives the first release that is to be believed, with what is to be done about
    /// it. A list of keys that is news is remembered at once, whatever becomes of the manifest that came
    /// with it, and the manifest before it is given away: what was seen once is never forgotten, as far as
    /// `memory` keeps it. A [`Look`] keeps nothing.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub fn check(&self, memory: &dyn ReleaseMemory) -> Result<Candidate<'a>, UpdateError> {
        let receipt = memory.receipt()?;
        let layout = &self.product.layout;
        let config = config::read(&layout.config_file(), ROOT)?;
        let channel = self.channel.as_deref().unwrap_or(&receipt.channel);
        let mirrors = Mirrors::choose(&self.from, &config, self.built_in_sources, channel)?;
        let asker = Asker {
            product: self.product,
            receipt: &receipt,
            channel,
            selection: &self.selection,
            pinned: Pinned::load(&self.keys, &layout.keys(), &layout.roots(), ROOT)?,
            seen: RefCell::new(memory.seen()?),
            built: self.built,
            transport: self.transport.clone().unwrap_or_else(Transport::system),
            memory,
            unwritten: RefCell::default(),
        };
        let accepted = mirrors.first_accepted(|source| {
            let (manifest, seen) = asker.ask(source)?;
            Ok::<_, Unfit>((manifest, seen, mirrors.beginning_with(source)))
        });
        // what cannot be remembered is not acted upon
        if let Some(error) = asker.unwritten.take() {
            return Err(error.into());
        }
        let (manifest, seen, mirrors) = accepted?;
        // before anything is done with it
        if let Some(seen) = &seen {
            memory.remember(seen)?;
        }
        let (transport, failed) = (asker.transport, asker.seen.into_inner().failed);
        let decision = decide(
            &receipt,
            failed.as_ref(),
            &manifest.version,
            &self.selection,
        );
        Ok(Candidate {
            product: self.product,
            manifest,
            mirrors,
            transport,
            receipt,
            was_asked_for: self.selection.version.is_some(),
            decision,
        })
    }
}
