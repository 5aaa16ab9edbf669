"""The thinking check: what is asked when, what is right, what the care team sees and the patient never does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.reports.test_form import danger, medicines, reports, symptoms
from triage import clock
from triage.models import Alert, ThinkingBaseline
from triage.reports import thinking
from triage.rules.urgency import Urgency

# Pages: what differs between the databases is asked in tests of the services, and of every route in test_junk.py.
pytestmark = pytest.mark.database("sqlite")

SENTENCE = thinking.words().sentence
START, DECLINE = "Start the thinking check", "I do not want to do it"
SKIP, STOP = "I cannot do this one", "Stop the thinking check"


@pytest.fixture
def anna(make):
    return make.patient("Anna", therapy="car_t", day=5, town="Leeds", hospital="St James’s Hospital, Jimmy’s")


@pytest.fixture
def visitor(make, anna, pages):
    return pages(make.account(anna))


def right(step, page=None, **wrong):
    """Right answers of one task, but for those given. The pictures are those that the page shows."""
    today = clock.now()
    asked = thinking.words().sets[int(page.field("set")) if page and step in ("naming", "command") else 0]
    answers = {
        "orientation": {
            "year": str(today.year),
            "month": f"{today:%B}",
            "town": "leeds",
            "hospital": "St. James",
        },
        "naming": {f"picture_{number}": one.names[0] for number, one in enumerate(asked.pictures, 1)},
        "command": {"shape": asked.shape},
        "writing": {"sentence": SENTENCE},
        "attention": {"counting": "100 90 80 70 60 50 40 30 20 10"},
    }
    return {**answers[step], **{name: value for name, value in wrong.items() if name in answers[step]}}


def do(page, skip=(), stop="", **wrong):
    """The check from its first page on; `skip` tasks, stop at one, or answer something `wrong`."""
    page = page.press(START)
    for step in thinking.ITEMS:
        if step == stop:
            return page.press(STOP)
        if step in skip:
            page = page.press(SKIP)
        elif step == "command":
            page = page.press(right(step, page, **wrong)["shape"])
        else:
            page = page.press("Continue", **right(step, page, **wrong))
    return page


def to_check(visitor, **ticked):
    """A quiet report up to the thinking check."""
    return symptoms(medicines(danger(visitor)), **ticked)


def answer(page, what):
    """What the list of answers says."""
    (row,) = [row for row in page.soup.select(".nhsuk-summary-list__row") if row.select_one("dt").get_text() == what]
    return row.select_one("dd").get_text()


def urgency(session):
    session.rollback()
    return session.scalar(select(Alert.urgency))


def taken_before(make, session, anna, *lost, at=None):
    """Anna's own first check from before the cells, in which these answers were wrong."""
    from triage.database import writing

    every = [mark for marks in thinking.MARKS.values() for mark in marks]
    account = make.account(anna)
    with writing(session):
        session.add(
            ThinkingBaseline(
                patient_id=anna.id,
                language="en",
                steps={},
                taken_at=at or make.now() - timedelta(days=9),
                taken_by_id=account.id,
                right_answers=[mark for mark in every if mark not in lost],
                answers={"sentence": SENTENCE},
            )
        )


# --- what is right


@pytest.mark.parametrize(
    ("typed", "names", "good"),
    [
        ("key", ["key"], True),
        ("A key.", ["key"], True),
        ("KEYS", ["key"], False),
        ("kay", ["key"], False),
        ("umbrela", ["umbrella"], True),
        ("a pair of scissors", ["scissors", "pair of scissors"], True),
        ("sissors", ["scissors"], True),
        ("", ["key"], False),
        ("umbabella", ["umbrella"], False),
    ],
)
def test_a_slip_of_the_finger_is_no_wrong_word_and_a_near_word_is(typed, names, good):
    assert thinking.is_named(typed, names) is good


@pytest.mark.parametrize(
    ("typed", "good"),
    [
        ("St James’s Hospital", True),
        ("st jamess", True),
        ("saint james hospital", True),
        ("Jimmys", True),
        ("the hospital", False),
        ("hospital", False),
        ("St Mary’s Hospital", False),
        ("", False),
    ],
)
def test_a_hospital_is_known_by_the_telling_part_of_its_name(typed, good):
    assert thinking.is_place(typed, ("St James’s Hospital", "Jimmy’s")) is good


