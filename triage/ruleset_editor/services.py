"""The way of a rule change: draft → proposed → approved by another clinician → active; and back to any version.

Nothing here changes what is active but `approve` and `roll_back`, and both add a version. Errors stop a proposal,
warnings need a written reason, and each past report that would fall from emergency or urgent needs a name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from triage.accounts import audit
from triage.database import writing
from triage.models import (
    HEARTBEAT_PATIENT,
    ActivationKind,
    Person,
    ProposalStatus,
    ReportRecord,
    RulesetActivation,
    RulesetDraft,
    RulesetProposal,
)
from triage.rules import cases, checks
from triage.rules.boundaries import Boundary, new_boundaries
from triage.rules.difference import Difference, difference
from triage.rules.loading import RuleFileErrors, load_texts
from triage.rules.replay import Change as ReportChange
from triage.rules.replay import Past, Replay, replay
from triage.rules.report import from_old_data
from triage.rules.ruleset import Place, Ruleset
from triage.rules.tree import Loc
from triage.ruleset_editor import editing, versions
from triage.ruleset_editor.merging import merged_files

LEAST_REASON = 10
"""Characters of a reason."""
FEW_REPORTS = 2_000
"""So many reports the live engine judges sooner than the expressions for columns are made. Both say the same."""
SAY_WHY = f"Say why, in at least {LEAST_REASON} characters."
MOST_FILE = 200_000
"""Characters of one rule file that a form takes."""


class Overtaken(Exception):
    """Another version became active after this change was begun; carries its number."""

    def __init__(self, active: int) -> None:
        self.active = active
        super().__init__(f"version {active} became active in the meantime")


class NotReady(Exception):
    """What still stands against it, each in a plain sentence."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class ChangedMeanwhile(Exception):
    """The same clinician has saved this file in another window; carries its text."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("the file was saved in another window meanwhile")


class NotYours(Exception):
    """Nobody approves their own proposal."""


class Decided(Exception):
    """Somebody has decided on this proposal already."""


@dataclass(frozen=True)
class Problem:
    """A mistake or a warning, at its place in a file."""

    place: Place
    message: str
    error: bool

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True)
class Checked:
    """What the machine can say of rule files. `ruleset` is None where they cannot be read."""

    ruleset: Ruleset | None
    problems: tuple[Problem, ...]
    cases: cases.CasesResult | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.error)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if not problem.error)


@dataclass(frozen=True)
class RuleChange:
    """What a form changes in one rule."""

    texts: Mapping[str, str]
    scalars: Mapping[Loc, str]
    applies_to: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """All that a proposal needs beside the files."""

    reason: str
    signed: Collection[str] = ()
    """Ids of the reports that fall from emergency or urgent and that the person answers for."""
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Warnings, and why each is accepted."""
    confirmed: Collection[str] = ()
    """Boundary entries, in plain words, that come out as meant."""


# --- drafts


def draft_of(session: Session, person: Person) -> RulesetDraft | None:
    """What the clinician has changed and not yet proposed."""
    return session.get(RulesetDraft, person.id)


def working(session: Session, person: Person, at: datetime) -> RulesetDraft:
    """The clinician's draft, or what it would begin from; nothing is stored by asking."""
    draft = draft_of(session, person)
    if draft is not None:
        return draft
    active = versions.latest(session)
    number, files = (active.number, active.files) if active else (1, versions.started().files)
    return RulesetDraft(person_id=person.id, base=number, files=dict(files), updated_at=at)


def stamp(text: str) -> str:
    """Names a text, so that a page can say which one it showed."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save(session: Session, person: Person, name: str, text: str, at: datetime, seen: str | None = None) -> RulesetDraft:
    """Keep the text of one file in the clinician's draft, mistakes and all; the first one begins the draft.

    `seen` is the stamp of the text that the page showed. Raises LookupError for a file that the rules do not have, and
    ChangedMeanwhile where another window has saved a text since.
    """
    with writing(session):
        draft = _draft(session, person, at)
        if name not in draft.files:
            raise LookupError(name)
        if len(text) > MOST_FILE:
            raise NotReady(f"{name} is longer than {MOST_FILE:,} characters: divide it into several files.")
        if seen is not None and seen != stamp(draft.files[name]) and draft.files[name] != _unix(text):
            raise ChangedMeanwhile(draft.files[name])
        draft.files = {**draft.files, name: _unix(text)}
        draft.updated_at = at
    return draft


def replace_files(session: Session, person: Person, files: Mapping[str, str], at: datetime) -> RulesetDraft:
    """Take a whole folder of rule files as the clinician's draft, in place of what it held."""
    with writing(session):
        draft = _draft(session, person, at)
        draft.base = versions.plant(session, at).number
        draft.files = {name: _unix(text) for name, text in files.items()}
        draft.updated_at = at
        audit.record(session, "ruleset_imported", by=person, at=at)
    return draft


