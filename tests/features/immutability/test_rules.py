"""Which tags rules make immutable, without a database."""

import pytest

from fairway.core.oci.errors import BadRequest, PatternInvalid
from fairway.core.oci.patterns import Kind, Selector
from fairway.features.immutability import rules
from fairway.features.immutability.model import Rule, Wanted

EVERYWHERE = Selector(Kind.DOUBLESTAR, "**")
COSIGN = f"sha256-{'0' * 64}"


def rule(
    tag: Selector, repository: Selector = EVERYWHERE, *, number: int = 1, disabled: bool = False
) -> Rule:
    return Rule(number, 1, Wanted(tag, repository, disabled))


def glob(pattern: str, *, excludes: bool = False) -> Selector:
    return Selector(Kind.DOUBLESTAR, pattern, excludes)


def immutable(rule: Rule, repository: str, tag: str) -> bool:
    return rules.freezing(rules.in_repository([rule], repository), tag) is not None


@pytest.mark.parametrize(
    ("made", "repository", "tag", "expected"),
    [
        (rule(glob("v*")), "app", "v1", True),
        (rule(glob("v*")), "app", "latest", False),
        (rule(glob("v*", excludes=True)), "app", "latest", True),
        (rule(glob("v*", excludes=True)), "app", "v1", False),
        (rule(glob("**"), glob("team-a/**")), "team-a/app", "v1", True),
        (rule(glob("**"), glob("team-a/**")), "team-b/app", "v1", False),
        (rule(glob("**"), glob("team-a/**", excludes=True)), "team-b/app", "v1", True),
        (rule(glob("v*"), disabled=True), "app", "v1", False),
        (rule(Selector(Kind.REGEX, r"v\d+")), "app", "v12", True),
        (rule(Selector(Kind.SEMVER, ">=1")), "app", "v1.0.0", True),
        (rule(Selector(Kind.SEMVER, ">=1"), Selector(Kind.REGEX, "a|b")), "b", "1.0.0", True),
        # Signatures move their tags.
        (rule(glob("**")), "app", f"{COSIGN}.sig", False),
        (rule(glob("**")), "app", f"{COSIGN}.att", False),
        (rule(glob("**")), "app", f"{COSIGN}.sbom", False),
        (rule(glob("**")), "app", f"{COSIGN}.other", True),
        (rule(glob("**")), "app", f"{COSIGN[:-1]}.sig", True),
    ],
)
def test_a_tag_is_immutable_where_a_rule_says_so(
    made: Rule, repository: str, tag: str, expected: bool
) -> None:
    assert immutable(made, repository, tag) is expected


def test_the_first_rule_that_says_so_is_told() -> None:
    made = [rule(glob("a*"), number=1), rule(glob("v*"), number=2), rule(glob("v1"), number=3)]
    found = rules.frozen(rules.in_repository(made, "app"), ["v1", "a", "b"])
    assert {tag: each.id for tag, each in found.items()} == {"v1": 2, "a": 1}


def test_a_refusal_names_the_rule_and_what_to_do() -> None:
    said = rules.refusal(rule(glob("v*"), glob("app", excludes=True), number=7), "team/x", "v1").message
    assert "rule 7 ('v*' in all but 'app')" in said
    assert "fairway immutable disable team 7" in said


@pytest.mark.parametrize(
    ("kind", "decoration", "pattern", "of_tags", "says"),
    [
        ("glob", "matches", "*", True, "kind is one of doublestar, regex, semver"),
        ("doublestar", "repoMatches", "*", True, "decoration is matches or excludes"),
        ("doublestar", "matches", "*", False, "decoration is repoMatches or repoExcludes"),
        ("doublestar", "matches", "{a", True, "tag_selectors: .* never closed"),
        ("regex", "repoExcludes", "(a", False, r"scope_selectors: .*missing \)"),
        ("semver", "matches", "latest", True, "range of versions"),
    ],
)
def test_what_is_wrong_with_a_selector_is_told(
    kind: str, decoration: str, pattern: str, of_tags: bool, says: str
) -> None:
    with pytest.raises(BadRequest, match=says):
        rules.selector(kind, decoration, pattern, of_tags=of_tags)
    assert issubclass(PatternInvalid, BadRequest)


def test_rules_that_say_the_same_have_one_fingerprint() -> None:
    same = [
        Wanted(glob("**"), EVERYWHERE),
        Wanted(glob(""), EVERYWHERE, disabled=True),
        Wanted(glob("**"), glob(""), priority=3),
    ]
    others = [
        Wanted(glob("*"), EVERYWHERE),
        Wanted(glob("**", excludes=True), EVERYWHERE),
        Wanted(Selector(Kind.REGEX, "**"), EVERYWHERE),
        Wanted(EVERYWHERE, glob("*")),
    ]
    assert len({rules.fingerprint(each) for each in same}) == 1
    assert len({rules.fingerprint(each) for each in [*same, *others]}) == 1 + len(others)


@pytest.mark.parametrize("of_tags", [True, False])
@pytest.mark.parametrize("excludes", [True, False])
def test_a_selector_is_shown_in_the_words_it_came_in(of_tags: bool, excludes: bool) -> None:
    made = glob("v*", excludes=excludes)
    word = rules.decoration(made, of_tags=of_tags)
    assert rules.selector("doublestar", word, "v*", of_tags=of_tags) == made
