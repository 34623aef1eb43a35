//! orchestrator

pub mod config;
pub mod survey;
