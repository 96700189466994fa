//! A file a command; the only room of this crate that prints.

pub mod vm;
