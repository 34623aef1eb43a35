//! Orders in states, in small words.
