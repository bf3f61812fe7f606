//! Signed requests: their fields are read as another reader of structured fields reads them, and no
//! request passes in which something signed is another.

use std::sync::OnceLock;

use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::digest::ContentDigest;
use pip_aide_gateway::token::keys::{Keyring, render_entry};
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::token::signed::{Message, SignedBy, sign, verify_head};
use pip_aide_gateway::token::structured::{
    Bare, Item, MAX_FIELD_BYTES, Member, Parameters, Value, dictionary,
};
use pip_aide_gateway::units::UnixMillis;
use sfv::FieldType as _;

use super::choice;
use super::edits::{EDIT_BYTES, edited};

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);
const BODY: &str = r#"{"error_context":"x"}"#;

/// 0 reads a field, 1 changes an honest request with a body, 2 one without.
pub fn signature(data: &[u8]) {
    match choice(data, 3) {
        Some((0, field)) => read_field(&String::from_utf8_lossy(field)),
        Some((which, changes)) => change(which == 1, changes),
        None => {}
    }
}

/// What we take, `sfv` takes for the same; what it takes and writes anew, we take, but for the kinds of
/// values that signatures have no use for.
fn read_field(field: &str) {
    let ours = dictionary(field);
    let theirs = sfv::Parser::new(field).parse::<sfv::Dictionary>();
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert!(is_same(ours, theirs), "{field:?}: {ours:?} {theirs:?}"),
        (Ok(ours), Err(error)) => panic!("{field:?} is no dictionary ({error}): {ours:?}"),
        (Err(_), Ok(theirs)) if theirs.values().all(is_of_ours) => {
            let canonical = theirs.serialize().unwrap_or_default();
            let ours = dictionary(&canonical);
            let is_long = canonical.len() > MAX_FIELD_BYTES;
            assert!(is_long || ours.is_ok_and(|ours| is_same(&ours, theirs)), "{field:?}: {canonical:?}");
        }
        (Err(_), _) => {}
    }
    let _ = ContentDigest::read(field);
}

fn is_same(ours: &[Member<'_>], theirs: &sfv::Dictionary) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(member, (key, entry))| {
            member.key == key.as_str()
                && match (&member.value, entry) {
                    (Value::Item(ours), sfv::ListEntry::Item(theirs)) => is_same_item(ours, theirs),
                    (Value::InnerList { items, parameters }, sfv::ListEntry::InnerList(theirs)) => {
                        let pairs = items.iter().zip(&theirs.items);
                        items.len() == theirs.items.len()
                            && pairs.into_iter().all(|(ours, theirs)| is_same_item(ours, theirs))
                            && are_same_parameters(parameters, &theirs.params)
                    }
                    _ => false,
                }
        })
}

fn is_same_item(ours: &Item, theirs: &sfv::Item) -> bool {
    is_same_bare(&ours.value, &theirs.bare_item) && are_same_parameters(&ours.parameters, &theirs.params)
}

fn are_same_parameters(ours: &Parameters, theirs: &sfv::Parameters) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|((name, ours), (key, theirs))| name == key.as_str() && is_same_bare(ours, theirs))
}

fn is_same_bare(ours: &Bare, theirs: &sfv::BareItem) -> bool {
    match ours {
        Bare::Integer(number) => theirs.as_integer().is_some_and(|theirs| i64::from(theirs) == *number),
        Bare::Text(text) => theirs.as_string().is_some_and(|theirs| theirs.as_str() == text),
        Bare::Token(token) => theirs.as_token().is_some_and(|theirs| theirs.as_str() == token),
        Bare::Bytes(bytes) => theirs.as_byte_sequence() == Some(bytes.as_slice()),
        Bare::Boolean(flag) => theirs.as_boolean() == Some(*flag),
    }
}

