import time
from sqlalchemy import insert, select
from fairway.core.oci.digest import Digest
from fairway.frame.db.tables import artifacts
from stories.world import image
async def test_t45(world):
    alice = await world.person("alice"); await world.project("team", alice)
    base = image("base"); await alice.push("team/app:v1", base)
    sub={"mediaType": base.manifest.media_type,"digest":base.digest,"size":base.manifest.size}
    await alice.push("team/app:r", image("base", subject=sub))
    row=[r for r in await world.rows(artifacts) if r["digest"]!=base.digest][0]
    rows=[]
    for n in range(10_000):
        r=dict(row); r.pop("id"); r["digest"]=str(Digest.of(b"%d"%n)); rows.append(r)
    for k in range(0,10_000,500):
        await world.run(insert(artifacts).values(rows[k:k+500]))
    from sqlalchemy import text
    import asyncpg; url=world.settings.database_url.replace("postgresql+asyncpg","postgresql"); c=await asyncpg.connect(url); await c.execute("ANALYZE"); await c.close()
    bearer=await alice.with_token("repository:team/app:pull")
    for who in (bearer, alice):
        t=time.perf_counter(); a=await who("GET", f"/v2/team/app/referrers/{base.digest}"); print("\nT45 page", len(a.json["manifests"]), time.perf_counter()-t)
