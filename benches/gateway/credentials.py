"""Keys, tokens and signed requests, made anew for each run: the client's side of the contract, with
nothing but Python's own hmac."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field

ISSUER, AUDIENCE = "pip-aide-gateway", "pip-aide"
SIGNING_INFO = "pip-aide-gateway/v1/request-signing/"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


@dataclass(frozen=True)
class Key:
    kid: str
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def entry(self) -> str:
        return f"{self.kid}={base64url(self.secret)}"


def ring(*keys: Key) -> str:
    return ",".join(key.entry() for key in keys)


def token(key: Key, machine: str, audience: str = AUDIENCE, header: dict | None = None) -> str:
    """A client token (RFC 7519, HS256) that lives for an hour."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": audience, "sub": machine, "iat": now, "exp": now + 3600}
    claims["jti"] = secrets.token_urlsafe(16)
    head = {"alg": "HS256", "typ": "JWT", "kid": key.kid} if header is None else header
    signed = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return f"{signed}.{base64url(mac(key.secret, signed.encode()))}"


def operator_token(key: Key, name: str) -> str:
    return token(key, name, f"{AUDIENCE}/operator")


def signing_secret(key: Key, machine: str) -> bytes:
    """HKDF-SHA256 (RFC 5869) with an empty salt; one block of output is all of it."""
    extracted = mac(bytes(32), key.secret)
    return mac(extracted, (SIGNING_INFO + machine).encode() + b"\x01")


class Signer:
    """Signs one request again and again (RFC 9421), each time with another nonce."""

    def __init__(self, key: Key, machine: str, method: str, authority: str, path: str, body: bytes):
        self.secret = signing_secret(key, machine)
        self.keyid = f"{key.kid}:{machine}"
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        self.digest = f"sha-256=:{digest}:"
        self.lines = (
            f'"@method": {method}\n"@authority": {authority}\n'
            f'"@target-uri": http://{authority}{path}\n"content-digest": {self.digest}\n'
        )

    def headers(self, created: int | None = None) -> list[tuple[str, str]]:
        created = int(time.time()) if created is None else created
        parameters = (
            f'("@method" "@authority" "@target-uri" "content-digest");created={created};'
            f'keyid="{self.keyid}";alg="hmac-sha256";nonce="{secrets.token_urlsafe(12)}"'
        )
        base = f'{self.lines}"@signature-params": {parameters}'
        tag = base64.b64encode(mac(self.secret, base.encode())).decode()
        return [
            ("Content-Digest", self.digest),
            ("Signature-Input", f"sig={parameters}"),
            ("Signature", f"sig=:{tag}:"),
        ]
