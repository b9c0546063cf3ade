//! One file for each subcommand: options, what it asks of the installation, what it prints.

pub mod costs;
pub mod course;
pub mod freeze;
pub mod local;
pub mod pool;
pub mod report;
pub mod sweep;
