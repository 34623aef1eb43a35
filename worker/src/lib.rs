//! worker

pub mod process;
pub mod tool;
