//! What AWS refuses and the emulators let pass, whoever calls: quotas, rules of single operations, duplicates.

pub mod duplicates;
pub mod quotas;
pub mod rules;
