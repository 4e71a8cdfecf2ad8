"""The models of ``outgrow.yaml``. Unknown keys are refused; every field says what it means for the published schema."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from outgrow.quantities import parse_duration

API_VERSION = "outgrow/v1"
TUNE = "tune"
"""The id of every point's option 0: the cheap fix that is ruled on first, and no major rewrite."""

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]

_SUFFIXED = re.compile(r"^\s*[-+]?\d[\d_]*(\.\d+)?\s*([a-zA-Z%]*)\s*$")
_FACTORS = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "%": 0.01, "B": 1.0}
_FACTORS |= {f"{prefix}B": 1000.0**power for power, prefix in enumerate(("k", "M", "G", "T"), start=1)}
_FACTORS |= {f"{prefix}iB": 1024.0**power for power, prefix in enumerate(("K", "M", "G", "T"), start=1)}


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _quantity(value: Any) -> Any:
    """``8GB`` → 8e9. Whether the suffix suits the signal's unit is checked once the signal is known."""
    if not isinstance(value, str):
        return value
    match = _SUFFIXED.match(value)
    if match is None or match[2] not in _FACTORS:
        raise ValueError(f"{value!r} is not a quantity; write a number, or one with a unit such as 5s, 8GB or 95%")
    number = float(value.strip().removesuffix(match[2]).strip().replace("_", ""))
    factor = _FACTORS[match[2]]
    return number * factor if factor >= 1 else number / round(1 / factor)  # 95 % is .95 to the last bit


def _yes_or_no(value: Any) -> Any:
    return {"yes": True, "no": False}.get(value, value) if isinstance(value, str) else value


def _pair(value: Any) -> Any:
    return [value, value] if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    Field(ge=0, allow_inf_nan=False),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": ["10m", "28d"]}, {"type": "number", "minimum": 0}]}),
]
"""Seconds; written as ``10m``, ``1h30m``, ``28d``."""

Quantity = Annotated[
    float,
    BeforeValidator(_quantity),
    Field(allow_inf_nan=False),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "examples": ["5s", "8GB", "95%"]}]}),
]
"""A value in the signal's base unit; may be written with a unit."""

Users = Annotated[int, Field(gt=0)]
Weeks = Annotated[float, Field(gt=0, le=520, allow_inf_nan=False)]
WeeksRange = Annotated[
    tuple[Weeks, Weeks],
    BeforeValidator(_pair),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 520},
                {
                    "type": "array",
                    "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 520},
                    "minItems": 2,
                    "maxItems": 2,
                },
            ]
        }
    ),
]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)] | Literal["unknown"]
"""In the declared currency; a figure nobody knows is ``unknown``, never zero."""

Answer = Annotated[
    bool, BeforeValidator(_yes_or_no), WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": ["yes", "no"]}]})
]
Score = Annotated[int, Field(ge=1, le=5)]
Aggregate = Literal["sum", "avg", "max", "min", "count"]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Selection(_Declared):
    """Which time series of a metric: by name and exact labels; a label value starting with ``~`` is a regex."""

    metric: str = Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
    labels: dict[str, str] = {}


