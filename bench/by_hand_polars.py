"""The shipped rules once more, as Polars expressions written by hand: what a replay is measured against.

They say which rules fire, and nothing else: no undecided rules, no explanation, and nothing that would run on Spark.
The columns are those of `triage.rules.table`, the rows stand patient after patient. Rules that ask about silence are
left out, since no report makes them fire.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

import polars as pl

from bench import by_hand as words
from triage.rules.catalogue import Catalogue, Scale
from triage.rules.table import MILLION, YES

EARLIER = range(1, 13)
HOUR = 3_600 * MILLION


def degrees(celsius: float) -> int:
    return round(celsius * MILLION)


class Rules:
    """The expressions, for a fever that begins at that many degrees (°C)."""

    def __init__(self, catalogue: Catalogue, fever: float = 38.0) -> None:
        self.catalogue = catalogue
        self.fever = degrees(fever)
        self.severity = [code for code, one in catalogue.symptoms.items() if one.scale is Scale.SEVERITY]
        self.presence = [code for code, one in catalogue.symptoms.items() if one.scale is Scale.PRESENCE]

    def fired(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with a column for each rule, named by its id."""
        frame = frame.with_columns(**self._earlier())
        frame = frame.with_columns(**self._common())
        frame = frame.with_columns(**{id: expr.fill_null(False) for id, expr in self._rules().items()})
        return frame.with_columns(**{"common-two-signs": self._signs() >= 2})

    def at_least(self, code: str, level: int) -> pl.Expr:
        """Whether a symptom is that bad; a sign that is there meets every level."""
        if code in self.presence:
            return pl.col(f"s_{code}") == YES
        return pl.col(f"s_{code}") >= level

    def any_of(self, codes: Iterable[str], level: int = 1) -> pl.Expr:
        return reduce(or_, [self.at_least(code, level).fill_null(False) for code in sorted(codes)])

    def _before(self, expr: pl.Expr, count: int) -> pl.Expr:
        return pl.when(pl.col("position") >= count).then(expr.shift(count))

    def _latest(self, expr: pl.Expr) -> pl.Expr:
        known = pl.when(expr >= 0).then(expr)
        return pl.coalesce(*[self._before(known, count) for count in EARLIER])

    def _earlier(self) -> dict[str, pl.Expr]:
        """What is looked up in earlier reports."""
        found = {"temperature_before": self._latest(pl.col("temperature"))}
        for name, limit, hours in (("fever_48h", 38.0, 48), ("raised_24h", 37.5, 24)):
            was = [
                (self._before(pl.col("temperature"), n) >= degrees(limit))
                & (pl.col("reported_at") - self._before(pl.col("reported_at"), n) <= hours * HOUR)
                for n in EARLIER
            ]
            found[name] = pl.any_horizontal(*was).fill_null(False)
        for code in self.severity:
            found[f"was_{code}"] = self._latest(pl.col(f"s_{code}"))
        for code in words.LASTING:
            answer = pl.col(f"s_{code}")
            known = [self._before(answer, n) for n in EARLIER]
            met = [(one >= 2).fill_null(False) for one in known]
            broken = [((one >= 0) & (one < 2)).fill_null(False) for one in known]
            run, count, ended = pl.lit(False), pl.lit(0), pl.lit(False)
            for here, stop in zip(met, broken, strict=True):
                ended = ended | stop
                count = count + (here & ~ended).cast(pl.Int32)
            run = count >= 2
            found[f"lasts_{code}"] = run
        return found

    def _common(self) -> dict[str, pl.Expr]:
        """What several rules ask."""
        therapy, day = pl.col("therapy"), pl.col("day")
        t_cell = therapy.is_null() | therapy.is_in(sorted(words.T_CELL))
        measured = (pl.col("m_systolic_mmhg") >= 0) & (pl.col("m_systolic_mmhg") <= degrees(89.99))
        oxygen = (pl.col("m_oxygen_percent") >= 0) & (pl.col("m_oxygen_percent") <= degrees(91.99))
        low = measured.fill_null(False) | oxygen.fill_null(False)
        low = low | (pl.col("m_pulse") >= degrees(120.01)).fill_null(False)
        collapse = self.any_of(["fainting"]) | self.any_of(["shortness_of_breath"], 2) | self.any_of(words.DIZZY, 3)
        reducer, steroids = pl.col("reducer") == 1, pl.col("steroids") == 1
        temperature = pl.col("temperature")
        feverish = (
            steroids.fill_null(False)
            | (temperature >= degrees(38.0)).fill_null(False)
            | (reducer & (temperature >= degrees(37.5))).fill_null(False)
            | pl.col("fever_48h")
        )
        return {
            "t_cell": t_cell,
            "early": t_cell & (therapy.is_null() | day.is_null() | (day <= 28)),
            "low": low,
            "collapse": collapse,
            "feverish_or_masked": feverish,
            "score_lost": pl.coalesce(pl.col("baseline"), pl.lit(10, pl.Int8)) - pl.col("score"),
            "scored": (pl.col("abandoned") == 0).fill_null(False),
        }

    def _within(self, first: int, last: int | None, *therapies: str) -> pl.Expr:
        therapy, day = pl.col("therapy"), pl.col("day")
        inside = day.is_null() | (day >= first)
        if last is not None:
            inside = inside & (day.is_null() | (day <= last))
        return inside & (therapy.is_null() | therapy.is_in(list(therapies))) if therapies else inside

    def _rules(self) -> dict[str, pl.Expr]:
        there, some = self.any_of, self._within
        t_cell, early, low = pl.col("t_cell"), pl.col("early"), pl.col("low")
        temperature, score, lost = pl.col("temperature"), pl.col("score"), pl.col("score_lost")
        no_reading = ~(temperature >= 0).fill_null(False)
        moderate_sign = there([*self.severity], 2) | there([*self.presence])
        small_signs = pl.sum_horizontal(
            *[
                one.cast(pl.Int32)
                for one in (
                    there(["chills"]),
                    there(["tiredness", "weakness"], 2),
                    there(["headache"], 2),
                    there(["muscle_pain", "joint_pain"], 2),
                    there(words.GUT_SEVERE, 2),
                    there(words.DIZZY),
                    there(["poor_appetite"], 2),
                    (temperature >= degrees(37.3)).fill_null(False),
                )
            ]
        )
        worse = [(pl.col(f"s_{code}") - pl.col(f"was_{code}") >= 2).fill_null(False) for code in self.severity]
        lasting = [(pl.col(f"s_{code}") >= 2).fill_null(False) & pl.col(f"lasts_{code}") for code in words.LASTING]
        raised = (temperature >= degrees(37.5)).fill_null(False)
        return {
            "allergy-airway": there(["face_or_throat_swelling"]) | (there(["hives"]) & there(["shortness_of_breath"])),
            "allergy-hives": there(["hives"], 2),
            "allergy-hives-severe": there(["hives"], 3),
            "infusion-reaction": some(0, 2, *words.INFUSED) & there(words.REACTION),
            "infusion-pump-stopped": some(0, None, "bite") & there(["pump_stopped"]),
            "skin-alarm": there(["blisters_or_peeling"]) | there(["skin_rash"], 3) | (raised & there(["skin_rash"])),
            "too-unwell-to-answer": there(["too_unwell_to_answer"]),
            "bleeding-alarm": there(["bleeding"], 3) | there(["bleeding_wont_stop", "coughing_or_vomiting_blood"]),
            "bleeding-blood-in-stool": there(["blood_in_stool"]),
            "bleeding-or-bruises": there(["bleeding"]) | there(["bruising"], 2),
            "bleeding-small-bruises": there(["bruising"]),
            "common-little-urine": there(["passing_little_urine"]),
            "common-moderate": there(words.COMMON_MODERATE, 2),
            "common-moderate-early": early & there(words.COMMON_MODERATE_EARLY, 2),
            "common-severe": there(words.COMMON_SEVERE, 3),
            "crs-breathless-early": early & there(["shortness_of_breath"]),
            "crs-breathless": there(["shortness_of_breath"], 2),
            "crs-chills-early": early & there(["chills"]),
            "crs-chills": there(["chills"], 2),
            "crs-dizzy-early": early & there(words.DIZZY),
            "crs-dizzy": there(["fainting"]) | there(words.DIZZY, 2),
            "crs-exhausted": there(["tiredness", "weakness"], 3),
            "crs-gut-severe": there(["cannot_keep_fluids_down"]) | there(words.GUT_SEVERE, 3),
            "crs-pain-severe": there(["chest_pain"]) | there(words.PAIN_SEVERE, 3),
            "crs-heartbeat-early": early & there(["racing_heartbeat"]),
            "crs-heartbeat": there(["racing_heartbeat"], 2),
            "crs-raised-alone": raised,
            "crs-fever": (temperature >= self.fever).fill_null(False),
            "crs-low-temperature": (temperature >= 0)
            & ((temperature <= degrees(35.0)) | ((temperature <= degrees(35.99)) & moderate_sign)),
            "crs-raised-with-another-sign": raised
            & (there(words.RAISED_WITH_MILD) | there(words.RAISED_WITH_MODERATE, 2)),
            "crs-masked-by-steroids": (pl.col("steroids") == 1) & there(words.MASKED),
            "crs-masked-by-fever-reducer": (pl.col("reducer") == 1)
            & (there(["chills"]) | raised | pl.col("raised_24h")),
            "crs-several-small-signs": some(0, 56, *words.T_CELL) & (small_signs >= 3),
            "crs-no-temperature-alone": early & no_reading,
            "crs-no-temperature": early & no_reading & there(words.UNMEASURED),
            "crs-feverish-unmeasured": no_reading & there(["feverish"]),
            "crs-fever-with-collapse": pl.col("collapse") & pl.col("feverish_or_masked"),
            "crs-low-pressure-measured": low,
            "crs-low-pressure-measured-with-fever": low & pl.col("feverish_or_masked"),
            "gvhd-gut": some(0, None, *words.DONOR) & there(["diarrhea"], 2),
            "gvhd-rash": some(0, None, *words.DONOR) & there(["skin_rash"], 2),
            "gvhd-small-signs": some(0, None, *words.DONOR)
            & (there(words.DONOR_MILD) | there(words.DONOR_MODERATE, 2)),
            "heart-breathless-at-rest": there(["shortness_of_breath"], 3) | there(["blue_lips"]),
            "heart-chest-pain": there(["chest_pain"], 2),
            "infection-late-watch-signs": some(30, None, "car_t") & there(words.LATE_WATCH),
            "infection-sign": there(words.INFECTION_MILD) | there(["cough"], 2),
            "infection-stiff-neck": there(["stiff_neck"]),
            "liver-weight-gain": there(["rapid_weight_gain"]),
            "liver-veins-antibody": some(0, 56, "monoclonal_antibody") & self._liver(),
            "liver-veins-transplant": some(0, 60, "allogeneic_transplant") & self._liver(),
            "liver-yellow-or-dark": there(["yellow_skin_or_eyes", "dark_urine"]),
            "neuro-alertness": t_cell & there(["drowsiness"]),
            "neuro-balance": t_cell & there(["loss_of_balance"]),
            "neuro-handwriting": t_cell & there(words.HANDS_OR_TREMOR),
            "neuro-balance-strength-sight": there(["limb_weakness", "fall"]) | there(words.BALANCE_MODERATE, 2),
            "neuro-behaviour": there(["drowsiness"], 2) | there(words.BEHAVIOUR),
            "neuro-cannot-be-woken": there(["hard_to_wake"]) | there(["drowsiness"], 3),
            "neuro-confusion": there(["confusion"]),
            "neuro-hands": there(words.HANDS),
            "neuro-headache-alarm": there(["headache"], 3) & (there(["vomiting"], 2) | there(words.HEADACHE_ALARM)),
            "neuro-language-writing": there(words.LANGUAGE),
            "neuro-memory": some(0, 56, *words.T_CELL) & there(["memory_trouble"]),
            "neuro-mind-lost": there(words.MIND, 3) | (pl.col("scored") & (score <= 2)).fill_null(False),
            "neuro-seizure": there(["seizure"]),
            "neuro-speech-lost": there(words.SPEECH, 3),
            "neuro-stroke-signs": there(["one_sided_weakness"]),
            "neuro-sudden-headache": there(["sudden_headache"]),
            "neuro-thinking-check": t_cell
            & ((pl.col("finished") == 0).fill_null(False) | (pl.col("scored") & (lost >= 1)).fill_null(False)),
            "neuro-thinking-check-fall": t_cell & pl.col("scored") & ((score <= 6) | (lost >= 4)),
            "neuro-tremor": there(["tremor"], 2),
            "worse-clear-step": pl.any_horizontal(*worse),
            "worse-does-not-go-away": pl.any_horizontal(*lasting),
            "worse-temperature-rise": (temperature >= degrees(37.3))
            & (temperature - pl.col("temperature_before") >= degrees(1.0)),
        }

    def _liver(self) -> pl.Expr:
        return self.any_of(["rapid_weight_gain", "abdominal_swelling"]) | self.any_of(["stomach_pain"], 2)

    def _signs(self) -> pl.Expr:
        """How many different signs the rules of urgency "soon" fired on."""
        signs: dict[str, list[pl.Expr]] = {
            "temperature": [pl.col("worse-temperature-rise"), pl.col("crs-raised-alone")],
            "bruising": [pl.col("bleeding-small-bruises")],
            "stiff_neck": [pl.col("infection-stiff-neck")],
        }

        def add(codes: Iterable[str], level: int = 1, when: pl.Expr | None = None) -> None:
            for code in codes:
                met = self.at_least(code, level).fill_null(False)
                signs.setdefault(code, []).append(met if when is None else met & when)

        add(["hives"], 2)
        add(["passing_little_urine", "rapid_weight_gain"])
        add(words.COMMON_MODERATE, 2)
        add(words.COMMON_MODERATE_EARLY, 2, pl.col("early"))
        add(words.COMMON_SEVERE, 3)
        add(words.LATE_WATCH, 1, pl.col("infection-late-watch-signs"))
        add(words.INFECTION_MILD)
        add(["cough"], 2)
        add(words.HANDS)
        add(words.DONOR_MILD, 1, pl.col("gvhd-small-signs"))
        add(words.DONOR_MODERATE, 2, pl.col("gvhd-small-signs"))
        for code in self.severity:
            signs.setdefault(code, []).append((pl.col(f"s_{code}") - pl.col(f"was_{code}") >= 2).fill_null(False))
        for code in words.LASTING:
            signs[code].append((pl.col(f"s_{code}") >= 2).fill_null(False) & pl.col(f"lasts_{code}"))
        return pl.sum_horizontal(*[reduce(or_, exprs).cast(pl.Int32) for exprs in signs.values()])