def test_where_no_name_is_on_file_no_answer_is_right():
    assert not thinking.is_place("Leeds", ())
    assert not thinking.is_place("hospital", ("",))


@pytest.mark.parametrize(
    ("typed", "good"),
    [
        ("100 90 80 70 60 50 40 30 20 10", True),
        ("90, 80, 70, 60, 50, 40, 30, 20, 10, 0", True),
        ("100908070605040302010", True),
        ("100 90 80 60 50 40 30 20 10", False),
        ("100 90 80 70", False),
        ("10 20 30 40 50 60 70 80 90 100", False),
        ("ninety", False),
    ],
)
def test_counting_back(typed, good):
    assert thinking.counts_back(typed) is good


@pytest.mark.parametrize(
    ("typed", "good"),
    [
        (SENTENCE, True),
        (SENTENCE.lower().rstrip("."), True),
        (SENTENCE.replace("small", "samll"), True),
        (SENTENCE.replace("the rain", "the the rain"), False),
        (SENTENCE.replace("small ", ""), False),
        (SENTENCE.replace("boat", "booooat"), False),
        ("The small small boat boat came home", False),
    ],
)
def test_the_sentence_with_two_slips_at_most(typed, good):
    assert thinking.is_sentence(typed, SENTENCE) is good


def test_after_midnight_yesterday_is_still_a_right_month():
    at = datetime(2026, 5, 31, 23, 30, tzinfo=UTC)  # half past midnight of the first of June in London
    answers = {"thinking": {"pressed": "start"}, "orientation": {"year": "2026", "month": "May"}}
    scored = thinking.scored(answers, thinking.Place(zone="Europe/London"), at)
    assert scored is not None
    assert scored.right == {"year", "month"}


def test_a_new_right_answer_never_hides_a_lost_one():
    every = {mark for marks in thinking.MARKS.values() for mark in marks}
    assert thinking.reference(every - {"hospital"}, every - {"counting"}) == 10
    assert thinking.reference(every - {"hospital"}, every - {"hospital"}) == 9
    assert thinking.reference(every - {"picture_1"}, every - {"picture_3"}) == 9, "other pictures each time"


def test_each_set_has_pictures_that_are_there_and_other_names():
    from triage.paths import folder

    names = [name for one in thinking.words().sets for picture in one.pictures for name in picture.names]
    assert len(names) == len(set(names))
    for one in thinking.words().sets:
        assert one.shape in thinking.SHAPES
        for picture in one.pictures:
            assert (folder("static") / "pictures" / f"{picture.number}.svg").is_file()


# --- when it is asked


def test_twice_a_day_in_the_first_two_weeks_then_once_then_when_something_changes(make):
    asked = make.ruleset.catalogue.thinking_check.again_after
    assert asked("car_t", 14) == timedelta(hours=8)
    assert asked("bite", 15) == timedelta(hours=16)
    assert asked("car_t", 29) is None
    assert asked("cancer_vaccine", 1) is None
    assert asked(None, None) == timedelta(hours=8), "unknown is inside every window"


def test_it_is_asked_again_when_the_last_one_is_old_enough(make, anna, visitor):
    full = {"orientation": 4, "naming": 3, "command": 1, "writing": 1, "attention": 1}
    make.report(anna, ago=timedelta(hours=7), thinking_check=full)
    assert to_check(visitor).heading == "Check your answers"


def test_a_neurological_sign_asks_for_it_on_any_day(make, pages):
    visitor = pages(make.account(make.patient("Otto", day=40)))
    page = symptoms(medicines(danger(visitor)), movement=["tremor"]).press("Continue", tremor="mild")
    assert page.heading == "Thinking check"


def test_not_being_sure_about_a_neurological_sign_asks_for_it_too(make, pages):
    visitor = pages(make.account(make.patient("Otto", day=40)))
    assert symptoms(medicines(danger(visitor)), movement=["unsure"]).heading == "Thinking check"


# --- what becomes of it