class Signal(_Declared):
    """A named measured quantity, neutral of where it comes from. Give a metric and one reading of it, or ``promql``."""

    unit: str = Field("", description="Base unit: seconds, bytes, ratio, users, per_second, or any word.")
    title: str = ""
    metric: str | None = Field(None, pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
    labels: dict[str, str] = Field({}, description="Exact label values; one that starts with ~ is a regex.")
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = Field(None, description="Of a histogram, over the window.")
    rate: Literal[True] | None = Field(None, description="Increase a second of a counter, over the window.")
    ratio: Selection | None = Field(
        None, description="The denominator: summed increase of metric / summed increase of this, over the window."
    )
    value: Literal[True] | None = Field(None, description="The latest value of a gauge.")
    max: Literal[True] | None = Field(None, description="The highest value of a gauge over the window.")
    imported: Literal[True] | None = Field(None, description="Comes from outgrow import alone; no source is asked.")
    across: Aggregate = Field("sum", description="How several matching series become one (rate, value, max).")
    by: str | None = Field(None, description="Also keep one series for each value of this label (value, rate).")
    scale: float = Field(1.0, gt=0, description="Multiply the reading, e.g. 0.001 for a metric in milliseconds.")
    window: Duration = 300.0
    promql: str | None = Field(None, description="The way out: any PromQL that gives one number. Prometheus only.")
    driven_by: Literal["load", "users"] | None = Field(
        None, description="What it follows as the service grows; default: load for seconds and ratios, else users."
    )
    source: str | None = Field(
        None, description="The name of the source to read it from; default: the first that has it."
    )

    @property
    def driver(self) -> Literal["load", "users"]:
        """What the signal follows as the service grows."""
        return self.driven_by or ("load" if self.unit in ("seconds", "ratio") else "users")


class SignalUse(_Declared):
    """A reference to a declared signal."""

    signal: str


TriggerKind = Literal["threshold", "fact", "grows-faster-than-users", "worse-though-scaled-out", "spread"]


class Trigger(_Declared):
    """Signal + threshold + how long. ``threshold`` warns early, ``breaks_at`` is where users feel it."""

    id: Identifier
    kind: TriggerKind = "threshold"
    title: str = ""
    signal: str | None = None
    threshold: Quantity | None = Field(None, description="Warn here. For probabilities (special kinds) 0–1.")
    breaks_at: Quantity | None = Field(None, description="Here the architecture has run out.")
    direction: Literal["above", "below"] = "above"
    for_: Duration = Field(0.0, alias="for", description="How long the condition must hold before it fires.")
    when: Literal["any", "normal-load"] = Field("any", description="normal-load keeps peaks from firing it.")
    clears_at: Quantity | None = Field(
        None, description="Quiet again only beyond this; default 10 % inside the threshold."
    )
    replicas: str | None = Field(None, description="worse-though-scaled-out: the signal that counts replicas.")
    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="spread: a region counts from this share of users."
    )
    within: Duration = Field(90 * 86400.0, description="fact: how long a note counts.")
    confirms: bool = Field(False, description="May confirm another trigger of the point; never fires alone.")
    runbook: str = Field("", description="What to do first when it fires.")


Hours = Annotated[
    Annotated[float, Field(ge=0, le=744, allow_inf_nan=False)] | Literal["unknown"],
    Field(description="Hours of people's work a month that keep it running."),
]


class Cost(_Declared):
    """A monthly infrastructure bill: a fixed part and one that grows with users; each may be ``unknown``."""

    fixed: Money = "unknown"
    per_user: Money = "unknown"


class Scores(_Declared):
    """1 (bad for a small team) to 5 (good), one for each selection criterion."""

    operational_simplicity: Score
    learning_curve: Score
    community_support: Score
    rollback_safety: Score
    future_flexibility: Score


class Variant(_Declared):
    """Another way to buy or run the same option, for example a managed service: money against operating."""

    id: Identifier
    title: str = ""
    what: str = ""
    monthly_cost: Cost | Literal["unknown"] = "unknown"
    operating_hours: Hours = "unknown"
    scores: Scores | None = None


class Option(_Declared):
    """A way through a rewrite point."""

    id: Identifier
    title: str = ""
    what: str = ""
    effort_weeks: WeeksRange = Field(description="Calendar weeks of one person: [low, high].")
    new_to_team: bool = Field(False, description="Adds the team's learning buffer.")
    opens: tuple[str, ...] = Field((), description="Options this makes possible or cheaper later: B, or point/B.")
    closes: tuple[str, ...] = Field((), description="Options this rules out later.")
    monthly_cost: Cost | Literal["unknown"] = Field(
        "unknown", description="The whole bill of the service once this option is in place, not what it adds."
    )
    operating_hours: Hours = "unknown"
    scores: Scores | None = None
    variants: tuple[Variant, ...] = Field((), description="Managed or other editions, weighed against running it.")
    prototype_weeks: Weeks = Field(1, description="How long a prototype takes, in a calm window before it is decided.")


