//! orchestrator

pub mod survey;
