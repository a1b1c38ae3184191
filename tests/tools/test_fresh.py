"""A trial's chroot gets what this machine's settings name, and nothing in it leads back out."""

from pathlib import Path

import pytest

from tools.fresh import Machine, pip_settings


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    root = tmp_path / "chroot"
    root.mkdir()
    return Machine(root)


def test_files_that_a_setting_names_are_copied_under_the_same_path(machine: Machine, tmp_path: Path) -> None:
    certificate = tmp_path / "authority.pem"
    certificate.write_text("a certificate")
    assert machine.carry(f'Acquire::https::CaInfo "{certificate}";') == f'Acquire::https::CaInfo "{certificate}";'
    assert machine.inside(certificate).read_text() == "a certificate"
    assert machine.folders == []


def test_local_package_folders_are_mounted_and_an_index_with_the_files_beside_it(
    machine: Machine, tmp_path: Path
) -> None:
    for name in ("one/simple", "two/simple", "wheels"):
        (tmp_path / name).mkdir(parents=True)
    machine.carry(f"file://{tmp_path}/one/simple file://{tmp_path}/two/simple https://example.org{tmp_path}/wheels")
    assert machine.folders == [tmp_path / "one", tmp_path / "two"]
    machine.carry(f"{tmp_path}/wheels")
    machine.carry(f"{tmp_path}/wheels 180 true /there/is/no/such/folder")
    assert machine.folders == [tmp_path / "one", tmp_path / "two", tmp_path / "wheels"]


def test_a_folder_that_the_chroot_has_stays_its_own(machine: Machine, tmp_path: Path) -> None:
    certificates = tmp_path / "certs"
    certificates.mkdir()
    machine.inside(certificates).mkdir(parents=True)
    machine.carry(f"{certificates}")
    assert machine.folders == []


def test_writing_replaces_a_symlink_and_not_what_it_points_to(machine: Machine, tmp_path: Path) -> None:
    outside = tmp_path / "resolv.conf"
    outside.write_text("of this machine")
    (machine.root / "etc").mkdir()
    (machine.root / "etc" / "resolv.conf").symlink_to(outside)
    machine.write("/etc/resolv.conf", b"of the chroot")
    assert outside.read_text() == "of this machine"
    assert machine.inside(Path("/etc/resolv.conf")).read_text() == "of the chroot"


def test_a_folder_that_is_a_symlink_out_of_the_chroot_is_refused(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (machine.root / "run").symlink_to(tmp_path / "run")
    with pytest.raises(SystemExit, match="leads out of the chroot"):
        machine.write("/run/settings", b"of the chroot")
    assert list((tmp_path / "run").iterdir()) == []


def test_settings_in_pips_files_are_read_and_its_variables_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\ntimeout = 7\n[install]\nfind-links =\n    /one\n    /two\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_RETRIES", "9")
    found = pip_settings()
    assert found["global"]["timeout"] == "7"
    assert found["install"] == {"find-links": "/one /two"}
    assert "retries" not in found["global"]
