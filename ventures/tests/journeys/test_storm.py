"""kill -9 of the platform's processes under load: nothing acknowledged is lost, nothing is done twice."""

import httpx2

from ventures.testing.serving import ANSWER_SECONDS, folder, serving
from ventures.testing.storm import LosesAnswers, Outcome, insist, judge, signed_up, storm

SEED = 20


async def test_whatever_is_killed_nothing_acknowledged_is_lost_or_done_twice() -> None:
    with folder() as data:
        outcome = await storm(data, kills=6, seed=SEED, pause_seconds=(0.1, 0.8))
    assert outcome.kills.total() == 6
    assert (outcome.faults, outcome.lost, outcome.twice) == ([], 0, 0)
    assert outcome.acknowledged > 0


async def test_without_keys_the_storm_would_see_what_is_done_twice() -> None:
    """The control: the same lost answers, once with keys and once without."""
    losing = LosesAnswers()
    with folder() as data, serving(data) as platform:
        async with httpx2.AsyncClient(base_url=platform.url, transport=losing, timeout=ANSWER_SECONDS) as client:
            await signed_up(client)
            answer = await client.post("/v1/ventures", json={"name": "Bakery", "display_name": "Ada"})
            path = f"{answer.raise_for_status().headers['location']}/items"
            for keys, twice in ((True, 0), (False, 2)):
                outcome = Outcome()
                for number in range(4):
                    losing.lose = number % 2
                    await insist(client, path, {"title": f"{keys} {number}", "body": "text"}, outcome, keys=keys)
                await judge(platform, client, {}, outcome)
                assert outcome.repeated == {"no answer": 2}
                assert (outcome.lost, outcome.twice, len(outcome.faults)) == (0, twice, min(twice, 1)), outcome.faults
