"""`hashmark.toml` is parsed, or one error names the file, the setting and what to do."""

from __future__ import annotations

import tempfile
from codecs import BOM_UTF8
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.errors import LocalError, SettingsError
from hashmark.core.pairs import Pairing
from hashmark.library.settings import SETTINGS, Settings, create, read_settings
from hashmark.s3.endpoint import Remote
from support.file_trees import open_folder, permissions_count, tree

URL = '[remote]\nurl = "s3://bucket/styles"\n'


@pytest.fixture(name="path")
def fixture_path(tmp_path: Path) -> Path:
    return tmp_path / SETTINGS


def read(path: Path, text: str | bytes) -> Settings:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_settings(path)


# --- what is understood ------------------------------------------------------------------------------------------


def test_an_address_is_all_that_is_needed(path: Path) -> None:
    assert read(path, URL) == Settings(Remote("bucket", "styles"), False, Pairing(), {})


def test_every_setting_is_understood(path: Path) -> None:
    text = """
        [remote]
        url = "s3://training-data/styles/2024/"
        endpoint_url = "https://minio.lan:9000"
        region = "eu-west-1"
        profile = "work"
        addressing = "virtual"
        ca_bundle = "/etc/ssl/own.pem"
        verify = false
        embedded = true
        [pairing]
        captions = [".caption", ".txt"]
        ignore = ["*.npz", "_latent_cache/"]
        [datasets."82_stellar_sketch"]
        prefix = "/renamed/82/"
        [datasets."日本語　絵"]
        prefix = ""
        [datasets.empty]
        [datasets.empty.clean]
        profile = "tags"
        trigger = "ohwx"
    """
    assert read(path, text) == Settings(
        Remote(
            "training-data",
            "styles/2024",
            "https://minio.lan:9000",
            "eu-west-1",
            "work",
            "virtual",
            "/etc/ssl/own.pem",
            verify=False,
        ),
        embedded=True,
        pairing=Pairing((".caption", ".txt"), ("*.npz", "_latent_cache/")),
        prefixes={"82_stellar_sketch": "renamed/82", "日本語　絵": ""},
        cleaning={"empty": {"profile": "tags", "trigger": "ohwx"}},
    )


# --- what is refused ---------------------------------------------------------------------------------------------

