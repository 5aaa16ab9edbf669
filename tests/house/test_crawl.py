"""Somebody of each role follows every link from their first page on: no link leads nowhere, none to another team; and
every address with an id in it is asked again with the ids of another team."""

from __future__ import annotations

import re
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup

from tests.house.test_access import Ward
from triage.models import Role

pytestmark = pytest.mark.database("sqlite")
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOST = 400
"""Addresses of one role: a ward of one patient has a few dozen, so that more of them lead round in circles."""
NO_PAGES = re.compile(r"\.(css|js|svg|png|csv|json|webmanifest)$")


def links(page, html):
    """The addresses of this site to which a page leads by links and by forms that are sent by GET."""
    soup = BeautifulSoup(html, "html.parser")
    found = [link["href"] for link in soup.select("a[href]")]
    found += [form["action"] for form in soup.select("form[action]") if form.get("method", "get").lower() == "get"]
    for href in found:
        address = urldefrag(urljoin(f"http://here{page}", href)).url
        parts = urlsplit(address)
        if parts.scheme == "http" and parts.netloc == "here":
            yield parts.path + (f"?{parts.query}" if parts.query else "")


def kind(address):
    """What an address is of: two queues or two days of the same list are one."""
    path, _, query = address.partition("?")
    return ID.sub("ID", path), tuple(sorted(word.partition("=")[0] for word in query.split("&")))


def crawl(client, theirs, say):
    """Every address that was met, each kind of it a few times."""
    waiting, met, often = ["/"], [], {}
    while waiting:
        address = waiting.pop(0)
        if address in met or often.get(kind(address), 0) >= 4 or urlsplit(address).path == "/sign-out":
            continue
        often[kind(address)] = often.get(kind(address), 0) + 1
        met.append(address)
        assert len(met) < MOST, say("links without an end", address)
        answer = client.get(address, follow_redirects=True)
        assert answer.status_code == 200, say(f"a link that leads to {answer.status_code}", address)
        if not NO_PAGES.search(urlsplit(address).path):
            assert theirs not in answer.text, say("shows a patient of another team", address)
            waiting += links(answer.request.full_path.rstrip("?"), answer.text)
    return met


@pytest.mark.parametrize("role", [None, *Role], ids=lambda role: role or "nobody")
def test_every_link_of_each_role_leads_to_a_page_of_their_own(role, app, make, pages):
    ours, theirs = Ward(make, "Anna"), Ward(make, "Berthold")
    client = pages(ours.people.get(role)).client
    whole_site = role is Role.AUDITOR  # whose task has no team

    def say(what, address):
        return f"{address} as {role or 'nobody'}: {what}"

    met = crawl(client, "\0" if whole_site else "Berthold", say)
    of_the_site = {"proposal_id"}  # rules belong to no team
    swapped = {str(value): str(theirs.values[name]) for name, value in ours.values.items() if name not in of_the_site}
    tried = 0
    for address in met:
        other = ID.sub(lambda found: swapped.get(found[0], found[0]), address)
        if other == address or whole_site:
            continue
        answer = client.get(other, follow_redirects=True)
        tried += 1
        assert "Berthold" not in answer.text, say("shows a patient of another team", other)
        if "?" not in other:
            assert answer.status_code == 404, say("an id of another team is answered", other)
    if role in (Role.NURSE, Role.ADMINISTRATOR):
        assert tried > 5
    if role is not None:
        assert len({kind(address)[0] for address in met}) > 3
