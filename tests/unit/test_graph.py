"""Graph files: what is read, what is refused, and in which words."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.outside import installed
from tests.unit.graph_parts import ADDONS, Source
from voice_agent import graph as graphs
from voice_agent.errors import GraphError, ModelError
from voice_agent.extension import Extension
from voice_agent.graph import Edge, Graph

DATA = Path(__file__).parents[1] / "data" / "graphs"
Document = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed(tmp_path_factory.mktemp("outside"), ADDONS):
        yield


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Graph]:
    """Loads a document, or text that should have been one, as g.json."""

    def load(document: object, graph: str = "", **env: str) -> Graph:
        path = tmp_path / "g.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return graphs.load(path, graph, env)

    return load


@pytest.fixture
def problems(load: Callable[..., Graph], tmp_path: Path) -> Callable[..., list[str]]:
    """What is said of a bad document, without the name of the file, which begins every line."""

    def problems(document: object, graph: str = "", **env: str) -> list[str]:
        with pytest.raises(GraphError) as caught:
            load(document, graph, **env)
        start = f"{tmp_path / 'g.json'}: "
        assert all(line.startswith(start) and "\n" not in line for line in caught.value.problems)
        return [line.removeprefix(start) for line in caught.value.problems]

    return problems


def node(name: str, addon: str, **properties: object) -> Document:
    return {"type": "extension", "name": name, "addon": addon, "property": properties}


def flow(owner: str, kind: str, **fields: object) -> Document:
    return {"extension": owner, kind: [fields]}


def to(*names: str) -> list[Document]:
    return [{"extension": name} for name in names]


def one(**properties: object) -> Document:
    return {"nodes": [node("a", "test.source", **properties)]}


def pair(*connections: Document) -> Document:
    return {"nodes": [node("a", "test.source"), node("b", "test.sink")], "connections": list(connections)}


A_TO_B = flow("a", "audio_frame", name="pcm_frame", dest=to("b"))


# --- what is read ---------------------------------------------------------------------------------


def test_a_graph_builds_new_configured_extensions(load: Callable[..., Graph]) -> None:
    graph = load({"nodes": [node("a", "test.source", count=5, tags=["x"], limits={"k": 1})]})
    first, second = graph.build()["a"], graph.build()["a"]
    assert isinstance(first, Source) and isinstance(second, Source)
    assert first == Source(count=5, tags=("x",), limits={"k": 1})
    assert first is not second and first.limits is not second.limits
    assert graph.name == "g" and graph.notices == ()


@pytest.mark.parametrize(
    "connections",
    [
        [A_TO_B],
        [flow("b", "audio_frame", name="pcm_frame", source=to("a"))],
        [flow("a", "audio_frame", names=["pcm_frame"], dest=to("b"))],
        [A_TO_B, flow("b", "audio_frame", names=["pcm_frame"], source=to("a"))],
    ],
    ids=["dest", "source", "names", "the same line twice"],
)
def test_every_spelling_of_a_connection(load: Callable[..., Graph], connections: list[Document]) -> None:
    assert load(pair(*connections)).edges == (Edge("a", "pcm_frame", "b"),)


def test_every_node_has_the_port_failed(load: Callable[..., Graph]) -> None:
    graph = load(pair(flow("a", "cmd", name="failed", dest=to("b"))))
    assert graph.edges == (Edge("a", "failed", "b"),)


PREDEFINED = {
    "predefined_graphs": [
        {"name": "first", "graph": one(count=1)},
        {"name": "second", "auto_start": True, "graph": one(count=2)},
        {"name": "third", "graph": {"nodes": [node("a", "test.nosuch")]}},
    ]
}


@pytest.mark.parametrize("key", ["ten", "_ten"])
@pytest.mark.parametrize(("asked", "name", "count"), [("", "second", 2), ("first", "first", 1)])
def test_predefined_graphs(load: Callable[..., Graph], key: str, asked: str, name: str, count: int) -> None:
    graph = load({key: PREDEFINED}, asked)
    assert graph.name == name and graph.build()["a"] == Source(count=count)


def test_without_auto_start_the_first_is_taken(load: Callable[..., Graph]) -> None:
    assert load({"ten": {"predefined_graphs": PREDEFINED["predefined_graphs"][:1]}}).name == "first"


def test_the_environment_fills_whole_strings(load: Callable[..., Graph]) -> None:
    document = one(
        count="${env:COUNT|7}",
        loud="${env:LOUD}",
        api_key="${env:KEY|a|b}",
        tags=["${env:TAG|}", "not ${env:TAG}"],
        limits={"k": "${env:COUNT|7}"},
    )
    built = load(document, LOUD="true").build()["a"]
    assert built == Source(count=7, loud=True, api_key="a|b", tags=("", "not ${env:TAG}"), limits={"k": 7})
    assert load(one(api_key=r"${env:KEY\|x}")).build()["a"] == Source(api_key="x")


def test_what_has_no_meaning_here_is_noticed(load: Callable[..., Graph], tmp_path: Path) -> None:
    document = pair(A_TO_B)
    document["nodes"][0]["extension_group"] = "default"
    document["nodes"] += [{"type": "selector", "name": "s", "filter": {}}, node("c", "test.sink")]
    document["exposed_messages"] = []
    notices = load({"ten": {"predefined_graphs": [{"name": "x", "graph": document}], "log": {}}}).notices
    assert [notice.removeprefix(f"{tmp_path / 'g.json'}: ") for notice in notices] == [
        "field 'ten.log' has no meaning here",
        "field 'graph.exposed_messages' has no meaning here",
        "node 'a': field 'extension_group' has no meaning here",
        "node 's': selectors have no meaning here",
        "node 'c': nothing leads to it or from it",
    ]


def test_the_shape_of_tens_own_examples(load: Callable[..., Graph]) -> None:
    """Several graphs, groups, `source` flows; every addon that is lacking is named, with its node."""
    path = DATA / "assistant_in_tens_style.json"
    with pytest.raises(GraphError) as caught:
        graphs.load(path, env={})
    lines = [line.removeprefix(f"{path}: ") for line in caught.value.problems]
    assert [re.sub(r"; (did you mean|there are).*", "", line) for line in lines] == [
        "node 'transport': field 'app_id': the environment variable APP_ID is not set, and has no default",
        "node 'transport': field 'addon': unknown addon 'some_rtc'",
        "node 'hearing': field 'params': the environment variable HEARING_KEY is not set, and has no default",
        "node 'hearing': field 'addon': unknown addon 'some_asr_python'",
        "node 'control': field 'addon': unknown addon 'main_python'",
    ]


def test_tens_real_examples(data_folder: Path) -> None:
    files = sorted((data_folder / "graphs" / "examples").glob("*/tenapp/property.json"))
    assert files
    for path in files:
        predefined = json.loads(path.read_text())["ten"]["predefined_graphs"]
        for entry in predefined:
            with pytest.raises(GraphError) as caught:
                graphs.load(path, entry["name"], env={})
            lines = caught.value.problems
            for each in entry["graph"]["nodes"]:
                assert any(f"node {each['name']!r}: field 'addon': unknown addon" in line for line in lines)
            assert all("unknown addon" in line or "environment variable" in line for line in lines)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"count": "8"}, "node 'a': field 'count': expected a valid integer, got '8'"),
        ({"count": True}, "node 'a': field 'count': expected a valid integer, got True"),
        ({"count": None}, "node 'a': field 'count': expected a valid integer, got nothing"),
        ({"gain_db": 3}, "node 'a': field 'gain_db': expected less than or equal to 0, got 3"),
        ({"tags": ["x", 1]}, "node 'a': field 'tags'[1]: expected a valid string, got 1"),
        ({"limits": {"k": "x"}}, "node 'a': field 'limits'['k']: expected a valid integer, got 'x'"),
        ({"api_key": "\ud800"}, "node 'a': field 'api_key': "),
        ({"cuont": 1}, "node 'a': field 'cuont': test.source has no such field; did you mean 'count'?"),
        ({"node": "x"}, "node 'a': field 'node': test.source has no such field; there are: count, gain_db"),
        (
            {"outputs": {}},
            "node 'a': field 'outputs': test.source has no such field; there are: count, gain_db",
        ),
        (
            {"api_key": "${HOME}"},
            "node 'a': field 'api_key': expected ${env:NAME} or ${env:NAME|default}, got",
        ),
        ({"count": "${env:N}"}, "node 'a': field 'count': the environment variable N is not set, and has no"),
    ],
)
def test_a_bad_property(problems: Callable[..., list[str]], properties: Document, said: str) -> None:
    (line,) = problems(one(**properties))
    assert line.startswith(said)


def test_a_value_from_the_environment_is_never_shown(problems: Callable[..., list[str]]) -> None:
    assert problems(one(count="${env:COUNT}"), COUNT="sk-secret") == [
        "node 'a': field 'count': expected a valid integer, got the value of COUNT"
    ]


def test_a_class_may_refuse_fields_that_do_not_go_together(problems: Callable[..., list[str]]) -> None:
    document = {"nodes": [node("a", "test.choosy", voice="x", low=2)]}
    assert problems(document) == ["node 'a': low is above high"]


def test_a_field_without_default_is_needed(problems: Callable[..., list[str]]) -> None:
    assert problems({"nodes": [node("a", "test.choosy")]}) == [
        "node 'a': field 'voice': expected a value, got nothing"
    ]


@pytest.mark.parametrize(
    ("addon", "said"),
    [
        ("test.sorce", "unknown addon 'test.sorce'; did you mean 'test.source'?"),
        ("zzz", "unknown addon 'zzz'; there are: client."),
        ("test.nowhere", "'test.nowhere' does not load: "),
        ("test.function", "addon 'test.function' names <function"),
    ],
)
def test_an_unknown_addon(problems: Callable[..., list[str]], addon: str, said: str) -> None:
    (line,) = problems({"nodes": [node("a", addon)]})
    assert line.startswith(f"node 'a': field 'addon': {said}")


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        (
            flow("a", "audio_frame", name="pcm", dest=to("b")),
            "node 'a': port 'pcm': test.source has no such output; "
            "there are: pcm_frame (audio_frame), typed (data), failed (cmd)",
        ),
        (
            flow("a", "data", name="pcm_frame", dest=to("b")),
            "node 'a': port 'pcm_frame': it carries AudioFrame, "
            "which belongs under 'audio_frame', got 'data'",
        ),
        (
            flow("a", "data", name="typed", dest=to("b")),
            "node 'a': port 'typed': node 'b' (test.sink) does not take Typed; it takes AudioFrame, Failed",
        ),
        (
            flow("a", "audio_frame", name="pcm_frame", dest=to("bb")),
            "connections of 'a': audio_frame[0]: dest[0]: no node is named 'bb'; did you mean 'b'?",
        ),
        (
            flow("x", "audio_frame", name="pcm_frame", dest=to("b")),
            "connections[0]: no node is named 'x'",
        ),
        (
            flow("a", "audio_frame", name="pcm_frame", names=["pcm_frame"], dest=to("b")),
            "connections of 'a': audio_frame[0]: expected 'name' or 'names', got both",
        ),
        (
            flow("a", "audio_frame", name="pcm_frame"),
            "connections of 'a': audio_frame[0]: expected 'dest' or 'source', got neither",
        ),
        (
            flow("a", "audio_frame", names=[], dest=to("b")),
            "connections of 'a': audio_frame[0]: field 'names': expected a list of names, got []",
        ),
        (
            flow("a", "audio_frame", name="pcm_frame", dest=[]),
            "connections of 'a': audio_frame[0]: field 'dest': expected a list that is not empty, got []",
        ),
        (
            flow("a", "audio", name="pcm_frame", dest=to("b")),
            "connections of 'a': unknown field 'audio'; did you mean 'audio_frame'?",
        ),
        (
            flow("a", "audio_frame", name="pcm_frame", dest=[{"selector": "s"}]),
            "connections of 'a': audio_frame[0]: dest[0]: field 'selector': not supported, "
            "name each 'extension' itself",
        ),
        (
            flow("a", "audio_frame", name="pcm_frame", dest=[{"extension": "b", "msg_conversion": {}}]),
            "connections of 'a': audio_frame[0]: dest[0]: field 'msg_conversion': "
            "messages cannot be converted here",
        ),
    ],
)
def test_a_bad_connection(problems: Callable[..., list[str]], connection: Document, said: str) -> None:
    assert problems(pair(connection)) == [said]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "line 1, column 1: not JSON: Expecting value"),
        ('{"nodes": [\n  {"name": }]}', "line 2, column 12: not JSON: Expecting value"),
        ('{"nodes": NaN}', "not JSON: NaN is not JSON"),
        ("[" * 100_000, "objects and lists lie too deep in one another"),
        ("9" * 5000, "not JSON: Exceeds the limit"),
        ([], "file: expected a JSON object, got []"),
        ({}, "field 'nodes': expected a list that is not empty, got nothing"),
        ({"nodes": []}, "field 'nodes': expected a list that is not empty, got []"),
        ({"nodes": [1]}, "nodes[0]: expected an object, got 1"),
        ({"nodes": [{"type": "extension", "addon": "x"}]}, "nodes[0]: field 'name': expected a name, got"),
        ({"nodes": [node("a\nb", "test.sink")]}, "nodes[0]: field 'name': expected a name, got 'a\\nb'"),
        ({"nodes": [{"name": "a", "addon": "test.sink"}]}, "node 'a': field 'type': expected 'extension'"),
        ({"nodes": [{"type": "subgraph", "name": "a"}]}, "node 'a': field 'type': expected 'extension"),
        ({"nodes": [{**node("a", "test.sink"), "props": {}}]}, "node 'a': unknown field 'props'; did you"),
        ({"nodes": [{**node("a", "test.sink"), "property": 1}]}, "node 'a': field 'property': expected an"),
        ({"nodes": [node("a", "test.sink")] * 2}, "node 'a': this name is taken by another node"),
        ({**pair(), "connections": {}}, "field 'connections': expected a list, got {}"),
        ({**pair(), "connections": None}, "field 'connections': expected a list, got nothing"),
        ({"ten": {"predefined_graphs": [{"graph": one()}]}}, "predefined_graphs: field 'name': expected"),
        (r'{"nodes": [{"name": "\ud800"}]}', r"nodes[0]: field 'name': expected a name, got '\ud800'"),
        ({"ten": 1}, "field 'ten': expected an object, got 1"),
        ({"ten": {}}, "field 'ten': field 'predefined_graphs': expected a list that is not empty"),
        ('{"nodes": 1, "nodes": []}', "field 'nodes': written twice"),
        (
            {"ten": {"predefined_graphs": [{"name": "x", "graph": {"import_uri": "y.json"}}]}},
            "graph 'x': field 'import_uri': not supported, load that file itself",
        ),
    ],
)  # fmt: skip
def test_a_bad_file(problems: Callable[..., list[str]], document: object, said: str) -> None:
    assert problems(document)[0].startswith(said)


def test_a_graph_that_the_file_does_not_hold(problems: Callable[..., list[str]]) -> None:
    assert problems({"ten": PREDEFINED}, "fourth") == [
        "graph 'fourth': not found; there are: 'first', 'second', 'third'"
    ]
    assert problems(one(), "x") == ["graph 'x': the file holds a single graph, which has no name"]


def test_every_mistake_is_told_at_once_and_by_node(problems: Callable[..., list[str]]) -> None:
    document = {
        "nodes": [
            node("a", "test.source", count="x", api_key="${env:KEY}"),
            node("b", "test.snik"),
            node("b", "test.sink"),
            node("c", "test.choosy", voic="x"),
        ],
        "connections": [
            flow("a", "data", name="typed", dest=to("b", "c", "d")),
            flow("c", "cmd", name="text", source=to("a")),
        ],
    }
    assert problems(document) == [
        "node 'a': field 'api_key': the environment variable KEY is not set, and has no default",
        "node 'a': field 'count': expected a valid integer, got 'x'",
        "node 'a': port 'typed': node 'c' (test.choosy) does not take Typed; it takes Text",
        "node 'a': port 'text': test.source has no such output; "
        "there are: pcm_frame (audio_frame), typed (data), failed (cmd)",
        "node 'b': this name is taken by another node",
        "node 'b': field 'addon': unknown addon 'test.snik'; did you mean 'test.sink'?",
        "connections of 'a': data[0]: dest[2]: no node is named 'd'",
        "node 'c': field 'voic': test.choosy has no such field; did you mean 'voice'?",
        "node 'c': field 'voice': expected a value, got nothing",
    ]


def test_a_file_that_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"nosuch: no such file; .*embedded, kiosk, local, openai"):
        graphs.load("nosuch")
    with pytest.raises(GraphError, match="cannot be read: Is a directory"):
        graphs.load(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["a", "b", "c"])
PORTS = st.sampled_from(["pcm_frame", "typed", "text", "failed", "x"])


def rarely_odd(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what belongs there, so that the mistakes lie deep."""
    return st.one_of(usual, usual, usual, JSON)


