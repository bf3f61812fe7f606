//! The body of an analyse request: what is taken and what is refused is what another reader says.

use pip_aide_gateway::stages::body::read;
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::strict_json::Object;
use serde_json::Value;

/// Objects and arrays within each other, the body's own included.
const MOST_LEVELS: usize = 16;
const MOST_MACHINE_ID: usize = 128;

/// A body is taken exactly when it is one JSON object, not too deep, no member twice, with texts in the
/// places of texts; then those are what `serde_json` reads. A refusal repeats nothing of it.
pub fn body(data: &[u8]) {
    let is_once = Object::read(data) != Err(Denied::DuplicateMember);
    let value = serde_json::from_slice::<Value>(data).ok();
    let wanted =
        value.filter(|value| is_once && levels(value) <= MOST_LEVELS).and_then(|value| wanted(&value));
    match (read(data), wanted) {
        (Ok(submission), Some((machine_id, error_context))) => {
            assert_eq!(submission.error_context, error_context);
            assert_eq!(submission.machine_id, machine_id);
        }
        (Err(reason), None) => {
            assert!(reason.ends_with('.') && reason.len() < 80, "{reason}");
        }
        (Ok(submission), None) => panic!("taken: {submission:?}"),
        (Err(reason), Some(wanted)) => panic!("refused: {reason} {wanted:?}"),
    }
}

/// What a body says, where it is one that the route takes.
fn wanted(value: &Value) -> Option<(Option<String>, String)> {
    let members = value.as_object()?;
    let context = members.get("error_context")?.as_str()?;
    let machine_id = match members.get("machine_id") {
        None => None,
        Some(id) => Some(id.as_str().filter(|id| !id.trim().is_empty())?),
    };
    let machine_id = machine_id.map(|id| id.chars().take(MOST_MACHINE_ID).collect());
    context.chars().any(char::is_alphanumeric).then(|| (machine_id, context.to_owned()))
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}
