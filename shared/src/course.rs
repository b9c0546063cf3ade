//! The course file.
use crate::complaint::Complaints;
use crate::money::Usd;
use serde::{Deserialize, Serialize};

/// What happens at a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// Tell.
    Alert,
    /// Freeze the seat.
    Freeze,
}

/// A part of the budget and what happens there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// Percent of the seat's budget.
    pub percent: u32,
    /// What happens.
    #[serde(rename = "do")]
    pub act: Act,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// Id.
    pub course: String,
    /// Title.
    pub title: String,
    /// First day.
    pub starts: jiff::civil::Date,
    /// Last day.
    pub ends: jiff::civil::Date,
    /// Regions.
    pub regions: Vec<String>,
    /// Services.
    pub services: Vec<String>,
    /// Profile.
    pub profile: String,
    /// Budget.
    pub seat_budget_usd: Usd,
    /// Thresholds.
    pub thresholds: Vec<Threshold>,
    /// Contacts.
    pub contacts: Vec<String>,
}

impl Course {
    /// Reads the file.
    pub fn read(_file_name: &str, _text: &str) -> Result<Self, Complaints> {
        Err(Complaints(vec![]))
    }
}