ENDS = rarely_odd(st.lists(rarely_odd(st.builds(dict, extension=rarely_odd(NAMES))), max_size=3))
FLOWS = st.lists(
    rarely_odd(
        st.builds(dict, name=rarely_odd(PORTS), dest=ENDS)
        | st.builds(dict, names=st.lists(PORTS), source=ENDS)
    ),
    max_size=3,
)
CONNECTION = st.builds(
    lambda kind, name, flows: {"extension": name, kind: flows},
    st.sampled_from(["cmd", "data", "audio_frame"]), rarely_odd(NAMES), rarely_odd(FLOWS),
)  # fmt: skip
NODE = st.fixed_dictionaries(
    {"type": rarely_odd(st.just("extension")), "name": rarely_odd(NAMES)},
    optional={
        "addon": rarely_odd(st.sampled_from([*ADDONS, "text.clause"])),
        "property": rarely_odd(
            st.dictionaries(st.sampled_from(["count", "voice", "limits"]), JSON | st.just("${env:X}"))
        ),
    },
)
NEARLY = st.fixed_dictionaries(
    {"nodes": rarely_odd(st.lists(rarely_odd(NODE), max_size=4))},
    optional={"connections": rarely_odd(st.lists(rarely_odd(CONNECTION), max_size=4))},
)


