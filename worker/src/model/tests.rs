//! The client against servers that misbehave in known ways, and the reader against any bytes.

mod connection;
mod pieces;
mod server;
