"""What clients send in the benchmark: failures in pip's words."""

import json

SYSTEM = """
--- SYSTEM INFO ---
python_version: 3.11.7
python_full_version: 3.11.7 (main, Jan  9 2026, 09:12:44) [GCC 12.2.0]
python_implementation: CPython
os_system: Linux
os_release: 6.1.0-28-amd64
machine_type: x86_64
architecture: 64bit
pip_version: pip 24.0 from /home/dev/service/.venv/lib/python3.11/site-packages/pip (python 3.11)
setuptools_version: 69.0.3
gcc_version: gcc (Debian 12.2.0-14) 12.2.0
"""

# The build of a package fails in its own test of the machine: nothing that a rule knows for certain.
MODEL = """Command: pip install fastlanes-codec==0.4.2 httpx
Exit Code: 1

--- stdout ---
Collecting fastlanes-codec==0.4.2
  Downloading fastlanes_codec-0.4.2.tar.gz (188 kB)
     ---------------------------------------- 188.4/188.4 kB 4.1 MB/s eta 0:00:00
  Installing build dependencies: started
  Installing build dependencies: finished with status 'done'
  Getting requirements to build wheel: started
  Getting requirements to build wheel: finished with status 'done'
  Preparing metadata (pyproject.toml): started
  Preparing metadata (pyproject.toml): finished with status 'done'
Collecting httpx
  Downloading httpx-0.27.2-py3-none-any.whl (76 kB)
Building wheels for collected packages: fastlanes-codec
  Building wheel for fastlanes-codec (pyproject.toml): started
  Building wheel for fastlanes-codec (pyproject.toml): finished with status 'error'
Failed to build fastlanes-codec

--- stderr ---
  error: subprocess-exited-with-error

  × Building wheel for fastlanes-codec (pyproject.toml) did not run successfully.
  │ exit code: 1
  ╰─> [19 lines of output]
      running bdist_wheel
      running build
      running build_py
      creating build/lib.linux-x86_64-cpython-311/fastlanes
      copying src/fastlanes/__init__.py -> build/lib.linux-x86_64-cpython-311/fastlanes
      copying src/fastlanes/tables.py -> build/lib.linux-x86_64-cpython-311/fastlanes
      copying src/fastlanes/packing.py -> build/lib.linux-x86_64-cpython-311/fastlanes
      running build_tables
      probing vector width ... 0
      Traceback (most recent call last):
        File "/tmp/build-env-k2x1/lib/python3.11/site-packages/setuptools/build_meta.py", line 410, in build_wheel
          return self._build_with_temp_dir(['bdist_wheel'], '.whl', wheel_directory)
        File "<string>", line 118, in run
        File "<string>", line 71, in lay_out_tables
      fastlanes.errors.LayoutError: lane count 0 does not divide the block of 1024 values
      error: table layout failed, see /tmp/fastlanes-codec-0.4.2/layout.log
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for fastlanes-codec
ERROR: Could not build wheels for fastlanes-codec, which is required to install pyproject.toml-based projects
"""

# The name that is imported is not the name on PyPI: a rule knows it.
RULE = """Command: pip install cv2
Exit Code: 1

--- stdout ---

--- stderr ---
ERROR: Could not find a version that satisfies the requirement cv2 (from versions: none)
ERROR: No matching distribution found for cv2
"""


def body(context: str) -> bytes:
    return json.dumps({"machine_id": "4711", "error_context": context + SYSTEM}, ensure_ascii=False).encode()


def padded(context: str, line: str, size: int) -> str:
    """The same failure with more output of the build before its end, to make a body of `size` bytes."""
    head, tail = context.split("\n--- stderr ---\n")
    more: list[str] = []
    missing = size - len(body(context))
    while missing > 0:
        more.append(line.format(len(more)))
        missing -= len(json.dumps(more[-1])) - 1
    return f"{head}\n{''.join(more)}\n--- stderr ---\n{tail}"


COLLECTING = "Requirement already satisfied: dependency-{0} in ./.venv/lib/python3.11/site-packages (1.{0}.0)\n"
COMPILING = "  cc -O2 -fPIC -Isrc/include -c src/lanes/block_{0}.c -o build/temp/block_{0}.o\n"

MODEL_3KB = body(MODEL)
RULE_3KB = body(padded(RULE, COLLECTING, 3_072))
MODEL_200KB = body(padded(MODEL, COMPILING, 200_000))

# What the upstream answers: a chat completion of about 1 KB.
PROPOSAL = {
    "explanation": "The build of fastlanes-codec 0.4.2 found no vector unit and stopped while laying out its tables. "
    "A release with a finished wheel needs no such build, so this installs one from PyPI.",
    "commands": ["pip install --only-binary :all: fastlanes-codec httpx"],
}
COMPLETION = {
    "id": "0f0f6c5e-6d5f-4e43-9c05-3c8a4a3f2b11",
    "object": "chat.completion",
    "created": 1_780_000_000,
    "model": "deepseek-chat",
    "system_fingerprint": "fp_8802369eaa_prod0425fp8",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": json.dumps(PROPOSAL)},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 1_124,
        "completion_tokens": 92,
        "total_tokens": 1_216,
        "prompt_tokens_details": {"cached_tokens": 384},
        "prompt_cache_hit_tokens": 384,
        "prompt_cache_miss_tokens": 740,
    },
}
