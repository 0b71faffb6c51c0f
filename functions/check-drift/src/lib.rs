//! check-drift
