//! Trace context (W3C Recommendation, level 1, 23 November 2021): the trace that a request belongs to, and
//! what is passed on to the upstream.

use crate::bytes::hex;

/// Bytes of `tracestate` that are passed on (3.3.1.5: at least 512), and members (3.3.1.1).
const MOST_STATE_BYTES: usize = 512;
const MOST_MEMBERS: usize = 32;
/// Members that are longer go first where there is not enough room (3.3.1.5).
const LONG_MEMBER: usize = 128;
/// The only flag that level 1 knows: the caller may have recorded the trace. Others are passed on as 0 (3.2.2.5.2).
const SAMPLED: u8 = 1;

/// A place in a trace: the span of this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16, for what is called from here.
    pub span_id: String,
    is_sampled: bool,
    /// `tracestate`, of a trace that was begun elsewhere.
    pub state: Option<String>,
}

impl Trace {
    /// The trace of a request with these headers, and `span`, fresh, for its part in it. A request without
    /// a trace, or whose `traceparent` is not as it has to be, begins one: its id, 32 random hexadecimal
    /// digits, is as good a name for it.
    #[must_use]
    pub fn of(parent: Option<&str>, state: Option<&str>, request_id: &str, span: [u8; 8]) -> Self {
        let span_id = hex(&span);
        match parent.and_then(read) {
            Some((trace_id, flags)) => Self {
                trace_id: trace_id.to_owned(),
                span_id,
                is_sampled: flags & SAMPLED != 0,
                // Without its `traceparent` it says nothing (3.3).
                state: state.and_then(bounded),
            },
            None => Self { trace_id: request_id.to_owned(), span_id, is_sampled: true, state: None },
        }
    }

    /// `traceparent` for a call from here.
    #[must_use]
    pub fn parent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

/// The trace's id and flags (3.2.2; of later versions by 3.2.4: what begins as this one does).
fn read(parent: &str) -> Option<(&str, u8)> {
    let mut parts = parent.split('-');
    let (version, trace_id, parent_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |text: &str, digits: usize| is_hex(text, digits) && text.bytes().any(|byte| byte != b'0');
    let has_rest = parts.next().is_some();
    let is_version = is_hex(version, 2) && version != "ff" && !(version == "00" && has_rest);
    let is_whole = is_version && is_id(trace_id, 32) && is_id(parent_id, 16) && is_hex(flags, 2);
    is_whole.then(|| Some((trace_id, u8::from_str_radix(flags, 16).ok()?)))?
}

/// A `tracestate` that has its form (3.3.1), with members taken away that there is no room for.
fn bounded(state: &str) -> Option<String> {
    let mut members: Vec<&str> = state
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']))
        .filter(|member| !member.is_empty())
        .collect();
    if members.len() > MOST_MEMBERS || !members.iter().all(|member| is_member(member)) {
        return None;
    }
    let length = |members: &[&str]| {
        members.iter().fold(0_usize, |sum, member| sum.saturating_add(member.len()).saturating_add(1))
    };
    if length(&members) > MOST_STATE_BYTES.saturating_add(1) {
        members.retain(|member| member.len() <= LONG_MEMBER);
    }
    while length(&members) > MOST_STATE_BYTES.saturating_add(1) {
        members.pop();
    }
    (!members.is_empty()).then(|| members.join(","))
}

/// `key=value` (3.3.1.3.1 and 3.3.1.3.2).
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let is_rest = |text: &str| {
        text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'))
    };
    let begins = |text: &str, digits: bool| {
        text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || (digits && byte.is_ascii_digit()))
    };
    let is_key = match key.split_once('@') {
        None => begins(key, false) && key.len() <= 256 && is_rest(key),
        Some((tenant, system)) => {
            begins(tenant, true)
                && tenant.len() <= 241
                && is_rest(tenant)
                && begins(system, false)
                && system.len() <= 14
                && is_rest(system)
        }
    };
    // Spaces around the member are gone; within a value they may be.
    let is_value = (1..=256).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=');
    is_key && is_value
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const OURS: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: [u8; 8] = [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31];

    fn trace(parent: &str, state: &str) -> Trace {
        Trace::of(Some(parent), (!state.is_empty()).then_some(state), OURS, SPAN)
    }

    #[test]
    fn a_trace_goes_on_with_a_parent_of_ours() {
        for (parent, flags) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "00"),
            // Flags that level 1 does not know are not passed on.
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", "01"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe", "00"),
            // Later versions, with and without what they may add.
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like", "01"),
            ("fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", "01"),
        ] {
            let trace = trace(parent, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
            assert_eq!(trace.parent(), format!("00-{ID}-b7ad6b7169203331-{flags}"), "{parent}");
            assert_eq!(trace.state.as_deref(), Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"), "{parent}");
        }
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace() {
        for parent in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            "0A-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47366-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "000-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            // Two of them, as HTTP joins them.
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            let trace = trace(parent, "rojo=1");
            assert_eq!(trace.parent(), format!("00-{OURS}-b7ad6b7169203331-01"), "{parent}");
            assert_eq!(trace.state, None, "{parent}");
        }
        assert_eq!(Trace::of(None, Some("rojo=1"), OURS, SPAN).state, None);
    }

    #[test]
    fn a_state_is_passed_on_within_bounds_or_not_at_all() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let of = |state: &str| trace(parent, state).state;
        for (state, passed) in [
            ("foo=1", "foo=1"),
            ("foo=1 ,\tbar=2", "foo=1,bar=2"),
            ("foo=1,,bar=2,", "foo=1,bar=2"),
            ("fw529a3039@dt=a b,1a-2@z=~", "fw529a3039@dt=a b,1a-2@z=~"),
        ] {
            assert_eq!(of(state).as_deref(), Some(passed), "{state}");
        }
        for state in [
            "",
            ",",
            "foo",
            "foo=",
            "=1",
            "foo =1",
            "FOO=1",
            "1foo=1",
            "foo@=1",
            "@foo=1",
            "foo@bar@baz=1",
            "foo@BAR=1",
            "foo@fifteenletters1=1",
            "foo=1=2",
            "foo=\u{e9}",
            "foo=\u{7f}",
            "foo.bar=1",
        ] {
            assert_eq!(of(state), None, "{state}");
        }
        let members = |count: usize, length: usize| {
            (0..count).map(|number| format!("k{number:02}={}", "x".repeat(length))).collect::<Vec<_>>()
        };
        assert!(of(&members(32, 1).join(",")).is_some());
        assert_eq!(of(&members(33, 1).join(",")), None, "too many members");
        let whole = members(4, 123).join(",");
        assert_eq!((whole.len(), of(&whole)), (511, Some(whole.clone())));
        // Whole members go: first those over 128 bytes, then the last.
        let mut long = members(10, 60);
        long.insert(0, format!("long={}", "x".repeat(200)));
        let passed = of(&long.join(",")).unwrap();
        assert!(passed.len() <= 512 && passed.starts_with("k00="), "{passed}");
        assert_eq!(passed, members(7, 60).join(","));
    }
}
