//! AWS's commercial Regions by code.

/// The Regions' codes.
pub const REGIONS: &[&str] = &["ap-northeast-1", "us-east-1"];
