//! banger's daemons and its command line.

pub mod build;
pub mod product;
