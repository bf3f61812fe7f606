//! Where the model is asked: the upstream of the settings, then those of `policies/upstreams.toml`
//! whose keys are set.

use crate::policy::api_base::ApiBase;
use crate::policy::prices::ModelPrice;
use crate::policy::settings::Secret;

include!(concat!(env!("OUT_DIR"), "/upstreams.rs"));

/// An upstream that may be asked.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name in `policies/upstreams.toml`; `API_BASE` for the one of the settings.
    pub name: &'static str,
    /// Where it is.
    pub api_base: ApiBase,
    /// The model, with its prices.
    pub model: &'static ModelPrice,
    /// Its own key, which goes nowhere else.
    pub key: Secret,
}

/// An entry of `policies/upstreams.toml`.
pub(super) struct Fallback {
    pub(super) name: &'static str,
    pub(super) api_base: &'static str,
    pub(super) model: &'static str,
    /// The secret that holds its key.
    pub(super) key: &'static str,
}

/// All of them, in their order.
pub(super) fn fallbacks() -> &'static [Fallback] {
    FALLBACKS
}

/// Whether `name` is the secret of one of them.
pub(super) fn is_key_name(name: &str) -> bool {
    FALLBACKS.iter().any(|fallback| fallback.key == name)
}
