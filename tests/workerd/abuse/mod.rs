//! Abuse: what somebody can send who only wants to cost. Each attack is a function that runs at a
//! stated rate for a stated time; `refusals` and the modules beside it show what it is answered and what it
//! costs the storage, `latency` measures what an honest client notices (`make abuse`).

mod arena;
mod attacks;
mod bombs;
mod flood;
mod heads;
mod honest;
mod latency;
mod lengths;
mod refusals;
pub mod requests;
mod slow;
mod strangers;