WRONG = [
    ("", "[remote] has no 'url'", "s3://bucket/prefix"),
    ("[remote]", "[remote] has no 'url'", "s3://bucket/prefix"),
    (f"[remotes]\n{URL}", "'remotes' is not a setting", "Did you mean 'remote'?"),
    (f"colour = 1\n{URL}", "'colour' is not a setting", "Valid settings: remote, pairing, datasets."),
    ('remote = "s3://bucket"', "'remote' must be a section", ""),
    (f"{URL}[[pairing]]", "'pairing' must be a section", ""),
    ("[remote]\nurl = 7", "[remote] 'url' must be a string in quotes", ""),
    (f"{URL}verify = 1", "[remote] 'verify' must be true or false", ""),
    (f'{URL}embedded = "yes"', "[remote] 'embedded' must be true or false", ""),
    (f"{URL}region = true", "[remote] 'region' must be a string in quotes", ""),
    (f'{URL}endpoint = "x"', "[remote] 'endpoint' is not a setting", "Did you mean 'endpoint_url'?"),
    (f'{URL}credentials_file = "x"', "[remote] 'credentials_file' is not a setting", ""),
    (f'{URL}aws_secret_access_key = "x"', "[remote] 'aws_secret_access_key' is not a setting", ""),
    (f'{URL}addressing = "host"', "[remote] 'addressing' must be one of auto, path, virtual", ""),
    (f'{URL}endpoint_url = "minio:9000"', "[remote] 'endpoint_url': The endpoint 'minio:9000' is not", ""),
    (f'{URL}endpoint_url = "http://u:hunter2@h"', "[remote] 'endpoint_url': The endpoint's address carries", "~/.aws"),
    ('[remote]\nurl = "bucket/x"', "[remote] 'url': 'bucket/x' is not a bucket's address", "s3://bucket/prefix"),
    ('[remote]\nurl = "s3://b/x"', "'b' is not a bucket's name: 3 to 63 of a-z, 0-9, . and -", "s3://bucket/prefix"),
    ('[remote]\nurl = "s3://u:hunter2@b/x"', "is not a bucket's address", "s3://bucket/prefix"),
    ('[remote]\nurl = "s3://bucket/../x"', "[remote] 'url': The prefix", "plain folder names"),
    (f'{URL}[pairing]\ncaptions = ".txt"', "[pairing] 'captions' must be a list of strings", ""),
    (f"{URL}[pairing]\nignore = [1]", "[pairing] 'ignore' must be a list of strings", ""),
    (f"{URL}[pairing]\ncaptions = []", "[pairing] 'captions' must list suffixes", ""),
    (f'{URL}[pairing]\ncaptions = ["txt"]', "[pairing] 'captions' must list suffixes", ""),
    (f'{URL}[pairing]\nignore = [""]', "[pairing] 'ignore' has an empty pattern", ""),
    (f'{URL}[pairing]\nignore = ["/"]', "[pairing] 'ignore' has an empty pattern", ""),
    (f'{URL}[pairing]\nignored = ["x"]', "[pairing] 'ignored' is not a setting", "Did you mean 'ignore'?"),
    (f'{URL}[datasets]\n82 = "x"', 'write [datasets."82"] as a section', ""),
    (f"{URL}[datasets.82]\nclean = 7", "[datasets.\"82\"] 'clean' must be a section", ""),
    (f"{URL}[datasets.82]\nprefix = 7", "[datasets.\"82\"] 'prefix' must be a string in quotes", ""),
    (f'{URL}[datasets.82]\nprefx = "x"', "[datasets.\"82\"] 'prefx' is not a setting", "Did you mean 'prefix'?"),
    (f'{URL}[datasets.82]\nprefix = "a/../b"', "[datasets.\"82\"] 'prefix' has an empty, '.' or '..'", ""),
    (f'{URL}[datasets.82]\nprefix = "a//b"', "[datasets.\"82\"] 'prefix' has an empty, '.' or '..'", ""),
    (f'{URL}[datasets.82]\nprefix = ".hashmark"', "[datasets.\"82\"] 'prefix' has the segment '.hashmark'", "another"),
    (f'{URL}[datasets.82]\nprefix = "a/.hashmark/trash"', "'prefix' has the segment '.hashmark'", "another"),
    ('[remote]\nurl = "s3://bucket/a/.hashmark"', "[remote] 'url': The prefix of 's3://bucket/a/.hashmark'", "another"),
    (f'{URL}[datasets."../82"]\nprefix = "x"', "[datasets] '../82' is not the name of a folder", ""),
    (f'{URL}[datasets.".hashmark"]\nprefix = "x"', "[datasets] '.hashmark' is not the name of a folder", ""),
    (f'{URL}[datasets.""]\nprefix = "x"', "[datasets] '' is not the name of a folder", ""),
    (f"{URL}region = eu", "(at line 3, column 10)", "Fix that line."),
    (f"{URL}\n[remote]\n", "(at line 4, column 8)", "Fix that line."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what", "hint"), WRONG, ids=[what for _, what, _ in WRONG])
def test_a_wrong_setting_is_named_with_its_file_and_the_way_out(path: Path, text: str, what: str, hint: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(path, text)
    assert raised.value.message.startswith(str(path))
    assert what in raised.value.message
    assert hint in raised.value.hint
    assert "hunter2" not in str(raised.value)


def test_bytes_that_are_not_utf8_are_named_by_their_line(path: Path) -> None:
    with pytest.raises(SettingsError, match=r"hashmark\.toml can't be parsed: it is not UTF-8 \(at line 3\)"):
        read(path, URL.encode() + b'region = "\xff"')


def test_a_byte_order_mark_is_no_mistake(path: Path) -> None:
    """Editors on Windows write a byte order mark."""
    assert read(path, BOM_UTF8 + URL.encode()) == read(path, URL)
    with pytest.raises(SettingsError, match=r"not UTF-8 \(at line 3\)"):
        read(path, BOM_UTF8 + URL.encode() + b"\xff")


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read: No such file"):
        read_settings(tmp_path / SETTINGS)
    with pytest.raises(SettingsError, match="can't be read: Is a directory"):
        read_settings(tmp_path)
    with open_folder() as root:
        (root / SETTINGS).write_text(URL)
        (root / SETTINGS).chmod(0)
        with permissions_count(), pytest.raises(SettingsError, match="can't be read: Permission denied"):
            read_settings(root / SETTINGS)


VALUES = st.recursive(
    st.one_of(
        st.booleans().map(lambda value: str(value).lower()),
        st.integers(-(2**70), 2**70).map(str),
        st.text(max_size=12).map(lambda text: "'" + text + "'"),
        st.sampled_from(['"s3://bucket/x"', '".txt"', '"auto"', '"http://h:1"', "nan", "2024-02-30", "1979-05-27"]),
        st.text(st.sampled_from("[.*?!]()/^-a"), max_size=8).map(lambda text: f"'{text}'"),
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    max_leaves=4,
)
NAMES = st.sampled_from(
    ["remote.url", "remote.verify", "remote.endpoint_url", "remote.addressing", "pairing.captions", "pairing.ignore",
     "datasets.a.prefix", "datasets.'..'.prefix", "remote", "pairing", "datasets", "datasets.a", "x", "''"]
)  # fmt: skip
LINES = st.lists(st.tuples(NAMES, VALUES).map(" = ".join), max_size=4).map("\n".join)


@given(LINES | st.text(max_size=80) | st.binary(max_size=40))
@example('[remote]\nurl = "s3://bucket"\n[pairing]\nignore = ["[.*(]"]')
@example("x = " + "[" * 5000)
@example("x = " + "1" * 5000)
@example("x = 1979-05-27T00:32:00.5+99:99")
def test_whatever_stands_in_the_file_the_only_error_is_ours(text: str | bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, SETTINGS)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        try:
            read_settings(path)
        except SettingsError as error:
            assert error.message.startswith(str(path))


# --- a new library -----------------------------------------------------------------------------------------------


def test_a_new_file_says_what_it_was_given(tmp_path: Path) -> None:
    root = tmp_path / "new/library"
    given_values: dict[str, str | bool] = {"url": "s3://bucket/x", "region": "eu-west-1", "verify": False}
    settings = create(root, given_values)
    assert settings.remote == Remote("bucket", "x", region="eu-west-1", verify=False)
    assert read_settings(root / SETTINGS) == settings
    assert list(tree(root)) == [SETTINGS]
    assert "never from this file" in (root / SETTINGS).read_text()


@given(st.text(st.characters(codec="utf-8"), max_size=20))
@example('say "hi"')
@example("C:\\certs\\new.pem")
@example('\\"\\')
@example("tab\tline\nreturn\rzero\0del\x7f\x85\u2028")
def test_any_text_survives_the_file(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        values: dict[str, str | bool] = {"url": "s3://bucket", "profile": text, "ca_bundle": text}
        remote = create(Path(folder), values).remote
        assert (remote.profile, remote.ca_bundle) == (text, text)
        assert read_settings(Path(folder, SETTINGS)).remote == remote


@pytest.mark.parametrize("there", ["a file", "a dangling link", "a folder"])
def test_settings_that_are_there_already_are_not_overwritten(path: Path, there: str) -> None:
    if there == "a file":
        path.write_text("mine")
    elif there == "a dangling link":
        path.symlink_to("nowhere")
    else:
        path.mkdir()
    with pytest.raises(SettingsError, match="already exists"):
        create(path.parent, {"url": "s3://bucket"})
    assert not path.is_file() or path.read_text() == "mine"
    assert [item.name for item in path.parent.iterdir()] == [SETTINGS]


@pytest.mark.parametrize(
    "remote",
    [
        {"url": "bucket"},
        {"url": "s3://bucket", "addressing": "nonsense"},
        {"url": "s3://bucket", "endpoint_url": "http://user:hunter2@host"},
        {"url": "s3://bucket", "nonsense": "x"},
        {"url": "s3://bucket", "verify": "no"},
        {"url": "s3://bucket", "ca_bundle": "/certs/\udcff.pem"},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_before_anything_is_written(tmp_path: Path, remote: dict[str, str | bool]) -> None:
    with pytest.raises(SettingsError, match=r"hashmark\.toml") as raised:
        create(tmp_path / "library", remote)
    assert "hunter2" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LocalError, match=r"file/hashmark\.toml"):
        create(tmp_path / "file", {"url": "s3://bucket"})


@pytest.mark.parametrize("name", ["url", "endpoint_url"])
def test_of_a_value_of_thousands_of_characters_a_message_has_the_ends(tmp_path: Path, name: str) -> None:
    """The message once had 6,000 characters; the fuzzer found it."""
    path = tmp_path / "hashmark.toml"
    other = "" if name == "url" else 'url = "s3://bucket"\n'
    path.write_text(f'[remote]\n{other}{name} = "={"[" * 6000}"\n')
    with pytest.raises(SettingsError) as told:
        read_settings(path)
    assert len(told.value.message) < 2100
    assert "'=[[[" in told.value.message
    assert "address." in told.value.message