def change_rule(
    session: Session, person: Person, rule_id: str, change: RuleChange, at: datetime, seen: str
) -> RulesetDraft:
    """Put a change made in a form into the clinician's draft. Raises NotReady where the rules could then not be read
    any more (nothing is saved), ChangedMeanwhile, and LookupError for a rule that is not there."""
    files = working(session, person, at).files
    written = editing.find(files, rule_id)
    if seen != stamp(written.text):
        raise ChangedMeanwhile(written.text)
    text = written.changed(change.texts, change.scalars)
    if not _same(change.applies_to, written.applies_to):
        text = editing.find({**files, written.file: text}, rule_id).with_applies_to(change.applies_to)
    before = {(one.place.file, one.message) for one in check(files, at.date()).errors}
    after = check({**files, written.file: text}, at.date())
    if after.ruleset is None:
        new = [str(one) for one in after.errors if (one.place.file, one.message) not in before]
        if new:
            raise NotReady(*new)
    return save(session, person, written.file, text, at, seen)


def keep_examples(
    session: Session,
    person: Person,
    written: editing.WrittenRule,
    entries: Sequence[Boundary],
    at: datetime,
    seen: str | None,
) -> None:
    """Write entries on the edge of a threshold beside the rule, as examples of it. Raises ChangedMeanwhile."""
    text = written.text
    for one in entries:
        text = replace(written, text=text).with_case(one.fires, one.data)
    if entries:
        save(session, person, written.file, text, at, seen)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both concern the same people and days, in whatever order therapies are named."""
    named = [sorted(map(str, data.get("therapies") or ())) for data in (one, other)]
    return named[0] == named[1] and {**one, "therapies": None} == {**other, "therapies": None}


def discard(session: Session, person: Person) -> None:
    """Throw the clinician's draft away."""
    with writing(session):
        versions.take_turn(session)
        draft = draft_of(session, person)
        if draft is not None:
            session.delete(draft)


def catch_up(session: Session, person: Person, at: datetime) -> list[str]:
    """Put the draft on top of the active version, with the changes of both. Returns the names of the files in which
    both have changed the same lines: those are the draft's, and the difference to the active version shows what of the
    others' work it would undo."""
    with writing(session):
        draft = _draft(session, person, at)
        base, active = session.get_one(RulesetActivation, draft.base), versions.plant(session, at)
        draft.files, clashing = merged_files(base.files, draft.files, active.files)
        draft.base, draft.updated_at = active.number, at
    return clashing


def _draft(session: Session, person: Person, at: datetime) -> RulesetDraft:
    """In turn: two windows that save at once see each other's text."""
    versions.take_turn(session)
    draft = draft_of(session, person)
    if draft is None:
        active = versions.plant(session, at)
        draft = RulesetDraft(person_id=person.id, base=active.number, files=dict(active.files), updated_at=at)
        session.add(draft)
        session.flush()
    return draft


