//! An upstream's address, checked so that a key can only go where it is meant to go.

/// An OpenAI-compatible endpoint, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiBase(String);

impl ApiBase {
    /// Reads an absolute URL: `https`, or `http` to a loopback address; no userinfo, query or
    /// fragment, since each can send the key to another place than the reader thinks.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |character: char| {
            character.is_ascii_alphanumeric()
                || matches!(character, '-' | '.' | '_' | '~' | '/' | ':' | '[' | ']')
        };
        if text.len() > 512 || !text.chars().all(allowed) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host_of(authority)?;
        let loopback = host == "localhost" || host == "[::1]" || is_ipv4_loopback(host);
        let secure = scheme == "https" || (scheme == "http" && loopback);
        let plain_path =
            !path.contains("//") && path.split('/').all(|segment| segment != "." && segment != "..");
        (secure && plain_path).then(|| Self(text.trim_end_matches('/').to_owned()))
    }

    /// The URL as it was set, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whose it is, in OpenTelemetry's words for the providers that it knows (`gen_ai.provider.name`), as
    /// far as the host tells; `openai`, whose protocol they all speak, for another.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        const KNOWN: [(&str, &str); 8] = [
            ("deepseek.com", "deepseek"),
            ("openai.azure.com", "azure.ai.openai"),
            ("groq.com", "groq"),
            ("mistral.ai", "mistral_ai"),
            ("anthropic.com", "anthropic"),
            ("perplexity.ai", "perplexity"),
            ("x.ai", "x_ai"),
            ("generativelanguage.googleapis.com", "gcp.gemini"),
        ];
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        let is_of = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        KNOWN.iter().find(|(domain, _)| is_of(domain)).map_or("openai", |(_, name)| name)
    }

    /// The URL of chat completions.
    #[must_use]
    pub fn chat_completions(&self) -> String {
        format!("{}/chat/completions", self.0)
    }
}

/// The host of an authority with a numeric port or none.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            let host = authority.strip_suffix(after)?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0));
    let good_host =
        host.starts_with('[') || (!host.is_empty() && !host.contains(['[', ']', '/', '~', '_', ':']));
    (good_port && good_host).then_some(host)
}

fn is_ipv4_loopback(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_pass() {
        for (text, url) in [
            ("https://api.deepseek.com/v1", "https://api.deepseek.com/v1/chat/completions"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
            ("http://127.0.0.1:9000/v1", "http://127.0.0.1:9000/v1/chat/completions"),
            ("http://localhost:9000", "http://localhost:9000/chat/completions"),
            ("http://[::1]:9000/v1", "http://[::1]:9000/v1/chat/completions"),
        ] {
            assert_eq!(ApiBase::parse(text).map(|base| base.chat_completions()).as_deref(), Some(url));
        }
        for text in [
            "",
            "api.deepseek.com",
            "http://api.deepseek.com/v1",
            "ftp://127.0.0.1/",
            "https://",
            "https:///v1",
            "https://user:pass@api.deepseek.com/v1",
            "https://api.deepseek.com@evil.example/v1",
            "https://api.deepseek.com/v1?x=1",
            "https://api.deepseek.com/v1#x",
            "https://api.deepseek.com\\@evil.example",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "http://2130706433/",
            "https://api.deepseek.com/../x",
            "https://api.deepseek.com:99999/v1",
            "https://api.deepseek.com:0/v1",
            "https://[::1",
            "https://api deepseek.com",
            "HTTPS://api.deepseek.com/v1",
        ] {
            assert_eq!(ApiBase::parse(text), None, "{text:?}");
        }
    }
}
