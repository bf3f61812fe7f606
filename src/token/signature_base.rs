//! What an HTTP message signature signs (RFC 9421 section 2): the components of a request, one a
//! line, in the order in which the signer listed them.

use super::Denied;
use super::structured::is_field_name_char;

/// A request as a signature sees it. The parts must be those that the request is routed by, else
/// what was signed and what is done could differ.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a, H> {
    /// The method, as sent: case matters.
    pub method: &'a str,
    /// `https` or `http`.
    pub scheme: &'a str,
    /// Host and, unless it is the scheme's own, port.
    pub authority: &'a str,
    /// The path, still percent-encoded.
    pub path: &'a str,
    /// The query without its `?`, still percent-encoded; `None` without a `?`.
    pub query: Option<&'a str>,
    /// A header field's value by its name in lower case, several lines of it joined with `, `.
    pub header: H,
    /// Whether the request has a body.
    pub has_body: bool,
}

impl<H: Fn(&str) -> Option<String>> Message<'_, H> {
    /// The value of the component of that name.
    fn component(&self, name: &str) -> Result<String, Denied> {
        match name {
            "@method" => Ok(self.method.to_owned()),
            "@scheme" => Ok(self.scheme.to_ascii_lowercase()),
            "@authority" => Ok(self.normal_authority()),
            "@target-uri" => {
                let scheme = self.scheme.to_ascii_lowercase();
                Ok(format!("{scheme}://{}{}", self.normal_authority(), self.request_target()))
            }
            "@request-target" => Ok(self.request_target()),
            "@path" => Ok(self.normal_path().to_owned()),
            // Section 2.2.7: the `?` stands there also when there is no query.
            "@query" => Ok(format!("?{}", self.query.unwrap_or_default())),
            _ if is_field_name(name) => self.field(name),
            _ => Err(Denied::UnsupportedComponent),
        }
    }

    /// Section 2.2.3: in lower case, without the scheme's own port.
    fn normal_authority(&self) -> String {
        let authority = self.authority.to_ascii_lowercase();
        let default_port = if self.scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
        authority.strip_suffix(default_port).map(str::to_owned).unwrap_or(authority)
    }

    /// Section 2.2.6: an empty path is `/`.
    const fn normal_path(&self) -> &str {
        if self.path.is_empty() { "/" } else { self.path }
    }

    fn request_target(&self) -> String {
        let path = self.normal_path();
        self.query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
    }

    /// Section 2.1: without white space around it. A control character could begin a line of its
    /// own in the base, so it is refused even where the platform should have refused it before.
    fn field(&self, name: &str) -> Result<String, Denied> {
        let value = (self.header)(name).ok_or(Denied::MissingComponent)?;
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Denied::UnsupportedComponent);
        }
        Ok(value.trim_matches([' ', '\t']).to_owned())
    }
}

/// A component that is a header field is named in lower case.
fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| is_field_name_char(c) && !c.is_ascii_uppercase())
}

/// The signature base (section 2.5): a line for each component and, last, `parameters`, which is
/// the `Signature-Input` member's value exactly as it was received.
///
/// # Errors
/// A component is unknown, absent from the request, or listed twice.
pub fn signature_base<H: Fn(&str) -> Option<String>>(
    message: &Message<'_, H>,
    components: &[&str],
    parameters: &str,
) -> Result<String, Denied> {
    let mut base = String::new();
    for (name, earlier) in components.iter().zip(0..) {
        if components.iter().take(earlier).any(|other| other == name) {
            return Err(Denied::UnsupportedComponent);
        }
        let value = message.component(name)?;
        for part in ["\"", name, "\": ", &value, "\n"] {
            base.push_str(part);
        }
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    Ok(base)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::token::mac;

    fn header(name: &str) -> Option<String> {
        let value = match name {
            "date" => "Tue, 20 Apr 2021 02:07:55 GMT",
            "content-type" => "application/json",
            "x-padded" => " \t a  b \t",
            "x-empty" => "",
            "x-line" => "a\n\"@method\": GET",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn message() -> Message<'static, fn(&str) -> Option<String>> {
        Message {
            method: "POST",
            scheme: "https",
            authority: "Example.com:443",
            path: "/foo",
            query: Some("param=Value&Pet=dog"),
            header,
            has_body: true,
        }
    }

    /// RFC 9421 appendix B.2.5.
    #[test]
    fn the_rfcs_hmac_signature_is_reproduced() {
        let key = STANDARD
            .decode(
                "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==",
            )
            .unwrap();
        let parameters =
            "(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
        let base = signature_base(&message(), &["date", "@authority", "content-type"], parameters).unwrap();
        assert_eq!(
            base,
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\
             \"content-type\": application/json\n\"@signature-params\": (\"date\" \"@authority\" \
             \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
        );
        let signature = STANDARD.encode(mac::mac(&key, &[base.as_bytes()]));
        assert_eq!(signature, "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
    }

    /// The values that RFC 9421 section 2.2 gives for such a request.
    #[test]
    fn components_have_the_rfcs_values() {
        for (name, value) in [
            ("@method", "POST"),
            ("@scheme", "https"),
            ("@authority", "example.com"),
            ("@target-uri", "https://example.com/foo?param=Value&Pet=dog"),
            ("@request-target", "/foo?param=Value&Pet=dog"),
            ("@path", "/foo"),
            ("@query", "?param=Value&Pet=dog"),
            ("x-padded", "a  b"),
            ("x-empty", ""),
        ] {
            assert_eq!(message().component(name).as_deref(), Ok(value), "{name}");
        }
        let bare = Message { path: "", query: None, scheme: "http", authority: "h:80", ..message() };
        assert_eq!(bare.component("@target-uri").as_deref(), Ok("http://h/"));
        assert_eq!(bare.component("@query").as_deref(), Ok("?"));
        let port = Message { authority: "h:8443", ..message() };
        assert_eq!(port.component("@authority").as_deref(), Ok("h:8443"));
        let empty = Message { query: Some(""), ..message() };
        assert_eq!(empty.component("@target-uri").as_deref(), Ok("https://example.com/foo?"));
    }

    #[test]
    fn what_is_no_component_of_this_request_is_refused() {
        for (name, cause) in [
            ("x-absent", Denied::MissingComponent),
            ("Date", Denied::UnsupportedComponent),
            ("@status", Denied::UnsupportedComponent),
            ("@query-param", Denied::UnsupportedComponent),
            ("@signature-params", Denied::UnsupportedComponent),
            ("@METHOD", Denied::UnsupportedComponent),
            ("", Denied::UnsupportedComponent),
            ("a b", Denied::UnsupportedComponent),
            ("x\": y\n\"z", Denied::UnsupportedComponent),
            ("x-line", Denied::UnsupportedComponent),
        ] {
            assert_eq!(message().component(name), Err(cause), "{name:?}");
        }
        assert_eq!(
            signature_base(&message(), &["@method", "date", "@method"], "()"),
            Err(Denied::UnsupportedComponent)
        );
    }
}
