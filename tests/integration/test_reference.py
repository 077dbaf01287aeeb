"""The reference of the API as a page: whole, static, and under a strict policy."""

from __future__ import annotations

import re
from collections.abc import Iterator

import html5lib
import httpx
import pytest

from tests.integration.serving import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def page(served: Served) -> httpx.Response:
    with served.client() as client:
        return client.get("/api/v1/docs")


def test_it_tells_of_every_operation(served: Served, page: httpx.Response) -> None:
    with served.client() as client:
        paths = client.get("/api/v1/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            article = page.text.partition(f'<article id="{operation["operationId"]}">')[2]
            article = article.partition("</article>")[0]
            assert f"<code>{path}</code>" in article, (method, path)
            assert re.search(r"<pre>curl .*&#34;\$JOURNEY/api/v1/", article)
            for parameter in operation.get("parameters", ()):
                if parameter["name"] != "authorization":
                    assert f"<code>{parameter['name']}</code>" in article
            for kind in operation["x-token-kinds"]:
                assert f"<code>{kind}</code>" in article


def test_its_links_lead_somewhere(page: httpx.Response) -> None:
    ids = re.findall(r'id="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page.text)) <= set(ids)


def test_it_is_html_that_loads_nothing_but_its_style_sheet(
    served: Served, page: httpx.Response
) -> None:
    html5lib.HTMLParser(strict=True).parse(page.text)
    assert "<script" not in page.text
    assert 'style="' not in page.text
    loaded = re.findall(r'(?:src|<link[^>]* href)="([^"]+)"', page.text)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    (style,) = loaded
    with served.client() as client:
        found = client.get(style)
    assert found.headers["content-type"].startswith("text/css")
    assert "immutable" in found.headers["cache-control"]
    assert "url(" not in found.text
    assert "@import" not in found.text
