"""The shipped rules once more, as plain Python written by hand: what the engine is measured against.

It says which rules fire, and nothing else: no explanation, no undecided rules, nothing that a clinician could change or
check. The rules that ask about silence are left out, since no report makes them fire.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter

from triage.rules.catalogue import THINKING_CHECK_FULL, Presence
from triage.rules.report import Report, Unknown

T_CELL = frozenset({"car_t", "bite"})
DONOR = frozenset({"allogeneic_transplant", "donor_lymphocyte_infusion"})
INFUSED = frozenset({"bite", "cancer_vaccine", "donor_lymphocyte_infusion", "monoclonal_antibody"})

FEVER, RAISED, RISING = Decimal("38.0"), Decimal("37.5"), Decimal("37.3")
LOW, VERY_LOW, RISE = Decimal("35.99"), Decimal("35.0"), Decimal("1.0")
LOW_PRESSURE, LOW_OXYGEN, FAST_PULSE = Decimal("89.99"), Decimal("91.99"), Decimal("120.01")
DAY, TWO_DAYS = timedelta(days=1), timedelta(days=2)

COMMON_MODERATE = frozenset(
    {
        "nausea",
        "vomiting",
        "diarrhea",
        "headache",
        "muscle_pain",
        "joint_pain",
        "bone_pain",
        "skin_rash",
        "cough",
        "stomach_pain",
        "constipation",
        "mouth_sores",
        "injection_site_reaction",
        "leg_swelling",
    }
)
COMMON_MODERATE_EARLY = frozenset({"tiredness", "poor_appetite"})
COMMON_SEVERE = frozenset(
    {
        "itching",
        "poor_appetite",
        "dry_eyes",
        "dry_mouth",
        "abdominal_swelling",
        "lumps",
        "night_sweats",
        "weight_loss",
        "memory_trouble",
    }
)
DIZZY = frozenset({"dizziness", "lightheadedness"})
GUT_SEVERE = frozenset({"nausea", "vomiting", "diarrhea"})
PAIN_SEVERE = frozenset({"muscle_pain", "joint_pain", "bone_pain", "stomach_pain", "headache"})
RAISED_WITH_MILD = frozenset({"chills", "dizziness", "lightheadedness", "shortness_of_breath"})
RAISED_WITH_MODERATE = frozenset({"tiredness", "weakness", "headache", "cough", "skin_rash"})
MASKED = frozenset({"dizziness", "lightheadedness", "shortness_of_breath", "chills", "weakness"})
UNMEASURED = frozenset(
    {
        "feverish",
        "chills",
        "shortness_of_breath",
        "racing_heartbeat",
        "dizziness",
        "lightheadedness",
        "nausea",
        "vomiting",
        "diarrhea",
        "headache",
        "muscle_pain",
        "joint_pain",
        "tiredness",
        "weakness",
    }
)
LASTING = frozenset({"tiredness", "poor_appetite", "nausea", "diarrhea", "headache", "cough"})
LATE_WATCH = frozenset({"lumps", "night_sweats", "weight_loss"})
DONOR_MILD = frozenset({"skin_rash", "diarrhea", "cough"})
DONOR_MODERATE = frozenset({"dry_eyes", "dry_mouth"})
INFECTION_MILD = frozenset({"painful_urination", "sore_throat", "line_site_redness"})
REACTION = frozenset(
    {"hives", "skin_rash", "itching", "chills", "dizziness", "shortness_of_breath", "racing_heartbeat"}
)
HANDS = frozenset({"handwriting_change", "jerking_movements", "clumsy_hands"})
HANDS_OR_TREMOR = HANDS | {"tremor"}
LANGUAGE = frozenset({"trouble_speaking", "trouble_understanding", "trouble_writing"})
SPEECH = frozenset({"trouble_speaking", "trouble_understanding"})
MIND = frozenset({"confusion", "hallucinations"})
BALANCE_MODERATE = frozenset({"loss_of_balance", "vision_change", "numbness"})
BEHAVIOUR = frozenset({"agitation", "hallucinations", "not_themselves"})
HEADACHE_ALARM = frozenset({"sudden_headache", "drowsiness", "confusion", "vision_change", "stiff_neck"})

reported_at = attrgetter("reported_at")


def fired(report: Report, history: Sequence[Report] = ()) -> list[str]:
    """The ids of the rules that fire. All reports carry a time."""
    found: list[str] = []
    signs: set[str] = set()  # what rules of urgency "soon" fired on
    there = {code: answer for code, answer in report.symptoms.items() if answer and not isinstance(answer, Unknown)}
    therapy, day = report.therapy, report.days_since_therapy
    t_cell = therapy is None or therapy in T_CELL
    early = t_cell and (therapy is None or day is None or day <= 28)
    temperature = report.temperature_c if isinstance(report.temperature_c, Decimal) else None
    fever_reducer = report.fever_reducer_taken is Presence.YES
    steroids = report.on_steroids is Presence.YES
    earlier: list[Report] | None = None  # latest first, sorted when a rule needs it

    low_pressure = False
    if report.measured:
        systolic, oxygen = report.measured.get("systolic_mmhg"), report.measured.get("oxygen_percent")
        pulse = report.measured.get("pulse")
        low_pressure = (
            (isinstance(systolic, Decimal) and systolic <= LOW_PRESSURE)
            or (isinstance(oxygen, Decimal) and oxygen <= LOW_OXYGEN)
            or (isinstance(pulse, Decimal) and pulse >= FAST_PULSE)
        )
        if low_pressure:
            found.append("crs-low-pressure-measured")

    if temperature is None:
        if early:
            found.append("crs-no-temperature-alone")
            if not UNMEASURED.isdisjoint(there):
                found.append("crs-no-temperature")
        if "feverish" in there:
            found.append("crs-feverish-unmeasured")
    elif temperature >= RISING:
        earlier = _latest_first(history)
        previous = next((r.temperature_c for r in earlier if isinstance(r.temperature_c, Decimal)), None)
        if previous is not None and temperature - previous >= RISE:
            found.append("worse-temperature-rise")
            signs.add("temperature")
        if temperature >= RAISED:
            found.append("crs-raised-alone")
            signs.add("temperature")
            if temperature >= FEVER:
                found.append("crs-fever")
            if "skin_rash" in there:
                found.append("skin-alarm")
    elif temperature <= LOW and (
        temperature <= VERY_LOW or any(answer >= 2 or answer is Presence.YES for answer in there.values())
    ):
        found.append("crs-low-temperature")

    check = report.thinking_check
    if check is not None:
        if check.abandoned:
            if t_cell:
                found.append("neuro-thinking-check")
        else:
            score = check.score
            baseline = report.thinking_check_baseline
            lost = (THINKING_CHECK_FULL if baseline is None else baseline) - score
            if score <= 2:
                found.append("neuro-mind-lost")
            if t_cell:
                if lost >= 1 or not check.finished:
                    found.append("neuro-thinking-check")
                if score <= 6 or lost >= 4:
                    found.append("neuro-thinking-check-fall")

    moderate: set[str] = set()
    if there:
        moderate = {code for code, answer in there.items() if answer >= 2}
        severe = {code for code in moderate if there[code] >= 3}

        # allergy, infusion, skin
        if "face_or_throat_swelling" in there or ("hives" in there and "shortness_of_breath" in there):
            found.append("allergy-airway")
        if "hives" in moderate:
            found.append("allergy-hives")
            signs.add("hives")
            if "hives" in severe:
                found.append("allergy-hives-severe")
        if (therapy is None or therapy in INFUSED) and (day is None or day <= 2) and not REACTION.isdisjoint(there):
            found.append("infusion-reaction")
        if "pump_stopped" in there and (therapy is None or therapy == "bite"):
            found.append("infusion-pump-stopped")
        if ("blisters_or_peeling" in there or "skin_rash" in severe) and "skin-alarm" not in found:
            found.append("skin-alarm")
        if "too_unwell_to_answer" in there:
            found.append("too-unwell-to-answer")

        # bleeding
        if "bleeding" in severe or "bleeding_wont_stop" in there or "coughing_or_vomiting_blood" in there:
            found.append("bleeding-alarm")
        if "blood_in_stool" in there:
            found.append("bleeding-blood-in-stool")
        if "bleeding" in there or "bruising" in moderate:
            found.append("bleeding-or-bruises")
        if "bruising" in there:
            found.append("bleeding-small-bruises")
            signs.add("bruising")

        # common side effects
        if "passing_little_urine" in there:
            found.append("common-little-urine")
            signs.add("passing_little_urine")
        if moderate:
            if common := COMMON_MODERATE & moderate:
                found.append("common-moderate")
                signs |= common
            if early and (common := COMMON_MODERATE_EARLY & moderate):
                found.append("common-moderate-early")
                signs |= common
            if severe and (common := COMMON_SEVERE & severe):
                found.append("common-severe")
                signs |= common

        # cytokine release
        if "shortness_of_breath" in there:
            if early:
                found.append("crs-breathless-early")
            if "shortness_of_breath" in moderate:
                found.append("crs-breathless")
        if "chills" in there:
            if early:
                found.append("crs-chills-early")
            if "chills" in moderate:
                found.append("crs-chills")
        if early and not DIZZY.isdisjoint(there):
            found.append("crs-dizzy-early")
        if "fainting" in there or not DIZZY.isdisjoint(moderate):
            found.append("crs-dizzy")
        if "tiredness" in severe or "weakness" in severe:
            found.append("crs-exhausted")
        if "cannot_keep_fluids_down" in there or not GUT_SEVERE.isdisjoint(severe):
            found.append("crs-gut-severe")
        if "chest_pain" in there or not PAIN_SEVERE.isdisjoint(severe):
            found.append("crs-pain-severe")
        if "racing_heartbeat" in there:
            if early:
                found.append("crs-heartbeat-early")
            if "racing_heartbeat" in moderate:
                found.append("crs-heartbeat")
        if (
            temperature is not None
            and temperature >= RAISED
            and not (RAISED_WITH_MILD.isdisjoint(there) and RAISED_WITH_MODERATE.isdisjoint(moderate))
        ):
            found.append("crs-raised-with-another-sign")
        if steroids and not MASKED.isdisjoint(there):
            found.append("crs-masked-by-steroids")
        if t_cell and (day is None or day <= 56):
            small_signs = (
                ("chills" in there)
                + ("tiredness" in moderate or "weakness" in moderate)
                + ("headache" in moderate)
                + ("muscle_pain" in moderate or "joint_pain" in moderate)
                + (not GUT_SEVERE.isdisjoint(moderate))
                + (not DIZZY.isdisjoint(there))
                + ("poor_appetite" in moderate)
                + (temperature is not None and temperature >= RISING)
            )
            if small_signs >= 3:
                found.append("crs-several-small-signs")
            if "memory_trouble" in there:
                found.append("neuro-memory")

        # donor cells, infection, liver
        if therapy is None or therapy in DONOR:
            if "diarrhea" in moderate:
                found.append("gvhd-gut")
            if "skin_rash" in moderate:
                found.append("gvhd-rash")
            if small := (DONOR_MILD & there.keys()) | (DONOR_MODERATE & moderate):
                found.append("gvhd-small-signs")
                signs |= small
        late = LATE_WATCH & there.keys()
        if late and (therapy is None or therapy == "car_t") and (day is None or day >= 30):
            found.append("infection-late-watch-signs")
            signs |= late
        infection = INFECTION_MILD & there.keys()
        if "cough" in moderate:
            infection = infection | {"cough"}
        if infection:
            found.append("infection-sign")
            signs |= infection
        if "stiff_neck" in there:
            found.append("infection-stiff-neck")
            signs.add("stiff_neck")
        if "rapid_weight_gain" in there:
            found.append("liver-weight-gain")
            signs.add("rapid_weight_gain")
        if "rapid_weight_gain" in there or "abdominal_swelling" in there or "stomach_pain" in moderate:
            if (therapy is None or therapy == "monoclonal_antibody") and (day is None or day <= 56):
                found.append("liver-veins-antibody")
            if (therapy is None or therapy == "allogeneic_transplant") and (day is None or day <= 60):
                found.append("liver-veins-transplant")
        if "yellow_skin_or_eyes" in there or "dark_urine" in there:
            found.append("liver-yellow-or-dark")

        # heart
        if "shortness_of_breath" in severe or "blue_lips" in there:
            found.append("heart-breathless-at-rest")
        if "chest_pain" in moderate:
            found.append("heart-chest-pain")

        # nerves
        if t_cell:
            if "drowsiness" in there:
                found.append("neuro-alertness")
            if "loss_of_balance" in there:
                found.append("neuro-balance")
            if not HANDS_OR_TREMOR.isdisjoint(there):
                found.append("neuro-handwriting")
        if "limb_weakness" in there or "fall" in there or not BALANCE_MODERATE.isdisjoint(moderate):
            found.append("neuro-balance-strength-sight")
        if "drowsiness" in moderate or not BEHAVIOUR.isdisjoint(there):
            found.append("neuro-behaviour")
        if "hard_to_wake" in there or "drowsiness" in severe:
            found.append("neuro-cannot-be-woken")
        if "confusion" in there:
            found.append("neuro-confusion")
        if hands := HANDS & there.keys():
            found.append("neuro-hands")
            signs |= hands
        if "headache" in severe and ("vomiting" in moderate or not HEADACHE_ALARM.isdisjoint(there)):
            found.append("neuro-headache-alarm")
        if not LANGUAGE.isdisjoint(there):
            found.append("neuro-language-writing")
        if not MIND.isdisjoint(severe) and "neuro-mind-lost" not in found:
            found.append("neuro-mind-lost")
        if "seizure" in there:
            found.append("neuro-seizure")
        if not SPEECH.isdisjoint(severe):
            found.append("neuro-speech-lost")
        if "one_sided_weakness" in there:
            found.append("neuro-stroke-signs")
        if "sudden_headache" in there:
            found.append("neuro-sudden-headache")
        if "tremor" in moderate:
            found.append("neuro-tremor")

        # against earlier reports
        if moderate and history:
            if earlier is None:
                earlier = _latest_first(history)
            worse = [code for code in moderate if _worse(code, int(there[code]), earlier)]
            if worse:
                found.append("worse-clear-step")
                signs.update(worse)
            lasting = [code for code in LASTING & moderate if _lasts(code, earlier)]
            if lasting:
                found.append("worse-does-not-go-away")
                signs.update(lasting)

    collapse = (
        "fainting" in there
        or "shortness_of_breath" in moderate
        or any(code in moderate and there[code] >= 3 for code in DIZZY)
    )
    if collapse or low_pressure:
        enough = RAISED if fever_reducer else FEVER
        feverish = steroids or (temperature is not None and temperature >= enough)
        if not feverish and history:
            if earlier is None:
                earlier = _latest_first(history)
            feverish = _was(FEVER, TWO_DAYS, report, earlier)
        if feverish:
            if collapse:
                found.append("crs-fever-with-collapse")
            if low_pressure:
                found.append("crs-low-pressure-measured-with-fever")
    if fever_reducer:
        masked = "chills" in there or (temperature is not None and temperature >= RAISED)
        if not masked and history:
            masked = _was(RAISED, DAY, report, _latest_first(history) if earlier is None else earlier)
        if masked:
            found.append("crs-masked-by-fever-reducer")

    if len(signs) >= 2:
        found.append("common-two-signs")
    return found


def _latest_first(history: Sequence[Report]) -> list[Report]:
    return sorted(history, key=reported_at, reverse=True)[:12]


def _was(limit: Decimal, within: timedelta, report: Report, earlier: list[Report]) -> bool:
    """Whether an earlier report of that time had at least that temperature."""
    since = reported_at(report) - within
    for other in earlier:
        if reported_at(other) < since:
            return False
        if isinstance(other.temperature_c, Decimal) and other.temperature_c >= limit:
            return True
    return False


def _worse(code: str, level: int, earlier: list[Report]) -> bool:
    for other in earlier:
        answer = other.symptoms.get(code)
        if answer is not None and not isinstance(answer, Unknown):
            return level - answer >= 2
    return False


def _lasts(code: str, earlier: list[Report]) -> bool:
    count = 1
    for other in earlier:
        answer = other.symptoms.get(code)
        if answer is not None and not isinstance(answer, Unknown):
            if answer < 2:
                return False
            count += 1
            if count == 3:
                return True
    return False
