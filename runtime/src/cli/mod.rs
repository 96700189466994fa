//! The command line of banger: the only room that prints.

pub mod vm;
