"""`ventures settings`: every setting, what it means, and what it is now."""

import os

from ventures.cli.output import JsonOption, PlainOption, emit_json, emit_lines
from ventures.settings import SETTINGS, masked, read


def show_settings(as_json: JsonOption = False, plain: PlainOption = False) -> None:
    """Every setting with its default, its meaning and its present value; secrets are not shown."""
    settings = read(os.environ)
    if as_json:
        emit_json(
            {
                "settings": [
                    {
                        "name": setting.name,
                        "default": setting.default,
                        "unit": setting.unit,
                        "meaning": setting.meaning,
                        "secret": setting.secret,
                        "value": masked(setting, settings),
                    }
                    for setting in SETTINGS
                ]
            }
        )
        return
    rows = [(setting.name, masked(setting, settings), setting.default or "", setting.meaning) for setting in SETTINGS]
    if plain:
        emit_lines(rows)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("setting", "now", "default", "meaning", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(part) for part in row))
    Console(highlight=False).print(table)
