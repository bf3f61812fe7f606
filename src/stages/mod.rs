//! The five stages of a request. Each takes the proof that the one before it was passed, so that
//! leaving one out does not compile: [`accept::Accepted`] → [`authenticate::Verified`] →
//! [`accept::Submitted`] → [`admit::Admitted`] → [`answer::Answered`].

pub mod accept;
pub mod admit;
pub mod answer;
pub mod ask;
pub mod attempts;
pub mod authenticate;
pub mod beforehand;
pub mod body;
pub mod breaker;
pub mod enrol;
pub mod flights;
pub mod looks;
pub mod oversee;
pub mod question;
pub mod recent;
pub mod record;
pub mod revoke;
pub mod strangers;
pub mod trials;
pub mod underway;
pub mod waiting;
