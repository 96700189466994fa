//! banger's daemons and its command line.

pub mod build;
pub mod cli;
pub mod product;
