//! What is typed, what comes of it, and what is said.

mod apply;
mod attempts;
mod clean;
mod doctor;
mod endpoint;
mod output;
mod places;
mod sandbox;
mod words;
