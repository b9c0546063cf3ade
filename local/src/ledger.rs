//! Every call that went through the gateway, in memory.

use serde::{Deserialize, Serialize};
use std::sync::Mutex;

/// One call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// When it came, UTC.
    pub at: String,
    /// The account that it works in.
    pub account: String,
    /// Who made it.
    pub principal: String,
    /// Region of its signature.
    pub region: String,
    /// Service by its signing name.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// AWS's error code, if it failed.
    pub error: Option<String>,
    /// Milliseconds until the answer.
    pub milliseconds: f64,
}

/// The calls, oldest first.
#[derive(Debug, Default)]
pub struct Ledger {
    calls: Mutex<Vec<Call>>,
}

impl Ledger {
    /// Adds one.
    pub fn write(&self, call: Call) {
        self.lock().push(call);
    }

    /// JSON lines of all calls from an index on.
    pub fn since(&self, index: usize) -> String {
        let lines: Vec<String> = self.lock().iter().skip(index).filter_map(|c| serde_json::to_string(c).ok()).collect();
        lines.join("\n")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(|e| e.into_inner())
    }
}
