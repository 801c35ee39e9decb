"""Which distribution a file belongs to: by RECORD, whatever the package is called and however it was installed."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bluerock_hooks.distributions import Distributions

if TYPE_CHECKING:
    from pathlib import Path


class Site:
    """A site directory to install into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def install(self, name: str, version: str, *files: str, metadata: str = "", **more: str) -> Path:
        """Write files and their RECORD; ``more`` are further files of the metadata directory."""
        directory = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        directory.mkdir()
        rows = []
        for file in files:
            path = self.path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# {file} of {name}\n")
            digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
            rows.append(f'"{file}",sha256={digest},1' if "," in file else f"{file},sha256={digest},1")
        rows += [f"{directory.name}/RECORD,,", f"{files[0]}c,," if files else ""]
        (directory / "RECORD").write_text("\n".join(rows) + "\n")
        (directory / "METADATA").write_text(
            metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nbody"
        )
        for key, text in more.items():
            (directory / key.replace("_json", ".json")).write_text(text)
        return directory


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path / "site-packages")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "app"), str(site.path)])
    return site


def owner(path: Any, known: Distributions | None = None) -> tuple[str, str, str] | None:
    distribution, digest = (known or Distributions()).owner(str(path))
    if distribution is None:
        return None
    if digest is None:
        return distribution.name, distribution.version, "absent"
    with open(path, "rb") as file:
        agrees = hashlib.sha256(file.read()).hexdigest() == digest
    return distribution.name, distribution.version, "match" if agrees else "mismatch"


def test_by_record_whatever_the_package_is_called(site: Site) -> None:
    site.install("requests", "2.0", "requests/__init__.py", "requests/api.py")
    site.install("PyYAML", "6.0", "yaml/__init__.py", "_yaml.cpython-311-x86_64-linux-gnu.so")
    site.install("six", "1.16", "six.py")
    site.install("odd", "1", "odd/a,b.py")
    assert owner(site.path / "requests/api.py") == ("requests", "2.0", "match")
    assert owner(site.path / "yaml/__init__.py") == ("PyYAML", "6.0", "match")
    assert owner(site.path / "_yaml.cpython-311-x86_64-linux-gnu.so") == ("PyYAML", "6.0", "match")
    assert owner(site.path / "six.py") == ("six", "1.16", "match")
    assert owner(site.path / "odd/a,b.py") == ("odd", "1", "match")
    (site.path / "six.py").write_text("changed")
    assert owner(site.path / "six.py") == ("six", "1.16", "mismatch")


def test_namespace_packages_belong_to_many(site: Site) -> None:
    site.install("google-auth", "1", "google/auth/__init__.py")
    site.install("google-cloud-storage", "2", "google/cloud/storage/__init__.py")
    site.install("protobuf", "3", "google/protobuf/__init__.py")
    site.install("google", "9", "googlesearch/__init__.py")  # called so, and brings something else
    assert owner(site.path / "google/auth/__init__.py") == ("google-auth", "1", "match")
    assert owner(site.path / "google/cloud/storage/__init__.py") == ("google-cloud-storage", "2", "match")
    assert owner(site.path / "google/protobuf/__init__.py") == ("protobuf", "3", "match")


def test_files_of_one_directory_are_told_apart_whoever_was_asked_for_first(site: Site) -> None:
    """What is known of a directory from one file helps with the next, which may be somebody else's."""
    site.install("one", "1", "ns/sub/z.py", "ns/sub/a.py", "ns/b.py")  # a RECORD in no order
    site.install("two", "2", "ns/sub/m.py", "ns/sub/n,n.py")
    (site.path / "ns/sub/nobody.py").touch()
    distributions = Distributions()
    for _ in range(2):
        assert owner(site.path / "ns/sub/z.py", distributions) == ("one", "1", "match")
        assert owner(site.path / "ns/sub/m.py", distributions) == ("two", "2", "match")
        assert owner(site.path / "ns/sub/a.py", distributions) == ("one", "1", "match")
        assert owner(site.path / "ns/sub/n,n.py", distributions) == ("two", "2", "match")
        assert owner(site.path / "ns/sub/nobody.py", distributions) is None
        assert owner(site.path / "ns/b.py", distributions) == ("one", "1", "match")
        (site.path / "ns/sub/a.py").write_text("other")
        assert owner(site.path / "ns/sub/a.py", distributions) == ("one", "1", "mismatch")
        (site.path / "ns/sub/a.py").write_text("# ns/sub/a.py of one\n")
        distributions.settle()


def test_a_vendored_copy_belongs_to_who_brings_it(site: Site) -> None:
    site.install("requests", "2.0", "requests/__init__.py")
    site.install("pip", "24", "pip/__init__.py", "pip/_vendor/requests/__init__.py")
    assert owner(site.path / "pip/_vendor/requests/__init__.py") == ("pip", "24", "match")