def test_ten_points_are_stored_with_the_answers_and_shown_to_nobody_at_home(visitor, session):
    page = do(to_check(visitor))
    assert page.heading == "Check your answers"
    assert answer(page, "Thinking check") == "done"
    result = page.press("Send")

    stored = reports(session)[0]
    assert stored["thinking_check"] == {"orientation": 4, "naming": 3, "command": 1, "writing": 1, "attention": 1}
    assert stored["thinking_check_answers"]["sentence"] == SENTENCE
    for one in (page, result):
        assert "of 10" not in one.html
        assert "point" not in one.html


def test_a_lost_point_is_urgent_and_the_nurse_sees_the_points_the_patient_does_not(
    make, anna, visitor, session, pages, alice
):
    taken_before(make, session, anna)
    result = do(to_check(visitor), counting="100 90 70").press("Send")

    assert urgency(session) is Urgency.URGENT
    assert reports(session)[0]["thinking_check_baseline"] == 10
    assert result.shows("Call your care team now")
    assert result.shows("the answers in the thinking check")
    assert "9 points" not in result.html
    assert "own 10" not in result.html
    record = pages(alice).get("care_team.record", patient_id=anna.id)
    assert record.shows("thinking check 9 points is at least 1 below the person's own 10")
    assert record.shows("Counted 100 90 70")
    assert record.shows("First sentence")


def test_a_deep_fall_is_an_emergency(make, anna, visitor, session):
    taken_before(make, session, anna)
    result = do(
        to_check(visitor), year="1990", month="spring", picture_1="thing", counting="100 99", sentence="The the small"
    ).press("Send")
    assert urgency(session) is Urgency.EMERGENCY
    assert result.shows("Call 999 now")


def test_what_was_wrong_before_the_cells_does_not_count_and_a_fall_from_it_does(make, anna, visitor, session):
    taken_before(make, session, anna, "hospital")
    do(to_check(visitor), hospital="I do not know").press("Send")
    assert urgency(session) is None
    do(symptoms(medicines(danger(visitor)), movement=["unsure"]), hospital="no idea", counting="100 90").press("Send")
    assert urgency(session) is Urgency.URGENT


def test_without_a_baseline_full_points_are_the_reference_and_the_first_finished_check_is_kept_as_taken_late(
    make, anna, visitor, session, pages, alice
):
    do(to_check(visitor), hospital="that big one").press("Send")
    assert urgency(session) is Urgency.URGENT
    assert "thinking_check_baseline" not in reports(session)[0]

    record = pages(alice).get("care_team.record", patient_id=anna.id)
    assert record.shows("First check: 9 of 10")
    assert record.shows("Not surely taken before day 0")
    record = record.press("Accept it as the patient’s own")
    assert record.shows("accepted by Alice")
    do(symptoms(medicines(danger(visitor)), movement=["unsure"]), hospital="that big one").press("Send")
    assert reports(session)[1]["thinking_check_baseline"] == 9


def test_declining_is_seen_the_same_day_and_is_not_the_same_as_giving_up(make, anna, visitor, session, pages, alice):
    page = to_check(visitor).press(DECLINE)
    assert answer(page, "Thinking check") == "declined"
    page.press("Send")

    assert reports(session)[0]["thinking_check"] == "declined"
    assert urgency(session) is Urgency.SOON
    row = pages(alice).get("care_team.queue").row("Anna")
    assert row.shows("could not say whether “thinking check” applies")
    assert pages(alice).get("care_team.record", patient_id=anna.id).shows("declined")


def test_stopping_in_the_middle_is_urgent(visitor, session):
    do(to_check(visitor), stop="naming").press("Send")
    assert reports(session)[0]["thinking_check"] == "abandoned"
    assert reports(session)[0]["thinking_check_answers"]["year"] == str(clock.now().year)
    assert urgency(session) is Urgency.URGENT


def test_stopping_after_wrong_answers_counts_what_was_not_done_as_lost(visitor, session):
    do(to_check(visitor), stop="naming", year="1990").press("Send")
    assert reports(session)[0]["thinking_check"] == {"orientation": 3}
    assert urgency(session) is Urgency.EMERGENCY


def test_stopping_at_once_is_begun_and_not_finished(visitor, session):
    do(to_check(visitor), stop="orientation").press("Send")
    assert reports(session)[0]["thinking_check"] == "abandoned"
    assert urgency(session) is Urgency.URGENT


