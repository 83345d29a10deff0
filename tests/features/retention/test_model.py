"""What is kept, against a model in plain words that sorts and filters lists."""

from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.patterns import Kind
from fairway.features.retention.model import (
    Candidate,
    Mode,
    Rule,
    Tagged,
    TagSelector,
    Template,
)
from fairway.features.retention.rules import DAY
from features.retention.judging import NOW, judged

NAMES = ("v1", "v2", "v3", "dev", "latest")
PATTERNS = {
    "**": set(NAMES),
    "v*": {"v1", "v2", "v3"},
    "{dev,latest}": {"dev", "latest"},
    "v2": {"v2"},
    "none": set(),
}
"""What each matches, said by hand."""

pushed = st.one_of(
    st.just(0), st.integers(NOW - 6 * DAY, NOW + DAY), st.sampled_from([NOW - 2 * DAY, NOW - DAY])
)
pulled = st.one_of(st.none(), pushed)
selectors = st.builds(
    TagSelector, st.just(Kind.DOUBLESTAR), st.sampled_from(sorted(PATTERNS)), st.booleans(), st.booleans()
)
rules = st.lists(
    st.builds(
        Rule, st.sampled_from(list(Template)), st.integers(1, 4), st.lists(selectors, max_size=2).map(tuple)
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def repositories(draw: st.DrawFn) -> list[Candidate]:
    free = list(NAMES)
    made = []
    for number in range(1, draw(st.integers(1, 7)) + 1):
        names = draw(st.lists(st.sampled_from(free), unique=True, max_size=2)) if free else []
        free = [name for name in free if name not in names]
        tags = tuple(Tagged(name, draw(pushed), draw(pulled)) for name in sorted(names))
        made.append(Candidate(number, f"sha256:{number}", draw(pushed), draw(pulled), tags))
    return made


Thing = tuple[Candidate, tuple[str, ...], list[int], list[int | None]]
"""What stays or goes as one: of which image, under which names, and all the times it was pushed and pulled."""


def things(images: list[Candidate], mode: Mode) -> list[Thing]:
    found: list[Thing] = []
    for each in images:
        if mode is Mode.ARTIFACT or not each.tags:
            names = tuple(tag.name for tag in each.tags)
            pushes = [each.pushed_at] + [tag.pushed_at for tag in each.tags]
            found.append((each, names, pushes, [each.pulled_at] + [tag.pulled_at for tag in each.tags]))
            continue
        last_by_tag = max([tag.pulled_at for tag in each.tags if tag.pulled_at is not None], default=0)
        for tag in each.tags:
            pulls = [tag.pulled_at]
            if each.pulled_at is not None and (each.pulled_at == 0 or each.pulled_at > last_by_tag):
                pulls.append(each.pulled_at)
            found.append((each, (tag.name,), [tag.pushed_at], pulls))
    return found


def selected(thing: Thing, rule: Rule) -> bool:
    for selector in rule.tags:
        hits = PATTERNS[selector.pattern]
        if not thing[1]:
            chosen = selector.untagged != selector.excludes
        elif selector.excludes:
            chosen = any(name not in hits for name in thing[1])
        else:
            chosen = any(name in hits for name in thing[1])
        if not chosen:
            return False
    return True


def push(thing: Thing) -> int | None:
    return None if 0 in thing[2] else min(max(thing[2]), NOW)


def pull(thing: Thing) -> int | None:
    """-1 for never, None for unknown."""
    said = [each for each in thing[3] if each is not None]
    if not said:
        return -1
    return None if 0 in said else min(max(said), NOW)


def moment(thing: Thing, template: Template) -> int | None:
    if template in (Template.LATEST_PULLED, Template.PULLED_WITHIN):
        return pull(thing)
    if template is Template.LATEST_ACTIVE:
        both = (push(thing), pull(thing))
        return None if None in both else max(both)  # type: ignore[type-var]
    return push(thing)


def stays_by(rule: Rule, everything: list[Thing]) -> list[Thing]:
    """What one rule keeps: sort what it selects, the latest first, and take the first of them."""
    chosen = [thing for thing in everything if selected(thing, rule)]
    if rule.template is Template.ALWAYS:
        return chosen
    known = [thing for thing in chosen if moment(thing, rule.template) is not None]
    unknown = [thing for thing in chosen if moment(thing, rule.template) is None]
    if rule.template.endswith(("K", "N")):
        order = sorted(
            known,
            key=lambda thing: (
                max(moment(thing, rule.template) or 0, 0),
                push(thing) or 0,
                thing[0].id,
                thing[1] if len(thing[1]) == 1 else (),
            ),
        )
        return unknown + order[::-1][: rule.number]
    first = NOW - rule.number * DAY
    return unknown + [thing for thing in known if (moment(thing, rule.template) or 0) >= first]


@given(rules=rules, images=repositories(), mode=st.sampled_from(list(Mode)))
def test_it_decides_as_plain_words_do(rules: list[Rule], images: list[Candidate], mode: Mode) -> None:
    everything = things(images, mode)
    stays = {(thing[0].id, thing[1]) for rule in rules for thing in stays_by(rule, everything)}
    decided = {
        (each.candidate.id, verdict.tags)
        for each in judged(rules, images, mode=mode)
        for verdict in each.verdicts
        if verdict.mark != "DEL"
    }
    assert decided == stays


@given(rules=rules, images=repositories(), mode=st.sampled_from(list(Mode)))
def test_one_more_rule_never_lets_more_go(rules: list[Rule], images: list[Candidate], mode: Mode) -> None:
    def gone(some: list[Rule]) -> set[tuple[int, tuple[str, ...]]]:
        return {
            (each.candidate.id, verdict.tags)
            for each in judged(some, images, mode=mode)
            for verdict in each.verdicts
            if verdict.mark == "DEL"
        }

    assert gone(rules) <= gone(rules[:1])