def test_a_file_that_nobody_lists_belongs_to_nobody(site: Site) -> None:
    site.install("known", "1", "known/__init__.py")
    (site.path / "known" / "added.py").write_text("")
    (site.path / "stray.py").write_text("")
    assert owner(site.path / "stray.py") is None
    assert owner(site.path / "known" / "added.py") is None
    assert owner("/nowhere/at/all.py") is None


def test_what_was_installed_without_hashes(site: Site) -> None:
    directory = site.install("bare", "1", "bare.py")
    (directory / "RECORD").write_text("bare.py,,\n")
    assert owner(site.path / "bare.py") == ("bare", "1", "absent")
    directory = site.install("system", "2", "system/__init__.py", top_level_txt="")
    (directory / "RECORD").unlink()
    (directory / "top_level.txt").write_text("system\n")
    assert owner(site.path / "system/__init__.py") == ("system", "2", "absent")
    (site.path / "old_style-3.1.egg-info").write_text("Metadata-Version: 1.1\nName: old-style\nVersion: 3.1\n")
    (site.path / "old_style.py").write_text("")
    assert owner(site.path / "old_style.py") == ("old-style", "3.1", "absent")


@pytest.mark.parametrize("layout", ["src/project", "project"])
def test_an_editable_installation_belongs_to_its_distribution(site: Site, tmp_path: Path, layout: str) -> None:
    project = tmp_path / "my project"
    (project / layout).mkdir(parents=True)
    (project / layout / "__init__.py").write_text("")
    url = {"url": f"file://{str(project).replace(' ', '%20')}", "dir_info": {"editable": True}}
    site.install("project", "0.1", "__editable___project_finder.py", direct_url_json=json.dumps(url))
    site.install("copied", "1", "copied.py", direct_url_json=json.dumps({"url": f"file://{tmp_path}", "dir_info": {}}))
    assert owner(project / layout / "__init__.py") == ("project", "0.1", "absent")
    assert owner(tmp_path / "elsewhere.py") is None


def test_a_package_that_is_installed_while_we_run(site: Site) -> None:
    known = Distributions()
    site.install("first", "1", "first.py")
    assert owner(site.path / "first.py", known) == ("first", "1", "match")
    known.settle()
    site.install("second", "2", "second.py")
    assert owner(site.path / "second.py", known) == ("second", "2", "match")
    known.settle()
    (site.path / "first-1.dist-info").rename(site.path / "first-1.5.dist-info")
    (site.path / "first-1.5.dist-info" / "METADATA").write_text("Name: first\nVersion: 1.5\n")
    assert owner(site.path / "first.py", known) == ("first", "1.5", "match")


def test_who_brings_a_start_up_file(site: Site) -> None:
    site.install("setuptools", "65", "setuptools/__init__.py", "distutils-precedence.pth")
    site.install("malware", "1", "malware/__init__.py")
    (site.path / "stray.pth").write_text("import malware")
    known = Distributions()
    found = known.listing(str(site.path / "distutils-precedence.pth"))
    assert found is not None
    assert (found.name, found.version) == ("setuptools", "65")
    assert known.listing(str(site.path / "stray.pth")) is None
    assert known.listing("/elsewhere/some.pth") is None


def test_the_facts_of_a_distribution(site: Site) -> None:
    url = {
        "url": "https://user:secret@example.com/repo.git?token=secret",
        "vcs_info": {"vcs": "git", "commit_id": "abc", "requested_revision": "main"},
    }
    site.install(
        "from-git", "1", "from_git.py", direct_url_json=json.dumps(url), INSTALLER="pip\n", REQUESTED="",
        WHEEL="Wheel-Version: 1.0\nTag: py3-none-any\nTag: py2-none-any\n",
    )  # fmt: skip
    distribution, _ = Distributions().owner(str(site.path / "from_git.py"))
    assert distribution is not None
    assert distribution.facts() == {
        "name": "from-git",
        "version": "1",
        "location": str(site.path),
        "installer": "pip",
        "requested": True,
        "direct_url": {
            "url": "https://example.com/repo.git",
            "editable": None,
            "vcs": "git",
            "commit": "abc",
            "subdirectory": None,
        },
        "tags": ["py3-none-any", "py2-none-any"],
        "files": 3,
    }


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe,,\n\0", b'"unclosed,sha256=x,1', b",,,\n" * 100])
def test_damaged_metadata_is_no_metadata(site: Site, damage: bytes) -> None:
    directory = site.install("broken", "1", "broken.py")
    for name in ("RECORD", "METADATA", "direct_url.json", "WHEEL"):
        (directory / name).write_bytes(damage)
    known = Distributions()
    known.owner(str(site.path / "broken.py"))
    assert known.owner(str(site.path / "other.py"))[0] is None
    known.owner("/somewhere/else.py")
