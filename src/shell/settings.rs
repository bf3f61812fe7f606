//! The settings of this isolate: read once, since an isolate's environment does not change.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

use crate::policy::settings::{Entry, Fault, Settings};

/// All that is wrong.
pub type Faults = Rc<Vec<Fault>>;

thread_local! {
    static SETTINGS: OnceCell<Result<Rc<Settings>, Faults>> = const { OnceCell::new() };
    static FAULTS: OnceCell<Faults> = const { OnceCell::new() };
}

/// The settings, or what is wrong with them. `env` is asked for the first time only.
pub fn read(env: impl FnOnce() -> Env) -> Result<Rc<Settings>, Faults> {
    let read = || Settings::read(&environment(&env())).map(Rc::new).map_err(Rc::new);
    SETTINGS.with(|cell| cell.get_or_init(read).clone())
}

/// What is wrong with settings and bindings together.
pub fn faults(env: impl FnOnce() -> Env, settings: &Result<Rc<Settings>, Faults>) -> Faults {
    FAULTS.with(|cell| Rc::clone(cell.get_or_init(|| Rc::new(look_for_faults(&env(), settings)))))
}

fn look_for_faults(env: &Env, settings: &Result<Rc<Settings>, Faults>) -> Vec<Fault> {
    let mut faults = settings.as_ref().err().map_or_else(Vec::new, |faults| faults.to_vec());
    let mut bindings = vec![("LEDGER", "Durable Object namespace"), ("LOGS_KV", "KV namespace")];
    if settings.as_ref().is_ok_and(|settings| settings.buckets_in_kv) {
        bindings.push(("LIMITS_KV", "KV namespace"));
    }
    for (name, what) in bindings {
        if !js_sys::Reflect::get(env, &JsValue::from(name)).is_ok_and(|binding| binding.is_object()) {
            faults.push(Fault { name: name.to_owned(), problem: format!("is missing: bind a {what} to it") });
        }
    }
    faults
}

/// The environment without its bindings.
fn environment(env: &Env) -> BTreeMap<String, Entry> {
    let names = js_sys::Object::keys(env.unchecked_ref::<js_sys::Object>());
    let entries = names.iter().filter_map(|name| {
        let value = js_sys::Reflect::get(env, &name).ok()?;
        let entry = value.as_string().map_or(Entry::NotText, Entry::Text);
        Some((name.as_string()?, entry))
    });
    entries.collect()
}