class RatioRule(_Declared):
    """Stay when an option is measured at least ``stay`` times better; migrate when at most ``migrate`` times."""

    kind: Literal["ratio"]
    option: str | None = Field(None, description="The option whose ratio over the tuned baseline is judged.")
    stay: Annotated[float, Field(gt=1)]
    migrate: Annotated[float, Field(gt=1)]
    otherwise: str | None = Field(None, description="The option chosen when the rule says migrate.")


class Case(_Declared):
    """One answerable question and the option a *yes* chooses."""

    fact: Identifier
    ask: str
    choose: str
    answer: Answer | None = Field(None, description="yes or no, where it is known; else outgrow decide asks.")
    source: str = Field("", description="Who or what says so; an answer needs one.")


class AnswersRule(_Declared):
    """The first case answered with yes chooses its option; else ``otherwise``."""

    kind: Literal["answers"]
    cases: tuple[Case, ...] = Field(min_length=1)
    otherwise: str | None = None


Rule = Annotated[RatioRule | AnswersRule, Field(discriminator="kind")]


class DeclaredArm(_Declared):
    """One thing that is measured; its other keys are the experiment's own, and checked by it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: Identifier = Field(description="Names it in what is said.")
    option: Identifier | None = Field(None, description="The option it stands for; none: the service as it is.")


class Comparison(_Declared):
    """A measured comparison of the point's options; keys beside these are the experiment's own, and checked by it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Identifier = Field(description="Names the plugin: command, http, vectors, or one of your own.")
    arms: tuple[DeclaredArm, ...] = Field((), max_length=20, description="None: those that the plugin offers.")
    rounds: Annotated[int, Field(ge=6, le=1000)] = Field(12, description="Fixed beforehand; each runs every arm once.")
    round_seconds: Annotated[Duration, Field(gt=0)] = Field(10.0, description="How long an arm is asked in a round.")
    fitness_rounds: Annotated[int, Field(ge=6, le=100)] = Field(
        6, description="Rounds of the baseline against itself, before anything else."
    )
    load: Annotated[float, Field(gt=0, le=0.9)] = Field(0.6, description="Of the slowest arm's capacity.")
    rate: Annotated[float, Field(gt=0)] | None = Field(None, description="Requests a second, instead of the load.")
    users: Users | None = Field(None, description="How many users what is measured stands for.")
    least_recall: Annotated[float, Field(gt=0, le=1)] = Field(0.95, description="An arm below it has no ratio.")
    seed: Annotated[int, Field(ge=0)] = Field(
        1, description="The same seed sends the same requests, in the same order."
    )

    @property
    def settings(self) -> dict[str, Any]:
        """The experiment's own keys, with the arms as they are written."""
        own = dict(self.__pydantic_extra__ or {})
        return own | {"arms": [arm.model_dump() for arm in self.arms]}


