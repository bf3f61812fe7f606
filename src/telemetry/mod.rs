//! What operators' tools see of single requests: a line on the console, a point for the Analytics Engine,
//! a place in a trace. None of it holds a prompt, a secret, or text that a client chose.

pub mod line;
pub mod point;
pub mod sieve;
pub mod trace;
