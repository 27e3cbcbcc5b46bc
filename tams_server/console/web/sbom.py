"""Add the npm packages in the console of a release to a bill of materials in CycloneDX.

python sbom.py BILL PACKAGES: the bill (JSON) is changed in place; PACKAGES is static/packages.json of the release.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

RELEASE = "tams-server"


def main() -> None:
    """Raises SystemExit if the bill does not list the release."""
    bill_file, packages_file = map(Path, sys.argv[1:])
    bill = json.loads(bill_file.read_text())
    components = [component(package) for package in json.loads(packages_file.read_text())]
    add(bill, components)
    bill_file.write_text(json.dumps(bill, indent=2) + "\n")


def component(package: dict[str, str]) -> dict[str, Any]:
    """Return the component for an entry of packages.json, with the hash of the archive in npm's registry."""
    scope, _, name = package["name"].rpartition("/")
    url = f"pkg:npm/{quote(package['name'], safe='/')}@{package['version']}"
    digest = base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()
    return {
        **({"group": scope} if scope else {}),
        "bom-ref": url,
        "hashes": [{"alg": "SHA-512", "content": digest}],
        "licenses": [{"license": {"id": package["license"]}}],
        "name": name,
        "purl": url,
        "type": "library",
        "version": package["version"],
    }


def add(bill: dict[str, Any], components: list[dict[str, Any]]) -> None:
    """Add components on which the release depends, in place of any with the same reference."""
    releases = [each["bom-ref"] for each in bill["components"] if each["name"] == RELEASE]
    if len(releases) != 1:
        raise SystemExit(f"the bill of materials lists {RELEASE} {len(releases)} times")
    added = {each["bom-ref"] for each in components}
    bill["components"] = [each for each in bill["components"] if each["bom-ref"] not in added] + components
    dependencies = {each["ref"]: each for each in bill.get("dependencies", [])}
    dependencies |= {reference: {"ref": reference} for reference in added}
    release = dependencies.setdefault(releases[0], {"ref": releases[0]})
    release["dependsOn"] = sorted({*release.get("dependsOn", []), *added})
    bill["dependencies"] = [dependencies[reference] for reference in sorted(dependencies)]


if __name__ == "__main__":
    main()
