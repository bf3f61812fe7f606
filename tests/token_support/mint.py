"""PyJWT as a token's maker: reads keys and claims, prints tokens and public keys."""

import base64
import json
import sys

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm


def main():
    todo = json.load(sys.stdin)
    made = {"client": None, "keys": [], "tokens": {}}
    secret = base64.urlsafe_b64decode(todo["secret"] + "=" * (-len(todo["secret"]) % 4))
    made["client"] = jwt.encode(todo["client"], secret, algorithm="HS256", headers={"kid": todo["kid"]})

    keys = {
        "rsa": (rsa.generate_private_key(65537, 2048), RSAAlgorithm, ["RS256", "RS384", "PS256"]),
        "rsa-small": (rsa.generate_private_key(65537, 1024), RSAAlgorithm, ["RS256"]),
        "p256": (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm, ["ES256"]),
        "p384": (ec.generate_private_key(ec.SECP384R1()), ECAlgorithm, ["ES384"]),
        "ed": (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm, ["EdDSA"]),
    }
    for kid, (key, kind, algorithms) in keys.items():
        made["keys"].append({**json.loads(kind.to_jwk(key.public_key())), "kid": kid})
        made["private " + kid] = {**json.loads(kind.to_jwk(key)), "kid": kid}
        for algorithm in algorithms:
            for name, claims in todo["foreign"].items():
                token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})
                made["tokens"][f"{kid} {algorithm} {name}"] = token
    json.dump(made, sys.stdout)


main()
