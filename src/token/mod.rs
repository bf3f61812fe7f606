//! Who is calling: keys, client tokens, signed requests, foreign tokens, enrolment. All pure.
