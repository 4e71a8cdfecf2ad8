"""Words: all of them, of this venture alone, by one index, whatever is typed."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.content import api as content
from ventures.database import fitness
from ventures.database.pool import Database
from ventures.database.roles import TEXT_MATCH_LEAKPROOF, Addresses, extend
from ventures.log.api import Spine
from ventures.search import keywords, sql
from ventures.search.passages import Passages
from ventures.search.sources import ContentSource
from ventures.testing.content import OWNER, content_spine, drafted, founded, item_of, take
from ventures.testing.search import WordsEmbedder, consumed
from ventures.vectors.api import ALL, Kind, Only

MODEL = WordsEmbedder().model
FILL = """
INSERT INTO passage (venture, model, id, kind, source, place, number, title, text, state, seq, updated_at, words)
SELECT %(venture)s, %(model)s, gen_random_uuid(), 'content', gen_random_uuid(), 0, 1, 't', w.text, 'draft', 1, now(),
       to_tsvector('english', w.text) || array_to_tsvector(ARRAY[%(mark)s])
FROM (SELECT 'common word' || n %% 40 || CASE WHEN n = 7 THEN ' rarest' ELSE '' END AS text
      FROM generate_series(1, %(count)s) AS n) AS w"""


@pytest.fixture
def spine(database: Database) -> Spine:
    return content_spine(database)


@pytest_asyncio.fixture
async def two(spine: Spine) -> AsyncIterator[tuple[UUID, UUID, dict[str, UUID]]]:
    """Two ventures, the first one's items by title."""
    one, other = await founded(spine), await founded(spine)
    texts = {
        "Green tea": "We sell tea that is green.",
        "Coffee": "Black, like green tea never is.",
        "Oolong": "Half green, half black tea.",
    }
    items = {title: await drafted(spine, one, title=title, body=body) for title, body in texts.items()}
    await drafted(spine, other, title="Green tea", body="Another venture's green tea.")
    for venture in (one, other):
        await consumed(spine, Passages(WordsEmbedder(), [ContentSource()]), venture)
    yield one, other, items


async def found(spine: Spine, venture: UUID, words: str, only: Only = ALL, limit: int = 10) -> list[UUID]:
    async with spine.database.reading(venture) as scope:
        return [one.item for one in await keywords.search(scope, MODEL, words, limit, only)]


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ("green tea", {"Green tea", "Coffee", "Oolong"}),
        ("Selling TEAS", {"Green tea"}),
        ('"green tea"', {"Green tea", "Coffee"}),
        ("green -black", {"Green tea"}),
        ("oolong or coffee", {"Oolong", "Coffee"}),
        ("green whisky", set()),
        ("-green", set()),
        ("the", set()),
        ("", set()),
        ("& | ! ( ) <-> :*", set()),
        ("\0", set()),
        ("\ud800 oolong", {"Oolong"}),
    ],
)
async def test_all_words_are_in_the_passage(
    spine: Spine, two: tuple[UUID, UUID, dict[str, UUID]], words: str, titles: set[str]
) -> None:
    one, _, items = two
    assert set(await found(spine, one, words)) == {items[title] for title in titles}


async def test_what_says_it_in_its_title_comes_first_and_the_limit_holds(
    spine: Spine, two: tuple[UUID, UUID, dict[str, UUID]]
) -> None:
    one, _, items = two
    assert (await found(spine, one, "green tea"))[0] == items["Green tea"]
    assert await found(spine, one, "green tea", limit=1) == [items["Green tea"]]


async def test_a_venture_finds_its_own_alone(spine: Spine, two: tuple[UUID, UUID, dict[str, UUID]]) -> None:
    one, other, items = two
    assert len(await found(spine, other, "green tea")) == 1
    assert not set(await found(spine, other, "green tea")) & set(items.values())
    mark = keywords.mark(other, MODEL, Kind.CONTENT)
    assert await found(spine, one, mark) == []
    assert await found(spine, one, f'"{mark}" or whisky') == []


