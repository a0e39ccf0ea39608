"""Shows that paddock talks to nobody: a whole run in a network of its own, whose kernel counts what found no way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Runs in a network without anything but loopback, where whatever is sent elsewhere finds no route and is counted.
INSIDE = """
import fcntl, json, socket, struct, subprocess, sys, time, urllib.request

def unrouted():
    found = 0
    rows = [row.split() for row in open('/proc/net/snmp') if row.startswith('Ip:')]
    found += int(rows[1][rows[0].index('OutNoRoutes')])
    for row in open('/proc/net/snmp6'):
        name, count = row.split()
        found += int(count) if name == 'Ip6OutNoRoutes' else 0
    return found

def tried(kind, address):
    with socket.socket(kind, socket.SOCK_STREAM) as one:
        try:
            one.connect(address)
        except OSError:
            pass

def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {'Content-Type': 'application/json'}, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    # Loopback up: SIOCSIFFLAGS with IFF_UP.
    fcntl.ioctl(one, 0x8914, struct.pack('16sH14s', b'lo', 1, b''))
quiet = unrouted()
tried(socket.AF_INET, ('203.0.113.1', 443))
control = unrouted() - quiet
before = unrouted()
words = [sys.executable, '-m', 'paddock', 'serve', '--port', '0', '--ctx', '2048']
with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
    url = server.stdout.readline().strip()
    said = [{'role': 'user', 'content': 'What is paddock?'}]
    answer = json.loads(ask('POST', '/v1/chat/completions', {'messages': said, 'max_tokens': 8}))
    page = ask('GET', '/models')
    shown = '/api/system /api/settings /api/engines /api/models /api/chats /api/session /metrics'
    for path in shown.split():
        ask('GET', path)
    chat = json.loads(ask('POST', '/api/chats', {}))['id']
    message = {'parent_id': None, 'role': 'user', 'content': 'Hello'}
    said = json.loads(ask('POST', f'/api/chats/{chat}/messages', message))['id']
    ask('POST', f'/api/chats/{chat}/answers', {'parent_id': said})
    time.sleep(2)
    doctor = subprocess.run([sys.executable, '-m', 'paddock', 'doctor'], capture_output=True, text=True)
    ask('POST', '/api/shutdown')
    ended = server.wait(60)
print(json.dumps({'control': control, 'unrouted': unrouted() - before, 'ended': ended, 'doctor': doctor.stdout,
                  'tokens': answer['usage']['completion_tokens'], 'page': page[:15].decode()}))
"""


def test_a_whole_run_sends_nothing_anywhere(tmp_path: Path) -> None:
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    environ = {**os.environ, "PADDOCK_HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src")}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        environ.pop(name, None)
    words = ["unshare", "--net", *own, sys.executable, "-c", INSIDE]
    done = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # One try to reach somebody is counted, so that none of paddock's would be missed.
    assert told["control"] >= 1
    assert told["unrouted"] == 0
    assert (told["ended"], told["page"]) == (0, "<!doctype html>")
    assert told["tokens"] > 0
    assert "paddock" in told["doctor"]
