"""After a fault: does the hub still have what it promised, and nothing half done?

The invariants, checked through the HTTP API and by looking beneath it:

I1  every acknowledged, not later deleted manifest pulls by digest and hashes right
I2  so does every blob it names
I3  each tag holds the last acknowledged write, or one that may have come after it
I4  what was acknowledged as deleted stays deleted
I5  whatever is visible is complete
I6  the referrers of a manifest are exactly those that name it as their subject
I7  a project's quota is what its links add up to
I8  each blob's row has an object of the right size and hash; objects without a row are only litter, and what is
    litter for a time only goes when that is over (litter.py)
I9  each acknowledged change has its event, nothing has more events than attempts, and what was handed on was audited

Three more are not about what a hub holds but how it behaves: I10 errors in good and bad times (outages.py), I11 files,
connections, memory and temporary bytes (resources.py), I12 rights (doors.py).  `Scene.check` adds them.
"""

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from faults.client import Answer, Client
from faults.images import digest_of
from faults.inside import Inside
from faults.journal import Deed
from faults.litter import kept_too_long
from faults.registers import PRESENT, Expected, Register, expected

UNAUDITED = ("repository.created", "signature.added", "quota.warning", "quota.exceeded", "artifact.pulled")
"""Of which Harbor's audit log has no lines; nor has it of blobs."""

EVENTS = {
    "blob": "blob.pushed",
    "mount": "blob.pushed",
    "manifest": "artifact.pushed",
    "untag": "tag.deleted",
    "delete": "artifact.deleted",
    "delete_blob": "blob.deleted",
}


