//! The client against servers that misbehave in known ways, and against recordings of real ones.

mod recordings;
mod server;
mod shapes;
mod wire;
