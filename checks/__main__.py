"""Run every lint; exit 1 where there is a finding."""

import sys
from pathlib import Path

from checks import declaration_reference, reference, ventures_client, ventures_reference, ventures_rooms
from checks.core_purity import impurities
from checks.privacy import private_words
from checks.rooms import rooms_without_a_door
from checks.ventures_scope import unscoped

ROOT = Path(__file__).resolve().parent.parent

LINTS = (
    impurities,
    rooms_without_a_door,
    private_words,
    reference.outdated,
    declaration_reference.outdated,
    ventures_reference.outdated,
    ventures_client.outdated,
    unscoped,
    ventures_rooms.rooms_without_a_door,
)

findings = [finding for lint in LINTS for finding in lint(ROOT)]
for finding in findings:
    sys.stdout.write(finding + "\n")
sys.stdout.write(f"{len(findings)} findings of our own lints\n")
sys.exit(1 if findings else 0)