/// Whether it has only kinds of values that ours knows.
fn is_of_ours(entry: &sfv::ListEntry) -> bool {
    let is_known = |bare: &sfv::BareItem| {
        bare.as_decimal().is_none() && bare.as_date().is_none() && bare.as_display_string().is_none()
    };
    let are_known = |parameters: &sfv::Parameters| parameters.values().all(is_known);
    let is_known_item = |item: &sfv::Item| is_known(&item.bare_item) && are_known(&item.params);
    match entry {
        sfv::ListEntry::Item(item) => is_known_item(item),
        sfv::ListEntry::InnerList(list) => list.items.iter().all(is_known_item) && are_known(&list.params),
    }
}

/// A request as it arrives.
#[derive(Clone)]
struct Request {
    method: String,
    authority: String,
    path: String,
    query: String,
    body: String,
    content_digest: Option<String>,
    signature_input: String,
    signature: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<String> {
        match name {
            "signature-input" => Some(self.signature_input.clone()),
            "signature" => Some(self.signature.clone()),
            "content-digest" => self.content_digest.clone(),
            _ => None,
        }
    }

    fn message<H: Fn(&str) -> Option<String>>(&self, header: H) -> Message<'_, H> {
        Message {
            method: &self.method,
            scheme: "https",
            authority: &self.authority,
            path: &self.path,
            query: Some(&self.query),
            header,
            has_body: !self.body.is_empty(),
        }
    }

    fn verify(&self) -> Result<SignedBy, Denied> {
        verify_head(&self.message(|name| self.header(name)), ring(), NOW)?.verify_body(self.body.as_bytes())
    }

    /// What counts of it: where it goes, with which method and body.
    fn meaning(&self) -> (String, String, String) {
        let authority = self.authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(":443").unwrap_or(&authority);
        let path = if self.path.is_empty() { "/" } else { &self.path };
        (self.method.clone(), format!("{authority}{path}?{}", self.query), self.body.clone())
    }

    fn change(&mut self, part: u8, edit: [u8; EDIT_BYTES]) {
        let mut none = String::new();
        let part = match part % 8 {
            0 => &mut self.method,
            1 => &mut self.authority,
            2 => &mut self.path,
            3 => &mut self.query,
            4 => &mut self.body,
            5 => self.content_digest.as_mut().unwrap_or(&mut none),
            6 => &mut self.signature_input,
            _ => &mut self.signature,
        };
        *part = edited(part, edit);
    }
}

fn ring() -> &'static Keyring {
    static RING: OnceLock<Keyring> = OnceLock::new();
    let text = || format!("{},{}", render_entry("new", &[1; 32]), render_entry("old", &[2; 32]));
    RING.get_or_init(|| Keyring::parse(&text()).expect("a ring"))
}

fn honest(has_body: bool) -> Request {
    let body = if has_body { BODY } else { "" };
    let mut request = Request {
        method: if has_body { "POST" } else { "GET" }.to_owned(),
        authority: "gateway.example".to_owned(),
        path: "/v1/analyze".to_owned(),
        query: "a=1".to_owned(),
        body: body.to_owned(),
        content_digest: None,
        signature_input: String::new(),
        signature: String::new(),
    };
    let machine = MachineId::parse("machine-1").expect("a machine");
    let message = request.message(|_: &str| None);
    let headers = sign(&message, body.as_bytes(), ring(), &machine, "n-1", NOW).expect("a signature");
    request.content_digest = headers.content_digest;
    request.signature_input = headers.signature_input;
    request.signature = headers.signature;
    request
}

/// A request that passes says what the honest one said, and by the same machine. The label is not signed,
/// and base64 may lose its padding.
fn change(has_body: bool, changes: &[u8]) {
    let honest = honest(has_body);
    let by = honest.verify().expect("an honest request passes");
    let mut request = honest.clone();
    for change in changes.chunks_exact(EDIT_BYTES + 1).take(12) {
        request.change(change[0], [change[1], change[2], change[3]]);
    }
    if let Ok(claimed) = request.verify() {
        assert_eq!(claimed, by);
        assert_eq!(request.meaning(), honest.meaning());
    }
}
