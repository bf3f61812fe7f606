//! What operators decide: the settings of `wrangler.toml` and the files in `policies/`, parsed into
//! types that cannot hold a wrong value.

pub mod api_base;
pub mod day;
pub mod limits;
pub mod names;
mod plan_reader;
pub mod plans;
pub mod prices;
mod reader;
pub mod settings;
pub mod upstreams;