def test_a_task_that_somebody_cannot_do_is_never_right(visitor, session):
    do(to_check(visitor), skip=("naming",)).press("Send")
    assert "naming" not in reports(session)[0]["thinking_check"]
    assert urgency(session) is Urgency.URGENT


def test_an_empty_task_is_asked_about_and_a_long_answer_kept(visitor):
    page = to_check(visitor).press(START).press("Continue")
    assert page.errors == ["Write an answer, or press “I cannot do this one”"]
    page = page.press("Continue", year="2" * 501)
    assert page.errors == ["Shorten it to 500 characters"]
    assert page.field("year") == "2" * 501


def test_tasks_cannot_be_jumped_over_and_answers_are_not_given_twice(visitor):
    page = to_check(visitor).press(START)
    assert visitor.get("reports.attention").follow().path == "/report/orientation"
    page = page.press("Continue", **right("orientation"))
    assert page.path == "/report/naming"
    assert visitor.get("reports.check").follow().path == "/report/naming"


def test_the_pictures_say_nothing_of_their_names(visitor):
    page = to_check(visitor).press(START).press("Continue", **right("orientation"))
    for one in thinking.words().sets:
        for name in (name for picture in one.pictures for name in picture.names):
            assert f" {name} " not in f" {page.text.lower()} "
            assert f'"{name}' not in page.html.lower()


def test_town_and_hospital_that_are_not_on_file_are_never_right(make, pages, session):
    visitor = pages(make.account(make.patient("Otto", day=5)))
    do(to_check(visitor)).press("Send")
    assert reports(session)[0]["thinking_check"]["orientation"] == 2


def test_a_caregiver_may_say_that_the_patient_is_not_there(make, anna, pages, session):
    visitor = pages(make.caregiver(anna))
    to_check(visitor).press("Anna is not with me").press("Send")
    assert "thinking_check" not in reports(session)[0]


# --- the first check


def first(page, **wrong):
    page = page.click("Do the first thinking check").press(START)
    for step in thinking.ITEMS:
        answers = right(step, page, **wrong)
        page = page.press(answers["shape"]) if step == "command" else page.press("Continue", **answers)
    return page


def test_the_first_check_is_taken_before_the_cells_and_counts_once_day_0_is_known(make, pages, session):
    otto = make.patient("Otto", day=None, town="Leeds", hospital="Jimmy’s")
    visitor = pages(make.account(otto))
    page = first(visitor.get("reports.home"), hospital="where I was last year")
    assert page.shows("The first thinking check is saved.")
    assert not page.shows("Do the first thinking check")
    assert "of 10" not in page.html

    session.rollback()
    taken = session.scalar(select(ThinkingBaseline))
    assert (taken.language, set(thinking.MARKS["orientation"]) - set(taken.right_answers)) == ("en", {"hospital"})
    from triage.reports import baselines

    assert not baselines.counts(taken, otto), "nobody knows whether it was before the cells"
    course = otto.courses[0]
    course.started_on = (make.now() + timedelta(days=2)).date()
    assert baselines.counts(taken, otto)


def test_the_first_check_goes_on_where_it_was_on_another_device(make, anna, pages, session):
    page = pages(make.account(anna)).get("reports.home").click("Do the first thinking check").press(START)
    page.press("Continue", **right("orientation"))
    other = pages(make.account(anna))
    assert other.get("/thinking-check/attention").follow().path == "/thinking-check/naming"
    assert other.get("/thinking-check/nonsense").status == 404


def test_a_first_check_that_is_not_wanted_keeps_nothing(visitor, session):
    page = visitor.get("reports.home").click("Do the first thinking check").press(DECLINE)
    assert page.shows("was not begun")
    session.rollback()
    assert session.scalar(select(ThinkingBaseline)) is None


def test_after_another_therapy_no_first_check_is_asked_for(make, pages):
    page = pages(make.account(make.patient("Vera", therapy="cancer_vaccine"))).get("reports.home")
    assert not page.shows("first thinking check")


def test_old_reports_keep_their_bytes(make, anna):
    """The new keys of the data form are left out where nothing was asked."""
    record = make.report(anna, chills="mild")
    assert "thinking_check" not in record.data
    assert json.loads(record.data)["symptoms"] == {"chills": "mild"}
