//! Bodies that are made to cost more than they weigh.

use serde_json::json;

/// The largest body that is taken.
pub const LARGEST: usize = 1 << 20;
/// Deeper than this, nothing is read.
const LEVELS: usize = 16;

/// A body of about `bytes`, of which `text` again and again is what the user asks about.
fn filled(text: &str, bytes: usize) -> Vec<u8> {
    let head = "Command: pip install x\n";
    let times =
        bytes.saturating_sub(80 + head.len()) / json!(text).to_string().len().saturating_sub(2).max(1);
    let body = json!({ "error_context": format!("{head}{}", text.repeat(times)) }).to_string().into_bytes();
    assert!(body.len() <= LARGEST, "{}", body.len());
    body
}

/// Texts that redaction, trimming, rules and the cache's key have to eat, by name.
pub fn texts() -> Vec<(&'static str, String)> {
    vec![
        ("bidi", "\u{202e}\u{2066}a\u{2069}\u{202c}\u{200f}".to_owned()),
        ("combining", format!("e{}", "\u{301}\u{308}\u{327}".repeat(40))),
        ("zero width", "p\u{200b}i\u{200c}p\u{200d} \u{feff}".to_owned()),
        ("astral", "\u{1f9d1}\u{200d}\u{1f4bb}\u{e0041}\u{1d400} ".to_owned()),
        ("widest", "\u{fdfa}".to_owned()),
        ("ideographs", "\u{5bc6}\u{7801}\u{ff1a}".to_owned()),
        ("lines", "\n".to_owned()),
        ("errors", "ERROR: a: error: b\n".to_owned()),
        ("escapes", "\u{1b}[31m\u{1b}]0;".to_owned()),
        ("marks", "password=a:b@c,".to_owned()),
        ("addresses", "https://a:b@".to_owned()),
        ("key blocks", "-----BEGIN A PRIVATE KEY-----".to_owned()),
        ("tokens", "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R ".to_owned()),
    ]
}

/// The largest of each.
pub fn unicode(number: u64) -> Vec<u8> {
    let texts = texts();
    let (_, text) = &texts[number as usize % texts.len()];
    filled(text, LARGEST)
}

/// Nested as deep as a body of `bytes` can be, in lists or in objects; far deeper than is read.
pub fn nested(number: u64, bytes: usize) -> Vec<u8> {
    let (open, close) = if number.is_multiple_of(2) { ("[", "]") } else { ("{\"a\":", "}") };
    let inner = if number.is_multiple_of(2) { "" } else { "0" };
    let levels = bytes.saturating_sub(40) / (open.len() + close.len());
    let nest = format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
    format!(r#"{{"error_context":"x","a":{nest}}}"#).into_bytes()
}

/// As many values as a body of `bytes` can have, no deeper than is read.
pub fn wide(bytes: usize) -> Vec<u8> {
    let depth = LEVELS - 2;
    let one = format!("{}0{},", "[".repeat(depth), "]".repeat(depth));
    let times = bytes.saturating_sub(40) / one.len();
    format!(r#"{{"error_context":"x","a":[{}0]}}"#, one.repeat(times)).into_bytes()
}

/// As many members as a body of `bytes` can have. Those of even numbers have names that collide in the
/// hash that many languages had (`Aa` and `BB` weigh the same in Java's), the others short ones.
pub fn members(number: u64, bytes: usize) -> Vec<u8> {
    let mut body = String::from(r#"{"error_context":"x""#);
    for member in 0_u32.. {
        let name = if number.is_multiple_of(2) { colliding(member) } else { format!("{member:x}") };
        if body.len() + name.len() + 6 > bytes {
            break;
        }
        body.push_str(&format!(",\"{name}\":0"));
    }
    body.push('}');
    body.into_bytes()
}

/// A name for each number; all of one length have one hash in Java's `String`.
pub fn colliding(number: u32) -> String {
    (0..17).map(|bit| if number >> bit & 1 == 0 { "Aa" } else { "BB" }).collect()
}
