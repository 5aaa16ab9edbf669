"""A passkey from its making to its end, in a real browser whose device is made of software (WebAuthn over CDP)."""

from __future__ import annotations

import pytest

from tests.browsing import accessibility_problems, follow
from tests.make import PASSWORD


@pytest.fixture
def by_name(browse):
    """Opens pages by the name of this machine: passkeys are for names, never for numbers."""
    browse.base_url = browse.base_url.replace("127.0.0.1", "localhost")
    return browse


def device_of(page):
    """A device that unlocks itself and keeps passkeys; its handle and the way to ask it things."""
    chrome = page.context.new_cdp_session(page)
    chrome.send("WebAuthn.enable")
    kind = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    return chrome, chrome.send("WebAuthn.addVirtualAuthenticator", {"options": kind})["authenticatorId"]


@pytest.mark.database("sqlite")
def test_a_nurse_adds_a_passkey_signs_in_with_it_without_a_code_and_removes_it(app, make, by_name):
    nurse = make.nurse("Nora")
    desk = by_name("desktop")
    chrome, device = device_of(desk)
    desk.goto("/sign-in")
    assert accessibility_problems(desk) == []
    desk.get_by_label("Your sign-in name").fill(nurse.sign_in_name)
    desk.get_by_label("Your passphrase", exact=True).fill(PASSWORD)
    follow(desk.get_by_role("button", name="Sign in", exact=True))
    desk.goto("/account")
    follow(desk.get_by_role("button", name="Add a passkey"))
    desk.get_by_label("Name of this device").fill("The desk")
    desk.get_by_label("Your passphrase").fill(PASSWORD)
    assert accessibility_problems(desk) == []
    follow(desk.get_by_role("button", name="Continue"))
    assert accessibility_problems(desk) == []
    follow(desk.get_by_role("button", name="Make the passkey"))
    assert "The passkey is added" in desk.inner_text("main")
    assert accessibility_problems(desk) == []
    (kept,) = chrome.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert (kept["rpId"], kept["isResidentCredential"], kept["userName"]) == ("localhost", True, nurse.sign_in_name)

    app.config["SECOND_FACTOR"] = True
    follow(desk.get_by_role("button", name="Sign out", exact=True))
    follow(desk.get_by_role("button", name="Sign in with a passkey"))
    assert desk.url.endswith("/queue"), "no name, no passphrase, no code"

    app.config["SECOND_FACTOR"] = False  # else the last one of somebody without an app stays
    desk.goto("/account")
    follow(desk.get_by_role("button", name="Remove The desk"))
    desk.get_by_label("Your passphrase").fill(PASSWORD)
    assert accessibility_problems(desk) == []
    follow(desk.get_by_role("button", name="Remove"))
    assert "The passkey is removed" in desk.inner_text("main")
    follow(desk.get_by_role("button", name="Sign out", exact=True))
    follow(desk.get_by_role("button", name="Sign in with a passkey"))
    assert "This passkey lets nobody in here" in desk.inner_text("main")
    assert accessibility_problems(desk) == []


@pytest.mark.database("sqlite")
def test_a_phone_whose_owner_is_not_recognised_goes_on_without(make, anna, by_name):
    phone = by_name("phone")
    chrome, device = device_of(phone)
    phone.goto("/sign-in")
    chrome.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    phone.get_by_role("button", name="Sign in with a passkey").press("Enter")
    phone.get_by_role("alert").filter(has_text="No passkey was used").wait_for()
    assert accessibility_problems(phone) == []
    phone.get_by_label("Your sign-in name").fill(make.account(anna).sign_in_name)
    phone.get_by_label("Your passphrase", exact=True).fill(PASSWORD)
    follow(phone.get_by_role("button", name="Sign in", exact=True))
    assert phone.url.endswith("/report")
