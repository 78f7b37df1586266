"""Description of the machine that figures were measured on."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from clients.commands.table import Table

PACKAGES = (
    "numpy", "torch", "onnx", "onnxruntime", "openvino", "uvicorn", "uvloop", "websockets", "starlette", "fastapi",
)  # fmt: skip


def cores() -> list[int]:
    """The processor's cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def version_of(checkout: Path) -> str:
    """The short commit of a checkout; its folder's name where there is none."""
    asked = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    return told.stdout.strip() or checkout.resolve().name


def describe_machine() -> dict[str, Any]:
    """Processor, system, versions and how busy the machine was before."""
    from model.kernel.native import instruction_sets

    return {
        "processor": _processor(),
        "cores": len(cores()),
        "instruction_sets": instruction_sets(),
        "service_isa": service_isa(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "load_before": round(os.getloadavg()[0], 2),
    }


def service_isa() -> str:
    """The instruction set that the service's kernel takes here."""
    from model.kernel.native import instruction_sets

    return os.environ.get("RASCANET_ISA") or instruction_sets()[0]


def machine_table(machine: dict[str, Any]) -> Table:
    """The description in a table."""
    packages = ", ".join(f"{name} {found or 'not installed'}" for name, found in machine["packages"].items())
    rows = [
        ("processor", f"{machine['processor']}, {machine['cores']} cores"),
        ("instruction sets", f"{', '.join(machine['instruction_sets'])}; the service ran on {machine['service_isa']}"),
        ("system", f"{machine['system']}, Python {machine['python']}"),
        ("packages", packages),
        ("load average before", f"{machine['load_before']:.2f}"),
    ]
    return Table("Machine", ("what", "which"), rows)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    pairs = (line.partition(":") for line in lines)
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    name = fields.get("model name", platform.machine())
    return f"{name} (family {fields['cpu family']}, model {fields['model']})" if "cpu family" in fields else name


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
