//! AWS Organizations in our words.
