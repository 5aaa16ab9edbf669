"""Right after somebody got in: the device is known from then on, and what they had typed is offered again."""

from __future__ import annotations

from flask import Response, after_this_request, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from triage.accounts import resume, throttle
from triage.languages import _
from triage.models import Person


def after_sign_in(somebody: Person, next_url: str, kept: str) -> ResponseReturnValue:
    """To where somebody wanted to go, or to the form that they had sent when the sign-in had timed out."""
    form = resume.from_signed(kept)
    return send_again(form, somebody, signed_in_again=True) if form else redirect(after(next_url))


def device() -> str:
    """The cookie by which the throttle knows a browser that somebody has signed in with; empty for a new one."""
    return request.cookies.get(_device_cookie(), "")


def know_device(somebody: Person) -> None:
    """From this answer on, failures of others elsewhere do not hold this person up on this device."""
    value = throttle.remember(device(), somebody.sign_in_name)
    secure = not current_app.config["LOCAL"]

    @after_this_request
    def keep(response: Response) -> Response:
        response.set_cookie(
            _device_cookie(),
            value,
            max_age=throttle.DEVICE_DAYS * 24 * 3600,
            secure=secure,
            httponly=True,
            samesite="Lax",
        )
        return response


def _device_cookie() -> str:
    return throttle.DEVICE_COOKIE if current_app.config["LOCAL"] else f"__Host-{throttle.DEVICE_COOKIE}"


def send_again(kept: resume.Kept, somebody: Person, signed_in_again: bool) -> ResponseReturnValue:
    """The page with a button that sends a form again which was not handled; never under another person's name."""
    if not kept.is_of(somebody):
        flash(
            _("What was typed on that page was not sent: the page was not printed for you. Begin anew if it is yours.")
        )
        return redirect(url_for("accounts.home"))
    return render_template("accounts/send_again.html", kept=kept, signed_in_again=signed_in_again)


def after(next_url: str | None) -> str:
    """The address if it is a page of this site, else that of everybody's own first page."""
    return resume.safe_next(next_url or "") or url_for("accounts.home")
