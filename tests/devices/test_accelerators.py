import warnings

import jax
import pytest

from stylejax.devices import accelerators
from stylejax.devices.accelerators import unused_plugin, warn_of_unused_plugin
from stylejax.errors import InputWarning


@pytest.fixture(autouse=True)
def on_a_cpu(monkeypatch):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    warn_of_unused_plugin.cache_clear()
    yield
    warn_of_unused_plugin.cache_clear()


def installed(monkeypatch, **versions):
    plugins = {name.replace("_", "-"): version for name, version in versions.items()}
    monkeypatch.setattr(accelerators, "installed_plugins", lambda: plugins)


def test_a_plugin_of_another_version_is_said_once(monkeypatch):
    installed(monkeypatch, jax_cuda12_plugin="0.1.2")
    with pytest.warns(InputWarning, match=r"jax-cuda12-plugin 0\.1\.2: .* \"jax==0\.1\.2\""):
        warn_of_unused_plugin()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_unused_plugin()


def test_a_plugin_without_a_device_is_said_and_what_is_used_or_asked_for_is_not(monkeypatch):
    installed(monkeypatch, jax_cuda12_plugin=jax.__version__)
    assert "no device for it" in unused_plugin()
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert unused_plugin() == ""
    monkeypatch.delenv("JAX_PLATFORMS")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert unused_plugin() == ""
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    installed(monkeypatch)
    assert unused_plugin() == ""
