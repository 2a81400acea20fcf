"""Checks docs/conformance.md claim by claim. RAW_LAB has the servers as JSON; each claim is a line of the output."""
import sys

sys.dont_write_bytecode = True

import claims_extensions
import claims_stun
import claims_turn
import lab
import report

# Claims that these checks leave to others, and why.
NOT_HERE = {
    "TURN-A15": "about clients", "TURN-B4": "TURN-A24 and TURN-A30 check the nonces, and their hour is too long for this",
    "TURN-B21": "takes ten minutes", "TURN-B28": "takes ten minutes", "TURN-C4": "takes half a minute", "TURN-E3": "about clients",
    "TURN-E4": "not visible on the wire", **{f"TURN-F{i}": "vectors of the codec" for i in range(1, 7)},
}

servers = lab.load()
for claims in (claims_stun, claims_turn, claims_extensions):
    report.run(claims.ALL, servers)
report.write()
for claim, reason in NOT_HERE.items():
    print(f"{claim}: not here, {reason}")