async def test_a_search_is_narrowed(spine: Spine, two: tuple[UUID, UUID, dict[str, UUID]]) -> None:
    one, _, items = two
    oolong, coffee = items["Oolong"], items["Coffee"]
    await take(spine, one, oolong, "submit")
    await consumed(spine, Passages(WordsEmbedder(), [ContentSource()]), one)
    assert await found(spine, one, "green tea", Only(states=("pending",))) == [oolong]
    assert await found(spine, one, "green tea", Only(sources=(coffee,))) == [coffee]
    assert set(await found(spine, one, "green tea", Only(but=(coffee,)))) == {oolong, items["Green tea"]}


async def test_a_word_of_yesterday_is_not_found_today(spine: Spine, two: tuple[UUID, UUID, dict[str, UUID]]) -> None:
    one, _, items = two
    item = items["Oolong"]
    version = (await item_of(spine, one, item)).version
    await spine.append(one, content.EditItem(item=item, version=version, title="Sencha"), actor=OWNER)
    await consumed(spine, Passages(WordsEmbedder(), [ContentSource()]), one)
    assert (await found(spine, one, "oolong"), await found(spine, one, "sencha")) == ([], [item])


hostile = st.text(max_size=200) | st.lists(
    st.sampled_from(
        ['"', "-", "or", "tea", "\\", "'", "(", "!", "&", ":*", "<->", "\0", "\u202e", "🙂", "\ud83d", "%s"]
    ),
    max_size=600,
).map(" ".join)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile)
async def test_nothing_that_is_typed_fails(spine: Spine, two: tuple[UUID, UUID, dict[str, UUID]], words: str) -> None:
    one, _, items = two
    assert set(await found(spine, one, words)) <= set(items.values())


async def test_an_enormous_query_is_cut(spine: Spine, two: tuple[UUID, UUID, dict[str, UUID]]) -> None:
    one, _, items = two
    assert await found(spine, one, "oolong " * 10_000) == [items["Oolong"]]


async def plan(database: Database, venture: UUID, words: str) -> str:
    async with database.reading(venture) as scope:
        rows = await scope.all(
            "EXPLAIN " + sql.KEYWORDS,  # type: ignore[arg-type]  # both are literals
            model=MODEL,
            mark=f"'{keywords.mark(venture, MODEL, Kind.CONTENT)}'",
            words=words,
            states=[],
            sources=[],
            but=[],
            most=keywords.MOST_RANKED,
            limit=10,
        )
    return "\n".join(line for (line,) in rows)


async def test_one_index_finds_rare_words_where_the_match_is_leakproof(
    database: Database, database_addresses: Addresses, spine: Spine
) -> None:
    ventures = [await founded(spine) for _ in range(3)]
    with psycopg.connect(database_addresses.superuser, autocommit=True, options="-c search_path=regional") as session:
        for venture in ventures:
            mark = keywords.mark(venture, MODEL, Kind.CONTENT)
            session.execute(FILL, {"venture": venture, "model": MODEL, "mark": mark, "count": 4_000})
        session.execute("VACUUM ANALYZE passage")
        assert fitness.words_are_indexed(database_addresses.app)
        assert "Bitmap Index Scan on passage_words" in await plan(database, ventures[1], "rarest")
        assert "Seq Scan" not in await plan(database, ventures[1], "common")
        async with database.reading(ventures[1]) as scope:
            before = await keywords.search(scope, MODEL, "rarest", 10)
            common = await keywords.search(scope, MODEL, "common", 1_000)
        assert (len(before), len(common)) == (1, keywords.MOST_RANKED)

        session.execute(TEXT_MATCH_LEAKPROOF.replace(" LEAKPROOF", " NOT LEAKPROOF"))
        assert not fitness.words_are_indexed(database_addresses.app)
        assert "passage_words" not in await plan(database, ventures[1], "rarest")
        async with database.reading(ventures[1]) as scope:
            assert await keywords.search(scope, MODEL, "rarest", 10) == before
        extend(database_addresses.superuser, session.info.dbname)
        assert fitness.words_are_indexed(database_addresses.app)