@given(
    document=JSON
    | NEARLY
    | st.builds(lambda graph: {"ten": {"predefined_graphs": [{"name": "x", "graph": graph}]}}, NEARLY)
)
def test_any_json_is_a_graph_or_a_graph_error(
    tmp_path_factory: pytest.TempPathFactory, document: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(document))
    try:
        graph = graphs.load(path, env={"X": "1"})
    except GraphError as error:
        assert error.problems
        assert all(line.startswith(f"{path}: ") and line.isprintable() for line in error.problems)
    else:
        built = graph.build()
        assert list(built) == [node.name for node in graph.nodes]
        assert all(edge.source in built and edge.dest in built for edge in graph.edges)


@given(content=st.binary(max_size=60))
def test_any_bytes_are_a_graph_or_a_graph_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(content)
    with pytest.raises(GraphError):
        graphs.load(path, env={})


# --- what is loaded -------------------------------------------------------------------------------


def test_readiness_tells_of_every_node(load: Callable[..., Graph]) -> None:
    graph = load({"nodes": [node("a", "test.sink"), node("b", "test.unready"), node("c", "test.crashing")]})
    assert [(row.node, row.addon, row.problem) for row in graph.readiness()] == [
        ("a", "test.sink", ""),
        ("b", "test.unready", "no model at /models/x: download it"),
        ("c", "test.crashing", "RuntimeError: unsupported model binary version"),
    ]
    with pytest.raises(ModelError) as caught:
        graph.prepare()
    assert str(caught.value) == (
        "node 'b' (test.unready): no model at /models/x: download it; "
        "node 'c' (test.crashing): RuntimeError: unsupported model binary version"
    )
    assert not any(row.problem for row in load(one()).prepare())


@pytest.mark.parametrize("name", graphs.shipped())
def test_shipped_graphs_have_no_mistakes(name: str) -> None:
    graph = graphs.load(name, env={})
    assert graph.notices == ()
    assert all(isinstance(extension, Extension) for extension in graph.build().values())
