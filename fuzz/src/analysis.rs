//! Reading a failure and answering it: redaction, trimming, rules, the upstream, screening.

use pip_aide_gateway::analysis::facts::{self, Facts};
use pip_aide_gateway::analysis::proposal::Proposal;
use pip_aide_gateway::analysis::redact::{self, Redacted};
use pip_aide_gateway::analysis::screen::{Screened, Source, screen};
use pip_aide_gateway::analysis::{completion, excerpt, normal, prompt, rules, trim};

/// Redacting twice is redacting once, nothing invisible is left, and no secret on a line of its own.
pub fn redaction(data: &[u8]) {
    let raw = String::from_utf8_lossy(data);
    let once = redact::redact(&raw);
    assert_eq!(redact::redact(once.as_str()), once, "redacting twice");
    let hidden =
        |c: char| (c.is_control() && c != '\n' && c != '\t') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!once.as_str().contains(hidden), "{once:?}");
    let _ = normal::normalised(&once);
    a_planted_secret_is_gone(&raw, data);
}

/// Whatever stands before and after it. Form and line are drawn from the bytes, so that a case is one again.
fn a_planted_secret_is_gone(raw: &str, data: &[u8]) {
    const SECRET: &str = "qz7Kp2mWx9Lr4TvB";
    if raw.contains(SECRET) {
        return;
    }
    let drawn = data.iter().fold(data.len(), |drawn, byte| drawn.wrapping_mul(31) ^ usize::from(*byte));
    let line = match drawn % 3 {
        0 => format!("https://u:{SECRET}@host/\n"),
        1 => format!("Authorization: Bearer {SECRET}\n"),
        _ => format!("TOKEN={SECRET}\n"),
    };
    let lines: Vec<&str> = raw.split_inclusive('\n').collect();
    let place = drawn / 3 % (lines.len() + 1);
    let (before, after) = lines.split_at(place);
    let end = if before.last().is_some_and(|last| !last.ends_with('\n')) { "\n" } else { "" };
    let planted = [before.concat().as_str(), end, &line, &after.concat()].concat();
    let left = redact::redact(&planted);
    assert!(!left.as_str().contains(SECRET), "{line:?} on line {place}: {left:?}");
    assert_eq!(redact::redact(left.as_str()), left, "redacting twice what was planted");
}

/// The first two bytes are the limit: it holds, trimming twice is trimming once, and the prompt's
/// overhead stays in its bound.
pub fn trimming(data: &[u8]) {
    let (limit, rest) = data.split_at(data.len().min(2));
    let limit = limit.iter().fold(0_usize, |limit, byte| limit << 8 | usize::from(*byte));
    let raw = String::from_utf8_lossy(rest);
    let most = limit.max(excerpt::LEAST_BYTES);
    let looked_at = excerpt::excerpt(&raw, most);
    assert!(
        looked_at.len() <= most && (raw.len() > most || looked_at == raw),
        "{} of {most}",
        looked_at.len()
    );
    let text = redact::redact(&raw);
    let trimmed = trim::trim(&text, limit);
    assert!(trimmed.as_str().len() <= limit, "{} of {limit}", trimmed.as_str().len());
    assert_eq!(trim::trim(&trimmed, limit), trimmed, "trimming twice");
    let messages = prompt::build(&facts::read(&text), &trimmed, "0123456789abcdef");
    let bytes: usize = messages.iter().map(|message| message.role.len() + message.content.len()).sum();
    assert!(bytes <= trimmed.as_str().len() + prompt::OVERHEAD_BYTES, "{bytes}");
}

/// Whatever a log makes a rule say is sound.
pub fn rules(data: &[u8]) {
    let (text, facts) = read(&String::from_utf8_lossy(data));
    if let Some(finding) = rules::consult(&facts, &text) {
        sound(&screen(&Proposal::from(finding.advice), &facts, Source::Rule), &facts);
    }
}

/// Whatever a model says, what leaves is sound. A zero byte parts the user's command from the message.
pub fn screening(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (command, message) = data.split_at(at);
    let (_, facts) = read(&format!("Command: pip install {}\n", String::from_utf8_lossy(command)));
    let message = String::from_utf8_lossy(message);
    let content = serde_json::json!({ "choices": [{ "message": { "content": message } }] }).to_string();
    if let Ok(completion) = completion::parse(content.as_bytes()) {
        sound(&screen(&completion.proposal, &facts, Source::Model), &facts);
    }
    let commands = message.lines().map(str::to_owned).collect();
    sound(&screen(&Proposal { explanation: message.into_owned(), commands }, &facts, Source::Model), &facts);
}

/// Any body is read or refused, and a count of tokens that is believed can be one.
pub fn upstream(data: &[u8]) {
    let usage = match completion::parse(data) {
        Ok(completion) => completion.usage,
        Err(error) => error.usage,
    };
    if let Some(usage) = usage {
        assert!(usage.prompt_tokens > 0 && usage.cached_tokens <= usage.prompt_tokens, "{usage:?}");
    }
}

fn read(raw: &str) -> (Redacted, Facts) {
    let text = redact::redact(raw);
    let facts = facts::read(&text);
    (text, facts)
}

/// Only commands in their own fences, each the same when it is screened again, and no address.
fn sound(screened: &Screened, facts: &Facts) {
    let Screened { suggestion, commands, withheld } = screened;
    assert!(suggestion.len() < 20_000 && commands.len() <= 5 && withheld.len() <= 10, "{screened:?}");
    assert_eq!(suggestion.contains("UNCERTAIN"), commands.is_empty(), "{screened:?}");
    let mut in_fence = false;
    let mut taken = Vec::new();
    for line in suggestion.trim().split('\n') {
        if line.starts_with("```") {
            in_fence = !in_fence;
        } else if in_fence {
            taken.push(line);
        }
    }
    assert_eq!(&taken, commands, "what the client takes for commands");
    for command in commands {
        let again = Proposal { explanation: String::new(), commands: vec![command.clone()] };
        assert_eq!(
            &screen(&again, facts, Source::Rule).commands,
            std::slice::from_ref(command),
            "written anew twice"
        );
        assert!(
            !command.contains(['/', '\\', '@', ';', '|', '&', '<', '>', '$', '`', '\'', '"']),
            "{command}"
        );
    }
    assert!(!suggestion.contains("://"), "{suggestion}");
}
