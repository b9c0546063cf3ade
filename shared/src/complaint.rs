//! What is wrong with a file that a person wrote: where, what, and what to do.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Complaint {
    /// The file's name.
    pub file: String,
    /// Its line, counted from 1; `None` for the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}: {}", self.problem, self.remedy)
    }
}

/// All complaints at once. Nothing was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Complaints(pub Vec<Complaint>);

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "1 complaint, nothing was changed:")?,
            n => write!(f, "{n} complaints, nothing was changed:")?,
        }
        for complaint in &self.0 {
            write!(f, "\n  {complaint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Complaints {}
