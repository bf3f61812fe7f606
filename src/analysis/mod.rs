//! The work on untrusted text: redact, trim, rules, prompt, completion, screen. All pure.
