"""Signs requests with two published clients; reads what to sign and prints what they would send."""

import base64
import datetime
import json
import sys

import requests
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPSignatureKeyResolver,
    algorithms,
)
from requests_http_signature import HTTPSignatureAuth


def as_sent(request):
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    return {
        "method": request.method,
        "url": request.url,
        "headers": [[name.lower(), value] for name, value in request.headers.items()],
        "body": base64.b64encode(body).decode(),
    }


def main():
    todo = json.load(sys.stdin)
    secret = base64.urlsafe_b64decode(todo["secret"] + "=" * (-len(todo["secret"]) % 4))
    keyid = todo["keyid"]

    class Keys(HTTPSignatureKeyResolver):
        def resolve_private_key(self, key_id):
            assert key_id == keyid
            return secret

        def resolve_public_key(self, key_id):
            return self.resolve_private_key(key_id)

    signed = {}
    for name, asked in todo["requests"].items():
        data = asked["data"].encode() if asked["data"] is not None else None
        headers = {"Content-Type": "application/json"} if data else {}
        auth = HTTPSignatureAuth(
            signature_algorithm=algorithms.HMAC_SHA256, key=secret, key_id=keyid, use_nonce=True
        )

        def request_with(auth):
            return requests.Request(
                asked["method"], asked["url"], data=data, headers=headers, auth=auth
            ).prepare()

        signed["requests-http-signature " + name] = as_sent(request_with(auth))

        covered = ["@method", "@authority", "@path", "@query"]
        request = request_with(None)
        if data:
            covered.append("content-type")
        signer = HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys())
        signer.sign(
            request,
            key_id=keyid,
            created=datetime.datetime.now(datetime.timezone.utc),
            expires=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60),
            nonce="nonce of " + name,
            label="pip-aide",
            tag="pip-aide",
            include_alg=asked["data"] is None,
            covered_component_ids=covered,
            body=data or b"",
        )
        signed["http-message-signatures " + name] = as_sent(request)
    json.dump(signed, sys.stdout)


main()
