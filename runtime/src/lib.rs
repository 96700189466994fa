//! banger's daemons and its command line.

pub mod product;
