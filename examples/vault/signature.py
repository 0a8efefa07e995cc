"""Verifies the vault's webhooks. `python3 -m doctest signature.py` checks the function against a known signature.

KEYFOB_WEBHOOK_SECRET=… python3 signature.py "$KEYFOB_SIGNATURE" < body
"""

import hashlib
import hmac
import os
import re
import sys
import time


def is_from_vault(secret, header, body, now, tolerance=300):
    """Whether `body`, the bytes exactly as they came, was signed with `secret` at most `tolerance` seconds ago.

    >>> header = "t=1795435200,v1=edcaf222d1b26207ff53f57c18d6b5ca61eecee819c23d996af9d7da2c88b9cc"
    >>> is_from_vault("a webhook secret", header, b'{"number":1}', now=1795435230)
    True
    >>> is_from_vault("a webhook secret", header, b'{"number":2}', now=1795435230)
    False
    >>> is_from_vault("another secret", header, b'{"number":1}', now=1795435230)
    False
    >>> is_from_vault("a webhook secret", header, b'{"number":1}', now=1795435200 + 301)
    False
    """
    parts = re.fullmatch(r"t=(\d{1,12}),v1=([0-9a-f]{64})", header)
    if parts is None or abs(now - int(parts[1])) > tolerance:
        return False
    expected = hmac.new(secret.encode(), parts[1].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts[2])


if __name__ == "__main__":
    genuine = is_from_vault(os.environ["KEYFOB_WEBHOOK_SECRET"], sys.argv[1], sys.stdin.buffer.read(), time.time())
    print("genuine" if genuine else "forged or old")
    sys.exit(0 if genuine else 1)
