"""Requests generated from what the server says about itself, /openapi.json: whatever
they are, the answer is one that is documented, in the form that is documented, and
never a 5xx.
"""

import subprocess
import sys

from harness import OUT, running_server

EXAMPLES_PER_OPERATION = 100
TIME_LIMIT_S = 8 * 60
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
]


def test_every_answer_is_documented():
    with running_server() as server:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"]
        command += ["--checks", ",".join(CHECKS)]
        command += ["--phases", "examples,coverage,fuzzing,stateful"]
        command += ["--max-examples", str(EXAMPLES_PER_OPERATION)]
        # The same requests in every run, but for the ids that answers bring in.
        command += ["--generation-deterministic"]
        command += ["--request-timeout", "10", "--workers", "1", "--no-color"]
        # A stream of events has no end, so its answer is never complete.
        command += ["--exclude-path-regex", "/events$"]
        command += ["--suppress-health-check", "all"]
        OUT.mkdir(exist_ok=True)
        run = subprocess.run(command, timeout=TIME_LIMIT_S, cwd=server.folder, capture_output=True, text=True)
        (OUT / "schemathesis.txt").write_text(run.stdout + run.stderr)
        assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]
        assert "No checks were performed" not in run.stdout
