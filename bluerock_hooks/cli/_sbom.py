"""What was loaded as a CycloneDX 1.6 bill of materials: distributions, and in each the files that ran, with hashes."""

from __future__ import annotations

from ..errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._loaded import Loaded, Module


def document(loaded: Loaded) -> str:
    """The bill as JSON. UsageError where the library is not installed."""
    try:
        from cyclonedx.model import Property
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion
        from packageurl import PackageURL
    except ImportError:
        raise UsageError("--sbom needs cyclonedx-python-lib", "pip install 'bluerock-hooks[sbom]'") from None

    bom = Bom()
    for (name, version), modules in loaded.distributions().items():
        files = [_file(module) for module in _one_a_file(modules)]
        if not name:
            bom.components.update(files)
            continue
        facts = loaded.packages.get((name, version), {})
        bom.components.add(
            Component(
                name=name,
                version=version,
                type=ComponentType.LIBRARY,
                purl=PackageURL("pypi", name=name.lower().replace("_", "-"), version=version),
                bom_ref=f"{name}@{version}",
                components=files,
                properties=[
                    Property(name=f"bluerock:{key}", value=str(facts[key]))
                    for key in ("installer", "location")
                    if facts.get(key)
                ],
            )
        )
    root = Component(name="loaded by Python", type=ComponentType.APPLICATION, bom_ref="root")
    bom.metadata.component = root
    bom.register_dependency(root, bom.components)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)


def _one_a_file(modules: list[Module]) -> list[Module]:
    """A file that many processes loaded is one file, as long as it had the same content."""
    known = {(module.get("file"), module.get("sha256")): module for module in reversed(modules) if module.get("file")}
    return sorted(known.values(), key=lambda module: (module.name, str(module.get("sha256"))))


def _file(module: Module) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType

    digest = module.get("sha256")
    said = {key: module.get(key) for key in ("fullname", "record", "executed", "executed_sha256")}
    return Component(
        name=str(module.get("file")),
        type=ComponentType.FILE,
        bom_ref=f"{module.get('file')}#{digest}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest and not module.get("archive") else [],
        properties=[Property(name=f"bluerock:{key}", value=str(value)) for key, value in said.items() if value],
    )