def _unix(text: str) -> str:
    """Browsers send line ends as CR LF; some editors begin a file with a mark that nobody sees."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


# --- what the machine says of it


def check(files: Mapping[str, str], today: date) -> Checked:
    """Read the files, look for mistakes, and run their cases where they can be read."""
    return _checked(tuple(sorted(files.items())), today)


@lru_cache(maxsize=8)
def _checked(files: tuple[tuple[str, str], ...], today: date) -> Checked:
    """Pages ask for the same draft again and again, and reading it takes half a second."""
    try:
        ruleset = load_texts(dict(files))
    except RuleFileErrors as errors:
        return Checked(None, tuple(Problem(error.place, error.message, True) for error in errors.errors))
    problems = [
        Problem(found.place, found.message, found.error)
        for found in checks.run(ruleset, today, versions.started().texts)
    ]
    ran = cases.run(ruleset)
    problems += [Problem(one.place, str(one).partition(": ")[2], True) for one in ran.failed]
    problems.sort(key=lambda problem: (not problem.error, problem.place.file, problem.place.line))
    return Checked(ruleset, tuple(problems), ran)


def new_warnings(checked: Checked, active: Mapping[str, str], today: date) -> list[Problem]:
    """The warnings that the active files do not have already: those that a proposal has to give a reason for."""
    before = {(one.place.file, one.message) for one in check(active, today).warnings}
    return [one for one in checked.warnings if (one.place.file, one.message) not in before]


def replay_on_past(
    session: Session,
    before: Ruleset,
    after: Ruleset,
    since: datetime | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Replay:
    """What `after` instead of `before` would have made of the stored reports since that moment (all, if None).

    Earlier reports of the same patients are still their history. `progress` is told of reports as they are judged.
    """
    past = stored(session, before, after)
    count = session.scalar(select(func.count()).where(ReportRecord.patient_id != HEARTBEAT_PATIENT)) or 0
    if count <= FEW_REPORTS:
        return replay(before, after, past, lambda: progress(1), since)
    from triage.ruleset_editor import frames  # late: nothing else of the server needs Polars

    return frames.replayed(before, after, past, since, progress)


def stored(session: Session, before: Ruleset, after: Ruleset) -> Iterator[Past]:
    """Every stored report of a person as both catalogues read it, patient after patient."""
    same = before.catalogue == after.catalogue
    query = (
        select(ReportRecord.id, ReportRecord.patient_id, ReportRecord.data)
        .where(ReportRecord.patient_id != HEARTBEAT_PATIENT)
        .order_by(ReportRecord.patient_id, ReportRecord.reported_at, ReportRecord.id)
    )
    for report_id, patient_id, text in session.execute(query.execution_options(yield_per=1000)):
        data = json.loads(text)
        old = from_old_data(data, before.catalogue)
        yield Past(str(report_id), str(patient_id), old, old if same else from_old_data(data, after.catalogue))


def note_seen(session: Session, person: Person | None, at: datetime) -> None:
    """A replay shows names and answers: that it was looked at is written down. None: on the command line."""
    with writing(session):
        audit.record(session, "replay_seen", by=person, at=at)


def note_exported(session: Session, at: datetime) -> None:
    """Somebody on the command line writes stored reports into a file: no entry, no file."""
    with writing(session):
        audit.record(session, "reports_exported", by=None, at=at)


def difference_of(files: Mapping[str, str], ruleset: Ruleset, base: RulesetActivation) -> Difference:
    """What these files change in that version. Raises RuleFileErrors where the version cannot be read any more."""
    return difference(versions.read(base), ruleset, base.files, files)


def difference_of_proposal(session: Session, proposal: RulesetProposal) -> Difference | None:
    """What the proposal changes in the version it was begun from; None where either cannot be read any more."""
    return _difference(session.get(RulesetActivation, proposal.base), proposal.files)


def difference_to_the_one_before(session: Session, activation: RulesetActivation) -> Difference | None:
    """What that version changed when it became active; None for the first, and where one cannot be read any more."""
    return _difference(session.get(RulesetActivation, activation.number - 1), activation.files)


def _difference(base: RulesetActivation | None, files: Mapping[str, str]) -> Difference | None:
    if base is None:
        return None
    try:
        return difference(versions.read(base), load_texts(files), base.files, files)
    except RuleFileErrors:
        return None


def names(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """Names of people by their id as text."""
    wanted = {UUID(id) for id in ids}
    return {str(id): name for id, name in session.execute(select(Person.id, Person.name).where(Person.id.in_(wanted)))}


# --- proposals


def propose(session: Session, person: Person, change: Change, at: datetime) -> RulesetProposal:
    """Put the clinician's draft before the other clinicians, with its reason and its replay; the draft is then gone.

    Raises NotReady with all that stands against it, and Overtaken where another version became active meanwhile.
    """
    draft = draft_of(session, person)
    if draft is None:
        raise NotReady("There is nothing to propose: no rule file was changed.")
    files, base = dict(draft.files), draft.base
    checked = check(files, at.date())
    active = versions.latest(session)
    if active is not None and active.number != base:
        raise Overtaken(active.number)
    warnings = new_warnings(checked, active.files, at.date()) if active else []
    problems = list(_against(checked, warnings, change))
    if active is not None and files == active.files:
        problems.append("Nothing was changed: the files are those of the active version.")
    if checked.ruleset is None or active is None:
        raise NotReady(*problems)
    effect = replay_on_past(session, versions.read(active), checked.ruleset)
    problems += _unsigned(effect.to_sign, change.signed)
    entries = [one.text for one in new_boundaries(versions.read(active), checked.ruleset)]
    if unread := [text for text in entries if text not in change.confirmed]:
        many = f"{len(unread)} entries" if len(unread) > 1 else "1 entry"
        problems.append(f"{many} on the edge of a threshold: read each, and tick it if it comes out as meant.")
    if problems:
        raise NotReady(*problems)
    with writing(session):
        newest = versions.plant(session, at).number
        if newest != base:
            raise Overtaken(newest)
        versions.keep(session, checked.ruleset, at)
        proposal = RulesetProposal(
            base=base,
            files=files,
            ruleset_hash=checked.ruleset.hash,
            reason=change.reason.strip(),
            replay=effect.to_data(),
            signed={one.id: str(person.id) for one in effect.to_sign},
            accepted={str(problem): change.accepted[str(problem)].strip() for problem in warnings},
            confirmed=entries,
            proposed_by_id=person.id,
            proposed_at=at,
        )
        session.add(proposal)
        session.flush()
        draft = draft_of(session, person)
        if draft is not None and draft.files == files:
            session.delete(draft)
        audit.record(session, "ruleset_proposed", by=person, subject=str(proposal.id), at=at)
    return proposal


def _against(checked: Checked, warnings: Iterable[Problem], change: Change) -> Iterator[str]:
    if len(change.reason.strip()) < LEAST_REASON:
        yield SAY_WHY
    yield from (f"Mend this first: {problem}" for problem in checked.errors)
    for problem in warnings:
        if not change.accepted.get(str(problem), "").strip():
            yield f"Say why this warning is accepted: {problem}"


def _unsigned(falling: Iterable[ReportChange], signed: Collection[str]) -> list[str]:
    open_ones = [one for one in falling if one.id not in signed]
    if not open_ones:
        return []
    many = f"{len(open_ones)} past reports" if len(open_ones) > 1 else "1 past report"
    return [f"{many} would fall from emergency or urgent. Look at each in the list and put your name to it."]


def falling_since(session: Session, proposal: RulesetProposal) -> list[dict[str, Any]]:
    """Reports that came after the proposal (or that nobody signed) and would fall from emergency or urgent. None where
    its files cannot be read any more: then it cannot be approved either."""
    try:
        falling = _falling(session, proposal)
    except RuleFileErrors:
        return []
    return [one.to_data() for one in falling if one.id not in proposal.signed]


def _falling(session: Session, proposal: RulesetProposal) -> tuple[ReportChange, ...]:
    """All reports that would fall from emergency or urgent, as of now. Raises RuleFileErrors."""
    base = session.get_one(RulesetActivation, proposal.base)
    return replay_on_past(session, versions.read(base), load_texts(proposal.files)).to_sign


def approve(
    session: Session, proposal_id: UUID, person: Person, decision: str, at: datetime, signed: Collection[str] = ()
) -> RulesetActivation:
    """Make a colleague's proposal the active version, from this commit on.

    Reports that came since are replayed too: those that would fall from emergency or urgent must be in `signed`. The
    checks run again: since it was proposed, a newer program may have come that knows more mistakes.
    Raises NotYours, Decided, Overtaken, NotReady and LookupError.
    """
    proposal = session.get(RulesetProposal, proposal_id)
    if proposal is None:
        raise LookupError(str(proposal_id))
    missing = [f"It has a mistake now: {problem}" for problem in check(proposal.files, at.date()).errors]
    falling: tuple[ReportChange, ...] = ()
    if not missing and proposal.is_waiting:
        falling = _falling(session, proposal)
        missing = _unsigned(falling, {*proposal.signed, *signed})
    with writing(session):
        proposal = _waiting(session, proposal_id)
        if proposal.proposed_by_id == person.id:
            raise NotYours
        newest = versions.plant(session, at)
        if newest.number != proposal.base:
            raise Overtaken(newest.number)
        if missing:
            raise NotReady(*missing)
        more = {one.id: str(person.id) for one in falling if one.id not in proposal.signed}
        proposal.signed = {**proposal.signed, **more}
        proposal.status = ProposalStatus.APPROVED
        proposal.decided_by_id, proposal.decided_at, proposal.decision = person.id, at, decision.strip()
        activation = RulesetActivation(
            number=newest.number + 1,
            kind=ActivationKind.APPROVAL,
            ruleset_hash=proposal.ruleset_hash,
            files=dict(proposal.files),
            reason=proposal.reason,
            proposal_id=proposal.id,
            activated_by_id=person.id,
            activated_at=at,
        )
        session.add(activation)
        audit.record(session, "ruleset_activated", by=person, subject=f"version {activation.number}", at=at)
    versions.forget()
    return activation


def decline(session: Session, proposal_id: UUID, person: Person, decision: str, at: datetime) -> RulesetProposal:
    """Reject a colleague's proposal, or withdraw one's own; the files come back into the proposer's draft, if they
    have begun no other. Raises Decided, NotReady and LookupError."""
    with writing(session):
        proposal = _waiting(session, proposal_id)
        own = proposal.proposed_by_id == person.id
        if not own and len(decision.strip()) < LEAST_REASON:
            raise NotReady(SAY_WHY)
        proposal.status = ProposalStatus.WITHDRAWN if own else ProposalStatus.REJECTED
        proposal.decided_by_id, proposal.decided_at, proposal.decision = person.id, at, decision.strip()
        if session.get(RulesetDraft, proposal.proposed_by_id) is None:
            session.add(
                RulesetDraft(
                    person_id=proposal.proposed_by_id, base=proposal.base, files=dict(proposal.files), updated_at=at
                )
            )
        action = "ruleset_withdrawn" if own else "ruleset_rejected"
        audit.record(session, action, by=person, subject=str(proposal.id), at=at)
    return proposal


def _waiting(session: Session, proposal_id: UUID) -> RulesetProposal:
    proposal = session.get(RulesetProposal, proposal_id, with_for_update=True)
    if proposal is None:
        raise LookupError(str(proposal_id))
    if not proposal.is_waiting:
        raise Decided
    return proposal


# --- versions


def files_that_differ(session: Session) -> list[str]:
    """Names of the rule files that say something else on this server than in the active version."""
    active = versions.latest(session)
    files = versions.started().files
    if active is None:
        return []
    return sorted(name for name in {*files, *active.files} if files.get(name) != active.files.get(name))


def history(session: Session) -> list[RulesetActivation]:
    """Every version, the active one first."""
    return list(session.scalars(select(RulesetActivation).order_by(RulesetActivation.number.desc())))


def waiting(session: Session) -> list[RulesetProposal]:
    """Proposals on which nobody has decided, the oldest first."""
    query = select(RulesetProposal).where(RulesetProposal.status == ProposalStatus.PROPOSED)
    return list(session.scalars(query.order_by(RulesetProposal.proposed_at, RulesetProposal.id)))


def mistakes_of(activation: RulesetActivation, today: date) -> Sequence[Problem]:
    """What the checks of this program call a mistake in the files of that version."""
    return check(activation.files, today).errors


def roll_back(
    session: Session, number: int, person: Person, reason: str, at: datetime, active: int
) -> RulesetActivation:
    """Make the files of an earlier version active again, at once, as a new version.

    What the checks find in it is shown (`mistakes_of`) and stops nothing: it judged before, and whoever goes back in
    the night because the new rules do harm must not have to mend the old ones first. Only a version that this program
    cannot read is refused.

    `active` is the version that the person saw as active. Raises Overtaken, NotReady, and LookupError for an unknown
    version.
    """
    with writing(session):
        target = session.get(RulesetActivation, number)
        if target is None:
            raise LookupError(str(number))
        newest = versions.plant(session, at)
        if newest.number != active:
            raise Overtaken(newest.number)
        if len(reason.strip()) < LEAST_REASON:
            raise NotReady(SAY_WHY)
        if target.number == newest.number:
            raise NotReady(f"Version {number} is active already.")
        try:
            load_texts(target.files)
        except RuleFileErrors as errors:
            raise NotReady(f"Version {number} cannot be read any more: {errors.errors[0]}") from None
        activation = RulesetActivation(
            number=newest.number + 1,
            kind=ActivationKind.ROLL_BACK,
            ruleset_hash=target.ruleset_hash,
            files=dict(target.files),
            reason=reason.strip(),
            back_to=number,
            activated_by_id=person.id,
            activated_at=at,
        )
        session.add(activation)
        audit.record(session, "ruleset_rolled_back", by=person, subject=f"version {activation.number}", at=at)
    versions.forget()
    return activation