@dataclass
class Report:
    """What was found.  `broken` must be empty."""

    broken: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {what}" for what, number in sorted(self.counts.items()))
        return f"{len(self.broken)} broken promises ({counts})" + "".join(
            f"\n  {b}" for b in self.broken[:20]
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in the life of a hub.  What is older was checked before, and bytes are not hashed again."""

    event: int = 0
    artifact: int = 0
    seconds: float = 0.0

    @classmethod
    def now(cls, inside: Inside) -> "Mark":
        inside.keep_events()
        [(event,)] = inside.rows("SELECT COALESCE(MAX(id), 0) FROM kept_events")
        [(artifact,)] = inside.rows("SELECT COALESCE(MAX(id), 0) FROM artifacts")
        return cls(event, artifact, time.time())


def check(
    deeds: Iterable[Deed],
    client: Client,
    inside: Inside,
    since: Mark | None = None,
    *,
    collects: bool = False,
) -> Report:
    """Check everything these deeds lead to expect.  Nobody else may be changing the hub meanwhile.

    `since`: the moment before the first of the deeds, to look beneath the hub only at what came later.
    `collects`: blobs that no manifest needs may be gone.
    """
    deeds = list(deeds)
    wanted = expected(deeds)
    if collects:
        wanted.blobs.clear()
    return _Check(deeds, wanted, client, inside, since or Mark()).run()


class _Check:
    def __init__(
        self, deeds: list[Deed], wanted: Expected, client: Client, inside: Inside, since: Mark
    ) -> None:
        self.deeds = deeds
        self.wanted = wanted
        self.client = client
        self.inside = inside
        self.since = since
        self.report = Report()
        self._shown: dict[str, set[str]] = defaultdict(set)
        self._intact: dict[tuple[str, str], bool] = {}

    def run(self) -> Report:
        self.report.counts["acknowledged"] = sum(deed.acknowledged for deed in self.deeds)
        self.report.counts["ambiguous"] = sum(not (d.acknowledged or d.refused) for d in self.deeds)
        # Beneath it first: the hub takes note of damage that it is asked for.
        self._objects()
        self._rows()
        self._quotas()
        self._events()
        for (repo, digest), register in self.wanted.manifests.items():
            self._manifest(repo, digest, register)
        for repo in {repo for repo, _ in self.wanted.manifests}:
            self._tags(repo)
        for (project, digest), register in self.wanted.blobs.items():
            self._blob(project, digest, register)
        self._referrers()
        self.report.broken += kept_too_long(self.inside)
        return self.report

    def _say(self, number: str, what: str) -> None:
        self.report.broken.append(f"{number}: {what}")

    # -- through the API

    def _manifest(self, repo: str, digest: str, register: Register) -> None:
        answer = self.client.manifest(repo, digest)
        found = {200: PRESENT, 404: None}.get(answer.status, f"status {answer.status}")
        if found not in register.possible():
            number = "I1" if found is None else "I4"
            self._say(number, f"{repo}@{digest} is {found}, may be {register.possible()}")
        if answer.status == 200:
            self.report.counts["manifests"] += 1
            self._shown[repo].add(digest)
            self._complete(repo, digest, answer)

    def _complete(self, repo: str, digest: str, answer: Answer) -> None:
        if digest_of(answer.body) != digest:
            self._say("I1", f"{repo}@{digest} has other bytes")
            return
        content = json.loads(answer.body)
        for named in [*content.get("layers", ()), *filter(None, [content.get("config")])]:
            if not self._pulls(repo, named["digest"], named["size"]):
                self._say("I2", f"{repo}@{digest} lacks its blob {named['digest']}")
        for named in content.get("manifests", ()):
            if self.client.manifest(repo, named["digest"]).status != 200:
                self._say("I5", f"{repo}@{digest} lacks its child {named['digest']}")

    def _pulls(self, repo: str, digest: str, size: int) -> bool:
        """Does the blob pull, whole and right?  Asked once per project."""
        key = repo.partition("/")[0], digest
        if key not in self._intact:
            answer = self.client.blob(repo, digest)
            self._intact[key] = (
                answer.status == 200 and len(answer.body) == size and digest_of(answer.body) == digest
            )
        return self._intact[key]

    def _tags(self, repo: str) -> None:
        answer = self.client.call("GET", f"/v2/{repo}/tags/list?n=1000")
        names = json.loads(answer.body)["tags"] if answer.status == 200 else []
        found = {}
        for tag in names:
            shown = self.client.manifest(repo, tag)
            found[tag] = shown.headers.get("docker-content-digest", f"status {shown.status}")
            if digest_of(shown.body) != found[tag]:
                self._say("I3", f"{repo}:{tag} shows other bytes than those of {found[tag]}")
        known = {tag: register for (of, tag), register in self.wanted.tags.items() if of == repo}
        for tag in known.keys() | found.keys():
            possible = known[tag].possible() if tag in known else {None}
            if found.get(tag) not in possible:
                self._say("I3", f"{repo}:{tag} is {found.get(tag)}, may be {possible}")
        self.report.counts["tags"] += len(found)

    def _blob(self, project: str, digest: str, register: Register) -> None:
        answer = self.client.blob(f"{project}/any", digest, "HEAD")
        found = {200: PRESENT, 404: None}.get(answer.status, f"status {answer.status}")
        if found not in register.possible():
            self._say("I4", f"blob {digest} in {project} is {found}, may be {register.possible()}")
        if found == PRESENT:
            self.report.counts["blobs"] += 1
            if not self._pulls(f"{project}/any", digest, int(answer.headers["content-length"])):
                self._say("I2", f"blob {digest} in {project} does not pull")

    def _referrers(self) -> None:
        """Exactly the manifests that are shown and name the subject."""
        wanted: dict[tuple[str, str], set[str]] = {}
        for deed in self.deeds:
            if deed.subject:
                shown = {deed.digest} & self._shown[deed.repo]
                wanted.setdefault((deed.repo, deed.subject), set()).update(shown)
        for (repo, subject), digests in wanted.items():
            answer = self.client.call("GET", f"/v2/{repo}/referrers/{subject}")
            found = [each["digest"] for each in json.loads(answer.body)["manifests"]]
            if sorted(digests) != sorted(found):
                self._say("I6", f"the referrers of {repo}@{subject} are {found}, not {digests}")

    # -- beneath it

    def _objects(self) -> None:
        objects = self.inside.objects()
        rows = self.inside.rows("SELECT digest, size, key FROM blobs WHERE state = 0")
        for digest, size, key in rows:
            file = objects.get(key)
            if file is None:
                self._say("I8", f"blob {digest} has no object {key}")
            elif file.stat().st_size != size:
                self._say("I8", f"blob {digest} has {file.stat().st_size} bytes instead of {size}")
            elif file.stat().st_mtime >= self.since.seconds - 1 and not _hashes_to(digest, file.read_bytes()):
                self._say("I8", f"blob {digest} has other bytes")
        named = {key for _, _, key in rows} | {key for (key,) in self.inside.rows("SELECT key FROM trash")}
        self.report.counts["orphans"] = len(objects.keys() - named)
        open_uploads = {id for (id,) in self.inside.rows("SELECT id FROM uploads")}
        self.report.counts["orphaned uploads"] = sum(
            file.name not in open_uploads for file in self.inside.uploads()
        )

    def _rows(self) -> None:
        for what, sql in _DANGLING.items():
            for row in self.inside.rows(sql):
                self._say("I5", f"{what}: {row}")
        after = f"WHERE id > {self.since.artifact}"
        for digest, payload in self.inside.rows(f"SELECT digest, payload FROM artifacts {after}"):
            if not _hashes_to(digest, payload):
                self._say("I1", f"the row of manifest {digest} has other bytes")

    def _quotas(self) -> None:
        for project, charged, linked in self.inside.rows(_QUOTAS):
            if charged != linked:
                self._say("I7", f"{project} is charged {charged} bytes for {linked}")

    def _events(self) -> None:
        found: Counter[tuple[str, str, str]] = Counter()
        kinds = ", ".join(f"'{kind}'" for kind in EVENTS.values())
        sql = f"SELECT kind, payload FROM kept_events WHERE id > {self.since.event} AND kind IN ({kinds})"
        for kind, text in self.inside.rows(sql):
            payload = json.loads(text)
            what = payload["tag"] if kind == "tag.deleted" else payload["digest"]
            found[kind, payload["repository"], what] += 1
        least: Counter[tuple[str, str, str]] = Counter()
        most: Counter[tuple[str, str, str]] = Counter()
        for deed in self.deeds:
            key = EVENTS[deed.kind], deed.repo, deed.tags[0] if deed.kind == "untag" else deed.digest
            least[key] += deed.acknowledged
            most[key] += not deed.refused
        for key in most:
            if not least[key] <= found[key] <= most[key]:
                self._say("I9", f"{key} has {found[key]} events, not {least[key]} to {most[key]}")
        self.report.counts["events"] = found.total()
        self._audited()

    def _audited(self) -> None:
        """What was handed on has had its effect."""
        for event, kind in self.inside.rows(
            f"SELECT k.event_id, k.kind FROM kept_events k WHERE k.id > {self.since.event} AND k.kind NOT LIKE 'blob%' "
            f"AND k.kind NOT IN {UNAUDITED} "
            "AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = k.id) "
            "AND NOT EXISTS (SELECT 1 FROM audit_log a WHERE a.event_id = k.event_id)"
        ):
            self._say("I9", f"the {kind} {event} was handed on without a line in the audit log")


def _hashes_to(digest: str, data: bytes) -> bool:
    algorithm, _, value = digest.partition(":")
    return hashlib.new(algorithm, data).hexdigest() == value


_DANGLING = {
    "a manifest names a blob that its project does not have": """
        SELECT a.digest, l.digest FROM artifacts a JOIN artifact_links l ON l.artifact_id = a.id
        LEFT JOIN project_blobs p ON p.project_id = a.project_id AND p.digest = l.digest AND p.blob_id IS NOT NULL
        WHERE l.kind IN ('config', 'layer') AND p.digest IS NULL""",
    "an index names a manifest that its repository does not have": """
        SELECT a.digest, l.digest FROM artifacts a JOIN artifact_links l ON l.artifact_id = a.id
        LEFT JOIN artifacts c ON c.repository_id = a.repository_id AND c.digest = l.digest
        WHERE l.kind = 'child' AND c.digest IS NULL""",
    "a manifest is not among what its project is charged for": """
        SELECT a.project_id, a.digest FROM artifacts a
        LEFT JOIN project_blobs p ON p.project_id = a.project_id AND p.digest = a.digest
        WHERE p.digest IS NULL""",
    "a project is charged for a manifest that it does not have": """
        SELECT p.project_id, p.digest FROM project_blobs p
        LEFT JOIN artifacts a ON a.project_id = p.project_id AND a.digest = p.digest
        WHERE p.blob_id IS NULL AND a.digest IS NULL""",
}

_QUOTAS = """
    SELECT p.name,
        CAST(q.used + COALESCE((SELECT SUM(d.delta) FROM quota_deltas d WHERE d.project_id = p.id), 0) AS BIGINT),
        CAST(COALESCE((SELECT SUM(b.size) FROM project_blobs b WHERE b.project_id = p.id), 0) AS BIGINT)
    FROM projects p JOIN quotas q ON q.project_id = p.id"""
