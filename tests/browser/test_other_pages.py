"""A page of another server on this machine, open in the same browser, gets nothing of the embedded bucket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from hashmark.core.model import Key
from hashmark.embedded.embedded_bucket import EmbeddedBucket
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from support.embedded import ports_of

TRY_ALL = """
async (ports) => {
  const paths = ["/", "/?pretty=y", "/buckets/styles/", "/styles?list-type=2", "/styles/a.txt", "/dir/assign"];
  const tries = [...paths.map((path) => ["GET", path]), ["PUT", "/styles/a.txt"], ["PUT", "/buckets/styles/a.txt"],
    ["POST", "/buckets/styles/a.txt"], ["DELETE", "/buckets/styles?recursive=true"]];
  const got = [];
  for (const port of ports)
    for (const scheme of ["http", "https"])
      for (const [method, path] of tries) {
        const body = method === "GET" || method === "DELETE" ? undefined : "planted";
        try {
          const answer = await fetch(`${scheme}://127.0.0.1:${port}${path}`, { method, body });
          if (answer.status < 400) got.push(`${port} ${scheme} ${method} ${path} ${answer.status}`);
        } catch { /* refused, which is right */ }
        if (method !== "DELETE" && method !== "PUT")
          await fetch(`${scheme}://127.0.0.1:${port}${path}`, { method, body, mode: "no-cors" }).catch(() => {});
      }
  return got;
}
"""


class BlankPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        """Stay silent."""


@pytest.fixture
def other_page() -> Iterator[str]:
    """The address of a page on another port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BlankPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def test_row_41_a_page_on_another_port_gets_nothing_of_the_embedded_bucket(
    tmp_path: Path, other_page: str, browser: Browser
) -> None:
    """Guard: without the certificates, the filer lets every page read, write and delete."""
    box = EmbeddedBucket(tmp_path / "box", "styles")
    credentials = str(box.credentials_file)
    bucket = Bucket(Remote("styles", "", box.address.endpoint_url, "us-east-1", credentials_file=credentials))
    bucket.put("a.txt", b"a caption")
    page = browser.new_page(ignore_https_errors=True)
    page.goto(other_page)
    ports = ports_of(box)
    assert len(ports) >= 9
    assert page.evaluate(TRY_ALL, ports) == []
    assert [o.key for o in bucket.objects("")] == [Key("a.txt")]
    assert bucket.get("a.txt") == b"a caption"
    page.close()
    box.stop()
