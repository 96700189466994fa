//! What a host remembers between two operations, as an updater asks for it.

use jiff::Timestamp;

use crate::effect::Effects;
use crate::model::{AntiRollbackState, Product, Receipt, SignedText};
use crate::observe::read_receipt;
use crate::toolkit::{Session, ToolkitError, read_seen};

/// What a host remembers of releases and keys, and whether it goes on doing so.
pub trait ReleaseMemory {
    /// What is installed.
    ///
    /// # Errors
    /// [`ToolkitError::NotInstalled`], or a receipt that cannot be read.
    fn receipt(&self) -> Result<Receipt, ToolkitError>;

    /// What was seen until now; nothing, where there is no record.
    ///
    /// # Errors
    /// [`ToolkitError::AntiRollbackState`], when the record cannot be read: forgetting would let old
    /// releases in.
    fn seen(&self) -> Result<AntiRollbackState, ToolkitError>;

    /// A list of keys was believed.
    ///
    /// # Errors
    /// [`ToolkitError`], when it cannot be remembered: then nothing is done with it.
    fn remember_keys(&self, keys: &SignedText) -> Result<(), ToolkitError>;

    /// A manifest was believed; this is the record with it.
    ///
    /// # Errors
    /// [`ToolkitError`], when it cannot be remembered: then nothing is done with it.
    fn remember(&self, seen: &AntiRollbackState) -> Result<(), ToolkitError>;

    /// What the clock says.
    fn now(&self) -> Timestamp;
}

/// A host that is only looked at: what was learnt counts for this time alone, and nothing is written.
pub struct Look<'a> {
    product: &'a Product,
    effects: Effects<'a>,
}

impl<'a> Look<'a> {
    /// A look at a product on this host. It takes no lock.
    pub const fn new(product: &'a Product, effects: Effects<'a>) -> Self {
        Self { product, effects }
    }
}

impl ReleaseMemory for Look<'_> {
    fn receipt(&self) -> Result<Receipt, ToolkitError> {
        let receipt = read_receipt(self.product, &self.effects)?;
        receipt.ok_or_else(|| ToolkitError::NotInstalled {
            product: self.product.name.clone(),
        })
    }

    fn seen(&self) -> Result<AntiRollbackState, ToolkitError> {
        read_seen(self.product, &self.effects)
    }

    fn remember_keys(&self, _keys: &SignedText) -> Result<(), ToolkitError> {
        Ok(())
    }

    fn remember(&self, _seen: &AntiRollbackState) -> Result<(), ToolkitError> {
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.effects.clock.now()
    }
}

/// An operation remembers at once, under its lock.
impl ReleaseMemory for Session<'_> {
    fn receipt(&self) -> Result<Receipt, ToolkitError> {
        self.receipt()
    }

    fn seen(&self) -> Result<AntiRollbackState, ToolkitError> {
        self.read_seen()
    }

    fn remember_keys(&self, keys: &SignedText) -> Result<(), ToolkitError> {
        self.write_keys(keys)
    }

    fn remember(&self, seen: &AntiRollbackState) -> Result<(), ToolkitError> {
        self.write_seen(seen)
    }

    fn now(&self) -> Timestamp {
        self.planner().now()
    }
}
