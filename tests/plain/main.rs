//! What of the contract needs no host to be shown: the text of the units, the command line, the arrows
//! between the crates.

// helpers of tests are tests too, but clippy only knows functions marked #[test]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command_line;
mod dependencies;
mod documents;
mod fixtures;
mod linked;
mod manual;
mod modules;
mod second_product;
mod toolkit;
mod units;