class DeclaredPace(_Declared):
    """How hard a move may press on the service; it waits, and says why, where one of these does not hold."""

    batch: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=500,
        description="Items copied at once, up to eight times as many where they go as a block, and registered writes "
        "carried at once: these grow by themselves, up to 10,000 and half a second, while more wait.",
    )
    most_lag: Duration = Field(default=5.0, description="By which the target may be behind.")
    freeze: Annotated[Duration, Field(gt=0, le=60)] = Field(
        default=5.0, description="The longest that writes of one tenant wait in a switch."
    )
    p95_signal: str = Field(default="", description="The service's own p95, a declared signal.")
    p95_limit: Annotated[Duration, Field(gt=0)] | None = Field(
        default=None, description="Wait while the signal is above."
    )
    stop_file: str = Field(default="", description="While this file is there, nothing is copied.")
    command: str = Field(default="", description="Nothing is copied while it ends with another code than 0.")
    shadow_share: Annotated[float, Field(ge=0, le=1)] = Field(default=0.0, description="Of reads asked of both stores.")
    least_shadowed: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Compared reads a tenant needs to be ready."
    )
    first_wave: Annotated[int, Field(ge=1)] = Field(default=3, description="Tenants of the first wave.")
    wave_factor: Annotated[float, Field(ge=1)] = Field(
        default=4.0, description="How many times larger each further wave is."
    )
    late: Annotated[Duration, Field(ge=5, le=3600)] = Field(
        default=60.0,
        description="For how long what a process sent to a store may still arrive after it was stopped: twice the "
        "longest time-out on the way there. No copy is deleted sooner than this after a process was killed, and items "
        "that took longer than half of it to be read are not put.",
    )
    baseline: Literal["try", "require", "none"] = Field(
        default="try",
        description="Whether `before` of the point's validation is measured ahead of each wave's first switch. Where "
        "that fails, `try` says so and switches, `require` switches nobody of the wave.",
    )


class Plugin(_Declared):
    """A source, a notifier or a mover: ``kind`` names the plugin; its other keys are checked by the plugin itself."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Identifier
    name: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The plugin's own keys."""
        return dict(self.__pydantic_extra__ or {})


class DeclaredMove(_Declared):
    """How the point's tenants are moved from a store to another."""

    mover: Plugin = Field(description="What reads and writes both stores: sql-table, qdrant, or one of your own.")
    source: str = Field(min_length=1, max_length=100, description="The store they are in, as routes name it.")
    target: str = Field(min_length=1, max_length=100, description="The store they go to.")
    truth: str | None = Field(
        None,
        description="postgresql:// URL (password from PGPASSWORD or the password file) of the application's own "
        "database, where routes are; default: a file beside the ledger.",
    )
    internal: tuple[str, ...] = Field((), description="Your own tenants: they go first.")
    pace: DeclaredPace = Field(DeclaredPace(), description="How hard it may press on the service.")


class DeclaredValidation(_Declared):
    """What outgrow validate holds a finished move against."""

    workload: Comparison = Field(description="The service before and after, as arms of an experiment.")
    before: Identifier = Field(description="The arm that is the service as it was.")
    after: Identifier = Field(description="The arm that is the service as it is now.")
    current_rate: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Requests a second today; default: what 95 % of the last week's hours stay below."
    )
    factor: Annotated[float, Field(ge=1, le=100)] = Field(2.0, description="Times the current load it must carry.")
    suite: tuple[str, ...] = Field(
        (), description="Your own end-to-end tests, a program and its arguments, run against both arms."
    )
    rehearsed_within: Duration = Field(30 * 86400.0, description="How old the last rehearsal of the way back may be.")


class Point(_Declared):
    """An architectural limit that growth will reach."""

    id: Identifier
    title: str = ""
    headline: str = ""
    root_cause: str = ""
    symptoms: tuple[str, ...] = ()
    users_range: tuple[Users, Users | None] | None = Field(
        None, description="It breaks between these; null: open-ended."
    )
    monitor_from: Users
    decide_by: Users | None = None
    complete_before: Users
    likelihood: Literal["inevitable", "likely", "possible", "only-if"] = "likely"
    likelihood_note: str = ""
    probability: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="That it is needed at all; default by likelihood: 1, 0.8, 0.5, 0.2."
    )
    breach_cost: Money = Field("unknown", description="What a month past the limit costs: lost users, credits, nights.")
    risk: Literal["low", "medium", "high", "very-high", "extreme"] = "medium"
    rollback: Literal["low", "medium", "high", "very-high", "nearly-impossible"] = Field(
        "medium", description="How hard going back is."
    )
    felt_by_users: str = ""
    triggers: tuple[Trigger, ...] = Field(min_length=1)
    options: tuple[Option, ...] = ()
    rule: Rule | None = None
    experiment: Comparison | None = Field(None, description="What outgrow prove measures.")
    migration: DeclaredMove | None = Field(None, description="What outgrow migrate moves.")
    validation: DeclaredValidation | None = Field(None, description="What outgrow validate checks.")


