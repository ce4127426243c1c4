import subprocess
import sys

import phi_tensor as math
from phi_tensor import BackendReport, inspect_backend, inspect_installation, verify
from phi_tensor.backends import _registry


def test_the_backend_works_and_names_its_devices(backend):
    report = inspect_backend(backend.name)
    assert report.works, report
    assert report.version[0].isdigit()
    assert {kind for _, kind, _ in report.devices} <= {"CPU", "GPU", "TPU"}
    assert report.devices


def test_missing_and_broken_backends_say_what_to_do(monkeypatch, tmp_path):
    missing = _registry.Entry("a_library_that_nobody_has", "phi_tensor.backends._numpy", "phi-tensor[torch]")
    monkeypatch.setitem(_registry.ENTRIES, "torch", missing)
    report = inspect_backend("torch")
    assert not report.works
    assert "pip install phi-tensor[torch]" in str(report)
    (tmp_path / "broken_library.py").write_text("raise RuntimeError('driver too old')")
    monkeypatch.syspath_prepend(tmp_path)
    broken = _registry.Entry("broken_library", "broken_library", "phi-tensor[jax]")
    monkeypatch.setitem(_registry.ENTRIES, "broken", broken)
    report = inspect_backend("broken")
    assert not report.works
    assert "reinstall" in str(report)


def test_command_line_and_function_agree():
    done = subprocess.run([sys.executable, "-m", "phi_tensor"], capture_output=True, text=True, check=False)
    assert "numpy" in done.stdout
    assert done.returncode == 0
    assert [report.name for report in inspect_installation()] == list(_registry.ENTRIES)


def test_verify_prints_and_answers(capsys):
    assert verify() is True
    assert "phi-tensor" in capsys.readouterr().out


def test_report_text():
    assert "GPU: cuda:0" in str(BackendReport("torch", "2.13", (("cuda:0", "GPU", ""),)))
    assert math.NoBackendFound.__mro__[1] is math.PhiError
