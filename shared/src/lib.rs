//! Koza's words, its pure decisions and its ports. No I/O and no SDK: everything here can be read and tested alone.
//!
//! - words: [`ids`], [`names`], [`regions`], [`services`], [`course`], [`roster`]
//! - decisions: [`plan`], [`policies`], [`keepset`], [`costs`], [`sweep::admission`], [`sweep::verdict`]
//! - ports: [`records`] and [`sweep::Kind`], each with an in-memory twin
//! - what goes wrong: [`fault`] for machines, [`complaint`] for people

pub mod complaint;
pub mod costs;
pub mod course;
pub mod fault;
pub mod ids;
pub mod keepset;
pub mod money;
pub mod names;
pub mod plan;
pub mod policies;
pub mod records;
pub mod regions;
pub mod roster;
pub mod services;
pub mod sweep;

pub use fault::Fault;
pub use ids::{AccountId, CourseId, Seat, SeatName};
pub use names::Names;