class TimeOff(_Declared):
    """Days, both included, on which a rewrite does not advance: somebody is away, or nothing may change."""

    kind: Literal["absence", "freeze"] = "absence"
    from_: date = Field(alias="from")
    to: date
    who: str | None = Field(None, description="absence: one of the team's names; without it, any one person.")
    what: str = ""


class Team(_Declared):
    """What the team can carry."""

    people: Annotated[int, Field(ge=1, le=100)] = 2
    simultaneous: Annotated[int, Field(ge=1)] = 1
    learning_buffer: Annotated[float, Field(ge=0, le=5)] = 0.25
    months_between: Annotated[float, Field(ge=0, le=120)] = 6
    always_operational: Annotated[int, Field(ge=0)] = 1
    names: tuple[str, ...] = Field(default=(), description="Who the people are, for the plan and the calendar.")
    calendar: tuple[TimeOff, ...] = Field(default=(), description="Absences and freezes.")


class Criteria(_Declared):
    """How the team weighs the five selection criteria; only proportions matter."""

    operational_simplicity: Annotated[float, Field(ge=0)] = 1
    learning_curve: Annotated[float, Field(ge=0)] = 1
    community_support: Annotated[float, Field(ge=0)] = 1
    rollback_safety: Annotated[float, Field(ge=0)] = 1
    future_flexibility: Annotated[float, Field(ge=0)] = 1


class Costs(_Declared):
    """Today's bill, the start of the cost path, and what people and the runway cost."""

    currency: str = "USD"
    monthly_now: Money = "unknown"
    at_users: Users | None = None
    person_week: Money = Field(default="unknown", description="What a week of one person costs.")
    cash: Money = Field(default="unknown", description="In the bank today.")
    monthly_burn: Annotated[float, Field(allow_inf_nan=False)] | Literal["unknown"] = Field(
        default="unknown", description="What leaves the bank a month beside infrastructure and beyond revenue."
    )
    revenue_per_user: Money = Field(default="unknown", description="A month, for users beyond those of today.")


class Declaration(_Declared):
    """The whole of ``outgrow.yaml``."""

    api_version: Literal["outgrow/v1"] = Field(alias="apiVersion")
    name: str = "this service"
    users: SignalUse
    load: SignalUse | None = None
    utilisation: SignalUse | None = Field(
        None, description="Busy share (0–1) of what saturates first; sharpens forecasts."
    )
    milestones: tuple[Users, ...] = Field((), description="The ladder behind “two milestones before”.")
    signals: dict[Identifier, Signal] = Field(min_length=1)
    points: tuple[Point, ...] = Field(min_length=1)
    team: Team = Team()
    criteria: Criteria = Criteria()
    costs: Costs = Costs()
    sources: tuple[Plugin, ...] = ()
    notify: tuple[Plugin, ...] = ()
    decisions: str = Field("docs/decisions", description="Folder of decision records, beside this file.")
    handbook: str = Field(
        "docs/handbook/{point}.md",
        description="Where handbook pages are found, a path or a URL; alerts link there. {point} becomes the id.",
    )
    ledger: str | None = Field(
        None, description="Path, or postgresql:// URL without password; default .outgrow/ledger.sqlite."
    )
    time_scale: str = Field(
        "", pattern=r"^(1s ?= ?\d+[smhdw])?$", description="For rehearsals only: 1s = 1d. Stamped on all made."
    )

    @property
    def observed(self) -> dict[str, Signal]:
        """The signals that sources are asked for."""
        return {name: signal for name, signal in self.signals.items() if signal.imported is None}

    def point(self, point_id: str) -> Point | None:
        """The point of that id, or None."""
        return next((point for point in self.points if point.id == point_id), None)
