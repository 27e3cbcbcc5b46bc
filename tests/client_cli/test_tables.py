"""Tables in narrow terminals and in pipes."""

from collections.abc import Iterator

import pytest

from tams_server.client_cli.columns import FLOWS, member
from tams_server.client_cli.tables import Column, Table

ID = "8fd5cb2c-bb55-46ba-9ac2-47bb5bc7ca0f"
FLOW = {
    "id": ID,
    "format": "urn:x-nmos:format:video",
    "codec": "video/h264",
    "label": "Camera 11, the wide shot from the gantry 日本",
    "essence_parameters": {"frame_width": 1920, "frame_height": 1080, "frame_rate": {"numerator": 25}},
}


def rows(width: int | None) -> list[str]:
    return [row.text for row in Table(FLOWS, width).rows([FLOW])]


def test_nothing_is_shortened_in_a_pipe() -> None:
    assert rows(None)[1] == f"{ID}  video   video/h264  1920x1080 25/s  {FLOW['label']}"


@pytest.mark.parametrize(("width", "columns"), [(120, 5), (80, 4), (60, 3), (20, 3)])
def test_ids_stay_whole_in_every_terminal(width: int, columns: int) -> None:
    title, row = rows(width)
    assert len(title.split()) == columns
    assert row.startswith(f"{ID}  ")
    if width >= 60:
        assert len(row) <= width


def test_wide_characters_count_twice() -> None:
    label = Column("LABEL", member("label"), short=True)
    found = [row.text for row in Table([label], 10).rows([{"label": "日本日本日本"}, {"label": "short"}])]
    assert found == ["LABEL", "日本日本…", "short"]


def test_rows_come_before_the_listing_ends() -> None:
    def endless() -> Iterator[dict[str, str]]:
        while True:
            yield {"id": ID}

    found = Table([Column("ID", member("id"))], None).rows(endless())
    assert [next(found).text for _ in range(500)][-1] == ID


def test_text_of_others_does_not_control_the_terminal() -> None:
    column = Column("LABEL", member("label"))
    found = [row.text for row in Table([column], None).rows([{"label": "a\x1b[31m\nb"}])]
    assert found == ["LABEL", r"a\u001b[31m\nb"]
